"""The API as an OpenAPI 3.1 document, made of the very structs that requests are read into.

What is checked by code and not by type stands here beside it (`_NARROWED`), so that the document promises no
more than is taken. Tests hold the operations to the routes that are served, and fuzz every one of them.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import iso4217
import msgspec

from gateway import method_requests, requests
from gateway.api import resources
from gateway.api.expanding import ways_from, ways_from_list
from gateway.countries import COUNTRIES

_REF = "#/components/schemas/{name}"


class Operation(NamedTuple):
    """One method of one path. `body` and `query` are what is read, `answer` what is given."""

    method: str
    path: str
    summary: str
    answer: Any
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    declines: bool = False
    open_to_all: bool = False

    @property
    def name(self) -> str:
        """Unique, for clients that are generated: `post_payment_intents_id_confirm`."""
        words = [part.strip("{}") for part in self.path.split("/") if part not in ("", "v1")]
        return "_".join([self.method.lower(), *words])


_INTENTS, _METHODS, _REVIEWS = "/v1/payment_intents", "/v1/payment_methods", "/v1/reviews"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        _INTENTS,
        "Create a payment intent, and confirm it where asked to",
        resources.PaymentIntent,
        requests.CreateIntent,
        declines=True,
    ),
    Operation(
        "GET", _INTENTS, "List them", resources.Page[resources.PaymentIntent], query=requests.ListIntents
    ),
    Operation(
        "GET",
        f"{_INTENTS}/search",
        "Search them",
        resources.Found[resources.PaymentIntent],
        query=requests.SearchIntents,
    ),
    Operation(
        "GET",
        f"{_INTENTS}/{{id}}",
        "Retrieve one",
        resources.PaymentIntent,
        query=requests.RetrieveIntent,
    ),
    Operation("POST", f"{_INTENTS}/{{id}}", "Change one", resources.PaymentIntent, requests.UpdateIntent),
    Operation(
        "POST",
        f"{_INTENTS}/{{id}}/confirm",
        "Pay: assess, authorize and, unless told otherwise, capture",
        resources.PaymentIntent,
        requests.ConfirmIntent,
        declines=True,
    ),
    Operation(
        "POST", f"{_INTENTS}/{{id}}/capture", "Capture", resources.PaymentIntent, requests.CaptureIntent
    ),
    Operation(
        "POST",
        f"{_INTENTS}/{{id}}/increment_authorization",
        "Have more authorized",
        resources.PaymentIntent,
        requests.IncrementIntent,
        declines=True,
    ),
    Operation("POST", f"{_INTENTS}/{{id}}/cancel", "Cancel", resources.PaymentIntent, requests.CancelIntent),
    Operation(
        "POST",
        _METHODS,
        "Keep what pays under an id",
        resources.PaymentMethod,
        method_requests.PaymentMethodData,
    ),
    Operation(
        "GET",
        _METHODS,
        "List a customer's",
        resources.Page[resources.PaymentMethod],
        query=method_requests.ListPaymentMethods,
    ),
    Operation("GET", f"{_METHODS}/{{id}}", "Retrieve a payment method", resources.PaymentMethod),
    Operation(
        "POST",
        f"{_METHODS}/{{id}}/attach",
        "Keep it for a customer",
        resources.PaymentMethod,
        method_requests.AttachPaymentMethod,
    ),
    Operation(
        "POST",
        f"{_METHODS}/{{id}}/detach",
        "Let nobody pay with it any more",
        resources.PaymentMethod,
        method_requests.DetachPaymentMethod,
    ),
    Operation(
        "GET", "/v1/charges", "List charges", resources.Page[resources.Charge], query=requests.ListCharges
    ),
    Operation(
        "GET", "/v1/charges/{id}", "Retrieve a charge", resources.Charge, query=requests.RetrieveCharge
    ),
    Operation("GET", _REVIEWS, "List reviews", resources.Page[resources.Review], query=requests.ListReviews),
    Operation(
        "GET", f"{_REVIEWS}/{{id}}", "Retrieve a review", resources.Review, query=requests.RetrieveReview
    ),
    Operation("POST", f"{_REVIEWS}/{{id}}/approve", "Lift the hold", resources.Review, requests.CloseReview),
    Operation(
        "POST", f"{_REVIEWS}/{{id}}/reject", "Void the payment", resources.Review, requests.CloseReview
    ),
    Operation("POST", "/v1/account_events", "Report a sign-in", resources.SignIn, requests.AccountEvent),
    Operation("POST", "/v1/labels", "Say what a payment was", resources.Label, requests.ReportLabel),
    Operation("POST", "/signin", "Sign in", resources.AccessToken, requests.SignInWith, open_to_all=True),
    Operation("GET", "/health", "Whether the program answers", resources.Health, open_to_all=True),
)

_NARROWED: dict[str, dict[str, Any]] = {
    "a currency in three letters (ISO 4217)": {
        "enum": sorted(
            spelled
            for one in iso4217.Currency
            if one.exponent is not None
            for spelled in (one.code, one.code.lower())
        )
    },
    "a way from a payment intent": {"enum": [*ways_from("payment_intent")]},
    "a way from a charge": {"enum": [*ways_from("charge")]},
    "a way from a review": {"enum": [*ways_from("review")]},
    "a way from a list of payment intents": {"enum": [*ways_from_list("payment_intent")]},
    "a way from a list of charges": {"enum": [*ways_from_list("charge")]},
    "a way from a list of reviews": {"enum": [*ways_from_list("review")]},
    "an IPv4 or IPv6 address": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    "a country in two letters (ISO 3166)": {
        "enum": sorted(spelled for code in COUNTRIES for spelled in (code, code.lower()))
    },
}
"""Described types whose values the code looks up: the lists themselves."""


@cache
def document() -> bytes:
    """The document as JSON."""
    structs = {kind for one in OPERATIONS for kind in (one.body, one.query, one.answer) if kind is not None}
    kinds = sorted({*structs, resources.Problem}, key=str)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    of = {kind: _plain(schema) for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, of)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Weir",
                "version": "1",
                "description": "Payments, scored for fraud while the customer waits; in words: docs/api.md.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": {name: _plain(schema) for name, schema in components.items()},
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"key": []}],
        }
    )


def _operation(one: Operation, of: dict[Any, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"operationId": one.name, "summary": one.summary, "responses": _responses(one, of)}
    parameters = [*_path_parameters(one.path), *_query_parameters(one.query)]
    if parameters:
        said["parameters"] = parameters
    if one.body is not None:
        required = any(field.required for field in msgspec.structs.fields(one.body))
        said["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": of[one.body]}},
        }
    if one.open_to_all:
        said["security"] = []
    return said


def _responses(one: Operation, of: dict[Any, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": of[resources.Problem]}}
    responses: dict[str, Any] = {
        "200": {"description": "Done.", "content": {"application/json": {"schema": of[one.answer]}}}
    }
    for status, meaning in _refusals(one):
        responses[status] = {"description": meaning, "content": problem}
    return responses


def _refusals(one: Operation) -> Iterable[tuple[str, str]]:
    if one.open_to_all and one.body is None:
        return
    yield "400", "Something in the request is not as documented, or cannot be done now."
    yield "401", "The name or password is wrong." if one.open_to_all else "The key is missing or wrong."
    if one.declines:
        yield "402", "The card was declined, or the payment blocked."
    if not one.open_to_all:
        yield "404", "There is no such resource of yours."
    if one.method == "POST":
        yield "409", "Another request changes the same thing: try again."
        yield "413", "The body is too large."
        yield "415", "The body is neither JSON nor form-encoded."
    yield "429", "Too many requests: try again after `Retry-After`."
    yield "503", "Something that is needed gives no answer: try again after `Retry-After`."


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_]{1,64}$"}
    return [{"name": "id", "in": "path", "required": True, "schema": schema}] if "{id}" in path else []


def _query_parameters(query: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    _, components = msgspec.json.schema_components([query], ref_template=_REF)
    members = components[query.__name__]["properties"]
    return [
        {
            "name": "expand[]" if name == "expand" else name,
            "in": "query",
            "required": name in components[query.__name__].get("required", ()),
            # Who sends a parameter gives it a value: there is no null in a query.
            "schema": _plain(_without_null(schema)),
            # A range is sent as `created[gte]=…`.
            **({"style": "deepObject", "explode": True} if name == "created" else {}),
        }
        for name, schema in members.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else {**schema, "anyOf": kinds} if kinds else schema


def _plain(schema: Any) -> Any:
    """In the words of JSON Schema: its own patterns, no character NUL, and looked-up values as lists."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _plain(part) for name, part in schema.items()}
    if "propertyNames" in schema:
        schema["propertyNames"] = _plain({"type": "string", **schema["propertyNames"]})
    if schema.get("type") == "string" and "enum" not in schema:
        narrowed = _NARROWED.get(schema.get("description", ""))
        if narrowed is not None:
            return {"type": "string", "description": schema["description"], **narrowed}
        pattern = schema.get("pattern", r"^[^\u0000]*$")
        schema["pattern"] = pattern.replace(r"\Z", "$")
    return schema


def path_of(route_path: str) -> str:
    """A served path as the document writes it: every identifier is `{id}`."""
    parts = ["{id}" if part.startswith("{") else part for part in route_path.split("/")]
    return "/".join(parts)
