"""The codec: bytes to events and back, over versions, without quoting what it cannot read."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import codec
from events.errors import UnreadableEventError
from events.types import EVENT_TYPES, Event, LabelReported, PaymentAuthorized

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def label(**changes: object) -> LabelReported:
    members = {
        "id": "e1",
        "occurred_at": MOMENT,
        "payment_id": "pi_1",
        "kind": "matured",
        "source": "weir",
        "mode": "test",
    }
    return LabelReported(**{"fraud": False, **members, **changes})  # type: ignore[arg-type]  # a test's shorthand


@given(st.text(max_size=40), st.booleans() | st.none(), st.datetimes(timezones=st.just(UTC)))
def test_an_event_survives_the_way_through_bytes(source: str, fraud: bool | None, moment: datetime) -> None:
    event = label(source=source, fraud=fraud, occurred_at=moment)

    assert codec.decode(codec.encode(event)) == event


def test_every_event_type_is_known_by_its_name_and_carries_its_version() -> None:
    assert len(codec.BY_NAME) == len(EVENT_TYPES)
    for name, event_type in codec.BY_NAME.items():
        assert "." in name
        assert event_type.VERSION >= 1


def test_every_event_is_frozen() -> None:
    with pytest.raises(AttributeError):
        label().source = "another"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"type": 3}',
        b'{"schema_version": 1}',
        b'{"type": "payment.teleported"}',
        b'{"type": "label.reported"}',
        b'{"type": "label.reported", "schema_version": 99}',
        b'{"type": "label.reported", "schema_version": 0}',
    ],
)
def test_an_unreadable_record_is_refused_with_its_reason(value: bytes | None) -> None:
    with pytest.raises(UnreadableEventError) as refusal:
        codec.decode(value)

    assert refusal.value.reason


def test_the_reason_never_quotes_what_the_record_holds() -> None:
    planted = codec.encode(label()).replace(b'"fraud":false', b'"fraud":"4242424242424242"')

    with pytest.raises(UnreadableEventError) as refusal:
        codec.decode(planted)

    assert "4242" not in str(refusal.value)
    assert "fraud" in refusal.value.reason


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UnreadableEventError, match="time zone"):
        codec.decode(codec.encode(label()).replace(b"123456Z", b"123456"))


def test_an_old_version_is_carried_forward_step_by_step() -> None:
    class Renamed(Event, frozen=True, kw_only=True, tag="test.renamed"):
        VERSION = 3
        amount_minor: int

    steps = {
        ("test.renamed", 1): lambda members: {**members, "amount": members["value"] * 100},
        ("test.renamed", 2): lambda members: {**members, "amount_minor": members["amount"]},
    }
    codec.BY_NAME["test.renamed"] = Renamed
    codec.UPCASTERS.update(steps)
    try:
        old = {"type": "test.renamed", "id": "e1", "occurred_at": MOMENT, "schema_version": 1, "value": 12}
        event = codec.decode(msgspec.json.encode(old))
    finally:
        del codec.BY_NAME["test.renamed"]
        for step in steps:
            del codec.UPCASTERS[step]

    assert event == Renamed(id="e1", occurred_at=MOMENT, schema_version=3, amount_minor=1200)


def test_no_event_type_has_a_field_for_what_must_never_flow() -> None:
    for event_type in EVENT_TYPES:
        fields = {field.name for field in msgspec.structs.fields(event_type)}
        assert not fields & {"pan", "number", "card_number", "cvv", "cvc", "password", "otp"}


def test_amounts_are_integers() -> None:
    for event_type in EVENT_TYPES:
        for field in msgspec.structs.fields(event_type):
            if field.name == "amount_minor":
                assert field.type is int, event_type


def test_a_payment_event_without_its_sequence_is_refused() -> None:
    members = {"type": "payment.authorized", "id": "e1", "occurred_at": MOMENT, "payment_id": "pi_1"}

    with pytest.raises(UnreadableEventError):
        codec.decode(msgspec.json.encode(members))
    assert "sequence" in PaymentAuthorized.__struct_fields__
