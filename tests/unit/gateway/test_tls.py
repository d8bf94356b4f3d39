"""Own authorities, certificates per program and link, and what the contexts refuse."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.keys.certificates import identity_from_pem
from gateway.keys.tls import (
    certificate_problems,
    client_context,
    ensure_certificates,
    server_context,
)

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_certificates(folder, NOW)
    return folder


def shopper_context(keys: Path) -> ssl.SSLContext:
    """A merchant's client of the token listener: trusts the public authority, shows no certificate."""
    return ssl.create_default_context(cafile=str(keys / "ca.pem"))


def exchange(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "127.0.0.1") -> bytes:
    """What a client reads from a server that greets it after the handshake; TLS errors are raised."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        greeter = threading.Thread(target=greet, args=(listener, server))
        greeter.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), timeout=30) as raw,
                client.wrap_socket(raw, server_hostname=name) as wrapped,
            ):
                return wrapped.recv(5)
        finally:
            greeter.join(30)


def greet(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.sendall(b"hello")
    except OSError:
        connection.close()


def test_api_and_processor_greet_each_other_with_their_certificates(keys: Path) -> None:
    answer = exchange(server_context(keys, "api", "internal"), client_context(keys, "processor", "internal"))

    assert answer == b"hello"


def test_a_client_without_a_certificate_is_refused_on_the_internal_link(keys: Path) -> None:
    nobody = ssl.create_default_context(cafile=str(keys / "api" / "internal-ca.pem"))

    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert exchange(server_context(keys, "processor", "internal"), nobody) == b""


def test_the_acquirer_cannot_open_the_door_between_api_and_processor(keys: Path) -> None:
    acquirer = client_context(keys, "acquirer", "network")
    acquirer.load_verify_locations(keys / "api" / "internal-ca.pem")

    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert exchange(server_context(keys, "processor", "internal"), acquirer) == b""


def test_the_public_listener_takes_clients_without_certificate_that_trust_its_authority(keys: Path) -> None:
    answer = exchange(server_context(keys, "processor", "public"), shopper_context(keys), name="localhost")

    assert answer == b"hello"


def test_a_server_under_another_name_is_refused_by_the_client(keys: Path) -> None:
    with pytest.raises(ssl.SSLError):
        exchange(server_context(keys, "processor", "public"), shopper_context(keys), "example.test")


def test_only_the_owner_may_read_what_is_under_keys(keys: Path) -> None:
    for path in keys.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_start_changes_nothing(keys: Path) -> None:
    before = {path: path.read_bytes() for path in keys.rglob("*.pem")}

    ensure_certificates(keys, NOW + timedelta(days=1))

    assert {path: path.read_bytes() for path in keys.rglob("*.pem")} == before


def test_a_certificate_that_soon_ends_is_renewed_under_the_same_authority(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    path = tmp_path / "api" / "internal.pem"
    first, trusted = path.read_bytes(), (tmp_path / "api" / "internal-ca.pem").read_bytes()

    ensure_certificates(tmp_path, NOW + timedelta(days=380))

    assert path.read_bytes() != first
    assert (tmp_path / "api" / "internal-ca.pem").read_bytes() == trusted
    assert certificate_problems(tmp_path, NOW + timedelta(days=380)) == []


def test_a_new_host_name_gets_into_the_certificates(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)

    ensure_certificates(tmp_path, NOW, hosts=("pay.example.test",))

    context = server_context(tmp_path, "processor", "public")
    assert exchange(context, shopper_context(tmp_path), "pay.example.test") == b"hello"


def test_a_torn_certificate_is_made_anew(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    path = tmp_path / "processor" / "public.pem"
    path.write_bytes(path.read_bytes()[:200])

    ensure_certificates(tmp_path, NOW)

    assert identity_from_pem(path.read_bytes())
    assert certificate_problems(tmp_path, NOW) == []


def test_doctor_hears_of_missing_ending_ended_and_exposed_certificates(tmp_path: Path) -> None:
    assert "does not exist yet" in certificate_problems(tmp_path / "none", NOW)[0].finding
    ensure_certificates(tmp_path, NOW)

    assert certificate_problems(tmp_path, NOW) == []
    assert "ends on" in certificate_problems(tmp_path, NOW + timedelta(days=380))[0].finding
    assert "ended on" in certificate_problems(tmp_path, NOW + timedelta(days=400))[0].finding
    (tmp_path / "ca.pem").chmod(0o644)
    (tmp_path / "acquirer" / "network.pem").unlink()
    problems = certificate_problems(tmp_path, NOW)
    assert [problem.finding.rpartition(" ")[2] for problem in problems] == ["owner", "missing"]
