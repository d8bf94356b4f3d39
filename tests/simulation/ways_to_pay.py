"""What shoppers pay with: cards, UPI, wallets and banks, given anew or saved before."""

from random import Random
from typing import Any, NamedTuple

from tests.simulation.asking import Asking

DOCUMENTED = ("4000000000009995", "4000000000000119", "4000000000004954", "5555555555554444")
"""Insufficient funds, a processing error, one of highest risk, and Mastercard's."""
CHALLENGED = (
    "4000002760003184",
    "4000000000003238",
    "4000008260003178",
    "4000008400001629",
    "4000008400001280",
)
"""The issuer wants a proof of the cardholder: twice it approves then, twice not, once there is none."""
TROUBLED = ("4000000000081044", "4000000000081051", "4000000000081069", "4000000000081077")
"""Half is approved; the issuer is down; the answer is lost; it is late."""
COUNTRIES = ("276", "356")
"""Germany, and India, whose law wants a second factor at the merchant of the stories."""
ADDRESSES = (
    "success@razorpay",
    "success@razorpay",
    "failure@razorpay",
    "late@weir",
    "never@weir",
    "twice@weir",
    "poor@weir",
    "down@weir",
    "asha@okbank",
)
"""UPI addresses whose payers do as is documented, and one whose payer decides in the app."""
METHODS = "/v1/payment_methods"
KINDS = (
    ("card",) * 10 + ("saved card",) * 2 + ("upi",) * 2 + ("upi link", "wallet", "netbanking", "saved upi")
)


class Way(NamedTuple):
    """What pays: `given` are members of a confirm; `customer` is whose method it is."""

    type: str
    given: dict[str, Any]
    customer: str | None = None

    @property
    def currency(self) -> str:
        return "eur" if self.type == "card" else "inr"


async def some_way(asking: Asking) -> Way | None:
    """A way to pay, drawn; None where what it needs could not be had."""
    kind = asking.random.choice(KINDS)
    saved, _, name = kind.rpartition("saved ")
    way = await _card(asking) if name == "card" else _account(asking, name)
    if way is None or (not saved and kind == name):
        return way
    return await _saved(asking, way)


async def half_of_it(asking: Asking) -> Way | None:
    """A card whose issuer approves the half."""
    return await _card(asking, TROUBLED[0])


async def _card(asking: Asking, number: str | None = None) -> Way | None:
    number = number or card_number(asking.random, asking.random.choice(COUNTRIES))
    token = await asking.token_of(number)
    return None if token is None else Way("card", {"payment_method": token})


def card_number(random: Random, country: str = "276") -> str:
    """A card of its own, whose issuer decides by its account, or now and then a documented one."""
    if random.random() < 0.25:
        return random.choice(random.choice((DOCUMENTED, CHALLENGED, TROUBLED)))
    begun = f"40000{country}{random.randrange(10**7):07}"
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(begun)]
    total = sum(digit - 9 if digit > 9 else digit for digit in doubled)
    return f"{begun}{-total % 10}"


def _account(asking: Asking, name: str) -> Way:
    if name.startswith("upi"):
        upi = {} if name == "upi link" else {"vpa": asking.random.choice(ADDRESSES)}
        return _by_data("upi", upi)
    account = f"Acc{asking.random.randrange(10**9):09}"
    asking.world.secrets.add(account.encode())
    if name == "wallet":
        return _by_data("wallet", {"wallet_id": account})
    return _by_data("netbanking", {"bank": "DEMO", "account": account})


def _by_data(kind: str, data: dict[str, Any]) -> Way:
    return Way(kind, {"payment_method_data": {"type": kind, kind: data}})


async def _saved(asking: Asking, way: Way) -> Way | None:
    """The same as a method that is kept for a customer."""
    data = way.given.get("payment_method_data") or {
        "type": "card",
        "card": {"token": way.given["payment_method"]},
    }
    made = await asking.post("save", METHODS, data)
    if made is None or made.status >= 400:
        return None
    method, customer = made.body["id"], f"customer of {asking.name}"
    attached = await asking.post("attach", f"{METHODS}/{method}/attach", {"customer": customer})
    if attached is None or attached.status >= 400:
        return None
    return Way(way.type, {"payment_method": method}, customer)
