"""Authentication of cardholders at the processor: who is asked, what follows, and that nobody pays twice."""

import asyncio
import math
from datetime import timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from gateway.processor import attempts, authentication_rows
from gateway.processor.authentication_rows import AuthenticationRow
from gateway.processor.challenge_bound import CHALLENGES_PER_HOUR_MAX
from gateway.processor.directory import Proof
from gateway.processor.old_authentications import FORGOTTEN_AT_ONCE_MAX, KEPT_SECONDS, OldAuthentications
from gateway.processor.payer_pages import payer_route
from gateway.processor.routing import application
from gateway.processor.shop_address import shop_address
from gateway.processor_port import AuthorizationRequest, ProcessorAnswer
from gateway.scheduling import InlineScheduling
from simulator.acs import proofs
from simulator.acs.challenge import LIFETIME_SECONDS
from simulator.acs.directory import Result
from tests.processor_parts import Bench, in_one_thread

CHALLENGED, OPTIONAL, ANY = "4000000000003220", "4000000000003055", "4000002760000016"
CHALLENGED_THEN_DECLINED = "4000008400001629"
UNAUTHENTICATED = "payment_intent_authentication_failure"
RIGHT = "4815"


async def sent_off(bench: Bench, number: str = CHALLENGED, **members: Any) -> ProcessorAnswer:
    """An attempt whose cardholder is at the issuer's page."""
    return await bench.authorize("pi_1_1", await bench.token(number), **members)


async def row_of(bench: Bench) -> AuthenticationRow:
    row = await bench.store.transact(lambda db: authentication_rows.find(db, "pi_1_1"))
    assert row is not None
    return row


@in_one_thread
async def test_an_issuer_that_wants_a_proof_gets_it_in_a_second_message_and_holds_money_once() -> None:
    bench = Bench()
    answer = await sent_off(bench)
    assert answer.action is not None
    bench.type_code("pi_1_1", RIGHT)

    after = await bench.come_back("pi_1_1")

    assert (after.status, after.authorized_minor) == ("approved", 1000)
    assert after.authentication is not None
    assert (after.authentication.result, after.authentication.eci) == ("authenticated", "05")
    assert after.authentication.liability_shifted
    first, second = (fields for fields in bench.line.sent if fields["t"] == "0100")
    assert first["11"] != second["11"]
    assert await bench.states() == {"declined": 1, "approved": 1}
    assert bench.listener.told == ["pi_1_1"]


@in_one_thread
async def test_the_network_is_not_asked_before_a_cardholder_whose_authentication_is_wanted_is_back() -> None:
    bench = Bench()

    await sent_off(bench, OPTIONAL, authentication="preferred")
    assert bench.line.types == []
    bench.type_code("pi_1_1", RIGHT)

    assert (await bench.come_back("pi_1_1")).status == "approved"
    assert bench.line.types == ["0100"]


@in_one_thread
async def test_a_payment_that_is_small_passes_without_the_cardholder_unless_the_law_wants_them() -> None:
    bench = Bench()

    preferred = await bench.authorize("a", await bench.token(ANY), authentication="preferred")
    required = await bench.authorize("b", await bench.token(ANY), authentication="required")

    assert preferred.status == "approved"
    assert preferred.authentication is not None
    assert preferred.authentication.flow == "frictionless"
    assert required.status == "action_required"


@pytest.mark.parametrize(
    ("wish", "expected"), [("preferred", "approved"), ("required", "declined"), ("none", "approved")]
)
@in_one_thread
async def test_where_nobody_can_be_asked_the_law_alone_stops_the_payment(wish: str, expected: str) -> None:
    bench = Bench()
    bench.directory.away = True

    answer = await sent_off(bench, ANY, authentication=wish)

    assert answer.status == expected
    if expected == "declined":
        assert answer.decline_code == "authentication_required"
        assert bench.line.types == []


@in_one_thread
async def test_a_card_whose_issuer_takes_no_part_is_not_authenticated() -> None:
    bench = Bench()

    token = await bench.token("378282246310005", cvc="1234")
    answer = await bench.authorize("a", token, authentication="required")

    assert (answer.status, answer.decline_code) == ("declined", "authentication_required")
    assert answer.not_sent
    assert answer.authentication is not None
    assert answer.authentication.result == "not_supported"


