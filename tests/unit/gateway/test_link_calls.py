"""Lines of calls are whole however the network cuts them, and bounded."""

import json
import logging

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import UnavailableError
from gateway.link.calls import Call, Lines, LineTooLongError, line
from gateway.link.methods import Methods, Served
from gateway.people.errors import RateLimitedError
from tests.linked import answer_of
from tests.processor_parts import in_one_thread

SECRET = "4242424242424242"


@settings(max_examples=50)
@given(st.lists(st.text()), st.lists(st.integers(0, 300)))
def test_lines_are_the_same_wherever_the_network_cuts_them(texts: list[str], cuts: list[int]) -> None:
    sent = b"".join(line({"text": text}) for text in texts)
    lines, heard, begun = Lines(10_000), [], 0
    for cut in [*sorted(cuts), len(sent)]:
        heard += lines.ended_by(sent[begun : max(begun, cut)])
        begun = max(begun, cut)

    assert [json.loads(each)["text"] for each in heard] == texts


@pytest.mark.parametrize("parts", [[b"12345\n"], [b"123456"], [b"123", b"456"], [b"1\n12345\n1\n"]])
def test_a_line_beyond_its_bound_is_refused_with_or_without_its_end(parts: list[bytes]) -> None:
    lines = Lines(4)

    with pytest.raises(LineTooLongError):
        list(map(lines.ended_by, parts))


@in_one_thread
async def test_a_refusal_says_status_code_and_when_to_come_again() -> None:
    async def refuse(kind: str) -> None:
        raise RateLimitedError(7) if kind == "limit" else UnavailableError("away")

    methods = {"refuse": Served(tuple[str], refuse)}

    limited = (await answer_of(methods, "refuse", "limit"))["error"]
    away = (await answer_of(methods, "refuse", "away"))["error"]
    unknown = (await answer_of(methods, "no such method"))["error"]

    assert (limited["status"], limited["after_seconds"]) == (429, 7)
    assert (away["status"], away["after_seconds"]) == (503, 1)
    assert unknown["status"] == 404


@in_one_thread
async def test_an_error_that_nobody_foresaw_is_answered_and_logged_without_its_text(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(secret: str) -> None:
        raise RuntimeError(secret)

    caplog.set_level(logging.DEBUG)
    answer = await answer_of({"fail": Served(tuple[str], fail)}, "fail", SECRET)

    printed = capsys.readouterr()
    logged = printed.out + printed.err + caplog.text
    assert answer["error"]["status"] == 500
    assert SECRET not in logged + json.dumps(answer)
    assert "RuntimeError" in logged


@pytest.mark.parametrize("params", [b"[1]", b'["\xff"]', b"[" * 10_000])
@in_one_thread
async def test_parameters_that_cannot_be_read_are_the_asker_s_mistake(params: bytes) -> None:
    async def echo(text: str) -> str:
        return text

    call = Call(1, "echo", msgspec.Raw(params))
    answer = json.loads(await Methods({"echo": Served(tuple[str], echo)}).answer(call))

    assert (answer["error"]["status"], answer["error"]["code"]) == (400, "request_malformed")
