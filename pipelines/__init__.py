"""Bytewax dataflows and replay: thin wiring over the pure steps of `models`."""
