"""The files of a recorded order: what a flow read, batch by batch, in about three bytes for each run.

A file begins with a header and goes on with frames, each of a kind, a length and a checksum. A run is a
number for its partition, how far its first offset lies behind the one that was expected (nearly always 0),
and how many it spans, each as a number of seven bits a byte. Records of compacted topics stand in full
before their batch: the log may not have them any more when the order is read again.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from events.log.port import Position, Record
from pipelines.errors import StateCorruptError, StateFormatError

FORMAT = 1
HEADER, BATCH, KEPT = 0, 1, 2
_frame = struct.Struct("<BII")
_BITS, _MORE = 0x7F, 0x80


class Run(NamedTuple):
    """Consecutive records of one partition: offsets `first` to `last`, gaps allowed."""

    topic: str
    partition: int
    first: int
    last: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a file begins with: the number of the batch before, and which flow of how many it is of."""

    format: int = FORMAT
    number: int
    flow: int
    flows: int


class OrderedBatch(NamedTuple):
    """A batch as it was read: its runs, those of its records that are kept in full, and by which flow."""

    number: int
    runs: list[Run]
    kept: list[Record]
    header: Header


class Kept(msgspec.Struct, array_like=True):
    """A record in full."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None


_read_header = msgspec.json.Decoder(Header).decode
_read_kept = msgspec.msgpack.Decoder(Kept).decode
_encode = msgspec.msgpack.Encoder().encode


def runs_of(records: Sequence[Record | Position]) -> list[Run]:
    """The order of a batch, as short as it can be said."""
    runs: list[Run] = []
    for record in records:
        last = runs[-1] if runs else None
        if last is not None and (last.topic, last.partition) == (record.topic, record.partition):
            runs[-1] = last._replace(last=record.offset)
        else:
            runs.append(Run(record.topic, record.partition, record.offset, record.offset))
    return runs


def frame(kind: int, content: bytes) -> bytes:
    """One frame, whole."""
    return _frame.pack(kind, len(content), crc32(content)) + content


def header_frame(header: Header) -> bytes:
    """What a file begins with."""
    return frame(HEADER, msgspec.json.encode(header))


def kept_frame(record: Record) -> bytes:
    """A record in full, before the batch that it is of."""
    return frame(KEPT, _encode(Kept(record.topic, record.partition, record.offset, record.key, record.value)))


class Coder:
    """Turns runs into bytes and back, as one file has them: both sides know where each partition stands."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], int] = {}
        self._by_number: list[tuple[str, int]] = []
        self._expected: list[int] = []

    def encoded(self, runs: Sequence[Run]) -> bytes:
        """A partition that comes for the first time is named; from then on it is a number."""
        out = bytearray()
        for topic, partition, first, last in runs:
            number = self._places.get((topic, partition))
            if number is None:
                number = self._opened((topic, partition))
                _put(out, number)
                name = topic.encode()
                _put(out, len(name))
                out += name
                _put(out, partition)
            else:
                _put(out, number)
            _put(out, _zigzag(first - self._expected[number]))
            _put(out, last - first)
            self._expected[number] = last + 1
        return bytes(out)

    def decoded(self, content: bytes) -> list[Run]:
        """The runs of `encoded`, where those before were decoded too. Raises `IndexError`, `ValueError`."""
        runs: list[Run] = []
        at = 0
        while at < len(content):
            number, at = _take(content, at)
            if number == len(self._by_number):
                size, at = _take(content, at)
                topic, at = content[at : at + size].decode(), at + size
                partition, at = _take(content, at)
                self._opened((topic, partition))
            ahead, at = _take(content, at)
            more, at = _take(content, at)
            first = self._expected[number] + _unzigzag(ahead)
            runs.append(Run(*self._by_number[number], first, first + more))
            self._expected[number] = first + more + 1
        return runs

    def _opened(self, place: tuple[str, int]) -> int:
        number = self._places[place] = len(self._by_number)
        self._by_number.append(place)
        self._expected.append(0)
        return number


class OrderFile:
    """One file, read from its beginning; `whole_bytes` is where its last whole frame ends, once all is read.

    `is_last`: a frame that is torn ends the file, as a power loss may leave it; elsewhere it is damage.
    """

    def __init__(self, path: Path, *, is_last: bool) -> None:
        self._path = path
        self._is_last = is_last
        self.whole_bytes = 0
        self.coder = Coder()

    def header(self) -> Header | None:
        """None where a crash came before it was written. Raises `StateFormatError`, `StateCorruptError`."""
        with self._path.open("rb") as file:
            first = _next_frame(file.read(1 << 16), 0)
        if first is None:
            if self._is_last:
                return None
            raise self._damaged()
        return self._header_of(first[0], first[1])

    def batches(self) -> Iterator[OrderedBatch]:
        """All batches, in order. Raises as `header` does."""
        content = self._path.read_bytes()
        header: Header | None = None
        kept: list[Record] = []
        number = 0
        while self.whole_bytes < len(content):
            found = _next_frame(content, self.whole_bytes)
            if found is None:
                if self._is_last:
                    return
                raise self._damaged()
            kind, body, end = found
            if header is None:
                header = self._header_of(kind, body)
                number = header.number
            elif kind == KEPT:
                record = _read_kept(body)
                kept.append(Record(record.topic, record.partition, record.offset, record.key, record.value))
            else:
                number += 1
                yield OrderedBatch(number, self.coder.decoded(body), kept, header)
                kept = []
            self.whole_bytes = end

    def _header_of(self, kind: int, body: bytes) -> Header:
        try:
            header = _read_header(body)
        except msgspec.DecodeError:
            raise self._damaged() from None
        if kind != HEADER or header.format != FORMAT:
            raise StateFormatError(
                f"{self._path} has format {header.format}, this build reads {FORMAT}. "
                f"Run the build that wrote it. {_ways_out(self._path)}"
            )
        return header

    def _damaged(self) -> StateCorruptError:
        return StateCorruptError(f"{self._path} is damaged. {_ways_out(self._path)}")


def _ways_out(path: Path) -> str:
    folder = path.parents[1]
    return (
        f"Restore the whole folder {folder} from one backup, or delete it: "
        "the flow then reads the log again from its start."
    )


def _next_frame(content: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Kind, content and end of the frame; None where it is not whole."""
    begin = at + _frame.size
    if begin > len(content):
        return None
    kind, size, checksum = _frame.unpack_from(content, at)
    body = content[begin : begin + size]
    return (kind, body, begin + size) if len(body) == size and crc32(body) == checksum else None


def _put(out: bytearray, number: int) -> None:
    while number > _BITS:
        out.append(number & _BITS | _MORE)
        number >>= 7
    out.append(number)


def _take(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        at += 1
        number |= (byte & _BITS) << shift
        if byte < _MORE:
            return number, at
        shift += 7


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _unzigzag(number: int) -> int:
    return number >> 1 if number & 1 == 0 else -((number + 1) >> 1)
