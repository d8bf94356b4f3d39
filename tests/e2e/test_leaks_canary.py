"""The search for leaks finds a canary in every form and place: else its finding nothing would say nothing."""

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from events.log import open_log
from events.log.port import Outgoing
from tests.e2e.leak_batches import READABLE, batches_by_codec
from tests.e2e.leak_codes import SecurityCode, code_canaries, is_code
from tests.e2e.leak_places import (
    Loopback,
    broker_memory,
    broker_ports,
    cells,
    cores_left,
    dumping_cores,
    files,
    log_records,
    memory,
    values,
)
from tests.e2e.leak_records import is_cell_in_pages
from tests.e2e.leak_search import Planted, Search, canaries

CANARY = "4000027500183462"
SHARED = Planted("the canary", CANARY[:13])
SEARCH = Search(SHARED)
FORMS = canaries(CANARY)
CODES = [SecurityCode(digits, (CANARY,)) for digits in ("739", "7391")]
CODE_FORMS = [(code, form) for code in CODES for form in code_canaries(code)]

COMPRESSIONS = ["gzip", "snappy", "lz4", "zstd"]

needs_root = pytest.mark.usefixtures("as_root")


@pytest.fixture
def as_root() -> None:
    """Others' memory and loopback can be read by root alone; where the tests run as another, they say so."""
    assert os.geteuid() == 0, "the leak tests read process memory and loopback: run them as root"


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_a_canary_in_its_form(form: str) -> None:
    assert SEARCH.deeply(b"\x00" * 1000 + FORMS[form] + b"\xff" * 1000)


def test_the_search_finds_nothing_where_nothing_is() -> None:
    other = "4000027600183462"

    assert not SEARCH.deeply(b"".join(canaries(other).values()) + os.urandom(100_000))


@pytest.mark.parametrize(("code", "form"), CODE_FORMS)
def test_the_search_finds_a_security_code_in_its_form(code: SecurityCode, form: str) -> None:
    content = b"\x00" * 1000 + code_canaries(code)[form] + b"\xff" * 1000
    search = Search(codes=(code,))

    assert search.plainly(content)
    assert search.deeply(b"before" + zlib.compress(content) + b"after")


@pytest.mark.parametrize("code", CODES)
def test_a_security_code_is_not_found_in_other_digits(code: SecurityCode) -> None:
    other = SecurityCode(str(int(code.digits) - 1), code.card_starts)
    numbers = json.dumps({"amount": int(code.digits), "port": f"8{code.digits}", "cvc": f"{code.digits}0"})
    innocent = [
        numbers,
        f"took {code.digits} ms at 2026-01-05T10:00:00.{code.digits}Z",
        f"cvc checked in {code.digits} ms",
    ]
    content = (
        b"".join(code_canaries(other).values())
        + " ".join(innocent).encode()
        + random.Random(7).randbytes(3_000_000)
    )

    assert Search(codes=(code,)).plainly(content) == set()


@pytest.mark.parametrize("code", CODES)
def test_a_security_code_alone_in_a_cell_or_record_is_found(
    tmp_path: Path, log_url: str, code: SecurityCode
) -> None:
    digits = code.digits
    held = [
        digits,
        digits.encode(),
        msgspec.msgpack.encode([1, digits]),
        f"{digits}0",
        int(digits),
        f"in {digits} ms",
    ]
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as database:
        database.execute("CREATE TABLE t (kept)")
        database.executemany("INSERT INTO t VALUES (?)", [(each,) for each in held])
        database.commit()
    with closing(open_log(log_url)) as log:
        log.append(
            [Outgoing("audit", b"k", digits.encode()), Outgoing("audit", b"k", b"0" + digits.encode())]
        )

    found = [place for place, value in values(log_url, tmp_path) if is_code(code, value)]

    assert found.count("a.sqlite:t") == 3
    assert found.count("topic audit") == 1


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("before", [(), ("some words", None, 3.5, 70_000)], ids=["alone", "among others"])
def test_a_security_code_that_was_a_deleted_cell_is_found_on_disk(
    tmp_path: Path, code: SecurityCode, before: tuple[object, ...]
) -> None:
    def on_disk(held: str) -> bool:
        path = tmp_path / f"{held}.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            names = [f"c{number}" for number in range(len(before))]
            database.execute(f"CREATE TABLE t ({', '.join([*names, 'kept', 'last'])})")
            places = ", ".join("?" * (len(before) + 2))
            rows = [(*before, held, number) for number in range(20)]
            database.execute("BEGIN")
            database.executemany(f"INSERT INTO t VALUES ({places})", rows)
            database.execute("COMMIT")
            database.execute("DELETE FROM t")
            return any(is_cell_in_pages(code, content) for _, content in files(tmp_path))

    assert not on_disk(f"in {code.digits} ms")
    assert not on_disk(f"{code.digits}0")
    assert on_disk(code.digits)


@pytest.mark.parametrize("code", CODES)
def test_no_security_code_is_seen_in_the_pages_of_other_things(code: SecurityCode) -> None:
    random_bytes = random.Random(7)
    content = b"".join(random_bytes.randbytes(60) + code.digits.encode() for _ in range(500))

    assert not is_cell_in_pages(code, content)


def test_a_canary_in_a_deleted_row_of_a_database_is_found(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (number TEXT)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 300,) for _ in range(50)] + [(CANARY,)])
        database.execute("DELETE FROM t")

        assert any(SEARCH.plainly(content) for _, content in files(tmp_path))


