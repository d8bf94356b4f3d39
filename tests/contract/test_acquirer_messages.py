"""Both ends of the acquirer network read one another: one book of fields, every message there and back."""

import msgspec
import pytest

from gateway.processor import message_format, messages
from gateway.processor.advice_rows import Advice
from gateway.processor.attempts import Attempt
from gateway.processor.errors import MisfitAnswerError, UnreadableMessageError, UnwritableMessageError
from gateway.processor.vault import CardData
from gateway.processor_port import AuthorizationRequest
from simulator.acquirer import message_format as network_format
from simulator.acquirer.errors import MessageError
from tests.processor_parts import NOW, carried

CARD = CardData("4242424242424242", 3, 2031)
ATTEMPT = Attempt(
    attempt_id="a",
    token="tok_1",
    merchant_id="m_1",
    merchant_category="5942",
    amount_minor=123_456,
    currency="INR",
    stan=42,
    reference="600510000042",
    transmitted_at="0105100000",
    status="approved",
    approval_code="A1B2C3",
)

REQUEST = AuthorizationRequest(
    attempt_id="a",
    token="tok_1",
    amount_minor=123_456,
    currency="INR",
    merchant_id="m_1",
    merchant_category="5942",
    merchant_country="IN",
    mode="test",
    occurred_at=NOW,
)


def told(kind: str, first_type: str, transmissions: int) -> Advice:
    return Advice(
        attempt_id="a",
        kind=kind,
        first_type=first_type,
        amount_minor=100,
        stan=43,
        transmitted_at="0105110000",
        transmissions=transmissions,
    )


def test_both_ends_keep_the_same_book_of_fields() -> None:
    ours = {name: dict(field, desc="") for name, field in message_format.SPECIFICATION.items()}
    theirs = {name: dict(field, desc="") for name, field in network_format.SPECIFICATION.items()}

    assert ours == theirs
    assert message_format.LENGTH_BYTES == network_format.LENGTH_BYTES
    assert message_format.MESSAGE_BYTES_MAX == network_format.MESSAGE_BYTES_MAX


def test_an_authorization_says_what_the_network_reads() -> None:
    message = messages.authorization_request(ATTEMPT, CARD, "737", REQUEST)

    assert carried(network_format.decode(message)) == {
        "t": "0100",
        "2": "4242424242424242",
        "3": "000000",
        "4": "000000123456",
        "7": "0105100000",
        "11": "000042",
        "12": "100000",
        "13": "0105",
        "14": "3103",
        "18": "5942",
        "22": "810",
        "25": "59",
        "32": "400001",
        "37": "600510000042",
        "41": "WEIR0001",
        "42": carried(network_format.decode(message))["42"],
        "43": " " * 38 + "IN",
        "48": "73011" + "9203737",
        "49": "356",
    }


def test_what_is_not_known_is_left_out_and_a_live_payment_does_not_pass_for_a_test() -> None:
    request = msgspec.structs.replace(REQUEST, mode="live", merchant_country=None)

    fields = network_format.decode(messages.authorization_request(ATTEMPT, CARD, None, request))

    assert {"43", "48"}.isdisjoint(fields)


@pytest.mark.parametrize(
    ("kind", "first_type", "transmissions", "expected"),
    [
        ("capture", "0220", 1, "0220"),
        ("capture", "0220", 2, "0221"),
        ("capture", "0220", 9, "0221"),
        ("reversal", "0400", 1, "0400"),
        ("reversal", "0400", 2, "0420"),
        ("reversal", "0400", 3, "0421"),
        ("reversal", "0420", 1, "0420"),
        ("reversal", "0420", 2, "0421"),
    ],
)
def test_an_advice_names_its_original_and_changes_its_type_as_it_is_repeated(
    kind: str, first_type: str, transmissions: int, expected: str
) -> None:
    fields = network_format.decode(messages.advice_message(ATTEMPT, told(kind, first_type, transmissions)))

    assert (fields["t"], fields["11"], fields["37"]) == (expected, "000043", "600510000042")
    assert fields["90"] == "0100" + "000042" + "0105100000" + "00000400001" + "00000000000"
    assert (fields["4"], fields["38"]) == ("000000000100", "A1B2C3")
    assert "2" not in fields


@pytest.mark.parametrize(("sign_on", "code"), [(True, "001"), (False, "301")])
def test_network_management_asks_to_sign_on_or_for_an_echo(sign_on: bool, code: str) -> None:
    fields = network_format.decode(messages.network_management(7, NOW, sign_on=sign_on))

    assert (fields["t"], fields["70"], fields["11"], fields["7"]) == ("0800", code, "000007", "0105100000")


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("0100", "0110"),
        ("0220", "0230"),
        ("0221", "0230"),
        ("0400", "0410"),
        ("0420", "0430"),
        ("0421", "0430"),
    ],
)
def test_an_answer_has_the_type_of_its_question(asked: str, answered: str) -> None:
    assert messages.answer_type(asked) == answered


@pytest.mark.parametrize("name", ["t", "4", "7", "11", "37", "49", "39"])
def test_an_answer_that_lacks_or_changes_what_ties_it_to_its_question_does_not_fit(name: str) -> None:
    question = messages.authorization_request(ATTEMPT, CARD, None, REQUEST)
    asked = message_format.decode(question)
    good = {"t": "0110", "39": "00", **{tie: asked[tie] for tie in ("4", "7", "11", "37", "49")}}
    without = {k: v for k, v in good.items() if k != name} | ({"t": "0130"} if name == "t" else {})

    assert messages.read_answer(question, message_format.encode(good))["39"] == "00"
    with pytest.raises(MisfitAnswerError):
        messages.read_answer(question, message_format.encode(without))


@pytest.mark.parametrize("cut", [0, 3, 11, 12, 13, 20, 40, 80])
def test_a_message_cut_anywhere_is_refused_by_both_ends_without_quoting_it(cut: int) -> None:
    message = messages.authorization_request(ATTEMPT, CARD, "737", REQUEST)[:cut]

    with pytest.raises(UnreadableMessageError) as ours:
        message_format.decode(message)
    with pytest.raises(MessageError) as theirs:
        network_format.decode(message)
    assert "4242" not in f"{ours.value}{theirs.value}"


def test_a_field_that_does_not_fit_is_named_and_not_quoted() -> None:
    with pytest.raises(UnwritableMessageError, match="field 2 does not fit") as error:
        message_format.encode({"t": "0100", "2": "4" * 25})

    assert "4444" not in str(error.value)
