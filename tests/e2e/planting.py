"""What is planted in a run, in good requests and in every kind of bad one."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.e2e.leak_codes import SecurityCode
from tests.e2e.leak_search import Planted
from tests.e2e.whole_platform import ACQUIRER, API, PROCESSOR

PROPER = Planted("a number sent to the processor", "4000027691735", (PROCESSOR, ACQUIRER))
"""What the planted numbers of a set begin with; the rest tells them apart."""
ASTRAY = Planted("a number sent to the API", "4000025048263", (API,))
BAD_CODE = Planted("a security code that was refused", "8362915047128", (PROCESSOR,))
CODE, ASTRAY_CODE = "739", "862"
CODE_IN_CONTEXT = tuple(
    Planted("a security code", text, (PROCESSOR, ACQUIRER))
    for text in (
        f'"cvc":"{CODE}"',
        f'"cvc": "{CODE}"',
        f"'cvc': '{CODE}'",
        f"cvc='{CODE}'",
        f"card[cvc]={CODE}",
        f"card%5Bcvc%5D={CODE}",
        f"00792{3:02}{CODE}",  # field 48 of the authorization
    )
)
"""The code as each part of the way writes it, to be found in other codings (hex, base64 …) too."""
LONE_CODE = SecurityCode(CODE, (PROPER.digits, ASTRAY.digits))
"""Three digits alone are everywhere by chance: what is around them tells, or that a value is nothing else."""

ASTRAY_LONE_CODE = SecurityCode(ASTRAY_CODE, (ASTRAY.digits,))

PEOPLES = Planted("a password, an address or a device", "k7w2m9q4", (API,))
PASSWORD, WRONG_PASSWORD = f"{PEOPLES.digits}x8v3", f"{PEOPLES.digits}c6j2"
SHOPPER = {"email": f"{PEOPLES.digits}@example.com", "device_id": f"device-{PEOPLES.digits}"}

ACCOUNTS = Planted("an account that pays", "z3q8v1n6", (API, PROCESSOR, ACQUIRER))
"""The rails keep it in their books, which are the banks'."""
METHODS: dict[str, dict[str, Any]] = {
    "inr": {"type": "upi", "upi": {"vpa": f"{ACCOUNTS.digits}@okbank"}},
    "eur": {"type": "wallet", "wallet": {"wallet_id": f"{ACCOUNTS.digits}-wallet"}},
    "INR": {"type": "netbanking", "netbanking": {"bank": "HDFC", "account": f"{ACCOUNTS.digits}7731"}},
}
"""What pays beside cards, by the currency that it pays in."""

ONE_TIME_CODE = Planted("a one-time code", "4815162342", (ACQUIRER,))
WRONG_ONE_TIME_CODE = Planted("a one-time code that was refused", "j5t9w2x7b1", (ACQUIRER,))

POISON = Planted("a record that nobody can read", "p9r4t7y2w6")
"""It stays on the log, and must be on no program's own."""

EVERYTHING = (
    PROPER, ASTRAY, BAD_CODE, PEOPLES, ACCOUNTS, ONE_TIME_CODE, WRONG_ONE_TIME_CODE, *CODE_IN_CONTEXT
)  # fmt: skip
LONE_CODES = (LONE_CODE, ASTRAY_LONE_CODE)


def number(planted: Planted, which: int) -> str:
    """The `which`-th number (0–99) of a set, with its check digit."""
    digits = f"{planted.digits}{which:02}"
    doubled = [int(d) * 2 - 9 * (int(d) > 4) if at % 2 == 0 else int(d) for at, d in enumerate(digits)]
    return digits + str(-sum(doubled) % 10)


