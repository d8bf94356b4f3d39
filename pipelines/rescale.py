"""Another number of risk flows: `python -m pipelines.rescale --home DIR --log URL --flows N`.

No flow may run.

First each of the present flows takes in, and answers, all that the log holds at one moment, and stops
exactly there: then nothing is unanswered, and the states of all differ in nothing but the order in which
partitions were read. That of flow 0 is copied for every new flow. A crash at any moment is gone on from by
the next start.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from events.clock import Clock, SystemClock
from events.errors import EventsError
from events.log import OUTAGE_SECONDS_MAX, open_log
from events.log.port import Log
from events.program_logs import add_log_level, log_as_json
from events.programs import leave
from models.engine import Engine
from pipelines.errors import PipelinesError, StoppedError
from pipelines.flow_homes import Plan, copy_for_all, home_of, kept_plan, put_in_place, write_plan
from pipelines.risk_flow import TOPICS, Parts, run
from pipelines.risk_step import RiskStep
from pipelines.share import Share

NewStep = Callable[[Share], RiskStep]


def rescale(
    home: Path, log: Log, clock: Clock, flows: int, new_step: NewStep, stop: threading.Event | None = None
) -> None:
    """Make the state one for so many flows; `stop` breaks off, and raises `StoppedError`.

    Raises what `pipelines.risk_flow.run` does.
    """
    stop = stop or threading.Event()
    plan = kept_plan(home)
    if plan.is_copied:
        # The copies stand for another number: they are put in place first, and are the present state then.
        _take(home, plan)
        plan = kept_plan(home)
    if plan.flows == flows:
        # A change that was begun and is not wanted any more: every flow goes on where it stopped.
        write_plan(home, Plan(flows=flows, generation=plan.generation, replies=plan.replies))
        return
    has_state = any(home_of(home, flow).exists() for flow in range(plan.flows))
    if has_state:
        ends = _ends(log, TOPICS)
        plan = Plan(
            flows=plan.flows, generation=plan.generation, wanted=flows, ends=ends, replies=plan.replies
        )
        write_plan(home, plan)
        _settle(home, log, clock, plan, new_step, stop)
        copy_for_all(home, flows)
    replies = _ends(log, ("decisions",)) if has_state else {}
    plan = Plan(flows=flows, generation=plan.generation + 1, wanted=flows, replies=replies, is_copied=True)
    write_plan(home, plan)
    _take(home, plan)


def _settle(home: Path, log: Log, clock: Clock, plan: Plan, new_step: NewStep, stop: threading.Event) -> None:
    """Every present flow through all that the log held when the plan was made."""
    for flow in range(plan.flows):
        share = Share(flow, plan.flows)
        parts = Parts(
            log,
            home_of(home, flow),
            clock,
            partial(new_step, share),
            replies_start=plan.replies,
            share=share,
            until=plan.ends,
        )
        run(parts, stop, lambda: None)
        if stop.is_set():
            raise StoppedError("told to stop while the number of flows was changed; the next start goes on")


def _take(home: Path, plan: Plan) -> None:
    put_in_place(home, plan)
    write_plan(home, Plan(flows=plan.flows, generation=plan.generation, replies=plan.replies))


def _ends(log: Log, topics: tuple[str, ...]) -> dict[str, int]:
    return {f"{topic}/{number}": end for topic in topics for number, end in enumerate(log.ends(topic))}


def main(arguments: list[str] | None = None) -> None:
    """The program; exit status 1 with a sentence where it cannot be done."""
    parser = argparse.ArgumentParser(prog="pipelines.rescale", description="Change the number of risk flows.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--log", required=True, help="sqlite:///PATH or kafka://HOST:PORT")
    parser.add_argument("--flows", type=int, required=True)
    add_log_level(parser)
    given = parser.parse_args(arguments)
    log_as_json(given.log_level)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        with closing(open_log(given.log, append_seconds_max=OUTAGE_SECONDS_MAX)) as log:
            rescale(
                given.home, log, SystemClock(), given.flows, lambda share: RiskStep(Engine(), share), stop
            )
    except (PipelinesError, EventsError) as error:
        sys.exit(f"pipelines.rescale: {error}")


if __name__ == "__main__":
    main()
    leave()
