"""A process shows its figures to Prometheus: on this machine alone, one scrape at a time."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families

PROGRAM = """
import sys, time
from events.metrics import counter, serve_metrics
counter("weir_tried", "Tries.").inc(3)
serve_metrics(int(sys.argv[1]))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(number)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield number
        process.kill()


def scraped(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: sample.value for family in families for sample in family.samples}


def test_a_scrape_reads_what_was_counted_and_what_the_process_takes(port: int) -> None:
    shown = scraped(port)

    assert shown["weir_tried_total"] == 3
    assert shown["process_resident_memory_bytes"] > 1_000_000
    assert shown["weir_build_info"] == 1
    assert "weir_tried_created" not in shown


def test_nothing_but_the_figures_is_served(port: int) -> None:
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)

    assert refused.value.code == 404


def test_no_other_machine_can_ask(port: int) -> None:
    with contextlib.closing(socket.socket()) as outside:
        outside.settimeout(2)
        with pytest.raises(OSError):
            outside.connect(("127.0.0.2", port))  # every address but the one that is bound


def test_who_asks_nothing_keeps_others_out_for_seconds_at_most(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        began = time.monotonic()
        shown = scraped(port)

    assert shown["weir_tried_total"] == 3
    assert time.monotonic() - began < 8
