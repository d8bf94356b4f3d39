"""The vault: what it seals opens in its own place alone, keys rotate, codes are forgotten."""

import asyncio
import random
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.clock import VirtualClock
from gateway.errors import StoreUnavailableError
from gateway.processor import vault, vault_rows
from gateway.processor.errors import VaultError
from gateway.processor.rotation import rotate
from gateway.processor.security_codes import SecurityCodes
from gateway.processor.store import ProcessorStore
from gateway.processor.vault import CardData, VaultKeys
from gateway.processor.vault_keys import add_key_version, open_vault_keys, retire_key_versions
from gateway.scheduling import InlineScheduling
from tests.processor_parts import KEYS, NOW, in_one_thread

CARD = CardData("4242424242424242", 12, 2031)


def entropy() -> vault.Entropy:
    return random.Random(3).randbytes


@given(st.binary(min_size=32, max_size=32), st.text("0123456789", min_size=12, max_size=19))
def test_a_sealed_card_opens_again_and_shows_nothing_of_its_number(key: bytes, number: str) -> None:
    keys = VaultKeys(1, {1: key}, b"f" * 32)
    card = CardData(number, 1, 2030)

    record = vault.seal(keys, "tok_1", card, entropy())

    assert vault.open_sealed(keys, record) == card
    assert number.encode() not in b"".join((record.wrapped_key, record.nonce, record.content))


def test_a_record_moved_to_another_token_does_not_open() -> None:
    moved = msgspec.structs.replace(vault.seal(KEYS, "tok_1", CARD, entropy()), token="tok_2")

    with pytest.raises(VaultError):
        vault.open_sealed(KEYS, moved)


@pytest.mark.parametrize("part", ["wrapped_key", "nonce", "content"])
def test_a_record_with_one_bit_changed_does_not_open(part: str) -> None:
    record = vault.seal(KEYS, "tok_1", CARD, entropy())
    content = bytearray(getattr(record, part))
    content[3] ^= 1

    with pytest.raises(VaultError):
        vault.open_sealed(KEYS, msgspec.structs.replace(record, **{part: bytes(content)}))


def test_a_record_does_not_open_without_its_version_of_the_key() -> None:
    record = vault.seal(VaultKeys(2, {2: b"x" * 32}, b"f" * 32), "tok_1", CARD, entropy())

    with pytest.raises(VaultError, match="version 2"):
        vault.open_sealed(KEYS, record)


def test_two_records_of_one_card_share_no_key_and_no_text() -> None:
    draw = random.Random(3).randbytes
    first, second = (vault.seal(KEYS, "tok_1", CARD, draw) for _ in range(2))

    assert first.content != second.content
    assert first.wrapped_key != second.wrapped_key


def test_the_fingerprint_is_the_same_for_one_number_and_needs_its_own_key() -> None:
    other = VaultKeys(1, KEYS.wrapping, b"g" * 32)

    assert vault.fingerprint(KEYS, CARD.number) == vault.fingerprint(KEYS, CARD.number)
    assert vault.fingerprint(KEYS, CARD.number) != vault.fingerprint(other, CARD.number)
    assert vault.fingerprint(KEYS, CARD.number) != vault.fingerprint(KEYS, "4242424242424259")


def test_nothing_that_holds_a_card_or_a_key_shows_it_when_printed() -> None:
    assert CARD.number not in repr(CARD)
    assert repr(b"w" * 32)[2:-1] not in repr(KEYS)


def test_vault_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first = open_vault_keys(tmp_path, entropy(), vault_is_empty=True)
    again = open_vault_keys(tmp_path, random.Random(9).randbytes, vault_is_empty=False)

    path = tmp_path / "processor" / "vault.json"
    assert first == again
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_missing_keys_are_not_replaced_while_the_vault_holds_cards(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="restore the keys"):
        open_vault_keys(tmp_path, entropy(), vault_is_empty=False)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"current":1,"wrapping":{"1":"YQ=="},"fingerprint":"YQ=="}', b"\xff"]
)
def test_a_damaged_key_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    open_vault_keys(tmp_path, entropy(), vault_is_empty=True)
    path = tmp_path / "processor" / "vault.json"
    path.write_bytes(content)

    with pytest.raises(VaultError):
        open_vault_keys(tmp_path, entropy(), vault_is_empty=True)

    assert path.read_bytes() == content


