"""The networks' directory and the issuers behind it: who takes part, and what became of a transaction.

All in memory: of a transaction that nobody knows after a restart there is no more to say than that (`error`).
Its payer may have typed the right code.
No card number is kept beyond the transaction's end.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from events.clock import Clock
from simulator import testcards
from simulator.acs import challenge as challenges
from simulator.acs import proofs
from simulator.acs.challenge import Challenge
from simulator.testcards import Participation

Status = Literal["challenge", "authenticated", "attempted", "not_supported", "error", "failed", "abandoned"]
"""`abandoned`: the payer canceled, or let the time pass; `error`: nobody can tell."""

TRANSACTIONS_MAX = 10_000
KEPT_SECONDS = 3600.0
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
class Transaction:
    """A question with its challenge; `secret` is in the address of its page."""

    question: Question
    secret: str
    challenge: Challenge
    kept_until: float


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

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes], issuers_secret: bytes) -> None:
        self._clock = clock
        self._entropy = entropy
        self._issuers_secret = issuers_secret
        self._transactions: OrderedDict[str, Transaction] = OrderedDict()
        self._by_secret: dict[str, str] = {}
        self._phones: OrderedDict[str, str] = OrderedDict()

    def look_up(self, question: Question) -> Result:
        """What is to be done for a card; the same transaction again has the same answer."""
        known = self._transactions.get(question.transaction_id)
        if known is not None:
            return self._result(known)
        does = participation(question)
        if does == "frictionless" and question.mandated:
            does = "challenge"
        if does in ("not_supported", "error"):
            return Result(does)
        if does == "attempted":
            return self._proven(question, "attempted")
        if does == "frictionless":
            return self._proven(question, "full")
        if not question.payer_present:
            return Result("challenge")
        return self._result(self._open(question))

    def find(self, transaction_id: str) -> Result:
        """What became of it, where it is known."""
        known = self._transactions.get(transaction_id)
        return Result("error") if known is None else self._result(known)

    def withdraw(self, transaction_id: str) -> Result:
        """Whoever asked no longer waits: its page takes no code any more, and says so."""
        known = self._transactions.get(transaction_id)
        if known is not None:
            self._keep(replace(known, challenge=challenges.withdrawn(known.challenge, self._now)))
        return self.find(transaction_id)

    def page(self, secret: str) -> Transaction | None:
        """The transaction whose page has this address."""
        transaction_id = self._by_secret.get(secret)
        found = self._transactions.get(transaction_id) if transaction_id else None
        if found is None:
            return None
        return self._keep(replace(found, challenge=challenges.at(found.challenge, self._now)))

    def answer(self, transaction: Transaction, code: str) -> Transaction:
        """A code was typed in."""
        return self._keep(
            replace(transaction, challenge=challenges.answered(transaction.challenge, code, self._now))
        )

    def resend(self, transaction: Transaction) -> Transaction:
        """Another code is asked for."""
        if not challenges.may_resend(transaction.challenge, self._now):
            return transaction
        code = self._send(transaction.question)
        return self._keep(
            replace(transaction, challenge=challenges.resent(transaction.challenge, code, self._now))
        )

    def cancel(self, transaction: Transaction) -> Transaction:
        """The payer gives up."""
        return self._keep(
            replace(transaction, challenge=challenges.canceled(transaction.challenge, self._now))
        )

    def phone(self, transaction_id: str) -> str | None:
        """The latest message on the phone of a transaction's cardholder."""
        return self._phones.get(transaction_id)

    @property
    def _now(self) -> float:
        return self._clock.monotonic()

    def _open(self, question: Question) -> Transaction:
        self._forget_old()
        secret, salt = self._entropy(16).hex(), self._entropy(16)
        challenge = challenges.opened(self._send(question), salt, self._now, is_test=question.is_test)
        self._by_secret[secret] = question.transaction_id
        return self._keep(Transaction(question, secret, challenge, self._now + KEPT_SECONDS))

    def _send(self, question: Question) -> str:
        code = f"{int.from_bytes(self._entropy(8)) % 10**CODE_DIGITS:0{CODE_DIGITS}}"
        self._phones[question.transaction_id] = f"{code} is your code for {question.merchant}."
        while len(self._phones) > MESSAGES_MAX:
            self._phones.popitem(last=False)
        return code

    def _keep(self, transaction: Transaction) -> Transaction:
        if transaction.challenge.state != "open":
            self._phones.pop(transaction.question.transaction_id, None)
        self._transactions[transaction.question.transaction_id] = transaction
        return transaction

    def _forget_old(self) -> None:
        while self._transactions:
            oldest = next(iter(self._transactions.values()))
            if oldest.kept_until > self._now and len(self._transactions) < TRANSACTIONS_MAX:
                return
            del self._transactions[oldest.question.transaction_id]
            self._by_secret.pop(oldest.secret, None)

    def _result(self, transaction: Transaction) -> Result:
        state = challenges.at(transaction.challenge, self._now).state
        if state == "open":
            return Result("challenge", secret=transaction.secret)
        if state == "authenticated":
            return self._proven(transaction.question, "full")
        return Result("failed" if state == "failed" else "abandoned")

    def _proven(self, question: Question, strength: proofs.Strength) -> Result:
        indicator = proofs.eci(question.number, strength)
        made = proofs.proof(
            self._issuers_secret,
            question.number,
            question.amount_minor,
            question.currency,
            question.transaction_id,
            indicator,
        )
        return Result("authenticated" if strength == "full" else "attempted", indicator, made)


def participation(question: Question) -> Participation:
    """What a card's issuer does; a documented test card does what is documented, in test mode alone."""
    documented = testcards.BY_NUMBER.get(question.number)
    if question.is_test and documented is not None and documented.participation is not None:
        return documented.participation
    if question.number.startswith(_WITHOUT_PARTICIPANTS):
        return "not_supported"
    return "frictionless" if question.amount_minor < FRICTIONLESS_BELOW_MINOR else "challenge"
