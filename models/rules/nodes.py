"""What a rule's predicate is made of once it is checked: a small typed tree that both compilers read.

Semantics, the same in Python and in DuckDB:

- Logic has three values, as in SQL: TRUE, FALSE and unknown. Only TRUE fires a rule; NOT of unknown is
  unknown; `FALSE AND unknown` is FALSE, `TRUE OR unknown` is TRUE.
- What is missing (NULL, and NaN, which counts as NULL) makes a comparison unknown; `IS NULL`, `IS TRUE`,
  `IS FALSE` and `coalesce` are how a rule speaks about it.
- Numbers are doubles. A result that is no finite number (division by zero, overflow) is missing.
- Texts are compared by code points, with case; `LIKE` knows `%` and `_` and no escape.
- A list holds until each entry's expiry, by the payment's own time; a list that does not exist is empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

FieldType = Literal["number", "boolean", "text"]
Comparison = Literal["=", "<>", "<", "<=", ">", ">="]
Operator = Literal["+", "-", "*", "/"]

NEGATED: dict[Comparison, Comparison] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True)
class Field:
    """A value of the row, or an entity of the payment; a boolean is stored as a number that is not 0."""

    name: str
    type: FieldType


@dataclass(frozen=True)
class Number:
    """A finite constant."""

    value: float


@dataclass(frozen=True)
class Text:
    """A constant text."""

    value: str


@dataclass(frozen=True)
class Negative:
    """The number with the other sign."""

    of: "Scalar"


@dataclass(frozen=True)
class Absolute:
    """The number without its sign."""

    of: "Scalar"


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers combined; missing where either is, or where the result is not finite."""

    operator: Operator
    left: "Scalar"
    right: "Scalar"


@dataclass(frozen=True)
class Coalesce:
    """The first that is not missing."""

    choices: tuple["Scalar", ...]


Scalar = Field | Number | Text | Negative | Absolute | Arithmetic | Coalesce


@dataclass(frozen=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True)
class Flag:
    """A boolean of the row."""

    field: Field


@dataclass(frozen=True)
class Compare:
    """Two scalars of one type."""

    operator: Comparison
    left: Scalar
    right: Scalar


@dataclass(frozen=True)
class OneOf:
    """A scalar is one of the constants, all of its type."""

    of: Scalar
    values: tuple[Number | Text, ...]


@dataclass(frozen=True)
class Listed:
    """A text stands on a list, in an entry that has not expired at the payment's time."""

    of: Scalar
    list_name: str


@dataclass(frozen=True)
class Like:
    """A text matches a pattern."""

    of: Scalar
    pattern: str


@dataclass(frozen=True)
class Missing:
    """A scalar or boolean field is missing: TRUE or FALSE, never unknown."""

    of: Scalar


@dataclass(frozen=True)
class Is:
    """A predicate is TRUE (or FALSE): TRUE or FALSE, never unknown."""

    of: "Predicate"
    value: bool


@dataclass(frozen=True)
class Not:
    """The other way round; unknown stays unknown."""

    of: "Predicate"


@dataclass(frozen=True)
class All:
    """AND."""

    of: tuple["Predicate", ...]


@dataclass(frozen=True)
class Any:
    """OR."""

    of: tuple["Predicate", ...]


Predicate = Constant | Flag | Compare | OneOf | Listed | Like | Missing | Is | Not | All | Any
Node = Scalar | Predicate


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case All(of) | Any(of) | Coalesce(of):
            return of
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return (left, right)
        case Flag(field):
            return (field,)
        case Number() | Text() | Field() | Constant():
            return ()
        case _:
            return (node.of,)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, from the top down."""
    yield node
    for child in children(node):
        yield from walk(child)


def fields_of(node: Node) -> dict[str, Field]:
    """Every field that the tree reads, by name, in the order of reading."""
    return {found.name: found for found in walk(node) if isinstance(found, Field)}
