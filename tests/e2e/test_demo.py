"""`weir demo`: ends by itself with a summary, and says with its exit status whether it was good."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from models.builtin_controls import BUILTIN_RULES
from operations import launch
from simulator.traffic.steps import SCENARIOS
from tests.conftest import require_a_local_broker
from tests.e2e.platforms import START_SECONDS_MAX, STOP_SECONDS_MAX, weir

LOGS = ["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)]
PATIENT = ("--deadline-ms", "10000")
"""The suite's machine is shared: what is shown here is that nothing is lost, not how fast it is."""


def value(output: str, row: str) -> int:
    """The first number of a row of the summary."""
    found = re.search(rf"{row}\s*│\s*(\d+)", output)
    assert found, output
    return int(found[1])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("log", LOGS)
def test_a_month_passes_is_summed_up_and_learned_from(log: str) -> None:
    if log == "kafka":
        require_a_local_broker()
    demo = weir(
        "demo",
        "--log",
        log,
        "--seconds",
        "20",
        "--rate",
        "12",
        "--seed",
        "3",
        *PATIENT,
        seconds_max=500,
        KAFKA_BOOTSTRAP_SERVERS="",
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    payments = value(demo.stdout, "payments")
    decided = sum(
        value(demo.stdout, row) for row in ("passed", "declined by the bank", "held for review", "blocked")
    )
    assert payments >= 20
    assert decided == payments
    assert value(demo.stdout, "reported labels learned") > 0
    assert value(demo.stdout, "tried by UPI") > 0
    assert "failed calls" not in demo.stdout
    assert "The home of this run is removed; --home DIR keeps one." in demo.stdout
    for row in ("caught fraud", "false alarms", "average precision", "confirm p50"):
        assert row in demo.stdout
    for scenario in (
        "card testing",
        "stolen card spree",
        "account takeover",
        "guessed codes",
        "bust-out merchant",
        "friendly",
    ):
        assert scenario in demo.stdout
    guessed = re.search(r"guessed codes" + r"\s*│\s*(\d+)" * 4, demo.stdout)
    assert guessed, demo.stdout
    _, blocked, held, declined = map(int, guessed.groups())
    assert declined >= 3, "challenges that were failed or given up"
    assert blocked + held >= 1, "who failed them and goes on with a card that needs no code"


@pytest.mark.timeout(600)
def test_a_tiny_demo_is_good_too_and_no_store_or_log_of_it_knows_the_scenarios(tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = ("demo", "--home", str(home), "--seconds", "3", "--rate", "5", *PATIENT)

    first = weir(*words, seconds_max=300)
    again = weir(*words, "--seed", "2", seconds_max=300)

    assert first.returncode == 0, first.stdout + first.stderr
    assert again.returncode == 0, again.stdout + again.stderr
    assert (home / "log.sqlite").stat().st_size > 0
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    # `card_testing` is also the name of a rule, which decisions rightly tell.
    names = [name.encode() for name in SCENARIOS if name not in BUILTIN_RULES]
    assert len(names) >= 4
    assert [name for name in names if any(name in content for content in written)] == []


@pytest.mark.timeout(600)
def test_a_demo_whose_decisions_come_too_late_says_so_and_ends_with_1() -> None:
    demo = weir("demo", "--seconds", "3", "--rate", "5", "--deadline-ms", "1", seconds_max=300)

    assert demo.returncode == 1
    assert "decisions were fallbacks" in demo.stdout
    assert value(demo.stdout, "fallbacks") > 0
    assert "Traceback" not in demo.stdout + demo.stderr


def test_ctrl_c_stops_the_traffic_first_and_is_no_failure() -> None:
    words = ["-m", "weir", "demo", "--seconds", "600", "--rate", "5", *PATIENT]
    process = subprocess.Popen(
        [sys.executable, launch.__file__, str(os.getpid()), sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    )
    watchdog = threading.Timer(START_SECONDS_MAX, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        output = ""
        while not re.search(r"^day .* [1-9]\d* payments", output, re.MULTILINE):
            line = process.stdout.readline()
            assert line, output
            output += line
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        output += process.communicate(timeout=STOP_SECONDS_MAX)[0]
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()

    assert process.returncode == 130, output
    assert "Stopped as asked" in output
    assert "failed calls" not in output
    assert "Not good" not in output
    assert re.search(r"days in \d+ seconds", output)
    assert "in 600 seconds" not in output
