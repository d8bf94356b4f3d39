"""`weir surrogate`: what stands for a device, address, email, customer or card in lists and on the log.

The value itself goes nowhere: a list holds its surrogate, which leads to nobody once the person is forgotten.
"""

from pathlib import Path

from events.vocabulary import Mode
from gateway.errors import GatewayError
from gateway.surrogates import Kind, find_surrogate
from operations.errors import SurrogateError


def surrogate_of(
    home: Path, keys: Path | None, kind: Kind, value: str, *, mode: Mode, merchant: str | None
) -> str:
    """The surrogate of a value, of a card that of its token or payment method; raises `SurrogateError`."""
    try:
        found = find_surrogate(home, keys, kind, value, mode=mode, merchant=merchant)
    except GatewayError as error:
        raise SurrogateError(error.message) from None
    if found is None:
        raise SurrogateError(_unknown(kind, mode))
    return found


def _unknown(kind: Kind, mode: Mode) -> str:
    other = "add --live for live mode" if mode == "test" else "leave --live away for test mode"
    if kind == "card":
        return f"no such token (tok_…) or payment method (pm_…) is known in {mode} mode ({other})"
    word = "IP address" if kind == "ip" else kind
    return (
        f"this {word} is not known in {mode} mode ({other}): it gets its surrogate with its first payment "
        "or sign-in"
    )
