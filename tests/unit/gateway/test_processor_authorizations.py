"""Authorize, capture and reverse: every attempt ends in one state, whatever the line does meanwhile."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import InvalidRequestError, ProcessorUnavailableError
from gateway.processor import attempts, message_format
from tests.processor_parts import Bench, carried, changed, in_one_thread


@in_one_thread
async def test_an_approved_attempt_is_captured_once_and_for_good() -> None:
    bench = Bench()
    token = await bench.token()

    approved = await bench.authorize("a", token)
    captured = await bench.capture("a", 900)
    again = await bench.capture("a", 900)

    assert (approved.status, captured.status, captured.captured_minor) == ("approved", "captured", 900)
    assert again == captured
    assert bench.line.types == ["0100", "0220"]
    assert sum(amount for _, amount, _ in bench.books.postings()) == 0
    assert ("acquirer:400001", 898, "EUR") in bench.books.postings()


@in_one_thread
async def test_a_repeated_attempt_gets_the_stored_answer_and_nothing_leaves_again() -> None:
    bench = Bench()
    token = await bench.token()

    first = await bench.authorize("a", token)
    second = await bench.authorize("a", token)

    assert first == second
    assert bench.line.types == ["0100"]


@in_one_thread
async def test_the_same_attempt_asked_many_times_at_once_leaves_once() -> None:
    bench = Bench()
    token = await bench.token()

    answers = await asyncio.gather(*(bench.authorize("a", token) for _ in range(20)))

    assert len({(answer.status, answer.approval_code) for answer in answers}) == 1
    assert bench.line.types == ["0100"]


@in_one_thread
async def test_an_attempt_with_another_amount_is_refused() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.authorize("a", token, 1000)

    with pytest.raises(InvalidRequestError):
        await bench.authorize("a", token, 2000)

    assert bench.line.types == ["0100"]


@in_one_thread
async def test_a_caller_who_gives_up_stops_nothing() -> None:
    bench = Bench()
    token = await bench.token()
    asking = asyncio.create_task(bench.authorize("a", token))
    while not bench.line.sent:
        await asyncio.sleep(0)

    asking.cancel()
    await asyncio.wait([asking])

    assert (await bench.authorize("a", token)).status == "approved"
    assert bench.line.types == ["0100"]


@in_one_thread
async def test_an_attempt_that_could_not_leave_is_declined_and_needs_no_reversal() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults["0100"] = ["unreachable"]

    answer = await bench.authorize("a", token)
    await bench.repeat()

    assert (answer.status, answer.decline_code) == ("declined", "processing_error")
    assert bench.line.types == []


@pytest.mark.parametrize("fault", ["silent", "lost"])
@in_one_thread
async def test_an_attempt_without_an_answer_is_reversed_whether_or_not_it_arrived(fault: str) -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults["0100"] = [fault]

    answer = await bench.authorize("a", token)
    await bench.repeat()

    assert answer.status == "reversed"
    assert bench.line.types == ["0100", "0420"]
    assert bench.line.sent[1]["90"] == "0100000001" + "0105100000" + "00000400001" + "0" * 11
    assert await bench.states() == {"reversed": 1}
    assert bench.processor.advices.waiting == 0


@in_one_thread
async def test_a_reversal_is_repeated_as_0421_until_it_is_answered() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults = {"0100": ["silent"], "0420": ["lost"], "0421": ["unreachable", "silent"]}

    await bench.authorize("a", token)
    for _ in range(6):
        await bench.repeat()

    assert bench.line.types == ["0100", "0420", "0421", "0421"]
    assert {fields["11"] for fields in bench.line.sent[1:]} == {"000002"}
    assert await bench.states() == {"reversed": 1}


@pytest.mark.parametrize(
    "difference", ["f11=000999", "f37=999999999999", "f4=000000009999", "f49=840", "f7=0101000000"]
)
@in_one_thread
async def test_an_answer_that_does_not_fit_its_question_is_refused_and_reversed(difference: str) -> None:
    bench = Bench()
    token = await bench.token()
    name, _, value = difference.partition("=")
    bench.line.faults["0100"] = [changed(**{name: value})]

    answer = await bench.authorize("a", token)
    await bench.repeat()

    assert answer.status == "reversed"
    assert await bench.states() == {"reversed": 1}


def nonsense(answer: bytes) -> bytes:
    return answer[:4] + b" nonsense"


@in_one_thread
async def test_bytes_that_are_no_message_are_refused_and_reversed() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults["0100"] = [nonsense]

    assert (await bench.authorize("a", token)).status == "reversed"


@in_one_thread
async def test_an_authorization_that_comes_after_its_reversal_is_declined_by_the_network() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults["0100"] = ["lost"]
    await bench.authorize("a", token)
    await bench.repeat()

    late = message_format.encode(carried(bench.line.sent[0]))
    answer = message_format.decode(bench.line.network.handle(late))

    assert answer["39"] == "94"
    assert await bench.states() == {"reversed": 1}


@in_one_thread
async def test_a_reversed_attempt_can_never_be_authorized_even_if_it_was_never_heard_of() -> None:
    bench = Bench()
    token = await bench.token()

    before = await bench.reverse("never")
    after = await bench.authorize("never", token)

    assert (before.status, after.status) == ("reversed", "reversed")
    assert bench.line.types == []


@in_one_thread
async def test_an_approved_attempt_is_given_back_with_a_0400_that_becomes_a_repeated_advice() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults = {"0400": ["lost"], "0420": ["lost"]}
    await bench.authorize("a", token)

    answer = await bench.reverse("a")
    for _ in range(3):
        await bench.repeat()

    assert answer.status == "reversed"
    assert bench.line.types == ["0100", "0400", "0420", "0421"]
    assert await bench.states() == {"reversed": 1}
    assert (await bench.capture("a")).status == "reversed"


@in_one_thread
async def test_declined_and_captured_attempts_stay_what_they_are_when_reversed() -> None:
    bench = Bench()
    declined, captured = await bench.token("4000000000000002"), await bench.token()
    await bench.authorize("d", declined)
    await bench.authorize("c", captured)
    await bench.capture("c")

    assert (await bench.reverse("d")).status == "declined"
    assert (await bench.reverse("c")).status == "captured"
    assert (await bench.capture("d")).status == "declined"
    assert (await bench.capture("never")).status == "unknown"


@in_one_thread
async def test_a_capture_without_an_answer_is_repeated_and_moves_the_money_once() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.authorize("a", token)
    bench.line.faults = {"0220": ["silent"], "0221": ["silent"]}

    with pytest.raises(ProcessorUnavailableError):
        await bench.capture("a")
    with pytest.raises(ProcessorUnavailableError):
        await bench.reverse("a")
    await bench.repeat()

    assert (await bench.cards.find("a")).status == "captured"
    assert bench.line.types == ["0100", "0220", "0221", "0221"]
    assert len(bench.books.postings()) == 3


@in_one_thread
async def test_an_advice_that_gets_no_answer_keeps_no_other_waiting() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults = {"0220": ["silent"] * 3}
    for name in "abc":
        await bench.authorize(name, token)
        with pytest.raises(ProcessorUnavailableError):
            await bench.capture(name)
    bench.line.faults = {"0221": ["lost"]}
    bench.line.silence_seconds = 3600.0  # as good as for ever

    repeating = asyncio.create_task(bench.repeat())
    for name in "bc":
        while (await bench.advice(name, "capture")).state == "waiting":  # type: ignore[union-attr]  # owed above
            await asyncio.sleep(0.001)

    assert not repeating.done()
    assert (await bench.advice("a", "capture")).state == "waiting"  # type: ignore[union-attr]  # owed above
    repeating.cancel()


@in_one_thread
async def test_an_advice_that_someone_is_sending_is_neither_waited_for_nor_sent_beside_it() -> None:
    bench = Bench()
    await bench.authorize("a", await bench.token())
    bench.line.faults = {"0220": ["lost"]}
    bench.line.silence_seconds = 3600.0  # as good as for ever
    asking = asyncio.create_task(bench.capture("a"))
    while bench.line.types != ["0100", "0220"]:
        await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await bench.repeat()

    assert bench.line.types == ["0100", "0220"]
    assert bench.processor.advices.waiting == 1
    asking.cancel()


@in_one_thread
async def test_a_capture_that_the_acquirer_refuses_gives_the_authorization_back() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.authorize("a", token)
    bench.line.faults["0220"] = [changed(f39="25")]

    answer = await bench.capture("a")
    await bench.repeat()

    assert answer.status == "reversed"
    assert bench.line.types == ["0100", "0220", "0420"]


@in_one_thread
async def test_a_malfunction_is_no_answer_to_an_advice() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.authorize("a", token)
    bench.line.faults["0220"] = [changed(f39="96")]

    with pytest.raises(ProcessorUnavailableError):
        await bench.capture("a")

    assert (await bench.capture("a")).status == "captured"


@in_one_thread
async def test_what_a_crash_left_in_doubt_is_reversed_at_start_and_never_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "processor.sqlite"
    first = Bench(path)
    token = await first.token()
    asking = asyncio.create_task(first.authorize("a", token))
    while not first.line.sent:
        await asyncio.sleep(0)
    await first.scheduling.stop()
    await asyncio.wait([asking])
    first.store.close()

    second = Bench(path, books=first.books)
    doubtful = await second.cards.recover()
    await second.repeat()

    assert doubtful == 1
    assert (await second.authorize("a", token)).status == "reversed"
    assert second.line.types == ["0420"]


@in_one_thread
async def test_an_advice_that_a_crash_interrupted_is_told_after_the_start(tmp_path: Path) -> None:
    path = tmp_path / "processor.sqlite"
    first = Bench(path)
    token = await first.token()
    await first.authorize("a", token)
    first.line.faults["0220"] = ["silent"]
    with pytest.raises(ProcessorUnavailableError):
        await first.capture("a", 700)
    first.store.close()

    second = Bench(path, books=first.books)
    await second.cards.recover()
    await second.repeat()

    assert second.line.types == ["0221"]
    assert (await second.cards.find("a")).captured_minor == 700
    assert len(second.books.postings()) == 3


@in_one_thread
async def test_the_security_code_leaves_once_and_is_then_gone() -> None:
    bench = Bench()
    token = await bench.token(cvc="321")

    await bench.authorize("a", token)
    await bench.authorize("b", token)

    assert [fields.get("48") for fields in bench.line.sent] == ["73011" + "9203321", "73011"]


@in_one_thread
async def test_an_attempt_with_an_unknown_token_is_declined_and_nothing_leaves() -> None:
    bench = Bench()

    answer = await bench.authorize("a", "tok_unknown")

    assert (answer.status, answer.decline_code) == ("declined", "processing_error")
    assert bench.line.types == []


@in_one_thread
async def test_an_amount_or_currency_that_no_message_can_carry_is_declined() -> None:
    bench = Bench()
    token = await bench.token()

    large = await bench.authorize("large", token, 10**12)
    unknown = await bench.authorize("unknown", token, 1000, "XXA")

    assert {large.decline_code, unknown.decline_code} == {"processing_error"}
    assert bench.line.types == []


@in_one_thread
async def test_a_vault_record_under_another_token_cannot_be_charged() -> None:
    bench = Bench()
    mine, other = await bench.token(), await bench.token("4000000000003055")
    await bench.store.transact(
        lambda db: db.execute(
            "UPDATE cards SET (wrapped_key, nonce, content) ="
            " (SELECT wrapped_key, nonce, content FROM cards WHERE token = ?) WHERE token = ?",
            (other, mine),
        )
    )

    answer = await bench.authorize("a", mine)

    assert (answer.status, answer.decline_code) == ("declined", "processing_error")
    assert bench.line.types == []


@in_one_thread
async def test_a_vault_record_whose_nonce_is_cut_cannot_be_charged() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.store.transact(lambda db: db.execute("UPDATE cards SET nonce = x'00'"))

    answer = await bench.authorize("a", token)

    assert (answer.status, answer.decline_code) == ("declined", "processing_error")


def misunderstood(answer: bytes) -> bytes:
    raise ValueError("a fault in reading what the issuer had approved")


@in_one_thread
async def test_an_unforeseen_error_after_the_message_left_leads_to_a_reversal_and_no_decline() -> None:
    bench = Bench()
    token = await bench.token()
    bench.line.faults["0100"] = [misunderstood]

    with pytest.raises(ValueError, match="a fault in reading"):
        await bench.authorize("a", token)

    assert await bench.states() == {"approved": 1}
    assert (await bench.authorize("a", token)).status == "reversed"
    await bench.repeat()
    assert await bench.states() == {"reversed": 1}


@in_one_thread
async def test_a_failed_write_of_the_outcome_leads_to_a_reversal_at_the_next_question() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.store.transact(
        lambda db: db.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF status ON attempts WHEN new.status = 'approved'"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    )

    with pytest.raises(Exception, match="no room"):
        await bench.authorize("a", token)

    assert (await bench.cards.find("a")).status == "unknown"
    assert (await bench.authorize("a", token)).status == "reversed"
    await bench.repeat()
    assert await bench.states() == {"reversed": 1}


@in_one_thread
async def test_a_run_is_the_same_every_time_from_the_same_seed() -> None:
    runs = []
    for _ in range(2):
        bench = Bench(seed=7)
        tokens = [await bench.token(), await bench.token("4000000000009995")]
        bench.line.faults = {"0100": ["silent"]}
        await asyncio.gather(*(bench.authorize(f"a{n}", tokens[n % 2]) for n in range(10)))
        await bench.repeat()
        rows = await bench.store.transact(lambda db: db.execute("SELECT * FROM attempts").fetchall())
        runs.append((bench.line.sent, rows))

    assert runs[0] == runs[1]
    assert len(runs[0][0]) == 11


@in_one_thread
async def test_trace_numbers_begin_again_after_the_last_one() -> None:
    bench = Bench()
    await bench.store.transact(lambda db: db.execute("UPDATE counters SET value = 999998"))

    numbers = [await bench.store.transact(lambda db: attempts.next_stan(db, 999_999)) for _ in range(3)]

    assert numbers == [999_999, 1, 2]
