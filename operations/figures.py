"""What the programs of one platform show, read at one moment; and what passed between two of them."""

import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from prometheus_client.parser import text_string_to_metric_families

from events.metrics import PATH
from operations.watched import Target

SECONDS_MAX = 2.0
"""How long one program may take to show its figures; one that is slower counts as away."""

Labels = frozenset[tuple[str, str]]
Series = Mapping[tuple[str, Labels], float]
"""The value of each row by its name and labels, among them `program`."""


@dataclass(frozen=True)
class Reading:
    """All rows at a moment (seconds of a monotonic clock); `away` are the programs that showed nothing."""

    at: float
    rows: Series
    away: tuple[str, ...] = ()

    def total(self, name: str, **labels: str) -> float:
        """The sum of a name's rows that have these labels, 0 where there are none."""
        return sum(value for _, value in self.matching(name, labels))

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """The same, apart for each value of one label."""
        found: dict[str, float] = {}
        for has, value in self.matching(name, labels):
            key = dict(has).get(label, "")
            found[key] = found.get(key, 0.0) + value
        return found

    def matching(self, name: str, labels: Mapping[str, str]) -> list[tuple[Labels, float]]:
        """Rows of a name that have these labels, whatever others they have."""
        wanted = frozenset(labels.items())
        return [(has, value) for (row, has), value in self.rows.items() if row == name and wanted <= has]


def read(targets: Iterable[Target], at: float) -> Reading:
    """Ask all programs at once."""
    listed = list(targets)
    with ThreadPoolExecutor(max(1, len(listed))) as pool:
        texts = list(pool.map(_shown, listed))
    rows: dict[tuple[str, Labels], float] = {}
    for target, text in zip(listed, texts, strict=True):
        rows.update(parsed(text or "", target.program))
    away = (target.program for target, text in zip(listed, texts, strict=True) if text is None)
    return Reading(at, rows, tuple(away))


def parsed(text: str, program: str) -> dict[tuple[str, Labels], float]:
    """The rows of one program's answer."""
    return {
        (sample.name, frozenset({**sample.labels, "program": program}.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@dataclass(frozen=True)
class Passed:
    """What passed between two readings. A program that was started again in between counts from 0."""

    before: Reading
    now: Reading

    @property
    def seconds(self) -> float:
        """How long it was, never 0."""
        return max(self.now.at - self.before.at, 1e-9)

    def count(self, name: str, **labels: str) -> float:
        """By how much rows that only grow have grown."""
        return sum(
            value - was if value >= (was := self.before.rows.get((name, has), 0.0)) else value
            for has, value in self.now.matching(name, labels)
        )

    def rate(self, name: str, **labels: str) -> float:
        """The same, a second."""
        return self.count(name, **labels) / self.seconds

    def mean(self, name: str, **labels: str) -> float | None:
        """Mean of a histogram's values; None where there were none."""
        number = self.count(f"{name}_count", **labels)
        return self.count(f"{name}_sum", **labels) / number if number else None

    def quantile(self, share: float, name: str, **labels: str) -> float | None:
        """As Prometheus has it: within the bound that holds it, as if values were spread evenly there."""
        bounds = sorted({_bound(has) for has, _ in self.now.matching(f"{name}_bucket", labels)})
        counts = [(bound, self.count(f"{name}_bucket", **labels, le=text)) for bound, text in bounds]
        number = counts[-1][1] if counts else 0.0
        if not number:
            return None
        for (lower, below), (upper, up_to) in pairwise([(0.0, 0.0), *counts]):
            if up_to >= share * number and up_to > below:
                return (
                    lower
                    if upper == inf
                    else lower + (upper - lower) * (share * number - below) / (up_to - below)
                )
        return counts[-1][0]


def _shown(target: Target) -> str | None:
    url = f"http://{target.address}{PATH}"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:  # of this machine
            text: str = answer.read().decode()
    except (OSError, ValueError):
        return None
    return text


def _bound(labels: Labels) -> tuple[float, str]:
    text = dict(labels)["le"]
    return float(text), text
