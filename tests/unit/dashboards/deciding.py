"""A log on which the real engine decided, for tests of what the page tells of a payment."""

from collections.abc import Iterable
from typing import Any

from events.codec import encode
from events.log.port import Log, Outgoing, Record
from models.engine import Engine
from pipelines.delivery import delivered
from pipelines.risk_step import RiskStep
from tests.unit.pipelines.standin import START, asked, assessment


def decide(log: Log, numbers: Iterable[int], **members: Any) -> None:
    """Ask for assessments and answer them: `pi_1` and so on."""
    step = RiskStep(Engine())
    for number in numbers:
        question = asked(assessment(number, **members))
        [(topic, partition, offset)] = log.append([question])
        record = Record(topic, partition, offset, question.key, question.value)
        for key, decision in step.handle([delivered(record)], START).decisions:
            log.append([Outgoing("decisions", key, encode(decision), partition)])
