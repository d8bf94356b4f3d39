"""What a merchant reads of a decision."""

import msgspec

from gateway.payments.outcomes import decided_by_engine
from tests.unit.dashboards.flowing import answer


def test_of_a_payment_that_is_allowed_without_a_reason_no_more_is_said_than_is_known() -> None:
    allowed = msgspec.structs.replace(answer(1), reasons=[])

    assert decided_by_engine(allowed, None).message == "No reason to hold it."
