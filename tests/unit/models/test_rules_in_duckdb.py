"""A rule means one thing: its compiled Python and its SQL in a real DuckDB agree on any row."""

import math
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from models.feature import Row
from models.features import CATALOGUE, POSITIONS
from models.observations import Observation
from models.rules import nodes
from models.rules.index import SHARERS_MIN, RuleIndex
from models.rules.python import compile_predicates
from models.rules.rule import predicate_of
from models.rules.sql import duckdb_sql

NUMBERS = ("card_count_1h", "card_amount_z", "hour", "amount_reference_minor")
FLAGS = ("weekend", "ip_country_differs")
TEXTS = ("card_country", "ip_country")
ENTITIES = ("device", "card")
COLUMNS = (*NUMBERS, *FLAGS, *TEXTS, *ENTITIES)
AT_US = 1_000_000
LISTS = {"watched": {"IN": AT_US + 1, "a_b": AT_US, "o'x": AT_US - 1, "": 2**62}, "empty": {}}
WORDS = ("IN", "DE", "a_b", "axb", "o'x", "ß", "")

Values = dict[str, float | str | None]


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    columns = [f'"{name}" {"DOUBLE" if name in NUMBERS + FLAGS else "VARCHAR"}' for name in COLUMNS]
    connection.execute(f"CREATE TABLE payments ({', '.join(columns)}, occurred_at_us BIGINT)")
    connection.execute("CREATE TABLE list_entries (list_name VARCHAR, value VARCHAR, expires_at_us BIGINT)")
    entries = [(name, value, at) for name, values in LISTS.items() for value, at in values.items()]
    connection.executemany("INSERT INTO list_entries VALUES (?, ?, ?)", entries)
    yield connection
    connection.close()


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


constants = st.sampled_from(["0", "1", "-1", "2.5", "1e3", "0.1", "100000000000000"])
texts = st.sampled_from([quoted(word) for word in WORDS])
operators = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])


def numbers(operands: str = "+-*/") -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(list(operands)), inner),
            st.builds("abs({})".format, inner),
            st.builds("-({})".format, inner),
            st.builds("coalesce({}, {})".format, inner, inner),
        )

    return st.recursive(st.one_of(st.sampled_from(NUMBERS), constants), larger, max_leaves=4)


def predicates(numeric: st.SearchStrategy[str], lists: bool, likes: bool = True) -> st.SearchStrategy[str]:
    named, known = st.sampled_from(TEXTS + ENTITIES), st.sampled_from(TEXTS)
    leaves = [
        st.sampled_from(FLAGS),
        st.builds("{} {} {}".format, numeric, operators, numeric),
        st.builds("{} BETWEEN {} AND {}".format, numeric, numeric, numeric),
        st.builds("{} IN ({}, {})".format, numeric, constants, constants),
        st.builds("{} {} {}".format, known, st.sampled_from(["=", "<>"]), st.one_of(texts, known)),
        st.builds("{} NOT IN ({}, {})".format, known, texts, texts),
        st.builds("{} LIKE {}".format, known, st.sampled_from(["'a%'", "'_'", "'a_b'", "'%'", "'I.'"])),
        st.builds("{} IS NULL".format, st.one_of(numeric, named, st.sampled_from(FLAGS))),
        st.builds("{} IS NOT NULL".format, st.one_of(numeric, named)),
    ]
    if lists:
        leaves.append(st.builds("{} IN @{}".format, named, st.sampled_from(["watched", "empty", "none"])))

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("({}) {} ({})".format, inner, st.sampled_from(["AND", "OR"]), inner),
            st.builds("{} {} {}".format, inner, st.sampled_from(["AND", "OR"]), inner),
            st.builds("NOT ({})".format, inner),
            st.builds("NOT {}".format, inner),
            st.builds("({}) IS TRUE".format, inner),
            st.builds("({}) IS NOT FALSE".format, inner),
        )

    return st.recursive(st.one_of(leaves), larger, max_leaves=6).filter(mentions_a_name)


def mentions_a_name(text: str) -> bool:
    return any(name in text for name in COLUMNS)


def rows(number: st.SearchStrategy[float | None]) -> st.SearchStrategy[list[Values]]:
    row = st.fixed_dictionaries(
        {
            **dict.fromkeys(NUMBERS, number),
            **dict.fromkeys(FLAGS, st.sampled_from([None, 0.0, 1.0])),
            **dict.fromkeys(TEXTS + ENTITIES, st.sampled_from([None, *WORDS])),
        }
    )
    return st.lists(row, min_size=1, max_size=8)


