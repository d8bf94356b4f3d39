"""What a request says of an account that pays: what is counted, what is sealed, and where it may pay."""

import re
from typing import Literal, NamedTuple

from events.vocabulary import AccountMethod, Mode, PaymentMethodType
from gateway.errors import CardDataError, InvalidRequestError
from gateway.http.card_numbers import account_holds_card_number
from gateway.method_requests import NetbankingInput, PaymentMethodData, UpiInput, WalletInput
from gateway.processor_port import TestRisk

VPA = re.compile(r"[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}")
"""A UPI address. NPCI publishes no pattern: this one is what payment providers accept."""

TEST_ADDRESSES = frozenset({
    "success@razorpay", "failure@razorpay", "late@weir", "never@weir", "twice@weir", "poor@weir",
    "unknown@weir", "down@weir",
})  # fmt: skip
"""The documented test addresses: like a test card, each has a normal risk, whatever the engine says."""


class PayingAccount(NamedTuple):
    """`identity` is what is counted (None where only the payer's own page will know it).

    `handle` is what is kept sealed, and told to the rails.
    """

    method: AccountMethod
    provider: str
    last4: str | None
    identity: str | None
    handle: dict[str, str]
    test_risk: TestRisk | None = None


def paying_account(data: PaymentMethodData, mode: Mode, within: str = "") -> PayingAccount:
    """Read the account; raises `InvalidRequestError` for members that do not fit the type.

    `within` is the request's member that holds the data.
    """
    if data.type == "upi":
        return _upi(data.upi or UpiInput(), mode, _place(within, "upi", "vpa"))
    if data.type == "wallet":
        return _wallet(data.wallet or WalletInput())
    if data.netbanking is None:
        param = _place(within, "netbanking")
        raise InvalidRequestError(f"{param}: name the bank.", code="parameter_missing", param=param)
    return _bank(data.netbanking)


def only_its_own(data: PaymentMethodData, within: str = "") -> None:
    """Raises `InvalidRequestError` for the details of another type than the one that is said."""
    for name in ("card", "upi", "wallet", "netbanking"):
        if name != data.type and getattr(data, name) is not None:
            param = _place(within, name)
            raise InvalidRequestError(
                f"{param}: this is not of the type that is given.", code="parameter_invalid", param=param
            )


class MethodLimits(NamedTuple):
    """Where a method exists; None: everywhere."""

    currencies: frozenset[str] | None = None
    countries: frozenset[str] | None = None


LIMITS: dict[PaymentMethodType, MethodLimits] = {
    "card": MethodLimits(),
    "upi": MethodLimits(frozenset({"INR"}), frozenset({"IN"})),
    "wallet": MethodLimits(),
    "netbanking": MethodLimits(frozenset({"INR"}), frozenset({"IN"})),
}


def methods_for(currency: str) -> list[PaymentMethodType]:
    """The methods that are there in a currency.

    >>> methods_for("EUR")
    ['card', 'wallet']
    """
    return [method for method in LIMITS if obstacle_to(method, currency, None) is None]


def obstacle_to(
    method: PaymentMethodType, currency: str, country: str | None
) -> Literal["currency", "country"] | None:
    """What stands against a method; a merchant whose country is not known is taken at its word."""
    currencies, countries = LIMITS[method]
    if currencies is not None and currency not in currencies:
        return "currency"
    return "country" if countries is not None and country is not None and country not in countries else None


def _upi(upi: UpiInput, mode: Mode, param: str) -> PayingAccount:
    if upi.vpa is None:
        return PayingAccount("upi", "", None, None, {})
    address = upi.vpa.strip().lower()
    if not VPA.fullmatch(address):
        raise InvalidRequestError(f"{param}: this is not a UPI address.", code="invalid_vpa", param=param)
    test_risk: TestRisk | None = "normal" if mode == "test" and address in TEST_ADDRESSES else None
    return PayingAccount("upi", address.partition("@")[2], None, address, {"vpa": address}, test_risk)


def _wallet(wallet: WalletInput) -> PayingAccount:
    known = wallet.wallet_id
    handle = {"wallet_id": known} if known else {}
    return PayingAccount(
        "wallet", wallet.provider, None, f"{wallet.provider}\0{known}" if known else None, handle
    )


def _bank(bank: NetbankingInput) -> PayingAccount:
    known = bank.account
    if known is not None and account_holds_card_number(known):
        raise CardDataError()
    handle = {"account": known} if known else {}
    identity = f"{bank.bank}\0{known}" if known else None
    return PayingAccount("netbanking", bank.bank, known[-4:] if known else None, identity, handle)


def _place(within: str, *members: str) -> str:
    first, *rest = (within, *members) if within else members
    return first + "".join(f"[{member}]" for member in rest)