@pytest.mark.parametrize("number", [CHALLENGED, OPTIONAL])
@in_one_thread
async def test_whoever_cancels_has_not_paid(number: str) -> None:
    bench = Bench()
    await sent_off(bench, number, authentication="preferred")
    page = bench.issuers.page(bench.urls["pi_1_1"].rpartition("/")[2])
    assert page is not None
    bench.issuers.cancel(page)

    after = await bench.come_back("pi_1_1")

    assert (after.status, after.decline_code) == ("declined", UNAUTHENTICATED)
    assert after.authentication is not None
    assert after.authentication.result == "abandoned"
    assert "approved" not in await bench.states()


@in_one_thread
async def test_who_comes_back_before_the_code_was_typed_in_is_waited_for() -> None:
    bench = Bench()
    await sent_off(bench)

    assert (await bench.come_back("pi_1_1")).status == "action_required"
    assert bench.listener.told == []


@in_one_thread
async def test_coming_back_twice_at_once_authorizes_once() -> None:
    bench = Bench()
    await sent_off(bench)
    bench.type_code("pi_1_1", RIGHT)

    answers = await asyncio.gather(*(bench.come_back("pi_1_1") for _ in range(3)))

    assert {answer.status for answer in answers} == {"approved"}
    assert await bench.states() == {"declined": 1, "approved": 1}


async def passed(bench: Bench, seconds: float) -> None:
    """Time passes, and the processor looks after its house."""
    await bench.cards.repeat_due()
    bench.clock.advance(seconds)
    await bench.cards.repeat_due()
    for _ in range(50):
        await asyncio.sleep(0)


@in_one_thread
async def test_a_cardholder_who_never_comes_back_is_asked_for_and_has_paid() -> None:
    bench = Bench()
    await sent_off(bench)
    bench.type_code("pi_1_1", RIGHT)

    await passed(bench, 11)

    assert (await bench.cards.find("pi_1_1")).status == "approved"
    assert bench.listener.told == ["pi_1_1"]


BEYOND = "too_many_challenges"


async def attempts_of(bench: Bench, token: str, count: int, **members: Any) -> list[str | None]:
    """Decline codes of so many attempts, each of which sends the cardholder off if it may."""
    done = len(bench.directory.asked)
    answers = [await bench.authorize(f"a{done + number}", token, **members) for number in range(count)]
    return [answer.decline_code for answer in answers]


@in_one_thread
async def test_a_card_is_challenged_so_often_an_hour_and_no_more_at_all_merchants_together() -> None:
    bench = Bench()
    live = {"mode": "live", "authentication": "required"}
    [most] = [CHALLENGES_PER_HOUR_MAX["live"]]
    first, again = await bench.token(CHALLENGED), await bench.token(CHALLENGED)
    assert await attempts_of(bench, first, most, **live) == [None] * most

    beyond = await bench.authorize("beyond", again, merchant_id="m_2", **live)

    assert (beyond.status, beyond.decline_code) == ("declined", BEYOND)
    assert beyond.authentication is None
    assert len(bench.directory.asked) == most
    assert (await bench.cards.find("beyond")).decline_code == BEYOND
    other = await bench.authorize("other", await bench.token(OPTIONAL), **live)
    assert other.status == "action_required"
    bench.clock.advance(3_600)
    assert (await bench.authorize("later", again, **live)).status == "action_required"


@in_one_thread
async def test_as_many_at_once_are_no_way_round_the_bound() -> None:
    bench = Bench()
    token = await bench.token(CHALLENGED)
    most = CHALLENGES_PER_HOUR_MAX["live"]
    live = {"mode": "live", "authentication": "required"}

    answers = await asyncio.gather(*(bench.authorize(f"a{n}", token, **live) for n in range(2 * most)))

    assert sorted(answer.status for answer in answers) == ["action_required"] * most + ["declined"] * most


@in_one_thread
async def test_in_test_mode_each_merchant_has_a_bound_of_its_own_by_test_time() -> None:
    bench = Bench()
    token, most = await bench.token(CHALLENGED), CHALLENGES_PER_HOUR_MAX["test"]
    bench.clock.advance(60)
    now = bench.clock.now()
    told = await attempts_of(bench, token, most, authentication="required", occurred_at=now)
    assert told == [None] * most

    async def also(attempt_id: str, **members: Any) -> str:
        given = {"authentication": "required", "occurred_at": now, **members}
        return (await bench.authorize(attempt_id, token, **given)).status

    assert await also("beyond") == "declined"
    assert await also("b", merchant_id="m_2") == "action_required"
    assert await also("c", occurred_at=now + timedelta(hours=1)) == "action_required"


