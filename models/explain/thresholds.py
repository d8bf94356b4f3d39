"""Where rules turn: for each field that they read, the values at which a comparison changes its mind.

A comparison is solved for one field at a time, with every other value as it was: `coalesce(x, 0) + y >= 17`
turns at x = 17 - y. A field that stands twice in one comparison is solved as if the other place stood still.
"""

from collections.abc import Iterator, Sequence

from models.feature import Row
from models.features import POSITIONS
from models.rules import nodes
from models.rules.python import minus, over, plus, times
from models.rules.rule import Rule
from models.wording import present


def thresholds(rules: Sequence[Rule], row: Row) -> dict[str, set[float]]:
    """Field that a rule reads → the values at which one of its comparisons turns (none for a text)."""
    found: dict[str, set[float]] = {}
    for rule in rules:
        for name in nodes.fields_of(rule.predicate):
            found.setdefault(name, set())
        for node in nodes.walk(rule.predicate):
            for side, other in _compared(node):
                for name, value in _solved(side, _value(other, row), row):
                    found[name].add(value)
    return found


def _compared(node: nodes.Node) -> Iterator[tuple[nodes.Scalar, nodes.Scalar]]:
    match node:
        case nodes.Compare(_, left, right):
            yield left, right
            yield right, left
        case nodes.OneOf(of, values):
            yield from ((of, value) for value in values)


def _solved(node: nodes.Scalar, goal: float | None, row: Row) -> Iterator[tuple[str, float]]:
    """(field, the value of it that gives the node the value `goal`)."""
    if goal is None:
        return
    match node:
        case nodes.Field(name, "number"):
            yield name, goal
        case nodes.Negative(of):
            yield from _solved(of, -goal, row)
        case nodes.Absolute(of):
            yield from _solved(of, goal, row)
            yield from _solved(of, -goal, row)
        case nodes.Coalesce(choices):
            for choice in choices:
                yield from _solved(choice, goal, row)
        case nodes.Arithmetic(operator, left, right):
            for_left, for_right = _goals(operator, _value(left, row), _value(right, row), goal)
            yield from _solved(left, for_left, row)
            yield from _solved(right, for_right, row)
            if operator == "/":  # Where the divisor is 0, and beyond it, the sign differs.
                yield from _solved(right, 0.0, row)


def _goals(
    operator: nodes.Operator, left: float | None, right: float | None, goal: float
) -> tuple[float | None, float | None]:
    """What either operand would have to be, beside the other as it is."""
    match operator:
        case "+":
            return minus(goal, right), minus(goal, left)
        case "-":
            return plus(goal, right), minus(left, goal)
        case "*":
            return over(goal, right), over(goal, left)
        case "/":
            return times(goal, right), over(left, goal)


def _value(node: nodes.Scalar, row: Row) -> float | None:
    """The number that the node has for the row; None for a text and for what is missing."""
    match node:
        case nodes.Number(value):
            return value
        case nodes.Field(name, "number"):
            found = row[POSITIONS[name]]
            return float(found) if found is not None and present(found) else None
        case nodes.Negative(of):
            return minus(0.0, _value(of, row))
        case nodes.Absolute(of):
            inner = _value(of, row)
            return None if inner is None else abs(inner)
        case nodes.Coalesce(choices):
            values = (_value(choice, row) for choice in choices)
            return next((value for value in values if value is not None), None)
        case nodes.Arithmetic(operator, left, right):
            compute = {"+": plus, "-": minus, "*": times, "/": over}[operator]
            return compute(_value(left, row), _value(right, row))
        case _:
            return None