def test_a_canary_in_a_cell_that_spans_pages_is_found(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as database:
        database.execute("CREATE TABLE t (number BLOB)")
        database.executemany(
            "INSERT INTO t VALUES (?)", [(b"." * n + CANARY.encode(),) for n in range(4060, 4110)]
        )
        database.commit()

        ((_, content),) = cells(tmp_path)
        assert content.count(CANARY.encode()) == 50


def test_a_canary_in_a_record_is_found(log_url: str) -> None:
    with closing(open_log(log_url)) as log:
        log.append([Outgoing("audit", b"k", value) for value in FORMS.values()])

    assert any(SEARCH.deeply(content) for place, content in log_records(log_url) if place == "topic audit")


def produce_compressed(kafka_url: str, compression: str) -> None:
    open_log(kafka_url).close()
    address, _, prefix = kafka_url.removeprefix("kafka://").partition("/")
    producer = Producer({"bootstrap.servers": address, "compression.type": compression})
    producer.produce(f"{prefix}.audit", CANARY.encode() * 20, b"k")
    assert producer.flush(60) == 0


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_canary_in_a_compressed_batch_is_found(kafka_url: str, compression: str) -> None:
    produce_compressed(kafka_url, compression)

    assert any(SEARCH.plainly(content) for _, content in log_records(kafka_url))


@needs_root
def test_a_canary_in_the_memory_of_a_process_is_found_there_and_in_its_core_dump(tmp_path: Path) -> None:
    program = (
        "import sys\nkept = [bytes.fromhex(line) for line in sys.stdin.readline().split()]\n"
        "print(len(kept), flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with (
        dumping_cores() as has_cores,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(" ".join(content.hex() for content in FORMS.values()) + "\n")
        process.stdin.flush()
        process.stdout.readline()

        found = set().union(*(SEARCH.plainly(region) for region in memory(process.pid)))
        process.send_signal(signal.SIGABRT)

    forms = {what.rpartition(" as ")[2] for what in found}
    assert forms >= {"plain", "hex", "base64", "URL", "UTF-16", "BCD"}
    cores = list(cores_left(tmp_path))
    assert len(cores) == has_cores
    assert all(SEARCH.plainly(core) == found for core in cores)
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_a_canary_on_loopback_is_found_though_it_is_cut_in_two() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        loopback = Loopback(port)
        loopback.start()
        with socket.create_connection(server.getsockname()) as client, server.accept()[0] as served:
            client.sendall(CANARY[:7].encode())
            assert served.recv(100)
            client.sendall(CANARY[7:].encode())
            assert served.recv(100)
    loopback.stop()

    assert loopback.lost == 0
    streams = [content for _, target, content in loopback.streams() if target == port]
    assert [SEARCH.plainly(content) for content in streams] == [{"the canary as plain"}]


@contextmanager
def broker_traffic(kafka_url: str) -> Iterator[list[tuple[bool, bytes]]]:
    """What passes over loopback to (True) and from (False) the broker; there when the block has ended."""
    ports = broker_ports(kafka_url)
    passed: list[tuple[bool, bytes]] = []
    loopback = Loopback(*ports)
    loopback.start()
    try:
        yield passed
    finally:
        loopback.stop()
    assert loopback.lost == 0
    passed += [(target in ports, content) for _, target, content in loopback.streams()]


@needs_root
@pytest.mark.parametrize("scheme", ["kafka", "kafka+python"])
def test_a_canary_in_a_record_is_found_on_its_way_to_the_broker_and_back(kafka_url: str, scheme: str) -> None:
    with broker_traffic(kafka_url) as passed, closing(open_log(kafka_url.replace("kafka", scheme, 1))) as log:
        log.append([Outgoing("audit", b"k", value) for value in FORMS.values()])
        assert dict(log_records(kafka_url))["topic audit"]

    for to_broker in (True, False):
        found = {what for way, content in passed if way is to_broker for what in SEARCH.deeply(content)}
        forms = {what.removeprefix("the canary as ") for what in found}
        assert forms >= {"plain", "hex", "base64", "URL", "UTF-16", "BCD", "plain in zlib", "plain in gzip"}
        assert any("none" in batches_by_codec(content) for way, content in passed if way is to_broker)


@needs_root
def test_a_canary_in_a_record_is_found_in_the_memory_of_the_broker(kafka_url: str) -> None:
    with closing(open_log(kafka_url)) as log:
        log.append([Outgoing("audit", b"k", value) for value in FORMS.values()])
        found = {what for _, region in broker_memory(kafka_url) for what in SEARCH.plainly(region)}

    forms = {what.removeprefix("the canary as ") for what in found}
    assert forms >= {"plain", "hex", "base64", "URL", "UTF-16", "BCD"}


@needs_root
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_batch_on_its_way_is_read_or_told(kafka_url: str, compression: str) -> None:
    with broker_traffic(kafka_url) as passed:
        produce_compressed(kafka_url, compression)

    sent = [content for to_broker, content in passed if to_broker]
    assert any(compression in batches_by_codec(content) for content in sent)
    if compression in READABLE:
        assert any("the canary as plain in gzip" in SEARCH.deeply(content) for content in sent)


def test_no_record_batch_is_seen_in_other_bytes() -> None:
    content = random.Random(7).randbytes(3_000_000) + bytes(100_000)

    assert not batches_by_codec(content)
