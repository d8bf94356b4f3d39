"""Payments per second of the risk flow on one worker, beside a plain loop over the same engine and bytes.

The flow reads from a log and writes to it, with recovery, state and durability as in production, on the
embedded log and on a local broker; the loop takes the same bytes from memory to the bytes of the decisions.
All in this process, in turn, with all models in force, as on a platform that has run for a while.
"""

import random
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.record import Figure, figure, record
from events.clock import SystemClock
from events.codec import decode, encode
from events.instruments import CardFacts
from events.log import open_log
from events.log.port import Durability, Log, Outgoing, Position, Reader, TopicPartition
from events.programs import spare_survivors, spare_what_stays
from events.types import AssessmentRequested, RiskContext
from models.engine import Engine
from models.learning import Learner, Schedule
from models.observations import Label, ModelSnapshot
from models.scored import MemoryStore, Scored
from models.windows import DAY_US
from pipelines import observe
from pipelines.risk_flow import Parts, run
from pipelines.risk_step import RiskStep
from pipelines.source import BATCH_RECORDS
from simulator.kafka.broker import Broker
from simulator.kafka.errors import BrokerNotInstalledError

PAYMENTS = 6_000
RUNS = 3
NAMES = {"embedded": "risk flow on one worker", "kafka": "risk flow on one worker, Kafka"}
GOALS = {"embedded": 0.8, "kafka": 0.7}
FRAUD_ABOVE_MINOR = 20_000
"""About three in a hundred of the amounts below."""
START = datetime(2026, 1, 5, tzinfo=UTC)


def requests(count: int) -> list[Outgoing]:
    """Payments of 2,000 cards at 200 merchants over ten days."""
    dice = random.Random(1)
    return [request(number, dice) for number in range(count)]


def request(number: int, dice: random.Random, step_seconds: int = 144) -> Outgoing:
    """One of them; they follow each other by so many seconds."""
    surrogate = f"card_{dice.randint(0, 2_000)}"
    at = START + timedelta(seconds=step_seconds * number)
    event = AssessmentRequested(
        id=observe.derived_id("bench", str(number), at),
        occurred_at=at,
        payment_id=f"pi_{number}",
        attempt=1,
        mode="test",
        merchant_id=f"merchant_{dice.randint(0, 200)}",
        merchant_country="IN",
        amount_minor=int(dice.lognormvariate(8, 1)) + 1,
        currency="INR",
        card=CardFacts(token="tok", surrogate=surrogate, bin="411111", last4="1111", brand="visa"),
        context=RiskContext(
            device=f"device_{dice.randint(0, 3_000)}",
            ip=f"ip_{dice.randint(0, 5_000)}",
            email=f"email_{dice.randint(0, 2_500)}",
            customer=f"customer_{dice.randint(0, 2_500)}",
            ip_country="IN",
            billing_country="IN",
        ),
    )
    return Outgoing("assessments", surrogate.encode(), encode(event))


def trained(values: Sequence[bytes]) -> list[ModelSnapshot]:
    """The latest model of each name, learned from the payments themselves: large amounts are mostly fraud.

    Each payment's label comes a day later, so that there are midnights at which the boosting is fitted.
    """
    dice, engine = random.Random(2), Engine()
    learner = Learner(MemoryStore(), Schedule(refit_frauds_min=50, refit_genuine_min=500))
    latest: dict[str, ModelSnapshot] = {}
    for value in values:
        event = decode(value)
        if not isinstance(event, AssessmentRequested):
            raise TypeError(f"{type(event).__name__} is no request")
        answer = engine.assess([observe.observation(event)])[0]
        learner.note_scored([Scored(answer.payment_id, answer.occurred_at_us, answer.features)])
        label = Label(
            payment_id=answer.payment_id,
            arrived_at_us=answer.occurred_at_us + DAY_US,
            kind="analyst_verdict",
            source="bench",
            fraud=event.amount_minor > FRAUD_ABOVE_MINOR and dice.random() < 0.9,
        )
        for snapshot in learner.note_label(label):
            latest[snapshot.name] = snapshot
    return list(latest.values())


def engine_with(snapshots: Sequence[ModelSnapshot]) -> Engine:
    """A new engine with these models in force; raises where the detector of the cold start would not rest."""
    engine = Engine()
    for snapshot in snapshots:
        engine.use(snapshot)
    if engine.scorer.cold_share > 0.0 or engine.scorer.boosting is None or not engine.scorer.shadows:
        raise ValueError(f"{len(snapshots)} models are not all that a platform has after a while")
    return engine