@in_one_thread
async def test_challenges_of_test_time_ahead_count_to_no_bound_once_it_was_set_back() -> None:
    bench = Bench()
    token, most, now = await bench.token(CHALLENGED), CHALLENGES_PER_HOUR_MAX["test"], bench.clock.now()
    ahead = {"authentication": "required", "occurred_at": now + timedelta(days=300)}
    assert await attempts_of(bench, token, most, **ahead) == [None] * most

    assert await attempts_of(bench, token, 1, authentication="required", occurred_at=now) == [None]


@in_one_thread
async def test_clocks_that_differ_a_little_are_no_way_round_the_bound() -> None:
    bench = Bench()
    token, most, now = await bench.token(CHALLENGED), CHALLENGES_PER_HOUR_MAX["live"], bench.clock.now()
    live = {"mode": "live", "authentication": "required"}
    ahead = now + timedelta(minutes=1)
    assert await attempts_of(bench, token, most, **live, occurred_at=ahead) == [None] * most

    assert await attempts_of(bench, token, 1, **live, occurred_at=now) == [BEYOND]


@pytest.mark.parametrize("number", ["4242424242424242", "378282246310005"])
@in_one_thread
async def test_what_asks_no_cardholder_counts_to_no_bound(number: str) -> None:
    bench = Bench()
    card = {"cvc": "1234"} if number.startswith("3") else {}
    token, most = await bench.token(number, **card), CHALLENGES_PER_HOUR_MAX["live"]

    told = await attempts_of(
        bench, token, most + 1, mode="live", authentication="preferred", amount_minor=100
    )

    assert BEYOND not in told


@pytest.mark.parametrize("wish", ["none", "preferred", "required"])
@in_one_thread
async def test_who_was_asked_by_issuers_that_have_lost_it_has_not_paid_and_not_failed(wish: str) -> None:
    bench = Bench()
    await sent_off(bench, authentication=wish)
    bench.type_code("pi_1_1", RIGHT)
    bench.challenges.forget(math.inf, count_max=0)

    after = await bench.come_back("pi_1_1")

    assert (after.status, after.decline_code) == ("declined", UNAUTHENTICATED)
    assert after.authentication is not None
    assert (after.authentication.result, after.authentication.flow) == ("error", "challenge")


@in_one_thread
async def test_a_payer_whose_attempt_was_canceled_is_told_so_by_the_page() -> None:
    bench = Bench()
    await sent_off(bench)
    secret = bench.urls["pi_1_1"].rpartition("/")[2]

    assert (await bench.reverse("pi_1_1")).status == "declined"
    for _ in range(50):
        await asyncio.sleep(0)

    page = bench.issuers.page(secret)
    assert page is not None
    assert page.challenge.state == "withdrawn"


@in_one_thread
async def test_an_attempt_is_canceled_also_where_the_page_cannot_be_told() -> None:
    bench = Bench()
    await sent_off(bench)
    bench.directory.away = True

    assert (await bench.reverse("pi_1_1")).status == "declined"
    await passed(bench, 1)


@pytest.mark.parametrize("is_away", [False, True])
@in_one_thread
async def test_after_ten_minutes_it_is_over_whatever_the_issuer_says(is_away: bool) -> None:
    bench = Bench()
    await sent_off(bench)
    bench.directory.away = is_away

    await passed(bench, LIFETIME_SECONDS)

    after = await bench.cards.find("pi_1_1")
    assert (after.status, after.decline_code) == ("declined", UNAUTHENTICATED)


@in_one_thread
async def test_a_reversal_ends_the_wait_for_good() -> None:
    bench = Bench()
    await sent_off(bench, OPTIONAL, authentication="preferred")

    assert (await bench.reverse("pi_1_1")).status == "declined"
    bench.type_code("pi_1_1", RIGHT)
    assert (await bench.come_back("pi_1_1")).status == "declined"
    assert (await sent_off(bench, OPTIONAL, authentication="preferred")).status == "declined"
    assert bench.line.types == []


@in_one_thread
async def test_the_same_question_again_sends_nobody_off_twice() -> None:
    bench = Bench()
    token = await bench.token(CHALLENGED)
    first = await bench.authorize("a", token)

    again = await bench.authorize("a", token)

    assert again == first
    assert len(bench.directory.asked) == 1


@in_one_thread
async def test_a_proof_that_is_not_the_issuers_is_none() -> None:
    bench = Bench()
    await sent_off(bench)
    bench.type_code("pi_1_1", RIGHT)
    bench.issuers._issuers_secret = b"somebody else's"

    after = await bench.come_back("pi_1_1")

    assert (after.status, after.decline_code) == ("declined", "authentication_required")
    assert "approved" not in await bench.states()


