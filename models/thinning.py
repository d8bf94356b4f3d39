"""Thinning: a window of more events than it keeps moments stands for them with a bounded relative error.

The running count and sum of a window are step functions of time. Where a point is dropped, its events are
told as if they had happened at the next later point, so that a window whose far edge falls between counts
some that are older: these are called hidden. A point is dropped only where all that a gap hides stays a small
part of what happened since, in number and in amount (an exponential histogram: Datar, Gionis, Indyk and
Motwani, "Maintaining stream statistics over sliding windows", 2002). Dropping every second older point each
time, which is simpler, does not do: the oldest are halved every time, and their error doubles.
"""

import msgspec

FINENESS_MAX = 512
"""Where thinning begins: of what happened since a far edge, one part in 512 at most is told too much."""


class Thinned(msgspec.Struct, array_like=True, gc=False):
    """What a thinned window keeps beside its moments and sums, one entry for each moment.

    `counts` runs as the sums do. `hidden_counts` and `hidden_totals` bound what the gap before a moment
    hides: of what is told at this moment or later, so much at most had happened by any one time in the gap.
    One part in `fineness` is the relative error that the latest thinning allowed.
    """

    counts: list[int]
    hidden_counts: list[int]
    hidden_totals: list[int]
    forgotten_count: int = 0
    fineness: int = FINENESS_MAX

    def insert(self, place: int) -> None:
        """A moment stands anew at this place, with no event as yet; a gap that it parts hides what it hid."""
        counts, is_last = self.counts, place == len(self.counts)
        counts.insert(place, counts[place - 1] if place else self.forgotten_count)
        self.hidden_counts.insert(place, 0 if is_last else self.hidden_counts[place])
        self.hidden_totals.insert(place, 0 if is_last else self.hidden_totals[place])

    def shift(self, first: int, more: int) -> None:
        """So many more events happened at this place."""
        counts = self.counts
        for place in range(first, len(counts)):
            counts[place] += more

    def forget(self, count: int) -> None:
        """The oldest moments go."""
        self.forgotten_count = self.counts[count - 1]
        del self.counts[:count], self.hidden_counts[:count], self.hidden_totals[:count]

    @property
    def is_exact(self) -> bool:
        """Whether each moment stands for one event, and none is hidden."""
        return self.counts[-1] - self.forgotten_count == len(self.counts) and not any(self.hidden_counts)


def thin(times: list[int], totals: list[int], forgotten_total: int, known: Thinned, length_max: int) -> None:
    """Drop points until at most `length_max` are left, as finely as that goes. The newest always stays.

    Amounts must not be negative. Each gap that is left keeps, for the count and for the sum since its times:
    hidden × fineness ≤ told - hidden, which is at most the truth.
    """
    while len(times) > length_max:
        kept = _kept(times, totals, forgotten_total, known)
        times[:] = [times[place] for place in kept]
        totals[:] = [totals[place] for place in kept]
        known.counts = [known.counts[place] for place in kept]
        known.hidden_counts = [known.hidden_counts[place] for place in kept]
        known.hidden_totals = [known.hidden_totals[place] for place in kept]
        if len(times) > length_max:
            known.fineness //= 2  # at none left, any error is allowed, and one point remains


def _kept(times: list[int], totals: list[int], forgotten_total: int, known: Thinned) -> list[int]:
    """Places that stay, oldest first; those that stay take over what the gaps before them now hide."""
    counts, hidden_counts, hidden_totals = known.counts, known.hidden_counts, known.hidden_totals
    fineness, end = known.fineness, len(times) - 1
    stays, kept = end, [end]
    for place in range(end - 1, -1, -1):
        count_before = counts[place - 1] if place else known.forgotten_count
        total_before = totals[place - 1] if place else forgotten_total
        count, total = hidden_counts[place], hidden_totals[place]
        # Between equal moments lies no time at which anything could be hidden.
        if times[place] != times[stays]:
            count = max(count, hidden_counts[stays] + counts[place] - count_before)
            total = max(total, hidden_totals[stays] + totals[place] - total_before)
        since_count, since_total = counts[end] - count_before, totals[end] - total_before
        if count * fineness <= since_count - count and total * fineness <= since_total - total:
            hidden_counts[stays], hidden_totals[stays] = count, total
        else:
            stays = place
            kept.append(place)
    kept.reverse()
    return kept
