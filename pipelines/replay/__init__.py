"""Replay of historical payments from a file, through the same engine."""
