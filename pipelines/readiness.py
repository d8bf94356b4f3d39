"""How a program of this folder tells its supervisor that it is ready."""

import sys

import msgspec


def announce(program: str) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode({"ready": program}).decode() + "\n")
    sys.stdout.flush()
