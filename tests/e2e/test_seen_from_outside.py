"""What Prometheus, Grafana, a collector of spans and `weir top` see of a platform that takes payments."""

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from operations.watched import SHOWING, targets
from tests.e2e import promql
from tests.e2e.otlp import Receiver, Sent, receiving
from tests.e2e.platforms import Up, up, weir

ROOT = Path(__file__).parents[2]
ALERTS = yaml.safe_load((ROOT / "operations/prometheus/alerts.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads((ROOT / "operations/grafana/weir.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_PROMETHEUS = {"up"}
"""Figures that Prometheus makes itself."""
OF_TARGETS = {"job", "program", "instance"}
"""Labels that the list of targets gives."""
PERSONAL = ("198.51.100.", "ada.lovelace", "grandmas-tablet", "Lovelace", "4000027", "Analytical Row")
PAYMENTS = 6
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seen") / "home"


@pytest.fixture(scope="module")
def platform(home: Path, receiver: Receiver) -> Iterator[Up]:
    with up(home, "--traces", receiver.url, "--trace-share", "1") as running:
        for number in range(PAYMENTS):
            assert _paid(running, number)["status"] in ("succeeded", "requires_capture")
        yield running


@pytest.fixture(scope="module")
def shown(platform: Up, home: Path) -> dict[str, dict[str, set[str]]]:
    """What each program shows: the labels of each row's name, of those that have no row yet too."""
    return {target.program: _names(_scraped(target.address)) for target in targets(home)}


def _paid(running: Up, number: int) -> dict[str, Any]:
    context = {
        "ip": f"198.51.100.{number}",
        "email": f"ada.lovelace{number}@example.org",
        "device_id": f"grandmas-tablet-{number}",
        "billing_address": {"country": "DE", "line1": "1 Analytical Row", "city": "Lovelace"},
    }
    order = {
        "amount": 1999,
        "currency": "eur",
        "payment_method": running.token(),
        "confirm": True,
        "risk_context": context,
    }
    response = running.call("POST", "/v1/payment_intents", order)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def _scraped(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def _names(text: str) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + end: set() for end in ends}
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def _until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def _expressions() -> list[tuple[str, str]]:
    alerts = [(rule["alert"], rule["expr"]) for group in ALERTS["groups"] for rule in group["rules"]]
    return alerts + [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def test_every_program_shows_figures_and_what_it_takes_of_the_machine(
    shown: dict[str, dict[str, set[str]]],
) -> None:
    assert set(shown) == SHOWING
    for names in shown.values():
        assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "weir_build_info"} <= set(names)


def test_every_figure_and_label_of_an_alert_or_a_panel_is_shown_by_a_program(
    shown: dict[str, dict[str, set[str]]],
) -> None:
    known = {name: labels for names in shown.values() for name, labels in names.items()}
    unknown = [
        (where, name)
        for where, expression in _expressions()
        for name in promql.figures(expression.replace("$__rate_interval", "5m")) - OF_PROMETHEUS
        if name not in known
    ]
    mislabeled = [
        (where, name, labels - known[name] - OF_TARGETS)
        for where, expression in _expressions()
        for name, labels in promql.labels(expression)
        if known.get(name) and labels - known[name] - OF_TARGETS
    ]

    assert unknown == []
    assert mislabeled == []


def test_every_figure_of_the_platform_is_on_the_dashboard(shown: dict[str, dict[str, set[str]]]) -> None:
    drawn = {name for _, expression in _expressions() for name in promql.figures(expression)}
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in drawn}
    ours = {
        re.sub(r"_(bucket|sum|count|total)$", "", name)
        for names in shown.values()
        for name in names
        if name.startswith("weir_")
    }

    assert ours - families == set()


def test_the_document_explains_every_figure_of_the_platform(shown: dict[str, dict[str, set[str]]]) -> None:
    told = set(re.findall(r"`((?:weir|process)_\w+)`", (ROOT / "docs/operations.md").read_text()))
    names = {name for each in shown.values() for name in each}
    whole = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if name.startswith("weir_")}

    assert whole - told == {"weir_build_info"}
    assert told - names - whole == set()


