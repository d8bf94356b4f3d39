"""`weir explain` over a log: finds decision, request, controls and champion, or says what is gone."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from events.codec import encode
from events.log import open_log
from events.log.port import Outgoing
from events.types import AssessmentRequested, ControlChanged, DecisionMade, ModelPublished, RiskContext
from models.boosting import fit
from models.engine import Engine
from models.online import BinnedLogisticRegression, linear_values
from models.slots import numbers_of, slots_of
from pipelines.commands import app
from pipelines.delivery import delivered
from pipelines.errors import NotInLogError
from pipelines.explain import events_of, evidence_of, explain_payment
from pipelines.observe import derived_id
from pipelines.risk_step import RiskStep
from tests.memory_log import MemoryLog
from tests.unit.pipelines.standin import START, asked, assessment

RULE = {"action": "block", "when": "device IN @blocked_devices", "words": "a blocked device"}


class World:
    """A log, and the real risk step that answers what is told to it."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.step = RiskStep(Engine())

    def tell(self, outgoing: Outgoing) -> None:
        place = self.log.append([outgoing])[0]
        record = self.log.on(place.topic, place.partition)[place.offset]
        answers = self.step.handle([delivered(record)], START)
        assert answers.refused == []
        for key, decision in answers.decisions:
            self.log.append([Outgoing("decisions", key, encode(decision), place.partition)])

    def ask(self, number: int, **members: Any) -> AssessmentRequested:
        event = assessment(number, **members)
        self.tell(asked(event))
        return event

    def control(
        self, name: str, kind: Any, version: int, body: dict[str, Any] | None, at: datetime = START
    ) -> None:
        event = ControlChanged(
            id=derived_id(name, str(version), at),
            occurred_at=at,
            name=name,
            kind=kind,
            version=version,
            body=body,
        )
        self.tell(Outgoing("controls", name.encode(), encode(event)))

    def publish(self, version: int, model: BinnedLogisticRegression) -> None:
        event = ModelPublished(
            id=derived_id("champion", str(version), START),
            occurred_at=START,
            name="champion",
            kind="online",
            version=version,
            learned_to={},
            labels=model.learned,
            state=model.encode(),
        )
        self.tell(Outgoing("models", b"champion@%d" % version, encode(event)))

    def forget(self, topic: str, event_id: str) -> None:
        """What retention or compaction does."""
        for place, records in self.log.records.items():
            if place.topic == topic:
                for number, record in enumerate(records):
                    if record.value is not None and event_id.encode() in record.value:
                        records[number] = type(record)(topic, place.partition, number, record.key, None)

    def learned(self) -> BinnedLogisticRegression:
        """A champion that learned enough from the decisions so far to speak alone."""
        model = BinnedLogisticRegression()
        rows = [decision.features for decision in events_of(self.log, "decisions", DecisionMade)]
        numbers = numbers_of(rows)
        slots, linear = slots_of(rows, numbers).tolist(), linear_values(numbers).tolist()
        for turn in range(300):
            place = turn % len(rows)
            model.learn([slot for slot in slots[place] if slot], linear[place], turn % 10 == 0)
        return model


@pytest.fixture
def world() -> World:
    made = World()
    for number in range(10):
        made.ask(number)
    made.publish(1, made.learned())
    return made


def test_a_decision_is_made_again_from_the_log_alone(world: World) -> None:
    world.ask(20)

    text = explain_payment(world.log, "pi_20")

    assert "payment pi_20: allow" in text
    assert "gives the same probability bit by bit" in text
    assert "in all" in text
    assert "no longer in the log" not in text
    assert "WARNING" not in text


def test_of_two_rules_under_one_version_the_decisions_own_is_explained(world: World) -> None:
    world.control("own_rule", "rule", 1, {"action": "block", "when": "hour >= 0", "words": "the first"})
    world.ask(20)
    later = {"action": "block", "when": "hour >= 1", "words": "the second"}
    world.control("own_rule", "rule", 1, later, at=START + timedelta(hours=1))

    rules = {rule.name: rule.words for rule in evidence_of(world.log, "pi_20").controls.rules}

    assert rules["own_rule"] == "the first"


def test_the_champion_of_the_decision_is_used_and_not_the_latest(world: World) -> None:
    world.ask(20)
    world.publish(2, BinnedLogisticRegression())
    world.ask(21)

    assert "champion 1," in explain_payment(world.log, "pi_20")
    assert "gives the same probability bit by bit" in explain_payment(world.log, "pi_20")
    assert "champion 2," in explain_payment(world.log, "pi_21")


def test_rules_and_lists_of_the_decision_are_used_even_when_they_changed_since(world: World) -> None:
    world.control("blocked", "rule", 1, RULE)
    world.control("blocked_devices", "list", 1, {"entries": [{"value": "d0"}]})
    world.ask(20, context=RiskContext(device="d0"))
    world.control("blocked_devices", "list", 2, {"entries": []})

    text = explain_payment(world.log, "pi_20")

    assert "payment pi_20: block" in text
    assert "a blocked device" in text
    assert "device: not on @blocked_devices" in text
    assert "WARNING" not in text


