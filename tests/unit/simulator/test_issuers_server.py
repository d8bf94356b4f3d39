"""The issuers' access control server: who is asked, how often one may try, and what its pages show."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Literal

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.clock import VirtualClock
from simulator.acs import proofs
from simulator.acs.app import directory_app, pages_app
from simulator.acs.books import ChallengeBooks, Transaction
from simulator.acs.challenge import ATTEMPTS_MAX, LIFETIME_SECONDS, RESENDS_MAX
from simulator.acs.directory import KEPT_SECONDS, Directory, Question
from simulator.acs.pages import challenge_page
from tests.gateway_world import START

CARD = "4000000000003220"


def question(number: str = CARD, *, is_test: bool = False, **members: object) -> Question:
    given = {"amount_minor": 1250, "currency": "EUR", "merchant": "Books & Tea", "return_url": "https://p/r"}
    return Question("t1", number, **(given | members), is_test=is_test)  # type: ignore[arg-type]  # as named


class Issuers:
    """A directory with a clock at hand."""

    def __init__(self, path: Path | Literal[":memory:"] = ":memory:") -> None:
        self.clock = VirtualClock(START)
        self._path, self._numbers = path, count(1)
        self.start()

    def start(self) -> None:
        """The server's next life, on what is kept of the one before."""
        books, numbers = ChallengeBooks(self._path), self._numbers
        self.directory = Directory(books, self.clock, lambda size: next(numbers).to_bytes(size), b"issuers")

    def challenged(self, *, is_test: bool = False) -> Transaction:
        self.directory.look_up(question(is_test=is_test, mandated=True))
        return self.page

    @property
    def page(self) -> Transaction:
        found = self.directory.page(self.directory.look_up(question(mandated=True)).secret or self.secret)
        assert found is not None
        self.secret = found.secret
        return found

    @property
    def code(self) -> str:
        message = self.directory.phone("t1")
        assert message is not None
        return message.split()[0]


def test_the_code_on_the_phone_authenticates_once() -> None:
    issuers = Issuers()
    issuers.challenged()
    code = issuers.code

    issuers.directory.answer(issuers.page, code)

    result = issuers.directory.find("t1")
    assert (result.status, result.eci) == ("authenticated", "05")
    assert issuers.directory.phone("t1") is None


@pytest.mark.parametrize(
    ("code", "status"), [("123", "challenge"), ("1234", "authenticated"), ("1" * 11, "challenge")]
)
def test_a_test_payment_takes_any_code_of_four_to_ten_digits(code: str, status: str) -> None:
    issuers = Issuers()
    issuers.directory.answer(issuers.challenged(is_test=True), code)

    assert issuers.directory.find("t1").status == status


@pytest.mark.parametrize("typed", ["{} {}", "{}-{}", " {}{} ", "{}\u00a0{}", "{} - {}\n"])
@pytest.mark.parametrize("is_test", [False, True])
def test_spaces_and_hyphens_of_a_code_that_was_copied_are_overlooked(typed: str, *, is_test: bool) -> None:
    issuers = Issuers()
    issuers.challenged(is_test=is_test)

    issuers.directory.answer(issuers.page, typed.format(issuers.code[:3], issuers.code[3:]))

    assert issuers.directory.find("t1").status == "authenticated"


def test_a_live_payment_takes_the_code_that_was_sent_alone() -> None:
    issuers = Issuers()
    issuers.challenged()

    issuers.directory.answer(issuers.page, f"{int(issuers.code) + 1:06}"[-6:])

    assert issuers.directory.find("t1").status == "challenge"


def test_the_third_wrong_code_fails_it_whatever_comes_then() -> None:
    issuers = Issuers()
    page = issuers.challenged()
    code = issuers.code
    for _ in range(ATTEMPTS_MAX):
        page = issuers.directory.answer(page, "0")

    issuers.directory.answer(page, code)

    assert issuers.directory.find("t1").status == "failed"


