"""Idempotency keys, as Stripe's first API has them: what is asked under one is done once, and answered again.

A request claims its key in the very commit of what it does, so that neither a crash nor a second request in
between leaves one without the other. Its answer is kept right afterwards, and needs no sync that somebody
waits for: where it was lost, the next request with the key is answered by what the payment says of itself.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import structlog
from sqlalchemy import Connection

from events.clock import Clock
from events.crash import crash_point, declare
from events.ids import Entropy
from events.moments import microseconds
from events.personal import NONCE_BYTES, UnsealError, mac, seal, unseal
from gateway.auth import Caller
from gateway.errors import (
    IdempotencyReuseError,
    InvalidRequestError,
    RequestInProgressError,
    UnavailableError,
)
from gateway.scheduling import Scheduling
from gateway.store.idempotency_rows import Claim, RequestKey, find_claim, keep_answer, prune_claims
from gateway.store.writer import Store

declare({"gateway.idempotency.kept": "the answer to a request with an idempotency key is durable"})

HEADER = "idempotency-key"
KEY_LENGTH_MAX = 255
KEPT_SECONDS = 25 * 3600
"""An hour above the day that is promised."""
PRUNE_SECONDS = 3600.0
PRUNED_AT_ONCE_MAX = 500
"""A few milliseconds of the writer, behind which payments wait."""
PRUNE_REST_SECONDS = 0.2

_encode = msgspec.json.Encoder(order="deterministic").encode


class Answered(NamedTuple):
    """An answer as it was given."""

    status: int
    body: bytes


class IdempotencyKeys:
    """Which requests are under way and which have been answered."""

    def __init__(
        self, *, store: Store, secret: bytes, clock: Clock, entropy: Entropy, scheduling: Scheduling
    ) -> None:
        self._store = store
        self._secret = hmac.digest(secret, b"idempotency keys", "sha256")
        self._clock = clock
        self._entropy = entropy
        self._scheduling = scheduling
        self._under_way: dict[bytes, bytes] = {}
        self._not_kept_yet: dict[bytes, tuple[bytes, Answered]] = {}
        self._log = structlog.get_logger("gateway.idempotency")

    def request_key(self, caller: Caller, text: str, *, path: str, body: Any) -> RequestKey:
        """The key of a request, from the header's text; raises `InvalidRequestError`."""
        if not 1 <= len(text) <= KEY_LENGTH_MAX:
            raise InvalidRequestError(
                f"Idempotency-Key: expected 1 to {KEY_LENGTH_MAX} characters.",
                code="parameter_invalid",
                param=HEADER,
            )
        return RequestKey(
            merchant_id=caller.merchant_id,
            mode=caller.mode,
            digest=self._hash(caller.merchant_id, caller.mode, "pk" if caller.publishable else "sk", text),
            fingerprint=self._hash("POST", path, _encode(body).decode()),
            at_us=microseconds(caller.at),
            claimed_us=microseconds(self._clock.now()),
        )

    @contextmanager
    def alone(self, key: RequestKey) -> Iterator[None]:
        """While a request with the key is answered; raises `RequestInProgressError` for a second one."""
        if key.digest in self._under_way:
            _require_same(self._under_way[key.digest], key)
            raise RequestInProgressError()
        self._under_way[key.digest] = key.fingerprint
        try:
            yield
        finally:
            del self._under_way[key.digest]

    async def find(self, key: RequestKey) -> Answered | Claim | None:
        """What was answered under the key, or what was done without an answer being kept, or None.

        Raises `IdempotencyReuseError` where it was another request.
        """
        if key.digest in self._not_kept_yet:
            fingerprint, answer = self._not_kept_yet[key.digest]
            _require_same(fingerprint, key)
            return answer
        claim = await self._store.read(lambda connection: find_claim(connection, key))
        if claim is None:
            return None
        _require_same(claim.fingerprint, key)
        return self._answer_of(claim, key) or claim

    def keep(self, key: RequestKey, answer: Answered) -> None:
        """Keep an answer, in memory at once and on disk soon."""
        self._not_kept_yet[key.digest] = key.fingerprint, answer
        self._scheduling.spawn(self._keep(key, answer), "idempotency-answer")

    async def run(self) -> None:
        """Forget old keys until canceled."""
        while True:
            pruned = 0
            try:
                pruned = await self._store.write(self._prune_in)
            except UnavailableError:
                self._log.warning("old idempotency keys are forgotten later")
            there_may_be_more = pruned == PRUNED_AT_ONCE_MAX
            await self._scheduling.sleep(PRUNE_REST_SECONDS if there_may_be_more else PRUNE_SECONDS)

    def _prune_in(self, connection: Connection) -> int:
        oldest_us = microseconds(self._clock.now()) - KEPT_SECONDS * 1_000_000
        return prune_claims(connection, oldest_us, PRUNED_AT_ONCE_MAX)

    async def _keep(self, key: RequestKey, answer: Answered) -> None:
        try:
            await self._store.write(lambda connection: self._keep_in(connection, key, answer))
            crash_point("gateway.idempotency.kept")
        except UnavailableError:
            # The claim stays without an answer, which the next request with the key gets from the payment.
            self._log.warning("an answer is not kept")
        finally:
            self._not_kept_yet.pop(key.digest, None)

    def _keep_in(self, connection: Connection, key: RequestKey, answer: Answered) -> None:
        fields = {"body": answer.body.decode()}
        sealed = seal(fields, key=self._secret, subject=key.digest.hex(), nonce=self._entropy(NONCE_BYTES))
        keep_answer(connection, key, answer.status, sealed)

    def _answer_of(self, claim: Claim, key: RequestKey) -> Answered | None:
        if claim.status is None or claim.sealed_body is None:
            return None
        try:
            fields = unseal(claim.sealed_body, key=self._secret, subject=key.digest.hex())
        except UnsealError:
            return None
        return Answered(claim.status, fields["body"].encode())

    def _hash(self, *parts: str) -> bytes:
        return mac(self._secret, "\0".join(parts).encode())


def _require_same(fingerprint: bytes, key: RequestKey) -> None:
    if not hmac.compare_digest(fingerprint, key.fingerprint):
        raise IdempotencyReuseError()