@in_one_thread
async def test_an_issuer_that_wants_a_proof_once_more_is_not_asked_a_third_time() -> None:
    bench = Bench()
    await sent_off(bench)
    bench.type_code("pi_1_1", RIGHT)
    row = cleared(bench, await row_of(bench))
    bench.issuers._issuers_secret = b"somebody else's"
    await bench.come_back("pi_1_1")

    await bench.store.transact(lambda db: authentication_rows.put(db, row))
    await bench.cards.recover()
    await passed(bench, 11)

    assert bench.line.types.count("0100") == 2
    assert (await bench.cards.find("pi_1_1")).status == "declined"


@in_one_thread
async def test_an_issuer_that_stands_in_for_what_it_could_not_do_is_not_enough_for_the_law() -> None:
    bench = Bench()

    answer = await sent_off(bench, "4242424242424242", authentication="required")

    assert (answer.status, answer.decline_code) == ("declined", "authentication_required")
    assert bench.line.types == []


@in_one_thread
async def test_a_proof_of_an_attempt_is_not_enough_for_an_issuer_that_wants_a_full_one() -> None:
    bench = Bench()
    token = await bench.token(CHALLENGED)
    made = proofs.proof(b"issuers", proofs.fingerprint(b"issuers", CHALLENGED), 1000, "EUR", "t1", "06")
    proof = Proof(eci="06", value=made, transaction_id="t1")
    request = AuthorizationRequest(
        attempt_id="a",
        token=token,
        amount_minor=1000,
        currency="EUR",
        merchant_id="m_1",
        mode="test",
        occurred_at=bench.clock.now(),
    )

    answer = await bench.cards._cards.authorize_proven(request, proof)

    assert (answer.status, answer.decline_code) == ("declined", "authentication_required")


@pytest.mark.parametrize("fault", ["lost", "silent"])
@in_one_thread
async def test_a_proven_authorization_that_is_not_answered_is_reversed(fault: str) -> None:
    bench = Bench()
    await sent_off(bench)
    bench.type_code("pi_1_1", RIGHT)
    bench.line.faults = {"0100": [fault]}

    assert (await bench.come_back("pi_1_1")).status == "reversed"
    await bench.repeat()
    assert "approved" not in await bench.states()


@pytest.mark.parametrize("leave", ["waiting", "cleared", "sending"])
@in_one_thread
async def test_a_crash_at_any_step_ends_in_one_authorization_or_none(leave: str) -> None:
    bench = Bench()
    await sent_off(bench)
    bench.type_code("pi_1_1", RIGHT)
    if leave != "waiting":
        row = cleared(bench, await row_of(bench))
        await bench.store.transact(lambda db: authentication_rows.put(db, row))
    if leave == "sending":
        await bench.store.transact(_leave_sending)

    await bench.cards.recover()
    await passed(bench, 11)
    await bench.repeat()

    after = await bench.cards.find("pi_1_1")
    assert after.status == ("reversed" if leave == "sending" else "approved")
    assert (await bench.states()).get("approved", 0) == (leave != "sending")


def cleared(bench: Bench, row: AuthenticationRow) -> AuthenticationRow:
    found = bench.issuers.find(row.transaction_id)
    return msgspec.structs.replace(
        row, state="cleared", result="authenticated", eci=found.eci, proof=found.proof
    )


def _leave_sending(database: Any) -> None:
    attempt = attempts.find(database, "pi_1_1")
    assert attempt is not None
    attempts.update(database, msgspec.structs.replace(attempt, status="sending", eci="05", stan=77))


@pytest.mark.parametrize(
    ("return_url", "expected"),
    [
        ("https://shop.example/done", "https://shop.example/done?payment_intent=pi_1"),
        ("https://shop.example/?a=b#c", "https://shop.example/?a=b&payment_intent=pi_1#c"),
        (None, None),
    ],
)
@in_one_thread
async def test_a_cardholder_goes_back_to_the_shop_with_the_payment_in_the_address(
    return_url: str | None, expected: str | None
) -> None:
    bench = Bench()
    await sent_off(bench, return_url=return_url)

    assert shop_address((await row_of(bench)).asked()) == expected


@in_one_thread
async def test_no_card_number_is_kept_with_an_authentication() -> None:
    bench = Bench()
    await sent_off(bench)

    kept = await bench.store.transact(lambda db: list(db.execute("SELECT * FROM authentications")))

    assert CHALLENGED not in repr(kept)


