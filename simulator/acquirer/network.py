"""The network itself: one message in, one message out, and the books in between.

Everything is told apart by the request's own fields, so that a repeat is answered as the first was: an
authorization that comes again gives the stored answer, a capture that comes again moves no money, and a
reversal may come before its authorization, which is then refused.
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

from events.clock import Clock
from simulator import testcards
from simulator.acquirer import issuers
from simulator.acquirer.books import Books
from simulator.acquirer.clearing import NOT_FOUND, Clearing
from simulator.acquirer.errors import MessageError
from simulator.acquirer.message_format import Fields, decode, encode, private_elements
from simulator.acquirer.rates import billed, currency_of
from simulator.acquirer.records import Authorization, Key

FORMAT_ERROR, NO_SUCH_ISSUER, NOT_PERMITTED = "30", "15", "57"

_REFUND = "200000"
_MORE_CAPTURES_TAG, _YES = "71", "1"

_ECHOED = ("3", "4", "7", "11", "32", "37", "41", "42", "49", "70")
_NEEDED = {
    "0100": ("2", "3", "4", "7", "11", "14", "32", "37", "49"),
    "increment": ("3", "4", "7", "11", "32", "37", "49", "90"),
    "0220": ("3", "4", "7", "11", "32", "37", "49", "90"),
    "0400": ("4", "7", "11", "32", "37", "49", "90"),
    "0800": ("7", "11", "70"),
}
_ISSUER_DIGITS = "234568"
"""First digits of the brands that are routed: 2 and 5 Mastercard, 3 Amex, JCB and Diners, 4 Visa, 6 and 8."""


class Network:
    """Plays network and issuers over `books`; `secret` is the key of the issuers' fingerprints."""

    def __init__(self, books: Books, clock: Clock, secret: bytes) -> None:
        self._books = books
        self._clearing = Clearing(books)
        self._clock = clock
        self._secret = secret

    def handle(self, message: bytes) -> bytes:
        """The answer to one message, durable before it is given; raises `MessageError`."""
        (answer,) = self.handle_all([message])
        if answer is None:
            raise MessageError("the bytes are no message of this network")
        return answer

    def handle_all(self, messages: list[bytes]) -> list[bytes | None]:
        """The answers, in order, after one commit for all; None where the bytes were no message."""
        with self._books.together():
            return [self._answer(message) for message in messages]

    def _answer(self, message: bytes) -> bytes | None:
        try:
            fields = decode(message)
        except MessageError:
            return None
        kind = {"0221": "0220", "0420": "0400", "0421": "0400"}.get(fields["t"], fields["t"])
        if kind == "0100" and "90" in fields:
            kind = "increment"
        if kind not in _NEEDED:
            return None
        if not _complete(fields, _NEEDED[kind]):
            return _reply(fields, FORMAT_ERROR)
        if kind == "0800":
            return _reply(fields, testcards.APPROVED)
        return self._answer_complete(kind, fields)

    def _answer_complete(self, kind: str, fields: Fields) -> bytes:
        if kind == "0400":
            return _reply(fields, self._clearing.reverse(_original(fields), self._moment(fields)))
        answering = {"0100": self._authorize, "increment": self._increase, "0220": self._advise}
        return answering[kind](fields)

    def _authorize(self, fields: Fields) -> bytes:
        key = _key(fields)
        known = self._books.find(key)
        if known is not None:
            return _reply(fields, known.response, known.approval_code)
        currency = currency_of(fields["49"])
        if fields["2"][0] not in _ISSUER_DIGITS or currency is None:
            return _reply(fields, NOT_PERMITTED if currency is None else NO_SUCH_ISSUER)
        at = self._moment(fields)
        amount_minor = int(fields["4"])
        billed_minor = billed(amount_minor, currency)
        fingerprint = self.fingerprint(fields["2"])
        response = self._decide(fields, fingerprint, billed_minor, at)
        approval_code = _approval_code(key) if response == testcards.APPROVED else None
        self._books.put(
            Authorization(
                key=key,
                fingerprint=fingerprint,
                amount_minor=amount_minor,
                currency=currency,
                billed_minor=billed_minor,
                at=at,
                state="declined" if approval_code is None else "approved",
                response=response,
                approval_code=approval_code,
                held_minor=0 if approval_code is None else billed_minor,
            )
        )
        return _reply(fields, response, approval_code)

    def _increase(self, fields: Fields) -> bytes:
        """More on top of an authorization: the issuer looks at the account only, it knows the purchase."""
        key, known = _key(fields), self._books.find(_original(fields))
        repeated = self._books.find(key)
        if repeated is not None:
            return _reply(fields, repeated.response, repeated.approval_code)
        if known is None or known.fingerprint is None or known.state != "approved":
            return _reply(fields, NOT_FOUND)
        at, billed_minor = self._moment(fields), billed(int(fields["4"]), known.currency)
        account = self._books.account(known.fingerprint, "", at)
        history = self._books.history(known.fingerprint, at)
        response = issuers.answer_increment(account, history, billed_minor)
        approved = response == testcards.APPROVED
        increment = replace(
            known,
            key=key,
            amount_minor=int(fields["4"]),
            billed_minor=billed_minor,
            at=at,
            state="approved" if approved else "declined",
            response=response,
            held_minor=0,
            captured_minor=0,
            original_stan=known.key.stan,
            original_transmitted_at=known.key.transmitted_at,
        )
        self._books.put(increment)
        if approved:
            self._clearing.increase(known)
        return _reply(fields, response, known.approval_code if approved else None)

    def _decide(self, fields: Fields, fingerprint: str, billed_minor: int, at: datetime) -> str:
        account = self._books.account(fingerprint, fields["14"], at)
        documented = testcards.BY_NUMBER.get(fields["2"])
        if documented is not None:
            return documented.response
        history = self._books.history(fingerprint, at)
        return issuers.answer(account, history, billed_minor, fields["14"], at)

    def _advise(self, fields: Fields) -> bytes:
        key, original, amount_minor = _key(fields), _original(fields), int(fields["4"])
        if fields["3"] == _REFUND:
            return _reply(fields, self._clearing.refund(key, original, amount_minor))
        try:
            more = private_elements(fields).get(_MORE_CAPTURES_TAG) == _YES
        except MessageError:
            return _reply(fields, FORMAT_ERROR)
        return _reply(fields, self._clearing.capture(key, original, amount_minor, final=not more))

    def fingerprint(self, number: str) -> str:
        """What the issuers know a card by."""
        return hmac.new(self._secret, number.encode(), hashlib.sha256).hexdigest()

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


def _approval_code(key: Key) -> str:
    return hashlib.sha256("|".join(key).encode()).hexdigest()[:6].upper()


def _reply(fields: Fields, response: str, approval_code: str | None = None) -> bytes:
    asked = fields["t"]
    reply = {name: fields[name] for name in _ECHOED if name in fields}
    reply |= {"t": f"{asked[:2]}{int(asked[2]) + 1}0", "39": response}
    if approval_code is not None:
        reply["38"] = approval_code
    return encode(reply)
