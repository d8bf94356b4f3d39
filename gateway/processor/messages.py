"""What the processor asks the network, and whether an answer fits: built and read as pure functions.

Authorization and increment 0100/0110; capture and refund 0220 (repeated as 0221)/0230; reversal 0400/0410
while someone waits, 0420 (repeated as 0421)/0430 when nobody does; network management 0800/0810.
"""

import hashlib
from datetime import datetime

import iso4217

from gateway.processor.advice_rows import Advice
from gateway.processor.attempts import Attempt
from gateway.processor.directory import Proof
from gateway.processor.errors import MisfitAnswerError, UnreadableMessageError, UnwritableMessageError
from gateway.processor.increments import Increment
from gateway.processor.message_format import Fields, decode, encode, private_elements
from gateway.processor.vault import CardData
from gateway.processor_port import AuthorizationRequest

ACQUIRER_ID = "400001"
TERMINAL_ID = "WEIR0001"

STAN_MAX = 999_999
_PURCHASE, _REFUND = "000000", "200000"
_CARD_NUMBER_FROM_MERCHANT = "810"
_ELECTRONIC_COMMERCE = "59"
_MORE_CAPTURES_TAG, _PARTIAL_APPROVAL_TAG, _TEST_TAG, _SECURITY_CODE_TAG = "71", "72", "73", "92"
_PROOF_TAGS = ("42", "43", "44")
"""Indicator (ECI), proof and transaction of the cardholder's authentication."""
_YES = "1"
_SIGN_ON, _ECHO = "001", "301"

ACCEPTED, ACCEPTED_IN_PART, FORMAT_ERROR = "00", "10", "30"
NETWORK_MANAGEMENT = "0800"


def transmitted_at(moment: datetime) -> str:
    """Field 7: MMDDhhmmss in UTC.

    >>> from datetime import UTC
    >>> transmitted_at(datetime(2026, 1, 5, 10, 30, tzinfo=UTC))
    '0105103000'
    """
    return moment.strftime("%m%d%H%M%S")


def retrieval_reference(moment: datetime, stan: int) -> str:
    """Field 37: last digit of the year, day of the year, hour, and the trace number.

    >>> from datetime import UTC
    >>> retrieval_reference(datetime(2026, 1, 5, 10, tzinfo=UTC), 7)
    '600510000007'
    """
    return f"{moment.year % 10}{moment.timetuple().tm_yday:03}{moment.hour:02}{stan:06}"


def authorization_request(
    attempt: Attempt,
    card: CardData,
    security_code: str | None,
    request: AuthorizationRequest,
    proof: Proof | None = None,
) -> bytes:
    """0100: may this card pay this amount, or a part of it?"""
    fields = {
        "t": "0100",
        "2": card.number,
        "3": _PURCHASE,
        "12": request.occurred_at.strftime("%H%M%S"),
        "13": request.occurred_at.strftime("%m%d"),
        "14": f"{card.exp_year % 100:02}{card.exp_month:02}",
        "18": attempt.merchant_category or "0000",
        "22": _CARD_NUMBER_FROM_MERCHANT,
        "25": _ELECTRONIC_COMMERCE,
        **_who_and_what(attempt, attempt.amount_minor),
        "7": attempt.transmitted_at,
        "11": f"{attempt.stan:06}",
    }
    if request.merchant_country is not None:
        fields["43"] = f"{request.merchant_country:>40}"
    elements = {_TEST_TAG: _YES} if request.mode == "test" else {}
    if request.partial_authorization:
        elements[_PARTIAL_APPROVAL_TAG] = _YES
    if security_code is not None:
        elements[_SECURITY_CODE_TAG] = security_code
    if proof is not None:
        elements |= dict(zip(_PROOF_TAGS, (proof.eci, proof.value, proof.transaction_id), strict=True))
    return encode(fields | private_elements(elements))


def increment_request(attempt: Attempt, increment: Increment, moment: datetime) -> bytes:
    """0100 with the original's data: may the amount be this much more?

    As in an advice, the card is known by the original, and its number stays in the vault.
    """
    fields = {
        "t": "0100",
        "3": _PURCHASE,
        "12": moment.strftime("%H%M%S"),
        "13": moment.strftime("%m%d"),
        "18": attempt.merchant_category or "0000",
        "25": _ELECTRONIC_COMMERCE,
        **_who_and_what(attempt, increment.amount_minor),
        "7": increment.transmitted_at,
        "11": f"{increment.stan:06}",
        "90": original_data(attempt.stan, attempt.transmitted_at),
    }
    return encode(fields)


