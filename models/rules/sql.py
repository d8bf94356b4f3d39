"""From a rule's checked tree to DuckDB SQL with the same semantics, for history and backtests.

The SQL is a boolean expression over a relation that has a column for every feature (DOUBLE, BOOLEAN or
VARCHAR), for the payment's entities, and `occurred_at_us`. Lists are read from the relation
`list_entries(list_name VARCHAR, value VARCHAR, expires_at_us BIGINT)`.
"""

from models.rules import nodes

LIST_RELATION = "list_entries"


def duckdb_sql(node: nodes.Predicate) -> str:
    """A boolean DuckDB expression, TRUE, FALSE or NULL exactly where the predicate is TRUE, FALSE or unknown.

    >>> print(duckdb_sql(nodes.Flag(nodes.Field("weekend", "boolean"))))
    (nullif(CAST("weekend" AS DOUBLE), 'NaN'::DOUBLE) <> 0)
    """
    match node:
        case nodes.Constant(value):
            return "TRUE" if value else "FALSE"
        case nodes.Flag(field):
            return f"({_scalar(field)} <> 0)"
        case nodes.Not(of):
            return f"(NOT {duckdb_sql(of)})"
        case nodes.All(of) | nodes.Any(of):
            word = " AND " if isinstance(node, nodes.All) else " OR "
            return "(" + word.join(duckdb_sql(part) for part in of) + ")"
        case nodes.Is(of, value):
            return f"({duckdb_sql(of)} IS {'TRUE' if value else 'FALSE'})"
        case _:
            return _leaf(node)


def _leaf(node: nodes.Predicate) -> str:
    match node:
        case nodes.Missing(of):
            return f"({_scalar(of)} IS NULL)"
        case nodes.Compare(operator, left, right):
            return f"({_scalar(left)} {operator} {_scalar(right)})"
        case nodes.OneOf(of, values):
            return f"({_scalar(of)} IN ({', '.join(_scalar(value) for value in values)}))"
        case nodes.Like(of, pattern):
            return f"({_scalar(of)} LIKE {_text(pattern)})"
        case nodes.Listed(of, list_name):
            return _listed(_scalar(of), list_name)
    raise AssertionError(node)


def _listed(value: str, list_name: str) -> str:
    # `NULL IN (an empty list)` is FALSE in SQL; a missing value must stay unknown.
    return (
        f"(CASE WHEN {value} IS NULL THEN NULL ELSE EXISTS (SELECT 1 "  # noqa: S608  # texts are quoted
        f"FROM {LIST_RELATION} AS entry WHERE entry.list_name = {_text(list_name)} AND entry.value = {value} "
        'AND entry.expires_at_us > "occurred_at_us") END)'
    )


def _scalar(scalar: nodes.Scalar) -> str:
    match scalar:
        case nodes.Number(value):
            return f"'{value!r}'::DOUBLE"
        case nodes.Text(value):
            return _text(value)
        case nodes.Field(name, type):
            column = f'"{name}"'
            return column if type == "text" else f"nullif(CAST({column} AS DOUBLE), 'NaN'::DOUBLE)"
        case nodes.Negative(of):
            return f"(-{_scalar(of)})"
        case nodes.Absolute(of):
            return f"abs({_scalar(of)})"
        case nodes.Coalesce(choices):
            return f"coalesce({', '.join(_scalar(choice) for choice in choices)})"
        case nodes.Arithmetic(operator, left, right):
            result = f"({_scalar(left)} {operator} {_scalar(right)})"
            return f"(CASE WHEN isfinite({result}) THEN {result} END)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
