"""Making generated requests such as a merchant could send: most identifiers name something that there is.

Else nearly all answers would be 404, and of cards and orders 402.
"""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlencode

import msgspec
from hypothesis import strategies as st
from schemathesis import Case

from events.vocabulary import PaymentMethodType
from gateway.http.decoding import FORM
from gateway.processor.pay_input import METHODS
from tests.fuzz.living_api import LivingApi
from tests.gateway_world import MERCHANT

Draw = Callable[[Any], Any]

MERCHANT_ID = re.compile("[A-Za-z][A-Za-z0-9_-]{0,63}")
TIME, KEY = "Weir-Test-Time", "Idempotency-Key"

SELDOM_RIGHT = frozenset({"reported_at", "occurred_at", "client_secret", "ending_before"})
"""Members that hardly any value fits: most moments, another intent's secret, a cursor beside its opposite."""

IN_STATE: dict[str, Callable[[LivingApi], str]] = {
    "/v1/payment_intents/{id}": lambda api: api.intent()["id"],
    # One operation of the path retrieves, the other changes.
    "/v1/payment_intents/{id}/confirm": lambda api: api.intent()["id"],
    "/v1/payment_intents/{id}/capture": lambda api: api.intent("confirm", capture_method="manual")["id"],
    "/v1/payment_intents/{id}/increment_authorization": lambda api: api.intent(
        "confirm", capture_method="manual"
    )["id"],
    "/v1/payment_intents/{id}/cancel": lambda api: api.intent()["id"],
    "/v1/payment_methods/{id}": lambda api: api.method()["id"],
    "/v1/payment_methods/{id}/attach": lambda api: api.method()["id"],
    "/v1/payment_methods/{id}/detach": lambda api: api.method()["id"],
    "/v1/charges/{id}": lambda api: api.intent("confirm")["latest_charge"],
    "/v1/reviews/{id}": lambda api: api.review()["id"],
    "/v1/reviews/{id}/approve": lambda api: api.review()["id"],
    "/v1/reviews/{id}/reject": lambda api: api.review()["id"],
    "/payer/{id}": lambda api: api.payer(),
}
"""What makes a resource that the operation can succeed on."""

MADE_MAX = {"/payer/{id}": 8}
"""The documented card that is challenged may be so ten times an hour."""

KNOWN: dict[str, Callable[[LivingApi], str]] = {
    "payment_method": lambda api: api.token(),
    "payment_intent": lambda api: api.intent("confirm")["id"],
    "page": lambda api: api.intent()["id"],
    "query": lambda _: "amount>0 AND -metadata['order']:'7'",
    "attempt_id": lambda api: api.intent("confirm")["id"] + "_1",
}
"""Members that name a resource, and what makes one."""

DETAILS = frozenset(get_args(PaymentMethodType))
"""Members of which the one that `type` names may be there."""

CURSORS = frozenset({"starting_after", "ending_before"})
"""Members that name a resource of the list's own kind."""


