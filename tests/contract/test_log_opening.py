"""Programs that start together open one new log together."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from events.log import open_log

OPENERS = 6
ROUNDS = 15


def test_a_new_log_that_many_open_at_the_same_moment_is_opened_by_all(tmp_path: Path) -> None:
    together = threading.Barrier(OPENERS)

    def open_and_close(url: str) -> None:
        together.wait()
        open_log(url).close()

    with ThreadPoolExecutor(OPENERS) as pool:
        for number in range(ROUNDS):
            url = f"sqlite:///{tmp_path}/{number}/log.sqlite"
            for opened in [pool.submit(open_and_close, url) for _ in range(OPENERS)]:
                opened.result()
