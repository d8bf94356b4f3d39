"""The program of a risk flow: `python -m pipelines.risk --home DIR --log URL`, until SIGTERM.

One of `--flows`, which share the payments between them: this is `--flow`, counted from 0.
"""

import argparse
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
from events.programs import announce, leave, spare_survivors, spare_what_stays
from events.tracing import add_tracing, start_tracing, stop_tracing
from models.state import Bounds
from pipelines.errors import PipelinesError
from pipelines.flow_homes import home_of, settled_replies
from pipelines.risk_flow import Parts, run
from pipelines.share import Share
from pipelines.warming import WarmSteps


def main(arguments: list[str] | None = None) -> None:
    """The program: composes the parts, prints one line when it is ready, ends cleanly at SIGTERM."""
    parser = argparse.ArgumentParser(prog="pipelines.risk", description="Score payments as they come in.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--log", required=True, help="sqlite:///PATH or kafka://HOST:PORT")
    parser.add_argument("--flow", type=int, default=0)
    parser.add_argument("--flows", type=int, default=1)
    parser.add_argument(
        "--state-memory-mb",
        type=int,
        default=800,
        help="memory for profiles and payments; the rest is on disk",
    )
    add_log_level(parser)
    add_metrics_port(parser)
    add_tracing(parser)
    given = parser.parse_args(arguments)
    log_as_json(given.log_level)
    start_tracing("pipelines.risk", given.traces, given.trace_share)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        with closing(open_log(given.log, append_seconds_max=OUTAGE_SECONDS_MAX)) as log:
            clock = SystemClock()
            share = Share(given.flow, given.flows)
            steps = WarmSteps(clock.now(), share)
            home = home_of(given.home, share.flow)
            start = settled_replies(given.home, share.flows)
            parts = Parts(
                log,
                home,
                clock,
                steps,
                replies_start=start,
                share=share,
                after_epoch=spare_survivors,
                bounds=Bounds.within(given.state_memory_mb),
            )
            serve_metrics(given.metrics_port, lag_of(log, "risk", lambda: parts.reached))
            run(parts, stop, _ready)
    except (PipelinesError, EventsError) as error:
        sys.exit(f"pipelines.risk: {error}")


def _ready() -> None:
    spare_what_stays()
    announce("pipelines.risk")


if __name__ == "__main__":
    main()
    stop_tracing()
    leave()
