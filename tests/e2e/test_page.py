"""The live page in a real Chromium, over a real log."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from events.codec import encode
from events.log import open_log
from events.log.port import Outgoing
from events.types import (
    AssessmentRequested,
    DecisionMade,
    Event,
    LabelReported,
    ModelPublished,
    PaymentActionRequired,
    PaymentAuthorized,
)
from events.vocabulary import Ruling
from operations.addresses import choose
from tests.e2e.programs import started
from tests.unit.dashboards.deciding import decide
from tests.unit.dashboards.flowing import EMAIL, answer, authorized, label, published, question

pytestmark = pytest.mark.browser

TOPICS: dict[type[Event], str] = {
    AssessmentRequested: "assessments",
    DecisionMade: "decisions",
    LabelReported: "labels",
    ModelPublished: "models",
    PaymentActionRequired: "payments",
    PaymentAuthorized: "payments",
}
PATIENCE_MS = 60_000
REASON_PX_MIN = 90
"""A word or two: less is one word below the other."""
LONG_ID = "pi_" + "0123456789abcdef" * 2
"""As long as those that the API makes."""
LONGER_THAN_A_BROWSER_WAITS_MS = 8_000
"""Chromium asks again for a lost stream after three seconds."""
LOST_SERVER = re.compile(r"net::ERR|^\[object Event\]$")
"""What the browser, and htmx, write when the server goes away: the end of every test."""


class Told:
    """A log that the test writes and the page follows."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'log.sqlite'}"
        self.log = open_log(self.url)

    def tell(self, *events: Event) -> None:
        self.log.append([Outgoing(TOPICS[type(event)], b"key", encode(event)) for event in events])


def sent_off(number: int) -> tuple[Event, ...]:
    """A payment that waits for its payer, under an id as long as those that the API makes."""
    base = msgspec.structs.asdict(authorized(number))
    shared = {name: base[name] for name in PaymentActionRequired.__struct_fields__ if name in base}
    ruling = Ruling(by="engine", outcome="allow", risk_score=10, text="No reason to hold it.")
    waits = PaymentActionRequired(
        **{**shared, "id": f"sent-off-{number}", "ruling": ruling, "kind": "redirect"}
    )
    return tuple(
        msgspec.structs.replace(event, payment_id=LONG_ID)
        for event in (question(number), answer(number), waits)
    )


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path)
    yield told
    told.log.close()


@contextmanager
def page_of(told: Told, port: int = 0) -> Iterator[str]:
    """The page's program; its address."""
    with started("dashboards.live", "--log", told.url, "--port", str(port)) as ready:
        yield f"http://127.0.0.1:{ready['port']}/"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which any complaint of the browser fails the test."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not LOST_SERVER.search(message.text):
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def test_before_the_first_payment_the_page_says_what_to_do(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)

        expect(page.get_by_text("No payment yet.")).to_be_visible()
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)


def test_a_payment_appears_by_itself_with_score_outcome_and_reasons(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)

        told.tell(
            question(1, amount_minor=123_456),
            answer(1, "block", probability=0.97, reason="a <b>new</b> device"),
        )

        row = page.locator("tbody tr")
        expect(row).to_have_count(1, timeout=PATIENCE_MS)
        for text in ("pi_000001", "1234.56 EUR", "block", "97", "A <b>new</b> device.", "visa ··4242 DE"):
            expect(row).to_contain_text(text)
        assert EMAIL not in page.content()


def test_a_payments_link_leads_to_what_is_told_of_it(told: Told, page: Page) -> None:
    decide(told.log, (1, 2))
    with page_of(told) as address:
        page.goto(address)
        expect(page.locator("tbody tr")).to_have_count(2, timeout=PATIENCE_MS)
        page.get_by_role("link", name="pi_2").focus()
        decide(told.log, (3,))
        expect(page.locator("tbody tr")).to_have_count(3, timeout=PATIENCE_MS)
        expect(page.get_by_role("link", name="pi_2")).to_be_focused()
        page.keyboard.press("Enter")

        expect(page.get_by_text("risk score")).to_be_visible(timeout=PATIENCE_MS)
        for head in ("What it is made of", "The smallest change", "Made by"):
            expect(page.get_by_role("heading", name=head)).to_be_visible()
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width

        page.get_by_role("link", name="All live payments").click()
        page.get_by_label("Payment", exact=True).fill("pi_1")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="pi_1", level=2)).to_be_visible(timeout=PATIENCE_MS)


