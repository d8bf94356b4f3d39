"""`weir demo`: the platform, and a month of shoppers and fraudsters in a minute.

A test machine runs everything, the traffic included, on a few cores: a demo therefore waits longer for a
decision than production would, says how long it took, and fails when over one in a hundred came too late.
"""

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from gateway.errors import HomeError
from gateway.live_home import is_live_home
from operations import demo_screen, merchants, platform, processes
from operations.errors import TrafficError
from operations.learned import Learned
from operations.platform import Platform
from operations.processes import LogFile, Program
from operations.settings import Settings
from operations.tally import Tally
from operations.up import EXPECTED, complain, reporter, with_signals
from simulator.traffic.pace import STRETCH_MAX

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

REDRAW_SECONDS = 0.25
LINE_SECONDS = 5.0
LEARNING_SECONDS_MAX = 60.0
"""How long after the traffic the first learned label is waited for."""
TRAFFIC_SECONDS_EXTRA = 120.0
"""How much longer than planned the traffic may take before it is broken off."""


@dataclass(frozen=True)
class Traffic:
    """What shall pass, and how fast: payments a second of wall time, None for what the machine carries."""

    seconds: float
    rate: float | None
    seed: int


def run(options: Callable[[Path], Settings], home: Path | None, traffic: Traffic) -> int:
    """Exit status: 0 good, 1 with a sentence that says why not, 130 when it was stopped before its end."""
    console = Console(highlight=False)
    with _home(home) as place:
        try:
            wanted = options(place)
            if is_live_home(wanted.home):
                raise HomeError(
                    f"{wanted.home} takes live payments alone, and a demo's are of test mode: "
                    "give another --home, or none"
                )
            status = asyncio.run(_demo(wanted if home else _apart(wanted), traffic, console))
        except EXPECTED as error:
            return complain("weir demo", error)
    if home is None:
        kept = "The home of this run is removed; --home DIR keeps one."
    else:
        kept = f"Kept: {home}. Look again with: weir explain PAYMENT --home {home}"
    console.print(kept, style="dim", soft_wrap=True, markup=False)
    return status


@contextlib.contextmanager
def _home(home: Path | None) -> Iterator[Path]:
    """The given home, or one that is gone afterwards."""
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="weir-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "home"


def _apart(wanted: Settings) -> Settings:
    """A demo of its own on a broker that others use too has topics of its own there."""
    if not wanted.log.startswith("kafka://") or "/" in wanted.log.removeprefix("kafka://"):
        return wanted
    return replace(wanted, log=f"{wanted.log}/demo-{secrets.token_hex(4)}")


async def _demo(wanted: Settings, traffic: Traffic, console: Console) -> int:
    tally, stop = Tally(), asyncio.Event()
    with_signals(stop.set)
    async with platform.running(wanted, reporter(console)) as running:
        await asyncio.to_thread(merchants.ensure_demo_keys, wanted.home, wanted.keys)
        console.print(f"[bold]Live page:[/] {running.page}   API: {running.api}", soft_wrap=True)
        with Learned(running.log) as learned:
            seconds = await _pass_month(running, traffic, tally, learned, console, stop)
    console.print(demo_screen.figures(tally, f"{tally.days:.0f} days in {seconds:.0f} seconds"))
    console.print(demo_screen.learning_note(tally), style="dim")
    console.print(demo_screen.by_scenario(tally))
    if stop.is_set():
        console.print("Stopped as asked, before the month was over: this run is not judged.", soft_wrap=True)
        return INTERRUPTED
    faults = list(tally.faults())
    for fault in faults:
        console.print(f"[bold red]Not good:[/] {escape(fault)}", soft_wrap=True)
    return 1 if faults else 0


async def _pass_month(
    running: Platform,
    traffic: Traffic,
    tally: Tally,
    learned: Learned,
    console: Console,
    stop: asyncio.Event,
) -> float:
    """How many seconds the month took."""
    log = LogFile(running.settings.home / "logs" / "simulator.traffic.log")
    simulated = await processes.start(_program(running, traffic), log, tally.take)
    started = time.monotonic()
    deadline = started + traffic.seconds * STRETCH_MAX + TRAFFIC_SECONDS_EXTRA
    ended = asyncio.create_task(simulated.wait())
    try:
        with _screen(tally, running, console) as draw:
            while not ended.done() and not stop.is_set() and time.monotonic() < deadline:
                _raise_failure(running)
                tally.learned = await asyncio.to_thread(learned.look)
                draw()
                await asyncio.wait({ended}, timeout=REDRAW_SECONDS)
            took_seconds = time.monotonic() - started
            await _wait_for_learning(running, tally, learned, stop)
            draw()
    finally:
        tally.breaks_off = True
        await simulated.stop()
        await ended
        log.close()
    if ended.result() and not stop.is_set():
        tail = "\n".join(f"  {line}" for line in log.tail)
        raise TrafficError(f"the traffic ended with {ended.result()}. The end of its log:\n{tail}")
    return took_seconds


async def _wait_for_learning(running: Platform, tally: Tally, learned: Learned, stop: asyncio.Event) -> None:
    """The learner may still be at it when the last label was sent a moment ago."""
    deadline = time.monotonic() + LEARNING_SECONDS_MAX
    while tally.labels and not tally.learned and not stop.is_set() and time.monotonic() < deadline:
        _raise_failure(running)
        tally.learned = await asyncio.to_thread(learned.look)
        await asyncio.sleep(REDRAW_SECONDS)


@contextlib.contextmanager
def _screen(tally: Tally, running: Platform, console: Console) -> Iterator[Callable[[], None]]:
    """A live screen on a terminal; elsewhere a line now and then."""
    if console.is_terminal:
        # On a screen of its own: what is taller than the terminal could not be wiped, and stood there twice.
        with Live(console=console, auto_refresh=False, screen=True) as screen:
            yield lambda: screen.update(demo_screen.live(tally, running.page), refresh=True)
        return
    told = time.monotonic()

    def tell() -> None:
        nonlocal told
        if time.monotonic() - told > LINE_SECONDS:
            told = time.monotonic()
            console.print(demo_screen.line(tally), soft_wrap=True)

    yield tell


def _program(running: Platform, traffic: Traffic) -> Program:
    return Program(
        "simulator.traffic",
        (
            *("--api", running.api, "--processor", running.processor, "--ca", running.ca),
            *("--api-keys", str(merchants.demo_keys_file(running.settings.keys))),
            *("--seconds", str(traffic.seconds), "--seed", str(traffic.seed)),
            *(("--rate", str(traffic.rate)) if traffic.rate else ()),
        ),
    )


def _raise_failure(running: Platform) -> None:
    if running.supervisor.failed.done():
        raise running.supervisor.failed.result()
