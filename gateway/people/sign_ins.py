"""Signing in: a name and a password for an access token, and what is told of it.

A wrong name, a wrong password, a locked and a disabled user are answered alike and take the same time, so
that nobody learns which names there are. Every try is an event on the topic `accounts`, as shoppers'
sign-ins are, so that the risk engine sees an address that guesses.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from events.clock import Clock
from events.vocabulary import Mode
from gateway.account_events import AccountEvents
from gateway.auth import Caller
from gateway.business_time import BusinessTime
from gateway.errors import NotFoundError
from gateway.event_recorder import EventRecorder
from gateway.people.access_tokens import AccessTokens
from gateway.people.errors import InvalidTokenError, RateLimitedError, WrongCredentialsError
from gateway.people.merchants import NOBODYS_MERCHANT
from gateway.people.passwords import Passwords
from gateway.people.users import (
    Credentials,
    User,
    count_failure,
    find_credentials,
    let_in,
    load_user,
    state_of,
)
from gateway.requests import AccountEvent
from gateway.store.writer import Store


@dataclass(frozen=True, kw_only=True)
class SignIns:
    """Lets merchants' people in. `clock` is the wall's: no test time unlocks anybody."""

    store: Store
    recorder: EventRecorder
    account_events: AccountEvents
    passwords: Passwords
    tokens: AccessTokens
    time: BusinessTime
    clock: Clock
    live_alone: bool = False

    async def sign_in(
        self,
        name: str,
        password: str,
        *,
        ip: str | None,
        user_agent: str | None,
        lets: Callable[[str], Awaitable[bool]],
    ) -> str:
        """An access token; raises `WrongCredentialsError`, `UnavailableError`, `RateLimitedError`.

        `lets` counts a try to the merchant of that name. Too many are told so only to who would be let in: a
        wrong password would learn that there is such a name, one of a locked name that it is the right one.
        """
        found = await self.store.read(lambda c: find_credentials(c, name))
        fits, renewed = await self.passwords.check(password, found.kept if found else None)
        in_time = found is None or await lets(found.user.merchant_id)
        now = self.clock.now()
        user = await self.account_events.keep(
            lambda c: self._tried_in(c, found, fits, renewed, now, (ip, user_agent), in_time=in_time)
        )
        if user is None:
            raise WrongCredentialsError()
        if not in_time:
            raise RateLimitedError()
        return self.tokens.sign(user, now)

    async def caller(self, token: str) -> Caller:
        """Who asks with a token; raises `InvalidTokenError` also where its user may not sign in now."""
        now = self.clock.now()
        claims = self.tokens.read(token, now)
        try:
            user = await self.store.read(lambda c: load_user(c, claims.sub))
        except NotFoundError:
            raise InvalidTokenError() from None
        is_of_now = state_of(user, now) == "active" and user.version == claims.version
        if not is_of_now or not self._is_served(user.mode):
            raise InvalidTokenError()
        at = self.time.now(user.mode)
        return Caller(key_id=user.id, merchant_id=user.merchant_id, mode=user.mode, at=at)

    def _is_served(self, mode: Mode) -> bool:
        return mode == "live" or not self.live_alone

    def _tried_in(
        self,
        connection: Connection,
        found: Credentials | None,
        fits: bool,
        renewed: str | None,
        now: datetime,
        origin: tuple[str | None, str | None],
        *,
        in_time: bool,
    ) -> User | None:
        """Who may come in, if anybody; counts and tells: who does not come `in_time` is kept out."""
        mode: Mode = found.user.mode if found else "live" if self.live_alone else "test"
        may = found is not None and fits and self._is_served(mode)
        user = found.user if found and may and let_in(connection, found, renewed, now) else None
        comes_in = user is not None and in_time
        if found and not fits and count_failure(connection, found.user, now):
            self.recorder.audit(
                connection, now, actor=found.user.id, action="user.lock", resource=found.user.id
            )
        if found:
            self.recorder.audit(
                connection,
                now,
                actor=found.user.id,
                action="user.sign_in",
                resource=found.user.id,
                outcome="succeeded" if comes_in else "refused",
            )
        ip, user_agent = origin
        self.account_events.record_in(
            connection,
            AccountEvent(
                type="sign_in" if comes_in else "sign_in_failed",
                ip=ip,
                user_agent=user_agent,
            ),
            merchant_id=found.user.merchant_id if found else NOBODYS_MERCHANT,
            mode=mode,
            at=self.time.now(mode),
            user_id=found.user.id if found else None,
        )
        return user
