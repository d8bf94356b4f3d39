"""One feature or entity moved, and the payment as it would then have been."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from models.feature import Row, Value
from models.features import POSITIONS
from models.observations import Observation
from models.rates import Rates
from models.rules.rule import ENTITY_FIELDS

AMOUNT, REFERENCE = "amount_minor", "amount_reference_minor"


@dataclass(frozen=True)
class Change:
    """One feature moved; `words` says to what ("below 2", "not on @blocked_cards"), `bins` how far."""

    name: str
    before: Value
    after: Value
    words: str
    bins: int


def applied(
    changes: Sequence[Change], observation: Observation, row: Row, rates: Rates
) -> tuple[Observation, Row]:
    """The payment as it would have been; its amount moves together with that in the reference currency."""
    changed = list(row)
    for change in changes:
        if change.name in ENTITY_FIELDS:
            observation = msgspec.structs.replace(observation, **{change.name: change.after})
            continue
        changed[POSITIONS[change.name]] = change.after
        if change.name == AMOUNT and isinstance(change.after, float):
            observation = msgspec.structs.replace(observation, amount_minor=int(change.after))
            changed[POSITIONS[REFERENCE]] = in_reference(int(change.after), observation, rates)
    return observation, changed


def in_reference(amount_minor: int, observation: Observation, rates: Rates) -> float | None:
    """An amount of the payment's currency as features have it: whole minor units of the reference."""
    converted = rates.reference_minor(amount_minor, observation.currency, observation.occurred_at_us)
    return None if converted is None else float(round(converted))
