"""What the engine knows of a merchant (or one terminal): its business, and what its labels say.

A run of frauds that the cards' own behavior does not explain is a compromised terminal; one that it does
explain is a stolen card that passed by.
"""

import msgspec

from models.feature import Value
from models.histories import Amounts, Trace, days_since, hour_and_day
from models.track_records import TrackRecord
from models.windows import DAY_US

SHARE_WIDTHS = (30 * DAY_US, 7 * DAY_US, DAY_US)


class FraudRun(msgspec.Struct, array_like=True, gc=False):
    """The latest labeled payments of a merchant: is fraud running, since when, and is it the merchant's?

    Labels count in the order in which they arrive; `first_us` and `last_us` are the times at which the run's
    payments were made. `unexplained` grows by one with each fraud that the card's own behavior does not
    explain, and is halved by each genuine payment.

    >>> run = FraudRun()
    >>> run.note(fraud=True, paid_us=0, explained=False)
    >>> run.note(fraud=True, paid_us=DAY_US, explained=True)
    >>> run.length, run.unexplained
    (2, 1.0)
    >>> run.note(fraud=False, paid_us=2 * DAY_US, explained=False)
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

    def features(self, now_us: int) -> list[Value]:
        """Last label, length of the run, days since its ends and the last genuine payment, unexplained."""
        return [
            None if self.last_label_fraud is None else float(self.last_label_fraud),
            float(self.length),
            days_since(now_us, self.first_us),
            days_since(now_us, self.last_us),
            days_since(now_us, self.genuine_us),
            self.unexplained,
        ]


class MerchantProfile(msgspec.Struct, array_like=True, gc=False):
    """One merchant."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    trace: Trace = msgspec.field(default_factory=Trace)
    run: FraudRun = msgspec.field(default_factory=FraudRun)
    record: TrackRecord = msgspec.field(default_factory=TrackRecord)

    def features(self, now_us: int, amount_minor: int | None) -> list[Value]:
        """The merchant's part of the vector."""
        trace, record = self.trace, self.record
        _, h1, d1, d7, d30 = trace.counts(now_us)
        share_30d, share_7d, share_1d = record.shares(now_us, SHARE_WIDTHS)
        return [
            self.amounts.mean,
            self.amounts.z(amount_minor),
            float(h1),
            float(d1),
            float(d7),
            (d1 + 1.0) / trace.usual_per_day(now_us, d30),
            *trace.gap_and_age(now_us),
            *hour_and_day(trace.declines, now_us),
            *self.run.features(now_us),
            *record.features(now_us),
            share_1d,
            share_7d,
            share_30d,
        ]

    def note_payment(self, now_us: int, amount_minor: int | None) -> None:
        """Take a payment in."""
        self.trace.note(now_us, amount_minor)
        self.amounts.add(amount_minor)
