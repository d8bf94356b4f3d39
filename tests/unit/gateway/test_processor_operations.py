"""What follows an authorization: several captures, increments, refunds, and parts of what was asked for."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import ProcessorUnavailableError
from gateway.processor.store import ProcessorStore
from gateway.scheduling import InlineScheduling
from tests.processor_parts import Bench, changed, in_one_thread


async def approved(amount_minor: int = 1000, number: str = "4242424242424242") -> Bench:
    bench = Bench()
    await bench.authorize("a", await bench.token(number), amount_minor)
    return bench


def acquirer_minor(bench: Bench) -> int:
    """What the acquirer has of it before interchange."""
    return -sum(amount for account, amount, _ in bench.books.postings() if account.startswith("cardholder"))


@in_one_thread
async def test_an_authorization_is_captured_in_several_parts_until_the_final_one() -> None:
    bench = await approved()

    first = await bench.capture("a", 300, "1", final=False)
    second = await bench.capture("a", 200, "2", final=False)
    last = await bench.capture("a", 100, "3")

    assert [(a.status, a.operation, a.captured_minor) for a in (first, second, last)] == [
        ("approved", "accepted", 300),
        ("approved", "accepted", 500),
        ("captured", "accepted", 600),
    ]
    assert (await bench.capture("a", 400, "4")).operation == "refused"
    assert bench.line.types == ["0100", "0220", "0220", "0220"]
    assert acquirer_minor(bench) == 600
    assert await bench.states() == {"captured": 1}


@in_one_thread
async def test_each_capture_is_idempotent_by_its_id_and_keeps_its_first_amount() -> None:
    bench = await approved()

    answers = [await bench.capture("a", amount, "1", final=False) for amount in (300, 300, 400)]

    assert {(answer.operation, answer.captured_minor) for answer in answers} == {("accepted", 300)}
    assert acquirer_minor(bench) == 300


@in_one_thread
async def test_a_capture_of_all_that_is_left_is_final_whatever_it_says() -> None:
    bench = await approved()

    answer = await bench.capture("a", 1000, final=False)

    assert answer.status == "captured"
    assert await bench.states() == {"captured": 1}


@in_one_thread
async def test_a_capture_of_more_than_is_left_is_refused_for_good_and_the_rest_given_back() -> None:
    bench = await approved()
    await bench.capture("a", 700, "1", final=False)

    refused = [await bench.capture("a", 301, "2") for _ in range(2)]
    await bench.repeat()

    assert {(one.status, one.operation, one.captured_minor) for one in refused} == {
        ("captured", "refused", 700)
    }
    assert bench.line.types == ["0100", "0220", "0420"]
    assert await bench.states() == {"captured": 1}


@in_one_thread
async def test_an_authorization_of_which_too_much_is_captured_is_reversed() -> None:
    bench = await approved()

    refused = await bench.capture("a", 1001)
    await bench.repeat()

    assert (refused.status, refused.operation) == ("reversed", "refused")
    assert await bench.states() == {"reversed": 1}


@in_one_thread
async def test_a_capture_waits_for_the_one_before_it_to_be_answered() -> None:
    bench = await approved()
    bench.line.faults = {"0220": ["silent"], "0221": ["lost"]}

    for capture_id in ("1", "2"):
        with pytest.raises(ProcessorUnavailableError):
            await bench.capture("a", 400, capture_id, final=capture_id == "2")
    answer = await bench.capture("a", 400, "2")

    assert (answer.status, answer.captured_minor) == ("captured", 800)
    assert bench.line.types == ["0100", "0220", "0221", "0221", "0220"]
    assert acquirer_minor(bench) == 800


@in_one_thread
async def test_what_is_left_of_a_captured_part_is_given_back_by_a_reversal() -> None:
    bench = await approved()
    await bench.capture("a", 300, final=False)

    answer = await bench.reverse("a")

    assert (answer.status, answer.captured_minor) == ("captured", 300)
    assert bench.line.sent[-1]["4"] == "000000000700"
    assert await bench.states() == {"captured": 1}
    assert (await bench.capture("a", 100, "2")).operation == "refused"


@in_one_thread
async def test_a_capture_that_is_refused_after_another_keeps_what_was_captured() -> None:
    bench = await approved()
    await bench.capture("a", 300, "1", final=False)
    bench.line.faults["0220"] = [changed(f39="13")]

    answer = await bench.capture("a", 100, "2")
    await bench.repeat()

    assert (answer.status, answer.operation, answer.captured_minor) == ("captured", "refused", 300)
    assert bench.line.types[-1] == "0420"
    assert await bench.states() == {"captured": 1}


@in_one_thread
async def test_an_increment_makes_more_of_the_authorization_and_all_can_be_captured() -> None:
    bench = await approved()

    more = await bench.increment("a", 500)
    again = await bench.increment("a", 500)
    captured = await bench.capture("a", 1500)

    assert (more.status, more.operation, more.authorized_minor) == ("approved", "accepted", 1500)
    assert again == more
    assert captured.captured_minor == 1500
    assert bench.line.types == ["0100", "0100", "0220"]
    assert "2" not in bench.line.sent[1]
    assert await bench.states() == {"captured": 2}


@in_one_thread
async def test_an_increment_that_is_refused_leaves_the_authorization_as_it_was() -> None:
    bench = await approved(number="4000000000081085")

    answer = await bench.increment("a", 100_000_000)

    assert (answer.status, answer.operation, answer.authorized_minor) == ("approved", "refused", 1000)
    assert (answer.decline_code, answer.advice_code) == ("insufficient_funds", "try_again_later")
    assert (await bench.increment("a", 100_000_000)) == answer
    assert (await bench.capture("a", 1000)).captured_minor == 1000


@pytest.mark.parametrize("fault", ["silent", "lost"])
@in_one_thread
async def test_an_increment_without_an_answer_is_given_back_and_the_rest_stands(fault: str) -> None:
    bench = await approved()
    bench.line.faults["0100"] = [fault]

    answer = await bench.increment("a", 500)
    captured = await bench.capture("a", 1000)

    assert (answer.operation, answer.authorized_minor) == ("refused", 1000)
    assert bench.line.types == ["0100", "0100", "0420", "0220"]
    assert bench.line.sent[2]["90"][4:10] == "000002"
    assert (captured.status, captured.captured_minor) == ("captured", 1000)
    assert await bench.states() == {"captured": 1, "reversed": 1}


@in_one_thread
async def test_an_increment_that_cannot_leave_is_refused_and_nothing_is_owed() -> None:
    bench = await approved()
    bench.line.faults["0100"] = ["unreachable"]

    answer = await bench.increment("a", 500)

    assert (answer.operation, answer.decline_code) == ("refused", "processing_error")
    assert bench.processor.advices.waiting == 0


@in_one_thread
async def test_an_increment_in_doubt_after_a_crash_is_given_back_at_start(tmp_path: Path) -> None:
    path = tmp_path / "processor.sqlite"
    first = Bench(path)
    await first.authorize("a", await first.token())
    asking = asyncio.create_task(first.increment("a", 500))
    while first.line.types != ["0100", "0100"]:
        await asyncio.sleep(0)
    await first.scheduling.stop()
    await asyncio.wait([asking])
    first.store.close()

    second = Bench(path, books=first.books)
    await second.cards.recover()
    await second.repeat()

    assert second.line.types == ["0420"]
    assert (await second.increment("a", 500)).operation == "refused"
    assert (await second.cards.find("a")).authorized_minor == 1000


@in_one_thread
async def test_captured_money_is_refunded_in_parts_and_never_more_than_was_captured() -> None:
    bench = await approved()
    await bench.capture("a", 900)

    first = await bench.refund("a", 400, "r1")
    again = await bench.refund("a", 400, "r1")
    too_much = await bench.refund("a", 501, "r2")
    rest = await bench.refund("a", 500, "r3")

    assert (first.status, first.operation, first.refunded_minor) == ("captured", "accepted", 400)
    assert again == first
    assert (too_much.operation, too_much.refunded_minor) == ("refused", 400)
    assert (rest.operation, rest.refunded_minor) == ("accepted", 900)
    assert bench.line.types == ["0100", "0220", "0220", "0220"]
    balances: dict[str, int] = {}
    for account, amount_minor, _ in bench.books.postings():
        balances[account] = balances.get(account, 0) + amount_minor
    assert set(balances.values()) == {0}


@in_one_thread
async def test_a_refund_without_an_answer_is_repeated_and_gives_the_money_back_once() -> None:
    bench = await approved()
    await bench.capture("a", 1000)
    bench.line.faults["0220"] = ["silent"]

    with pytest.raises(ProcessorUnavailableError):
        await bench.refund("a", 600)
    await bench.repeat()
    answer = await bench.refund("a", 600)

    assert (answer.operation, answer.refunded_minor) == ("accepted", 600)
    assert bench.line.types == ["0100", "0220", "0220", "0221"]
    assert acquirer_minor(bench) == 400


@in_one_thread
async def test_a_refund_that_the_acquirer_refuses_is_told_so() -> None:
    bench = await approved()
    await bench.capture("a", 1000)
    bench.line.faults["0220"] = [changed(f39="13")]

    answer = await bench.refund("a", 600)

    assert (answer.status, answer.operation, answer.refunded_minor) == ("captured", "refused", 0)
    assert await bench.refund("a", 600) == answer


@in_one_thread
async def test_nothing_can_be_captured_or_refunded_of_an_attempt_that_is_not_known() -> None:
    bench = Bench()

    answers = [await bench.capture("x"), await bench.refund("x"), await bench.increment("x")]

    assert {(answer.status, answer.operation) for answer in answers} == {("unknown", None)}


@in_one_thread
async def test_a_part_that_the_issuer_approves_is_kept_where_the_request_takes_it() -> None:
    bench = Bench()
    bench.line.faults["0100"] = [changed(f39="10", f4="000000000600")]

    answer = await bench.authorize("a", await bench.token(), partial_authorization=True)

    assert (answer.status, answer.authorized_minor) == ("approved", 600)
    assert bench.line.sent[0]["48"] == "72011" + "73011" + "9203737"
    assert (await bench.capture("a", 601)).operation == "refused"


@in_one_thread
async def test_a_part_that_nobody_wants_is_given_back_and_the_attempt_declined() -> None:
    bench = Bench()
    bench.line.faults["0100"] = [changed(f39="10", f4="000000000600")]

    answer = await bench.authorize("a", await bench.token())
    await bench.repeat()

    assert (answer.status, answer.decline_code, answer.authorized_minor) == (
        "declined",
        "insufficient_funds",
        0,
    )
    assert bench.line.types == ["0100", "0420"]
    assert await bench.states() == {"reversed": 1}
    assert (await bench.cards.find("a")).status == "declined"


@pytest.mark.parametrize("part", ["000000001000", "000000002000", "000000000000"])
@in_one_thread
async def test_a_part_that_is_none_does_not_fit_its_question(part: str) -> None:
    bench = Bench()
    bench.line.faults["0100"] = [changed(f39="10", f4=part)]

    answer = await bench.authorize("a", await bench.token(), partial_authorization=True)

    assert answer.status == "reversed"


def test_a_store_of_before_several_captures_keeps_its_attempts_and_advices(tmp_path: Path) -> None:
    import sqlite3

    from gateway.processor.store import SCHEMA

    path = tmp_path / "processor.sqlite"
    before = sqlite3.connect(path, isolation_level=None)
    before.executescript(f"{SCHEMA[0]}PRAGMA user_version=1;")
    before.execute(
        "INSERT INTO attempts VALUES"
        " ('a', 't', 'm', NULL, 1000, 'EUR', 1, '600510000001', '0105100000', 'approved', NULL, 'A1', 0)"
    )
    before.execute(
        "INSERT INTO advices VALUES ('a', 'capture', '0220', 900, 2, '0105100000', 1, 'waiting', NULL)"
    )
    before.close()

    @in_one_thread
    async def after() -> None:
        bench = Bench(store=ProcessorStore(path, InlineScheduling()))
        waiting = await bench.advice("a", "capture")
        assert waiting is not None
        assert (waiting.amount_minor, waiting.final, waiting.state) == (900, True, "waiting")
        assert (await bench.cards.find("a")).authorized_minor == 1000
        bench.store.close()

    after()
