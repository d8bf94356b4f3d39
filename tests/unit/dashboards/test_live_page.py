"""The page's web application without a browser: headers, streams, and what a broken log looks like."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from dashboards import live_page
from dashboards.explanations import Explainer
from dashboards.live_page import Fragments, Streams, application, stream_messages
from dashboards.live_view import LiveView
from dashboards.tail import Tail
from events.types import Event
from tests.unit.dashboards.flowing import answer, marked, published, question, refund_refused


@pytest.fixture
def view() -> LiveView:
    return LiveView()


@pytest.fixture
def tail(view: LiveView, tmp_path: Path) -> Tail:
    return Tail(f"sqlite:///{tmp_path / 'log.sqlite'}", view)


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def explainer(tmp_path: Path) -> Explainer:
    return Explainer(f"sqlite:///{tmp_path / 'log.sqlite'}")


@pytest.fixture
def client(view: LiveView, tail: Tail, streams: Streams, explainer: Explainer) -> Iterator[TestClient]:
    with TestClient(application(Fragments(view, tail), streams, explainer)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/static/live.js", "/health", "/nowhere"])
def test_every_answer_carries_the_strict_policy(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_vendored_files_may_be_kept_by_the_browser_and_the_page_not(client: TestClient) -> None:
    assert "immutable" in client.get("/static/vendor/htmx-2.0.11.min.js").headers["cache-control"]
    assert client.get("/").headers["cache-control"] == "no-store"


def test_every_vendored_script_comes_with_its_license() -> None:
    vendor = Path(live_page.__file__).parent / "static" / "vendor"
    for script in vendor.glob("*.js"):
        name = script.name.partition("-common")[0].partition("-2.")[0]
        assert (vendor / f"{name}-LICENSE.txt").exists(), script.name


def test_while_the_log_does_not_answer_the_page_says_so(client: TestClient, tail: Tail) -> None:
    assert "The log does not answer" in client.get("/").text

    tail.reachable = True

    assert "The log does not answer" not in client.get("/").text


@pytest.mark.parametrize("left", [marked, refund_refused])
def test_the_tile_leads_to_the_payments_that_a_person_has_to_refund(
    client: TestClient, view: LiveView, left: Callable[[int], Event]
) -> None:
    for number in (1, 2):
        view.take(question(number), 1.0)
        view.take(answer(number), 1.0)
    view.take(left(1), 1.0)

    assert 'href="/?only=marked#payments-title">1 to refund by hand</a>' in client.get("/").text
    shown = client.get("/?only=marked").text
    assert "pi_000001" in shown
    assert "A block came after the capture, and the money was not given back: refund." in shown
    assert "pi_000002" not in shown


def test_the_table_says_what_a_score_means_and_of_an_allowed_payment_no_more_than_is_known(
    client: TestClient, view: LiveView
) -> None:
    view.take(question(1), 1.0)
    view.take(msgspec.structs.replace(answer(1), reasons=[]), 1.0)

    page = client.get("/").text

    assert (
        "a score says how probable fraud is (0 to 100; a probability of 10 % is 65, one of 40 % is 75)"
        in page
    )
    assert "<li>No reason to hold it.</li>" in page


def test_the_tile_tells_what_was_not_finished_beside_what_the_bank_declined(
    client: TestClient, view: LiveView
) -> None:
    assert "not finished" not in client.get("/").text

    view.payments.update(declined=1, lapsed=2)

    assert "1 declined by the bank; 2 not finished in time<" in client.get("/").text


def test_text_from_events_is_shown_as_text(client: TestClient, view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(answer(1, reason="<script>alert(1)</script>"), 1.0)

    page = client.get("/").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_more_streams_than_the_program_can_hold_are_refused(client: TestClient, streams: Streams) -> None:
    streams.open = live_page.STREAMS_MAX

    assert client.get("/stream").status_code == 503


def test_a_stream_brings_tiles_payments_and_series_and_says_that_it_ended_when_the_program_stops(
    view: LiveView, tail: Tail, streams: Streams
) -> None:
    view.take(question(1), 1.0)
    view.take(answer(1), 1.0)
    view.take(published(2, 7), 1.0)

    async def scene() -> list[str]:
        heard = []
        async for message in stream_messages(Fragments(view, tail), streams):
            assert streams.open == 1
            heard.append(message)
            if len(heard) == 3:
                streams.stopping.set()
        return heard

    tiles, payments, series, *latest, ended = asyncio.run(asyncio.wait_for(scene(), 30))
    assert tiles.startswith("event: tiles\ndata: ")
    assert "pi_000001" in payments
    assert json.loads(series.partition("data: ")[2])["curve"] == [[7, None]]
    assert latest == [tiles, payments, series]
    assert ended.startswith("event: ended\ndata: ")
    assert streams.open == 0
