"""Tokens as the API keeps them: facts of a card without its number, bound to a merchant and a mode."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from events.instruments import CardFacts
from events.moments import microseconds
from events.vocabulary import Mode
from gateway.auth import Caller, Keys
from gateway.errors import NotFoundError
from gateway.http.presented_keys import is_shaped_like_a_token
from gateway.people.sign_ins import SignIns
from gateway.personal import PersonalData
from gateway.pressure.admission import Admission
from gateway.processor_port import TestRisk, TokenRegistered, TokenRegistration
from gateway.rate_limits import RateLimits
from gateway.store.by_key import ByKey, Wanted
from gateway.store.tables import tokens
from gateway.store.writer import Store

_TOKENS = ByKey(tokens, "id")


class KnownCard(NamedTuple):
    """A token's card; `digest` is the keyed hash under which its surrogate's mapping is kept."""

    facts: CardFacts
    digest: bytes
    test_risk: TestRisk | None


@dataclass(frozen=True, kw_only=True)
class RegisteredTokens:
    """The API side of the processor's port: a `TokenRegistry`."""

    store: Store
    keys: Keys
    personal: PersonalData
    rate_limits: RateLimits
    sign_ins: SignIns
    admission: Admission

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        """Bind the token to the merchant of its key, durably; its payments stand in the same queue.

        Raises `AuthenticationError`, `RateLimitedError`, `OverloadedError`.
        """
        self._require_room(registration.api_key)
        caller = await self._caller(registration)
        await self.rate_limits.admit(caller, registration.address)
        await self.admission.writes.enter(caller.party)
        try:
            return await self._registered(registration, caller)
        finally:
            self.admission.writes.leave(caller.party)

    def _require_room(self, api_key: str) -> None:
        """Refuse whoever is known and would be refused, before a look-up; raises `OverloadedError`."""
        party = self.keys.party_of(api_key)
        if party is not None:
            self.admission.writes.require_room(party)

    async def _registered(self, registration: TokenRegistration, caller: Caller) -> TokenRegistered:
        card = {"card": registration.fingerprint}
        wanted = (token_wanted(registration.token), *self.personal.wanted(caller.mode, card))
        await self.store.write(lambda connection: self._register_in(connection, registration, caller), wanted)
        return TokenRegistered(merchant_id=caller.merchant_id, mode=caller.mode)

    async def _caller(self, registration: TokenRegistration) -> Caller:
        """Who offers a card: with a key, or signed in (`/pay`)."""
        given = registration.api_key
        if is_shaped_like_a_token(given):
            return await self.sign_ins.caller(given)
        return await self.keys.authenticate(given, from_browser=True, address=registration.address)

    def _register_in(self, connection: Connection, card: TokenRegistration, caller: Caller) -> None:
        # The processor asks again where it heard no answer.
        if _TOKENS.find(connection, card.token) is not None:
            return
        stand_in = self.personal.surrogates(connection, caller.mode, {"card": card.fingerprint})["card"]
        row = {
            "id": card.token,
            "merchant_id": caller.merchant_id,
            "mode": caller.mode,
            "surrogate": stand_in,
            "surrogate_digest": self.personal.digest(caller.mode, "card", card.fingerprint),
            "bin": card.bin,
            "last4": card.last4,
            "brand": card.brand,
            "funding": card.funding,
            "issuer_country": card.issuer_country,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            # What a documented test card always gets must never decide about real money.
            "test_risk": card.test_risk if caller.mode == "test" else None,
            "created_us": microseconds(caller.at),
        }
        _TOKENS.insert(connection, row)


def token_wanted(token: str) -> Wanted:
    """A token that will be looked for."""
    return _TOKENS.wanted(token)


def surrogate_of_card(connection: Connection, token: str, mode: Mode) -> str | None:
    """The surrogate of the card behind a token, whoever's; None for a token that is unknown in this mode."""
    found = select(tokens.c.surrogate).where(tokens.c.id == token, tokens.c.mode == mode)
    return connection.execute(found).scalar()


def card_as_said(connection: Connection, token: str, mode: Mode) -> str | None:
    """What a card that is typed again has in common with this token's: its surrogate, and its expiry."""
    found = select(tokens.c.surrogate, tokens.c.exp_year, tokens.c.exp_month)
    row = connection.execute(found.where(tokens.c.id == token, tokens.c.mode == mode)).one_or_none()
    return None if row is None else f"{row.surrogate} {row.exp_year}-{row.exp_month:02}"


def made_us(connection: Connection, token: str) -> int:
    """When a token was made that is there."""
    return int(connection.execute(select(tokens.c.created_us).where(tokens.c.id == token)).scalar_one())


def load_card(
    connection: Connection, token: str, *, merchant_id: str, mode: Mode, param: str = "payment_method"
) -> KnownCard:
    """The card of a token of this merchant and mode; raises `NotFoundError`, of the member that gave it."""
    row = _TOKENS.find(connection, token)
    # Another's token is answered as none at all, so that nobody learns which there are.
    if row is None or (row.merchant_id, row.mode) != (merchant_id, mode):
        raise NotFoundError("There is no such payment method.", param=param)
    facts = CardFacts(
        token=row.id,
        surrogate=row.surrogate,
        bin=row.bin,
        last4=row.last4,
        brand=row.brand,
        funding=row.funding,
        issuer_country=row.issuer_country,
        expiry_year=row.exp_year,
        expiry_month=row.exp_month,
    )
    return KnownCard(facts, row.surrogate_digest, row.test_risk)
