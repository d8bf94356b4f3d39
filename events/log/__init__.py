"""The log: a port with an embedded adapter (SQLite) and a Kafka adapter, chosen by URL (`open_log`)."""
