"""One challenge: a code is sent to the cardholder's phone, and typed in. Pure: times, codes and keys are
passed in.

Codes are kept hashed under a key that is not kept with them. In test mode any code of four to ten digits
succeeds, and a shorter one fails, so that a test needs no phone.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import Literal

State = Literal["open", "authenticated", "failed", "canceled", "expired", "withdrawn"]
"""`withdrawn`: whoever asked for it no longer waits."""

ATTEMPTS_MAX = 3
RESENDS_MAX = 3
LIFETIME_SECONDS = 600.0

_TEST_CODE = re.compile(r"[0-9]{4,10}")
_BETWEEN_DIGITS = re.compile(r"[\s-]")


@dataclass(frozen=True)
class Challenge:
    """Where a challenge stands; `ends_at` is Unix seconds."""

    digest: bytes
    ends_at: float
    is_test: bool
    state: State = "open"
    attempts: int = 0
    resends: int = 0


def opened(code: str, key: bytes, now: float, *, is_test: bool) -> Challenge:
    """A challenge whose first code has been sent."""
    return Challenge(_digest(code, key), now + LIFETIME_SECONDS, is_test)


def at(challenge: Challenge, now: float) -> Challenge:
    """The challenge as time leaves it."""
    is_over = challenge.state == "open" and now >= challenge.ends_at
    return replace(challenge, state="expired") if is_over else challenge


def answered(challenge: Challenge, code: str, key: bytes, now: float) -> Challenge:
    """The challenge after a code was typed in; the third wrong one fails it. What has ended stays so.

    Spaces and hyphens are not of a code: people copy them from where it is shown in groups.

    >>> challenge = opened("481516", b"", 0.0, is_test=False)
    >>> answered(challenge, "481 516", b"", 1.0).state, answered(challenge, "1", b"", 1.0).attempts
    ('authenticated', 1)
    """
    challenge = at(challenge, now)
    if challenge.state != "open":
        return challenge
    code = _BETWEEN_DIGITS.sub("", code)
    right = hmac.compare_digest(_digest(code, key), challenge.digest)
    if right or (challenge.is_test and _TEST_CODE.fullmatch(code)):
        return replace(challenge, state="authenticated")
    attempts = challenge.attempts + 1
    return replace(challenge, attempts=attempts, state="failed" if attempts >= ATTEMPTS_MAX else "open")


def may_resend(challenge: Challenge, now: float) -> bool:
    """Whether another code may be sent."""
    return at(challenge, now).state == "open" and challenge.resends < RESENDS_MAX


def resent(challenge: Challenge, code: str, key: bytes, now: float) -> Challenge:
    """The challenge after another code was sent, which alone is good from now on; wrong ones stay counted."""
    if not may_resend(challenge, now):
        return at(challenge, now)
    return replace(challenge, digest=_digest(code, key), resends=challenge.resends + 1)


def canceled(challenge: Challenge, now: float) -> Challenge:
    """The payer gave up."""
    challenge = at(challenge, now)
    return replace(challenge, state="canceled") if challenge.state == "open" else challenge


def withdrawn(challenge: Challenge, now: float) -> Challenge:
    """Nobody waits for it any more."""
    challenge = at(challenge, now)
    return replace(challenge, state="withdrawn") if challenge.state == "open" else challenge


def _digest(code: str, key: bytes) -> bytes:
    return hashlib.blake2b(code.encode(), key=key, digest_size=32).digest()
