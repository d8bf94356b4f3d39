"""What the network writes down: authorizations, and the advices that it has answered, as rows of one file."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS accounts (
        fingerprint TEXT PRIMARY KEY, kind TEXT NOT NULL, limit_minor INTEGER NOT NULL,
        balance_minor INTEGER NOT NULL, expiry TEXT NOT NULL, status TEXT NOT NULL,
        period_started TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS authorizations (
        acquirer TEXT NOT NULL, reference TEXT NOT NULL, stan TEXT NOT NULL, transmitted_at TEXT NOT NULL,
        fingerprint TEXT, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
        billed_minor INTEGER NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL, response TEXT NOT NULL,
        approval_code TEXT,
        PRIMARY KEY (acquirer, reference, stan, transmitted_at)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS authorizations_by_card ON authorizations (fingerprint, at);
    CREATE TABLE IF NOT EXISTS postings (
        id INTEGER PRIMARY KEY, reference TEXT NOT NULL, stan TEXT NOT NULL, account TEXT NOT NULL,
        amount_minor INTEGER NOT NULL, currency TEXT NOT NULL
    ) STRICT;
    """,
    """
    ALTER TABLE authorizations ADD COLUMN held_minor INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE authorizations ADD COLUMN captured_minor INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE authorizations ADD COLUMN refunded_minor INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE authorizations ADD COLUMN original_stan TEXT;
    ALTER TABLE authorizations ADD COLUMN original_transmitted_at TEXT;
    UPDATE authorizations SET held_minor = billed_minor WHERE state = 'approved';
    UPDATE authorizations SET captured_minor = amount_minor WHERE state = 'captured';
    CREATE INDEX authorizations_by_reference ON authorizations (acquirer, reference);
    CREATE TABLE operations (
        acquirer TEXT NOT NULL, reference TEXT NOT NULL, stan TEXT NOT NULL, transmitted_at TEXT NOT NULL,
        amount_minor INTEGER NOT NULL, response TEXT NOT NULL,
        PRIMARY KEY (acquirer, reference, stan, transmitted_at)
    ) STRICT;
    """,
    """
    ALTER TABLE accounts RENAME COLUMN kind TO funding;
    ALTER TABLE accounts ADD COLUMN brand TEXT NOT NULL DEFAULT 'visa';
    ALTER TABLE accounts ADD COLUMN country TEXT;
    ALTER TABLE accounts ADD COLUMN abroad INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE authorizations ADD COLUMN stood_in INTEGER NOT NULL DEFAULT 0;
    """,
    "ALTER TABLE accounts ADD COLUMN security_code TEXT;",
)
"""One entry per version of the schema; `PRAGMA user_version` counts those applied."""

State = Literal["approved", "declined", "reversed", "captured"]


class Key(NamedTuple):
    """What a message is known by: its fields 32, 37, 11 and 7."""

    acquirer: str
    reference: str
    stan: str
    transmitted_at: str


@dataclass(frozen=True)
class Authorization:
    """One authorization, or one increment, as the network keeps it.

    `fingerprint` None: reversed before it ever came. `billed_minor` is `amount_minor` in the account's
    currency. `held_minor` (so too) is what the account cannot spend meanwhile; of an authorization with
    increments it stands with the first, as do `captured_minor` and `refunded_minor`. `original_stan` and
    `original_transmitted_at` name the authorization that an increment adds to. `stood_in`: the network
    answered, as the issuer was down.
    """

    key: Key
    fingerprint: str | None
    amount_minor: int
    currency: str
    billed_minor: int
    at: datetime
    state: State
    response: str
    approval_code: str | None
    held_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    original_stan: str | None = None
    original_transmitted_at: str | None = None
    stood_in: bool = False

    @property
    def original(self) -> Key:
        """Its own key, or that of the authorization that it adds to."""
        if self.original_stan is None or self.original_transmitted_at is None:
            return self.key
        return self.key._replace(stan=self.original_stan, transmitted_at=self.original_transmitted_at)


@dataclass(frozen=True)
class Operation:
    """A capture, refund or reversal that was answered, so that its repeat is answered the same."""

    key: Key
    amount_minor: int
    response: str


AUTHORIZATION_COLUMNS = (*Key._fields, *(field.name for field in fields(Authorization)[1:]))


def authorization_row(one: Authorization) -> tuple[object, ...]:
    """The values of `AUTHORIZATION_COLUMNS`."""
    values = [getattr(one, name) for name in AUTHORIZATION_COLUMNS[len(Key._fields) :]]
    return (*one.key, *(value.isoformat() if isinstance(value, datetime) else value for value in values))


def authorization(row: tuple[Any, ...]) -> Authorization:
    """The authorization whose `AUTHORIZATION_COLUMNS` were read."""
    members: dict[str, Any] = dict(zip(AUTHORIZATION_COLUMNS, row, strict=True))
    key = Key(*(members.pop(name) for name in Key._fields))
    members |= {"at": datetime.fromisoformat(members["at"]), "stood_in": bool(members["stood_in"])}
    return Authorization(key=key, **members)
