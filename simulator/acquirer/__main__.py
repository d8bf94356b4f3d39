"""The acquirer network as a program: `python -m simulator.acquirer --home D --certificates D --port N`."""

import argparse
import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

from events.clock import SystemClock
from events.programs import announce, log_as_json
from simulator.acquirer.books import Books
from simulator.acquirer.certificates import folder_of, issuers_secret, public_context, server_context
from simulator.acquirer.errors import CertificatesError
from simulator.acquirer.network import Network
from simulator.acquirer.server import Server
from simulator.acs.app import IssuersServer, Listener, directory_app, pages_app, serving
from simulator.acs.directory import Directory


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; 0 after a clean stop, 1 where there is no certificate."""
    settings = _settings(arguments)
    # Card numbers pass through this process's memory.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log_as_json()
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
    issuers = await _issuers_server(settings, folder, Directory(clock, os.urandom, secret))
    listening = await asyncio.start_server(server.member, host, settings.port, ssl=server_context(folder))
    announce("simulator.acquirer", port=listening.sockets[0].getsockname()[1])
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    listening.close()
    await issuers.stop()
    if not working.done():
        working.cancel()
    # A worker that ended by itself has failed: the program ends with its error.
    with suppress(asyncio.CancelledError):
        await working
    books.close()


async def _issuers_server(settings: argparse.Namespace, folder: Path, directory: Directory) -> IssuersServer:
    """The issuers' access control server, where ports are given for it."""
    listeners = []
    if settings.directory_port is not None:
        pages = f"https://{settings.pages_host}:{settings.pages_port}"
        members = directory_app(directory, pages)
        listeners += [
            Listener(members, settings.host, settings.directory_port, server_context(folder)),
            Listener(pages_app(directory), settings.pages_host, settings.pages_port, public_context(folder)),
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
    parser.add_argument("--directory-port", type=int, help="of the issuers' server, for members")
    parser.add_argument("--pages-host", default="127.0.0.1", help="of the issuers' pages, for cardholders")
    parser.add_argument("--pages-port", type=int)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
