"""A process that appends to a log, or reads it: `python -m tests.log_process write|read …`.

Writers print each acknowledged value at once, so that whoever kills them knows what was promised.
"""

import argparse
import os
import sys
import threading
import time

from events.log import open_log
from events.log.port import Log, Outgoing, TopicPartition

TOPIC = "payments"


def partitions(log: Log) -> dict[TopicPartition, int]:
    """All partitions of the topic, from their beginning."""
    return {TopicPartition(TOPIC, number): first for number, first in enumerate(log.starts(TOPIC))}


def write(log: Log, name: str, count: int, threads: int, padding_bytes: int) -> None:
    """Each thread appends `NAME-THREAD-0`, `NAME-THREAD-1`, …, all under its own key, one at a time.

    The values are padded with spaces, so that they can be large.
    """

    def append(thread: int) -> None:
        for number in range(count):
            value = f"{name}-{thread}-{number}".encode()
            padded = value + b" " * padding_bytes
            log.append([Outgoing(TOPIC, f"{name}-{thread}".encode(), padded)])
            os.write(sys.stdout.fileno(), value + b"\n")

    running = [threading.Thread(target=append, args=(number,)) for number in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()


def read(log: Log, count: int) -> None:
    """Print `PARTITION OFFSET VALUE` of the first `count` records, while others may still be writing."""
    reader = log.reader(partitions(log))
    deadline = time.monotonic() + 120
    seen = 0
    while seen < count and time.monotonic() < deadline:
        records = reader.poll(50, 0.2)
        seen += len(records)
        for record in records:
            line = f"{record.partition} {record.offset} {(record.value or b'').decode()}\n"
            os.write(sys.stdout.fileno(), line.encode())
    reader.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["write", "read"])
    parser.add_argument("--log", required=True)
    parser.add_argument("--name", default="w")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--padding", type=int, default=0, help="bytes added to each value")
    options = parser.parse_args()
    log = open_log(options.log, append_seconds_max=30)
    if options.task == "write":
        write(log, options.name, options.count, options.threads, options.padding)
    else:
        read(log, options.count)
    log.close()


if __name__ == "__main__":
    main()
