"""The networks' directory and the issuers behind it: who takes part, and what became of a transaction.

What is on the phones is in memory: after a restart who has not got the code has to ask for another. Of a
transaction that is kept no longer there is no more to say than that (`error`).
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from events.clock import Clock
from simulator import testcards
from simulator.acs import challenge as challenges
from simulator.acs import proofs
from simulator.acs.books import ChallengeBooks, Transaction
from simulator.acs.challenge import Challenge
from simulator.testcards import Participation

Status = Literal["challenge", "authenticated", "attempted", "not_supported", "error", "failed", "abandoned"]
"""`abandoned`: the payer canceled, or let the time pass; `error`: nobody can tell."""

KEPT_SECONDS = 3600.0
TRANSACTIONS_MAX = 10_000
MESSAGES_MAX = 100
CODE_DIGITS = 6

FRICTIONLESS_BELOW_MINOR = 5_000
"""What an issuer lets pass on its own data, unless a challenge is mandated."""

_WITHOUT_PARTICIPANTS = "3"
"""First digit of the brands (Amex, JCB, Diners) whose issuers take no part here."""


@dataclass(frozen=True)
class Question:
    """What a member asks. `mandated`: the law asks for a challenge, whatever the issuer thinks.

    A payer who is not present is sent no code; the member hears that there would have been one.
    """

    transaction_id: str
    number: str = field(repr=False)
    amount_minor: int = 0
    currency: str = ""
    merchant: str = ""
    return_url: str = ""
    mandated: bool = False
    payer_present: bool = True
    is_test: bool = False


@dataclass(frozen=True)
class Result:
    """What a member is told."""

    status: Status
    eci: str | None = None
    proof: str | None = None
    secret: str | None = None
    """Of the challenge's page."""


class Directory:
    """All transactions; `entropy` makes codes and addresses, `issuers_secret` proofs."""

    def __init__(
        self, books: ChallengeBooks, clock: Clock, entropy: Callable[[int], bytes], issuers_secret: bytes
    ) -> None:
        self._books = books
        self._clock = clock
        self._entropy = entropy
        self._issuers_secret = issuers_secret
        self._phones: OrderedDict[str, str] = OrderedDict()

    def look_up(self, question: Question) -> Result:
        """What is to be done for a card; the same transaction again has the same answer."""
        known = self._books.find(question.transaction_id)
        if known is not None:
            return self._result(known)
        does = participation(question)
        if does == "frictionless" and question.mandated:
            does = "challenge"
        if does in ("not_supported", "error"):
            return Result(does)
        if does in ("attempted", "frictionless"):
            indicator = proofs.eci(question.number, "full" if does == "frictionless" else "attempted")
            return self._proven(question, self._fingerprint(question.number), indicator)
        if not question.payer_present:
            return Result("challenge")
        return self._result(self._open(question))

    def find(self, transaction_id: str) -> Result:
        """What became of it, where it is known."""
        known = self._books.find(transaction_id)
        return Result("error") if known is None else self._result(known)

    def withdraw(self, transaction_id: str) -> Result:
        """Whoever asked no longer waits: its page takes no code any more, and says so."""
        known = self._books.find(transaction_id)
        if known is not None:
            self._changed(known, challenges.withdrawn(known.challenge, self._now))
        return self.find(transaction_id)

    def page(self, secret: str) -> Transaction | None:
        """The transaction whose page has this address."""
        found = self._books.of_page(secret)
        return None if found is None else self._changed(found, challenges.at(found.challenge, self._now))

    def answer(self, transaction: Transaction, code: str) -> Transaction:
        """A code was typed in."""
        after = challenges.answered(transaction.challenge, code, self._key(transaction.salt), self._now)
        return self._changed(transaction, after)

    def resend(self, transaction: Transaction) -> Transaction:
        """Another code is asked for."""
        if not challenges.may_resend(transaction.challenge, self._now):
            return transaction
        code = self._send(transaction.transaction_id, transaction.merchant)
        after = challenges.resent(transaction.challenge, code, self._key(transaction.salt), self._now)
        return self._changed(transaction, after)

    def cancel(self, transaction: Transaction) -> Transaction:
        """The payer gives up."""
        return self._changed(transaction, challenges.canceled(transaction.challenge, self._now))

    def phone(self, transaction_id: str) -> str | None:
        """The latest message on the phone of a transaction's cardholder."""
        return self._phones.get(transaction_id)

    @property
    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _fingerprint(self, number: str) -> str:
        return proofs.fingerprint(self._issuers_secret, number)

    def _key(self, salt: bytes) -> bytes:
        return hmac.digest(self._issuers_secret, salt, "sha256")

    def _open(self, question: Question) -> Transaction:
        self._books.forget(self._now, TRANSACTIONS_MAX - 1)
        secret, salt = self._entropy(16).hex(), self._entropy(16)
        code = self._send(question.transaction_id, question.merchant)
        transaction = Transaction(
            transaction_id=question.transaction_id,
            secret=secret,
            card=self._fingerprint(question.number),
            last4=question.number[-4:],
            eci=proofs.eci(question.number, "full"),
            amount_minor=question.amount_minor,
            currency=question.currency,
            merchant=question.merchant,
            return_url=question.return_url,
            salt=salt,
            kept_until=self._now + KEPT_SECONDS,
            challenge=challenges.opened(code, self._key(salt), self._now, is_test=question.is_test),
        )
        self._books.keep(transaction)
        return transaction

    def _send(self, transaction_id: str, merchant: str) -> str:
        code = f"{int.from_bytes(self._entropy(8)) % 10**CODE_DIGITS:0{CODE_DIGITS}}"
        self._phones[transaction_id] = f"{code} is your code for {merchant}."
        while len(self._phones) > MESSAGES_MAX:
            self._phones.popitem(last=False)
        return code

    def _changed(self, transaction: Transaction, challenge: Challenge) -> Transaction:
        if challenge.state != "open":
            self._phones.pop(transaction.transaction_id, None)
        if challenge == transaction.challenge:
            return transaction
        after = replace(transaction, challenge=challenge)
        self._books.keep(after)
        return after

    def _result(self, transaction: Transaction) -> Result:
        state = challenges.at(transaction.challenge, self._now).state
        if state == "open":
            return Result("challenge", secret=transaction.secret)
        if state == "authenticated":
            return self._proven(transaction, transaction.card, transaction.eci)
        return Result("failed" if state == "failed" else "abandoned")

    def _proven(self, asked: Question | Transaction, card: str, indicator: str) -> Result:
        said = (asked.amount_minor, asked.currency, asked.transaction_id, indicator)
        status: Status = "authenticated" if proofs.is_full(indicator) else "attempted"
        return Result(status, indicator, proofs.proof(self._issuers_secret, card, *said))


def participation(question: Question) -> Participation:
    """What a card's issuer does; a documented test card does what is documented, in test mode alone."""
    documented = testcards.BY_NUMBER.get(question.number)
    if question.is_test and documented is not None and documented.participation is not None:
        return documented.participation
    if question.number.startswith(_WITHOUT_PARTICIPANTS):
        return "not_supported"
    return "frictionless" if question.amount_minor < FRICTIONLESS_BELOW_MINOR else "challenge"
