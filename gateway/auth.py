"""API keys of merchants. A key is random and shown once; only an HMAC-SHA-256 of it is kept.

Test keys (`sk_test_…`) and live keys (`sk_live_…`) are two worlds. With a test key a request may carry its
own time, which the platform's test clock follows; live keys are refused it. A home of live payments
(`gateway/live_home.py`) refuses test keys. Publishable keys (`pk_…`) stand in the pages of a shop, where
anybody may read them: they make tokens, and confirm an intent with its client secret.
"""

import asyncio
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from events.ids import Entropy, resource_id
from events.moments import microseconds, moment
from events.personal import mac
from events.vocabulary import Mode
from gateway.business_time import BusinessTime
from gateway.counting import KEYS_MAX, FailuresByAddress
from gateway.errors import AuthenticationError, NotFoundError, SecretKeyRequiredError
from gateway.event_recorder import EventRecorder
from gateway.http.presented_keys import is_publishable, mode_of
from gateway.live_home import require_live_key
from gateway.people.errors import RateLimitedError
from gateway.people.merchants import Plan, load_merchant, settings_of
from gateway.pressure.turnstile import Party
from gateway.store.idempotency_rows import RequestKey
from gateway.store.statements import Statement
from gateway.store.tables import api_keys, intents, merchants
from gateway.store.writer import Store

_BY_DIGEST = Statement(
    select(api_keys, merchants.c.settings_json)
    .join(merchants, merchants.c.id == api_keys.c.merchant_id)
    .where(api_keys.c.digest == bindparam("the_digest"))
)


ALL_AGAIN_SECONDS = 1.0
"""How often all keys in force are read for addresses whose unknown keys are not looked up one by one."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, in which world, and when in business time; under which idempotency key, if any.

    What a request does is done with `claim_in(connection, caller.request_key, …)` in the same commit.
    """

    key_id: str
    merchant_id: str
    mode: Mode
    at: datetime
    publishable: bool = False
    plan: Plan = "standard"
    request_key: RequestKey | None = None
    trace: str | None = None
    """Of the request, where it is traced (`events.tracing`)."""

    @property
    def party(self) -> Party:
        """In whose queue its requests stand."""
        return Party(self.merchant_id, self.mode, self.publishable)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as anyone may see it: never the key itself, only its last four characters."""

    id: str
    merchant_id: str
    mode: Mode
    publishable: bool
    ending: str
    created_at: datetime
    revoked_at: datetime | None = None


class NewKey(NamedTuple):
    """A key at the one moment when it is shown."""

    id: str
    secret: str


class Keys:
    """Who a key belongs to."""

    def __init__(
        self,
        *,
        store: Store,
        secret: bytes,
        time: BusinessTime,
        wrong_keys: FailuresByAddress,
        live_alone: bool = False,
    ) -> None:
        self._wrong_keys = wrong_keys
        self._known: dict[bytes, Party | None] = {}
        """Digests of keys that were in force when last seen, and whose they are, once one was used."""
        self._all_at = -ALL_AGAIN_SECONDS
        self._store = store
        self._secret = secret
        self._time = time
        self._live_alone = live_alone

    async def authenticate(
        self,
        presented: str,
        test_time: str | None = None,
        *,
        from_browser: bool = False,
        address: str | None = None,
    ) -> Caller:
        """The caller behind a key; raises `AuthenticationError`, and `InvalidRequestError` for the time.

        Publishable keys, which anybody may read in a page, open what may come `from_browser`; they set no
        time. An `address` with too many wrong keys is refused those that are not in force without a look-up
        of each (`RateLimitedError`): who shares it is served all the same.
        """
        publishable = is_publishable(presented)
        if publishable and (test_time is not None or not from_browser):
            raise SecretKeyRequiredError()
        require_live_key(mode_of(presented), live_alone=self._live_alone)
        digest = key_digest(self._secret, presented)
        key = await self._looked_up(digest, address)
        self._known[digest] = Party(key.merchant_id, key.mode, publishable)
        carried = self._time.carried(test_time, key.mode)
        self._time.follow(carried)
        at = carried or self._time.now(key.mode)
        return Caller(
            key_id=key.id,
            merchant_id=key.merchant_id,
            mode=key.mode,
            at=at,
            publishable=publishable,
            plan=settings_of(key.settings_json).plan,
        )

    def party_of(self, presented: str) -> Party | None:
        """Whose a key is that was in force when it was last used here; None says nothing."""
        return self._known.get(key_digest(self._secret, presented))

    async def _looked_up(self, digest: bytes, address: str | None) -> Any:
        if digest not in self._known:
            await self._require_few(digest, address)
        try:
            key = await self._store.read(lambda connection: _key_in_force(connection, digest))
        except AuthenticationError:
            self._known.pop(digest, None)
            self._wrong_keys.count(address)
            raise
        if len(self._known) >= KEYS_MAX:
            self._known.clear()
        return key

    async def _require_few(self, digest: bytes, address: str | None) -> None:
        try:
            self._wrong_keys.require_few(address)
        except RateLimitedError:
            # It may be a good key that this process has not met: one look for all of them, once in a while.
            now = asyncio.get_running_loop().time()
            if now >= self._all_at + ALL_AGAIN_SECONDS:
                self._all_at = now
                for each in await self._store.read(_digests_in_force):
                    self._known.setdefault(each, None)
            if digest not in self._known:
                raise


def key_digest(secret: bytes, key: str) -> bytes:
    """What is kept of a key: an HMAC-SHA-256 under the installation's secret."""
    return mac(secret, key.encode())


