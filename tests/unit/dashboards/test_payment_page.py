"""A payment's own page: what `weir explain` tells of it, found by a link or by its id."""

from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboards.explanations import Explainer
from dashboards.live_page import Fragments, Streams, application
from dashboards.live_view import LiveView
from dashboards.tail import Tail
from events.log import open_log
from events.types import RiskContext
from pipelines.explain import explain_payment
from tests.unit.dashboards.deciding import decide


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.sqlite'}"


@pytest.fixture
def explainer(url: str) -> Explainer:
    return Explainer(url)


@pytest.fixture
def client(url: str, explainer: Explainer) -> Iterator[TestClient]:
    view = LiveView()
    with TestClient(application(Fragments(view, Tail(url, view)), Streams(), explainer)) as client:
        yield client


def test_a_payments_page_tells_every_line_of_weir_explain(client: TestClient, url: str) -> None:
    with closing(open_log(url)) as log:
        decide(log, (19, 20, 21))
        lines = explain_payment(log, "pi_20", entities=False, features=True).splitlines()

    page = client.get("/payments/pi_20?attempt=1")

    assert page.status_code == 200
    assert len(lines) > 10
    text = unescape(page.text)
    for line in lines:
        assert line.strip().removeprefix("- ").removesuffix(":") in text, line


def test_a_payments_page_names_no_surrogate(client: TestClient, url: str) -> None:
    with closing(open_log(url)) as log:
        decide(log, (20,), card="card_hidden", context=RiskContext(device="dev_hidden"))
        told = explain_payment(log, "pi_20")

    page = client.get("/payments/pi_20").text

    assert "What it is made of" in page
    for surrogate in ("card_hidden", "dev_hidden"):
        assert surrogate in told
        assert surrogate not in page


@pytest.mark.parametrize("asked", ["%3Cscript%3E", "a%2F%3Cscript%3E"])
def test_a_payment_that_the_log_does_not_know_has_no_page_and_the_answer_says_what_to_check(
    client: TestClient, url: str, asked: str
) -> None:
    open_log(url).close()

    page = client.get(f"/payments/{asked}")

    assert page.status_code == 404
    assert "check the id" in page.text
    assert "<script>" not in page.text


def test_a_log_that_is_not_there_is_told_as_such(client: TestClient) -> None:
    page = client.get("/payments/pi_1")

    assert page.status_code == 503
    assert "The log does not answer." in page.text


def test_who_asks_while_others_do_is_asked_to_come_again(url: str) -> None:
    explainer = Explainer(url, busy_seconds_max=0.01)

    with explainer.turn:
        answer = explainer.answer("pi_1", None)

    assert answer.status == 503
    assert "Others are asking" in answer.parts[0].head


@pytest.mark.parametrize(
    ("asked", "path"),
    [(" pi_20 ", "/payments/pi_20"), ("a/../b?c", "/payments/a%2F..%2Fb%3Fc"), (" ", "/"), ("", "/")],
)
def test_a_payment_is_found_by_its_id(client: TestClient, asked: str, path: str) -> None:
    answer = client.get("/payments", params={"id": asked}, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, path)