wild = st.one_of(
    st.none(),
    st.sampled_from([math.nan, 0.0, -0.0, 1.0, 2.5, 1e308, -1e308, math.inf, -math.inf, 1e-308]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-5, 5).map(float),
)
tame = st.one_of(st.none(), st.integers(-5, 5).map(float), st.sampled_from([0.1, 2.5]))
bounded = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def in_python(predicate: nodes.Predicate, values: Values) -> bool | None:
    evaluate = compile_predicates([predicate, nodes.Not(predicate)], POSITIONS, LISTS)
    row: Row = [None] * len(CATALOGUE)
    for name, value in values.items():
        if name in POSITIONS:
            row[POSITIONS[name]] = value
    observation = Observation(
        payment_id="p",
        occurred_at_us=AT_US,
        amount_minor=1,
        currency="EUR",
        **{name: values[name] for name in ENTITIES},
    )
    alone = evaluate(row, observation, AT_US)
    # As often as it takes for an index to know all that it can know of them.
    indexed = RuleIndex([predicate, nodes.Not(predicate)] * SHARERS_MIN, POSITIONS, LISTS)
    assert [place % 2 for place in indexed(row, observation, AT_US)] == [*alone] * SHARERS_MIN
    return {(0,): True, (1,): False, (): None}[alone]


def in_duckdb(connection: duckdb.DuckDBPyConnection, sql: str, values: list[Values]) -> list[bool | None]:
    connection.execute("DELETE FROM payments")
    places = ", ".join("?" * len(COLUMNS))
    for row in values:
        connection.execute(f"INSERT INTO payments VALUES ({places}, {AT_US})", [row[n] for n in COLUMNS])
    return [found[0] for found in connection.execute(f"SELECT {sql} FROM payments ORDER BY rowid").fetchall()]


@bounded
@given(text=predicates(numbers(), lists=True), values=rows(wild))
def test_any_rule_gives_the_same_answer_on_any_row_in_python_and_in_duckdb(
    history: duckdb.DuckDBPyConnection, text: str, values: list[Values]
) -> None:
    predicate = predicate_of(text)

    assert [in_python(predicate, row) for row in values] == in_duckdb(history, duckdb_sql(predicate), values)


@bounded
@given(text=predicates(numbers("+-*"), lists=False), values=rows(tame))
def test_a_rule_means_what_its_own_text_means_to_duckdb(
    history: duckdb.DuckDBPyConnection, text: str, values: list[Values]
) -> None:
    predicate = predicate_of(text)
    as_written = text
    for name in FLAGS:
        as_written = as_written.replace(name, f"CAST({name} AS BOOLEAN)")

    try:
        found = in_duckdb(history, as_written, values)
    except duckdb.OutOfRangeException:
        # Whole constants whose product is beyond 64 bits, which a rule takes as doubles.
        reject()
    assert [in_python(predicate, row) for row in values] == found


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("card_count_1h > 3", {"card_count_1h": None}, None),
        ("NOT card_count_1h > 3", {"card_count_1h": None}, None),
        ("NOT card_count_1h > 3", {"card_count_1h": math.nan}, None),
        ("card_count_1h = card_count_1h", {"card_count_1h": math.nan}, None),
        ("card_count_1h > 3 AND weekend", {"card_count_1h": None, "weekend": 0.0}, False),
        ("card_count_1h > 3 OR weekend", {"card_count_1h": None, "weekend": 1.0}, True),
        ("card_count_1h / hour > 1", {"card_count_1h": 4.0, "hour": 0.0}, None),
        ("card_amount_z * card_amount_z > 1", {"card_amount_z": 1e200}, None),
        ("device IN @watched", {"device": None}, None),
        ("device NOT IN @watched", {"device": None}, None),
        ("device IN @none", {"device": "IN"}, False),
        ("device IN @watched", {"device": "IN"}, True),
        ("device IN @watched", {"device": "a_b"}, False),
        ("(card_count_1h > 3) IS NOT TRUE", {"card_count_1h": None}, True),
        ("coalesce(card_count_1h, 9) > 3", {"card_count_1h": math.nan}, True),
    ],
)
def test_what_is_missing_is_unknown_and_unknown_never_fires(
    history: duckdb.DuckDBPyConnection, text: str, row: Values, expected: bool | None
) -> None:
    values = dict.fromkeys(COLUMNS, None) | row
    predicate = predicate_of(text)

    assert in_python(predicate, values) is expected
    assert in_duckdb(history, duckdb_sql(predicate), [values]) == [expected]
