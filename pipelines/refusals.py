"""Records that could not be read or handled, on their way to the dead letters."""

from datetime import datetime

from events.dead_letters import dead_letter_of, outgoing
from events.log.port import Outgoing, Record


def dead_letter(record: Record, reason: str, at: datetime) -> Outgoing:
    """Where, why and the bytes as far as kept. The same record refused again has the same event id."""
    return outgoing(dead_letter_of(record, reason, now=at))
