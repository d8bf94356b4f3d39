"""Processor and acquirer as real processes, and a stand-in for the API's token registry, over mutual TLS."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx2

from gateway.errors import AuthenticationError
from gateway.http.listening import bind
from gateway.keys.tls import ensure_certificates, server_context
from gateway.link.answering import LinkListener
from gateway.link.methods import Served
from gateway.processor_port import TokenRegistered, TokenRegistration
from tests.linked import ask_once

ROOT = Path(__file__).parents[2]
GOOD_KEY = "sk_test_" + "0" * 48
READY_SECONDS_MAX = 60
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


class Registry:
    """The API's internal listener, as far as tokens go; it knows one key."""

    def __init__(self, keys: Path) -> None:
        self.registered: list[TokenRegistration] = []
        bound = bind("127.0.0.1", 0)
        self.port = bound.getsockname()[1]
        methods = {"register": Served(tuple[TokenRegistration], self._register)}
        self._listener = LinkListener(methods, bound, server_context(keys, "api", "internal"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listener.run_bound()))
        self._thread.start()

    async def _register(self, registration: TokenRegistration) -> TokenRegistered:
        if registration.api_key != GOOD_KEY:
            raise AuthenticationError()
        self.registered.append(registration)
        return TokenRegistered(merchant_id="mer_1", mode="test")

    def stop(self) -> None:
        self._listener.should_exit = True
        self._thread.join(30)


class Program:
    """A program under test; its log is kept to be searched."""

    def __init__(self, module: str, arguments: list[str], log: Path, crash_at: str | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "WEIR_CRASH_AT"}
        if crash_at is not None:
            environment["WEIR_CRASH_AT"] = crash_at
        self._log: IO[bytes] = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def ready(self) -> dict[str, Any]:
        """The line that the program prints when it is ready."""
        assert self.process.stdout is not None
        guard = threading.Timer(READY_SECONDS_MAX, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        assert line, f"the program ended with status {self.process.wait(30)} before it was ready"
        return dict(json.loads(line))

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        return self._end(signal.SIGKILL)

    def died(self) -> int:
        """The exit status of a program that is expected to die by itself."""
        return self._ended()

    def _end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._ended()

    def _ended(self) -> int:
        status = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        return status


class World:
    """One processor with its acquirer and its registry; programs can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.home, self.keys, self.log = folder / "home", folder / "keys", folder / "programs.log"
        self.home.mkdir()
        ensure_certificates(self.keys, datetime.now(UTC))
        self.registry = Registry(self.keys)
        self.acquirer_port, self.port, self.internal_port = free_port(), free_port(), free_port()
        self.acquirer: Program | None = None
        self.processor: Program | None = None

    def start_acquirer(self, crash_at: str | None = None, more: Sequence[str] = ()) -> None:
        arguments = ["--home", str(self.home), "--certificates", str(self.keys / "acquirer")]
        arguments += ["--port", str(self.acquirer_port)]
        self.acquirer = Program("simulator.acquirer", [*arguments, *more], self.log, crash_at)
        assert self.acquirer.ready()["port"] == self.acquirer_port

    def start_processor(self, crash_at: str | None = None, more: Sequence[str] = ()) -> None:
        arguments = ["--home", str(self.home), "--keys", str(self.keys), "--host", "127.0.0.1"]
        arguments += ["--port", str(self.port), "--internal-port", str(self.internal_port)]
        arguments += ["--api", f"127.0.0.1:{self.registry.port}"]
        arguments += ["--acquirer", f"127.0.0.1:{self.acquirer_port}"]
        self.processor = Program("gateway.processor", [*arguments, *more], self.log, crash_at)
        assert self.processor.ready() == {"ready": "gateway.processor", "port": self.port}

    def shopper(self) -> httpx2.Client:
        """A client of the public listener, with a good key."""
        headers = {"authorization": f"Bearer {GOOD_KEY}"}
        trusting = ssl.create_default_context(cafile=str(self.keys / "ca.pem"))
        return client(f"https://127.0.0.1:{self.port}", trusting, headers)

    def asked(self, method: str, *params: Any) -> dict[str, Any]:
        """What the processor answers to the API; raises `ProcessorUnavailableError` where it dies over it."""
        return ask_once(self.keys, self.internal_port, method, *params)

    def token(self, number: str = "4242424242424242", cvc: str = "737") -> str:
        card = {"number": number, "exp_month": 12, "exp_year": 2031, "cvc": cvc}
        with self.shopper() as shopper:
            answer = shopper.post("/v1/tokens", json={"card": card})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def stop(self) -> list[int]:
        statuses = [program.stop() for program in (self.processor, self.acquirer) if program is not None]
        self.registry.stop()
        self.processor = self.acquirer = None
        return statuses


def attempt(attempt_id: str, token: str, amount_minor: int = 1000) -> dict[str, Any]:
    """The body of one authorization."""
    return {
        "attempt_id": attempt_id,
        "token": token,
        "amount_minor": amount_minor,
        "currency": "EUR",
        "merchant_id": "mer_1",
        "mode": "test",
        "occurred_at": NOW.isoformat(),
    }


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Both programs, ready; stopped at the end."""
    world = World(folder)
    try:
        world.start_acquirer()
        world.start_processor()
        yield world
    finally:
        world.stop()


def client(url: str, context: ssl.SSLContext, headers: dict[str, str] | None = None) -> httpx2.Client:
    return httpx2.Client(base_url=url, verify=context, headers=headers, timeout=60, trust_env=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