def test_a_version_that_records_still_need_is_not_retired(tmp_path: Path) -> None:
    open_vault_keys(tmp_path, entropy(), vault_is_empty=True)
    add_key_version(tmp_path, entropy())

    assert set(retire_key_versions(tmp_path, still_used={1}).wrapping) == {1, 2}
    assert set(retire_key_versions(tmp_path, still_used={2}).wrapping) == {2}


@in_one_thread
async def test_rotation_wraps_every_record_anew_and_forgets_the_old_key(tmp_path: Path) -> None:
    keys = open_vault_keys(tmp_path, entropy(), vault_is_empty=True)
    store = ProcessorStore(tmp_path / "processor.sqlite", InlineScheduling())
    draw = random.Random(4).randbytes
    records = [vault.seal(keys, f"tok_{number}", CARD, draw) for number in range(1203)]
    await store.transact(lambda db: [vault_rows.insert_card(db, record) for record in records])

    rotated = await rotate(store, tmp_path, draw)

    assert set(rotated.wrapping) == {2}
    for number in (0, 500, 1202):
        record = await store.transact(lambda db, n=number: vault_rows.find_card(db, f"tok_{n}"))
        assert record is not None
        assert vault.open_sealed(rotated, record) == CARD
        with pytest.raises(VaultError):
            vault.open_sealed(keys, record)
    store.close()


def test_a_security_code_is_given_once() -> None:
    codes = SecurityCodes(VirtualClock(NOW))
    codes.keep("tok_1", "737")

    assert [codes.take("tok_1"), codes.take("tok_1"), codes.take("tok_2")] == ["737", None, None]


def test_a_security_code_is_gone_after_its_lifetime() -> None:
    clock = VirtualClock(NOW)
    codes = SecurityCodes(clock, lifetime_seconds=3600)
    codes.keep("tok_1", "737")
    clock.advance(3599)
    codes.keep("tok_2", "738")

    clock.advance(1)
    codes.drop_expired()

    assert len(codes) == 1
    assert [codes.take("tok_1"), codes.take("tok_2")] == [None, "738"]


def test_beyond_their_number_the_oldest_security_code_goes() -> None:
    codes = SecurityCodes(VirtualClock(NOW), count_max=2)
    for number in range(3):
        codes.keep(f"tok_{number}", f"73{number}")

    assert [codes.take(f"tok_{number}") for number in range(3)] == [None, "731", "732"]


@in_one_thread
async def test_a_transaction_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    store = ProcessorStore(tmp_path / "processor.sqlite", InlineScheduling())
    record = vault.seal(KEYS, "tok_1", CARD, entropy())
    await store.transact(lambda db: vault_rows.insert_card(db, record))

    with pytest.raises(sqlite3.IntegrityError):
        await store.transact(lambda db: vault_rows.insert_card(db, record))

    assert await store.transact(lambda db: vault_rows.find_card(db, "tok_1")) == record
    store.close()


@in_one_thread
async def test_a_full_disk_is_a_clear_error_and_nothing_is_half_written(tmp_path: Path) -> None:
    store = ProcessorStore(tmp_path / "processor.sqlite", InlineScheduling())
    record = vault.seal(KEYS, "tok_1", CARD, entropy())
    # SQLite says "disk full" at its page limit as it does at the disk's; the limit is the connection's own.
    await store.transact(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    large = msgspec.structs.replace(record, token="tok_2", content=bytes(1_000_000))

    with pytest.raises(StoreUnavailableError):
        await asyncio.gather(
            store.transact(lambda db: vault_rows.insert_card(db, record)),
            store.transact(lambda db: vault_rows.insert_card(db, large)),
        )
    await store.transact(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchall())

    assert await store.transact(vault_rows.vault_is_empty)
    await store.transact(lambda db: vault_rows.insert_card(db, large))
    store.close()
