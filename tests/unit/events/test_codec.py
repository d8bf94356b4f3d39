"""The codec: bytes to events and back, over versions, without quoting what it cannot read."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import codec
from events.errors import UnreadableEventError
from events.moments import END, EPOCH
from events.types import EVENT_TYPES, Event, LabelReported, PaymentAuthorized, Whole

LAST = END - timedelta(microseconds=1)
MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
DATES = st.datetimes(EPOCH.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))


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


@given(st.text(max_size=40), st.booleans() | st.none(), DATES)
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


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59.999999Z", "2200-01-01T00:00:00Z"]
)
def test_a_time_before_1970_or_after_2199_is_refused(at: str) -> None:
    record = codec.encode(label()).replace(b"2026-03-01T12:30:15.123456Z", at.encode())

    with pytest.raises(UnreadableEventError, match="occurred_at lies outside the years 1970 to 2199"):
        codec.decode(record)


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_moment_are_taken(at: str) -> None:
    record = codec.encode(label()).replace(b"2026-03-01T12:30:15.123456Z", at.encode())

    assert codec.decode(record).occurred_at == datetime.fromisoformat(at)


@pytest.mark.parametrize("count", [2**63, 10**30, -1])
def test_a_count_that_no_store_can_hold_is_refused(count: int) -> None:
    members = {
        "type": "payment.blocked", "id": "e1", "occurred_at": MOMENT, "payment_id": "pi_1", "sequence": 1,
        "mode": "test", "merchant_id": "m", "amount_minor": 1, "currency": "EUR", "reason": "rule",
    }  # fmt: skip

    with pytest.raises(UnreadableEventError, match="attempt"):
        codec.decode(json.dumps({**members, "attempt": count}, default=str).encode())


def test_members_that_are_nested_too_deeply_are_refused() -> None:
    nested = b'{"type": "label.reported", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"

    with pytest.raises(UnreadableEventError):
        codec.decode(nested)


def test_no_number_of_an_event_is_without_bounds() -> None:
    for event_type in EVENT_TYPES:
        assert int not in {field.type for field in msgspec.structs.fields(event_type)}, event_type


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
                assert field.type is Whole, event_type


def test_a_payment_event_without_its_sequence_is_refused() -> None:
    members = {"type": "payment.authorized", "id": "e1", "occurred_at": MOMENT, "payment_id": "pi_1"}

    with pytest.raises(UnreadableEventError):
        codec.decode(msgspec.json.encode(members))
    assert "sequence" in PaymentAuthorized.__struct_fields__
