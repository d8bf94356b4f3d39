"""The log: a port with an embedded adapter (SQLite) and a Kafka adapter, chosen by URL (`open_log`)."""

from events.log.opening import OUTAGE_SECONDS_MAX, open_log

__all__ = ["OUTAGE_SECONDS_MAX", "open_log"]
