"""Living a month: order, pace, what is sent, and what follows days later."""

import asyncio
import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from simulator.traffic import pace
from simulator.traffic.aftermath import Ended, ended, follow_ups
from simulator.traffic.client import Answer, Paid, intent_body
from simulator.traffic.month import START, Month, plan
from simulator.traffic.run import Run
from simulator.traffic.steps import SCENARIOS, Purchase, Report, SignIn, Verdict
from simulator.traffic.thinning import Thinning


class World:
    """Stands in for the platform: takes every call after a moment, remembers when it was made."""

    def __init__(self, seconds_per_call: float = 0.0, outcome: str = "authorized") -> None:
        self.calls: list[tuple[str, datetime]] = []
        self.overlaps = 0
        self._seconds = seconds_per_call
        self._outcome = outcome
        self._busy: defaultdict[str, int] = defaultdict(int)

    async def pay(self, step: Purchase) -> Paid:
        await self._called("pay", step)
        return Paid(Answer(200, intent(f"pi_{len(self.calls)}", self._outcome)), 1.0)

    async def capture(self, step: Purchase, payment: str) -> Answer:
        return Answer(200, {"id": payment})

    async def sign_in(self, step: SignIn) -> Answer:
        return await self._called("sign_in", step)

    async def report(self, step: Report) -> Answer:
        return await self._called("report", step)

    async def close_review(self, step: Verdict) -> Answer:
        return await self._called("close_review", step)

    async def _called(self, what: str, step: Any) -> Answer:
        self.calls.append((what, step.at))
        self.overlaps += self._busy[step.actor]
        self._busy[step.actor] += 1
        await asyncio.sleep(self._seconds)
        self._busy[step.actor] -= 1
        return Answer(200, {})


def intent(payment: str, outcome: str, **more: Any) -> dict[str, Any]:
    statuses = {"authorized": "succeeded", "manual_review": "requires_capture"}
    return {
        "id": payment,
        "status": statuses.get(outcome, "requires_payment_method"),
        "outcome": {"type": outcome, "risk_score": 12},
        "review": "prv_1" if outcome == "manual_review" else None,
        **more,
    }


def lived(world: World, month: Month, seconds: float = 0.01) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    run = Run(month.start, world, told.append, seed=1)
    asyncio.run(asyncio.wait_for(run.live(month, seconds), 120))
    return told


def purchase(scenario: str | None) -> Purchase:
    wanted = (step for step in plan(4, 300).steps if isinstance(step, Purchase))
    return next(step for step in wanted if step.scenario == scenario)


def test_a_month_is_lived_to_its_end_and_its_reports_come_after_their_payments() -> None:
    world = World()

    told = lived(world, plan(1, 300), seconds=2.0)

    assert told[-1]["kind"] == "end"
    counts = Counter(line["kind"] for line in told)
    assert counts["payment"] == sum(what == "pay" for what, _ in world.calls)
    assert counts["label"] > 10
    assert counts["error"] == 0
    reports = [at for what, at in world.calls if what == "report"]
    assert min(reports) > START + timedelta(hours=12)


def test_the_rate_follows_what_the_machine_carries() -> None:
    def rate(seconds_per_call: float) -> float:
        run = Run(START, World(seconds_per_call), [].append, seed=1)
        return asyncio.run(asyncio.wait_for(pace.measured(run, 1, START, 20.0), 120))

    slow = rate(0.2)

    assert pace.RATE_MIN <= slow < 2 / 0.2
    assert rate(0.02) > slow


def test_the_steps_of_one_actor_never_overlap() -> None:
    world = World(seconds_per_call=0.002)

    lived(world, plan(1, 150))

    assert world.overlaps == 0


def test_a_slow_machine_lives_fewer_stories_but_one_of_each_scenario() -> None:
    month = plan(1, 600)

    told = lived(World(seconds_per_call=0.15), month)

    paid = Counter(line["scenario"] for line in told if line["kind"] == "payment")
    assert told[-1]["left_out"] > 100
    assert paid.total() + told[-1]["left_out"] == month.purchases
    assert set(paid) == {None, *SCENARIOS}
    fraud = sum(isinstance(step, Purchase) and step.scenario is not None for step in month.steps)
    assert paid.total() - paid[None] < fraud


