"""What a demo shows: live while it runs, and as tables at its end."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from operations.defaults import DEFAULT_DEADLINE_MS
from operations.tally import HONEST, PART_DAYS, Tally
from simulator.traffic.month import DAYS

SCENARIO_WORDS = {
    HONEST: "honest shopping",
    "card_testing": "card testing",
    "stolen_card_spree": "stolen card spree",
    "account_takeover": "account takeover",
    "code_guessing": "guessed codes",
    "bust_out_merchant": "bust-out merchant",
    "friendly_fraud": "friendly fraud",
}


def live(tally: Tally, page: str) -> RenderableType:
    """Everything at a glance, redrawn while the month passes."""
    return Group(
        Text(f"Live page: {page}", style="bold"),
        ProgressBar(total=DAYS, completed=min(tally.days, DAYS), width=60),
        figures(tally, f"Day {min(tally.days, DAYS):.1f} of {DAYS:.0f}"),
        by_scenario(tally),
    )


def line(tally: Tally) -> str:
    """The same in one line, for a log."""
    return (
        f"day {tally.days:4.1f}  {tally.payments} payments  "
        f"{tally.passed} passed, {tally.decisions['review']} held, {tally.decisions['block']} "
        f"blocked  caught {tally.caught} of {tally.frauds}  labels learned {tally.learned}  "
        f"p50 {_ms(tally.confirm_ms(0.5))}"
    )


def figures(tally: Tally, title: str) -> Table:
    """The summary."""
    table = Table(title=title, show_header=False, min_width=60, title_justify="left")
    table.add_column("figure", style="dim")
    table.add_column("value")
    decided = tally.decisions.total()
    rate = f"  (planned at {tally.planned_rate:g} a second)" if tally.planned_rate else ""
    left_out = f"  {tally.left_out} left out: the machine fell behind" if tally.left_out else ""
    table.add_row("payments", f"{tally.payments}{rate}{left_out}")
    for words, count in (
        ("passed", tally.passed),
        ("declined by the bank", tally.declined),
        ("held for review", tally.decisions["review"]),
        ("blocked", tally.decisions["block"]),
    ):
        table.add_row(words, f"{count}{_share(count, decided)}")
    table.add_row("tried by UPI", str(tally.methods["upi"]))
    table.add_row("caught fraud", f"{tally.caught} of {tally.frauds}{_share(tally.caught, tally.frauds)}")
    for part in sorted(tally.frauds_by_part):
        caught, frauds = tally.caught_by_part[part], tally.frauds_by_part[part]
        days = f"  days {part * PART_DAYS + 1} to {(part + 1) * PART_DAYS}"
        table.add_row(days, f"{caught} of {frauds}{_share(caught, frauds)}")
    honest = tally.payments - tally.frauds
    table.add_row("false alarms", f"{tally.false_alarms} of {honest}{_share(tally.false_alarms, honest)}")
    precision = tally.average_precision()
    table.add_row("average precision", "–" if precision is None else f"{precision:.3f}")
    latencies = " / ".join(_ms(tally.confirm_ms(share)) for share in (0.5, 0.95, 0.99))
    table.add_row("confirm p50 / p95 / p99", f"{latencies}  (request to answer, bank and disk included)")
    late, answered = tally.answered_after(DEFAULT_DEADLINE_MS)
    table.add_row(
        f"slower than {DEFAULT_DEADLINE_MS} ms",
        f"{late}{_share(late, answered)}  (`weir up` waits that long for the decision, bank and disk apart)",
    )
    table.add_row("fallbacks", f"{tally.fallbacks}{_share(tally.fallbacks, decided)}")
    table.add_row("labels reported", str(tally.labels.total()))
    table.add_row("reported labels learned", str(tally.learned))
    for what, count in tally.errors.most_common(5):
        table.add_row("[red]failed calls[/]", f"{count} × {escape(what)}")
    return table


def learning_note(tally: Tally) -> str:
    """What to hold the average precision against."""
    return (
        "Average precision counts every payment, also those scored before anything was learned. Labels "
        f"called {len(tally.known_frauds)} payments fraud (one verdict in ten is wrong); a longer "
        "demo (--seconds) learns from more."
    )


def by_scenario(tally: Tally) -> Table:
    """What became of each scenario's payments."""
    table = Table(min_width=60)
    table.add_column("scenario")
    for name in ("payments", "blocked", "held", "declined", "passed"):
        table.add_column(name, justify="right")
    for name, words in SCENARIO_WORDS.items():
        counts = tally.by_scenario.get(name)
        if counts is None:
            continue
        passed = counts["allow"] - counts["declined"]
        values = (counts["payments"], counts["block"], counts["review"], counts["declined"], passed)
        table.add_row(words, *(str(value) for value in values))
    return table


def _share(part: int, whole: int) -> str:
    return f"  ({part / whole:.1%})" if whole else ""


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
