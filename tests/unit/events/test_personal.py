"""Personal fields: sealed under a key of their subject, forgotten with it."""

import pytest

from events.ids import prefixed, uuid7
from events.personal import UnsealError, keyed_hash, seal, unseal

KEY, OTHER_KEY, NONCE = bytes(range(32)), bytes(32), bytes(12)
FIELDS = {"email": "ada@example.org", "ip": "192.0.2.7"}


def test_sealed_fields_open_with_their_key_and_subject() -> None:
    sealed = seal(FIELDS, key=KEY, subject="cus_1", nonce=NONCE)

    assert unseal(sealed, key=KEY, subject="cus_1") == FIELDS
    assert b"ada" not in sealed


@pytest.mark.parametrize(("key", "subject"), [(OTHER_KEY, "cus_1"), (KEY, "cus_2")])
def test_another_key_or_another_subject_opens_nothing(key: bytes, subject: str) -> None:
    sealed = seal(FIELDS, key=KEY, subject="cus_1", nonce=NONCE)

    with pytest.raises(UnsealError):
        unseal(sealed, key=key, subject=subject)


@pytest.mark.parametrize("cut", [0, 5, 12, 20])
def test_changed_or_shortened_bytes_open_nothing(cut: int) -> None:
    sealed = seal(FIELDS, key=KEY, subject="cus_1", nonce=NONCE)

    with pytest.raises(UnsealError):
        unseal(sealed[:cut], key=KEY, subject="cus_1")


def test_the_same_text_of_two_kinds_does_not_meet() -> None:
    assert keyed_hash(KEY, "ip", "x") != keyed_hash(KEY, "device", "x")
    assert keyed_hash(KEY, "ip", "x") == keyed_hash(KEY, "ip", "x")
    assert keyed_hash(KEY, "ip", "x") != keyed_hash(OTHER_KEY, "ip", "x")


def test_event_ids_sort_by_time_and_carry_version_and_variant() -> None:
    from datetime import UTC, datetime, timedelta

    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [uuid7(start + timedelta(milliseconds=step), bytes([255 - step] * 10)) for step in range(20)]

    assert ids == sorted(ids)
    assert all(identifier[14] == "7" and identifier[19] in "89ab" for identifier in ids)


def test_a_prefixed_id_names_its_resource() -> None:
    assert prefixed("pi", b"\x01\xff") == "pi_01ff"