def test_another_code_takes_the_place_of_the_first_and_gives_no_new_tries() -> None:
    issuers = Issuers()
    page = issuers.directory.answer(issuers.challenged(), "0")
    first = issuers.code

    page = issuers.directory.resend(page)

    assert issuers.code != first
    page = issuers.directory.answer(page, first)
    assert page.challenge.attempts == 2
    assert issuers.directory.answer(page, issuers.code).challenge.state == "authenticated"


def test_no_more_codes_are_sent_than_allowed() -> None:
    issuers = Issuers()
    page = issuers.challenged()
    for _ in range(RESENDS_MAX):
        page = issuers.directory.resend(page)
    last = issuers.code

    issuers.directory.resend(page)

    assert issuers.code == last


@pytest.mark.parametrize(("seconds", "status"), [(-1.0, "authenticated"), (0.0, "abandoned")])
def test_a_code_is_good_for_ten_minutes(seconds: float, status: str) -> None:
    issuers = Issuers()
    page, code = issuers.challenged(), issuers.code
    issuers.clock.advance(LIFETIME_SECONDS + seconds)

    issuers.directory.answer(page, code)

    assert issuers.directory.find("t1").status == status


def test_codes_are_kept_hashed() -> None:
    issuers = Issuers()
    page = issuers.challenged()

    assert issuers.code not in repr(page)
    assert issuers.code.encode() not in page.challenge.digest


def test_of_a_transaction_that_nobody_knows_nothing_is_said() -> None:
    assert Issuers().directory.find("another").status == "error"


def test_who_comes_when_nobody_waits_any_more_is_told_so_and_no_code_counts() -> None:
    issuers = Issuers()
    page, code = issuers.challenged(), issuers.code

    assert issuers.directory.withdraw("t1").status == "abandoned"

    assert issuers.directory.phone("t1") is None
    after = issuers.directory.answer(issuers.directory.page(page.secret) or page, code)
    assert after.challenge.state == "withdrawn"
    assert "no longer waits" in challenge_page(after)
    assert "<form" not in challenge_page(after)


def test_what_the_cardholder_has_proven_is_not_withdrawn() -> None:
    issuers = Issuers()
    issuers.directory.answer(issuers.challenged(), issuers.code)

    assert issuers.directory.withdraw("t1").status == "authenticated"


@given(
    changed=st.sampled_from(["number", "amount", "currency", "transaction", "indicator", "secret"]),
)
def test_a_proof_is_good_for_one_card_amount_and_transaction(changed: str) -> None:
    said = ["secret", CARD, "100", "EUR", "t1", "05"]
    places = ["secret", "number", "amount", "currency", "transaction", "indicator"]
    made = proofs.proof(b"secret", proofs.fingerprint(b"secret", CARD), 100, "EUR", "t1", "05")
    said[places.index(changed)] += "1"

    secret, number, amount, currency, transaction, indicator = said
    holds = proofs.holds(secret.encode(), number, int(amount), currency, transaction, indicator, made)

    assert not holds
    assert proofs.holds(b"secret", CARD, 100, "EUR", "t1", "05", made)
    assert len(made) == 28


def served(story: Callable[[httpx2.AsyncClient, Issuers], Awaitable[None]]) -> None:
    async def live() -> None:
        issuers = Issuers()
        transport = httpx2.ASGITransport(app=pages_app(issuers.directory))
        async with httpx2.AsyncClient(transport=transport, base_url="https://issuer") as client:
            await story(client, issuers)

    asyncio.run(live())


def test_a_page_runs_and_loads_nothing_and_shows_no_more_of_the_card_than_its_end() -> None:
    async def story(client: httpx2.AsyncClient, issuers: Issuers) -> None:
        answer = await client.get(f"/challenges/{issuers.challenged().secret}")

        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "3220" in answer.text
        assert CARD not in answer.text
        assert "Books &amp; Tea" in answer.text
        assert "12.50 EUR" in answer.text
        assert "<script" not in answer.text

    served(story)


