"""Programs that start together open one new log together."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from events.log import open_log
from events.log.port import Outgoing, TopicPartition

OPENERS = 6
ROUNDS = 15


def test_a_new_log_that_many_open_at_the_same_moment_takes_what_each_appends(tmp_path: Path) -> None:
    together = threading.Barrier(OPENERS)

    def open_and_append(url: str, opener: int) -> None:
        together.wait()
        log = open_log(url)
        log.append([Outgoing("payments", b"card", b"%d" % opener, partition=0)])
        log.close()

    with ThreadPoolExecutor(OPENERS) as pool:
        for number in range(ROUNDS):
            url = f"sqlite:///{tmp_path}/{number}/log.sqlite"
            for opened in [pool.submit(open_and_append, url, opener) for opener in range(OPENERS)]:
                opened.result()

            log = open_log(url)
            reader = log.reader({TopicPartition("payments", 0): 0})
            records = reader.poll(OPENERS + 1, 0.0)
            reader.close()
            log.close()
            assert [record.offset for record in records] == list(range(OPENERS))
            assert {record.value for record in records} == {b"%d" % opener for opener in range(OPENERS)}
