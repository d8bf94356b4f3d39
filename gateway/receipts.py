"""Where the receipt of a payment goes: an email address, sealed, and found by its keyed hash."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from events.moments import microseconds
from gateway.auth import Caller
from gateway.payments.intents import Intent
from gateway.personal import PersonalData
from gateway.store.writer import Store

_FIELD = "receipt_email"


def sealed_email(
    connection: Connection, personal: PersonalData, caller: Caller, subject: str, email: str
) -> dict[str, bytes | None]:
    """The members of an intent that keep the address; of none where it is empty."""
    if not email:
        return {"sealed_receipt_email": None, "receipt_email_digest": None}
    sealed = personal.seal(connection, subject, {_FIELD: email}, microseconds(caller.at))
    return {
        "sealed_receipt_email": sealed,
        "receipt_email_digest": email_digest(personal, caller, email),
    }


def email_digest(personal: PersonalData, caller: Caller, email: str) -> bytes:
    """What an address is found by, capitals or not."""
    return personal.digest(caller.mode, "email", email.strip().lower())


@dataclass(frozen=True, kw_only=True)
class Receipts:
    """Opens the addresses of payments that are shown to their merchant."""

    store: Store
    personal: PersonalData

    async def emails(self, intents: Iterable[Intent]) -> dict[str, str]:
        """The address by the payment's id; none of one that has none, or whose person was erased."""
        sealed = [intent for intent in intents if intent.sealed_receipt_email is not None]
        if not sealed:
            return {}
        return await self.store.read(lambda connection: self._opened_in(connection, sealed))

    def _opened_in(self, connection: Connection, intents: list[Intent]) -> dict[str, str]:
        fields = {
            intent.id: self.personal.unseal(connection, intent.subject, intent.sealed_receipt_email)
            for intent in intents
        }
        return {the_id: opened[_FIELD] for the_id, opened in fields.items() if opened}
