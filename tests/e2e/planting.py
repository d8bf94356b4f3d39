"""Cards and security codes that are planted in a run, in good requests and in every kind of bad one."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.e2e.leak_codes import SecurityCode
from tests.e2e.leak_search import Planted

PROPER = Planted("a number sent to the processor", "4000027691735")
"""What the planted numbers of a set begin with; the rest tells them apart."""
ASTRAY = Planted("a number sent to the API", "4000025048263")
BAD_CODE = Planted("a security code that was refused", "83629150471")
CODE = "739"
CODE_IN_CONTEXT = tuple(
    Planted("a security code", text)
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

PASSWORD = Planted("a password", "k7w2m9q4x8v3")
WRONG_PASSWORD = Planted("a password that was refused", "w5t8n3c6j2r9")

EVERYTHING = (PROPER, ASTRAY, BAD_CODE, PASSWORD, WRONG_PASSWORD, *CODE_IN_CONTEXT)


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
            {"card": {"number": card, "cvc": CODE}},
            {"amount": int(card), "currency": "eur"},
            {"amount": 1999, "currency": "eur", "metadata": {"note": f"card {grouped} please"}},
            {"amount": 1999, "currency": "eur", "metadata": {"note": grouped.replace(" ", ":")}},
            {"amount": 1999, "currency": "eur", "metadata": {card: "x"}},
            {"amount": 1999, "currency": "eur", "customer": card, "risk_context": {"device_id": grouped}},
            {"type": "sign_in", "customer": card, "email": f"{card}@example.com"},
        ):
            yield Bad(method, path, json.dumps(tree).encode(), JSON)
        yield Bad(method, path, f"amount=1999&currency=eur&customer={card}".encode(), FORM)
        yield Bad(method, path, f"card%5Bnumber%5D={card}&card%5Bcvc%5D={CODE}".encode(), FORM)
        yield Bad(method, path, f'{{"card": "{card}'.encode(), JSON)
        yield Bad(method, f"{path}?card={card}", b"{}", JSON)
        yield Bad(method, path, b"{}", {**JSON, "x-card": card})
    for path in ("/v1/payment_intents", "/v1/reviews", "/v1", "/health", ""):
        yield Bad("GET", f"{path}/{card}")
        yield Bad("DELETE", f"{path}/{card}/{card}")
    for password in (WRONG_PASSWORD.digits, f"{WRONG_PASSWORD.digits} {card}"):
        yield Bad("POST", "/signin", json.dumps({"username": "ada", "password": password}).encode(), JSON)
        yield Bad("POST", "/signin", f'{{"username": "ada", "password": "{password}'.encode(), JSON)
    yield Bad("GET", f"/v1/payment_intents?starting_after={card}")
    yield Bad("POST", "/v1/tokens", _card(number=card), JSON)
