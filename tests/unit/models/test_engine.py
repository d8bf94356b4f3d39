"""The engine: equal facts give equal answers, and time has defined results."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from models.controls import Control
from models.engine import Engine, Fact
from models.errors import ControlError, StateRowError
from models.features import CATALOGUE, POSITIONS
from models.learning import Learner, Schedule
from models.observations import Assessment, Challenge, Decline, ModelSnapshot, Observation, SignIn
from models.scored import MemoryStore, Scored
from models.windows import DAY_US, HOUR_US, MINUTE_US
from tests.unit.models.sample_payments import START_US, days, label, payment


def busy(count: int, seed: int = 5) -> list[Fact]:
    """Payments with everything, some late, with sign-ins, challenges, declines and labels between them."""
    chance = random.Random(seed)
    facts: list[Fact] = []
    now_us = START_US
    for n in range(count):
        now_us += chance.randrange(20) * MINUTE_US
        at_us = now_us - (chance.randrange(30) * MINUTE_US if chance.random() < 0.1 else 0)
        device, address = f"d{chance.randrange(15)}", f"i{chance.randrange(15)}"
        given = {
            "device": device,
            "ip": address,
            "email": f"e{n % 17}",
            "ip_country": chance.choice(["IN", "DE"]),
        }
        facts.append(
            payment(n, at_us, card=f"c{n % 23}", amount_minor=chance.randrange(100, 90_000), **given)
        )
        if n % 3 == 0:
            facts.append(SignIn(occurred_at_us=now_us, succeeded=False, customer=f"e{n % 17}", device=device))
        if n % 5 == 0:
            ended = {"payment_id": f"pi_{n}", "attempt": 1, "occurred_at_us": now_us}
            facts.append(Challenge(**ended, result=chance.choice(["passed", "failed", "abandoned"])))
            facts.append(Decline(**ended, reason="do_not_honor"))
        if n > 30:
            facts.append(label(n - 30, n % 11 == 0, now_us))
    return facts


def learned(count_days: int = 12) -> list[ModelSnapshot]:
    """Snapshots of every kind, learned from the sample."""
    learner = Learner(MemoryStore(), Schedule(refit_frauds_min=20, refit_genuine_min=50))
    engine = Engine()
    snapshots: list[ModelSnapshot] = []
    sample = days(count_days)
    answers = engine.assess([seen for seen, _ in sample])
    learner.note_scored([Scored(a.payment_id, a.occurred_at_us, a.features) for a in answers])
    for number, (seen, fraud) in enumerate(sample):
        snapshots += learner.note_label(label(number, fraud, seen.occurred_at_us))
    return snapshots


def in_batches(engine: Engine, facts: Sequence[Fact], size: int) -> list[Assessment]:
    return [
        answer
        for first in range(0, len(facts), size)
        for answer in engine.assess(facts[first : first + size])
    ]


@pytest.fixture(scope="module")
def snapshots() -> list[ModelSnapshot]:
    made = learned()
    assert {snapshot.kind for snapshot in made} == {"online", "batch", "challenger"}
    return made


@pytest.mark.parametrize("size", [1, 7])
def test_the_split_into_batches_never_shows(size: int, snapshots: list[ModelSnapshot]) -> None:
    facts = busy(120)
    one, other = Engine(), Engine()
    for engine in (one, other):
        for snapshot in snapshots:
            engine.use(snapshot)

    assert in_batches(one, facts, len(facts)) == in_batches(other, facts, size)


def test_the_split_into_batches_never_shows_in_the_cold_start_either() -> None:
    facts = busy(500)

    whole, single = Engine().assess(facts), in_batches(Engine(), facts, 1)
    assert whole == single
    assert any(answer.anomaly for answer in whole)


def test_an_engine_read_back_from_its_rows_goes_on_with_the_same_bits(snapshots: list[ModelSnapshot]) -> None:
    facts = busy(400)
    engine, again = Engine(), Engine()
    rows: dict[str, bytes | None] = {}
    for snapshot in snapshots[:2]:
        engine.use(snapshot)
    for first in range(0, 600, 50):
        engine.assess(facts[first : first + 50])
        rows.update(engine.changed_rows())
    again.load([(row, value) for row, value in rows.items() if value is not None])

    assert again.assess(facts[600:]) == engine.assess(facts[600:])


def test_only_what_changed_is_handed_out_once() -> None:
    engine = Engine()
    engine.assess([payment(1), payment(2, card="card_2", merchant="shop_2")])
    first = engine.changed_rows()
    engine.assess([payment(3, START_US + HOUR_US)])
    second = engine.changed_rows()

    assert {"card/card_1", "card/card_2", "payment/pi_1", "payment/pi_2"} <= set(first)
    assert {"card/card_1", "merchant/shop_1", "payment/pi_3"} <= set(second)
    assert "card/card_2" not in second
    assert engine.changed_rows() == {}


def test_a_damaged_row_is_named_and_not_taken() -> None:
    with pytest.raises(StateRowError, match="card"):
        Engine().load([("card/c", b"\x01")])


def test_payments_older_than_the_memory_are_forgotten_and_their_rows_removed() -> None:
    engine = Engine(memory_days=2)
    engine.assess([payment(n, START_US + n * HOUR_US) for n in range(600)])
    rows = engine.changed_rows()

    assert rows["payment/pi_0"] is None
    assert rows["payment/pi_599"] is not None
    engine.assess([label(0, True, START_US + 600 * HOUR_US)])
    assert engine.changed_rows() == {}


def test_a_payment_told_twice_is_answered_twice_and_counted_once() -> None:
    engine = Engine()
    engine.assess([payment(1), payment(1)])
    row = engine.assess([payment(2, START_US + MINUTE_US)])[0].features

    assert row[POSITIONS["card_count_1h"]] == 1.0


def test_another_attempt_of_a_payment_is_another_payment_of_its_card() -> None:
    engine = Engine()
    engine.assess([payment(1), payment(1, START_US + MINUTE_US)])
    row = engine.assess([payment(2, START_US + 2 * MINUTE_US)])[0].features

    assert row[POSITIONS["card_count_1h"]] == 2.0


def test_a_payment_that_comes_late_counts_what_happened_before_its_own_time() -> None:
    engine = Engine()
    engine.assess([payment(1), payment(2, START_US + 50 * MINUTE_US)])
    row = engine.assess([payment(3, START_US + 10 * MINUTE_US)])[0].features
    then = engine.assess([payment(4, START_US + 55 * MINUTE_US)])[0].features

    assert row[POSITIONS["card_count_1h"]] == 1.0
    assert then[POSITIONS["card_count_1h"]] == 3.0


def test_a_label_that_comes_twice_is_counted_once() -> None:
    engine = Engine()
    engine.assess([payment(1)])
    for _ in range(2):
        engine.assess([label(1, True, START_US + HOUR_US)])
    row = engine.assess([payment(2, START_US + 2 * HOUR_US)])[0].features

    assert row[POSITIONS["card_frauds"]] == 1.0


def test_a_label_of_an_unknown_payment_changes_nothing() -> None:
    engine = Engine()

    engine.assess([label(9, True, START_US)])

    assert engine.changed_rows() == {}


def test_sequences_count_the_payments_of_a_shard_without_a_gap() -> None:
    answers = Engine().assess([payment(n, START_US + n, card="card_7") for n in range(5)])

    assert [answer.sequence for answer in answers] == [1, 2, 3, 4, 5]
    assert len({answer.shard for answer in answers}) == 1


def test_whoever_follows_ends_up_with_the_state_of_whoever_answers(snapshots: list[ModelSnapshot]) -> None:
    told = [payment(n, START_US + n, card=f"card_{n % 5}", partition=n % 2) for n in range(400)]
    for models in ([], snapshots):
        whole = engine_of(models)
        expected = whole.assess(told)
        rows = whole.changed_rows()

        for flow in range(2):
            engine = engine_of(models)
            share = [msgspec.structs.replace(one, is_followed=one.partition != flow) for one in told]
            own = [answer for answer, one in zip(expected, told, strict=True) if one.partition == flow]
            assert engine.assess(share) == own
            assert engine.changed_rows() == rows


def engine_of(snapshots: Sequence[ModelSnapshot]) -> Engine:
    engine = Engine()
    for snapshot in snapshots:
        engine.use(snapshot)
    return engine


def test_the_numbers_of_a_shard_are_the_same_whatever_else_is_read_in_between() -> None:
    one = [payment(n, START_US + n, card=f"card_{n}", partition=3) for n in range(90)]
    other = [payment(n, START_US + n, card=f"card_{n}", partition=5) for n in range(90, 180)]

    def numbers(told: list[Observation]) -> set[tuple[str, int, int]]:
        return {(answer.payment_id, answer.shard, answer.sequence) for answer in Engine().assess(told)}

    assert numbers([*one, *other]) == numbers(
        [fact for pair in zip(other, one, strict=True) for fact in pair]
    )


def test_versions_say_which_models_and_controls_decided(snapshots: list[ModelSnapshot]) -> None:
    engine = Engine()
    before = engine.assess([payment(1)])[0]
    for snapshot in snapshots:
        engine.use(snapshot)
    after = engine.assess([payment(2, START_US + 1)])[0]

    newest = {snapshot.kind: snapshot.version for snapshot in snapshots}
    assert (before.online_version, before.batch_version) == (0, 0)
    assert (after.online_version, after.batch_version) == (newest["online"], newest["batch"])
    assert after.features[POSITIONS["boosting_logit"]] is not None


def test_a_snapshot_that_is_not_newer_is_left(snapshots: list[ModelSnapshot]) -> None:
    engine, straight = Engine(), Engine()
    online = [snapshot for snapshot in snapshots if snapshot.kind == "online"]
    for snapshot in (*online, online[0]):
        engine.use(snapshot)
    straight.use(online[-1])

    assert engine.assess([payment(1)]) == straight.assess([payment(1)])


def test_a_snapshot_that_cannot_be_read_leaves_the_one_before(snapshots: list[ModelSnapshot]) -> None:
    engine = Engine()
    engine.use(snapshots[0])
    broken = msgspec.structs.replace(snapshots[0], version=99, state=b"\xc1")

    with pytest.raises(StateRowError):
        engine.use(broken)
    assert engine.assess([payment(1)])[0].online_version == snapshots[0].version


def test_a_changed_rule_decides_from_the_next_payment_on_and_is_kept() -> None:
    engine = Engine()
    body = {"action": "block", "when": "amount_reference_minor >= 1", "words": "everything"}
    change = Control(name="all", kind="rule", version=3, body=body)
    before = engine.assess([payment(1)])[0]
    engine.change(change)
    after = engine.assess([payment(2, START_US + 1)])[0]
    again = Engine()
    again.load([(row, value) for row, value in engine.changed_rows().items() if value is not None])

    assert (before.outcome, after.outcome) == ("allow", "block")
    assert after.controls_versions["all"] == 3
    assert again.assess([payment(3, START_US + 2)])[0].outcome == "block"


def test_a_rule_that_cannot_be_read_leaves_the_one_before() -> None:
    engine = Engine()
    body = {"action": "allow"}
    broken = Control(name="x", kind="rule", version=1, body=body)

    with pytest.raises(ControlError):
        engine.change(broken)
    assert engine.assess([payment(1)])[0].outcome == "allow"


def test_a_stored_rule_that_this_build_refuses_is_named_and_the_shipped_one_stays() -> None:
    body = {"action": "block", "when": "a_feature_of_another_build > 1", "words": "strange"}
    strange = Control(name="rapid_attempts", kind="rule", version=4, body=body)
    fine = Control(name="all", kind="rule", version=3, body=body | {"when": "amount_reference_minor >= 1"})
    engine = Engine()

    refused = engine.load(
        [(f"control/{control.name}", msgspec.msgpack.encode(control)) for control in (strange, fine)]
    )

    (told,) = refused
    assert "rapid_attempts, version 4" in told
    assert "a_feature_of_another_build" in told
    assert engine.controls.versions["rapid_attempts"] == 0
    assert engine.assess([payment(1)])[0].outcome == "block"
    assert engine.changed_rows().keys().isdisjoint({"control/rapid_attempts", "control/all"})


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("control/all", b"\x01"),
        ("model/champion", b"\xc1"),
        ("anomaly/cold_start", msgspec.msgpack.encode([[(1.0, 1.0)], 3, False, [0, 0.0, 0.0]])),
        ("engine/sequences", msgspec.msgpack.encode([1, 2, 3])),
        ("stranger/1", b"\x01"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_kind(row: str, value: bytes) -> None:
    with pytest.raises(StateRowError, match=row.partition("/")[0]):
        Engine().load([(row, value)])


def test_learned_scores_find_the_frauds_of_the_sample(snapshots: list[ModelSnapshot]) -> None:
    engine = Engine()
    for snapshot in snapshots:
        engine.use(snapshot)
    normal = [payment(n, START_US + n * HOUR_US, card="card_x", merchant="shop_1") for n in range(30)]
    fraud = payment(99, START_US + 31 * HOUR_US, card="card_x", merchant="shop_1", amount_minor=60_000)
    answers = engine.assess([*normal, fraud])

    assert answers[-1].probability > max(answer.probability for answer in answers[:-1])
    assert 0 <= min(answer.risk_score for answer in answers) <= answers[-1].risk_score <= 100


def test_assessments_hold_the_vector_in_catalogue_order() -> None:
    answer = Engine().assess([payment(1, amount_minor=777)])[0]

    assert len(answer.features) == len(CATALOGUE)
    assert answer.features[POSITIONS["amount_minor"]] == 777.0


def test_facts_of_no_payment_have_no_answer() -> None:
    facts: list[Fact] = [SignIn(occurred_at_us=START_US, succeeded=True), label(1, None, START_US + DAY_US)]

    assert Engine().assess(facts) == []
