"""A card comes in, a token goes out: registered with the API, sealed in the vault, then given out."""

from datetime import datetime
from typing import Any

from events.crash import crash_point, declare
from events.ids import Entropy, prefixed
from gateway import cards
from gateway.processor import vault, vault_rows
from gateway.processor.card_input import CheckedCard
from gateway.processor.security_codes import SecurityCodes
from gateway.processor.store import ProcessorStore
from gateway.processor.vault import CardData, VaultKeys
from gateway.processor_port import TokenRegistration, TokenRegistry

declare(
    {
        "processor.token.registered": "the API knows the token, the vault does not hold its card",
        "processor.token.committed": "the card is in the vault, the shopper was not told",
    }
)

_TOKEN_BYTES = 16


class Tokens:
    """Makes tokens. The API comes first: a card under a wrong key is never written anywhere.

    A crash between the two leaves a token that nobody was told of and that no card stands behind.
    """

    def __init__(
        self,
        *,
        store: ProcessorStore,
        registry: TokenRegistry,
        keys: VaultKeys,
        security_codes: SecurityCodes,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._registry = registry
        self._keys = keys
        self._security_codes = security_codes
        self._entropy = entropy

    async def create(
        self, api_key: str, card: CheckedCard, now: datetime, address: str | None = None
    ) -> dict[str, Any]:
        """The token in Stripe's shape; raises `AuthenticationError`, `RateLimitedError`, `UnavailableError`.

        `address` is where the card comes from.
        """
        token = prefixed("tok", self._entropy(_TOKEN_BYTES))
        known = cards.look_up(card.number)
        registration = self._registration(api_key, token, card, known, address)
        registered = await self._registry.register(registration)
        crash_point("processor.token.registered")
        content = CardData(card.number, card.exp_month, card.exp_year)
        sealed = vault.seal(self._keys, token, content, self._entropy)
        await self._store.transact(lambda db: vault_rows.insert_card(db, sealed))
        if card.cvc is not None:
            self._security_codes.keep(token, card.cvc)
        crash_point("processor.token.committed")
        return _token_document(token, card, known, now, live=registered.mode == "live")

    def _registration(
        self, api_key: str, token: str, card: CheckedCard, known: cards.CardRange, address: str | None
    ) -> TokenRegistration:
        return TokenRegistration(
            api_key=api_key,
            token=token,
            fingerprint=vault.fingerprint(self._keys, card.number),
            bin=card.number[:6],
            last4=card.number[-4:],
            brand=known.brand,
            funding=known.funding,
            issuer_country=known.country,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            test_risk=cards.documented_risk(card.number),
            address=address,
        )


def _token_document(
    token: str, card: CheckedCard, known: cards.CardRange, now: datetime, *, live: bool
) -> dict[str, Any]:
    return {
        "id": token,
        "object": "token",
        "type": "card",
        "created": int(now.timestamp()),
        "livemode": live,
        "used": False,
        "card": {
            "object": "card",
            "brand": known.brand,
            "last4": card.number[-4:],
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "funding": known.funding,
            "country": known.country,
        },
    }
