"""The processor process: its adapters are chosen here, and it runs until SIGTERM.

`python -m gateway.processor --home DIR --keys DIR --host HOST --port N --internal-port M
--api HOST:PORT --acquirer HOST:PORT`
"""

import argparse
import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import uvloop

from events.clock import SystemClock
from events.metrics import add_metrics_port, serve_metrics
from events.program_logs import LogLevel, add_log_level, log_as_json
from events.programs import announce, leave, spare_what_stays
from gateway.business_time import BusinessTime
from gateway.hardening import allow_open_files, forbid_core_dumps
from gateway.http.listening import Listener, bind, serve_until
from gateway.http.proxies import add_trusted_proxy, trusted
from gateway.keys.tls import client_context, ensure_certificates, server_context
from gateway.link.answering import LinkListener
from gateway.live_home import is_live_home
from gateway.pressure.measuring import Gauge
from gateway.processor import vault_rows
from gateway.processor.acquirer_link import AcquirerLink
from gateway.processor.api_listener import ApiListener
from gateway.processor.api_pay_desk import ApiPayDesk
from gateway.processor.api_registry import ApiRegistry
from gateway.processor.composition import ProcessorParts, assemble
from gateway.processor.directory_link import DirectoryLink, NoDirectory
from gateway.processor.internal import internal_methods
from gateway.processor.pay import Pay
from gateway.processor.public_app import PublicListener
from gateway.processor.rails_link import HttpRails, NoRails
from gateway.processor.rotation import rotate
from gateway.processor.store import ProcessorStore
from gateway.processor.vault_keys import open_vault_keys
from gateway.scheduling import ThreadScheduling, run_for_good


@dataclass(frozen=True)
class Settings:
    """The program's arguments."""

    home: Path
    keys: Path
    host: str
    port: int
    internal_port: int
    api: str
    acquirer: str
    directory: str | None
    rotate_vault_keys: bool
    trusted_proxy: list[str]
    log_level: LogLevel
    metrics_port: int | None


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; exit status 0 after a clean stop."""
    settings = _settings(arguments)
    forbid_core_dumps()
    allow_open_files()
    os.umask(0o077)
    log_as_json(settings.log_level)
    serve_metrics(settings.metrics_port)
    uvloop.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock, scheduling = SystemClock(), ThreadScheduling()
    settings.home.mkdir(parents=True, exist_ok=True)
    ensure_certificates(settings.keys, clock.now(), hosts=(settings.host,))
    store = ProcessorStore(settings.home / "processor.sqlite", scheduling)
    link, registry = _link(settings, clock, scheduling), _registry(settings)
    keys = open_vault_keys(
        settings.keys, os.urandom, vault_is_empty=await store.transact(vault_rows.vault_is_empty)
    )
    if settings.rotate_vault_keys:
        keys = await rotate(store, settings.keys, os.urandom)
    directory, rails, listener = _directory(settings), _rails(settings), _listener(settings)
    desk = _desk(settings)
    public = bind(settings.host, settings.port)
    processor = assemble(
        store=store,
        network=link,
        registry=registry,
        keys=keys,
        clock=clock,
        scheduling=scheduling,
        entropy=os.urandom,
        directory=directory,
        listener=listener,
        return_base=f"https://{settings.host}:{public.getsockname()[1]}",
        rails=rails,
    )
    await processor.cards.recover()
    failed = asyncio.Event()

    def give_up() -> None:
        failed.set()
        stop.set()

    run_for_good(scheduling, processor.keep_house(scheduling), "housekeeping", give_up)
    gauge = Gauge(scheduling, store.delays)
    run_for_good(scheduling, gauge.run(), "gauge", give_up)
    await _serve(settings, processor, clock, stop, public, desk, gauge)
    for peer in (registry, directory, rails, listener, desk):
        await peer.close()
    await link.close()
    await scheduling.stop()
    store.close()
    if failed.is_set():
        raise SystemExit("gateway.processor: its housekeeping has failed (see above); start it again")


async def _serve(
    settings: Settings,
    processor: ProcessorParts,
    clock: SystemClock,
    stop: asyncio.Event,
    bound: socket.socket,
    desk: ApiPayDesk,
    gauge: Gauge,
) -> None:
    public = PublicListener(
        tokens=processor.tokens,
        cards=processor.cards,
        rails=processor.rails,
        pay=Pay(tokens=processor.tokens, desk=desk, entropy=os.urandom),
        time=BusinessTime(clock),
        clock=clock,
        live_alone=is_live_home(settings.home),
    )
    shoppers = Listener(
        public.app(),
        bound,
        server_context(settings.keys, "processor", "public"),
        proxies=trusted(settings.trusted_proxy),
    )
    internal = LinkListener(
        internal_methods(processor.port, gauge),
        bind(settings.host, settings.internal_port),
        server_context(settings.keys, "processor", "internal"),
    )
    spare_what_stays()
    await serve_until(stop, (shoppers, internal), lambda: announce("gateway.processor", port=shoppers.port))


def _link(settings: Settings, clock: SystemClock, scheduling: ThreadScheduling) -> AcquirerLink:
    host, _, port = settings.acquirer.rpartition(":")
    context = client_context(settings.keys, "processor", "network")
    return AcquirerLink(host.strip("[]"), int(port), context=context, clock=clock, scheduling=scheduling)


def _registry(settings: Settings) -> ApiRegistry:
    return ApiRegistry(settings.api, client_context(settings.keys, "processor", "internal"))


def _directory(settings: Settings) -> DirectoryLink | NoDirectory:
    if settings.directory is None:
        return NoDirectory()
    return DirectoryLink(settings.directory, client_context(settings.keys, "processor", "network"))


def _desk(settings: Settings) -> ApiPayDesk:
    return ApiPayDesk(settings.api, client_context(settings.keys, "processor", "internal"))


def _rails(settings: Settings) -> HttpRails | NoRails:
    if settings.directory is None:
        return NoRails()
    return HttpRails(settings.directory, client_context(settings.keys, "processor", "network"))


def _listener(settings: Settings) -> ApiListener:
    return ApiListener(settings.api, client_context(settings.keys, "processor", "internal"))


def _settings(arguments: list[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m gateway.processor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where processor.sqlite lives")
    parser.add_argument("--keys", type=Path, required=True, help="where keys and certificates live")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="public TLS listener; 0 takes a free port")
    parser.add_argument("--internal-port", type=int, required=True, help="mutual TLS listener for the API")
    parser.add_argument("--api", required=True, help="HOST:PORT of the API's internal listener")
    parser.add_argument("--acquirer", required=True, help="HOST:PORT of the acquirer network")
    parser.add_argument("--directory", help="of cardholders' issuers and accounts' rails, https://HOST:PORT")
    parser.add_argument("--rotate-vault-keys", action="store_true", help="wrap every card anew, then start")
    add_trusted_proxy(parser)
    add_log_level(parser)
    add_metrics_port(parser)
    return Settings(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    leave(main())