class Bad(NamedTuple):
    """One request that must be refused."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed


JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def _card(**members: Any) -> bytes:
    good = {"number": number(PROPER, 90), "exp_month": 12, "exp_year": 2034, "cvc": CODE}
    return json.dumps({"card": {**good, **members}}).encode()


def bad_at_processor() -> Iterator[Bad]:
    """Requests to the token listener, each with a planted number or code, each wrong in its own way."""
    card = number(PROPER, 91)
    tokens = "/v1/tokens"
    wrong_check = card[:-1] + str((int(card[-1]) + 1) % 10)
    for body in (
        _card(number=wrong_check),
        _card(number=card + "0000"),
        _card(number=int(card)),
        _card(number=[card]),
        _card(number=None, cvc=card),
        _card(exp_year=2001),
        _card(exp_month=card),
        _card(exp_year=int(card)),
        _card(cvc=BAD_CODE.digits),
        _card(cvc=int(BAD_CODE.digits)),
        _card(**{card: "name"}),
        json.dumps({"number": card, "card": None}).encode(),
        json.dumps([card]).encode(),
        f'{{"card": {{"number": "{card}", "cvc": "{CODE}"'.encode(),
        f'{{"card": {{"number": {card}e9}}}}'.encode(),
        b"\xff" + card.encode(),
        card.encode() * 2_000,
    ):
        yield Bad("POST", tokens, body, JSON)
    for form in (
        f"card[number]={wrong_check}",
        f"card[number]={card}&card[{card}]=1",
        f"{card}={card}",
        card,
    ):
        yield Bad("POST", tokens, form.encode(), FORM)
    for order in (
        {"card": {"number": card, "expiry": "12/34", "cvv": CODE}},
        {"card": {"number": card, "expiry": card, "cvv": BAD_CODE.digits}},
        {"card": None, "upi": {"vpa": card}, "method": "upi"},
        {card: "name"},
    ):
        yield Bad("POST", "/pay", json.dumps({**PAY, **order}).encode(), {**JSON, **NOBODYS_TOKEN})
        yield Bad("POST", "/pay", json.dumps({**PAY, **order}).encode(), JSON)
    yield Bad("POST", tokens, _card(), {"content-type": f"text/{card}"})
    yield Bad("POST", f"/v1/tokens/{card}", _card(), JSON)
    yield Bad("GET", f"/v1/tokens?card={card}")
    yield Bad("PUT", tokens, _card(), JSON)
    yield Bad("POST", tokens, _card(), {**JSON, "authorization": f"Bearer sk_test_{card}"})
    yield Bad("POST", tokens, _card(), {**JSON, "weir-test-time": card})


PAY = {"method": "credit_card", "merchant_id": "acct_tried", "amount": 1, "currency": "EUR"}
NOBODYS_TOKEN = {"authorization": f"Bearer e30.e30.{'A' * 43}"}

API_PATHS = (
    ("POST", "/v1/payment_intents"),
    ("POST", "/v1/payment_intents/pi_1/confirm"),
    ("POST", "/v1/payment_intents/pi_1/capture"),
    ("POST", "/v1/payment_intents/pi_1/cancel"),
    ("POST", "/v1/reviews/prv_1/approve"),
    ("POST", "/v1/reviews/prv_1/reject"),
    ("POST", "/v1/account_events"),
    ("POST", "/v1/labels"),
)


def bad_at_api() -> Iterator[Bad]:
    """Requests to every endpoint of the API, each with a card number somewhere in it."""
    card = number(ASTRAY, 10)
    grouped = " ".join(card[at : at + 4] for at in range(0, 16, 4))
    for method, path in API_PATHS:
        for tree in (
            {"card": {"number": card, "cvc": ASTRAY_CODE}},
            {"amount": int(card), "currency": "eur"},
            {"amount": 1999, "currency": "eur", "metadata": {"note": f"card {grouped} please"}},
            {"amount": 1999, "currency": "eur", "metadata": {"note": grouped.replace(" ", ":")}},
            {"amount": 1999, "currency": "eur", "metadata": {card: "x"}},
            {"amount": 1999, "currency": "eur", "customer": card, "risk_context": {"device_id": grouped}},
            {"type": "sign_in", "customer": card, "email": f"{card}@example.com"},
        ):
            yield Bad(method, path, json.dumps(tree).encode(), JSON)
        yield Bad(method, path, f"amount=1999&currency=eur&customer={card}".encode(), FORM)
        yield Bad(method, path, f"card%5Bnumber%5D={card}&card%5Bcvc%5D={ASTRAY_CODE}".encode(), FORM)
        yield Bad(method, path, f'{{"card": "{card}'.encode(), JSON)
        yield Bad(method, path, f'{{"card": "{card * 20_000}"}}'.encode(), JSON)
        yield Bad(method, f"{path}?card={card}", b"{}", JSON)
        yield Bad(method, path, b"{}", {**JSON, "x-card": card})
    for path in ("/v1/payment_intents", "/v1/reviews", "/v1", "/health", ""):
        yield Bad("GET", f"{path}/{card}")
        yield Bad("DELETE", f"{path}/{card}/{card}")
    for password in (WRONG_PASSWORD, f"{WRONG_PASSWORD} {card}"):
        yield Bad("POST", "/signin", json.dumps({"username": "ada", "password": password}).encode(), JSON)
        yield Bad("POST", "/signin", f'{{"username": "ada", "password": "{password}'.encode(), JSON)
    yield Bad("GET", f"/v1/payment_intents?starting_after={card}")
    yield Bad("POST", "/v1/tokens", _card(number=card, cvc=ASTRAY_CODE), JSON)