def loop_seconds(values: Sequence[bytes], snapshots: Sequence[ModelSnapshot]) -> float:
    """Bytes of requests to bytes of decisions, in batches as the flow has them when it is busy."""
    engine = engine_with(snapshots)
    spare_what_stays()
    started = time.perf_counter()
    for first in range(0, len(values), BATCH_RECORDS):
        events = [decode(value) for value in values[first : first + BATCH_RECORDS]]
        asked = [event for event in events if isinstance(event, AssessmentRequested)]
        answers = engine.assess([observe.observation(event) for event in asked])
        now = datetime.now(UTC)
        for offset, (event, answer) in enumerate(zip(asked, answers, strict=True)):
            encode(observe.decision(event, answer, Position("assessments", 0, offset), now))
    return time.perf_counter() - started


class _Finish:
    """A log that notes when the last of so many decisions has become durable, and then stops the flow."""

    def __init__(self, log: Log, count: int) -> None:
        self._log = log
        self._left = count
        self.stop = threading.Event()
        self.finished_at = 0.0

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        positions = self._log.append(records)
        self._left -= sum(record.topic == "decisions" for record in records)
        if self._left <= 0:
            self.finished_at = time.perf_counter()
            self.stop.set()
        return positions

    def reader(self, start: Mapping[TopicPartition, int]) -> Reader:
        return self._log.reader(start)

    def starts(self, topic: str) -> list[int]:
        return self._log.starts(topic)

    def ends(self, topic: str) -> list[int]:
        return self._log.ends(topic)

    @property
    def durability(self) -> Durability:
        return self._log.durability

    def close(self) -> None:
        self._log.close()


def flow_seconds(records: Sequence[Outgoing], snapshots: Sequence[ModelSnapshot], log_url: str = "") -> float:
    """From live reading to the last decision in the log, which is an embedded one of its own unless given."""
    with (
        TemporaryDirectory(prefix="weir-bench-") as folder,
        closing(open_log(log_url or f"sqlite:///{folder}/log.sqlite")) as log,
    ):
        log.append(records)
        finish = _Finish(log, len(records))
        started: list[float] = []
        parts = Parts(
            finish,
            Path(folder) / "risk",
            SystemClock(),
            lambda: RiskStep(engine_with(snapshots)),
            after_epoch=spare_survivors,
        )
        spare_what_stays()
        run(parts, finish.stop, lambda: started.append(time.perf_counter()))
        return finish.finished_at - started[0]


def measured(count: int = PAYMENTS, runs: int = RUNS, bootstrap: str = "") -> dict[str, list[float]]:
    """Seconds of the loop and of the flow on each kind of log, taken in turn."""
    records = requests(count)
    values = [record.value for record in records if record.value is not None]
    snapshots = trained(values)
    seconds: dict[str, list[float]] = {"loop": [], "embedded": []}
    if bootstrap:
        seconds["kafka"] = []
    for number in range(runs):
        seconds["loop"].append(loop_seconds(values, snapshots))
        seconds["embedded"].append(flow_seconds(records, snapshots))
        if bootstrap:
            seconds["kafka"].append(flow_seconds(records, snapshots, f"kafka://{bootstrap}/bench{number}"))
    return seconds


def main() -> None:
    """Measure, and record the flow's payments/s beside the loop's; on Kafka where its jars are at hand."""
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        broker = Broker(Path(folder))
        try:
            broker.start()
        except BrokerNotInstalledError as error:
            print(f"not on Kafka: {error}")
        try:
            seconds = measured(bootstrap=broker.bootstrap if broker.pid else "")
        finally:
            broker.stop()
    record("flow", figures(seconds))


def figures(seconds: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Payments/s of each kind of log, and their ratio to the loop."""
    loop = statistics.median(PAYMENTS / each for each in seconds["loop"])
    note = (
        "all models in force; baseline: a plain loop over the same engine on the same bytes, in turn with it"
    )
    rows: list[Figure] = []
    for kind, name in NAMES.items():
        if kind in seconds:
            rates = [PAYMENTS / each for each in seconds[kind]]
            rows.append(figure(name, rates, "payments/s", baseline=loop, note=note))
            ratio = statistics.median(rates) / loop
            rows.append(figure(f"{name}, of the plain loop", [ratio], "ratio", goal=GOALS[kind], note=note))
    return rows


if __name__ == "__main__":
    main()