def test_a_rule_that_came_later_or_was_removed_before_plays_no_part(world: World) -> None:
    world.control("card_testing", "rule", 1, None)
    world.ask(20)
    world.control("everything", "rule", 1, {"action": "block", "when": "amount_reference_minor > 0"})

    found = evidence_of(world.log, "pi_20")

    assert {"card_testing", "everything"}.isdisjoint(rule.name for rule in found.controls.rules)
    assert found.gaps == ()


def test_a_champion_that_compaction_took_is_reported_as_gone(world: World) -> None:
    world.ask(20)
    world.forget("models", derived_id("champion", "1", START))

    text = explain_payment(world.log, "pi_20")

    assert "version 1 of the champion is no longer in the log" in text
    assert "not scored again" in text


def test_a_control_that_compaction_took_is_reported_as_gone(world: World) -> None:
    world.control("blocked_devices", "list", 1, {"entries": [{"value": "d0"}]})
    world.ask(20)
    world.forget("controls", derived_id("blocked_devices", "1", START))

    assert "version 1 of the control blocked_devices is no longer in the log" in explain_payment(
        world.log, "pi_20"
    )


def test_a_request_that_retention_took_leaves_the_vector_to_explain(world: World) -> None:
    event = world.ask(20)
    world.forget("assessments", event.id)

    text = explain_payment(world.log, "pi_20")

    assert "the request is no longer in the log" in text
    assert "10.20 EUR" in text


def test_the_latest_attempt_is_explained_unless_another_is_asked_for(world: World) -> None:
    world.ask(20, payment_id="pi_twice", attempt=1)
    world.ask(21, payment_id="pi_twice", attempt=2)

    assert evidence_of(world.log, "pi_twice").assessment.occurred_at_us % 60_000_000 == 21_000_000
    assert evidence_of(world.log, "pi_twice", 1).assessment.occurred_at_us % 60_000_000 == 20_000_000


def test_a_payment_without_a_decision_cannot_be_explained(world: World) -> None:
    with pytest.raises(NotInLogError, match="no decision on payment pi_none"):
        explain_payment(world.log, "pi_none")


@pytest.mark.parametrize(("given", "what"), [("tok_1", "a token"), ("prv_1", "a review")])
def test_the_id_of_something_else_is_said_to_be_that(world: World, given: str, what: str) -> None:
    with pytest.raises(NotInLogError, match=f"this is {what}, not a payment"):
        explain_payment(world.log, given)


def test_the_boosting_of_the_decision_is_found_and_gives_the_stored_log_odds(world: World) -> None:
    rows = [decision.features for decision in events_of(world.log, "decisions", DecisionMade)]
    numbers = numbers_of(rows * 20)
    fitted = fit(numbers, np.arange(len(numbers)) % 3 == 0)
    event = ModelPublished(
        id=derived_id("boosting", "1", START),
        occurred_at=START,
        name="boosting",
        kind="batch",
        version=1,
        learned_to={},
        labels=200,
        state=fitted.encode(),
    )
    world.tell(Outgoing("models", b"boosting@1", encode(event)))
    world.ask(20)

    again = explain_payment(world.log, "pi_20")
    world.forget("models", event.id)

    assert "boosting 1" in again
    assert "the boosting's log-odds, too, are those that its snapshot gives" in again
    assert "log-odds were taken as stored: its snapshot" in explain_payment(world.log, "pi_20")


def test_unreadable_records_on_the_way_are_passed_by(world: World) -> None:
    world.log.append([Outgoing("decisions", b"k", b"{", number) for number in range(8)])
    world.log.append([Outgoing("models", b"k", b'{"type":"unheard.of"}')])
    world.ask(20)

    assert "payment pi_20" in explain_payment(world.log, "pi_20")


def test_the_command_reads_a_log_on_disk_and_fails_in_one_line(world: World, tmp_path: Path) -> None:
    world.ask(20)
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    with closing(open_log(url)) as log:
        for records in world.log.records.values():
            log.append([Outgoing(r.topic, r.key, r.value, r.partition) for r in records])

    told = CliRunner().invoke(app, ["explain", "pi_20", "--log", url])
    whole = CliRunner().invoke(app, ["explain", "pi_20", "--log", url, "--features"])
    as_json = CliRunner().invoke(app, ["explain", "pi_20", "--log", url, "--json"])
    refused = CliRunner().invoke(app, ["explain", "pi_none", "--log", url])
    absent = CliRunner().invoke(app, ["explain", "pi_20", "--home", str(tmp_path / "nothing")])

    assert (told.exit_code, refused.exit_code, absent.exit_code) == (0, 1, 1)
    assert "payment pi_20: allow" in told.stdout
    assert "merchant_genuine_gap_days " in whole.stdout
    assert json.loads(as_json.stdout)["thought"]["payment"] == "pi_20"
    assert "the request is no longer in the log" not in told.stdout
    assert refused.stderr.startswith("weir explain: the log holds no decision on payment pi_none")
    assert absent.stderr.count("\n") == 1
