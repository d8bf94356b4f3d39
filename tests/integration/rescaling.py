"""Flows of a home run side by side in this process, for the tests of their number."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from events.clock import SystemClock
from events.log.port import Log
from events.types import AssessmentRequested, DecisionMade
from models.engine import Engine
from pipelines import risk_flow
from pipelines.flow_homes import home_of, settled_replies
from pipelines.risk_step import RiskStep
from pipelines.share import Share
from tests.integration.flow_process import counted, events_of, wait_for


def new_step(share: Share) -> RiskStep:
    return RiskStep(Engine(), share)


def run_flows(home: Path, log: Log, flows: int, meanwhile: Callable[[], None]) -> None:
    """Run all flows until `meanwhile` returns and all that was asked by then is answered."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run(flow: int) -> None:
        share = Share(flow, flows)
        replies = settled_replies(home, flows)
        parts = risk_flow.Parts(
            log,
            home_of(home, flow),
            SystemClock(),
            lambda: new_step(share),
            0.1,
            replies_start=replies,
            share=share,
        )
        try:
            risk_flow.run(parts, stop, lambda: None)
        except BaseException as error:
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=run, args=(flow,)) for flow in range(flows)]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
        wait_for(lambda: stop.is_set() or counted(log, "decisions") >= counted(log, "assessments"))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def check_answered_once(log: Log) -> None:
    """As many decisions as requests, each on one, numbered in each shard without a gap."""
    asked_for = [e.id for e in events_of(log, "assessments") if isinstance(e, AssessmentRequested)]
    made = [event for event in events_of(log, "decisions") if isinstance(event, DecisionMade)]
    assert len(made) == len(asked_for)
    assert {decision.assessment_id for decision in made} == set(asked_for)
    shards = Counter(decision.shard for decision in made)
    numbers = {(decision.shard, decision.sequence) for decision in made}
    assert numbers == {(shard, number + 1) for shard, count in shards.items() for number in range(count)}
    for partition in range(8):
        offsets = [one.request_offset for one in made if one.request_partition == partition]
        assert offsets == sorted(offsets)
