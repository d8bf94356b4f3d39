"""Captures, refunds and reversals: what becomes of an authorization, and the money that moves.

Amounts are told apart by the message's own key, so that a repeat moves nothing and is answered as the first
was. Of an authorization with increments the first one carries hold, captures and refunds.
"""

from dataclasses import replace
from datetime import datetime

from simulator import testcards
from simulator.acquirer.books import Books
from simulator.acquirer.interchange import interchange_minor
from simulator.acquirer.issuers import Account
from simulator.acquirer.rates import billed
from simulator.acquirer.records import Authorization, Key, Operation

NOT_FOUND, DUPLICATE, TOO_MUCH = "25", "94", "13"


class Clearing:
    """Works within the transaction that the caller has opened on the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def capture(self, key: Key, original: Key, amount_minor: int, *, final: bool) -> str:
        """Debit the cardholder, credit the acquirer less interchange; the final one frees the rest."""
        known = self._books.find(original)
        if repeated := self._repeated(key, amount_minor):
            return repeated
        if known is None or known.fingerprint is None or known.state in {"declined", "reversed"}:
            return self._answered(key, amount_minor, NOT_FOUND)
        if known.state == "captured":
            return self._answered(key, amount_minor, DUPLICATE)
        captured_minor = known.captured_minor + amount_minor
        if not amount_minor or captured_minor > self.authorized_minor(known):
            return self._answered(key, amount_minor, TOO_MUCH)
        self._move(key, known, known.fingerprint, known.captured_minor, captured_minor)
        self._change(replace(known, captured_minor=captured_minor), final=final)
        return self._answered(key, amount_minor, testcards.APPROVED)

    def refund(self, key: Key, original: Key, amount_minor: int) -> str:
        """The way back: never more than was captured, and its interchange with it."""
        known = self._books.find(original)
        if repeated := self._repeated(key, amount_minor):
            return repeated
        if known is None or known.fingerprint is None or not known.captured_minor:
            return self._answered(key, amount_minor, NOT_FOUND)
        kept_minor = known.captured_minor - known.refunded_minor
        if not 0 < amount_minor <= kept_minor:
            return self._answered(key, amount_minor, TOO_MUCH)
        self._move(key, known, known.fingerprint, kept_minor, kept_minor - amount_minor)
        self._books.put(replace(known, refunded_minor=known.refunded_minor + amount_minor))
        return self._answered(key, amount_minor, testcards.APPROVED)

    def reverse(self, key: Key, original: Key, amount_minor: int, at: datetime) -> str:
        """Free what is held; what never came is refused when it comes."""
        if repeated := self._repeated(key, amount_minor):
            return repeated
        return self._answered(key, amount_minor, self._reverse(original, at))

    def increase(self, known: Authorization) -> None:
        """Hold what an authorization has now, after an increment was put."""
        self._change(known, final=False)

    def authorized_minor(self, known: Authorization) -> int:
        """The authorization with its increments."""
        return known.amount_minor + sum(more.amount_minor for more in self._books.increments(known.key))

    def _reverse(self, original: Key, at: datetime) -> str:
        known = self._books.find(original)
        if known is None:
            self._books.put(Authorization(original, None, 0, "", 0, at, "reversed", DUPLICATE, None))
            return testcards.APPROVED
        if known.original != known.key:
            return self._reverse_increment(known)
        if known.state == "captured":
            return NOT_FOUND
        if known.state == "approved":
            self._change(known, final=True)
        return testcards.APPROVED

    def _reverse_increment(self, increment: Authorization) -> str:
        known = self._books.find(increment.original)
        if increment.state != "approved" or known is None:
            return testcards.APPROVED
        left_minor = self.authorized_minor(known) - increment.amount_minor
        if known.state != "approved" or known.captured_minor > left_minor:
            return NOT_FOUND
        self._books.put(replace(increment, state="reversed"))
        self._change(known, final=False)
        return testcards.APPROVED

    def _change(self, known: Authorization, *, final: bool) -> None:
        """Write the authorization with what it holds from now on; its increments end with it."""
        if not final:
            left_minor = self.authorized_minor(known) - known.captured_minor
            self._books.put(replace(known, held_minor=billed(left_minor, known.currency)))
            return
        ended = replace(known, held_minor=0, state="captured" if known.captured_minor else "reversed")
        for increment in self._books.increments(known.key):
            self._books.put(replace(increment, state=ended.state))
        self._books.put(ended)

    def _move(
        self, key: Key, known: Authorization, fingerprint: str, before_minor: int, after_minor: int
    ) -> None:
        """The money from what the acquirer had of the payment to what it has from now on.

        Interchange and the account's currency are taken of the whole each time, so that rounding leaves
        nothing behind when all is given back.
        """
        currency = known.currency
        account = self._books.account(fingerprint, known.at)
        if account is None:
            raise LookupError("an authorization has no account")
        billed_minor = billed(after_minor, currency) - billed(before_minor, currency)
        self._books.put_account(replace(account, balance_minor=account.balance_minor - billed_minor))
        share_minor = _share_minor(account, known, after_minor) - _share_minor(account, known, before_minor)
        moved_minor = after_minor - before_minor
        self._books.post(key, f"cardholder:{fingerprint}", -moved_minor, currency)
        self._books.post(key, f"acquirer:{key.acquirer}", moved_minor - share_minor, currency)
        self._books.post(key, "interchange", share_minor, currency)

    def _repeated(self, key: Key, amount_minor: int) -> str | None:
        """How the same message was answered before; one with another amount is a mistake."""
        known = self._books.find_operation(key)
        if known is None:
            return None
        return known.response if known.amount_minor == amount_minor else DUPLICATE

    def _answered(self, key: Key, amount_minor: int, response: str) -> str:
        self._books.put_operation(Operation(key, amount_minor, response))
        return response


def _share_minor(account: Account, known: Authorization, amount_minor: int) -> int:
    return interchange_minor(account.brand, account.funding, amount_minor, known.at.date())
