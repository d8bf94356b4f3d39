"""Playing seeds: one, with its story, or many, on all cores.

Nothing of the gateway is imported before it must be, so that a bug can be planted in it.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any, NamedTuple

import structlog

from events.programs import spare_what_stays
from tests.simulation.planted import BUGS, plant

CHUNK = 50
"""Seeds that a worker plays before it says so."""
PROGRESS_SECONDS = 30.0


class Found(NamedTuple):
    """A seed in which something does not hold."""

    seed: int
    what: str


class Played(NamedTuple):
    """What came of some seeds."""

    seeds: int
    found: list[Found]
    cpu_seconds: float


def play(first: int, last: int, *, until_found: bool = False) -> Played:
    """Play the seeds from `first` to before `last`."""
    from tests.simulation.processes import ViolationError
    from tests.simulation.stories import a_random_story
    from tests.simulation.world import lived

    found: list[Found] = []
    begun = time.process_time()
    spare_what_stays()
    for seed in range(first, last):
        try:
            lived(seed, a_random_story)
        except ViolationError as violation:
            found.append(Found(seed, str(violation)))
            if until_found:
                last = seed + 1
                break
    return Played(last - first, found, time.process_time() - begun)


def story(seed: int) -> tuple[str, str | None]:
    """A seed's story as text, and what does not hold in it."""
    from tests.simulation.processes import ViolationError
    from tests.simulation.stories import a_random_story
    from tests.simulation.world import lived

    found = None
    try:
        world = lived(seed, a_random_story)
    except ViolationError as violation:
        world, found = violation.world, str(violation)
    lines = [f"{at:9.3f}  {what}" for at, what in world.story]
    records = b"".join(bytes(record.value or b"") for record in world.log.written)
    lines.append(f"the log's digest is {hashlib.sha256(records).hexdigest()[:16]}")
    return "\n".join(lines), found


def play_many(first: int, count: int, workers: int) -> Iterator[Played]:
    """Play them on several cores, and tell of each chunk as it ends."""
    with ProcessPoolExecutor(workers, initializer=quiet) as pool:
        chunks: list[Future[Played]] = [
            pool.submit(play, start, min(start + CHUNK, first + count))
            for start in range(first, first + count, CHUNK)
        ]
        for chunk in as_completed(chunks):
            yield chunk.result()


def quiet() -> None:
    """No warnings of services that meet thousands of faults."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable()


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="play this seed and print its story")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--planted", action="store_true", help="plant each bug and find it")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this one")
    parser.add_argument("--json", action="store_true", help="print one line of JSON in the end")
    options = parser.parse_args(arguments)
    quiet()
    if options.bug is not None:
        plant(options.bug)
    if options.seed is not None:
        text, found = story(options.seed)
        _say(text)
        sys.exit(found)
    if options.planted:
        sys.exit(_all_planted(options))
    sys.exit(_many(options) if options.bug is None else _find(options))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _many(options: argparse.Namespace) -> int:
    begun, seeds, cpu_seconds = time.monotonic(), 0, 0.0
    told = begun
    found: list[Found] = []
    for played in play_many(options.first, options.seeds, options.workers):
        seeds, cpu_seconds = seeds + played.seeds, cpu_seconds + played.cpu_seconds
        found += played.found
        for one in played.found:
            _say(f"seed {one.seed}: {one.what}\n  again: python -m tests.simulation {one.seed}")
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            sys.stderr.write(f"{seeds:,} of {options.seeds:,} seeds, {len(found)} with a violation\n")
    seconds = time.monotonic() - begun
    summary = {"seeds": seeds, "found": len(found), "seconds": seconds, "cpu_seconds": cpu_seconds}
    _say(json.dumps(summary) if options.json else _in_words(summary))
    return int(bool(found))


def _in_words(summary: dict[str, Any]) -> str:
    minutes, cpu_minutes = summary["seconds"] / 60, summary["cpu_seconds"] / 60
    return (
        f"{summary['seeds']} seeds, {summary['found']} with a violation;"
        f" {summary['seeds'] / minutes:.0f} a minute, {summary['seeds'] / cpu_minutes:.0f} a minute of CPU"
    )


def _find(options: argparse.Namespace) -> int:
    played = play(options.first, options.first + options.seeds, until_found=True)
    for one in played.found:
        _say(f"seed {one.seed}, the {played.seeds}th: {one.what}")
    if not played.found:
        _say(f"not found in {played.seeds} seeds: {options.bug}")
    return int(not played.found)


def _all_planted(options: argparse.Namespace) -> int:
    """Each bug in a process of its own, as many at once as there are workers; 1 where one is not found."""
    from concurrent.futures import ThreadPoolExecutor

    missed = 0
    with ThreadPoolExecutor(options.workers) as pool:
        for bug, (status, text) in zip(
            BUGS, pool.map(lambda b: find_planted(b, options.seeds), BUGS), strict=True
        ):
            _say(f"{bug}: {text}")
            missed += status != 0
    return int(missed > 0)


def find_planted(bug: str, seeds: int) -> tuple[int, str]:
    """Look for a bug in a new process: its exit status, and what it said."""
    import subprocess

    command = [sys.executable, "-m", "tests.simulation", "--bug", bug, "--seeds", str(seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr[-2000:]).strip()
