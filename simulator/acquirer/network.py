"""The network itself: one message in, one message out, and the books in between.

Everything is told apart by the request's own fields, so that a repeat is answered as the first was: an
authorization that comes again gives the stored answer, a capture that comes again moves no money, and a
reversal may come before its authorization, which is then refused.
"""

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from events.clock import Clock
from simulator import testcards
from simulator.acquirer.authorizing import Asked, Authorizing
from simulator.acquirer.books import Books
from simulator.acquirer.card_ranges import find_range
from simulator.acquirer.clearing import NOT_FOUND, Clearing
from simulator.acquirer.errors import MessageError
from simulator.acquirer.message_format import Fields, decode, encode, private_elements
from simulator.acquirer.rates import currency_of
from simulator.acquirer.records import Authorization, Key
from simulator.acs import proofs
from simulator.testcards import TestCard

FORMAT_ERROR, NO_SUCH_ISSUER = "30", "15"

LATE_SECONDS = 12.0
"""How late a late answer comes: after every member has given it up."""

_REFUND, _FIRST_TOLD = "200000", "0220"
_MORE_CAPTURES_TAG, _PARTIAL_APPROVAL_TAG, _TEST_TAG, _SECURITY_CODE_TAG = "71", "72", "73", "92"
_YES = "1"
_TEST_SUFFIX = " in test mode"

_PROOF_TAGS = ("42", "43", "44")
"""Field 48: indicator (ECI), proof and transaction of the cardholder's authentication."""

_ECHOED = ("3", "4", "7", "11", "32", "37", "41", "42", "49", "70")
_NEEDED = {
    "0100": ("2", "3", "4", "7", "11", "14", "32", "37", "49"),
    "increment": ("3", "4", "7", "11", "32", "37", "49", "90"),
    "0220": ("3", "4", "7", "11", "32", "37", "49", "90"),
    "0400": ("4", "7", "11", "32", "37", "49", "90"),
    "0800": ("7", "11", "70"),
}
_FIRST_TYPES = {"0221": "0220", "0420": "0400", "0421": "0400"}


class Reply(NamedTuple):
    """An answer as it leaves; None never does."""

    message: bytes | None
    after_seconds: float = 0.0


