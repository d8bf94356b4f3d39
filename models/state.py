"""The engine's memory: profiles by entity, payments that may still get a label, and which rows changed.

What pays belongs to one of 64 logical shards, whatever the number of flows. Each profile
is one row `kind/key`, encoded compactly: a store beside the flow keeps what changed since the last epoch.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, cast
from zlib import crc32

import msgspec

from models.errors import StateRowError
from models.labels import Standing
from models.merchants import MerchantProfile
from models.profiles import CardProfile, CustomerProfile, SharedProfile
from models.windows import DAY_US

SHARDS = 64
"""More than one machine has cores, and fixed: a sequence number belongs to its shard for good."""

SHARDS_A_PARTITION = 8
"""A shard lies within one partition, whose order every flow sees alike: so do its numbers, whoever counts."""

MEMORY_DAYS = 120
"""How long a payment waits for a label, at the learner too: as long as cardholders may dispute it."""

FORGET_EVERY = 256
"""Payments between two looks for memories that are too old."""

Profile = CardProfile | CustomerProfile | SharedProfile | MerchantProfile

PROFILE_TYPES: dict[str, type[Profile]] = {
    "card": CardProfile,
    "device": SharedProfile,
    "ip": SharedProfile,
    "customer": CustomerProfile,
    "merchant": MerchantProfile,
}

_encode = msgspec.msgpack.Encoder().encode


def shard_of(key: str, partition: int = 0) -> int:
    """The logical shard of what pays, 0–63, the same on every machine; `partition` of its requests, 0–7.

    >>> shard_of("card_1"), shard_of("card_1", partition=3)
    (0, 24)
    """
    return partition * SHARDS_A_PARTITION + crc32(key.encode()) % SHARDS_A_PARTITION


class Remembered(msgspec.Struct, array_like=True, gc=False):
    """A payment's entities and what its label will need; `explained`: the card's own behavior was unusual.

    `declined` and `challenged` are the latest attempts whose decline and challenge were counted: an attempt
    has one of each at most, and a payment's attempts come in their order. `incremented` are the attempt and
    the whole amount after the latest increment that was counted: the whole only grows.
    """

    occurred_at_us: int
    entities: tuple[str | None, str | None, str | None, str | None, str | None]
    explained: bool
    standing: Standing | None = None
    declined: int = 0
    challenged: int = 0
    incremented: tuple[int, int] = (0, 0)


_Sequences = Annotated[list[int], msgspec.Meta(min_length=SHARDS, max_length=SHARDS)]

_decode_remembered = msgspec.msgpack.Decoder(Remembered).decode


class EngineState:
    """Profiles and payments; `entities` of a payment stand in the order of `PROFILE_TYPES`.

    >>> state = EngineState()
    >>> state.opened("card", "card_1").trace.payments.add(0, 500)
    >>> rows = list(state.changed_rows())
    >>> again = EngineState()
    >>> again.load(rows)
    >>> [name for name, _ in rows], again.cards["card_1"].trace.payments.total(0, 1)
    (['card/card_1'], 500)
    """

    def __init__(self, memory_days: int = MEMORY_DAYS, track_changes: bool = True) -> None:
        self.cards: dict[str, CardProfile] = {}
        self.devices: dict[str, SharedProfile] = {}
        self.ips: dict[str, SharedProfile] = {}
        self.customers: dict[str, CustomerProfile] = {}
        self.merchants: dict[str, MerchantProfile] = {}
        self.sequences = [0] * SHARDS
        self._tables = cast(
            dict[str, dict[str, Any]],
            {
                "card": self.cards,
                "device": self.devices,
                "ip": self.ips,
                "customer": self.customers,
                "merchant": self.merchants,
            },
        )
        # As bytes, smaller than objects: most of them wait for a label that never comes.
        self._payments: dict[str, bytes] = {}
        self._memory_us = memory_days * DAY_US
        self._countdown = FORGET_EVERY
        self._track = track_changes
        self._dirty: dict[str, None] = {}

    def opened(self, kind: str, key: str) -> Any:
        """The profile of an entity, made where there is none, and marked as changed."""
        table = self._tables[kind]
        profile = table.get(key)
        if profile is None:
            profile = table[key] = PROFILE_TYPES[kind]()
        if self._track:
            self._dirty[f"{kind}/{key}"] = None
        return profile

    def touched(self, row: str) -> None:
        """Mark a row as changed."""
        if self._track:
            self._dirty[row] = None

    def next_sequence(self, shard: int) -> int:
        """The shard's next number: 1, 2, 3 …"""
        self.sequences[shard] += 1
        if self._track:
            self._dirty["engine/sequences"] = None
        return self.sequences[shard]

    def remembered(self, payment_id: str) -> Remembered | None:
        """What is remembered of a payment."""
        row = self._payments.get(payment_id)
        return None if row is None else _decode_remembered(row)

    def remember(self, payment_id: str, payment: Remembered) -> None:
        """Remember a payment, and now and then forget those older than the memory."""
        self._payments[payment_id] = _encode(payment)
        self.touched(f"payment/{payment_id}")
        self._countdown -= 1
        if self._countdown <= 0:
            self._countdown = FORGET_EVERY
            self._forget(payment.occurred_at_us - self._memory_us)

    def _forget(self, before_us: int) -> None:
        # They stand in about the order of their times: the first that is young enough ends the look.
        old = []
        for payment_id, row in self._payments.items():
            if _decode_remembered(row).occurred_at_us >= before_us:
                break
            old.append(payment_id)
        for payment_id in old:
            del self._payments[payment_id]
            self.touched(f"payment/{payment_id}")

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Rows changed since the last call, without the engine's own (`model/…`, `control/…`)."""
        dirty, self._dirty = self._dirty, {}
        for row in dirty:
            kind, _, key = row.partition("/")
            if kind == "payment":
                yield row, self._payments.get(key)
            elif kind == "engine":
                yield row, _encode(self.sequences)
            else:
                yield row, _encode(self._tables[kind][key])

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take in rows of an earlier state, in any order; raises `StateRowError`."""
        payments: list[tuple[int, str, bytes]] = []
        for row, value in rows:
            kind, _, key = row.partition("/")
            try:
                if kind == "payment":
                    payments.append((_decode_remembered(value).occurred_at_us, key, value))
                elif kind == "engine":
                    self.sequences[:] = msgspec.msgpack.decode(value, type=_Sequences)
                else:
                    self._tables[kind][key] = msgspec.msgpack.decode(value, type=PROFILE_TYPES[kind])
            except (msgspec.DecodeError, KeyError):
                raise StateRowError(kind) from None
        # `_forget` relies on the order of time, and rows come in any.
        payments.sort()
        self._payments.update((payment_id, value) for _, payment_id, value in payments)
