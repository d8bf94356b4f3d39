"""Everywhere that a run can leave something: its files, its databases cell by cell, its log record by record,
the memory of its programs, and what passed over loopback, to and from a broker there too.

A core dump is searched where the kernel writes them to plain files; elsewhere the memory that it would hold
stands for it. Kafka compresses whole batches (zstd, snappy, lz4, gzip) where a producer asks for it: those
are searched through a consumer, record by record, beside the broker's own files. On the wire such a batch is
told (`leak_batches`): none is sent.
"""

import os
import re
import resource
import socket
import sqlite3
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from events.log import open_log
from events.topics import TOPICS
from tests.e2e.books import records
from tests.e2e.leak_search import condensed

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
MEMORY_CHUNK_BYTES = 8 * 1024 * 1024
OVERLAP_BYTES = 256
"""So that what lies across two chunks is whole in one of them."""

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 6, 33
"""Linux's own numbers, which `socket` does not name."""
RECEIVED_BYTES_MAX = 64 * 1024 * 1024
IPV4, TCP = 0x0800, 6
LISTENING = "0A"
"""How `/proc/net/tcp` writes the state of a socket that listens."""
DISCARD_PORT = 9
TLS_KINDS = range(20, 24)
TLS_VERSIONS = (b"\3\1", b"\3\3")
"""What records say of themselves, whatever was agreed on: the first of a caller, and all others."""
TLS_RECORD_BYTES_MAX = 2**14 + 256


def files(*folders: Path, since: float = 0.0) -> Iterator[tuple[str, bytes]]:
    """Every file as it lies there: with write-ahead logs, free pages, and what is half written.

    `since` leaves out what was not changed after that time.
    """
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            try:
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                    # Kafka's index files are 10 MB of nothing each.
                    yield str(path.relative_to(folder.parent)), condensed(path.read_bytes())
            except FileNotFoundError:  # a temporary file, gone between listing and reading
                continue


def cells(*folders: Path, since: float = 0.0) -> Iterator[tuple[str, bytes]]:
    """Every table of every SQLite database: its cells one after the other, whole where a page would cut."""
    for folder in folders:
        for path in _databases(folder, since):
            for name, rows in _rows(path):
                yield f"{path.name}:{name}", b"\n".join(_bytes(cell) for row in rows for cell in row)


def values(log_url: str, *folders: Path, since: float = 0.0) -> Iterator[tuple[str, object]]:
    """Each cell of every SQLite database and each record's value, by itself and of its own type."""
    for folder in folders:
        for path in _databases(folder, since):
            for name, rows in _rows(path):
                yield from ((f"{path.name}:{name}", cell) for row in rows for cell in row)
    with closing(open_log(log_url)) as log:
        for topic in TOPICS:
            yield from ((f"topic {topic}", value) for value in records(log, topic))


def _databases(folder: Path, since: float) -> Iterator[Path]:
    """Those that were changed since then, themselves or their write-ahead log."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".sqlite", ".sqlite3") and path.is_file():
            parts = (path, path.with_name(f"{path.name}-wal"))
            if any(part.exists() and part.stat().st_mtime >= since for part in parts):
                yield path


def _rows(path: Path) -> Iterator[tuple[str, Iterable[tuple[object, ...]]]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            yield name, database.execute(f'SELECT * FROM "{name}"')


def _bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode(errors="surrogatepass")


def log_records(log_url: str) -> Iterator[tuple[str, bytes]]:
    """Every topic: keys are surrogates and ids, so the values count."""
    with closing(open_log(log_url)) as log:
        for topic in TOPICS:
            yield f"topic {topic}", b"\n".join(value or b"" for value in records(log, topic))


def memory(pid: int, *, shared: bool = True) -> Iterator[bytes]:
    """What a process has in memory that is not merely a mapped file; needs root or the same user.

    `shared` False leaves out what it shares with other processes.
    """
    regions = [region for region in _regions(pid) if shared or not region.shared]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as image:
        for first, last, _ in regions:
            for start in range(first, last, MEMORY_CHUNK_BYTES):
                size = min(last - start, MEMORY_CHUNK_BYTES + OVERLAP_BYTES)
                try:
                    image.seek(start)
                    yield condensed(image.read(size))
                except (OSError, ValueError, OverflowError):  # the kernel's own pages cannot be read
                    break


class _Region(NamedTuple):
    first: int
    last: int
    shared: bool


def _regions(pid: int) -> Iterator[_Region]:
    """All that can be read, but files that the process can only read: those are as they lie on disk."""
    lines = Path(f"/proc/{pid}/maps").read_text()
    for match in re.finditer(r"^(\w+)-(\w+) r([w-]).([ps]) \w+ \S+ \d+ *(/?)", lines, re.M):
        first, last, writable, kind, is_file = match.groups()
        if writable == "w" or not is_file:
            yield _Region(int(first, 16), int(last, 16), kind == "s")


def listening_at(port: int) -> Iterator[int]:
    """The processes of this machine that listen at a port."""
    sockets = set[str]()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *others = row.split()
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{others[5]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # one that has ended meanwhile
            if any(str(opened.readlink()) in sockets for opened in (process / "fd").iterdir()):
                yield int(process.name)


def broker_ports(log_url: str) -> list[int]:
    """The ports at which a log's brokers listen; none for the embedded log."""
    if log_url.startswith("sqlite"):
        return []
    address = log_url.partition("://")[2].partition("/")[0]
    brokers = AdminClient({"bootstrap.servers": address}).list_topics(timeout=30).brokers
    return [broker.port for broker in brokers.values()]