class Life:
    """What was made for requests that only look, to be looked at again; and how many keys were made up."""

    def __init__(self, api: LivingApi) -> None:
        self.api = api
        self._made: dict[str, list[str]] = {}
        self._keys = 0

    def bring(self, case: Case, draw: Draw) -> None:
        """Most members become such as fit what there is."""
        path = case.operation.path
        if path == "/signin":
            case.body = dict(self.api.credentials)
        if case.path_parameters and mostly(draw):
            case.path_parameters["id"] = self._resource(path, draw, anew=case.method != "GET")
        for members in (case.body, case.query):
            if isinstance(members, dict):
                self._bring_members(members, path, draw)
        if path.endswith("/increment_authorization") and isinstance(case.body, dict):
            more = st.integers(1251, 1500) if mostly(draw) else st.just(case.body.get("amount"))
            case.body["amount"] = draw(more)
        if path == "/v1/payment_methods" and isinstance(case.body, dict) and mostly(draw):
            case.body = {
                name: value for name, value in case.body.items() if name not in DETAILS - {case.body["type"]}
            }
        if path in ("/v1/tokens", "/pay") and mostly(draw):
            case.body = self._token(draw) if path == "/v1/tokens" else self._order(case.body, draw)
        if case.headers.get(KEY) and mostly(draw):
            self._keys += 1
            case.headers[KEY] = f"{self._keys} {case.headers[KEY]}"[:255].strip()

    def _bring_members(self, members: dict[str, Any], path: str, draw: Draw) -> None:
        for name in sorted(members):
            if name in KNOWN and mostly(draw):
                members[name] = KNOWN[name](self.api)
            elif name in CURSORS and mostly(draw):
                members[name] = self._resource(f"{path}/{{id}}", draw, anew=False)
            elif name in SELDOM_RIGHT and mostly(draw):
                del members[name]

    def _resource(self, path: str, draw: Draw, *, anew: bool) -> str:
        made = self._made.setdefault(path, [])
        # What is drawn must not depend on what was made: hypothesis draws the same again.
        again, number = mostly(draw), draw(st.integers(0, 99))
        is_full = path in MADE_MAX and len(made) >= MADE_MAX[path]
        if anew or not made or not (again or is_full):
            made.append(IN_STATE[path](self.api))
        return made[-1] if anew else made[number % len(made)]

    def _token(self, draw: Draw) -> dict[str, Any]:
        month, year, code = draw(st.integers(1, 12)), draw(st.integers(2031, 2070)), draw(_CODE)
        return {"card": {"number": self.api.card(), "exp_month": month, "exp_year": year, "cvc": code}}

    def _order(self, given: Any, draw: Draw) -> dict[str, Any]:
        """What `/pay` takes, of what was generated as much as can be."""
        given = given if isinstance(given, dict) else {}
        method = draw(st.sampled_from(["credit_card", "credit_card", *METHODS]))
        instruments = {
            "credit_card": {"card": {"number": self.api.card(), "expiry": "12/31", "cvv": draw(_CODE)}},
            "upi": {"upi": {"vpa": "success@razorpay"}},
            "wallet": {"wallet": {"wallet_id": "w-7"}},
            "net_banking": {"net_banking": {"bank_code": "HDFC", "account": "XX1234"}},
        }
        return {
            **{name: value for name, value in given.items() if name == "return_url"},
            **instruments[method],
            "method": method,
            "merchant_id": given.get("merchant_id", MERCHANT.id),
            "amount": draw(st.integers(1, 5000)),
            "currency": draw(st.sampled_from(["INR", "eur", given.get("currency", "USD")])),
        }


_CODE = st.text("0123456789", min_size=3, max_size=3)


def mostly(draw: Draw) -> bool:
    """Eight times of ten."""
    return bool(draw(st.integers(0, 9)) < 8)


def seldom(draw: Draw) -> bool:
    """Once of thirty times; zero would come far more often, as hypothesis likes what is simple."""
    return bool(draw(st.integers(0, 29)) == 17)


def at_own_merchant(case: Case, draw: Draw) -> None:
    """`/pay` is asked for the merchant of who signed in, but seldom: all others are turned away."""
    body = case.body if case.operation.path == "/pay" else None
    other = body.get("merchant_id") if isinstance(body, dict) else None
    if isinstance(other, str) and MERCHANT_ID.fullmatch(other) and not seldom(draw):
        case.body["merchant_id"] = MERCHANT.id


def with_time_of_today(case: Case) -> None:
    """Test mode follows the time of a request for good: in a foreign one every card would be expired."""
    if is_time(case.headers.get(TIME, "")):
        case.headers[TIME] = datetime.now(UTC).isoformat()


def is_time(text: str) -> bool:
    """Whether the gateway reads a time in it."""
    try:
        return msgspec.convert(text, datetime).tzinfo is not None
    except msgspec.ValidationError:
        return False


def without_forms(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document whose operations take JSON alone, where they take both."""
    made = deepcopy(document)
    operations = [one for path in made["paths"].values() for one in path.values()]
    for content in [one["requestBody"]["content"] for one in operations if "requestBody" in one]:
        content.pop(FORM, None)
    return made


def form_of(body: Any) -> str:
    """A body as forms write it: `risk_context[ip]=…`; a form has no null, and no empty list or object."""
    return urlencode(list(_fields(body)))


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if name.endswith("[]"):
        yield from ((name, str(entry)) for entry in value)
    elif isinstance(value, dict | list):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _fields(inner, f"{name}[{part}]" if name else str(part))
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
