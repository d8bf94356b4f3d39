"""The API process: `python -m gateway.api --home DIR --keys DIR --log URL --processor URL …`."""

import argparse
import asyncio
import secrets
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from events.clock import SystemClock
from events.log.opening import open_log
from events.programs import announce, leave, log_as_json
from gateway.api.application import make_application
from gateway.api.internal import make_internal_application
from gateway.geo import Geography
from gateway.hardening import forbid_core_dumps
from gateway.http.listening import Listener, bind, serve_until
from gateway.keys.keyring import open_keyring
from gateway.keys.tls import client_context, ensure_certificates, server_context
from gateway.processor_client import HttpProcessor
from gateway.scheduling import ThreadScheduling
from gateway.store.database import open_engine
from gateway.store.writer import Store
from gateway.wiring import Gateway, Surroundings


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m gateway.api", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the operational store is kept")
    parser.add_argument("--keys", type=Path, required=True, help="where secrets and certificates are kept")
    parser.add_argument("--log", required=True, help="sqlite:///PATH or kafka://HOST:PORT")
    parser.add_argument("--store", help="the operational store (default: sqlite in --home)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--internal-port", type=int, default=0)
    parser.add_argument("--processor", required=True, help="the processor's internal listener")
    parser.add_argument(
        "--deadline-ms", type=int, required=True, help="how long a confirm waits for a decision"
    )
    parser.add_argument("--addresses", type=Path, help="CSV: first,last,country of IP addresses")
    parser.add_argument("--bins", type=Path, help="CSV: first,last,country of card prefixes")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options.home.mkdir(parents=True, exist_ok=True)
    ensure_certificates(options.keys, datetime.now(UTC))
    scheduling = ThreadScheduling()
    log = open_log(options.log)
    processor = HttpProcessor(options.processor, client_context(options.keys, "api", "internal"))
    store_url = options.store or f"sqlite:///{(options.home / 'gateway.sqlite').absolute()}"
    gateway = Gateway(
        Surroundings(
            clock=SystemClock(),
            entropy=secrets.token_bytes,
            scheduling=scheduling,
            store=Store(open_engine(store_url), scheduling),
            log=log,
            processor=processor,
            keyring=open_keyring(options.keys),
            geography=Geography(options.addresses, options.bins),
            deadline_seconds=options.deadline_ms / 1000,
        )
    )
    failed = asyncio.Event()

    def give_up() -> None:
        failed.set()
        stop.set()

    await gateway.start(give_up)
    try:
        await listen(gateway, options, stop)
    finally:
        await gateway.stop()
        await processor.close()
        log.close()
    if failed.is_set():
        raise SystemExit("gateway.api: what moves payments on has failed (see above); start it again")


async def listen(gateway: Gateway, options: argparse.Namespace, stop: asyncio.Event) -> None:
    """Open both listeners, say so, and close them when asked to stop."""
    public = Listener(make_application(gateway), bind(options.host, options.port))
    internal = Listener(
        make_internal_application(gateway),
        bind(options.host, options.internal_port),
        server_context(options.keys, "api", "internal"),
    )

    await serve_until(
        stop,
        (public, internal),
        lambda: announce("gateway.api", port=public.port, internal_port=internal.port),
    )


def main(arguments: list[str]) -> None:
    """Run the API until it is asked to stop."""
    options = parse(arguments)
    forbid_core_dumps()
    log_as_json()
    uvloop.run(serve(options))


if __name__ == "__main__":
    main(sys.argv[1:])
    leave()