def test_a_payments_page_is_not_cut_off_on_a_small_telephone(told: Told, page: Page) -> None:
    decide(told.log, (1,), payment_id=LONG_ID)
    page.set_viewport_size({"width": 320, "height": 700})
    with page_of(told) as address:
        page.goto(f"{address}payments/{LONG_ID}")
        expect(page.get_by_text("risk score")).to_be_visible(timeout=PATIENCE_MS)

        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_an_id_stands_on_one_line_where_columns_have_room(told: Told, page: Page) -> None:
    told.tell(*sent_off(1))
    with page_of(told) as address:
        page.goto(address)
        for width in (1200, 1280, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            lines = page.locator("tbody code").evaluate("code => code.getClientRects().length")

            assert lines == 1, width
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            reason = page.locator("tbody li").first
            assert reason.evaluate("li => li.offsetWidth") >= REASON_PX_MIN, width


def test_the_dot_stands_beside_the_word_that_it_belongs_to_on_a_small_telephone(
    told: Told, page: Page
) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    with page_of(told) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)

        for state in ("live", "reconnecting"):
            page.evaluate(f"showState('{state}')")
            tops = page.locator("#connection").evaluate(
                "it => [...it.getClientRects()].map(each => each.top)"
            )
            assert len(set(tops)) == 1
            assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_table_can_be_held_to_one_outcome_and_stays_so(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        told.tell(question(1), answer(1), question(2), answer(2, "block"))
        expect(page.locator("tbody tr")).to_have_count(2, timeout=PATIENCE_MS)
        page.get_by_role("link", name="Blocked").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        told.tell(question(3), answer(3), question(4), answer(4, "block"))

        expect(page.locator("tbody tr")).to_have_count(2, timeout=PATIENCE_MS)
        expect(page.locator("tbody tr.block")).to_have_count(2)
        expect(page.get_by_role("link", name="Blocked")).to_have_attribute("aria-current", "page")


def test_on_a_phone_a_payment_is_a_few_lines_the_list_scrolls_and_the_pause_stands_beside_the_title(
    told: Told, page: Page
) -> None:
    for number in range(1, 11):
        told.tell(question(number), answer(number))
    page.set_viewport_size({"width": 375, "height": 800})
    with page_of(told) as address:
        page.goto(address)
        expect(page.locator("tbody tr")).to_have_count(10, timeout=PATIENCE_MS)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)

        payment = page.locator("tbody tr").first.evaluate("row => row.getBoundingClientRect().height")
        shown, whole = page.locator("#payments").evaluate("list => [list.clientHeight, list.scrollHeight]")
        heading = page.locator("thead").evaluate("head => head.getBoundingClientRect().width")
        title, pause = page.locator("h1").bounding_box(), page.locator("#pause").bounding_box()

        assert payment < 150
        assert shown < 800 < whole
        assert heading <= 1
        assert title is not None
        assert pause is not None
        assert pause["y"] < title["y"] + title["height"]


def test_the_figures_and_charts_follow_decisions_labels_and_snapshots(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        for number in range(20):
            told.tell(question(number), answer(number, probability=number / 20))
        expect(page.locator("tbody tr")).to_have_count(20, timeout=PATIENCE_MS)
        told.tell(*(label(number, number >= 10) for number in range(20)), published(3, 42))

        tiles = page.locator("#tiles")
        expect(tiles).to_contain_text("of 10 known fraud, 10 genuine", timeout=PATIENCE_MS)
        expect(tiles).to_contain_text("champion v3")
        expect(tiles.locator("div", has_text="Average precision").locator("dd").first).to_have_text("1.000")
        expect(page.locator("#learning")).to_have_attribute(
            "aria-label", "Average precision 1 after 42 labels", timeout=PATIENCE_MS
        )
        expect(page.locator("#rates canvas")).to_be_visible()


def test_a_second_without_a_decision_is_a_gap_in_the_chart_of_latencies(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        for number in (1, 2):
            told.tell(question(number), answer(number))
            expect(page.locator("tbody tr")).to_have_count(number, timeout=PATIENCE_MS)
            page.wait_for_timeout(2_500)

        medians, joined = page.evaluate(
            "(() => { const [line] = charts.get('latency').getOption().series; "
            "return [line.data, line.connectNulls] })()"
        )
        measured = [place for place, median in enumerate(medians) if median is not None]
        assert measured[-1] - measured[0] > 1
        assert not joined


def test_the_tiles_count_what_was_in_force_and_not_what_came_too_late(told: Told, page: Page) -> None:
    fallback = Ruling(by="fallback", outcome="allow", risk_score=None, text="Too late.")
    with page_of(told) as address:
        page.goto(address)
        told.tell(
            question(1),
            msgspec.structs.replace(authorized(1, assessed=False), ruling=fallback),
            question(2),
            answer(2, "block"),
        )
        tiles = page.locator("#tiles")
        expect(tiles.locator("div.block dd").first).to_have_text("1", timeout=PATIENCE_MS)
        told.tell(answer(1, "block"), question(3), answer(3, "review"))

        expect(tiles.locator("div.review dd").first).to_have_text("1", timeout=PATIENCE_MS)
        expect(tiles.locator("div.allow dd").first).to_have_text("1")
        expect(tiles.locator("div.block dd").first).to_have_text("1")


def test_a_pause_holds_the_page_still_until_it_is_lifted_by_keyboard(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)
        page.locator("#pause").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#connection")).to_have_text("paused")

        told.tell(question(1), answer(1))
        with page.expect_event("console", lambda heard: heard.text == "passed over", timeout=PATIENCE_MS):
            page.evaluate(
                "document.getElementById('payments').addEventListener('htmx:sseBeforeMessage', "
                "() => console.log('passed over'))"
            )
        expect(page.locator("tbody tr")).to_have_count(0)

        page.keyboard.press("Space")
        told.tell(question(2), answer(2))
        expect(page.locator("tbody tr")).to_have_count(2, timeout=PATIENCE_MS)


@contextmanager
def killed_at_the_end(told: Told, port: int) -> Iterator[str]:
    """The page's program, which dies without a word."""
    words = ("-m", "dashboards.live", "--log", told.url, "--port", str(port))
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.communicate()


def test_a_page_that_lost_its_server_says_so_and_comes_back_by_itself(told: Told, page: Page) -> None:
    port = choose("127.0.0.1", 0).page
    with killed_at_the_end(told, port) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)
    expect(page.locator("#connection")).to_have_text("reconnecting", timeout=PATIENCE_MS)

    with page_of(told, port):
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)
        told.tell(question(1), answer(1))
        expect(page.locator("tbody tr")).to_have_count(1, timeout=PATIENCE_MS)


