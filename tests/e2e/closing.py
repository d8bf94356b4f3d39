"""The end of a kill test: wait until nothing is owed, count, print, and say what does not fit."""

import os
from contextlib import closing
from pathlib import Path

from events.log import open_log
from tests.e2e.accounting import faults, table
from tests.e2e.books import has_learned, is_quiet, read_books, restlessness
from tests.e2e.merchant import Notebook
from tests.e2e.tampering import tampered
from tests.e2e.whole_platform import FIVE, KILLED, WholePlatform

QUIET_SECONDS_MAX = 150.0


async def closed_books(platform: WholePlatform, notebook: Notebook, title: str, folder: Path) -> list[str]:
    """Counts in and out go to the terminal and to `counts.txt` in `folder`; the faults are given back.

    Books that close are tampered with, to see that the accounting would not have overlooked it.
    """
    await come_to_rest(platform)
    books = read_books(platform.home, platform.log_url)
    kills = {name: platform.chronicles[name].statuses.count(KILLED) for name in FIVE}
    counted = f"{table(books, notebook, title)}\n{'kill -9':36} {kills}\n"
    (folder / "counts.txt").write_text(counted)
    # Past pytest's capture: whoever runs the tests shall see the counts.
    os.write(2, f"\n{counted}".encode())
    found = faults(books, notebook)
    overlooked = [what for what, wrong in tampered(books) if not found and not faults(wrong, notebook)]
    assert overlooked == [], "the accounting itself sees too little"
    return found


async def come_to_rest(platform: WholePlatform) -> None:
    """Return when nothing is owed any more; says what is, when that takes too long."""
    await platform.until_ready(*FIVE)
    try:
        await platform.until(lambda: is_quiet(platform.home), "quiet", QUIET_SECONDS_MAX)
    except AssertionError as error:
        raise AssertionError(f"{restlessness(platform.home)}\n{error}") from None
    with closing(open_log(platform.log_url)) as log:
        await platform.until(lambda: has_learned(platform.home, log), "the learner", QUIET_SECONDS_MAX)
