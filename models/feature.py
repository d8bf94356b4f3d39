"""What a feature of the catalogue is, and a row of them."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["money", "z", "ratio", "count", "days", "hour", "risk", "flag", "category", "logit"]
Entity = Literal["payment", "card", "device", "ip", "customer", "merchant", "model"]
Value = float | str | None
Row = list[Value]

VALUE_MAX = 1e30
"""No number of a row is larger, and its square is a float still."""


@dataclass(frozen=True)
class Feature:
    """One value of the vector.

    `kind` chooses the bins; `says` are its sentences for people, with {} where the value stands: for a flag
    those of no and of yes, for a count those of none, of one and of several, for anything else a single one.
    `usual` names the feature that holds the entity's usual value of this one; `modeled` False: for rules and
    people only, never seen by a model.
    """

    name: str
    kind: Kind
    unit: str
    entity: Entity
    window: str | None
    meaning: str
    says: tuple[str, ...]
    usual: str | None = None
    modeled: bool = True

    @property
    def type(self) -> Literal["number", "boolean", "text"]:
        """What a rule may compare it with; a boolean is stored as 1.0 or 0.0."""
        if self.kind == "category":
            return "text"
        return "boolean" if self.kind == "flag" else "number"
