"""The parts that profiles are made of: an entity's own amounts, its trace in time, its counterparties.

They are data; what they tell is told in `models.entity_values`, and they take payments in in `models.intake`.
Times may come late or run backwards: windows are exact at any moment; ages and gaps are never negative;
"seen" and distinct counts are over everything told so far.
"""

import msgspec

from models.windows import Window

RELATIVE_DEVIATION_PRIOR = 0.5
"""Before a history says otherwise, amounts deviate by half of their mean."""
LOG_DEVIATION_PRIOR = 0.5
"""The same for the natural logarithm of amounts."""
CLIP_DEVIATIONS = 3.0
"""Own statistics are winsorized: an amount beyond this many deviations enters as that many."""
SEEN_MAX = 256
"""Most counterparties remembered per entity; the one not seen for longest is forgotten first."""
GROUP_MAX = 64
"""Most cards remembered per device, address or customer: beyond it counts saturate."""


class Amounts(msgspec.Struct, array_like=True, gc=False):
    """An entity's own amounts in the reference currency's minor units, winsorized: running moments (Welford).

    `mean` and `squares` (squared deviations) are of the amounts, `log_mean` and `log_squares` of the natural
    logarithm of amount + 1; all are 0 without a history, that is where `count` is 0.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    log_mean: float = 0.0
    log_squares: float = 0.0
    largest: float = 0.0


class Trace(msgspec.Struct, array_like=True, gc=False):
    """When an entity paid, was declined, first and last came; `declines` None: it never was, as most."""

    payments: Window = msgspec.field(default_factory=Window)
    declines: Window | None = None
    first_us: int | None = None
    last_us: int | None = None

    def note_decline(self, moment_us: int) -> None:
        """Take a decline in."""
        if self.declines is None:
            self.declines = Window()
        self.declines.add(moment_us)


def touch(seen: dict[str, int], key: str, moment_us: int, limit: int) -> None:
    """Remember that `key` was seen, the latest last, forgetting the one not seen for longest."""
    before = seen.get(key)
    if before is None:
        seen[key] = moment_us
        if len(seen) > limit:
            del seen[next(iter(seen))]
        return
    if len(seen) > 1:
        # A dictionary keeps the order of insertion: taken out and put in again, the key stands last.
        del seen[key]
    seen[key] = before if before > moment_us else moment_us
