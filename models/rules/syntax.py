"""From a rule's SQL text to its checked tree: sqlglot parses, this module admits only what it knows.

Every refusal is a `RuleError` that says what to mend. Text in double quotes, sub-queries, casts, windows and
functions beyond `abs` and `coalesce` are not part of the language.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import isfinite

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from models.errors import RuleError
from models.rules import nodes
from models.rules.checks import check_amounts, check_currencies, check_signs, check_surrogates

TEXT_CHARACTERS_MAX = 2000
"""About half a page: what is longer belongs into several rules. Round, not tuned."""
NODES_MAX = 200
"""Bounds what one rule costs every payment. Round, not tuned."""
DEPTH_MAX = 40
"""Far above what people write, far below the depth at which Python's own recursion ends."""
ARITHMETIC_DEPTH_MAX = 5
"""A ratio of sums and differences needs two or three. Round, not tuned."""
NUMBER_MAX = 1e15
"""Constants beyond this are mistakes: amounts end below 10**12 minor units."""

Names = Mapping[str, nodes.FieldType]

_COMPARISONS: dict[type[exp.Expression], nodes.Comparison] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_OPERATORS: dict[type[exp.Expression], nodes.Operator] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
}
_CUT_SHORT = re.compile(r"Required keyword: '\w+' missing for <class '[\w.]+'>")
"""How sqlglot says that an operator has no second operand."""


def parse_predicate(text: str, names: Names) -> nodes.Predicate:
    """The checked tree of `text`, whose names all stand in `names`; raises `RuleError`.

    >>> parse_predicate("card_count_1h >= 4", {"card_count_1h": "number"})
    Compare(operator='>=', left=Field(name='card_count_1h', type='number'), right=Number(value=4.0))
    """
    predicate = _Reader(names).predicate(_parsed(text), 0)
    if not nodes.fields_of(predicate):
        raise RuleError(
            "the rule mentions no feature and no field of the payment, so it says nothing about it"
        )
    check_surrogates(predicate)
    check_amounts(predicate)
    check_currencies(predicate)
    return predicate


def _parsed(text: str) -> exp.Expression:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RuleError(f"a rule has at most {TEXT_CHARACTERS_MAX} characters; this one has {len(text)}")
    if not text.isprintable():
        raise RuleError("a rule is one line of printable characters")
    try:
        statements = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        said = _CUT_SHORT.sub("something is missing beside an operator", str(error).splitlines()[0])
        raise RuleError(f"this is no SQL predicate: {said}") from None
    except RecursionError:
        raise RuleError(f"a rule is nested at most {DEPTH_MAX} levels deep") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Expression):
        raise RuleError("write exactly one predicate, for example: card_count_1h >= 4 AND ip_country_differs")
    if sum(1 for _ in statements[0].walk()) > 2 * NODES_MAX:
        raise RuleError(f"a rule has at most {NODES_MAX} names, constants and operators")
    check_signs(statements[0])
    return statements[0]


