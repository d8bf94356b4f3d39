"""The OpenAPI documents are those of the routes that are served, and their answers those that are given."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from starlette.routing import Route

from gateway.api import openapi as of_api
from gateway.api import resources
from gateway.api.application import make_application
from gateway.http.operations import Operation, path_of
from gateway.processor import openapi as of_processor
from gateway.processor.card_input import CardInput, check
from tests.processor_parts import GOOD_KEY, NOW, Bench, in_one_thread
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

API = json.loads(of_api.document())
PROCESSOR = json.loads(of_processor.document())
DOCUMENTS = pytest.mark.parametrize("document", [API, PROCESSOR], ids=["api", "processor"])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        yield from ((f"{method.upper()} {path}", one) for method, one in methods.items())


def served(routes: list[Route]) -> set[tuple[str, str]]:
    return {(method, path_of(route.path)) for route in routes for method in route.methods or ()} - {
        ("GET", "/openapi.json"),
        *(("HEAD", path_of(route.path)) for route in routes),
    }


def named(declared: tuple[Operation, ...]) -> set[tuple[str, str]]:
    return {(one.method, one.path) for one in declared}


def test_the_operations_are_the_routes_that_are_served() -> None:
    nobody: Any = SimpleNamespace(
        payments=None, payment_methods=None, reviews=None, admission=None, gatekeeper=None
    )
    of_both = [make_application(nobody), Bench().public().app()]

    routes = [served(vars(one)["_application"].routes) for one in of_both]

    assert routes == [named(of_api.OPERATIONS), named(of_processor.OPERATIONS)]


@pytest.mark.parametrize("name", DECLARED)
def test_an_answer_has_the_members_that_the_document_declares_and_no_others(name: str) -> None:
    given = json.loads(msgspec.json.encode(ANSWERS[name]))

    declared = msgspec.convert(given, DECLARED[name])

    assert set(msgspec.to_builtins(declared)) == set(given)


@in_one_thread
async def test_a_token_has_the_members_that_the_document_declares_and_no_others() -> None:
    card = check(CardInput(number="4242424242424242", exp_month=12, exp_year=2031), NOW)

    given = await Bench().processor.tokens.create(GOOD_KEY, card, NOW)

    assert msgspec.to_builtins(msgspec.convert(given, of_processor.Token)) == given


@DOCUMENTS
def test_a_document_is_one_of_openapi_3_1(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()


@DOCUMENTS
def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [one["operationId"] for _, one in operations(document)]

    assert len(names) == len(set(names)) > 0


def test_the_document_names_no_character_that_a_request_may_not_hold() -> None:
    description = API["components"]["schemas"]["Item"]["properties"]["description"]

    assert description["anyOf"][0]["pattern"] == "^[^\\u0000]*$"


@DOCUMENTS
def test_every_body_and_every_answer_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    wrong, shown = [], 0
    for name, operation in operations(document):
        for place, content in contents(operation):
            examples = [content["example"]] if "example" in content else []
            examples += [one["value"] for one in content.get("examples", {}).values()]
            wrong += [] if examples or place == "200 text/html" else [f"{name} {place} has no example"]
            wrong += [
                f"{name} {place}: {line}" for one in examples for line in misfits(one, content, document)
            ]
            shown += len(examples)

    assert wrong == []
    assert shown > 2 * len(list(operations(document)))


@DOCUMENTS
def test_every_parameter_with_an_example_has_one_that_fits(document: dict[str, Any]) -> None:
    parameters = [
        (name, one) for name, operation in operations(document) for one in operation.get("parameters", [])
    ]
    shown = [(f"{name} {one['name']}", one) for name, one in parameters if "example" in one]

    assert [line for _, one in shown for line in misfits(one["example"], one, document)] == []
    assert len(shown) > 0


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Body and answers of an operation, by media type."""
    asked = operation.get("requestBody", {"content": {}})
    for place, part in {"body": asked, **operation["responses"]}.items():
        yield from ((f"{place} {media}", content) for media, content in part.get("content", {}).items())


def misfits(example: Any, described: dict[str, Any], document: dict[str, Any]) -> list[str]:
    schema = {**described["schema"], "components": document["components"]}
    checked = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in checked.iter_errors(example)]


def test_every_operation_that_takes_a_key_says_who_may_not_ask_and_when_to_come_again() -> None:
    lacking = [
        f"{name} {status}"
        for document in (API, PROCESSOR)
        for name, one in operations(document)
        for status in ("400", "401", "413", "429", "431", "500", "503")
        if one["security"] and status not in one["responses"]
    ]

    assert lacking == []
    for document, path in ((API, "/v1/payment_intents"), (PROCESSOR, "/v1/tokens")):
        responses = document["paths"][path]["post"]["responses"]
        assert "WWW-Authenticate" in responses["401"]["headers"]
        assert "Retry-After" in responses["429"]["headers"]
        assert "Retry-After" in responses["503"]["headers"]


def test_what_is_kept_under_an_idempotency_key_says_so_in_request_and_answer() -> None:
    keyed = {
        name
        for name, one in operations(API)
        if any(parameter["name"] == "Idempotency-Key" for parameter in one.get("parameters", []))
    }
    replayed = {
        name
        for name, one in operations(API)
        if "Idempotent-Replayed" in one["responses"]["200"].get("headers", {})
    }

    assert keyed == replayed == {name for name, one in operations(API) if name.startswith("POST /v1")}