def advice_message(attempt: Attempt, advice: Advice) -> bytes:
    """A capture, refund or reversal, in the form that its number of transmissions asks for.

    The card number is not in it: the acquirer finds the authorization by its reference, and the number need
    not leave the vault again.
    """
    stan = attempt.stan if advice.original_stan is None else advice.original_stan
    fields = {
        "t": message_type(advice),
        "3": _REFUND if advice.kind == "refund" else _PURCHASE,
        "25": _ELECTRONIC_COMMERCE,
        **_who_and_what(attempt, advice.amount_minor),
        "7": advice.transmitted_at,
        "11": f"{advice.stan:06}",
        "90": original_data(stan, advice.original_transmitted_at or attempt.transmitted_at),
    }
    if attempt.approval_code is not None:
        fields["38"] = attempt.approval_code
    return encode(fields | private_elements({} if advice.final else {_MORE_CAPTURES_TAG: _YES}))


def message_type(advice: Advice) -> str:
    """The first transmission as it was meant (0220, 0400, 0420); then the advice; from then on its repeat."""
    repeat_type = {"0220": "0221", "0400": "0421", "0420": "0421"}[advice.first_type]
    if advice.transmissions <= 1:
        return advice.first_type
    if advice.first_type == "0400" and advice.transmissions == 2:
        return "0420"
    return repeat_type


def original_data(stan: int, original_transmitted_at: str) -> str:
    """Field 90: type, trace number, time and acquirer of the authorization, and no forwarder."""
    return f"0100{stan:06}{original_transmitted_at}{ACQUIRER_ID:0>11}{'':0>11}"


def network_management(stan: int, moment: datetime, *, sign_on: bool) -> bytes:
    """0800: sign on, or ask whether the other side is there."""
    fields = {
        "t": NETWORK_MANAGEMENT,
        "7": transmitted_at(moment),
        "11": f"{stan:06}",
        "70": _SIGN_ON if sign_on else _ECHO,
    }
    return encode(fields)


def network_answer(question: Fields, response: str) -> bytes:
    """0810: what the network is answered when it asks whether we are there."""
    echoed = {name: value for name, value in question.items() if name in ("7", "11", "70")}
    return encode({**echoed, "t": answer_type(NETWORK_MANAGEMENT), "39": response})


def read_answer(question: bytes, answer: bytes) -> Fields:
    """The answer's fields, once they are known to belong to the question.

    Raises `MisfitAnswerError` where type, trace number, time, reference, amount or currency differ. A partial
    approval has a smaller amount.
    """
    asked = decode(question)
    try:
        answered = decode(answer)
    except UnreadableMessageError:
        raise MisfitAnswerError("t") from None
    if answered.get("t") != answer_type(asked["t"]):
        raise MisfitAnswerError("t")
    for name in ("11", "7", "37", "49", "70"):
        if name in asked and answered.get(name) != asked[name]:
            raise MisfitAnswerError(name)
    if "39" not in answered:
        raise MisfitAnswerError("39")
    if "4" in asked and not _amount_fits(asked, answered):
        raise MisfitAnswerError("4")
    return answered


def answer_type(question_type: str) -> str:
    """The type of the answer: a repeat is answered as its first.

    >>> answer_type("0100"), answer_type("0421")
    ('0110', '0430')
    """
    return f"{question_type[:2]}{int(question_type[2]) + 1}0"


def _amount_fits(asked: Fields, answered: Fields) -> bool:
    if answered["39"] != ACCEPTED_IN_PART:
        return answered.get("4") == asked["4"]
    part = answered.get("4", "")
    return part.isascii() and part.isdigit() and 0 < int(part) < int(asked["4"])


def _who_and_what(attempt: Attempt, amount_minor: int) -> Fields:
    return {
        "4": f"{amount_minor:012}",
        "32": ACQUIRER_ID,
        "37": attempt.reference,
        "41": TERMINAL_ID,
        "42": _merchant_number(attempt.merchant_id),
        "49": _currency_number(attempt.currency),
    }


def _currency_number(code: str) -> str:
    try:
        return f"{iso4217.Currency(code).number:03}"
    except ValueError:
        raise UnwritableMessageError("49") from None


def _merchant_number(merchant_id: str) -> str:
    """Field 42 has fifteen places, a merchant's identifier more."""
    return hashlib.sha256(merchant_id.encode()).hexdigest()[:15].upper()