def create_key(
    connection: Connection,
    recorder: EventRecorder,
    *,
    merchant_id: str,
    mode: Mode,
    secret: bytes,
    entropy: Entropy,
    at: datetime,
    actor: str,
    publishable: bool = False,
) -> NewKey:
    """Make a key; the text in the answer is nowhere else."""
    load_merchant(connection, merchant_id)
    prefix = "pk" if publishable else "sk"
    key = NewKey(resource_id("key", entropy), f"{prefix}_{mode}_{entropy(24).hex()}")
    row = {
        "id": key.id,
        "merchant_id": merchant_id,
        "mode": mode,
        "digest": key_digest(secret, key.secret),
        "publishable": publishable,
        "ending": key.secret[-4:],
        "created_us": microseconds(at),
    }
    connection.execute(insert(api_keys), row)
    recorder.audit(connection, at, actor=actor, action="api_key.create", resource=key.id)
    return key


def list_keys(connection: Connection, merchant_id: str | None = None) -> list[ApiKey]:
    """All keys, or one merchant's, oldest first."""
    query = select(api_keys).order_by(api_keys.c.created_us, api_keys.c.id)
    if merchant_id is not None:
        query = query.where(api_keys.c.merchant_id == merchant_id)
    return [
        ApiKey(
            id=row.id,
            merchant_id=row.merchant_id,
            mode=row.mode,
            publishable=row.publishable,
            ending=row.ending,
            created_at=moment(row.created_us),
            revoked_at=None if row.revoked_us is None else moment(row.revoked_us),
        )
        for row in connection.execute(query)
    ]


def has_test_key(connection: Connection) -> bool:
    """Whether there ever was a key of test mode, in force or revoked."""
    return connection.execute(select(api_keys.c.id).where(api_keys.c.mode == "test")).first() is not None


def paid_live_alone(connection: Connection) -> bool:
    """Whether there are live payments and never was a test key: only a live home comes to that."""
    live = select(intents.c.id).where(intents.c.mode == "live").limit(1)
    return connection.execute(live).first() is not None and not has_test_key(connection)


def all_in_force(connection: Connection, secret: bytes, keys: Sequence[str]) -> bool:
    """Whether each of these keys, given as text, is known and not revoked."""
    digests = {key_digest(secret, key) for key in keys}
    known = select(api_keys.c.id).where(api_keys.c.digest.in_(digests), api_keys.c.revoked_us.is_(None))
    return len(connection.execute(known).all()) == len(keys)


def revoke_key(
    connection: Connection, recorder: EventRecorder, key_id: str, *, at: datetime, actor: str
) -> None:
    """From the commit on the key opens nothing; raises `NotFoundError`."""
    revoked = connection.execute(
        update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_us.is_(None)),
        {"revoked_us": microseconds(at)},
    )
    if not revoked.rowcount:
        raise NotFoundError("There is no such key in force.")
    recorder.audit(connection, at, actor=actor, action="api_key.revoke", resource=key_id)


def _digests_in_force(connection: Connection) -> list[bytes]:
    """Of the newest keys, as many as are kept."""
    newest = api_keys.c.created_us.desc()
    query = select(api_keys.c.digest).where(api_keys.c.revoked_us.is_(None)).order_by(newest)
    return list(connection.execute(query.limit(KEYS_MAX)).scalars())


def _key_in_force(connection: Connection, digest: bytes) -> Any:
    row = _BY_DIGEST.one_or_none(connection, {"the_digest": digest})
    # The look-up is by digest, whose timing tells nothing of the key; the comparison closes the rest.
    if row is None or row.revoked_us is not None or not hmac.compare_digest(row.digest, digest):
        raise AuthenticationError()
    return row
