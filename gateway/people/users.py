"""Merchants' people: who signs in with a name and a password, for one merchant and one mode.

Ten failures in a row lock a user for thirty minutes of wall time (PCI DSS 8.3.4). Each change is one
statement that also compares, so that of guesses at once, in however many processes, ten are worth anything.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from events.ids import Entropy, resource_id
from events.moments import microseconds, moment
from events.vocabulary import Mode
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.event_recorder import EventRecorder
from gateway.people.merchants import load_merchant
from gateway.people.passwords import REMEMBERED, hashed, require_good
from gateway.store.tables import users

FAILURES_MAX = 10
LOCKED_FOR = timedelta(minutes=30)

_NAME = re.compile(r"[a-z][a-z0-9._@+-]{2,127}")
_BY_NAME = select(users).where(users.c.name == bindparam("the_name"))
_BY_ID = select(users).where(users.c.id == bindparam("the_id"))


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs in, without the password. A token is worth as long as the `version` it was given for, which
    another password, a lock and coming back from `disabled` end."""

    id: str
    name: str
    merchant_id: str
    mode: Mode
    version: int
    created_at: datetime
    locked_until: datetime | None = None
    disabled_at: datetime | None = None


UserState = Literal["active", "locked", "disabled"]


def state_of(user: User, at: datetime) -> UserState:
    """Whether a user may sign in, and use what a sign-in gave, at a moment of wall time."""
    if user.disabled_at is not None:
        return "disabled"
    return "locked" if user.locked_until is not None and at < user.locked_until else "active"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A user and the password as it is kept."""

    user: User
    kept: str

    def __repr__(self) -> str:
        return "Credentials(…)"


def create_user(
    connection: Connection,
    recorder: EventRecorder,
    *,
    name: str,
    merchant_id: str,
    mode: Mode,
    password: str,
    entropy: Entropy,
    at: datetime,
    actor: str,
) -> User:
    """Raises `InvalidRequestError` for a name that is taken or none, and for a weak password."""
    name = name.lower()
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            "A user's name is a letter, then 2 to 127 letters, digits and any of . _ @ + -.",
            code="parameter_invalid",
            param="name",
        )
    load_merchant(connection, merchant_id)
    if connection.execute(_BY_NAME, {"the_name": name}).first():
        raise InvalidRequestError("There is a user of this name already.", code="user_exists", param="name")
    require_good(password)
    user_id = resource_id("usr", entropy)
    row = {
        "id": user_id,
        "name": name,
        "merchant_id": merchant_id,
        "mode": mode,
        "password": hashed(password),
        "earlier_json": "[]",
        "created_us": microseconds(at),
    }
    connection.execute(insert(users), row)
    recorder.audit(connection, at, actor=actor, action="user.create", resource=user_id)
    return load_user(connection, user_id)


def reset_password(
    connection: Connection, recorder: EventRecorder, name: str, password: str, *, at: datetime, actor: str
) -> User:
    """A new password, and no lock; tokens given for the old one are worth nothing.

    Raises `NotFoundError`, and `InvalidRequestError` for who is disabled, whom no password lets in.
    """
    row = _enabled_row(connection, name)
    earlier = [row.password, *msgspec.json.decode(row.earlier_json, type=list[str])][:REMEMBERED]
    require_good(password, earlier)
    after = {
        "password": hashed(password),
        "earlier_json": msgspec.json.encode(earlier[: REMEMBERED - 1]).decode(),
        "version": row.version + 1,
        "failures": 0,
        "locked_until_us": None,
    }
    connection.execute(update(users).where(users.c.id == row.id), after)
    recorder.audit(connection, at, actor=actor, action="user.reset_password", resource=row.id)
    return load_user(connection, row.id)


def disable_user(
    connection: Connection, recorder: EventRecorder, name: str, *, at: datetime, actor: str
) -> User:
    """From the commit on neither password nor tokens open anything; raises `NotFoundError`."""
    row = _row_named(connection, name)
    if row.disabled_us is None:
        connection.execute(update(users).where(users.c.id == row.id), {"disabled_us": microseconds(at)})
        recorder.audit(connection, at, actor=actor, action="user.disable", resource=row.id)
    return load_user(connection, row.id)


def enable_user(
    connection: Connection, recorder: EventRecorder, name: str, *, at: datetime, actor: str
) -> User:
    """Let in again who was disabled, with the password of before; tokens of before stay worth nothing.

    Raises `NotFoundError`.
    """
    row = _row_named(connection, name)
    if row.disabled_us is not None:
        # Another version: a token given before, and not expired yet, is not to come back to life.
        after = {"disabled_us": None, "version": row.version + 1}
        connection.execute(update(users).where(users.c.id == row.id), after)
        recorder.audit(connection, at, actor=actor, action="user.enable", resource=row.id)
    return load_user(connection, row.id)


def unlock_user(
    connection: Connection, recorder: EventRecorder, name: str, *, at: datetime, actor: str
) -> User:
    """Lift a lock, and count failures from zero; the password stays.

    Raises `NotFoundError`, and `InvalidRequestError` for who is disabled, and would stay out.
    """
    row = _enabled_row(connection, name)
    connection.execute(update(users).where(users.c.id == row.id), {"failures": 0, "locked_until_us": None})
    recorder.audit(connection, at, actor=actor, action="user.unlock", resource=row.id)
    return load_user(connection, row.id)


def list_users(connection: Connection, merchant_id: str | None = None) -> list[User]:
    """All users, or one merchant's, by name."""
    query = select(users).order_by(users.c.name)
    if merchant_id is not None:
        query = query.where(users.c.merchant_id == merchant_id)
    return [_user(row) for row in connection.execute(query)]


