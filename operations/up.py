"""`weir up`: the platform in the foreground, until a signal or a program that gives up."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from events.errors import EventsError
from gateway.errors import GatewayError
from operations import platform
from operations.errors import OperationsError
from operations.platform import Platform
from operations.settings import Settings

EXPECTED = (OperationsError, EventsError, GatewayError, OSError)
"""What may go wrong with a set-up: a sentence is enough; anything else is a fault and shows where."""


def run(options: Callable[[], Settings]) -> int:
    """Exit status: 0 after Ctrl-C or SIGTERM, 1 when something failed (said in a sentence on stderr)."""
    console = Console(stderr=True, highlight=False)
    try:
        return asyncio.run(_up(options(), console))
    except EXPECTED as error:
        return complain("weir up", error)


def complain(command: str, error: Exception) -> int:
    """Say what went wrong, in a sentence; the exit status."""
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]{command}:[/] {escape(str(error))}", soft_wrap=True)
    return 1


async def _up(wanted: Settings, console: Console) -> int:
    stop = asyncio.Event()
    with_signals(stop.set)
    report = reporter(console)
    async with platform.running(wanted, report) as running:
        welcome(running, Console(file=sys.stdout, highlight=False))
        await until_stopped(running, stop)
        report("Stopping")
    report("Stopped.")
    return 0


def reporter(console: Console) -> Callable[[str], None]:
    """What happens to the programs, one line each with its time."""
    return lambda line: console.print(
        f"[dim]{datetime.now(UTC):%H:%M:%SZ}  {escape(line)}[/]", soft_wrap=True
    )


def with_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGINT and SIGTERM; a second one does no more than the first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def until_stopped(running: Platform, stop: asyncio.Event) -> None:
    """Return when `stop` is set; raises `ProgramFailedError` when a program was given up."""
    stopped = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {stopped, running.supervisor.failed}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if running.supervisor.failed.done():
        raise running.supervisor.failed.result()


def welcome(running: Platform, console: Console) -> None:
    """Say where things are, and what to try."""
    home, key = running.settings.home, running.test_key
    console.print("Weir is up." if key else "Weir is up, for live payments alone.", style="bold")
    console.print(
        f"  page       {running.page}",
        f"  API        {running.api}",
        f"  processor  {running.processor}   (card numbers go here alone; its CA: {running.ca})",
        *([f"  test key   {key}"] if key else []),
        f"  logs       {home / 'logs'}",
        "",
        "Try, in another terminal:",
        *(_first_payment(running, key) if key else _first_live_key(home)),
        *(f"  weir {command} --home {home}" for command in ("topics", "doctor", "explain PAYMENT")),
        sep="\n",
        soft_wrap=True,
        markup=False,
    )


def _first_payment(running: Platform, key: str) -> list[str]:
    bearer = f"-H 'Authorization: Bearer {key}'"
    return [
        f"  curl --cacert {running.ca} {running.processor}/v1/tokens {bearer} \\",
        "    -d 'card[number]=4242424242424242' -d 'card[exp_month]=12' -d 'card[exp_year]=2030' "
        "-d 'card[cvc]=123'",
        f"  curl {running.api}/v1/payment_intents {bearer} -d amount=1999 -d currency=eur",
        f"  curl {running.api}/v1/payment_intents/INTENT/confirm {bearer} -d payment_method=TOKEN \\",
        "    -d 'risk_context[ip]=203.0.113.7' -d 'risk_context[device_id]=laptop' "
        "-d 'risk_context[email]=jo@example.org'",
    ]


def _first_live_key(home: Path) -> list[str]:
    return [
        f"  weir merchants create acct_shop --name Shop --category 5999 --country DE --home {home}",
        f"  weir merchants activate acct_shop --home {home}",
        f"  weir api-keys create acct_shop --live --home {home}",
    ]