@pytest.mark.parametrize(
    ("does", "title", "words"),
    [
        ("confirms", "Your payment went through", "Your bank has approved it."),
        ("cancels", "Nothing was paid", "canceled, or not confirmed in time"),
        ("guesses", "Nothing was paid", "the code was wrong too often"),
        ("cannot pay", "Nothing was paid", "Your bank did not approve the payment."),
    ],
)
@in_one_thread
async def test_a_cardholder_without_a_shops_page_reads_what_came_of_it(
    does: str, title: str, words: str
) -> None:
    bench = Bench()
    await sent_off(bench, CHALLENGED_THEN_DECLINED if does == "cannot pay" else CHALLENGED)
    row = await row_of(bench)
    page = bench.issuers.page((row.url or "").rpartition("/")[2])
    assert page is not None
    if does == "cancels":
        bench.issuers.cancel(page)
    for code in ("1", "2", "3") if does == "guesses" else (RIGHT,):
        page = bench.issuers.answer(page, code) if does != "cancels" else page
    transport = httpx2.ASGITransport(application([payer_route(bench.cards)]))

    async with httpx2.AsyncClient(transport=transport, base_url="https://processor") as client:
        end = await client.get(f"/payer/{row.secret}")

    assert end.status_code == 200
    assert f"<h1>{title}</h1>" in end.text
    assert words in end.text


class DisobedientIssuers:
    """A directory that says what it likes, whatever it was asked for."""

    def __init__(self, first: Any, then: Any = None) -> None:
        self._first, self._then = first, then

    def look_up(self, _question: Any) -> Result:
        return Result(self._first, eci="05", proof="cHJvb2Y=", secret="s" * 8)

    def find(self, _transaction_id: str) -> Result:
        return Result(self._then, eci="06", proof="cHJvb2Y=")


@pytest.mark.parametrize("first", ["authenticated", "attempted", "not_supported", "error", "failed"])
@in_one_thread
async def test_the_law_is_satisfied_by_no_answer_without_a_challenge(first: str) -> None:
    bench = Bench()
    bench.directory.issuers = DisobedientIssuers(first)  # type: ignore[assignment]  # answers as one

    answer = await sent_off(bench, ANY, authentication="required")

    assert answer.status == "declined"
    assert answer.authentication is not None
    assert not answer.authentication.liability_shifted
    assert bench.line.types == []


@pytest.mark.parametrize(
    ("wish", "then", "expected"),
    [
        ("required", "authenticated", "approved"),
        ("required", "attempted", "declined"),
        ("required", "not_supported", "declined"),
        ("required", "error", "declined"),
        ("preferred", "authenticated", "approved"),
        ("preferred", "attempted", "approved"),
        ("preferred", "not_supported", "declined"),
    ],
)
@in_one_thread
async def test_after_a_challenge_the_same_is_asked_for_as_before_it(
    wish: str, then: str, expected: str
) -> None:
    bench = Bench()
    bench.directory.issuers = DisobedientIssuers("challenge", then)  # type: ignore[assignment]  # answers as one
    await sent_off(bench, ANY, authentication=wish)

    after = await bench.come_back("pi_1_1")

    assert after.status == expected
    assert bench.line.types == (["0100"] if expected == "approved" else [])


@in_one_thread
async def test_what_came_of_an_authentication_is_forgotten_long_after_it_ended_and_some_at_a_time() -> None:
    bench = Bench()
    await sent_off(bench)
    row = await row_of(bench)
    old = [
        msgspec.structs.replace(
            row, attempt_id=f"old_{n}", secret=f"s{n}", state="done", expires_us=row.expires_us - 1
        )
        for n in range(FORGOTTEN_AT_ONCE_MAX + 1)
    ]
    young = msgspec.structs.replace(row, attempt_id="young", secret="s", state="refused")
    for one in (*old, young):
        await bench.store.transact(lambda db, one=one: authentication_rows.put(db, one))
    now_us = int(bench.clock.now().timestamp() * 1_000_000)
    bench.clock.advance((row.expires_us - now_us) / 1_000_000 + KEPT_SECONDS)

    old_ones = OldAuthentications(bench.store, bench.clock, InlineScheduling())
    forgotten = [await old_ones.forget() for _ in range(3)]

    assert forgotten == [FORGOTTEN_AT_ONCE_MAX, 1, 0]
    assert await bench.store.transact(lambda db: authentication_rows.find(db, "young")) == young
    assert (await row_of(bench)).state == "waiting"
