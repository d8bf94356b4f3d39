"""One real Kafka broker in KRaft mode: formats its data folder, starts, waits until usable, stops.

    python -m simulator.kafka.broker --home DIR --port 0

prints one line when it is usable, `{"ready": "kafka", "port": N}`, and stops cleanly on SIGTERM. It syncs
every message (`log.flush.interval.messages=1`): it has no replica that an acknowledgement could rely on.
"""

import argparse
import base64
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from events.programs import announce
from simulator.kafka.errors import BrokerFailedError
from simulator.kafka.jars import cache_folder, jars

START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 4.0
_JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec nothing may be imported or looked up.
_prctl = ctypes.CDLL(None).prctl


class Broker:
    """A broker on `127.0.0.1` with its data under `home`; the same home may be started again."""

    def __init__(self, home: Path, port: int = 0, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = port or _free_port()
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect, `HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Format the data folder if it is new, start, and return when clients are served.

        Raises `BrokerNotInstalledError` or `BrokerFailedError`.
        """
        class_path = f"{jars(cache_folder())}/*"
        self.home.mkdir(parents=True, exist_ok=True)
        properties = self._write_properties()
        if not (self.home / "data" / "meta.properties").exists():
            self._format(class_path, properties)
        with (self.home / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_JAVA, "-cp", class_path, "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        try:
            self._wait_until_usable()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop cleanly; after `STOP_SECONDS_MAX` with force."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self, seconds: float) -> bool:
        """True when the broker has ended by itself within the time."""
        try:
            if self._process is not None:
                self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _write_properties(self) -> Path:
        controller_port = _free_port()
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.home / "data"),
            "log.flush.interval.messages": "1",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.backoff.ms": "1000",
            "log.cleaner.dedupe.buffer.size": "8388608",
            "num.network.threads": "2",
            "num.io.threads": "4",
            **self._settings,
        }
        path = self.home / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        return path

    def _format(self, class_path: str, properties: Path) -> None:
        command = [*_JAVA, "-cp", class_path, "kafka.tools.StorageTool"]
        command += ["format", "--cluster-id", _cluster_id(), "--config", str(properties)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX, check=False)
        if done.returncode != 0:
            raise BrokerFailedError(f"the data folder could not be formatted: {done.stderr[-800:].strip()}")

    def _wait_until_usable(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while time.monotonic() < deadline:
            if self.wait(0):
                raise BrokerFailedError(f"the broker ended while starting; see {self.home / 'broker.log'}")
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                time.sleep(0.1)
        raise BrokerFailedError(f"the broker was not usable in time; see {self.home / 'broker.log'}")


def _cluster_id() -> str:
    while True:
        identifier = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        # One in 64 begins with a dash, which the storage tool takes for an option.
        if not identifier.startswith("-"):
            return identifier


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> None:
    """Entry point of `python -m simulator.kafka.broker`."""
    parser = argparse.ArgumentParser(description="A local Kafka broker")
    parser.add_argument("--home", type=Path, required=True, help="folder of its data, settings and log")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--while-alive", type=int, metavar="PID", help="stop when this process has ended")
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    broker = Broker(options.home, options.port)
    broker.start()
    announce("kafka", port=broker.port)
    ended = False
    while not ended and not stopping.is_set():
        ended = broker.wait(0.25)
        if options.while_alive and not _is_alive(options.while_alive):
            stopping.set()
    broker.stop()
    raise SystemExit(1 if ended and not stopping.is_set() else 0)


if __name__ == "__main__":
    main()
