"""What an issuer knows of an account, and how it answers: pure functions, amounts in US cents.

An account that nobody has seen is made from the beginning of the card's fingerprint, so that the same card
always meets the same account, in test mode as in live mode, where it has another one; expiry and security
code are those with which it first came. The issuer's own fraud check is as simple as it looks: declines in a
row, and sudden size.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from simulator import testcards
from simulator.acquirer.card_ranges import CardRange, Funding, issuer_of

CardStatus = Literal["active", "lost", "stolen", "closed"]

STATEMENT_PERIOD = timedelta(days=30)
"""After it a credit line is paid back, and a debit account has had its salary."""

HOLD_PERIOD = timedelta(days=7)
"""An approved amount that nobody captures is free again."""

VELOCITY_HOUR_MAX, VELOCITY_DAY_MAX = 20, 60
"""Approvals of one card: more than a busy shopper makes."""

SUSPICIOUS_DECLINES = 3
SUSPICIOUS_PERIOD = timedelta(minutes=10)
SUDDEN_SIZE_FACTOR = 30
SUDDEN_SIZE_HISTORY_MIN = 5

STAND_IN_MINOR_MAX, STAND_IN_DAY_MAX = 5_000, 5
"""What the network approves for an issuer that is down: small amounts, and few of one card in a day."""

_LIMITS_MINOR: dict[Funding, tuple[int, int]] = {
    "credit": (200_000, 2_000_000),
    "debit": (100_000, 800_000),
    "prepaid": (2_000, 50_000),
}
_RESPONSES: dict[CardStatus, str] = {
    "lost": testcards.LOST,
    "stolen": testcards.STOLEN,
    "closed": testcards.GENERAL_DECLINE,
}
_DEBIT_SHARE, _PREPAID_SHARE = 0.4, 0.05
_STAYS_HOME_SHARE = 0.02


@dataclass(frozen=True)
class Account:
    """One card's account. `balance_minor` is what may still be spent before holds; `expiry` is YYMM.

    `abroad`: the issuer lets it pay merchants of other countries. `security_code` is a keyed hash, None until
    the card comes with a code.
    """

    fingerprint: str
    funding: Funding
    limit_minor: int
    balance_minor: int
    expiry: str
    status: CardStatus
    period_started: datetime
    brand: str
    country: str | None
    abroad: bool
    security_code: str | None = None

    @property
    def issuer(self) -> str:
        """Whose account it is."""
        return issuer_of(self.brand, self.country)


@dataclass(frozen=True)
class Purchase:
    """What an issuer is asked to pay: in US cents, with what was typed of the card, and the merchant's land.

    `security_code` None: the payer was not there to type it.
    """

    billed_minor: int
    expiry: str
    merchant_country: str | None
    at: datetime
    security_code: str | None = None


@dataclass(frozen=True)
class History:
    """What the account did lately: `usual_minor` is the mean of its last approvals, None with too few."""

    held_minor: int
    approvals_hour: int
    approvals_day: int
    declines_lately: int
    usual_minor: float | None


def open_account(
    fingerprint: str, card: CardRange, expiry: str, at: datetime, security_code: str | None = None
) -> Account:
    """The account of a card that its issuer meets for the first time, funded as its range says."""
    kind, size, home = (byte / 255 for byte in bytes.fromhex(fingerprint[:6]))
    funding = card.funding or _drawn_funding(kind)
    low, high = _LIMITS_MINOR[funding]
    limit_minor = round(low * (high / low) ** size)
    return Account(
        fingerprint=fingerprint,
        funding=funding,
        limit_minor=limit_minor,
        balance_minor=limit_minor,
        expiry=expiry,
        status="active",
        period_started=at,
        brand=card.brand,
        country=card.country,
        abroad=home >= _STAYS_HOME_SHARE,
        security_code=security_code,
    )


def brought_up_to(account: Account, at: datetime) -> Account:
    """The account at a moment: credit is paid back, salaries come; nobody tops up a prepaid card."""
    if account.funding == "prepaid" or at - account.period_started < STATEMENT_PERIOD:
        return account
    return replace(account, balance_minor=account.limit_minor, period_started=at)


def met_again(account: Account, expiry: str, security_code: str | None, at: datetime) -> Account:
    """The account as it is from this purchase on.

    A card whose time is over is followed by one with another expiry and code; a code that is not known yet is
    taken from who knows the expiry.
    """
    if account.expiry < f"{at:%y%m}" <= expiry:
        return replace(account, expiry=expiry, security_code=security_code)
    if account.security_code is None and expiry == account.expiry:
        return replace(account, security_code=security_code)
    return account


def answer(account: Account, history: History, purchase: Purchase) -> str:
    """The response code of one request: the first reason to decline counts."""
    if stopped := _stopped(account, purchase):
        return stopped
    if None not in (account.security_code, purchase.security_code) and (
        account.security_code != purchase.security_code
    ):
        return testcards.WRONG_SECURITY_CODE
    if _is_abroad(account, purchase) and not account.abroad:
        return testcards.RESTRICTED
    if history.approvals_hour >= VELOCITY_HOUR_MAX or history.approvals_day >= VELOCITY_DAY_MAX:
        return testcards.TOO_OFTEN
    if _suspicious(history, purchase.billed_minor):
        return testcards.SUSPECTED_FRAUD
    return answer_increment(account, history, purchase.billed_minor)


def answer_increment(account: Account, history: History, billed_minor: int) -> str:
    """The response code where a purchase that was approved becomes larger."""
    if account.status != "active":
        return _RESPONSES[account.status]
    if billed_minor > spendable_minor(account, history):
        return testcards.INSUFFICIENT_FUNDS
    return testcards.APPROVED


def stand_in(account: Account, history: History, purchase: Purchase) -> str:
    """How the network answers for an issuer that is down: by its stop list and its own small limits."""
    if stopped := _stopped(account, purchase):
        return stopped
    small = purchase.billed_minor <= STAND_IN_MINOR_MAX and history.approvals_day < STAND_IN_DAY_MAX
    return testcards.APPROVED if small else testcards.ISSUER_DOWN


def spendable_minor(account: Account, history: History) -> int:
    """What the account can pay now."""
    return account.balance_minor - history.held_minor


def _drawn_funding(draw: float) -> Funding:
    if draw < _DEBIT_SHARE:
        return "debit"
    return "prepaid" if draw > 1 - _PREPAID_SHARE else "credit"


def _stopped(account: Account, purchase: Purchase) -> str | None:
    if account.status != "active":
        return _RESPONSES[account.status]
    if purchase.expiry != account.expiry or account.expiry < f"{purchase.at:%y%m}":
        return testcards.EXPIRED
    return None


def _is_abroad(account: Account, purchase: Purchase) -> bool:
    """Whether merchant and issuer are known to be of two countries."""
    return None not in (account.country, purchase.merchant_country) and (
        account.country != purchase.merchant_country
    )


def _suspicious(history: History, billed_minor: int) -> bool:
    if history.declines_lately >= SUSPICIOUS_DECLINES:
        return True
    return history.usual_minor is not None and billed_minor > SUDDEN_SIZE_FACTOR * history.usual_minor
