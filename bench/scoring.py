"""Microseconds of CPU per payment of the scoring path: an observation in, a decision out, in this process.

All models in force, as on a platform that has run for a while. CPU time of this process, not wall time: what
else the machine does shows less. The collector of cycles is kept from the state, as in the flow. Batches of
512 are what a busy flow has, those of 8 and of 1 a quiet one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from bench.flow import engine_with, requests, trained
from bench.record import Figure, figure, record
from events.codec import decode, encode
from events.log.port import Position
from events.programs import spare_what_stays
from events.types import AssessmentRequested
from models.anomaly import ColdStart
from models.engine import Engine
from models.feature import Row
from models.observations import Assessment, ModelSnapshot, Observation
from models.visits import visit
from pipelines import observe

PAYMENTS = 6_000
RUNS = 5
BATCHES = (512, 8, 1)
GOAL_US, COLD_GOAL_US = 60.0, 20.0
UNIT = "CPU µs a payment"
PARTS = ("take in and features", "models", "decision")

T = TypeVar("T")


def in_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Runs of `size` items."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def cpu_us(work: Callable[[], object], count: int) -> float:
    """What each of `count` payments of the work costs."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / count * 1e6


def whole_us(seen: Sequence[Observation], snapshots: Sequence[ModelSnapshot], size: int) -> float:
    """The whole path, as the flow calls it."""
    engine = engine_with(snapshots)
    spare_what_stays()
    return cpu_us(lambda: [engine.assess(batch) for batch in in_batches(seen, size)], len(seen))


def parts_us(seen: Sequence[Observation], snapshots: Sequence[ModelSnapshot], size: int) -> list[float]:
    """The first two of `PARTS`; the decision is what is left of the whole."""
    engine = engine_with(snapshots)
    spare_what_stays()
    marks = [0.0, 0.0]
    for batch in in_batches(seen, size):
        started = time.process_time()
        rows = [visit(engine.state, each, engine.controls.rates) for each in batch]
        visited = time.process_time()
        engine.scorer.score(rows)
        marks[0] += visited - started
        marks[1] += time.process_time() - visited
    return [mark / len(seen) * 1e6 for mark in marks]


def around_us(values: Sequence[bytes], answers: Sequence[Assessment]) -> dict[str, float]:
    """What lies around the engine: bytes to observations, answers to bytes."""
    events = [event for event in map(decode, values) if isinstance(event, AssessmentRequested)]
    now, position = datetime.now(UTC), Position("assessments", 0, 0)
    made = [
        observe.decision(event, answer, position, now) for event, answer in zip(events, answers, strict=True)
    ]
    pairs = list(zip(events, answers, strict=True))
    return {
        "decode the request": cpu_us(lambda: [decode(value) for value in values], len(values)),
        "observation of the event": cpu_us(lambda: list(map(observe.observation, events)), len(values)),
        "event of the answer": cpu_us(
            lambda: [observe.decision(event, answer, position, now) for event, answer in pairs], len(values)
        ),
        "encode the decision": cpu_us(lambda: list(map(encode, made)), len(values)),
    }


def detector_us(rows: Sequence[Row]) -> float:
    """The detector of the cold start, from its first payment on."""
    detector = ColdStart()
    return cpu_us(lambda: [detector.score_and_learn(row) for row in rows], len(rows))


def path_figures(
    seen: Sequence[Observation], snapshots: Sequence[ModelSnapshot], size: int
) -> Iterator[Figure]:
    """The whole path in batches of this size, and what its parts have of it."""
    wholes, parts = [], []
    for _ in range(RUNS):
        wholes.append(whole_us(seen, snapshots, size))
        parts.append(parts_us(seen, snapshots, size))
    goal = GOAL_US if size == BATCHES[0] else None
    yield figure(f"scoring path, batches of {size}", wholes, UNIT, goal=goal, at_most=True)
    first, second = ([run[place] for run in parts] for place in range(2))
    rest = [whole - sum(run) for whole, run in zip(wholes, parts, strict=True)]
    for name, runs in zip(PARTS, (first, second, rest), strict=True):
        yield figure(f"  {name}, batches of {size}", runs, UNIT)


def main() -> None:
    """Measure, and record each part."""
    values = [record.value for record in requests(PAYMENTS) if record.value is not None]
    events = [event for event in map(decode, values) if isinstance(event, AssessmentRequested)]
    seen = [observe.observation(event) for event in events]
    snapshots = trained(values)
    figures = [each for size in BATCHES for each in path_figures(seen, snapshots, size)]
    answers = engine_with(snapshots).assess(seen)
    around = [around_us(values, answers) for _ in range(RUNS)]
    figures += [figure(name, [run[name] for run in around], UNIT) for name in around[0]]
    rows = [answer.features for answer in Engine().assess(seen)]
    cold = [detector_us(rows) for _ in range(RUNS)]
    figures.append(figure("detector of the cold start", cold, UNIT, goal=COLD_GOAL_US, at_most=True))
    record("scoring", figures)


if __name__ == "__main__":
    main()