def load_user(connection: Connection, user_id: str) -> User:
    """Raises `NotFoundError`."""
    row = connection.execute(_BY_ID, {"the_id": user_id}).one_or_none()
    if row is None:
        raise NotFoundError("There is no such user.")
    return _user(row)


def find_credentials(connection: Connection, name: str) -> Credentials | None:
    """The user of that name, None where there is none."""
    row = connection.execute(_BY_NAME, {"the_name": name.lower()}).one_or_none()
    return None if row is None else Credentials(user=_user(row), kept=row.password)


def let_in(connection: Connection, checked: Credentials, renewed: str | None, at: datetime) -> bool:
    """Whether the password that fitted opens: not to who is locked or disabled, or has another by now."""
    now_us = microseconds(at)
    open_ = update(users).where(
        users.c.id == checked.user.id,
        users.c.version == checked.user.version,
        users.c.disabled_us.is_(None),
        or_(users.c.locked_until_us.is_(None), users.c.locked_until_us <= now_us),
    )
    after = {"failures": 0, "locked_until_us": None, **({"password": renewed} if renewed else {})}
    return connection.execute(open_, after).rowcount == 1


def count_failure(connection: Connection, user: User, at: datetime) -> bool:
    """Count a wrong password, and lock at the tenth: whether this was it. While locked, none is counted.

    The lock ends the user's tokens for good: none comes back to life when it is lifted.
    """
    now_us = microseconds(at)
    counted = update(users).where(
        users.c.id == user.id, or_(users.c.locked_until_us.is_(None), users.c.locked_until_us <= now_us)
    )
    connection.execute(counted.values(failures=users.c.failures + 1, locked_until_us=None))
    full = update(users).where(users.c.id == user.id, users.c.failures >= FAILURES_MAX)
    until_us = microseconds(at + LOCKED_FOR)
    locked = connection.execute(
        full.values(failures=0, locked_until_us=until_us, version=users.c.version + 1)
    )
    return locked.rowcount == 1


def _row_named(connection: Connection, name: str) -> Row[Any]:
    row = connection.execute(_BY_NAME, {"the_name": name.lower()}).one_or_none()
    if row is None:
        raise NotFoundError("There is no such user: `weir users list` shows them all.", param="name")
    return row


def _enabled_row(connection: Connection, name: str) -> Row[Any]:
    row = _row_named(connection, name)
    if row.disabled_us is not None:
        raise InvalidRequestError(
            f"{row.name} is disabled, and nothing else lets them in: `weir users enable {row.name}` first.",
            code="user_disabled",
            param="name",
        )
    return row


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        name=row.name,
        merchant_id=row.merchant_id,
        mode=row.mode,
        version=row.version,
        created_at=moment(row.created_us),
        locked_until=None if row.locked_until_us is None else moment(row.locked_until_us),
        disabled_at=None if row.disabled_us is None else moment(row.disabled_us),
    )
