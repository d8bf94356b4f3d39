"""What the doctor finds, and that it changes nothing."""

import dataclasses
import json
import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from events.log import open_log
from gateway.commands import app
from gateway.keys.home_keys import ensure_keys
from gateway.keys.tls import ensure_certificates
from gateway.live_home import mark_live_home
from gateway.store.database import open_engine
from operations import doctor, settings
from operations.addresses import Ports, choose, remember
from operations.doctor import Finding
from operations.home_lock import sole_supervisor
from operations.settings import Settings


@pytest.fixture
def wanted(tmp_path: Path) -> Settings:
    return settings.from_options(tmp_path / "home", tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250)


def found(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(wanted: Settings) -> None:
    findings = doctor.examine(wanted)

    assert [finding for finding in findings if finding.state == "wrong"] == []
    assert not wanted.home.exists()
    assert not wanted.keys.exists()


def test_a_home_that_its_first_merchant_made_is_in_order(tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = ["merchants", "create", "m_1", "--name", "Tea", "--home", str(home)]
    assert CliRunner().invoke(app, words).exit_code == 0

    wanted = settings.from_options(home, None, "127.0.0.1", 0, "sqlite", 250)

    assert [finding for finding in doctor.examine(wanted) if finding.state == "wrong"] == []


def test_keys_that_are_not_the_homes_are_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_keys(tmp_path / "home", tmp_path / "keys", datetime.now(UTC))

    status = doctor.run(
        lambda: settings.from_options(tmp_path / "home", tmp_path / "other", "127.0.0.1", 0, "sqlite", 250),
        as_json=False,
    )

    assert status == 1
    assert f"belongs to the keys folder {tmp_path / 'keys'}" in capsys.readouterr().err


@pytest.mark.parametrize("home", ["/proc/weirhome", "a file", "a file/home"])
def test_a_home_that_cannot_be_made_is_wrong_and_not_made_at_the_first_start(
    tmp_path: Path, home: str
) -> None:
    (tmp_path / "a file").write_text("")
    asked = settings.from_options(tmp_path / home, tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250)

    (finding,) = found(doctor.examine(asked), "folders")

    assert finding.state == "wrong"
    assert str(asked.home) in finding.finding


def test_keys_that_cannot_be_made_are_not_said_to_be_made(tmp_path: Path) -> None:
    asked = settings.from_options(tmp_path / "home", Path("/proc/weirkeys"), "127.0.0.1", 0, "sqlite", 250)

    findings = doctor.examine(asked)

    assert [finding.state for finding in found(findings, "folders")] == ["wrong"]
    assert found(findings, "keys") == []


def test_every_finding_that_is_wrong_says_what_to_do(wanted: Settings, tmp_path: Path) -> None:
    wanted.home.mkdir()
    (wanted.home / "gateway.sqlite").write_bytes(b"no database" * 100)
    wanted.keys.mkdir(mode=0o755)
    wrong = [finding for finding in doctor.examine(wanted) if finding.state == "wrong"]

    assert len(wrong) > 2
    assert all(finding.mend for finding in wrong)


@pytest.mark.parametrize(("version", "state"), [((3, 10), "wrong"), ((3, 11), "ok"), ((3, 13), "wrong")])
def test_only_the_supported_pythons_are_in_order(version: tuple[int, int], state: str) -> None:
    (finding,) = doctor.python_version(version)

    assert finding.state == state


@pytest.mark.parametrize(("gigabytes", "state"), [(0.1, "wrong"), (1.0, "note"), (50.0, "ok")])
def test_a_full_disk_is_seen_before_it_hurts(gigabytes: float, state: str) -> None:
    (finding,) = doctor.disk(Path("/var/weir"), int(gigabytes * 1e9))

    assert finding.state == state


def test_a_port_that_another_program_holds_is_wrong_unless_it_is_weir_itself(wanted: Settings) -> None:
    port = choose("127.0.0.1", 0).api
    busy = Settings(wanted.home, wanted.keys, "127.0.0.1", port, wanted.log, 250)
    with socket.create_server(("127.0.0.1", port)):
        (foreign,) = found(doctor.examine(busy), "ports")
        with sole_supervisor(busy.home):
            (own,) = found(doctor.examine(busy), "ports")

    assert (foreign.state, own.state) == ("wrong", "ok")
    assert str(port) in foreign.finding


def test_of_a_home_on_which_weir_runs_it_is_said_where_whatever_port_was_asked_about(
    wanted: Settings,
) -> None:
    wanted.home.mkdir(exist_ok=True)
    remember(wanted.home, "127.0.0.1", Ports(18400, 18401, 18402, 4, 5, 6, 7, 8))
    (stopped,) = found(doctor.examine(wanted), "ports")
    with sole_supervisor(wanted.home):
        (running,) = found(doctor.examine(wanted), "ports")

    assert "18400" not in stopped.finding
    assert running.finding == (
        "Weir is running on this home: API http://127.0.0.1:18400, processor https://127.0.0.1:18401, "
        "page http://127.0.0.1:18402/"
    )


def test_it_is_said_which_payments_a_home_takes(wanted: Settings) -> None:
    (both,) = found(doctor.examine(wanted), "payments")
    wanted.home.mkdir(exist_ok=True)
    mark_live_home(wanted.home)
    (live,) = found(doctor.examine(wanted), "payments")

    assert "for production start a new home with --live" in both.finding
    assert live.finding == "live ones alone"


def test_keys_that_others_may_read_are_wrong(wanted: Settings) -> None:
    ensure_certificates(wanted.keys, datetime.now(UTC))
    assert [finding.state for finding in doctor.keys(wanted.keys)] == ["ok"]

    next(wanted.keys.rglob("*.pem")).chmod(0o644)

    (finding,) = doctor.keys(wanted.keys)
    assert finding.state == "wrong"
    assert "chmod" in finding.mend.lower()


def test_certificates_that_have_ended_are_wrong(wanted: Settings) -> None:
    ensure_certificates(wanted.keys, datetime(2001, 1, 1, tzinfo=UTC))

    findings = list(doctor.keys(wanted.keys))

    assert findings
    assert all(finding.state == "wrong" and "ended on" in finding.finding for finding in findings)


def test_a_broker_that_cannot_be_reached_is_wrong(wanted: Settings) -> None:
    away = Settings(
        wanted.home, wanted.keys, "127.0.0.1", 0, f"kafka://127.0.0.1:{choose('127.0.0.1', 0).api}", 250
    )

    (finding,) = doctor.log(away)

    assert finding.state == "wrong"
    assert "broker" in finding.mend


def test_a_log_that_is_there_tells_how_durable_it_is(wanted: Settings) -> None:
    wanted.home.mkdir()
    open_log(wanted.log).close()

    (finding,) = doctor.log(wanted)

    assert finding.state == "ok"
    assert "power loss" in finding.finding


def test_a_log_that_a_power_loss_may_shorten_is_noted(wanted: Settings) -> None:
    wanted.home.mkdir()
    weakened = dataclasses.replace(wanted, log=f"{wanted.log}?synchronous=NORMAL")
    open_log(weakened.log).close()

    (finding,) = doctor.log(weakened)

    assert finding.state == "note"
    assert finding.mend


def test_a_database_with_the_newest_schema_is_ok_and_one_of_a_newer_weir_wrong(wanted: Settings) -> None:
    wanted.home.mkdir()
    path = wanted.home / "gateway.sqlite"
    open_engine(f"sqlite:///{path}").dispose()
    assert next(doctor.databases(wanted.home)).state == "ok"

    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    finding = next(doctor.databases(wanted.home))
    assert finding.state == "wrong"
    assert "newer Weir" in finding.mend


def test_a_file_that_is_no_database_is_wrong(wanted: Settings) -> None:
    wanted.home.mkdir()
    (wanted.home / "processor.sqlite").write_bytes(b"no database" * 100)

    _, processor = doctor.databases(wanted.home)

    assert processor.state == "wrong"


@pytest.mark.parametrize(("needed", "state"), [(True, "wrong"), (False, "note")])
def test_java_and_maven_are_wrong_to_miss_only_where_kafka_is_wanted(
    needed: bool, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    (kafka,) = doctor.kafka_tools(needed=needed)
    (browser,) = doctor.browser()

    assert (kafka.state, browser.state) == (state, "note")


def test_findings_are_printed_as_json_with_the_exit_status(
    wanted: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.run(lambda: wanted, as_json=True) == 0

    findings = json.loads(capsys.readouterr().out)
    assert {"check", "state", "finding", "mend"} == set(findings[0])


def test_findings_are_printed_as_a_table_for_people(
    wanted: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted.keys.mkdir(mode=0o755)

    assert doctor.run(lambda: wanted, as_json=False) == 1

    assert "wrong" in capsys.readouterr().out
