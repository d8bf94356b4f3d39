"""Rows of one kind in memory, whatever their number: objects while hot, bytes for longer, else elsewhere.

What was looked at lately stands in the young generation, what was not for a while in the old one, and what
leaves does so a few at a time, so that no payment waits for the rest. Which of the three holds a row shows in
no answer: bytes and objects say the same.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from models.errors import StateRowError

LEAVE_AT_ONCE = 2
"""As many leave with each that comes, so that one generation is gone when the next is full."""

_encode = msgspec.msgpack.Encoder().encode

Value = TypeVar("Value")


class ColdRows(Protocol):
    """Where every row is that memory may not hold: all that `changed_rows` ever gave, at its latest value."""

    def get(self, row: str) -> bytes | None:
        """The row `kind/key`; None where there is none."""
        ...


class Generations(Generic[Value]):
    """A dictionary that keeps about so many, those last asked for; `leave` is told of each that goes.

    >>> gone = []
    >>> few = Generations[int](2, lambda key, value: gone.append(key))
    >>> for number, key in enumerate("abcd"):
    ...     few.put(key, number)
    >>> few.get("d"), few.get("a"), sorted(gone)
    (3, None, ['a', 'b'])
    """

    def __init__(self, kept_max: int | None, leave: Callable[[str, Value], None]) -> None:
        """`kept_max` None: everything stays."""
        self.young: dict[str, Value] = {}
        self._old: dict[str, Value] = {}
        self._leaving: dict[str, Value] = {}
        self._half = None if kept_max is None else max(1, kept_max // 2)
        self._leave = leave

    def __len__(self) -> int:
        return len(self.young) + len(self._old) + len(self._leaving)

    def __contains__(self, key: str) -> bool:
        return key in self.young or key in self._old or key in self._leaving

    def get(self, key: str) -> Value | None:
        """The value, which counts as asked for."""
        found = self.young.get(key)
        if found is None and self._half is not None:
            found = self._taken(key)
            if found is not None:
                self.put(key, found)
        return found

    def peek(self, key: str) -> Value | None:
        """The value, which does not count as asked for: nothing leaves."""
        for generation in (self.young, self._old, self._leaving):
            if key in generation:
                return generation[key]
        return None

    def put(self, key: str, value: Value) -> None:
        """Keep a value. What an older generation holds of it is not found any more."""
        self.young[key] = value
        if self._half is None:
            return
        leaving = self._leaving
        for _ in range(min(LEAVE_AT_ONCE, len(leaving))):
            self._leave(*leaving.popitem())
        if len(self.young) > self._half:
            # Already empty, as two left for each that came.
            while leaving:
                self._leave(*leaving.popitem())
            self.young, self._old, self._leaving = {}, self.young, self._old

    def drop(self, key: str) -> None:
        """Keep the value no longer, and tell nobody."""
        if self.young.pop(key, None) is None:
            self._taken(key)

    def items(self) -> Iterator[tuple[str, Value]]:
        """All that is kept, those that leave next first."""
        for generation in (self._leaving, self._old, self.young):
            yield from generation.items()

    def _taken(self, key: str) -> Value | None:
        found = self._old.pop(key, None)
        return self._leaving.pop(key, None) if found is None else found


class Table(Generic[Value]):
    """The profiles of one kind.

    A changed one waits for `changed_rows`; until then it leaves memory for nowhere. Without `cold` nothing
    leaves memory at all, and bounds say only what is kept as bytes.
    """

    def __init__(
        self,
        kind: str,
        type: type[Value],
        *,
        hot_max: int | None = None,
        packed_max: int | None = None,
        cold: ColdRows | None = None,
        track: bool = True,
    ) -> None:
        self.kind = kind
        self._new = type
        self._decode = msgspec.msgpack.Decoder(type).decode
        self._hot = Generations[Value](hot_max, self._cooled)
        self._packed = Generations[bytes](None if cold is None else packed_max, forgotten)
        self._cold = cold
        self._track = track
        self._dirty: dict[str, None] = {}
        # Changed, and no longer hot: they must not leave before they were handed over.
        self._unsaved: dict[str, bytes] = {}
        self._absent: str | None = None

    def __len__(self) -> int:
        """How many are in memory as objects."""
        return len(self._hot)

    @property
    def packed_rows(self) -> int:
        """How many are in memory as bytes, some of them as objects too."""
        return len(self._packed) + len(self._unsaved)

    def __getitem__(self, key: str) -> Value:
        found: Value | None = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """The profile, not to be changed; the default where there is none. Raises `StateRowError`."""
        found = self._hot.young.get(key)
        if found is None:
            found = self._fetched(key)
            if found is None:
                # Most who ask open it next, and need not look again.
                self._absent = key
                return default
        return found

    def opened(self, key: str) -> Value:
        """The profile, made where there is none, and marked as changed. Raises `StateRowError`."""
        found = self._hot.young.get(key)
        if found is None:
            found = None if key == self._absent else self._fetched(key)
            if found is None:
                found = self._new()
                self._hot.put(key, found)
            self._absent = None
        if self._track:
            if key not in self._dirty:
                self._dirty[key] = None
                self._packed.drop(key)
        elif self._packed.young:
            self._packed.drop(key)
        return found

    def changed_rows(self) -> Iterator[tuple[str, bytes]]:
        """Key and bytes of each that changed since the last call."""
        dirty, self._dirty = self._dirty, {}
        unsaved, self._unsaved = self._unsaved, {}
        for key in dirty:
            value = unsaved.get(key)
            if value is None:
                # Asked for, it would push out others that are yet to be encoded.
                value = _encode(self._hot.peek(key))
            if self._cold is not None:
                self._packed.put(key, value)
            yield key, value

    def load(self, key: str, value: bytes) -> None:
        """Take a row of an earlier state in. Raises `StateRowError`."""
        self._hot.put(key, self._unpacked(value))

    def _fetched(self, key: str) -> Value | None:
        found = self._hot.get(key)
        if found is not None:
            return found
        value = self._unsaved.pop(key, None) or self._packed.get(key)
        if value is None and self._cold is not None:
            value = self._cold.get(f"{self.kind}/{key}")
        if value is None:
            return None
        found = self._unpacked(value)
        self._hot.put(key, found)
        return found

    def _unpacked(self, value: bytes) -> Value:
        try:
            return self._decode(value)
        except msgspec.DecodeError:
            raise StateRowError(self.kind) from None

    def _cooled(self, key: str, profile: Value) -> None:
        if key in self._dirty:
            self._unsaved[key] = _encode(profile)
        elif self._cold is None and key not in self._packed:
            self._packed.put(key, _encode(profile))


def forgotten(key: str, value: bytes) -> None:
    """Nothing to do: the row is elsewhere."""
