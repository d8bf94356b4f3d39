"""Which part of the payments a risk flow answers, where several share the work."""

from typing import NamedTuple

from events.topics import PARTITIONS


class Share(NamedTuple):
    """One of `flows` flows. All take in everything; each answers the requests of its own partitions.

    A partition is answered by one flow alone, so its replies keep the order of its requests.

    >>> [number for number in range(8) if Share(1, 3).has(number)]
    [1, 4, 7]
    """

    flow: int
    flows: int

    def has(self, partition: int) -> bool:
        """Whether this flow answers what stands in the partition."""
        return partition % self.flows == self.flow

    @property
    def partitions(self) -> list[int]:
        """What is its own, of `PARTITIONS`."""
        return [number for number in range(PARTITIONS) if self.has(number)]


WHOLE = Share(0, 1)
"""One flow that answers everything."""