@pytest.mark.parametrize("do", ["answer", "resend", "cancel", "other", ""])
def test_a_form_leads_back_to_its_page_and_never_anywhere_else(do: str) -> None:
    async def story(client: httpx2.AsyncClient, issuers: Issuers) -> None:
        path = f"/challenges/{issuers.challenged().secret}"
        answer = await client.post(path, data={"do": do, "code": "<b>"})

        assert (answer.status_code, answer.headers["location"]) == (303, path)
        after = await client.get(path)
        assert bool(re.search("url=https://p/r", after.text)) == (do == "cancel")

    served(story)


def test_forms_that_come_slowly_and_together_have_three_tries_all_in_all() -> None:
    async def story(client: httpx2.AsyncClient, issuers: Issuers) -> None:
        path = f"/challenges/{issuers.challenged().secret}"
        all_are_there, there = asyncio.Event(), count(1)

        async def slowly() -> AsyncIterator[bytes]:
            if next(there) == ATTEMPTS_MAX:
                all_are_there.set()
            await all_are_there.wait()
            yield b"do=answer&code=0"

        await asyncio.gather(*(client.post(path, content=slowly()) for _ in range(ATTEMPTS_MAX)))

        assert issuers.directory.find("t1").status == "failed"

    served(story)


@pytest.mark.parametrize("then", ["code", "another code", "cancel"])
def test_a_challenge_outlives_the_server_that_opened_it(tmp_path: Path, then: str) -> None:
    issuers = Issuers(tmp_path / "challenges.sqlite")
    page, code = issuers.challenged(), issuers.code
    issuers.directory.answer(page, "0")

    issuers.start()
    found = issuers.directory.page(page.secret)

    assert found is not None
    assert found.challenge.attempts == 1
    assert "2 tries are left" in challenge_page(found)
    if then == "another code":
        found = issuers.directory.resend(found)
        code = issuers.code
    if then == "cancel":
        issuers.directory.cancel(found)
    else:
        issuers.directory.answer(found, code)
    issuers.start()
    result = issuers.directory.find("t1")
    assert result.status == ("abandoned" if then == "cancel" else "authenticated")
    if then != "cancel":
        said = (CARD, 1250, "EUR", "t1", "05", result.proof or "")
        assert proofs.holds(b"issuers", *said)


def test_what_is_kept_of_a_challenge_holds_neither_card_nor_code(tmp_path: Path) -> None:
    issuers = Issuers(tmp_path / "challenges.sqlite")
    page, code = issuers.challenged(), issuers.code
    issuers.directory.answer(page, code)

    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert page.secret.encode() in content
    assert CARD.encode() not in content
    assert code.encode() not in content


def test_what_ended_long_ago_is_kept_no_longer() -> None:
    issuers = Issuers()
    issuers.challenged()
    issuers.clock.advance(KEPT_SECONDS)

    issuers.directory.look_up(replace(question(mandated=True), transaction_id="t2"))

    assert issuers.directory.find("t1").status == "error"


def test_of_more_challenges_than_are_kept_the_oldest_go() -> None:
    issuers, books = Issuers(), ChallengeBooks(":memory:")
    opened = issuers.challenged()
    for number in range(3):
        one = msgspec.structs.replace(
            opened, transaction_id=f"t{number}", secret=f"s{number}", kept_until=opened.kept_until + number
        )
        books.keep(one)

    books.forget(opened.kept_until - 1, 2)

    assert [books.find(f"t{number}") is not None for number in range(3)] == [False, True, True]


def test_a_page_that_is_unknown_and_a_body_that_is_too_large_are_refused() -> None:
    async def story(client: httpx2.AsyncClient, issuers: Issuers) -> None:
        assert (await client.get("/challenges/unknown")).status_code == 404
        large = await client.post(f"/challenges/{issuers.challenged().secret}", content=b"x" * 10_000)
        assert large.status_code == 413

    served(story)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"transaction_id": 1}', b'{"number": "4000000000003220"}'])
def test_the_directory_refuses_what_is_not_as_agreed_and_quotes_nothing(body: bytes) -> None:
    async def live() -> None:
        app = directory_app(Issuers().directory, "https://issuer")
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="https://directory") as client:
            answer = await client.post("/directory/transactions", content=body)
            assert (answer.status_code, answer.content) == (400, b"")

    asyncio.run(live())
