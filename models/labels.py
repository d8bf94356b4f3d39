"""Which label of a payment holds: kinds, precedence, duplicates, contradictions and revocation.

| kind | says | rank |
|---|---|---|
| matured | genuine: nobody reported the payment within its horizon | 0 |
| confirmed_genuine | genuine, by the merchant | 1 |
| early_fraud_warning | fraud, by the network | 2 |
| fraud_dispute | fraud, by the cardholder | 3 |
| analyst_verdict | either, by an analyst | 4 |
| other_dispute | nothing about fraud | – |

A label that agrees with the one in force changes nothing but its rank. One that contradicts it takes its
place when its rank is higher, or as high and it was reported no earlier, whichever came in first; else it is
set aside. A report that repeats what stands does not make it newer.
So a merchant cannot talk a cardholder's dispute away; an analyst who has looked at it can.
"""

from enum import Enum

import msgspec

from events.vocabulary import LabelKind
from models.observations import Label

HORIZON_DAYS = 30
"""A payment that nobody reported within so many days counts as genuine, until someone does."""

RANKS: dict[LabelKind, int] = {
    "matured": 0,
    "confirmed_genuine": 1,
    "early_fraud_warning": 2,
    "fraud_dispute": 3,
    "analyst_verdict": 4,
}


class Effect(Enum):
    """What a label does to what was known of its payment."""

    TAUGHT = "taught"
    REVOKED = "revoked"
    CONFIRMED = "confirmed"
    SET_ASIDE = "set_aside"
    SILENT = "silent"


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """The label in force of one payment."""

    fraud: bool
    rank: int
    arrived_at_us: int


def resolve(standing: Standing | None, label: Label) -> tuple[Effect, Standing | None]:
    """The effect of `label` on the label in force, and the label in force afterwards.

    A confirmed label keeps the time at which it first arrived, so that a duplicate changes nothing at all.
    """
    rank = RANKS.get(label.kind)
    if label.fraud is None or rank is None:
        return Effect.SILENT, standing
    fresh = Standing(label.fraud, rank, label.arrived_at_us)
    if standing is None:
        return Effect.TAUGHT, fresh
    if standing.fraud == label.fraud:
        return Effect.CONFIRMED, Standing(standing.fraud, max(rank, standing.rank), standing.arrived_at_us)
    if (rank, label.arrived_at_us) < (standing.rank, standing.arrived_at_us):
        return Effect.SET_ASIDE, standing
    return Effect.REVOKED, fresh
