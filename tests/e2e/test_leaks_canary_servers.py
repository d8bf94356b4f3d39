"""The search of the servers' places finds a canary in each, and knows TLS from what is none."""

import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from gateway.keys.tls import client_context, ensure_certificates, server_context
from tests.e2e.leak_codes import SecurityCode, is_code
from tests.e2e.leak_places import is_tls
from tests.e2e.leak_search import Planted, Search, canaries, condensed
from tests.e2e.leak_servers import Servers, is_cell_in_heap, servers

CANARY = "4000027500183462"
SEARCH = Search(Planted("the canary", CANARY[:13]))
CODE = SecurityCode("739", (CANARY,))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("servers")) as made:
        yield made


def places(found: Iterator[tuple[str, bytes]]) -> str:
    return " ".join(place for place, content in found if SEARCH.plainly(content))


def test_a_canary_in_postgresql_is_found_in_a_cell_a_deleted_row_the_write_ahead_log_and_memory(
    here: Servers,
) -> None:
    with closing(psycopg.connect(here.store, autocommit=True)) as connection:
        connection.execute("CREATE TABLE kept (number text, code text)")
        connection.execute("INSERT INTO kept VALUES (%s, %s), ('x', 'in 739 ms')", [CANARY, CODE.digits])

    cells = list(here.cells())
    assert [place for place, cell in cells if cell == CANARY] == ["PostgreSQL:kept"]
    assert [place for place, cell in cells if is_code(CODE, cell)] == ["PostgreSQL:kept"]

    here.postgres.run("DELETE FROM kept", "weir")
    found = places(here.files())
    assert "/base/" in found
    assert "/pg_wal/" in found
    assert any(is_cell_in_heap(CODE, content) for place, content in here.files() if "/base/" in place)
    assert "memory of PostgreSQL" in places(here.memory())


def test_a_canary_that_postgresql_was_only_asked_about_is_found_in_the_memory_of_that_backend(
    here: Servers,
) -> None:
    asked = CANARY[::-1]
    search = Search(Planted("asked about", asked))
    with closing(psycopg.connect(here.store, autocommit=True)) as connection:
        connection.execute("SELECT length(%s)", [asked])
        found = {place for place, content in here.memory() if search.plainly(content)}

    assert found == {"memory of a backend of PostgreSQL"}


def test_a_canary_in_a_failed_statement_that_postgresql_logs_is_found(here: Servers) -> None:
    with pytest.raises(psycopg.DataError):
        here.postgres.run(f"SELECT 'x{CANARY}'::integer", "weir")

    assert "server.log" in places(here.files())


def test_a_canary_in_redis_is_found_as_key_and_value_and_in_memory(here: Servers) -> None:
    with Redis(port=here.redis.port) as client:
        client.set(f"key:{CANARY}", f"value:{CANARY}")

    cells = [cell for place, cell in here.cells() if place == "Redis"]
    assert [bool(SEARCH.plainly(cell)) for cell in cells if isinstance(cell, bytes)] == [True, True]
    assert "memory of Redis" in places(here.memory())


def test_a_canary_is_found_in_every_form_between_the_zeros_of_a_memory_that_is_condensed() -> None:
    for form, content in canaries(CANARY).items():
        spread = bytes(100_003) + content + bytes(100_003)

        assert len(condensed(spread)) < 2_000
        assert SEARCH.deeply(condensed(spread)), form


def spoken(keys: Path, text: bytes) -> list[bytes]:
    """What processor and API say to each other over TLS, until the text has passed each way."""
    ensure_certificates(keys, datetime.now(UTC))
    to_server, to_client, said = ssl.MemoryBIO(), ssl.MemoryBIO(), [b"", b""]
    contexts = client_context(keys, "api", "internal"), server_context(keys, "processor", "internal")
    client = contexts[0].wrap_bio(to_client, to_server, server_hostname="localhost")
    server = contexts[1].wrap_bio(to_server, to_client, server_side=True)
    wire = [(to_server, 0), (to_client, 1)]

    def carry() -> None:
        for way, number in wire:
            content = way.read()
            said[number] += content
            way.write(content)

    for step in (client.do_handshake, server.do_handshake) * 3:
        with suppress(ssl.SSLWantReadError):
            step()
        carry()
    for one in (client, server):
        one.write(text)
    carry()
    assert server.read(100) == client.read(100) == text
    return said


def test_streams_of_tls_are_known_and_hide_a_canary_and_others_are_told(tmp_path: Path) -> None:
    for stream in spoken(tmp_path, CANARY.encode()):
        assert len(stream) > 500
        assert is_tls(stream)
        assert is_tls(stream[:-3]), "the last record may be cut off"
        assert not SEARCH.deeply(stream)
        assert not is_tls(stream + b"POST /v1/tokens HTTP/1.1\r\n")
    assert not is_tls(b"POST /v1/tokens HTTP/1.1\r\n")
    assert not is_tls(b"\x17\x03\x03\xff\xff")
