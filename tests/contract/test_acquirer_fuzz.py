"""Bytes that nobody meant: both decoders refuse them in their own words, and neither side is disturbed."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.processor import message_format, messages
from gateway.processor.errors import MisfitAnswerError, UnreadableMessageError
from gateway.processor.increments import Increment
from simulator.acquirer import message_format as network_format
from simulator.acquirer.books import Books
from simulator.acquirer.errors import MessageError
from simulator.acquirer.network import Network
from tests.contract.test_acquirer_messages import ATTEMPT, CARD, REQUEST, told
from tests.processor_parts import NOW, VirtualClock, carried

INCREMENT = Increment(attempt_id="a", increment_id="1", amount_minor=5, stan=44, transmitted_at="0105100000")
QUESTIONS = (
    messages.authorization_request(ATTEMPT, CARD, "737", REQUEST),
    messages.increment_request(ATTEMPT, INCREMENT, NOW),
    messages.advice_message(ATTEMPT, told("capture", "0220", 1)),
    messages.advice_message(ATTEMPT, told("refund", "0220", 2)),
    messages.advice_message(ATTEMPT, told("reversal", "0420", 1)),
    messages.network_management(1, NOW, sign_on=True),
)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A message with some bytes changed, cut off or put in, or no message at all."""
    message = bytearray(draw(st.sampled_from(QUESTIONS)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(message)))
        piece = draw(st.binary(max_size=4))
        message[place : place + draw(st.integers(0, 4))] = piece
    return draw(st.one_of(st.just(bytes(message)), st.binary(max_size=200)))


def decoded(
    decode: Callable[[bytes], dict[str, str]], message: bytes
) -> dict[str, str] | UnreadableMessageError | MessageError:
    try:
        return decode(message)
    except (UnreadableMessageError, MessageError) as error:
        return error


@given(spoiled())
@settings(max_examples=300)
def test_both_decoders_read_the_same_or_refuse_without_quoting(message: bytes) -> None:
    ours, theirs = decoded(message_format.decode, message), decoded(network_format.decode, message)

    for error in (ours, theirs):
        if not isinstance(error, dict):
            assert CARD.number[:8] not in f"{error!r}{error.header}"
    # The network refuses more: its book has no other fields than those that it names.
    assert isinstance(theirs, MessageError) or ours == theirs


@given(st.lists(spoiled(), min_size=1, max_size=4))
@settings(max_examples=150)
def test_the_network_answers_readably_or_not_at_all_and_goes_on(asked: list[bytes]) -> None:
    network = Network(Books(":memory:"), VirtualClock(NOW), b"issuers")

    *replies, last = network.handle_all([*asked, QUESTIONS[-1]])

    for reply in replies:
        if reply is not None and reply.message is not None:
            assert network_format.decode(reply.message)["t"][2] in "135"
    assert last is not None
    assert last.message is not None
    assert network_format.decode(last.message)["39"] == "00"


@given(st.sampled_from(QUESTIONS), spoiled())
@settings(max_examples=200)
def test_an_answer_fits_its_question_or_is_refused(question: bytes, answer: bytes) -> None:
    asked = message_format.decode(question)
    with suppress(MisfitAnswerError):
        fields = messages.read_answer(question, answer)
        assert fields["t"] == messages.answer_type(asked["t"])


TAGS, VALUES = st.text("0123456789", min_size=2, max_size=2), st.text("09AZ", min_size=1, max_size=20)


@given(st.dictionaries(TAGS, VALUES, max_size=30))
@settings(max_examples=100)
def test_elements_of_field_48_are_read_as_they_were_written(elements: dict[str, str]) -> None:
    written = message_format.private_elements(elements)
    fields = network_format.decode(message_format.encode({"t": "0100", **written}))

    assert network_format.private_elements(carried(fields)) == elements
