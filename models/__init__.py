"""The risk engine and its models: pure, no clock, no I/O, no events."""

from hashlib import sha256
from pathlib import Path

_stamp = Path(__file__).with_name(".compiled")

COMPILED = _stamp.exists()
"""Whether the modules of `compiled.txt` run as machine code (`make compiled`): same source, same results."""


def _check() -> None:
    """Raise `ImportError` where what was compiled is not what is written: it would run all the same."""
    for line in _stamp.read_text().splitlines():
        digest, _, name = line.partition("  ")
        source = _stamp.parent.parent / name
        if not source.exists() or sha256(source.read_bytes()).hexdigest() != digest:
            raise ImportError(
                f"{name} was changed since it was compiled: `make compiled`, or `make interpreted`"
            )


if COMPILED:
    _check()
