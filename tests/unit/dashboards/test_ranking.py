"""Average precision, against scikit-learn's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from dashboards.ranking import average_precision

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=1)


@given(SCORED.filter(lambda scored: any(fraud for _, fraud in scored)))
def test_average_precision_equals_scikit_learn_with_ties(scored: list[tuple[float, bool]]) -> None:
    expected = average_precision_score([fraud for _, fraud in scored], [score for score, _ in scored])

    assert average_precision(scored) == pytest.approx(float(expected))


def test_without_any_fraud_there_is_no_average_precision() -> None:
    assert average_precision([(0.3, False)]) is None
