"""The OpenAPI document is that of the routes that are served, and its answers are those that are given."""

import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateway.api import resources
from gateway.api.application import make_application
from gateway.api.openapi import OPERATIONS, document, path_of
from tests.test_api_reference import ANSWERS

DECLARED: dict[str, Any] = {
    "PaymentIntent": resources.PaymentIntent,
    "NextAction": resources.NextAction,
    "PaymentMethod": resources.PaymentMethod,
    "Charge": resources.Charge,
    "Review": resources.Review,
    "Label": resources.Label,
    "AccountEvent": resources.SignIn,
    "List": resources.Page[resources.Review],
    "SearchResult": resources.Found[resources.PaymentIntent],
    "Problem": resources.Problem,
}


def test_the_operations_are_the_routes_that_are_served() -> None:
    nobody: Any = SimpleNamespace(payments=None, payment_methods=None, reviews=None)
    routes = vars(make_application(nobody))["_application"].routes

    served = {(method, path_of(route.path)) for route in routes for method in route.methods}

    assert {(one.method, one.path) for one in OPERATIONS} == served - {("GET", "/openapi.json")}


@pytest.mark.parametrize("name", DECLARED)
def test_an_answer_has_the_members_that_the_document_declares_and_no_others(name: str) -> None:
    given = json.loads(msgspec.json.encode(ANSWERS[name]))

    declared = msgspec.convert(given, DECLARED[name])

    assert set(msgspec.to_builtins(declared)) == set(given)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [one["operationId"] for path in json.loads(document())["paths"].values() for one in path.values()]

    assert len(names) == len(OPERATIONS) == len(set(names))


def test_the_document_names_no_character_that_a_request_may_not_hold() -> None:
    [pattern] = [
        json.loads(document())["components"]["schemas"]["Item"]["properties"]["description"]["anyOf"][0][
            "pattern"
        ]
    ]

    assert pattern == "^[^\\u0000]*$"