def test_a_page_whose_platform_was_stopped_says_that_it_ended_and_looks_for_it_no_more(
    told: Told, page: Page
) -> None:
    port = choose("127.0.0.1", 0).page
    errors: list[str] = []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    with page_of(told, port) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)
        told.tell(question(1), answer(1))
        expect(page.locator("tbody tr")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("#connection")).to_contain_text("ended", timeout=PATIENCE_MS)
    expect(page.locator("#pause")).to_be_hidden()
    expect(page.locator("tbody tr")).to_have_count(1)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(LONGER_THAN_A_BROWSER_WAITS_MS)

    assert asked == []
    assert errors == []


def test_from_too_few_labels_no_average_precision_is_shown(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        told.tell(question(1), answer(1, probability=0.9), question(2), answer(2))
        expect(page.locator("tbody tr")).to_have_count(2, timeout=PATIENCE_MS)
        told.tell(label(1, True), label(2, False), published(1, 2))

        tile = page.locator("#tiles div", has_text="Average precision").locator("dd")
        expect(tile.last).to_have_text("too few labels: 1 known fraud, 1 genuine", timeout=PATIENCE_MS)
        expect(tile.first).to_have_text("–")
        expect(page.locator("#learning")).to_have_attribute(
            "aria-label", "Average precision unknown, too few labels after 2 labels", timeout=PATIENCE_MS
        )


def test_the_tiles_stand_in_whole_rows_at_any_width(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        for width, columns in ((390, 2), (800, 2), (1280, 5)):
            page.set_viewport_size({"width": width, "height": 800})
            places = page.locator("#tiles .tiles > div").evaluate_all(
                "tiles => tiles.map(tile => Math.round(tile.getBoundingClientRect().left))"
            )
            assert len(places) % columns == 0
            assert len(set(places)) == columns


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_cut_off_at_any_width_in_light_and_dark(
    told: Told, page: Page, width: int, scheme: Literal["light", "dark"]
) -> None:
    told.tell(question(1), answer(1, reason="17 payments in an hour where 1 a day is usual for this card"))
    page.set_viewport_size({"width": width, "height": 700})
    page.emulate_media(color_scheme=scheme)
    with page_of(told) as address:
        page.goto(address)
        expect(page.locator("tbody tr")).to_have_count(1, timeout=PATIENCE_MS)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(246, 247, 248)", "dark": "rgb(16, 24, 29)"}[scheme]


def test_the_first_stops_of_the_tab_key_are_the_skip_link_and_the_pause(told: Told, page: Page) -> None:
    with page_of(told) as address:
        page.goto(address)
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the payments")).to_be_focused()
        expect(page.get_by_text("Skip to the payments")).to_be_in_viewport()

        page.keyboard.press("Tab")

        expect(page.locator("#pause")).to_be_focused()


def test_everything_comes_from_the_page_itself_under_a_strict_policy(told: Told, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page_of(told) as address:
        answered = page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)

        assert answered is not None
        policy = answered.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert all(url.startswith(address) for url in asked)


def test_the_program_says_in_one_line_when_its_port_is_taken(told: Told) -> None:
    with page_of(told) as address:
        port = address.rpartition(":")[2].strip("/")
        second = subprocess.run(
            [sys.executable, "-m", "dashboards.live", "--log", told.url, "--port", port],
            capture_output=True,
            text=True,
            timeout=120,
            env=dict(os.environ),
            check=False,
        )

        assert second.returncode != 0
        assert "Address already in use" in second.stderr
