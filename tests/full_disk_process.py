"""A process that fills the disk under its log: `python -m tests.full_disk_process DISK`; prints what it met.

DISK is a small file system of its own. A first file stands in for what is cleared away later.
"""

import json
import sys
import time
from contextlib import closing
from pathlib import Path

from events.errors import LogUnavailableError
from events.log import open_log
from events.log.port import Log, Outgoing, TopicPartition

RECORD_BYTES = 50_000
APPEND_SECONDS_MAX = 20.0


def fill(log: Log) -> tuple[int, str, float]:
    """Append pairs until the disk is full: how many went in, what was said, after how long."""
    pairs = 0
    while True:
        begun = time.monotonic()
        try:
            log.append([pair(pairs, half) for half in (0, 1)])
        except LogUnavailableError as error:
            return pairs, str(error), time.monotonic() - begun
        pairs += 1


def pair(number: int, half: int) -> Outgoing:
    """One of two records that must come together or not at all."""
    return Outgoing("payments", b"card", f"{number}/{half}".encode().ljust(RECORD_BYTES), partition=half)


def found(log: Log) -> list[str]:
    """What stands in the log."""
    with closing(log.reader({TopicPartition("payments", half): 0 for half in (0, 1)})) as reader:
        return sorted((record.value or b"").decode().strip() for record in reader.poll(10_000, 1))


def main() -> None:
    """Entry point."""
    disk = Path(sys.argv[1])
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    url = f"sqlite://{disk}/log.sqlite"
    with closing(open_log(url, append_seconds_max=APPEND_SECONDS_MAX)) as log:
        pairs, said, seconds = fill(log)
        after_failure = found(log)
        ballast.unlink()
        log.append([pair(pairs, half) for half in (0, 1)])
        after_clearing = found(log)
    with closing(open_log(url)) as log:
        after_restart = found(log)
    told = {
        "pairs": pairs,
        "said": said,
        "seconds": seconds,
        "after_failure": after_failure,
        "after_clearing": after_clearing,
        "after_restart": after_restart,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
