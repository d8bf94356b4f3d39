"""Two flows under load, one of them killed: every decision is made again, bit by bit, from their records."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from events.clock import SystemClock
from events.log import open_log
from events.log.port import Log
from pipelines.commands import app
from pipelines.recorded.proof import prove
from pipelines.rescale import rescale
from tests.integration.flow_process import FlowProcess, counted, wait_for
from tests.integration.recording import published_models, rule, traffic
from tests.integration.rescaling import check_answered_once, new_step


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    with closing(open_log(log_url, append_seconds_max=60)) as opened:
        yield opened


def start(home: Path, log_url: str, flow: int, flows: int = 2) -> FlowProcess:
    arguments = ("--home", str(home), "--log", log_url, "--flow", str(flow), "--flows", str(flows))
    return FlowProcess("pipelines.risk", *arguments, errors=home / f"errors.{flow}.log")


def load(log: Log, first: int, count: int) -> None:
    """As shoppers come: a few at a time."""
    told = traffic(first, count)
    for at in range(0, len(told), 7):
        log.append(told[at : at + 7])
        time.sleep(0.005)


@pytest.mark.timeout(300)
def test_two_flows_under_load_and_one_after_them_decided_what_their_records_lead_to(
    tmp_path: Path, log: Log, log_url: str
) -> None:
    models = published_models()
    rescale(tmp_path, log, SystemClock(), 2, new_step)
    with start(tmp_path, log_url, 0) as first:
        with start(tmp_path, log_url, 1) as second:
            assert first.wait_until_ready()
            assert second.wait_until_ready()
            load(log, 0, 200)
            log.append([*models[:9], rule(1, "card_count_1d >= 2")])
            load(log, 200, 200)
            second.kill()
        load(log, 400, 100)
        with start(tmp_path, log_url, 1) as again:
            assert again.wait_until_ready()
            log.append([*models[9:], rule(2, "amount_minor > 9000 AND currency = 'EUR'")])
            load(log, 500, 200)
            wait_for(lambda: counted(log, "decisions") >= 700)
            assert (first.stop(), again.stop()) == (0, 0)
    rescale(tmp_path, log, SystemClock(), 1, new_step)
    with start(tmp_path, log_url, 0, flows=1) as alone:
        load(log, 700, 100)
        wait_for(lambda: counted(log, "decisions") >= 800)
        assert alone.stop() == 0

    proof = prove(tmp_path, log)

    check_answered_once(log)
    assert (proof.requests, proof.rescored, proof.replayed) == (800, 800, 800)
    assert proof.first == {}
    assert proof.holds
    told = CliRunner().invoke(app, ["prove", "--home", str(tmp_path), "--log", log_url])
    assert told.exit_code == 0, told.output
    assert "replayed   800 decisions in the recorded order: all equal, bit by bit" in told.output