class _Reader:
    """Turns sqlglot's tree into ours; `depth` bounds the nesting."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._predicates: dict[type[exp.Expression], Callable[[exp.Expression, int], nodes.Predicate]] = {
            exp.Paren: lambda found, depth: self.predicate(found.this, depth),
            exp.Not: lambda found, depth: nodes.Not(self.predicate(found.this, depth)),
            exp.And: lambda found, depth: nodes.All(self._operands(found, exp.And, depth)),
            exp.Or: lambda found, depth: nodes.Any(self._operands(found, exp.Or, depth)),
            exp.Boolean: lambda found, _: nodes.Constant(bool(found.this)),
            exp.Column: lambda found, _: self._flag(found),
            exp.Between: self._between,
            exp.In: self._membership,
            exp.Like: self._like,
            exp.Is: self._is,
        }

    def predicate(self, found: exp.Expression, depth: int) -> nodes.Predicate:
        """What is TRUE, FALSE or unknown."""
        if depth > DEPTH_MAX:
            raise RuleError(f"a rule is nested at most {DEPTH_MAX} levels deep")
        kind = type(found)
        if kind in _COMPARISONS:
            return self._comparison(found, depth + 1)
        if kind in self._predicates:
            return self._predicates[kind](found, depth + 1)
        raise RuleError(f"{_quoted(found)} is not a condition this language has; see docs/rules.md")

    def _operands(
        self, found: exp.Expression, kind: type[exp.Expression], depth: int
    ) -> tuple[nodes.Predicate, ...]:
        """A AND B AND C is one node with three operands, however deep sqlglot nests it."""
        pending, operands = [found], []
        while pending:
            current = pending.pop()
            if isinstance(current, kind):
                pending += [current.args["expression"], current.this]
            else:
                operands.append(self.predicate(current, depth))
        return tuple(operands)

    def _comparison(self, found: exp.Expression, depth: int) -> nodes.Predicate:
        operator = _COMPARISONS[type(found)]
        truth = self._truth(found, operator, depth)
        if truth is not None:
            return truth
        left, right = self._scalar(found.this, depth), self._scalar(found.args["expression"], depth)
        self._same_type(found, left, right)
        if type_of(left) == "text" and operator not in {"=", "<>"}:
            raise RuleError(f"{_quoted(found)}: texts have no order; compare them with = or <>")
        return nodes.Compare(operator, left, right)

    def _truth(self, found: exp.Expression, operator: nodes.Comparison, depth: int) -> nodes.Predicate | None:
        """`flag = TRUE` and its like, for those who write it so."""
        value = found.args["expression"]
        if not isinstance(value, exp.Boolean) or operator not in {"=", "<>"}:
            return None
        of = self.predicate(found.this, depth)
        return of if bool(value.this) == (operator == "=") else nodes.Not(of)

    def _flag(self, found: exp.Expression) -> nodes.Flag:
        field = self._field(found)
        if field.type != "boolean":
            raise RuleError(f"{field.name} is a {field.type}, not a condition: compare it with something")
        return nodes.Flag(field)

    def _between(self, found: exp.Expression, depth: int) -> nodes.Predicate:
        of, low, high = (self._scalar(found.args[part], depth) for part in ("this", "low", "high"))
        for bound in (low, high):
            self._same_type(found, of, bound)
        if type_of(of) != "number":
            raise RuleError(f"{_quoted(found)}: texts have no order")
        return nodes.All((nodes.Compare(">=", of, low), nodes.Compare("<=", of, high)))

    def _membership(self, found: exp.Expression, depth: int) -> nodes.Predicate:
        of = self._scalar(found.this, depth)
        # sqlglot's DuckDB dialect reads `@name` as the operator for the absolute value of a column.
        field = found.args.get("field")
        if isinstance(field, exp.Abs) and isinstance(field.this, exp.Column):
            if type_of(of) != "text":
                raise RuleError(f"{_quoted(found.this)} is a number; lists hold texts")
            return nodes.Listed(of, field.this.name)
        values = tuple(self._scalar(value, depth) for value in found.expressions)
        constants = tuple(value for value in values if isinstance(value, nodes.Number | nodes.Text))
        if not values or len(constants) != len(values):
            raise RuleError(f"{_quoted(found)}: after IN stands a list such as @blocked_cards, or constants")
        for value in constants:
            self._same_type(found, of, value)
        return nodes.OneOf(of, constants)

    def _like(self, found: exp.Expression, depth: int) -> nodes.Predicate:
        of, pattern = self._scalar(found.this, depth), self._scalar(found.args["expression"], depth)
        if type_of(of) != "text" or not isinstance(pattern, nodes.Text):
            raise RuleError(f"{_quoted(found)}: LIKE compares a text with a constant pattern")
        like = nodes.Like(of, pattern.value)
        return nodes.Not(like) if found.args.get("negate") else like

    def _is(self, found: exp.Expression, depth: int) -> nodes.Predicate:
        what = found.args["expression"]
        if isinstance(what, exp.Null):
            return nodes.Missing(self._scalar(found.this, depth, booleans=True))
        if isinstance(what, exp.Boolean):
            return nodes.Is(self.predicate(found.this, depth), bool(what.this))
        raise RuleError(f"{_quoted(found)}: IS is followed by NULL, TRUE or FALSE")

    def _scalar(self, found: exp.Expression, depth: int, booleans: bool = False) -> nodes.Scalar:
        """A number or a text (or, for IS NULL, a boolean field)."""
        if depth > DEPTH_MAX:
            raise RuleError(f"a rule is nested at most {DEPTH_MAX} levels deep")
        scalar = self._scalar_of(found, depth + 1)
        if type_of(scalar) == "boolean" and not booleans:
            raise RuleError(f"{_quoted(found)} is a boolean: write it bare, or with NOT in front")
        return scalar

    def _scalar_of(self, found: exp.Expression, depth: int) -> nodes.Scalar:
        match found:
            case exp.Paren():
                return (
                    self._scalar_of(found.this, depth + 1)
                    if depth <= DEPTH_MAX
                    else self._scalar(found, depth)
                )
            case exp.Column():
                return self._field(found)
            case exp.Literal():
                return nodes.Text(str(found.this)) if found.is_string else _number(str(found.this))
            case exp.Null():
                raise RuleError("nothing equals NULL: write IS NULL or IS NOT NULL")
            case exp.Coalesce():
                return self._coalesce(found, depth)
            case exp.Neg():
                of = self._numeric(found.this, depth)
                return nodes.Number(-of.value) if isinstance(of, nodes.Number) else nodes.Negative(of)
            case exp.Abs():
                return nodes.Absolute(self._numeric(found.this, depth))
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
                return self._arithmetic(found, depth)
        if isinstance(found, exp.Func):
            name = found.name if found.key == "anonymous" else found.sql_name()
            raise RuleError(f"the function {name.lower()[:40]} is not allowed: use abs or coalesce")
        raise RuleError(f"{_quoted(found)} is not a value this language has; see docs/rules.md")

    def _coalesce(self, found: exp.Expression, depth: int) -> nodes.Scalar:
        choices = tuple(self._scalar(choice, depth) for choice in (found.this, *found.expressions))
        for choice in choices[1:]:
            self._same_type(found, choices[0], choice)
        return nodes.Coalesce(choices)

    def _arithmetic(self, found: exp.Expression, depth: int) -> nodes.Scalar:
        left, right = self._numeric(found.this, depth), self._numeric(found.args["expression"], depth)
        made = nodes.Arithmetic(_OPERATORS[type(found)], left, right)
        if _arithmetic_depth(made) > ARITHMETIC_DEPTH_MAX:
            raise RuleError(f"arithmetic is nested at most {ARITHMETIC_DEPTH_MAX} levels deep")
        return made

    def _numeric(self, found: exp.Expression, depth: int) -> nodes.Scalar:
        scalar = self._scalar(found, depth)
        if type_of(scalar) != "number":
            raise RuleError(f"{_quoted(found)} is a text, where a number is needed")
        return scalar

    def _field(self, found: exp.Expression) -> nodes.Field:
        identifier = found.this
        if found.args.get("table") is not None or not isinstance(identifier, exp.Identifier):
            raise RuleError(f"{_quoted(found)}: names of features stand alone, without a dot")
        if identifier.args.get("quoted"):
            raise RuleError(f"{_quoted(found)}: double quotes name a column; texts stand in single quotes")
        if found.name not in self._names:
            close = get_close_matches(found.name.lower(), self._names, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; docs/rules.md lists them"
            raise RuleError(f"no feature or field is called {found.name!r}{hint}")
        return nodes.Field(found.name, self._names[found.name])

    def _same_type(self, found: exp.Expression, left: nodes.Scalar, right: nodes.Scalar) -> None:
        if type_of(left) != type_of(right):
            raise RuleError(f"{_quoted(found)} compares a {type_of(left)} with a {type_of(right)}")


def type_of(scalar: nodes.Scalar) -> nodes.FieldType:
    """The type of a scalar."""
    match scalar:
        case nodes.Field(_, type):
            return type
        case nodes.Text():
            return "text"
        case nodes.Coalesce(choices):
            return type_of(choices[0])
        case _:
            return "number"


def _arithmetic_depth(scalar: nodes.Node) -> int:
    below = max((_arithmetic_depth(child) for child in nodes.children(scalar)), default=0)
    return below + isinstance(scalar, nodes.Arithmetic)


def _number(text: str) -> nodes.Number:
    value = float(text)
    if not isfinite(value) or abs(value) > NUMBER_MAX:
        raise RuleError(f"the constant {text[:40]} is larger than {NUMBER_MAX:.0e}")
    return nodes.Number(value)


def _quoted(found: exp.Expression) -> str:
    text = found.sql(dialect="duckdb", comments=False)
    return f"`{text if len(text) <= 80 else text[:77] + '...'}`"
