"""The budget of a confirm: as the document has it, and what the bench says of readings."""

import re
from pathlib import Path

import yaml

from bench.budget import BUDGET_MS, figures
from operations.figures import Passed, Reading
from operations.frame import HOPS, frame_of

ROOT = Path(__file__).parents[3]
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def reading(requests: int) -> Reading:
    """Each request took 1, 2, 3, 4 + 5 and 6 ms in its hops; of the 9 the flow says 4 are its own."""
    hops = {"api": 0.001, "commit": 0.002, "log": 0.003, "flow_and_reply": 0.009, "acquirer": 0.006}
    rows = {("weir_decisions_total", frozenset[tuple[str, str]]()): float(requests)}
    rows["weir_flow_answer_seconds_total", frozenset()] = 0.004 * requests
    for hop, seconds in hops.items():
        rows["weir_confirm_hop_seconds_sum", frozenset({("hop", hop)})] = seconds * requests
        rows["weir_confirm_hop_seconds_count", frozenset({("hop", hop)})] = float(requests)
    engine = frozenset({("decided_by", "engine")})
    rows["weir_confirm_seconds_sum", engine] = 0.021 * requests
    rows["weir_confirm_seconds_count", engine] = float(requests)
    return Reading(float(requests), rows)


def test_flow_and_reply_are_told_apart_and_all_hops_are_the_whole() -> None:
    frame = frame_of(Passed(reading(10), reading(110)))
    rows = {row.name: row.figure for row in figures(100.0, [frame])}

    assert {hop: round(rows[f"{hop}, mean at 100/s"], 6) for hop in HOPS} == {
        "api": 1.0,
        "commit": 2.0,
        "log": 3.0,
        "flow": 4.0,
        "reply": 5.0,
        "acquirer": 6.0,
    }
    assert round(rows["hops together over the whole"], 9) == 1.0


def test_the_document_has_the_budget_that_the_bench_measures_against() -> None:
    table = OPERATIONS.split("## A confirm, hop by hop")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| (\w+) \|.*\| ([\d.]+) \|$", table, re.MULTILINE))

    assert {hop: float(budget) for hop, budget in told.items()} == BUDGET_MS
    assert sum(BUDGET_MS.values()) == 20.0


def test_the_document_says_of_every_alert_what_to_do() -> None:
    alerts = yaml.safe_load((ROOT / "operations/prometheus/alerts.yml").read_text())
    named = {rule["alert"] for group in alerts["groups"] for rule in group["rules"]}
    told = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", OPERATIONS.split("## Alerts")[1]))

    assert told == named
