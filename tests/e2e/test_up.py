"""`weir up`, as a newcomer uses it: takes a payment, survives deaths and restarts, says what is wrong."""

import json
import os
import re
import shlex
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from operations.addresses import choose
from tests.e2e.platforms import Up, is_alive, up, weir

PROGRAMS = {
    "simulator.acquirer",
    "pipelines.risk",
    "pipelines.learning",
    "dashboards.live",
    "gateway.processor",
    "gateway.api",
}
PATIENCE_SECONDS = 90.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("up") / "home") as running:
        yield running


def until(condition: Callable[[], bool], seen: object = None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited too long; last seen: {seen}"
        time.sleep(0.05)


def answers(platform: Up) -> bool:
    try:
        return platform.call("GET", "/health").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_payment_is_accepted_scored_and_authorized(platform: Up) -> None:
    intent = platform.pay()

    assert intent["status"] == "succeeded"
    assert intent["outcome"]["type"] == "authorized"
    assert 0 <= intent["outcome"]["risk_score"] <= 100


def test_the_page_shows_the_payment(platform: Up) -> None:
    intent = platform.pay()
    page = platform.place("page")

    until(lambda: intent["id"] in httpx2.get(page, trust_env=False, timeout=30).text)


def test_the_commands_that_the_welcome_suggests_work_in_their_order(platform: Up) -> None:
    said = platform.printed.partition("Try, in another terminal:\n")[2].replace("\\\n", " ")
    commands = [shlex.split(line) for line in said.splitlines() if line.strip().startswith("curl")]
    assert len(commands) == 3

    token = platform.as_curl(commands[0])["id"]
    intent = platform.as_curl(commands[1])["id"]
    confirm = [word.replace("INTENT", intent).replace("TOKEN", token) for word in commands[2]]

    assert platform.as_curl(confirm)["status"] in ("succeeded", "requires_capture")


def test_each_program_has_its_own_log(platform: Up) -> None:
    logs = Path(platform.place("logs"))

    assert {path.name for path in logs.iterdir()} == {f"{name}.log" for name in PROGRAMS}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_program_that_is_killed_comes_back_and_payments_go_on(platform: Up, name: str) -> None:
    before = platform.programs()
    assert set(before) == PROGRAMS

    os.kill(before[name], signal.SIGKILL)
    until(lambda: platform.programs().get(name, before[name]) != before[name])
    until(lambda: answers(platform))

    last: list[Any] = []

    def paid() -> bool:
        try:
            last[:] = [platform.pay()]
        except (AssertionError, httpx2.TransportError) as error:
            last[:] = [error]
            return False
        return last[0]["status"] == "succeeded"

    until(paid, last)


def test_the_doctor_finds_a_running_platform_in_order(platform: Up) -> None:
    home = Path(platform.place("logs")).parent

    looked = weir("doctor", "--home", str(home), "--port", platform.api.rpartition(":")[2], seconds_max=60)

    assert looked.returncode == 0, looked.stdout
    assert "Weir is running on this home" in looked.stdout


def test_a_published_rule_decides_without_a_restart_and_is_explained(platform: Up, tmp_path: Path) -> None:
    home = str(Path(platform.place("logs")).parent)
    rule = {"action": "block", "when": "currency = 'EUR' AND amount_minor = 76543", "words": "a tried rule"}
    (tmp_path / "rule.json").write_text(json.dumps({"name": "tried_rule", "body": rule}))
    before = platform.programs()["pipelines.risk"]

    published = weir("rules", "publish", str(tmp_path / "rule.json"), "--home", home, seconds_max=60)
    assert published.returncode == 0, published.stderr

    refused: list[dict[str, Any]] = []

    def is_refused() -> bool:
        response = platform.confirm(76_543)
        refused[:] = [response.json()]
        return response.status_code == 402

    until(is_refused, refused)
    intent = refused[0]["error"]["payment_intent"]
    assert intent["outcome"]["type"] == "blocked"
    explained = weir("explain", intent["id"], "--home", home, seconds_max=120)
    assert explained.returncode == 0, explained.stderr
    assert "a tried rule" in explained.stdout
    assert "tried_rule 1" in explained.stdout
    assert platform.programs()["pipelines.risk"] == before
    assert weir("rules", "remove", "tried_rule", "--home", home, seconds_max=60).returncode == 0


def test_a_device_is_blocked_by_its_surrogate_and_by_no_raw_value(platform: Up, tmp_path: Path) -> None:
    home = str(Path(platform.place("logs")).parent)

    def from_device(device: str) -> dict[str, Any]:
        intent = platform.call("POST", "/v1/payment_intents", {"amount": 1999, "currency": "eur"}).json()
        body = {"payment_method": platform.token(), "risk_context": {"device_id": device}}
        answer = platform.call("POST", f"/v1/payment_intents/{intent['id']}/confirm", body).json()
        return dict(answer["error"]["payment_intent"] if "error" in answer else answer)

    first = from_device("a thief's phone")
    assert first["status"] == "succeeded"
    shown = weir("surrogate", "device", "a thief's phone", "--home", home, seconds_max=120)
    assert shown.returncode == 0, shown.stderr
    surrogate = shown.stdout.strip()
    assert surrogate in weir("explain", first["id"], "--home", home, seconds_max=120).stdout

    def published(value: str) -> int:
        rule = {"action": "block", "when": "device IN @thieves", "words": "a thief's device"}
        controls = [
            {"name": "thieves", "kind": "list", "body": {"entries": [{"value": value}]}},
            {"name": "thiefs_device", "body": rule},
        ]
        (tmp_path / "block.json").write_text(json.dumps(controls))
        file = str(tmp_path / "block.json")
        return weir("rules", "publish", file, "--home", home, seconds_max=60).returncode

    assert published("a thief's phone") == 1
    assert published(surrogate) == 0

    last: list[dict[str, Any]] = []

    def is_blocked() -> bool:
        last[:] = [from_device("a thief's phone")]
        return bool(last[0]["outcome"]["type"] == "blocked")

    until(is_blocked, last)
    assert "a thief's device" in last[0]["outcome"]["seller_message"]
    assert from_device("another phone")["status"] == "succeeded"
    explained = weir("explain", last[0]["id"], "--home", home, seconds_max=120)
    assert "decided by: rule thiefs_device (version 1)" in explained.stdout


def test_a_second_supervisor_on_the_same_home_is_refused_in_a_sentence(platform: Up) -> None:
    home = Path(platform.place("logs")).parent

    second = weir("up", "--home", str(home), "--port", "0", seconds_max=60)

    assert second.returncode == 1
    assert "stop it first" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    port = choose("127.0.0.1", 0).api
    with socket.create_server(("127.0.0.1", port)):
        refused = weir("up", "--home", str(tmp_path / "home"), "--port", str(port), seconds_max=60)

    assert refused.returncode == 1
    assert f"port {port} is in use" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--host", "192.0.2.1"], 1, "192.0.2.1 is no IPv4 address of this machine"),
        (["--home", "/proc/weirhome"], 1, "/proc/weirhome cannot be a home"),
        (["--home", "a-file"], 1, "a-file cannot be a home (it is a file)"),
        (["--port", "80000"], 2, "less than or equal to 65533"),
        (["--log-level", "loud"], 2, "'loud' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_leaves_nothing(
    tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    (tmp_path / "a-file").write_text("")
    told = [str(tmp_path / word) if word == "a-file" else word for word in words]
    home = [] if "--home" in words else ["--home", str(tmp_path / "home")]

    refused = weir("up", *home, *told, *([] if "--port" in words else ["--port", "0"]), seconds_max=60)

    assert refused.returncode == status, refused.stderr
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]


@pytest.mark.parametrize(
    ("log", "said"),
    [("carrier-pigeon", "give sqlite"), ("kafka://127.0.0.1:1", "weir up: no Kafka broker can be reached")],
)
def test_a_log_that_is_none_is_refused_in_a_sentence(tmp_path: Path, log: str, said: str) -> None:
    refused = weir("up", "--home", str(tmp_path / "home"), "--log", log, "--port", "0", seconds_max=60)

    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_after_a_stop_the_same_home_goes_on_where_it_was_and_logs_more_where_it_is_asked_to(
    tmp_path: Path,
) -> None:
    log = tmp_path / "home" / "logs" / "gateway.api.log"
    with up(tmp_path / "home") as first:
        paid = first.pay()
        key = first.key
        programs = first.programs()
    assert "request answered" not in log.read_text()
    assert not any(is_alive(pid) for pid in programs.values())
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ  Stopped\.\n", first.said[-1])

    with up(tmp_path / "home", "--log-level", "debug") as second:
        assert second.key == key
        found = second.call("GET", f"/v1/payment_intents/{paid['id']}").json()
        assert found == paid
        assert second.pay()["status"] == "succeeded"
    assert '"route": "/v1/payment_intents/{' in log.read_text()


def test_kill_9_of_the_supervisor_leaves_no_program_behind_and_the_home_usable(tmp_path: Path) -> None:
    with up(tmp_path / "home") as first:
        paid = first.pay()
        programs = first.programs()
        first.process.kill()
        first.process.wait()
        until(lambda: not any(is_alive(pid) for pid in programs.values()))

    with up(tmp_path / "home") as second:
        assert second.call("GET", f"/v1/payment_intents/{paid['id']}").json()["status"] == "succeeded"
        assert second.pay()["status"] == "succeeded"
