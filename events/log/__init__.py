"""The log: a port with an embedded adapter (SQLite) and a Kafka adapter, chosen by URL (`open_log`)."""

from events.log.opening import open_log

__all__ = ["open_log"]