class Network:
    """Plays network and issuers over `books`; `secret` is the key of the issuers' fingerprints.

    `down` names the issuers that give no answer (as `visa-DE`) and may change at any time.
    """

    def __init__(
        self,
        books: Books,
        clock: Clock,
        secret: bytes,
        *,
        down: Iterable[str] = (),
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self.down = set(down)
        self._books = books
        self._clearing = Clearing(books)
        self._authorizing = Authorizing(books, self._clearing, self.down)
        self._clock = clock
        self._secret = secret
        self._late_seconds = late_seconds
        self._documented = {
            self.fingerprint(card.number, test=test): card
            for card in testcards.TEST_CARDS
            for test in (False, True)
        }

    def handle(self, message: bytes) -> bytes:
        """The answer to one message, durable before it is given; raises `MessageError` if there is none."""
        (reply,) = self.handle_all([message])
        if reply is None or reply.message is None:
            raise MessageError("the message gets no answer")
        return reply.message

    def handle_all(self, messages: list[bytes]) -> list[Reply | None]:
        """The answers, in order, after one commit for all; None where the bytes were no message."""
        with self._books.together():
            return [self._answer(message) for message in messages]

    def _answer(self, message: bytes) -> Reply | None:
        try:
            fields = decode(message)
            elements = private_elements(fields)
        except MessageError as error:
            known = error.header.get("t") in {*_NEEDED, *_FIRST_TYPES} and "11" in error.header
            return Reply(_reply(error.header, FORMAT_ERROR)) if known else None
        kind = _FIRST_TYPES.get(fields["t"], fields["t"])
        if kind == "0100" and "90" in fields:
            kind = "increment"
        if kind not in _NEEDED:
            return None
        if not _complete(fields, _NEEDED[kind]):
            return Reply(_reply(fields, FORMAT_ERROR))
        if kind == "0100":
            return self._authorize(fields, elements)
        return Reply(self._answer_other(kind, fields, elements))

    def _answer_other(self, kind: str, fields: Fields, elements: dict[str, str]) -> bytes:
        if kind == "0800":
            return _reply(fields, testcards.APPROVED)
        if kind == "increment":
            return self._increase(fields)
        key, original, amount_minor = _key(fields), _original(fields), int(fields["4"])
        if kind == "0400":
            at = self._moment(fields)
            return _reply(fields, self._clearing.reverse(key, original, amount_minor, at))
        if fields["3"] == _REFUND:
            refused = self._refund_of_test_card(original, fields["t"])
            return _reply(fields, refused or self._clearing.refund(key, original, amount_minor))
        final = elements.get(_MORE_CAPTURES_TAG) != _YES
        return _reply(fields, self._clearing.capture(key, original, amount_minor, final=final))

    def _authorize(self, fields: Fields, elements: dict[str, str]) -> Reply:
        documented = testcards.BY_NUMBER.get(fields["2"])
        trouble = documented.trouble if documented is not None and elements.get(_TEST_TAG) == _YES else None
        known = self._books.find(_key(fields))
        if known is None:
            asked = self._asked(fields, elements, documented)
            if isinstance(asked, str):
                return Reply(_reply(fields, asked))
            known = self._authorizing.authorize(asked)
        answer = _authorized(fields, known)
        late_seconds = self._late_seconds if trouble == "late_answer" else 0.0
        return Reply(None if trouble == "silence" else answer, late_seconds)

    def _asked(self, fields: Fields, elements: dict[str, str], documented: TestCard | None) -> Asked | str:
        """What is asked of which issuer, or why nobody can be asked."""
        card, currency = find_range(fields["2"]), currency_of(fields["49"])
        if card is None or currency is None:
            return NO_SUCH_ISSUER if card is None else testcards.NOT_PERMITTED
        if documented is not None and elements.get(_TEST_TAG) != _YES:
            documented = documented.without_trouble()
        if documented is not None and self._is_authenticated(fields, elements):
            documented = documented.with_proof()
        return Asked(
            key=_key(fields),
            fingerprint=self.fingerprint(fields["2"], test=elements.get(_TEST_TAG) == _YES),
            card=card,
            documented=documented,
            amount_minor=int(fields["4"]),
            currency=currency,
            expiry=fields["14"],
            merchant_country=fields.get("43", "")[-2:].strip() or None,
            in_part=elements.get(_PARTIAL_APPROVAL_TAG) == _YES,
            at=self._moment(fields),
            security_code=self._security_code(fields["2"], elements.get(_SECURITY_CODE_TAG)),
        )

    def _is_authenticated(self, fields: Fields, elements: dict[str, str]) -> bool:
        """Whether the issuer's own server has authenticated the cardholder for this very payment."""
        if not elements.keys() >= set(_PROOF_TAGS):
            return False
        indicator, given, transaction_id = (elements[tag] for tag in _PROOF_TAGS)
        said = (fields["2"], int(fields["4"]), currency_of(fields["49"]) or "", transaction_id, indicator)
        return proofs.is_full(indicator) and proofs.holds(self._secret, *said, given)

    def _increase(self, fields: Fields) -> bytes:
        known = self._books.find(_key(fields)) or self._authorizing.increase(
            _key(fields), _original(fields), int(fields["4"]), self._moment(fields), self._documented
        )
        return _reply(fields, NOT_FOUND) if known is None else _authorized(fields, known)

    def _refund_of_test_card(self, original: Key, message_type: str) -> str | None:
        """Why a documented card's refund is not taken: one for good, another when it is told first."""
        known = self._books.find(original)
        card = None if known is None else self._documented.get(known.fingerprint or "")
        if card is None:
            return None
        if card.refund == "fails":
            return testcards.NOT_PERMITTED
        return testcards.ISSUER_DOWN if card.refund == "pends" and message_type == _FIRST_TOLD else None

    def _security_code(self, number: str, code: str | None) -> str | None:
        """What the issuers know a card's code by; the code itself is nowhere written."""
        return None if code is None else self.fingerprint(f"security code {code} of {number}")

    def fingerprint(self, number: str, *, test: bool = False) -> str:
        """What the issuers know a card by: in test mode it has an account of its own.

        Test time may run years ahead: a card that was renewed there has not run out in live mode.
        """
        known_by = hmac.new(self._secret, number.encode(), "sha256").hexdigest()
        # What is drawn from its beginning is the same for both.
        return f"{known_by}{_TEST_SUFFIX}" if test else known_by

    def _moment(self, fields: Fields) -> datetime:
        """When the purchase was: field 7 has no year, field 37 begins with the year's last digit."""
        digit, here = fields["37"][0], self._clock.now().year
        years = range(here - 5, here + 5)
        year = next((year for year in years if str(year % 10) == digit), here)
        try:
            return datetime.strptime(f"{year}{fields['7']}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return self._clock.now()


def _complete(fields: Fields, needed: tuple[str, ...]) -> bool:
    """Whether all that is needed is there and the numeric fields hold digits."""
    return all(name in fields for name in needed) and all(
        fields[name].isdigit() for name in ("2", "4", "37", "90") if name in fields
    )


def _key(fields: Fields) -> Key:
    return Key(fields["32"], fields["37"], fields["11"], fields["7"])


def _original(fields: Fields) -> Key:
    """The authorization that a capture or reversal speaks of: field 90, and the shared reference."""
    data = fields["90"]
    return Key(data[20:31].lstrip("0"), fields["37"], data[4:10], data[10:20])


def _authorized(fields: Fields, known: Authorization) -> bytes:
    """The stored answer; a partial approval names its part."""
    if known.response == testcards.APPROVED_IN_PART:
        fields = {**fields, "4": f"{known.amount_minor:012}"}
    return _reply(fields, known.response, known.approval_code)


def _reply(fields: Fields, response: str, approval_code: str | None = None) -> bytes:
    asked = fields["t"]
    reply = {name: fields[name] for name in _ECHOED if name in fields}
    reply |= {"t": f"{asked[:2]}{int(asked[2]) + 1}0", "39": response}
    if approval_code is not None:
        reply["38"] = approval_code
    return encode(reply)
