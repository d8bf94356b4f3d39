"""Client secrets: what a shopper's browser shows to confirm one payment intent, and nothing else.

A secret is made of the intent's random id under a key of the installation, so that none is kept anywhere: who
reads the store, a backup or the log can confirm nothing.
"""

import hmac

from gateway.errors import NotFoundError

SECRET_HEX_DIGITS = 48


class ClientSecrets:
    """Makes and checks them."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"client secrets", "sha256")

    def of(self, payment_id: str) -> str:
        """The secret of an intent: `pi_…_secret_…`."""
        made = hmac.digest(self._key, payment_id.encode(), "sha256").hex()
        return f"{payment_id}_secret_{made[:SECRET_HEX_DIGITS]}"

    def require(self, payment_id: str, given: str | None) -> None:
        """Raises `NotFoundError`, as for an intent that is not there, unless `given` is its secret."""
        if given is None or not hmac.compare_digest(given.encode(), self.of(payment_id).encode()):
            raise NotFoundError("There is no such payment intent.")
