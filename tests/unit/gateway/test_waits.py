"""Who waits for whom: an outer wait that ends before an inner one would hide the inner one's answer."""

import pytest

from gateway import processor_client
from gateway.payments import flights, service, taking
from gateway.processor import acquirer_link, api_listener, api_pay_desk, rails_link


@pytest.mark.parametrize(
    ("outer_seconds", "inner_seconds"),
    [
        (processor_client.ANSWER_SECONDS_MAX, acquirer_link.ANSWER_SECONDS_MAX),
        (processor_client.ANSWER_SECONDS_MAX, rails_link.ANSWER_SECONDS_MAX),
        (service.ANSWER_SECONDS_MAX, processor_client.ANSWER_SECONDS_MAX),
        (taking.INCREMENT_SECONDS_MAX, processor_client.ANSWER_SECONDS_MAX),
        (flights.AUTHORIZATION_SECONDS_MAX, service.ANSWER_SECONDS_MAX),
        (api_pay_desk.ANSWER_SECONDS_MAX, service.ANSWER_SECONDS_MAX),
        (processor_client.ANSWER_SECONDS_MAX, api_listener.ANSWER_SECONDS_MAX),
    ],
    ids=lambda seconds: f"{seconds:g} s",
)
def test_who_waits_for_an_answer_waits_longer_than_who_gives_it(
    outer_seconds: float, inner_seconds: float
) -> None:
    assert outer_seconds > inner_seconds
