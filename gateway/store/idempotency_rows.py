"""Idempotency keys as rows: which requests were carried out under one, and what they were answered."""

from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from events.vocabulary import Mode
from gateway.errors import RequestInProgressError
from gateway.store.by_key import ByKey, Wanted
from gateway.store.statements import Statement
from gateway.store.tables import idempotency_keys as table


class RequestKey(msgspec.Struct, frozen=True, kw_only=True):
    """One request under an idempotency key. `digest` stands for who asked and the key, `fingerprint` for what
    was asked; both are keyed hashes, since either may hold anything. `at_us` is the request's business time,
    `claimed_us` its wall time."""

    merchant_id: str
    mode: Mode
    digest: bytes
    fingerprint: bytes
    at_us: int
    claimed_us: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a request under this key did: to which resource, with which attempt, and which of that attempt's
    operations, counted from 1. Its answer may be unknown."""

    fingerprint: bytes
    resource: str
    attempt: int | None
    operation: int | None
    at_us: int
    status: int | None
    sealed_body: bytes | None


_KEY = (
    (table.c.merchant_id == bindparam("the_merchant"))
    & (table.c.mode == bindparam("the_mode"))
    & (table.c.digest == bindparam("the_digest"))
)
_CLAIMS = ByKey(table, "merchant_id", "mode", "digest")
_ANSWER = Statement(update(table).where(_KEY, table.c.status.is_(None)))
_OLD = select(*table.primary_key.columns).where(table.c.claimed_us < bindparam("the_oldest_us"))
_PRUNE = delete(table).where(_KEY)


def claim_wanted(key: RequestKey | None) -> tuple[Wanted, ...]:
    """A key that will be claimed, if there is one."""
    return () if key is None else (_CLAIMS.wanted(key.merchant_id, key.mode, key.digest),)


def claim_in(
    connection: Connection,
    key: RequestKey | None,
    resource: str,
    *,
    attempt: int | None = None,
    operation: int | None = None,
) -> None:
    """Say, in the commit of what a request does, that it was done under its key.

    Raises `RequestInProgressError` where another request with the key was first: then nothing is done twice.
    """
    if key is None:
        return
    if find_claim(connection, key) is not None:
        raise RequestInProgressError()
    row = {**msgspec.structs.asdict(key), "resource": resource, "attempt": attempt, "operation": operation}
    _CLAIMS.insert(connection, row)


def find_claim(connection: Connection, key: RequestKey) -> Claim | None:
    """What was done under the key, if anything."""
    row = _CLAIMS.find(connection, key.merchant_id, key.mode, key.digest)
    return _claim(row) if row else None


def keep_answer(connection: Connection, key: RequestKey, status: int, sealed_body: bytes) -> None:
    """Keep the answer of a request that did something; the first one stands."""
    _ANSWER.add(connection, {**_place(key), "status": status, "sealed_body": sealed_body})


def forget_answers(connection: Connection, payment_ids: Any) -> None:
    """Forget what was answered about these payments (a selection of ids): a person's data may be in it."""
    about = update(table).where(table.c.resource.in_(payment_ids))
    connection.execute(about, {"status": None, "sealed_body": None})


def prune_claims(connection: Connection, oldest_us: int, limit: int) -> int:
    """Forget keys that were claimed before, so many at most; how many it was."""
    old = connection.execute(_OLD.limit(limit), {"the_oldest_us": oldest_us}).all()
    places = [
        {"the_merchant": row.merchant_id, "the_mode": row.mode, "the_digest": row.digest} for row in old
    ]
    if places:
        connection.execute(_PRUNE, places)
    return len(places)


def _place(key: RequestKey) -> dict[str, Any]:
    return {"the_merchant": key.merchant_id, "the_mode": key.mode, "the_digest": key.digest}


def _claim(row: Any) -> Claim:
    return Claim(**{name: getattr(row, name) for name in Claim.__struct_fields__})
