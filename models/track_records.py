"""What labels said about an entity so far: known frauds and the delayed share of fraud."""

import msgspec

from models.windows import Window

SHARE_PRIOR = 0.01
"""Share of fraud expected of an entity that nothing is known of: the order of magnitude of card fraud."""
SHARE_PRIOR_WEIGHT = 3.0
"""The prior counts as three labels: one fraud alone says a quarter, not all. Round, not tuned."""


class TrackRecord(msgspec.Struct, array_like=True, gc=False):
    """Labels of one entity's payments, each at the moment it arrived; amounts in the window are 0 or 1.

    >>> record = TrackRecord()
    >>> record.note(fraud=True, arrived_us=0)
    >>> record.note(fraud=False, arrived_us=10)
    >>> record.frauds, record.labels.count(10, 10), record.labels.count(10, 20)
    (1, 1, 2)
    """

    labels: Window = msgspec.field(default_factory=Window)
    frauds: int = 0
    last_fraud_us: int | None = None

    def note(self, fraud: bool, arrived_us: int) -> None:
        """A payment of the entity was labeled."""
        self.labels.add(arrived_us, 1 if fraud else 0)
        if fraud:
            self.frauds += 1
            if self.last_fraud_us is None or arrived_us > self.last_fraud_us:
                self.last_fraud_us = arrived_us

    def revoke(self, fraud: bool, arrived_us: int) -> None:
        """The label that arrived then no longer holds. The time of the last fraud stays as it is."""
        self.labels.remove(arrived_us, 1 if fraud else 0)
        if fraud and self.frauds:
            self.frauds -= 1


def smoothed_share(frauds: int, labels: int) -> float:
    """Share of fraud drawn towards the prior.

    >>> smoothed_share(0, 0), smoothed_share(3, 3)
    (0.01, 0.505)
    """
    return (frauds + SHARE_PRIOR_WEIGHT * SHARE_PRIOR) / (labels + SHARE_PRIOR_WEIGHT)
