"""Authorizations and increments: the card's issuer is asked, or the network answers in its place."""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from simulator import testcards
from simulator.acquirer import issuers
from simulator.acquirer.books import Books
from simulator.acquirer.card_ranges import CardRange
from simulator.acquirer.clearing import NOT_FOUND, Clearing
from simulator.acquirer.issuers import Account, Purchase
from simulator.acquirer.rates import billed
from simulator.acquirer.records import Authorization, Key
from simulator.testcards import APPROVED, APPROVED_IN_PART, INSUFFICIENT_FUNDS, ISSUER_DOWN, TestCard


class Asked(NamedTuple):
    """What a member asks of an issuer. `in_part`: less than the amount is welcome too.

    `security_code` is the code's keyed hash.
    """

    key: Key
    fingerprint: str
    card: CardRange
    documented: TestCard | None
    amount_minor: int
    currency: str
    expiry: str
    merchant_country: str | None
    in_part: bool
    at: datetime
    security_code: str | None = None


class _Word(NamedTuple):
    """An issuer's answer: for how much, and whether the network gave it."""

    response: str
    amount_minor: int
    stood_in: bool = False


class Authorizing:
    """Works within the transaction that the caller has opened on the books; `down` names issuers."""

    def __init__(self, books: Books, clearing: Clearing, down: Container[str]) -> None:
        self._books = books
        self._clearing = clearing
        self._down = down

    def authorize(self, asked: Asked) -> Authorization:
        """The authorization as it is kept, approved or not."""
        account = self._account(asked)
        word = self._ask(account, asked)
        approved = word.response in (APPROVED, APPROVED_IN_PART)
        billed_minor = billed(word.amount_minor, asked.currency)
        authorization = Authorization(
            key=asked.key,
            fingerprint=asked.fingerprint,
            amount_minor=word.amount_minor,
            currency=asked.currency,
            billed_minor=billed_minor,
            at=asked.at,
            state="approved" if approved else "declined",
            response=word.response,
            approval_code=approval_code(asked.key) if approved else None,
            held_minor=billed_minor if approved else 0,
            stood_in=word.stood_in,
        )
        self._books.put(authorization)
        return authorization

    def increase(
        self, key: Key, original: Key, amount_minor: int, at: datetime, documented: Mapping[str, TestCard]
    ) -> Authorization | None:
        """More on top of an authorization; None where there is none that stands.

        The issuer looks at the account alone: the purchase it knows. `documented` are test cards by their
        fingerprints, which have their own answer.
        """
        known = self._books.find(original)
        if known is None or known.fingerprint is None or known.state != "approved":
            return None
        card = documented.get(known.fingerprint)
        if card is not None and not known.stood_in:
            response, stood_in = card.increment, False
        else:
            response, stood_in = self._ask_for_more(known, known.fingerprint, amount_minor, at)
        increment = replace(
            known,
            key=key,
            amount_minor=amount_minor,
            billed_minor=billed(amount_minor, known.currency),
            at=at,
            state="approved" if response == APPROVED else "declined",
            response=response,
            approval_code=known.approval_code if response == APPROVED else None,
            held_minor=0,
            captured_minor=0,
            original_stan=known.key.stan,
            original_transmitted_at=known.key.transmitted_at,
            stood_in=stood_in,
        )
        self._books.put(increment)
        if response == APPROVED:
            self._clearing.increase(known)
        return increment

    def _account(self, asked: Asked) -> Account:
        account = self._books.account(asked.fingerprint, asked.at)
        if account is None:
            now = issuers.open_account(
                asked.fingerprint, asked.card, asked.expiry, asked.at, asked.security_code
            )
        else:
            now = issuers.met_again(account, asked.expiry, asked.security_code, asked.at)
        if now != account:
            self._books.put_account(now)
        return now

    def _ask(self, account: Account, asked: Asked) -> _Word:
        billed_minor = billed(asked.amount_minor, asked.currency)
        if asked.documented is not None:
            return _documented(asked.documented, asked.amount_minor, billed_minor)
        history = self._books.history(asked.fingerprint, asked.at)
        purchase = Purchase(billed_minor, asked.expiry, asked.merchant_country, asked.at, asked.security_code)
        if account.issuer in self._down:
            return _Word(issuers.stand_in(account, history, purchase), asked.amount_minor, True)
        response = issuers.answer(account, history, purchase)
        part_minor = asked.amount_minor * issuers.spendable_minor(account, history) // max(billed_minor, 1)
        partly = asked.in_part and account.funding == "prepaid" and part_minor > 0
        if response == INSUFFICIENT_FUNDS and partly:
            return _Word(APPROVED_IN_PART, part_minor)
        return _Word(response, asked.amount_minor)

    def _ask_for_more(
        self, known: Authorization, fingerprint: str, amount_minor: int, at: datetime
    ) -> tuple[str, bool]:
        account = self._books.account(fingerprint, at)
        if account is None:
            return NOT_FOUND, False
        billed_minor = billed(amount_minor, known.currency)
        if account.issuer in self._down or known.stood_in:
            small = billed_minor <= issuers.STAND_IN_MINOR_MAX
            return (APPROVED if small else ISSUER_DOWN), True
        history = self._books.history(fingerprint, at)
        return issuers.answer_increment(account, history, billed_minor), False


def approval_code(key: Key) -> str:
    """Field 38, the same whenever it is asked for."""
    return hashlib.sha256("|".join(key).encode()).hexdigest()[:6].upper()


def _documented(card: TestCard, amount_minor: int, billed_minor: int) -> _Word:
    """A documented test card's own answer, however much it spends."""
    if card.trouble == "half":
        half_minor = amount_minor // 2
        return _Word(APPROVED_IN_PART if half_minor else INSUFFICIENT_FUNDS, half_minor or amount_minor)
    if card.trouble == "issuer_down":
        small = billed_minor <= issuers.STAND_IN_MINOR_MAX
        return _Word(testcards.APPROVED if small else ISSUER_DOWN, amount_minor, True)
    return _Word(card.response, amount_minor)
