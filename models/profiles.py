"""What the engine knows of each entity, and the features it tells.

`features` never counts the payment it is asked about and returns the entity's values in the order of the
catalogue; `note_payment` takes the payment in afterwards. Amounts are in minor units of the reference
currency.
"""

import msgspec

from models.challenges import ChallengeRecord, challenge_features
from models.feature import Value
from models.histories import (
    GROUP_MAX,
    SEEN_MAX,
    Amounts,
    Trace,
    hour_and_day,
    seen_within,
    touch,
)
from models.observations import Observation
from models.track_records import TrackRecord
from models.windows import DAY_US, HOUR_US, Window

D7_US = 7 * DAY_US
MONTH = (30 * DAY_US,)


class CardProfile(msgspec.Struct, array_like=True, gc=False):
    """One card."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    trace: Trace = msgspec.field(default_factory=Trace)
    merchants: dict[str, int] = {}
    devices: dict[str, int] = {}
    ip_countries: dict[str, int] = {}
    new_merchants: Window = msgspec.field(default_factory=Window)
    record: TrackRecord = msgspec.field(default_factory=TrackRecord)
    challenges: ChallengeRecord | None = None

    def features(self, now_us: int, amount_minor: int | None, seen: Observation) -> list[Value]:
        """The card's part of the vector."""
        trace, record = self.trace, self.record
        m10, h1, d1, d7, d30 = trace.counts(now_us)
        sum_1d = trace.last_total(now_us, d1)
        usual = trace.usual_per_day(now_us, d30)
        mean = self.amounts.mean
        mean_1d = mean_7d = None
        if mean is not None and amount_minor is not None:
            mean_1d = ((sum_1d + amount_minor) / (d1 + 1) + 1.0) / (mean + 1.0)
            mean_7d = ((trace.last_total(now_us, d7) + amount_minor) / (d7 + 1) + 1.0) / (mean + 1.0)
        return [
            mean,
            *self.amounts.features(amount_minor),
            float(sum_1d),
            float(m10),
            float(h1),
            float(d1),
            float(d7),
            float(d30),
            usual,
            mean_1d,
            mean_7d,
            (d1 + 1.0) / usual,
            *trace.gap_and_age(now_us),
            None if seen.merchant is None else float(seen.merchant in self.merchants),
            None if seen.device is None else float(seen.device in self.devices),
            None if seen.ip_country is None else float(seen.ip_country in self.ip_countries),
            *hour_and_day(self.new_merchants, now_us),
            *hour_and_day(trace.declines, now_us),
            *challenge_features(self.challenges, now_us),
            *record.features(now_us),
        ]

    def note_payment(self, now_us: int, amount_minor: int | None, seen: Observation) -> None:
        """Take a payment in."""
        self.trace.note(now_us, amount_minor)
        self.amounts.add(amount_minor)
        if seen.merchant is not None:
            if seen.merchant not in self.merchants:
                self.new_merchants.add(now_us)
            touch(self.merchants, seen.merchant, now_us, SEEN_MAX)
        if seen.device is not None:
            touch(self.devices, seen.device, now_us, GROUP_MAX)
        if seen.ip_country is not None:
            touch(self.ip_countries, seen.ip_country, now_us, GROUP_MAX)


class CustomerProfile(msgspec.Struct, array_like=True, gc=False):
    """One customer: the merchant's own customer, else the email."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    trace: Trace = msgspec.field(default_factory=Trace)
    cards: dict[str, int] = {}
    devices: dict[str, int] = {}
    ip_countries: dict[str, int] = {}
    failed_sign_ins: Window = msgspec.field(default_factory=Window)
    record: TrackRecord = msgspec.field(default_factory=TrackRecord)
    challenges: ChallengeRecord | None = None

    def features(self, now_us: int, amount_minor: int | None, seen: Observation) -> list[Value]:
        """The customer's part of the vector."""
        trace, record = self.trace, self.record
        _, h1, d1, d7, d30 = trace.counts(now_us)
        return [
            self.amounts.mean,
            self.amounts.z(amount_minor),
            float(h1),
            float(d1),
            float(d7),
            float(d30),
            *trace.gap_and_age(now_us),
            *seen_within(self.cards, now_us, (DAY_US, D7_US)),
            None if seen.device is None else float(seen.device in self.devices),
            None if seen.ip_country is None else float(seen.ip_country in self.ip_countries),
            *hour_and_day(trace.declines, now_us),
            *hour_and_day(self.failed_sign_ins, now_us),
            *challenge_features(self.challenges, now_us),
            *record.features(now_us),
            *record.shares(now_us, MONTH),
        ]

    def note_payment(self, now_us: int, amount_minor: int | None, seen: Observation) -> None:
        """Take a payment in."""
        self.trace.note(now_us, amount_minor)
        self.amounts.add(amount_minor)
        if seen.card is not None:
            touch(self.cards, seen.card, now_us, GROUP_MAX)
        if seen.device is not None:
            touch(self.devices, seen.device, now_us, GROUP_MAX)
        if seen.ip_country is not None:
            touch(self.ip_countries, seen.ip_country, now_us, GROUP_MAX)


class SharedProfile(msgspec.Struct, array_like=True, gc=False):
    """One device or IP address: what several cards may share."""

    trace: Trace = msgspec.field(default_factory=Trace)
    cards: dict[str, int] = {}
    failed_sign_ins: Window = msgspec.field(default_factory=Window)
    record: TrackRecord = msgspec.field(default_factory=TrackRecord)
    challenges: ChallengeRecord | None = None
    sign_in_targets: dict[str, int] | None = None

    def features(self, now_us: int) -> list[Value]:
        """The device's or address's part of the vector."""
        trace, record = self.trace, self.record
        m10, h1, d1, d7, d30 = trace.counts(now_us)
        return [
            float(m10),
            float(h1),
            float(d1),
            float(d7),
            float(d30),
            *trace.gap_and_age(now_us),
            *seen_within(self.cards, now_us, (HOUR_US, DAY_US, D7_US)),
            *hour_and_day(trace.declines, now_us),
            *hour_and_day(self.failed_sign_ins, now_us),
            *seen_within(self.sign_in_targets or {}, now_us, (DAY_US,)),
            *challenge_features(self.challenges, now_us),
            *record.features(now_us),
            *record.shares(now_us, MONTH),
        ]

    def note_failed_sign_in(self, moment_us: int, customer: str | None) -> None:
        """Take a failed sign-in in, and at whose account it was, where somebody has it."""
        self.failed_sign_ins.add(moment_us)
        if customer is not None:
            self.sign_in_targets = {} if self.sign_in_targets is None else self.sign_in_targets
            touch(self.sign_in_targets, customer, moment_us, GROUP_MAX)

    def note_payment(self, now_us: int, amount_minor: int | None, seen: Observation) -> None:
        """Take a payment in."""
        self.trace.note(now_us, amount_minor)
        if seen.card is not None:
            touch(self.cards, seen.card, now_us, GROUP_MAX)
