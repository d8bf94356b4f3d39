"""`weir prove`: what was decided follows from what was recorded, and whatever does not is named."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.codec import decode, encode
from events.log.port import Outgoing, Record, TopicPartition
from events.types import DecisionMade
from models.engine import Engine
from pipelines.errors import NotInLogError
from pipelines.recorded.command import in_words
from pipelines.recorded.proof import prove
from tests.integration.recording import published_models, rule, traffic
from tests.memory_log import MemoryLog
from tests.unit.pipelines.test_risk_flow_in_one_process import decisions, run_until

PAYMENTS = 240


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemoryLog]:
    """A home, and its log: a cold start, models and rules that come and change, and a flow that restarts."""
    home, log = tmp_path_factory.mktemp("home"), MemoryLog()
    models = published_models()
    parts: list[list[Outgoing]] = [
        traffic(0, 60),
        [*models[:9], rule(1, "card_count_1d >= 2"), *traffic(60, 60)],
        [*models[9:], *traffic(120, 60)],
        [rule(2, "amount_minor > 9000 AND currency = 'EUR'"), *traffic(180, 60)],
    ]
    for number, part in enumerate(parts, 1):
        log.append(part)
        run_until(log, home / "risk" / "0", lambda due=60 * number: len(decisions(log)) == due, Engine)
    return home, log


def copy_of(log: MemoryLog) -> MemoryLog:
    copied = MemoryLog()
    copied.records = {place: list(records) for place, records in log.records.items()}
    return copied


def changed(log: MemoryLog, change: Callable[[DecisionMade], dict[str, Any]]) -> tuple[MemoryLog, str]:
    """The same log with one decision of its middle another; the payment that it is on."""
    copied = copy_of(log)
    place, at, decision = next(
        (place, at, decision)
        for place, records in copied.records.items()
        if place.topic == "decisions"
        for at, record in enumerate(records)
        if isinstance(decision := decode(record.value), DecisionMade) and decision.versions.batch
    )
    record = copied.records[place][at]
    value = encode(msgspec.structs.replace(decision, **change(decision)))
    copied.records[place][at] = msgspec.structs.replace(record, value=value)
    return copied, decision.payment_id


def test_all_that_a_flow_decided_is_rescored_and_replayed_to_the_same_bits(
    lived: tuple[Path, MemoryLog],
) -> None:
    home, log = lived

    proof = prove(home, log)

    assert (proof.requests, proof.rescored, proof.replayed) == (PAYMENTS, PAYMENTS, PAYMENTS)
    assert proof.holds
    assert "all equal" in in_words(proof)
    made = decisions(log)
    assert {decision.anomaly is None for decision in made} == {True, False}
    assert len({decision.versions.online for decision in made}) == 3
    assert {decision.outcome for decision in made} >= {"allow", "review"}


def test_a_feature_that_is_another_bit_is_found(lived: tuple[Path, MemoryLog]) -> None:
    home, log = lived

    def next_bit(decision: DecisionMade) -> dict[str, Any]:
        features = list(decision.features)
        at, value = next((at, value) for at, value in enumerate(features) if isinstance(value, float))
        features[at] = math.nextafter(value, math.inf)
        return {"features": features}

    tampered, payment_id = changed(log, next_bit)
    proof = prove(home, tampered)

    assert not proof.holds
    assert proof.replayed_different == 1
    assert proof.first["replayed"].payment_id == payment_id
    assert proof.first["replayed"].member == "features"


@pytest.mark.parametrize(
    ("member", "other"), [("probability", 0.25), ("outcome", "block"), ("costs_minor", {"allow": 1.0})]
)
def test_an_answer_that_its_vector_does_not_give_is_found_by_rescoring_alone(
    lived: tuple[Path, MemoryLog], member: str, other: Any
) -> None:
    home, log = lived
    tampered, payment_id = changed(log, lambda _decision: {member: other})

    proof = prove(home, tampered)

    assert proof.rescored_different == 1
    assert (proof.first["rescored"].payment_id, proof.first["rescored"].member) == (payment_id, member)
    assert payment_id in in_words(proof)


def test_versions_that_nobody_published_are_told_and_not_guessed(lived: tuple[Path, MemoryLog]) -> None:
    home, log = lived
    tampered, _ = changed(
        log, lambda decision: {"versions": msgspec.structs.replace(decision.versions, online=999)}
    )

    proof = prove(home, tampered)

    assert (proof.gone, proof.rescored) == (1, PAYMENTS - 1)
    assert not proof.holds


def test_a_decision_that_went_missing_is_lost_and_the_last_ones_wait(lived: tuple[Path, MemoryLog]) -> None:
    home, log = lived
    tampered = copy_of(log)
    place = max(
        (place for place in tampered.records if place.topic == "decisions"),
        key=lambda place: len(tampered.records[place]),
    )
    kept = tampered.records[place]
    tampered.records[place] = renumbered([*kept[:3], *kept[4:-2]])

    proof = prove(home, tampered)

    assert (proof.lost, proof.unanswered, proof.replayed_different) == (1, 2, 0)
    assert not proof.holds


def test_a_decision_that_no_record_leads_to_is_counted(lived: tuple[Path, MemoryLog]) -> None:
    home, log = lived
    tampered = copy_of(log)
    place = next(place for place in tampered.records if place.topic == "decisions")
    tampered.records[place] = renumbered([*tampered.records[place], tampered.records[place][0]])

    assert prove(home, tampered).unrecorded == 1


def test_payments_that_came_in_another_order_than_recorded_are_decided_otherwise(
    lived: tuple[Path, MemoryLog],
) -> None:
    home, log = lived
    swapped = copy_of(log)
    place = TopicPartition("assessments", decisions(log)[0].request_partition)
    kept = swapped.records[place]
    swapped.records[place] = renumbered(list(reversed(kept)))

    assert prove(home, swapped).replayed_different > 0


def test_another_log_than_the_flow_read_is_refused_in_words(lived: tuple[Path, MemoryLog]) -> None:
    home, log = lived
    other = copy_of(log)
    for place in [place for place in other.records if place.topic == "assessments"]:
        del other.records[place]

    with pytest.raises(NotInLogError, match="Is this the log that the flow read"):
        prove(home, other)
    with pytest.raises(NotInLogError, match="is this the home"):
        prove(home / "elsewhere", log)


def renumbered(records: list[Record]) -> list[Record]:
    return [msgspec.structs.replace(record, offset=offset) for offset, record in enumerate(records)]
