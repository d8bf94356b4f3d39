"""Facts as hypothesis draws them: few entities, times that repeat, come late and run backwards."""

from collections.abc import Sequence

from hypothesis import strategies as st
from msgspec.structs import replace

from models.engine import Fact
from models.observations import Challenge, Decline, Increment, Label, Observation, SignIn
from models.windows import DAY_US, HOUR_US, MINUTE_US
from tests.unit.models.sample_payments import START_US

STEPS_US = (0, 1, MINUTE_US, 10 * MINUTE_US, HOUR_US, DAY_US - 1, DAY_US, 7 * DAY_US, 30 * DAY_US)
"""From one fact to the next: the widths of windows, so that many events stand at the very edge of one."""
PAYMENTS_MAX = 6
"""So few that ids come again: told twice, and another attempt of the same payment."""

_step = st.sampled_from(STEPS_US)
_later = st.tuples(_step, st.sampled_from((1, 1, 1, 0, -1))).map(lambda drawn: drawn[0] * drawn[1])
_id = st.integers(1, PAYMENTS_MAX).map(lambda number: f"pi_{number}")
_attempt = st.integers(1, 2)


def _one(name: str, count: int = 2) -> st.SearchStrategy[str | None]:
    return st.sampled_from((*(f"{name}_{place}" for place in range(count)), None))


def _payments(at_us: int) -> st.SearchStrategy[Observation]:
    return st.builds(
        Observation,
        payment_id=_id,
        occurred_at_us=st.just(at_us),
        amount_minor=st.sampled_from((0, 1, 900, 4_200, 80_000)),
        currency=st.sampled_from(("EUR", "EUR", "GBP", "ZMW")),
        merchant=_one("shop"),
        card=_one("card"),
        device=_one("device"),
        ip=_one("ip"),
        email=_one("email"),
        customer=_one("customer"),
        ip_country=_one("country"),
    )


def _others(at_us: int) -> st.SearchStrategy[Fact]:
    at = st.just(at_us)
    declines = st.builds(
        Decline,
        payment_id=_id,
        attempt=_attempt,
        occurred_at_us=at,
        reason=st.just("declined"),
        lapsed=st.booleans(),
        card=_one("card"),
    )
    challenges = st.builds(
        Challenge,
        payment_id=_id,
        attempt=_attempt,
        occurred_at_us=at,
        result=st.sampled_from(("failed", "abandoned", "passed")),
        card=_one("card"),
    )
    increments = st.builds(
        Increment,
        payment_id=_id,
        attempt=_attempt,
        amount_minor=st.sampled_from((1_000, 5_000)),
        more_minor=st.sampled_from((1, 100)),
        currency=st.sampled_from(("EUR", "GBP", "ZMW")),
    )
    sign_ins = st.builds(
        SignIn,
        occurred_at_us=at,
        succeeded=st.booleans(),
        customer=_one("customer"),
        device=_one("device"),
        ip=_one("ip"),
    )
    labels = st.builds(
        Label,
        payment_id=_id,
        arrived_at_us=at,
        kind=st.sampled_from(("analyst_verdict", "fraud_dispute", "confirmed_genuine", "matured")),
        source=st.just("test"),
        fraud=st.sampled_from((True, False, None)),
    )
    return st.one_of(declines, challenges, increments, sign_ins, labels)


@st.composite
def drawn_facts(draw: st.DrawFn) -> Sequence[Fact]:
    """Facts of a few payments in the order in which an engine is told of them."""
    now_us, facts = START_US, []
    for step_us in draw(st.lists(_later, max_size=25)):
        now_us += step_us
        facts.append(draw(st.one_of(_payments(now_us), _payments(now_us), _others(now_us))))
    return facts


@st.composite
def drawn_facts_told_once(draw: st.DrawFn) -> Sequence[Fact]:
    """The same, each payment new, and each with one decline, challenge, increment and verdict at most."""
    told: list[Fact] = []
    paid: list[Observation] = []
    known: set[tuple[type, str]] = set()
    for fact in draw(drawn_facts()):
        if isinstance(fact, Observation):
            paid.append(replace(fact, payment_id=f"pi_{len(paid)}"))
            told.append(paid[-1])
        elif isinstance(fact, SignIn):
            told.append(fact)
        elif paid:
            seen = paid[draw(st.integers(0, len(paid) - 1))]
            if (type(fact), seen.payment_id) not in known:
                known.add((type(fact), seen.payment_id))
                told.append(_of(seen, fact))
    return told


def _of(seen: Observation, fact: Decline | Challenge | Increment | Label) -> Fact:
    if isinstance(fact, Increment):
        amount_minor = seen.amount_minor + fact.more_minor
        return replace(fact, payment_id=seen.payment_id, amount_minor=amount_minor, currency=seen.currency)
    if isinstance(fact, Label):
        fraud = bool(fact.fraud)
        return replace(fact, payment_id=seen.payment_id, kind="analyst_verdict", fraud=fraud)
    return replace(fact, payment_id=seen.payment_id, card=None)
