"""The acquirer network as a program: `python -m simulator.acquirer --home D --certificates D --port N`."""

import argparse
import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

from starlette.applications import Starlette

from events.clock import SystemClock
from events.metrics import add_metrics_port, serve_metrics
from events.program_logs import add_log_level, log_as_json
from events.programs import announce
from simulator.acquirer.books import Books
from simulator.acquirer.certificates import folder_of, issuers_secret, public_context, server_context
from simulator.acquirer.errors import CertificatesError
from simulator.acquirer.network import Network
from simulator.acquirer.server import Server
from simulator.acs.app import IssuersServer, Listener, directory_app, pages_app, serving
from simulator.acs.books import ChallengeBooks
from simulator.acs.directory import Directory
from simulator.rails.app import members_app, payers_app, tell_due, work
from simulator.rails.books import RailsBooks
from simulator.rails.notices import Notices, nobody
from simulator.rails.switch import Switch


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; 0 after a clean stop, 1 where there is no certificate."""
    settings = _settings(arguments)
    # Card numbers pass through this process's memory.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log_as_json(settings.log_level)
    serve_metrics(settings.metrics_port)
    try:
        folder = folder_of(settings.certificates)
    except CertificatesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    asyncio.run(_serve(settings, folder))
    return 0


async def _serve(settings: argparse.Namespace, folder: Path) -> None:
    home, host = settings.home, settings.host
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    home.mkdir(parents=True, exist_ok=True)
    books = Books(home / "acquirer.sqlite")
    clock, secret = SystemClock(), issuers_secret(folder)
    server = Server(Network(books, clock, secret, down=settings.down))
    working = asyncio.create_task(server.work())
    rails = RailsBooks(home / "rails.sqlite")
    switch = Switch(rails, clock, os.urandom)
    notices = Notices(settings.notify, folder) if settings.notify else None
    telling = asyncio.create_task(work(switch, notices.tell if notices else nobody))
    challenges = ChallengeBooks(home / "challenges.sqlite")
    directory = Directory(challenges, clock, os.urandom, secret)
    issuers = await _pages(settings, folder, directory, switch, notices)
    listening = await asyncio.start_server(server.member, host, settings.port, ssl=server_context(folder))
    announce("simulator.acquirer", port=listening.sockets[0].getsockname()[1])
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([working, telling, stopping], return_when=asyncio.FIRST_COMPLETED)
    listening.close()
    await issuers.stop()
    # A worker that ended by itself has failed: the program ends with its error.
    for worker in (working, telling):
        if not worker.done():
            worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    if notices is not None:
        await notices.close()
    books.close()
    rails.close()
    challenges.close()


async def _pages(
    settings: argparse.Namespace,
    folder: Path,
    directory: Directory,
    switch: Switch,
    notices: Notices | None,
) -> IssuersServer:
    """The issuers' access control server and the accounts' rails, where ports are given for them."""
    listeners = []
    if settings.directory_port is not None:
        pages = f"https://{settings.pages_host}:{settings.pages_port}"
        routes = [*directory_app(directory, pages).routes, *members_app(switch, pages).routes]
        members = Starlette(routes=routes)
        tell = notices.tell if notices else nobody
        payers = payers_app(switch, lambda: tell_due(switch, tell))
        people = Starlette(routes=[*pages_app(directory).routes, *payers.routes])
        listeners += [
            Listener(members, settings.host, settings.directory_port, server_context(folder)),
            Listener(people, settings.pages_host, settings.pages_port, public_context(folder)),
        ]
    return await serving(listeners)


def _settings(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.acquirer", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where acquirer.sqlite lives")
    parser.add_argument(
        "--certificates", type=Path, required=True, help="folder of the network's certificate"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free port")
    parser.add_argument(
        "--down",
        action="append",
        default=[],
        metavar="ISSUER",
        help="gives no answer, as visa-DE; again for more",
    )
    parser.add_argument(
        "--directory-port", type=int, help="of the issuers' server and the rails, for members"
    )
    parser.add_argument("--pages-host", default="127.0.0.1", help="of the issuers' pages, for cardholders")
    parser.add_argument("--pages-port", type=int)
    parser.add_argument("--notify", help="where the rails tell of an order, https://HOST:PORT/PATH")
    add_log_level(parser)
    add_metrics_port(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
