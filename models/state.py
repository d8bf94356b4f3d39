"""The engine's memory: profiles by entity, payments that may still get a label, and which rows changed.

What pays belongs to one of 64 logical shards, whatever the number of flows. Each profile
is one row `kind/key`, encoded compactly: a store beside the flow keeps what changed since the last epoch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from zlib import crc32

import msgspec

from models.errors import StateRowError
from models.labels import Standing
from models.merchants import MerchantProfile
from models.profiles import CardProfile, CustomerProfile, SharedProfile
from models.tables import ColdRows, Generations, Table, forgotten
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


@dataclass(frozen=True)
class Bounds:
    """How many rows of each kind may be in memory where all are elsewhere too.

    The defaults hold at most some 0.8 GB: a profile of a month's twenty payments is 3 KB as an object and
    0.7 KB as bytes.
    """

    hot_max: int = 16_384
    packed_max: int = 131_072
    payments_max: int = 131_072

    @staticmethod
    def within(memory_mb: int) -> "Bounds":
        """Bounds that hold at most about so many MB.

        >>> Bounds.within(800) == Bounds()
        True
        """
        hot_max = max(1, round(memory_mb * 20.48))
        return Bounds(hot_max=hot_max, packed_max=8 * hot_max, payments_max=8 * hot_max)


_Sequences = Annotated[list[int], msgspec.Meta(min_length=SHARDS, max_length=SHARDS)]

_decode_remembered = msgspec.msgpack.Decoder(Remembered).decode


class _Memory(msgspec.Struct, array_like=True, gc=False):
    """Payments before this time are forgotten; it moves on after so many more payments."""

    forgotten_until_us: int = -(2**62)
    countdown: int = FORGET_EVERY


class EngineState:
    """Profiles and payments; `entities` of a payment stand in the order of `PROFILE_TYPES`.

    >>> state = EngineState()
    >>> state.opened("card", "card_1").trace.payments.add(0, 500)
    >>> rows = list(state.changed_rows())
    >>> again = EngineState()
    >>> again.load(rows)
    >>> [name for name, _ in rows], again.seen("card", "card_1").trace.payments.total(0, 1)
    (['card/card_1'], 500)
    """

    def __init__(self, memory_days: int = MEMORY_DAYS, track_changes: bool = True) -> None:
        self.sequences = [0] * SHARDS
        self._memory_us = memory_days * DAY_US
        self._memory = _Memory()
        self._track = track_changes
        self._dirty: dict[str, None] = {}
        self.spill_to(None)

    def spill_to(self, cold: ColdRows | None, bounds: Bounds | None = None) -> None:
        """Keep no more than the bounds in memory, the rest there; before anything was taken in."""
        self._cold = cold
        hot_max, packed_max = (bounds.hot_max, bounds.packed_max) if bounds else (None, None)
        self._tables: dict[str, Table[Any]] = {
            kind: Table(
                kind,
                profile,
                hot_max=hot_max,
                packed_max=packed_max,
                cold=cold,
                track=self._track,
            )
            for kind, profile in PROFILE_TYPES.items()
        }
        self.cards: Table[CardProfile] = self._tables["card"]
        self.devices: Table[SharedProfile] = self._tables["device"]
        self.ips: Table[SharedProfile] = self._tables["ip"]
        self.customers: Table[CustomerProfile] = self._tables["customer"]
        self.merchants: Table[MerchantProfile] = self._tables["merchant"]
        # As bytes, smaller than objects: most of them wait for a label that never comes.
        payments_max = None if cold is None or bounds is None else bounds.payments_max
        self._payments = Generations[bytes](payments_max, forgotten)
        self._changed_payments: dict[str, bytes | None] = {}

    def seen(self, kind: str, key: str) -> Any:
        """The profile of an entity, not to be changed; None where there is none. Raises `StateRowError`."""
        return self._tables[kind].get(key)

    def opened(self, kind: str, key: str) -> Any:
        """The profile of an entity, made where there is none, marked as changed. Raises `StateRowError`."""
        return self._tables[kind].opened(key)

    def rows_in_memory(self) -> dict[str, int]:
        """How many profiles are there as objects (`hot`) and as bytes (`packed`), and how many payments."""
        tables = self._tables.values()
        return {
            "hot": sum(len(table) for table in tables),
            "packed": sum(table.packed_rows for table in tables),
            "payments": len(self._payments),
        }

    def next_sequence(self, shard: int) -> int:
        """The shard's next number: 1, 2, 3 …"""
        self.sequences[shard] += 1
        if self._track:
            self._dirty["engine/sequences"] = None
        return self.sequences[shard]

    def remembered(self, payment_id: str) -> Remembered | None:
        """What is remembered of a payment. Raises `StateRowError`."""
        row = self._changed_payments.get(payment_id) or self._payments.get(payment_id)
        if row is None:
            row = None if self._cold is None else self._cold.get(f"payment/{payment_id}")
            if row is None:
                return None
        payment = _remembered(row)
        # Rows older than that may still lie somewhere: where they do must show in no answer.
        return None if payment.occurred_at_us < self._memory.forgotten_until_us else payment

    def remember(self, payment_id: str, payment: Remembered) -> None:
        """Remember a payment, and now and then forget those older than the memory."""
        row = _encode(payment)
        # One that stands in an older generation too leaves it unseen.
        self._payments.put(payment_id, row)
        if self._track:
            self._changed_payments[payment_id] = row
            self._dirty["engine/memory"] = None
        memory = self._memory
        memory.countdown -= 1
        if memory.countdown <= 0:
            memory.countdown = FORGET_EVERY
            self._forget(payment.occurred_at_us - self._memory_us)

    def _forget(self, before_us: int) -> None:
        self._memory.forgotten_until_us = max(self._memory.forgotten_until_us, before_us)
        if self._cold is not None:
            return  # memory is bounded, and who keeps the rows elsewhere forgets them there
        # They stand in about the order of their times: the first that is young enough ends the look.
        old = []
        for payment_id, row in self._payments.items():
            if _decode_remembered(row).occurred_at_us >= before_us:
                break
            old.append(payment_id)
        for payment_id in old:
            self._payments.drop(payment_id)
            if self._track:
                self._changed_payments[payment_id] = None

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Rows changed since the last call, without the engine's own (`model/…`, `control/…`)."""
        for kind, table in self._tables.items():
            for key, value in table.changed_rows():
                yield f"{kind}/{key}", value
        payments, self._changed_payments = self._changed_payments, {}
        for payment_id, row in payments.items():
            yield f"payment/{payment_id}", row
        dirty, self._dirty = self._dirty, {}
        for own in dirty:
            yield own, _encode(self.sequences if own == "engine/sequences" else self._memory)

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take in rows of an earlier state, in any order; raises `StateRowError`."""
        payments: list[tuple[int, str, bytes]] = []
        for row, value in rows:
            kind, _, key = row.partition("/")
            try:
                if kind == "payment":
                    payments.append((_remembered(value).occurred_at_us, key, value))
                elif row == "engine/memory":
                    self._memory = msgspec.msgpack.decode(value, type=_Memory)
                elif kind == "engine":
                    self.sequences[:] = msgspec.msgpack.decode(value, type=_Sequences)
                else:
                    self._tables[kind].load(key, value)
            except (msgspec.DecodeError, KeyError):
                raise StateRowError(kind) from None
        # `_forget` relies on the order of time, and rows come in any.
        payments.sort()
        for _, payment_id, value in payments:
            self._payments.put(payment_id, value)


def _remembered(row: bytes) -> Remembered:
    try:
        return _decode_remembered(row)
    except msgspec.DecodeError:
        raise StateRowError("payment") from None
