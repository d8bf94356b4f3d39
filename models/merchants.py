"""What the engine knows of a merchant (or one terminal): its business, and what its labels say.

A run of frauds that the cards' own behavior does not explain is a compromised terminal; one that it does
explain is a stolen card that passed by.
"""

import msgspec

from models.histories import Amounts, Trace
from models.track_records import TrackRecord


class FraudRun(msgspec.Struct, array_like=True, gc=False):
    """The latest labeled payments of a merchant: is fraud running, since when, and is it the merchant's?

    Labels count in the order in which they arrive; `first_us` and `last_us` are the times at which the run's
    payments were made. `unexplained` grows by one with each fraud that the card's own behavior does not
    explain, and is halved by each genuine payment.

    >>> run = FraudRun()
    >>> run.note(fraud=True, paid_us=0, explained=False)
    >>> run.note(fraud=True, paid_us=10, explained=True)
    >>> run.length, run.unexplained
    (2, 1.0)
    >>> run.note(fraud=False, paid_us=20, explained=False)
    >>> run.length, run.unexplained
    (0, 0.5)
    """

    last_label_fraud: bool | None = None
    length: int = 0
    first_us: int | None = None
    last_us: int | None = None
    genuine_us: int | None = None
    unexplained: float = 0.0

    def note(self, fraud: bool, paid_us: int, explained: bool) -> None:
        """A payment of the merchant was labeled."""
        if fraud:
            # The first fraud, and the first after a genuine payment, begins a run.
            if self.last_label_fraud is not True:
                self.length, self.first_us, self.last_us = 0, paid_us, paid_us
            self.length += 1
            self.first_us = min(paid_us, self.first_us or paid_us)
            self.last_us = max(paid_us, self.last_us or paid_us)
            if not explained:
                self.unexplained += 1.0
        else:
            self.length, self.first_us, self.last_us = 0, None, None
            self.genuine_us = max(paid_us, self.genuine_us or paid_us)
            self.unexplained *= 0.5
        self.last_label_fraud = fraud


class MerchantProfile(msgspec.Struct, array_like=True, gc=False):
    """One merchant."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    trace: Trace = msgspec.field(default_factory=Trace)
    run: FraudRun = msgspec.field(default_factory=FraudRun)
    record: TrackRecord | None = None
