"""What became known of a payment: its labels as they came, and what it counts as since."""

from typing import Any, NamedTuple

from events.log.port import Log
from events.log.reading import events_until_end
from events.types import LabelReported
from models.labels import Standing, resolve
from pipelines import observe

_SAID = {True: "fraud", False: "genuine", None: "nothing about fraud"}


class PaymentLabels(NamedTuple):
    """The labels of one payment in the order of the log, and whether it counts as fraud (None: unknown)."""

    labels: list[LabelReported]
    fraud: bool | None

    def lines(self) -> list[str]:
        """In words, a line each."""
        if not self.labels:
            return ["nothing yet: no label has come"]
        told = [
            f"{label.occurred_at:%Y-%m-%d %H:%M:%S} UTC: {label.kind} from {label.source} "
            f"says {_SAID[label.fraud]}"
            for label in self.labels
        ]
        return told if self.fraud is None else [*told, f"the payment counts as {_SAID[self.fraud]}"]

    def plain(self) -> list[dict[str, Any]]:
        """Members that JSON has."""
        return [
            {
                "kind": label.kind,
                "source": label.source,
                "reported_at": f"{label.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}",
                "fraud": label.fraud,
            }
            for label in self.labels
        ]


def payment_labels(log: Log, payment_id: str) -> PaymentLabels:
    """Its labels, each once, with the one in force resolved as the learner does."""
    found: dict[str, LabelReported] = {}
    for _, event in events_until_end(log, "labels", payment_id):
        if isinstance(event, LabelReported) and event.payment_id == payment_id:
            found.setdefault(event.id, event)
    standing: Standing | None = None
    for event in found.values():
        _, standing = resolve(standing, observe.label(event))
    return PaymentLabels(list(found.values()), None if standing is None else standing.fraud)
