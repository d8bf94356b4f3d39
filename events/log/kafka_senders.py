"""The port that two producers stand behind: `kafka_confluent` (dataflows), `kafka_python` (the gateway).

Both wait for all in-sync replicas, are idempotent (a retry is never appended twice), and let the key choose
the partition by murmur2. What is not acknowledged in time is given up, yet may still arrive: who appends it
again does so under the same event id. confluent-kafka may give up a record of a call and append later ones.
"""

from collections.abc import Sequence
from typing import Protocol

from events.log.kafka_topics import BATCH_OVERHEAD_BYTES
from events.log.port import Outgoing, Position
from events.topics import RECORD_BYTES_MAX

REQUEST_BYTES_MAX = RECORD_BYTES_MAX + BATCH_OVERHEAD_BYTES


class Sender(Protocol):
    """Sends records, in order, and waits for their acknowledgements."""

    def send(self, records: Sequence[Outgoing], deadline: float) -> list[Position]:
        """The records' positions; raises `LogUnavailableError` at `deadline` (monotonic seconds)."""
        ...

    def close(self) -> None:
        """Give the connections back; what is not acknowledged by then is given up."""
        ...
