"""An hour of payments through two flows and the learner, then every decision made again from the record.

`WEIR_RECORDED_SECONDS` (3,600) at `WEIR_RECORDED_RATE` payments/s (150), on `WEIR_RECORDED_LOG` (an embedded
log of its own, or `kafka://HOST:PORT/PREFIX`). Halfway one flow is killed and started again. Models come as
the learner publishes them, rules change each tenth. Nothing may differ, in no bit, neither where stored
vectors are scored again under their versions nor where what each flow read is replayed in its order.
"""

import os
import random
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.flow import FRAUD_ABOVE_MINOR, START, request
from bench.flow_programs import flow_program, program
from bench.record import Figure, figure, record
from events.clock import SystemClock
from events.codec import decode, encode
from events.log import OUTAGE_SECONDS_MAX, open_log
from events.log.port import Log, Outgoing
from events.types import AssessmentRequested, ControlChanged, LabelReported
from models.engine import Engine
from pipelines import observe
from pipelines.recorded.command import in_words
from pipelines.recorded.proof import Proof, prove
from pipelines.rescale import rescale
from pipelines.risk_step import RiskStep

FLOWS = 2
SECONDS = int(os.environ.get("WEIR_RECORDED_SECONDS", "3600"))
RATE = int(os.environ.get("WEIR_RECORDED_RATE", "150"))
LOG = os.environ.get("WEIR_RECORDED_LOG", "")
STEP_SECONDS = 6
"""Of the payments' own time: an hour at that rate is a month of theirs, with the models of each hour."""
LABELED_AFTER = 2_000
"""Payments later a label comes: within seconds here, three hours of the payments' own time."""
LABELED_SHARE = 0.1
CHANGES = 10
ANSWERED_SECONDS_MAX = 600.0


def main() -> None:
    """One run; recorded whatever it found, with the first difference printed."""
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        proof, order_bytes = measured(Path(folder), LOG or f"sqlite:///{folder}/log.sqlite")
    print(in_words(proof))
    record("recorded", figures(proof, order_bytes))


def figures(proof: Proof, order_bytes: int) -> list[Figure]:
    """What was compared, what differed, and what keeping the order takes."""
    note = f"{FLOWS} flows, {RATE} payments/s for {SECONDS} s, one flow killed halfway; counted, not measured"
    wrong = (
        ("decisions that differ when their vector is rescored", proof.rescored_different + proof.gone),
        ("decisions that differ when the record is replayed", proof.replayed_different),
        ("payments without a decision, or with two", proof.lost + proof.unanswered + abs(proof.unrecorded)),
    )
    rows = [figure("decisions replayed and rescored", [float(proof.replayed)], "decisions", note=note)]
    rows += [
        figure(name, [float(count)], "decisions", goal=0.0, at_most=True, note=note) for name, count in wrong
    ]
    per_payment = order_bytes / max(1, proof.requests)
    rows.append(figure("recorded order and models, of all flows", [per_payment], "bytes/payment", note=note))
    rate = proof.replayed / proof.seconds
    rows.append(figure("proving, on one core", [rate], "decisions/s", note="each flow's record by itself"))
    return rows


def measured(home: Path, url: str) -> tuple[Proof, int]:
    """The proof of one run, and how many bytes the flows' records have."""
    with closing(open_log(url, append_seconds_max=OUTAGE_SECONDS_MAX)) as log:
        rescale(home, log, SystemClock(), FLOWS, lambda share: RiskStep(Engine(), share))
        with program("pipelines.learning", home, url), flow_program(home, url, 0, FLOWS):
            with flow_program(home, url, 1, FLOWS) as killed:
                asked = _load(log, 0, SECONDS // 2)
                killed.kill()
            with flow_program(home, url, 1, FLOWS):
                asked = _load(log, asked, SECONDS - SECONDS // 2)
                _wait_for_answers(log, asked)
        files = (home / "risk").glob("*/order/*.order")
        return prove(home, log), sum(file.stat().st_size for file in files)


def _load(log: Log, first: int, seconds: int) -> int:
    """Payments at the rate for so long, by the clock; the number of the next one."""
    began, number, until = time.monotonic(), first, first + seconds * RATE
    while number < until:
        due = min(until, first + int((time.monotonic() - began) * RATE) + 1)
        told = [one for each in range(number, due) for one in _told(each, until - first)]
        if told:
            log.append(told)
        number = due
        time.sleep(0.005)
    return number


def _told(number: int, of: int) -> list[Outgoing]:
    told = [_payment(number)]
    dice = random.Random(-number)
    labeled = _payment(number - LABELED_AFTER) if number >= LABELED_AFTER else None
    event = decode(labeled.value) if labeled is not None else None
    if isinstance(event, AssessmentRequested):
        fraud = event.amount_minor > FRAUD_ABOVE_MINOR and dice.random() < 0.9
        if fraud or dice.random() < LABELED_SHARE:
            told.append(_label(event, fraud=fraud))
    if number % max(1, of // CHANGES) == 0:
        told.append(_rule(number))
    return told


def _payment(number: int) -> Outgoing:
    return request(number, random.Random(number), STEP_SECONDS)


def _label(of: AssessmentRequested, *, fraud: bool) -> Outgoing:
    at = of.occurred_at + timedelta(seconds=STEP_SECONDS * LABELED_AFTER)
    event = LabelReported(
        id=observe.derived_id("bench-label", of.payment_id, at),
        occurred_at=at,
        payment_id=of.payment_id,
        kind="analyst_verdict",
        source="bench",
        fraud=fraud,
        mode="test",
    )
    return Outgoing("labels", of.payment_id.encode(), encode(event))


def _rule(number: int) -> Outgoing:
    event = ControlChanged(
        id=observe.derived_id("bench-rule", str(number), START),
        occurred_at=START,
        name="bench_rule",
        kind="rule",
        version=number + 1,
        body={"action": "review", "when": f"amount_minor > {10_000 + number} AND currency = 'INR'"}
        | {"words": "as the bench wants it"},
    )
    return Outgoing("controls", b"bench_rule", encode(event))


def _wait_for_answers(log: Log, count: int) -> None:
    deadline = time.monotonic() + ANSWERED_SECONDS_MAX
    while sum(log.ends("decisions")) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sum(log.ends('decisions'))} of {count} payments were decided in time")
        time.sleep(0.1)
