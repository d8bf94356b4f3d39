"""Figures that a program shows to Prometheus: declared by who counts, served on a port of this machine.

Each process has a registry of its own and is scraped by itself. The client's multiprocess mode, whose shared
files outlive the processes that wrote them, is not used. No label holds a merchant, card, address or payment:
what can be counted without end can be stored without end, and says whom it is of.
"""

import argparse
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
"""Of this process alone, and apart from the client's own, into which libraries may put theirs."""

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Bounds of latencies: the objectives' own (20, 80 and 150 ms, the deadline of 250), and steps between."""
PATIENCE_SECONDS = 2.0
"""How long one scrape may take to ask and to read: a single thread answers all."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PATH = "/metrics"

Rows = Iterable[tuple[Sequence[str], float]]

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second row for each counter and histogram, which nothing here reads


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """What only grows; its rows end in `_total`."""
    return Counter(name, meaning, labels, registry=REGISTRY)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """What goes up and down."""
    return Gauge(name, meaning, labels, registry=REGISTRY)


def histogram(
    name: str, meaning: str, labels: Sequence[str] = (), bounds: Sequence[float] = LATENCY_SECONDS
) -> Histogram:
    """How values are spread: counts up to each bound, their number and their sum."""
    return Histogram(name, meaning, labels, buckets=bounds, registry=REGISTRY)


class Looked(Collector):
    """A gauge whose rows are looked up at each scrape, by the thread that answers it.

    `look` gives label values and figure of each row. It must not fail: what it cannot see it leaves out.
    """

    def __init__(self, name: str, meaning: str, labels: Sequence[str], look: Callable[[], Rows]) -> None:
        self._name, self._meaning, self._labels, self._look = name, meaning, labels, look

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, self._meaning, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, figure in self._look():
            family.add_metric(list(values), figure)
        yield family


def free_bytes_of(folder: Path) -> Looked:
    """Room on the disk that holds a folder."""

    def look() -> Rows:
        return [(("home",), float(shutil.disk_usage(folder).free))] if folder.exists() else []

    return Looked("weir_disk_free_bytes", "Room left on the disk of a folder.", ["folder"], look)


def add_metrics_port(parser: argparse.ArgumentParser) -> None:
    """Give a program the option `--metrics-port`."""
    parser.add_argument(
        "--metrics-port", type=int, help="port of 127.0.0.1 for Prometheus, under /metrics; none unless given"
    )


def serve_metrics(port: int | None, *looked: Looked) -> None:
    """Show this process's figures until it ends; without a port they are shown to nobody.

    A daemon thread answers one scrape at a time, so that whoever asks takes no more than one thread's share.
    Raises `OSError` where the port is taken.
    """
    if port is None:
        return
    for one in looked:
        REGISTRY.register(one)
    ProcessCollector(registry=REGISTRY)
    PlatformCollector(registry=REGISTRY)
    gauge("weir_build_info", "The version that runs, as a label; always 1.", ["version"]).labels(
        version("weir")
    ).set(1)
    server = HTTPServer(("127.0.0.1", port), _Scraped)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Scraped(BaseHTTPRequestHandler):
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(404)
            return
        body = generate_latest(REGISTRY)
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not logged: there is one every few seconds."""
