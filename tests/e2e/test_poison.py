"""Records that nobody can read or use, on every topic of a running platform: set aside, with a reason."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from events.codec import encode
from events.log import open_log
from events.log.port import Outgoing, Position
from events.topics import TOPICS
from events.types import ControlChanged, DeadLetter, Event, ModelPublished, PaymentBlocked
from models.blending import CHAMPION
from models.online import BinnedLogisticRegression
from tests.e2e.accounting import faults
from tests.e2e.books import read_books
from tests.e2e.closing import come_to_rest
from tests.e2e.merchant import merchant_of
from tests.e2e.shopping import KINDS, Shopping
from tests.e2e.whole_platform import FIVE, WholePlatform, whole_platform
from tests.unit.pipelines.standin import START, label

pytestmark = pytest.mark.timeout(600)

BLOCKED = PaymentBlocked(
    id="e1", occurred_at=START, payment_id="pi_1", sequence=1, mode="test", merchant_id="m",
    amount_minor=1, currency="EUR", attempt=7, reason="rule",
)  # fmt: skip
POISON: dict[str, bytes] = {
    "no text": b"\xff\xfe\x00\x80",
    "no JSON": b"{not json",
    "no object": b"[1, 2, 3]",
    "nothing": b"",
    "no type": b'{"id": "1"}',
    "an unknown type": b'{"type": "payment.teleported", "schema_version": 1}',
    "a version to come": b'{"type": "payment.created", "schema_version": 99}',
    "members missing": b'{"type": "decision.made", "schema_version": 1}',
    "members of the wrong type": b'{"type": "label.reported", "id": 7, "occurred_at": 1}',
    "deep nesting": b"[" * 20_000,
    "a time before 1970": encode(label(1)).replace(b"2026-01-06T", b"1969-12-31T"),
    "an attempt beyond 64 bits": encode(BLOCKED).replace(b'"attempt":7', b'"attempt":%d' % 2**63),
}
RATES: dict[str, Any] = {
    "reference": "EUR",
    "rates": [{"currency": "USD", "from_date": "2026-01-01", "rate": "NaN"}],
}
BROKEN_CHAMPION = BinnedLogisticRegression()
BROKEN_CHAMPION.intercept = float("nan")
UNUSABLE: dict[str, Event] = {
    "controls": ControlChanged(id="e2", occurred_at=START, name="rates", kind="rates", version=9, body=RATES),
    "models": ModelPublished(
        id="e3",
        occurred_at=START,
        name=CHAMPION,
        kind="online",
        version=10**6,
        learned_to={},
        labels=5,
        state=BROKEN_CHAMPION.encode(),
    ),
}
"""Of the right shape, and yet nothing that can be put in force."""
NOBODY_READS = {"audit", "dead-letters"}
"""No program reads them back, so poison there stays where it is, and must do no harm."""


def test_poison_on_every_topic_is_set_aside_with_a_reason_and_nothing_else_is_lost(
    tmp_path: Path, log_url: str
) -> None:
    asyncio.run(_run(tmp_path, log_url))


async def _run(folder: Path, log_url: str) -> None:
    async with whole_platform(folder, log_url) as platform, merchant_of(platform) as merchant:
        shopping = Shopping(merchant, seed=3)
        await shopping.buy(len(KINDS))
        poisoned = _poisoned(log_url)
        await shopping.buy(len(KINDS))
        await shopping.close_the_day()
        await come_to_rest(platform)
        letters = await _letters(platform, poisoned)
        books = read_books(platform.home, log_url)

        assert all(letter.reason for letter in letters.values())
        assert {place: letter.value for place, letter in letters.items()} == poisoned
        assert faults(books, merchant.notebook, poisoned=len(poisoned)) == []
        assert [platform.chronicles[name].statuses for name in FIVE] == [[]] * len(FIVE)


def _poisoned(log_url: str) -> dict[Position, bytes]:
    """Poison put on every topic; where each record stands that some program reads."""
    records = [Outgoing(topic, b"poison", value) for topic in TOPICS for value in POISON.values()]
    records += [Outgoing(topic, b"unusable", encode(event)) for topic, event in UNUSABLE.items()]
    with closing(open_log(log_url)) as log:
        positions = log.append(records)
    return {
        place: record.value
        for place, record in zip(positions, records, strict=True)
        if record.topic not in NOBODY_READS and record.value is not None
    }


async def _letters(platform: WholePlatform, poisoned: dict[Position, bytes]) -> dict[Position, DeadLetter]:
    """The dead letters by where their record stands, once there is one for each."""
    found: dict[Position, DeadLetter] = {}

    def all_there() -> bool:
        letters = read_books(platform.home, platform.log_url).events["dead-letters"]
        found.update(
            {Position(e.topic, e.partition, e.offset): e for e in letters if isinstance(e, DeadLetter)}
        )
        return set(found) >= set(poisoned)

    await platform.until(all_there, "a dead letter for each poisoned record")
    return found
