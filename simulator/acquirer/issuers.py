"""What an issuer knows of an account, and how it answers: pure functions, amounts in US cents.

An account that nobody has seen is made from the card's fingerprint, so that the same card always meets the
same account. The issuer's own fraud check is as simple as it looks: declines in a row, and sudden size.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from simulator import testcards

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

_LIMITS_MINOR = {"credit": (200_000, 2_000_000), "debit": (100_000, 800_000)}
_RESPONSES: dict[CardStatus, str] = {
    "lost": testcards.LOST,
    "stolen": testcards.STOLEN,
    "closed": testcards.GENERAL_DECLINE,
}
_DEBIT_SHARE = 0.4


@dataclass(frozen=True)
class Account:
    """One card's account. `balance_minor` is what may still be spent before holds; `expiry` is YYMM."""

    fingerprint: str
    kind: Literal["credit", "debit"]
    limit_minor: int
    balance_minor: int
    expiry: str
    status: CardStatus
    period_started: datetime


@dataclass(frozen=True)
class History:
    """What the account did lately: `usual_minor` is the mean of its last approvals, None with too few."""

    held_minor: int
    approvals_hour: int
    approvals_day: int
    declines_lately: int
    usual_minor: float | None


def open_account(fingerprint: str, expiry: str, at: datetime) -> Account:
    """The account of a card that the issuer meets for the first time."""
    draws = [byte / 255 for byte in bytes.fromhex(fingerprint)[:2]]
    kind: Literal["credit", "debit"] = "debit" if draws[0] < _DEBIT_SHARE else "credit"
    low, high = _LIMITS_MINOR[kind]
    limit_minor = round(low * (high / low) ** draws[1])
    return Account(fingerprint, kind, limit_minor, limit_minor, expiry, "active", at)


def answer(account: Account, history: History, billed_minor: int, expiry: str, at: datetime) -> str:
    """The response code of one request: the first reason to decline counts."""
    if account.status != "active":
        return _RESPONSES[account.status]
    if expiry < max(account.expiry, f"{at:%y%m}"):
        return testcards.EXPIRED
    if history.approvals_hour >= VELOCITY_HOUR_MAX or history.approvals_day >= VELOCITY_DAY_MAX:
        return testcards.TOO_OFTEN
    if _suspicious(history, billed_minor):
        return testcards.SUSPECTED_FRAUD
    if billed_minor > account.balance_minor - history.held_minor:
        return testcards.INSUFFICIENT_FUNDS
    return testcards.APPROVED


def answer_increment(account: Account, history: History, billed_minor: int) -> str:
    """The response code where a purchase that was approved becomes larger."""
    if account.status != "active":
        return _RESPONSES[account.status]
    if billed_minor > account.balance_minor - history.held_minor:
        return testcards.INSUFFICIENT_FUNDS
    return testcards.APPROVED


def interchange_minor(kind: Literal["credit", "debit"], amount_minor: int) -> int:
    """The issuer's share of a capture, rounded down: the European caps of 0.2 % (debit) and 0.3 %.

    >>> interchange_minor("debit", 10_000), interchange_minor("credit", 10_000)
    (20, 30)
    """
    return amount_minor * (2 if kind == "debit" else 3) // 1000


def _suspicious(history: History, billed_minor: int) -> bool:
    if history.declines_lately >= SUSPICIOUS_DECLINES:
        return True
    return history.usual_minor is not None and billed_minor > SUDDEN_SIZE_FACTOR * history.usual_minor
