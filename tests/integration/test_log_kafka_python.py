"""What kafka-python's producer leaves behind where no broker answers, and where one went away."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from events.errors import LogUnavailableError
from events.log import open_log
from events.log.kafka_names import TopicNames
from events.log.kafka_python import PythonSender
from events.log.port import Outgoing
from simulator.kafka.broker import Broker
from tests.conftest import require_a_local_broker

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 120

# A process of its own: in the tests' process other clients open and close sockets meanwhile. The errors are
# kept, so that the garbage collector closes nothing.
PROGRAM = """
import sys
from pathlib import Path
from events.errors import LogUnavailableError
from events.log.kafka_names import TopicNames
from events.log.kafka_python import PythonSender

def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))

before, kept = open_files(), []
for _ in range(3):
    try:
        PythonSender(sys.argv[1], TopicNames(""), 0.5)
    except LogUnavailableError as error:
        kept.append(error)
print(len(kept), open_files() - before)
"""


def test_producers_that_could_not_be_made_keep_no_sockets() -> None:
    # Takes connections and never answers, as a broker that hangs.
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        printed = subprocess.check_output(
            [sys.executable, "-c", PROGRAM, f"127.0.0.1:{port}"], cwd=ROOT, text=True, timeout=SECONDS_MAX
        )

    assert printed.split() == ["3", "0"]


@pytest.mark.kafka
def test_a_sender_that_is_closed_has_ended_the_producers_that_it_replaced(tmp_path: Path) -> None:
    require_a_local_broker()
    broker = Broker(tmp_path / "broker")
    broker.start()
    before = set(threading.enumerate())
    try:
        with closing(open_log(f"kafka://{broker.bootstrap}")):
            sender = PythonSender(broker.bootstrap, TopicNames(""), 1.0)
        broker.kill()
        with pytest.raises(LogUnavailableError):
            sender.send([Outgoing("decisions", b"card", b"{}", 0)], time.monotonic() + 1.0)

        sender.close()

        assert set(threading.enumerate()) <= before
    finally:
        broker.stop()
