"""Processor and acquirer as programs: tokens, authorizations, captures over TLS, and what a kill leaves."""

import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from gateway.errors import ProcessorUnavailableError
from gateway.keys.tls import client_context
from gateway.link.asking import RefusedError
from tests.integration.processor_world import NOW, World, attempt, client, running

AT = {"occurred_at": NOW.isoformat()}
NUMBER = "4000002500000003"
SECURITY_CODE = "9041"
AMEX = "378282246310005"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("processor")) as started:
        yield started


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at, "the condition never held"
        time.sleep(0.05)


def at_the_acquirer(world: World) -> list[str]:
    """The state of every authorization that the acquirer knows."""
    database = sqlite3.connect(world.home / "acquirer.sqlite")
    states = [row[0] for row in database.execute("SELECT state FROM authorizations ORDER BY at, stan")]
    database.close()
    return states


def ask(world: World, attempt_id: str, token: str) -> str:
    """The attempt's status; `no answer` where the processor died over it."""
    try:
        return str(world.asked("authorize", attempt(attempt_id, token))["status"])
    except ProcessorUnavailableError:
        return "no answer"


def test_a_card_becomes_a_token_and_the_token_a_captured_payment(world: World) -> None:
    token = world.token()

    approved = world.asked("authorize", attempt("pay-1", token))
    captured = world.asked("capture", "pay-1", {"capture_id": "1", "amount_minor": 900, **AT})

    assert approved["status"] == "approved"
    assert approved["approval_code"]
    assert (captured["status"], captured["captured_minor"]) == ("captured", 900)
    assert world.registry.registered[-1].token == token


def test_a_client_without_a_certificate_is_refused_on_the_internal_listener(world: World) -> None:
    nobody = ssl.create_default_context(cafile=str(world.keys / "api" / "internal-ca.pem"))
    call = b'{"id":1,"method":"find","params":["pay-1"]}\n'

    answer = b""
    with (
        socket.create_connection(("127.0.0.1", world.internal_port), timeout=30) as plain,
        suppress(OSError),
        nobody.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(call)
        answer = secured.recv(1)

    assert answer == b""


def test_the_internal_listener_has_no_other_methods_and_speaks_no_http(world: World) -> None:
    with pytest.raises(RefusedError, match="404"):
        world.asked("register", {})

    context = client_context(world.keys, "api", "internal")
    with (
        client(f"https://127.0.0.1:{world.internal_port}", context) as api,
        pytest.raises(httpx2.HTTPError),
    ):
        api.post("/v1/tokens", json={})


def test_a_wrong_key_gets_no_token(world: World) -> None:
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2031, "cvc": "737"}

    with world.shopper() as shopper:
        answer = shopper.post(
            "/v1/tokens", json={"card": card}, headers={"authorization": "Bearer sk_test_x"}
        )

    assert answer.status_code == 401


