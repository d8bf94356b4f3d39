"""Many rules at once fire what each of them fires alone."""

from math import inf, nan, nextafter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.feature import Row, Value
from models.features import POSITIONS
from models.observations import Observation
from models.rules import nodes
from models.rules.alternatives import ALTERNATIVES_MAX, alternatives
from models.rules.index import CONSTANTS_MAX, SHARERS_MIN, TESTS_PER_LOOK, RuleIndex, ready
from models.rules.python import compile_predicates
from models.rules.rule import predicate_of
from tests.unit.models.rows import row_with

NUMBERS = ("card_count_1h", "card_amount_z", "hour")
PAYMENT = Observation(payment_id="p", occurred_at_us=5, amount_minor=1, currency="EUR", device="d1")
LISTS = {"watched": {"d1": 10}}

constants = st.sampled_from([0.0, -1.0, 1.0, 2.5, 3.0])
numbers = st.sampled_from(NUMBERS)
leaves = st.one_of(
    st.builds("{} {} {}".format, numbers, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), constants),
    st.builds("{} {} {}".format, constants, st.sampled_from(["<", ">="]), numbers),
    st.builds("abs({}) > {}".format, numbers, constants),
    st.builds("coalesce({}, {}) <= {}".format, numbers, constants, constants),
    st.builds("{} IN ({}, {})".format, numbers, constants, constants),
    st.builds("{} > {} * 2".format, numbers, numbers),
    st.builds("{} IS NULL".format, numbers),
    st.sampled_from(["weekend", "NOT weekend", "device IN @watched", "card_country LIKE 'I%'"]),
    st.sampled_from(["card_country = 'IN'", "card_country <> 'IN'", "card_country IN ('IN', 'DE')"]),
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("({}) IS TRUE".format, inner),
        st.builds("({}) IS NOT FALSE".format, inner),
    ),
    max_leaves=5,
)
beside = st.builds(nextafter, constants, st.sampled_from([-inf, inf]))
values = st.one_of(st.none(), constants, beside, st.sampled_from([nan, inf, -inf, -0.0]), st.floats())
rows = st.builds(
    row_with,
    card_count_1h=values,
    card_amount_z=values,
    hour=values,
    weekend=st.sampled_from([None, 0.0, 1.0, nan]),
    card_country=st.sampled_from([None, "", "I", "IN", "IN\0", "DE"]),
)


def fired(index: RuleIndex, row: Row) -> tuple[int, ...]:
    return index(row, PAYMENT, 5)


def index_of(*whens: str) -> RuleIndex:
    return RuleIndex([predicate_of(when) for when in whens], POSITIONS, LISTS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rules, min_size=SHARERS_MIN, max_size=12), st.lists(rows, min_size=1, max_size=6))
def test_an_index_of_rules_fires_those_that_are_true_one_by_one(whens: list[str], told: list[Row]) -> None:
    predicates = [predicate_of(when) for when in whens]
    index, plain = RuleIndex(predicates, POSITIONS, LISTS), compile_predicates(predicates, POSITIONS, LISTS)

    for row in told:
        assert fired(index, row) == plain(row, PAYMENT, 5)


@given(rules, rows)
def test_a_predicate_is_true_where_all_parts_of_one_alternative_are(when: str, row: Row) -> None:
    predicate = predicate_of(when)
    ways = nodes.Any(tuple(nodes.All(tuple(parts)) for parts in alternatives(predicate)))

    both = compile_predicates([predicate, ways], POSITIONS, LISTS)(row, PAYMENT, 5)

    assert both in ((), (0, 1))


def test_a_value_on_a_constant_is_neither_below_nor_above_it() -> None:
    index = index_of(*(f"card_count_1h {sign} 3" for sign in ("<", "<=", "=", ">=", ">", "<>")))

    def at(value: Value) -> tuple[int, ...]:
        return fired(index, row_with(card_count_1h=value))

    assert [at(nextafter(3.0, -inf)), at(3.0), at(nextafter(3.0, inf))] == [(0, 1, 5), (1, 2, 3), (3, 4, 5)]
    assert at(None) == at(nan) == ()


def test_a_rule_with_several_alternatives_fires_once() -> None:
    index = index_of(*["card_count_1h > 1 OR card_count_1h > 2 OR hour = 3"] * SHARERS_MIN)

    assert fired(index, row_with(card_count_1h=5.0, hour=3.0)) == tuple(range(SHARERS_MIN))


def test_parts_that_an_index_cannot_know_are_asked_of_what_is_left() -> None:
    index = index_of(
        *[f"card_count_1h > {count} AND device IN @watched AND hour > card_amount_z" for count in range(8)]
    )

    assert fired(index, row_with(card_count_1h=2.0, hour=5.0, card_amount_z=1.0)) == (0, 1)
    assert fired(index, row_with(card_count_1h=2.0, hour=0.0, card_amount_z=1.0)) == ()


def test_what_has_very_many_alternatives_or_constants_is_asked_as_it_is_written() -> None:
    either = " AND ".join(f"(card_count_1h = {n} OR hour = {n})" for n in range(ALTERNATIVES_MAX))
    among = ", ".join(str(n) for n in range(CONSTANTS_MAX + 1))
    index = index_of(*[either, f"hour IN ({among})"] * SHARERS_MIN)

    assert len(alternatives(predicate_of(either))) == 1
    assert fired(index, row_with(hour=float(CONSTANTS_MAX))) == (1, 3, 5, 7)


def test_few_rules_are_asked_one_by_one_and_many_by_an_index() -> None:
    predicates = [predicate_of(f"card_count_1h > {count}") for count in range(TESTS_PER_LOOK)]

    few, many = (ready(predicates[:count], POSITIONS, {}) for count in (TESTS_PER_LOOK - 1, TESTS_PER_LOOK))

    assert not isinstance(few, RuleIndex)
    assert isinstance(many, RuleIndex)
    assert ready([], POSITIONS, {})(row_with(), PAYMENT, 5) == ()