def test_a_story_is_lived_whole_or_not_at_all() -> None:
    thinning = Thinning(seed=1)
    lags = random.Random(3)
    month = plan(2, 1_000)

    fates: defaultdict[str, set[bool]] = defaultdict(set)
    for step in month.steps:
        fates[step.story].add(thinning.keeps(step, lag_seconds=lags.uniform(0, 20)))

    assert all(len(fate) == 1 for fate in fates.values())
    assert {True} in fates.values()
    assert {False} in fates.values()


def test_nothing_is_left_out_while_the_machine_keeps_up() -> None:
    thinning = Thinning(seed=1)

    assert all(thinning.keeps(step, lag_seconds=0.01) for step in plan(2, 300).steps)
    assert thinning.left_out == 0


def test_a_refused_call_is_recorded_and_the_month_goes_on() -> None:
    class Refusing(World):
        async def sign_in(self, step: SignIn) -> Answer:
            return Answer(400, {}, "parameter_invalid: no")

    told = lived(Refusing(), plan(1, 60))

    assert {line["why"] for line in told if line["kind"] == "error"} == {"parameter_invalid: no"}
    assert told[-1]["kind"] == "end"


@pytest.mark.parametrize("scenario", [None, *SCENARIOS])
def test_what_is_sent_does_not_tell_what_it_is(scenario: str | None) -> None:
    sent = json.dumps(intent_body(purchase(scenario)))

    for word in (*SCENARIOS, "scenario", "fraud", "honest"):
        assert word not in sent


def test_an_intent_holds_no_card_number() -> None:
    step = purchase(None)

    assert step.card.number not in json.dumps(intent_body(step))


def test_blocked_and_held_and_declined_intents_are_read_as_such() -> None:
    blocked = ended(intent("pi_1", "blocked"))
    held = ended(intent("pi_2", "manual_review", not_assessed=True))
    declined = ended(
        intent("pi_3", "issuer_declined", last_payment_error={"decline_code": "insufficient_funds"})
    )

    assert (blocked.decision, blocked.money_moved) == ("block", False)
    assert (held.decision, held.review, held.assessed) == ("review", "prv_1", False)
    assert (declined.decision, declined.decline) == ("allow", "insufficient_funds")


def heard(scenario: str | None, end: Ended, times: int = 400) -> Counter[str]:
    """Kinds of what followed, over many draws."""
    draw = random.Random(5)
    step = purchase(scenario)
    followed = [follow for _ in range(times) for follow in follow_ups(draw, step, end)]
    assert all(follow.at > step.at for follow in followed)
    return Counter(follow.kind if isinstance(follow, Report) else "verdict" for follow in followed)


def an_end(decision: str, status: str = "succeeded", review: str | None = None) -> Ended:
    return Ended("pi_1", decision, status, review, 5, True, None)


def test_fraud_that_went_through_is_reported_days_later_and_honest_shopping_confirmed_or_not_at_all() -> None:
    assert set(heard("stolen_card_spree", an_end("allow"))) == {"early_fraud_warning", "fraud_dispute"}
    assert set(heard("friendly_fraud", an_end("allow"))) == {"fraud_dispute"}
    honest = heard(None, an_end("allow"))
    assert set(honest) == {"confirmed_genuine", "other_dispute"}
    assert honest.total() < 380


def test_nobody_reports_a_fraud_that_never_got_money() -> None:
    assert not heard("card_testing", an_end("block", "requires_payment_method"))
    assert not heard("card_testing", an_end("allow", "requires_payment_method"))


def test_a_review_is_closed_by_an_analyst_who_is_mostly_right() -> None:
    draw = random.Random(5)
    step, end = purchase("account_takeover"), an_end("review", "requires_capture", "prv_1")
    verdicts = [
        follow for _ in range(300) for follow in follow_ups(draw, step, end) if isinstance(follow, Verdict)
    ]

    assert len(verdicts) == 300
    assert 10 < sum(verdict.approve for verdict in verdicts) < 60