def test_the_processor_leaves_no_core_and_lets_nobody_read_its_memory(world: World) -> None:
    assert world.processor is not None
    limits = Path(f"/proc/{world.processor.process.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    program = (
        "import ctypes; from gateway.hardening import forbid_core_dumps as forbid;"
        "libc = ctypes.CDLL(None); before = libc.prctl(3); forbid(); print(before, libc.prctl(3))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert core.split()[4:6] == ["0", "0"]
    assert printed.stdout.split() == ["1", "0"]


def test_both_programs_stop_cleanly_and_leave_no_card_data_in_any_file(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        for number, code in ((NUMBER, "904"), (AMEX, SECURITY_CODE)):
            token = world.token(number, code)
            assert ask(world, f"pay-{number[-4:]}", token) == "approved"
        with world.shopper() as shopper:
            bad = {"number": NUMBER[:-1] + "4", "exp_month": 12, "exp_year": 2031, "cvc": SECURITY_CODE}
            assert NUMBER[:-1] not in shopper.post("/v1/tokens", json={"card": bad}).text
        statuses = world.stop()

    assert statuses == [0, 0]
    written = b"\n".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    for secret in (NUMBER, AMEX, NUMBER[:-1] + "4"):
        for form in (secret.encode(), secret.encode().hex().encode(), secret.encode("utf-16-le")):
            assert form not in written
    assert f'"{SECURITY_CODE}"'.encode() not in written


CRASHES = [
    ("processor.attempt.committed", "reversed", "reversed"),
    ("processor.message.left:2", "reversed", "reversed"),
    ("processor.authorization.answered", "reversed", "reversed"),
    ("processor.outcome.committed", "approved", "approved"),
]


def test_a_kill_around_an_authorization_ends_in_one_state_on_both_sides(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        token = world.token()
        for point, status, _ in CRASHES:
            assert world.processor is not None
            world.processor.stop()
            world.start_processor(crash_at=point)
            assert ask(world, point, token) == "no answer"
            world.processor.died()

            world.start_processor()

            assert ask(world, point, token) == status
        until(lambda: at_the_acquirer(world) == [state for _, _, state in CRASHES])


def test_an_increment_whose_answer_a_kill_swallowed_is_given_back_and_the_rest_captured(
    tmp_path: Path,
) -> None:
    more = {"increment_id": "1", "amount_minor": 500, **AT}
    with running(tmp_path) as world:
        assert ask(world, "pay", world.token("4000002500000003")) == "approved"
        assert world.processor is not None
        world.processor.stop()
        world.start_processor(crash_at="processor.authorization.answered")
        with pytest.raises(ProcessorUnavailableError):
            world.asked("increment", "pay", more)
        world.processor.died()

        world.start_processor()

        captured = {"capture_id": "1", "amount_minor": 1000, **AT}
        answer = world.asked("increment", "pay", more)
        until(lambda: world.asked("capture", "pay", captured)["status"] == "captured")
        assert (answer["operation"], answer["authorized_minor"]) == ("refused", 1000)
        database = sqlite3.connect(world.home / "acquirer.sqlite")
        sums = database.execute("SELECT sum(held_minor), sum(captured_minor) FROM authorizations").fetchone()
        database.close()
        assert sums == (0, 1000)
        assert sorted(at_the_acquirer(world)) == ["captured", "reversed"]


def test_a_kill_over_a_tombstone_hits_the_reverse_of_an_unknown_attempt_alone_and_the_tombstone_stays(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as world:
        token = world.token()
        assert world.processor is not None
        world.processor.stop()
        world.start_processor(crash_at="processor.tombstone.committed")
        assert ask(world, "known", token) == "approved"
        assert world.asked("reverse", "known", AT)["status"] == "reversed"
        with pytest.raises(ProcessorUnavailableError):
            world.asked("reverse", "never", AT)
        world.processor.died()

        world.start_processor()

        assert ask(world, "never", token) == "reversed"
        assert at_the_acquirer(world) == ["reversed"]


def test_a_kill_of_the_acquirer_before_it_answers_ends_in_a_reversal_when_it_is_back(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        token = world.token()
        assert world.acquirer is not None
        world.acquirer.stop()
        # Its first commit is that of the sign-on, its second that of the authorization.
        world.start_acquirer(crash_at="acquirer.books.committed:2")

        assert ask(world, "doubt", token) == "reversed"
        world.acquirer.died()
        assert at_the_acquirer(world) == ["approved"]
        assert ask(world, "away", token) == "declined"
        world.start_acquirer()

        until(lambda: at_the_acquirer(world) == ["reversed"])
        assert ask(world, "back", token) == "approved"


def test_a_capture_that_a_kill_interrupted_moves_the_money_once(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        token = world.token()
        assert ask(world, "pay", token) == "approved"
        assert world.processor is not None
        world.processor.stop()
        world.start_processor(crash_at="processor.advice.answered")
        with pytest.raises(ProcessorUnavailableError):
            world.asked("capture", "pay", {"capture_id": "1", "amount_minor": 900, **AT})
        world.processor.died()

        world.start_processor()

        until(lambda: world.asked("find", "pay")["status"] == "captured")
        database = sqlite3.connect(world.home / "acquirer.sqlite")
        assert database.execute("SELECT count(*), sum(amount_minor) FROM postings").fetchone() == (3, 0)
        database.close()


def test_rotated_vault_keys_open_the_cards_of_before(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        token = world.token()
        before = (world.keys / "processor" / "vault.json").read_bytes()
        assert world.processor is not None
        world.processor.stop()

        world.start_processor(more=["--rotate-vault-keys"])

        assert (world.keys / "processor" / "vault.json").read_bytes() != before
        assert ask(world, "pay", token) == "approved"
