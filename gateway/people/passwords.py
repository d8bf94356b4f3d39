"""Passwords: what one must be, and how it is kept (Argon2id; nobody can read it back).

PCI DSS 8.3.6 and 8.3.7: twelve characters or more, letters and digits, none of the last four.
"""

from collections.abc import Sequence

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from events.ids import Entropy
from gateway.errors import InvalidRequestError, UnavailableError
from gateway.scheduling import Scheduling

LENGTH_MIN, LENGTH_MAX = 12, 256
REMEMBERED = 4
"""A new password is none of the last so many, the present one among them."""

WAITING_MAX = 32
"""So many wait at once to have a password checked: a check takes tens of milliseconds of one core."""

OWASP_MINIMUM = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))
"""Argon2id at the least that OWASP's cheat sheet names: 19 MiB, two passes, one lane."""

_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$fyc9rAOYYM5ael1+zfTVig$my37QmeO+SHCvWFLjLgXAMHZGaXGJzT5B551+MnJDGk"
"""Checked for a name that is nobody's, so that it takes the same time; what fits it opens nothing."""

_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GENERATED_LENGTH = 24


class Passwords:
    """Checks passwords on a lane of their own, one at a time, and no more than may wait."""

    def __init__(self, scheduling: Scheduling, hasher: PasswordHash = OWASP_MINIMUM) -> None:
        self._scheduling = scheduling
        self._hasher = hasher
        self._waiting = 0

    async def check(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether it is the one that is kept (None: nobody's), and how to keep it from now on, if otherwise.

        Raises `UnavailableError` where too many wait.
        """
        if self._waiting >= WAITING_MAX:
            raise UnavailableError("Too many sign in at once. Try again.")
        self._waiting += 1
        try:
            fits, renewed = await self._scheduling.run_blocking(
                "passwords", lambda: self._hasher.verify_and_update(password, kept or _NOBODYS)
            )
        finally:
            self._waiting -= 1
        return (fits, renewed) if kept else (False, None)


def hashed(password: str) -> str:
    """A password as it is kept."""
    return OWASP_MINIMUM.hash(password)


def require_good(password: str, earlier: Sequence[str] = ()) -> None:
    """Raises `InvalidRequestError` for a password that is too weak, or one of the `earlier` ones kept."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise _too_weak(f"has {LENGTH_MIN} to {LENGTH_MAX} characters")
    if not any(char.isalpha() for char in password) or not any(char.isdigit() for char in password):
        raise _too_weak("has letters and digits")
    if any(OWASP_MINIMUM.verify(password, one) for one in earlier):
        raise _too_weak(f"is none of your last {REMEMBERED}")


def generated(entropy: Entropy) -> str:
    """A random password that is good, of 139 bits."""
    size = len(_ALPHABET)
    while True:
        # Four times the alphabet is what a byte holds of it: beyond, its first letters would come more often.
        letters = [_ALPHABET[byte % size] for byte in entropy(_GENERATED_LENGTH * 2) if byte < 4 * size]
        password = "".join(letters[:_GENERATED_LENGTH])
        if len(password) == _GENERATED_LENGTH and any(char.isdigit() for char in password):
            return password


def _too_weak(rule: str) -> InvalidRequestError:
    return InvalidRequestError(f"A password {rule}.", code="password_too_weak", param="password")