def broker_memory(log_url: str) -> Iterator[tuple[str, bytes]]:
    """Of a log's brokers, as far as they run on this machine: a heap, and buffers beside it."""
    for port in broker_ports(log_url):
        for pid in listening_at(port):
            yield from (("memory of the broker", region) for region in memory(pid))


@contextmanager
def dumping_cores() -> Iterator[bool]:
    """Whether processes started in the block may leave a core in the folder they run in, and it is a file."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
    try:
        yield limits[1] == resource.RLIM_INFINITY and not set("|/") & set(CORE_PATTERN.read_text())
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)


def cores_left(folder: Path) -> Iterator[bytes]:
    """The core dumps that lie in a folder, each taken away when it was looked at."""
    prefix = CORE_PATTERN.read_text().strip().partition("%")[0]
    for path in folder.glob(f"{prefix}*"):
        if path.is_file() and (content := path.read_bytes()).startswith(b"\x7fELF"):
            path.unlink()
            yield condensed(content)


class Packet(NamedTuple):
    """One TCP segment by its ports, and where in its stream it stands."""

    source: int
    target: int
    sequence: int
    content: bytes


class Loopback(threading.Thread):
    """Listens to what passes over `lo` to or from some ports, from `start` to `stop`; needs root."""

    def __init__(self, *ports: int) -> None:
        super().__init__(name="loopback", daemon=True)
        self.packets: list[Packet] = []
        self.lost = 0
        self._ports = frozenset(ports)
        self._farewell = os.urandom(16)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVED_BYTES_MAX)
        self._socket.bind(("lo", 0))

    def run(self) -> None:
        while True:
            frame, address = self._socket.recvfrom(70_000)
            if frame.endswith(self._farewell):
                return
            # Each frame passes lo twice, as outgoing and as incoming.
            packet = _segment(frame) if address[2] != socket.PACKET_OUTGOING else None
            if packet and self._ports & {packet.source, packet.target}:
                self.packets.append(packet)

    def stop(self) -> None:
        """Return when all that has passed until now is kept; `lost` counts frames that the kernel dropped."""
        # All that passed before the farewell was heard before it; one that the kernel drops is said again.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
            while self.is_alive():
                speaker.sendto(self._farewell, ("127.0.0.1", DISCARD_PORT))
                self.join(0.2)
        _, self.lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._socket.close()

    def streams(self) -> Iterator[tuple[int, int, bytes]]:
        """Source port, target port, and all that went that way, in the order of its arrival."""
        ways: dict[tuple[int, int], list[bytes]] = {}
        # A segment that was sent again has passed already.
        for packet in dict.fromkeys(self.packets):
            ways.setdefault((packet.source, packet.target), []).append(packet.content)
        for (source, target), contents in ways.items():
            yield source, target, b"".join(contents)


def _segment(frame: bytes) -> Packet | None:
    """The TCP segment in an Ethernet frame with IPv4; None for anything else, and for one without content."""
    if int.from_bytes(frame[12:14], "big") != IPV4 or frame[23] != TCP:
        return None
    packet = frame[14:]
    segment = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4], "big") or None]
    source, target = int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big")
    content = segment[(segment[12] >> 4) * 4 :]
    sequence = int.from_bytes(segment[4:8], "big")
    return Packet(source, target, sequence, content) if content else None


def is_tls(stream: bytes) -> bool:
    """Whether a stream is made of TLS records alone (RFC 8446, 5.1); the last may be cut off."""
    at = 0
    while at < len(stream):
        kind, version, length = stream[at], stream[at + 1 : at + 3], stream[at + 3 : at + 5]
        is_record = kind in TLS_KINDS and version in TLS_VERSIONS
        if not is_record or int.from_bytes(length, "big") > TLS_RECORD_BYTES_MAX:
            return False
        at += 5 + int.from_bytes(length, "big")
    return True
