"""What listeners refuse before it is a request: a few lines of the log, and how many more there were."""

from structlog.testing import capture_logs

from gateway.http.errors import TooManyConnectionsError
from gateway.http.refusals import LINES_MAX, PERIOD_SECONDS, Refusals


def test_of_many_refusals_a_few_are_told_by_their_ids_and_the_rest_by_their_number() -> None:
    refusals = Refusals()
    with capture_logs() as lines:
        for number in range(LINES_MAX + 5):
            refusals.refused(TooManyConnectionsError(), f"req_{number}", now=100.0 + number)
        refusals.dropped()
        refusals.look(now=100.0 + PERIOD_SECONDS - 1)
        told, still = [line.get("request") for line in lines], len(lines)
        refusals.look(now=100.0 + PERIOD_SECONDS)
        refusals.look(now=100.0 + PERIOD_SECONDS * 2)

    assert told == [f"req_{number}" for number in range(LINES_MAX)]
    assert [line["count"] for line in lines[still:]] == [6]


def test_after_a_while_refusals_are_told_by_their_ids_again() -> None:
    refusals = Refusals()
    for number in range(LINES_MAX + 1):
        refusals.refused(TooManyConnectionsError(), f"req_{number}", now=100.0)
    refusals.look(now=100.0 + PERIOD_SECONDS)

    with capture_logs() as lines:
        refusals.refused(TooManyConnectionsError(), "req_later", now=101.0 + PERIOD_SECONDS)

    assert [line["request"] for line in lines] == ["req_later"]
