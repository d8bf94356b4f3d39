"""From rules' checked trees to one generated Python function, fast because it is straight-line code.

Three-valued logic becomes two questions, each with a plain answer: *is it TRUE?* and *is it FALSE?* NOT
swaps them, AND and OR pass them on, and a comparison asks first whether its operands are there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from models.rules import nodes

Entries = Mapping[str, int]
"""A list as looked up: value → the microsecond from which it holds no more."""

Fired = Callable[[Sequence[float | str | None], object, int], tuple[int, ...]]
"""(row, observation, time in microseconds) → the places of the rules that are TRUE, ascending."""


def compile_predicates(
    predicates: Sequence[nodes.Predicate],
    positions: Mapping[str, int],
    lists: Mapping[str, Entries],
) -> Fired:
    """One function that evaluates all predicates.

    `positions` gives each feature's place in the row; any other field is an attribute of the observation.
    """
    writer = _Writer(positions, lists)
    tests = [
        f"    if {writer.true(predicate)}: fired += ({place},)" for place, predicate in enumerate(predicates)
    ]
    lines = ["def evaluate(row, observation, at_us):", *writer.loads(), "    fired = ()", *tests]
    lines.append("    return fired")
    scope: dict[str, object] = dict(writer.constants)
    exec("\n".join(lines), scope)  # noqa: S102  # the source is written here from checked trees, never from text
    return scope["evaluate"]  # type: ignore[return-value]  # exec has no types


def plus(left: float | None, right: float | None) -> float | None:
    """The sum; None where an operand is missing or the result is not finite."""
    return None if left is None or right is None else _finite(left + right)


def minus(left: float | None, right: float | None) -> float | None:
    """The difference, as `plus`."""
    return None if left is None or right is None else _finite(left - right)


def times(left: float | None, right: float | None) -> float | None:
    """The product, as `plus`."""
    return None if left is None or right is None else _finite(left * right)


def over(left: float | None, right: float | None) -> float | None:
    """The quotient, as `plus`; nothing is divided by zero."""
    return None if left is None or right is None or right == 0 else _finite(left / right)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _absolute(value: float | None) -> float | None:
    return None if value is None else abs(value)


def _present(value: float | str | None) -> float | str | None:
    return None if value is None or value != value else value


def _first(*choices: float | str | None) -> float | str | None:
    return next((choice for choice in choices if choice is not None), None)


_FUNCTIONS = {
    "plus": plus,
    "minus": minus,
    "times": times,
    "over": over,
    "negative": _negative,
    "absolute": _absolute,
    "present": _present,
    "first": _first,
}
_ARITHMETIC = {"+": "plus", "-": "minus", "*": "times", "/": "over"}
_PYTHON: dict[nodes.Comparison, str] = {
    "=": "==",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}


class _Writer:
    """Writes Python expressions; collects what they load and the constants they name."""

    def __init__(self, positions: Mapping[str, int], lists: Mapping[str, Entries]) -> None:
        self._positions = positions
        self._lists = lists
        self._fields: dict[str, str] = {}
        self._temporaries = 0
        self.constants: dict[str, object] = dict(_FUNCTIONS)

    def loads(self) -> list[str]:
        """Assignments of every field that an expression used, once each."""
        return [
            f"    {variable} = "
            + (f"row[{self._positions[name]}]" if name in self._positions else f"observation.{name}")
            for name, variable in self._fields.items()
        ]

    def true(self, node: nodes.Predicate) -> str:
        """Source that is truthy exactly where the predicate is TRUE."""
        match node:
            case nodes.Not(of):
                return self.false(of)
            case nodes.All(of):
                return self._joined(" and ", [self.true(part) for part in of])
            case nodes.Any(of):
                return self._joined(" or ", [self.true(part) for part in of])
            case nodes.Is(of, value):
                return self.true(of) if value else self.false(of)
            case _:
                return self._leaf(node, True)

    def false(self, node: nodes.Predicate) -> str:
        """Source that is truthy exactly where the predicate is FALSE."""
        match node:
            case nodes.Not(of):
                return self.true(of)
            case nodes.All(of):
                return self._joined(" or ", [self.false(part) for part in of])
            case nodes.Any(of):
                return self._joined(" and ", [self.false(part) for part in of])
            case nodes.Is():
                return f"(not {self.true(node)})"
            case _:
                return self._leaf(node, False)

    def _joined(self, word: str, parts: list[str]) -> str:
        return "(" + word.join(parts) + ")"

    def _leaf(self, node: nodes.Predicate, wanted: bool) -> str:
        match node:
            case nodes.Constant(value):
                return str(value is wanted)
            case nodes.Flag(field):
                name = self._variable(field)
                return f"({name} and {name} == {name})" if wanted else f"({name} == 0)"
            case nodes.Compare(operator, left, right):
                return self._compare(operator if wanted else nodes.NEGATED[operator], left, right)
            case nodes.Missing(nodes.Number() | nodes.Text()):
                return str(not wanted)
            case nodes.Missing(of):
                return f"({self._scalar(of)} is {'None' if wanted else 'not None'})"
            case nodes.OneOf(of, values):
                constants = frozenset(value.value for value in values)
                test = f"{'in' if wanted else 'not in'} {self._constant(constants)}"
                return self._when_present(of, lambda name: f"{name} {test}")
            case nodes.Listed(of, list_name):
                entries = self._constant(self._lists.get(list_name, {}))
                order = ">" if wanted else "<="
                return self._when_present(of, lambda name: f"{entries}.get({name}, at_us) {order} at_us")
            case nodes.Like(of, pattern):
                matcher = self._constant(like_pattern(pattern).fullmatch)
                test = "is not None" if wanted else "is None"
                return self._when_present(of, lambda name: f"{matcher}({name}) {test}")
        raise AssertionError(node)

    def _compare(self, operator: nodes.Comparison, left: nodes.Scalar, right: nodes.Scalar) -> str:
        checks, operands = [], []
        for scalar in (left, right):
            check, name = self._operand(scalar)
            checks += check
            operands.append(name)
        return self._joined(" and ", [*checks, f"{operands[0]} {_PYTHON[operator]} {operands[1]}"])

    def _when_present(self, scalar: nodes.Scalar, test: Callable[[str], str]) -> str:
        checks, name = self._operand(scalar)
        return self._joined(" and ", [*checks, test(name)])

    def _operand(self, scalar: nodes.Scalar) -> tuple[list[str], str]:
        """(checks that it is there, its name afterwards); constants need no check."""
        if isinstance(scalar, nodes.Number | nodes.Text):
            return [], self._scalar(scalar)
        if isinstance(scalar, nodes.Field):
            name = self._variable(scalar)
            there = f"{name} is not None"
            return ([there] if scalar.type == "text" else [there, f"{name} == {name}"]), name
        self._temporaries += 1
        name = f"t{self._temporaries}"
        return [f"({name} := {self._scalar(scalar)}) is not None"], name

    def _scalar(self, scalar: nodes.Scalar) -> str:
        """Source of a value that is None where missing, and never NaN."""
        match scalar:
            case nodes.Number(value) | nodes.Text(value):
                return repr(value)
            case nodes.Field():
                return f"present({self._variable(scalar)})"
            case nodes.Negative(of):
                return f"negative({self._scalar(of)})"
            case nodes.Absolute(of):
                return f"absolute({self._scalar(of)})"
            case nodes.Coalesce(choices):
                return f"first({', '.join(self._scalar(choice) for choice in choices)})"
            case nodes.Arithmetic(operator, left, right):
                return f"{_ARITHMETIC[operator]}({self._scalar(left)}, {self._scalar(right)})"

    def _variable(self, field: nodes.Field) -> str:
        return self._fields.setdefault(field.name, f"v{len(self._fields)}")

    def _constant(self, value: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


def like_pattern(pattern: str) -> re.Pattern[str]:
    """LIKE's pattern as a regular expression: % is any text, _ one character, nothing is an escape.

    What stands between two % is taken where it is found first and never tried elsewhere (an atomic group): a
    later place could match no more, and trying all takes a time that grows with the power of their number.
    """
    first, *rest = [
        "".join("." if character == "_" else re.escape(character) for character in part)
        for part in pattern.split("%")
    ]
    if rest:
        *between, last = rest
        first += "".join(f"(?>.*?{part})" for part in between if part) + ".*" + last
    return re.compile(first, re.DOTALL)
