"""What the engine knows of each card, customer, device and address, as data.

`models.entity_values` makes features of it, `models.intake` takes payments in. What most entities never have
(a decline, a challenge, a label) is None until they have one: less to keep, to read back and to ask.
"""

import msgspec

from models.challenges import ChallengeRecord
from models.histories import GROUP_MAX, Amounts, Trace, touch
from models.track_records import TrackRecord
from models.windows import Window


class CardProfile(msgspec.Struct, array_like=True, gc=False):
    """One card."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    trace: Trace = msgspec.field(default_factory=Trace)
    merchants: dict[str, int] = {}
    devices: dict[str, int] = {}
    ip_countries: dict[str, int] = {}
    new_merchants: Window | None = None
    record: TrackRecord | None = None
    challenges: ChallengeRecord | None = None


class CustomerProfile(msgspec.Struct, array_like=True, gc=False):
    """One customer: the merchant's own customer, else the email."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    trace: Trace = msgspec.field(default_factory=Trace)
    cards: dict[str, int] = {}
    devices: dict[str, int] = {}
    ip_countries: dict[str, int] = {}
    failed_sign_ins: Window | None = None
    record: TrackRecord | None = None
    challenges: ChallengeRecord | None = None

    def note_failed_sign_in(self, moment_us: int) -> None:
        """Take a failed sign-in in."""
        if self.failed_sign_ins is None:
            self.failed_sign_ins = Window()
        self.failed_sign_ins.add(moment_us)


class SharedProfile(msgspec.Struct, array_like=True, gc=False):
    """One device or IP address: what several cards may share."""

    trace: Trace = msgspec.field(default_factory=Trace)
    cards: dict[str, int] = {}
    failed_sign_ins: Window | None = None
    record: TrackRecord | None = None
    challenges: ChallengeRecord | None = None
    sign_in_targets: dict[str, int] | None = None

    def note_failed_sign_in(self, moment_us: int, customer: str | None) -> None:
        """Take a failed sign-in in, and at whose account it was, where somebody has it."""
        if self.failed_sign_ins is None:
            self.failed_sign_ins = Window()
        self.failed_sign_ins.add(moment_us)
        if customer is not None:
            self.sign_in_targets = {} if self.sign_in_targets is None else self.sign_in_targets
            touch(self.sign_in_targets, customer, moment_us, GROUP_MAX)
