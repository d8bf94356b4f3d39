"""The program of the learner: `python -m pipelines.learning --home DIR --log URL`, until SIGTERM."""

import argparse
import os
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path

from events.clock import SystemClock
from events.errors import EventsError
from events.log import OUTAGE_SECONDS_MAX, open_log
from events.log.lag import lag_of
from events.metrics import add_metrics_port, serve_metrics
from events.program_logs import add_log_level, log_as_json
from events.programs import announce, leave, spare_what_stays
from models.learning import Learner, Schedule
from pipelines.errors import PipelinesError, StoppedError
from pipelines.learning_flow import LearningParts, run
from pipelines.learning_step import LearningStep
from pipelines.learning_store import LearningStore
from pipelines.refits import interruptible

NICENESS = 10
"""Nobody waits for the learner, while customers wait for the programs beside it."""

REST_SECONDS = 0.02
"""Between two looks at a log that was read to its end: nobody notices whether a label is learned 20 ms later,
and what has come meanwhile is one batch."""


def main(arguments: list[str] | None = None) -> None:
    """Composes the parts, says when it is ready, ends cleanly at SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="pipelines.learning", description="Learn from labels as they come in."
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--log", required=True, help="sqlite:///PATH or kafka://HOST:PORT")
    parser.add_argument(
        "--horizon-days",
        type=float,
        default=Schedule.horizon_days,
        help="a payment that nobody reported within so many days counts as genuine, until someone does",
    )
    add_log_level(parser)
    add_metrics_port(parser)
    given = parser.parse_args(arguments)
    log_as_json(given.log_level)
    os.nice(NICENESS)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    path = given.home / "learning" / "learning.sqlite"
    try:
        with (
            closing(open_log(given.log, append_seconds_max=OUTAGE_SECONDS_MAX)) as log,
            closing(LearningStore(path)) as store,
        ):
            learner = Learner(store, Schedule(horizon_days=given.horizon_days), fit=interruptible(stop))
            step = LearningStep(learner, store)
            parts = LearningParts(log, SystemClock(), store, step, rest_seconds=REST_SECONDS)
            serve_metrics(given.metrics_port, lag_of(log, "learning", lambda: parts.reached))
            run(parts, stop, _ready)
    except StoppedError:
        pass
    except (PipelinesError, EventsError) as error:
        sys.exit(f"pipelines.learning: {error}")


def _ready() -> None:
    spare_what_stays()
    announce("pipelines.learning")


if __name__ == "__main__":
    main()
    leave()
