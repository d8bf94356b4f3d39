"""Limits of a merchant that has none of its own."""

import pytest

from events.money import AMOUNT_MINOR_MAX
from gateway.errors import InvalidRequestError
from gateway.exchange_rates import PER_DOLLAR
from gateway.limits import limit_per_payment_minor, require_amount
from gateway.people.merchants import Merchant

SHOP = Merchant(id="m", name="Tea")


def test_every_default_limit_is_an_amount_that_a_payment_may_have() -> None:
    limits = {currency: limit_per_payment_minor(SHOP, currency) for currency in PER_DOLLAR}

    assert {
        currency: limit for currency, limit in limits.items() if limit is None or limit > AMOUNT_MINOR_MAX
    } == {}


@pytest.mark.parametrize("currency", ["IRR", "EUR", "JPY"])
def test_an_amount_beyond_the_default_limit_is_refused(currency: str) -> None:
    limit = limit_per_payment_minor(SHOP, currency)
    assert limit is not None

    require_amount(SHOP, limit, currency)
    with pytest.raises(InvalidRequestError, match="beyond this merchant's limit"):
        require_amount(SHOP, limit + 1, currency)
