"""What kafka-python's producer leaves behind where no broker answers."""

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

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