def test_no_label_names_a_merchant_payment_card_or_address(home: Path, platform: Up) -> None:
    text = "\n".join(_scraped(target.address) for target in targets(home))

    assert re.findall(r"acct_\w+|pi_\w+|tok_\w+|pm_\w+", text) == []
    assert [word for word in PERSONAL if word in text] == []


def test_alerts_are_rules_that_prometheus_reads() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert promql.is_balanced(rule["expr"])
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_the_dashboard_can_be_imported_and_has_a_row_for_each_hop() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]

    assert {"API", "Commit", "Log", "Flow", "Reply", "Acquirer"} <= set(rows)
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"]
    assert [item["type"] for item in DASHBOARD["templating"]["list"]] == ["datasource"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not any(_overlap(one, other) for one, other in combinations(places, 2))
    for panel in PANELS:
        assert panel["type"] in ("timeseries", "stat")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        assert all(promql.is_balanced(target["expr"]) for target in panel["targets"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_a_payment_is_traced_from_http_through_the_log_to_the_decision_and_back(
    platform: Up, receiver: Receiver
) -> None:
    def whole() -> list[list[Sent]]:
        traces: dict[str, list[Sent]] = {}
        for span in receiver.spans:
            traces.setdefault(span.trace, []).append(span)
        wanted = {"commit", "log", "flow and reply", "acquirer", "decision", "append to decisions"}
        return [spans for spans in traces.values() if {span.name for span in spans} >= wanted]

    _until(lambda: len(whole()) >= PAYMENTS)

    for spans in whole():
        (first,) = [span for span in spans if not span.parent]
        others = {span.name: span for span in spans if span.parent}
        assert first.name == "POST /v1/payment_intents"
        assert {span.parent for span in others.values()} == {first.span}
        assert others["decision"].program == others["append to decisions"].program == "pipelines.risk"
        assert others["append to assessments"].program == "gateway.api"
        assert all(first.began_ns <= span.began_ns <= span.ended_ns for span in spans)
        in_line = [
            others[name] for name in ("commit", "log", "flow and reply", "acquirer", "commit of the end")
        ]
        assert sum(span.ended_ns - span.began_ns for span in in_line) <= first.ended_ns - first.began_ns
        assert [one.ended_ns for one in in_line[:-1]] == [one.began_ns for one in in_line[1:]]


def test_no_span_holds_anything_of_a_person_or_card(platform: Up, receiver: Receiver) -> None:
    _until(lambda: receiver.bodies)
    everything = b"\n".join(receiver.bodies)

    assert [word for word in PERSONAL if word.encode() in everything] == []
    assert re.findall(rb"sk_test_\w+|tok_\w+", everything) == []


def test_top_prints_one_frame_without_color_in_80_and_in_120_columns(platform: Up, home: Path) -> None:
    for columns in (80, 120):
        printed = weir("top", "--home", str(home), "--once", seconds_max=60, COLUMNS=str(columns))

        assert printed.returncode == 0, printed.stderr
        assert "\x1b" not in printed.stdout
        assert max(len(line) for line in printed.stdout.splitlines()) <= columns
        for word in ("payments/s", "acquirer", "gateway.api", "behind the log", "dead letters"):
            assert word in printed.stdout


def test_top_tells_a_script_the_same_as_json(platform: Up, home: Path) -> None:
    printed = weir("top", "--home", str(home), "--json", seconds_max=60)
    told = json.loads(printed.stdout)

    assert told["totals"]["payments"] >= PAYMENTS
    assert told["totals"]["dead_letters"] == 0
    assert {process["program"] for process in told["processes"]} == SHOWING
    assert set(told["hops"]) == {"api", "commit", "log", "flow", "reply", "acquirer"}
    assert told["away"] == []


def test_top_says_in_a_sentence_that_nothing_runs(tmp_path: Path) -> None:
    printed = weir("top", "--home", str(tmp_path), "--once", seconds_max=60)

    assert printed.returncode == 1
    assert "weir top:" in printed.stderr
    assert "weir up --home" in printed.stderr
