"""`python -m dashboards.live`: the live page, fed by following the log."""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn

from dashboards.explanations import Explainer
from dashboards.live_page import Fragments, Streams, application
from dashboards.live_view import LiveView
from dashboards.tail import Tail
from events.metrics import add_metrics_port, serve_metrics
from events.program_logs import LogLevel, add_log_level, log_as_json
from events.programs import announce, leave


class Server(uvicorn.Server):
    """Tells open streams to end when the program is asked to stop: they never end by themselves."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop with exit status 0; uvicorn's own way raises the signal once more when all is done."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self._streams.stopping.set()
        self.should_exit = True


@dataclass(frozen=True)
class Settings:
    """The program's arguments."""

    log: str
    host: str
    port: int
    log_level: LogLevel
    metrics_port: int | None


async def main(settings: Settings) -> None:
    """Serve until asked to stop; says `ready` when the port is open."""
    log_as_json(settings.log_level)
    view, streams = LiveView(), Streams()
    tail = Tail(settings.log, view)
    listener = socket.create_server((settings.host, settings.port))
    config = uvicorn.Config(
        application(Fragments(view, tail), streams, Explainer(settings.log)),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    serve_metrics(settings.metrics_port)
    tail.start()
    announce("dashboards.live", port=listener.getsockname()[1])
    try:
        await Server(config, streams).serve([listener])
    finally:
        tail.stop()


def parse(words: list[str]) -> Settings:
    """The arguments."""
    parser = argparse.ArgumentParser(prog="dashboards.live", description=__doc__)
    parser.add_argument("--log", required=True, help="URL of the log")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    add_log_level(parser)
    add_metrics_port(parser)
    return Settings(**vars(parser.parse_args(words)))


if __name__ == "__main__":
    asyncio.run(main(parse(sys.argv[1:])))
    leave()
