"""How `weir top` looks: tables side by side where the terminal is wide, below each other where it is not."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from operations.frame import Frame, Latency

WIDE_COLUMNS = 110
"""From which width on two tables stand side by side."""

LAGS = 1_000
"""Records behind from which on a lag is marked: some ten seconds of payments."""


def drawn(frame: Frame, columns: int) -> RenderableType:
    """One frame for a terminal of this width."""
    left: Sequence[RenderableType] = (_payments(frame), _latencies(frame))
    right: Sequence[RenderableType] = (_processes(frame), _lag(frame))
    if columns < WIDE_COLUMNS:
        return Group(_head(frame), *left, *right)
    beside = Table.grid(padding=(0, 3, 0, 0))
    beside.add_row(Group(*left), Group(*right))
    return Group(_head(frame), beside)


def _head(frame: Frame) -> RenderableType:
    rates, totals = frame.rates, frame.totals
    line = Text.assemble(
        ("weir ", "bold"),
        f"{rates.payments:.1f} payments/s  {rates.requests:.1f} requests/s  "
        f"{rates.decisions:.1f} decisions/s  {rates.labels:.1f} labels/s",
    )
    second = Text(
        f"     confirm p50 {_ms(frame.confirm.p50_ms)}  p99 {_ms(frame.confirm.p99_ms)} ms"
        f"  in flight {totals.flights}  outbox {totals.outbox_unsent}"
        f"  over {frame.seconds:.0f} s"
    )
    away = [Text(f"     no answer: {', '.join(frame.away)}", style="bold red")] if frame.away else []
    return Group(line, second, *away)


def _payments(frame: Frame) -> Table:
    rates, totals = frame.rates, frame.totals
    table = _table("payments", "/s", "", "since start")
    share = "–" if rates.fallback_share is None else f"{rates.fallback_share:.2%}"
    for outcome, rate in rates.outcomes.items():
        table.add_row(outcome, f"{rate:.1f}", "", "")
    table.add_row("all", f"{rates.payments:.1f}", "", f"{totals.payments:,}")
    table.add_row(_marked("fallbacks", totals.fallbacks), share, "", f"{totals.fallbacks:,}")
    table.add_row("late decisions", "", "", f"{totals.late_decisions:,}")
    table.add_row(_marked("refused (429, 503)", rates.refused), f"{rates.refused:.1f}", "", "")
    table.add_row(_marked("dead letters", totals.dead_letters), "", "", f"{totals.dead_letters:,}")
    table.add_row("labels learned", f"{rates.labels:.1f}", "", f"{totals.learned_labels:,}")
    for kind, version in totals.models.items():
        table.add_row(f"model: {kind}", "", "", f"{version:,}")
    return table


def _latencies(frame: Frame) -> Table:
    table = _table("hop", "mean ms", "p50 ms", "p99 ms")
    for hop, latency in frame.hops.items():
        table.add_row(hop, *_cells(latency))
    table.add_row("the whole", *_cells(frame.whole), style="bold")
    return table


def _processes(frame: Frame) -> Table:
    table = _table("process", "CPU %", "MiB", "")
    for process in frame.processes:
        table.add_row(process.program, f"{process.cpu_percent:.0f}", f"{process.memory_mib:.0f}", "")
    for program in frame.away:
        table.add_row(Text(program, style="red"), "–", "–", "away")
    return table


def _lag(frame: Frame) -> Table:
    table = _table("behind the log", "records", "", "")
    for consumer, topics in frame.lag_records.items():
        behind = {topic: records for topic, records in topics.items() if records}
        worst = max(behind.values(), default=0)
        where = ", ".join(f"{topic} {records:,}" for topic, records in behind.items())
        name = Text(consumer, style="yellow" if worst >= LAGS else "")
        table.add_row(name, f"{sum(behind.values()):,}", "", where)
    totals = frame.totals
    checkpoint = f"p99 {_ms(totals.checkpoint_p99_ms)} ms"
    table.add_row("checkpoint", f"{totals.epoch:,}", "", checkpoint)
    for place, rows in totals.state_rows.items():
        table.add_row(f"rows {place}", f"{rows:,}", "", "")
    if totals.disk_free_gib is not None:
        table.add_row("disk free", f"{totals.disk_free_gib:.1f}", "", "GiB")
    return table


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold cyan")
    first, *others = titles
    table.add_column(first, no_wrap=True, min_width=18)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True, min_width=7)
    return table


def _cells(latency: Latency) -> tuple[str, str, str]:
    return _ms(latency.mean_ms), _ms(latency.p50_ms), _ms(latency.p99_ms)


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:.1f}"


def _marked(words: str, amount: float) -> Text:
    return Text(words, style="yellow" if amount else "")
