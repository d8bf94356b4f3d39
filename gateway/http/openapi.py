"""A listener's OpenAPI 3.1 document, made of the very structs that requests are read into, and of its errors:
each refusal is described by the status, the headers and the text that the error has."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.errors import GatewayError
from gateway.http.decoding import FORM, JSON
from gateway.http.json_schemas import as_asked, in_brackets, parameters_of, schemas_of
from gateway.http.operations import Interface, Members, Operation, refusals
from gateway.http.problems import problem

PROBLEM = "application/problem+json"

_MEANINGS = {
    400: "Something in the request is not as documented, or cannot be done now.",
    401: "Nobody is known by what the request presents.",
    402: "The card was declined, or the payment blocked.",
    403: "Who asks is known, and may not do this.",
    404: "There is no such resource of yours.",
    408: "The request did not come in time.",
    409: "Another request changes the same thing, or has the same idempotency key: try again.",
    413: "The body is too large.",
    415: "The body is of a media type that is not read.",
    429: "Too many requests: try again after `Retry-After`.",
    431: "Request line and headers are too large.",
    500: "Something failed here; the request may be sent again.",
    503: "Something that is needed gives no answer: try again after `Retry-After`.",
}

_HEADERS: dict[str, Members] = {
    "Retry-After": {
        "description": "Seconds to wait before the same is asked again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "WWW-Authenticate": {"description": "How to say who asks.", "schema": {"type": "string"}},
}
"""Headers of refusals that are their reader's business; `connection` is its HTTP client's."""

_REQUEST_ID = "req_5f0c2d1e9ab34c7f8e6d5a4b3c2d1e0f"
"""Of the request in every example."""
_NAMED: dict[str, Members] = {"Request-Id": {"$ref": "#/components/headers/RequestId"}}
"""What every answer carries."""
_REQUEST_ID_HEADER: Members = {
    "description": "Names this request, to whoever is asked about it and in the log.",
    "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"},
    "example": _REQUEST_ID,
}

_REPLAYED: dict[str, Members] = {
    "Idempotent-Replayed": {
        "description": "`true` where it was answered before, under the same idempotency key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


_FORM_NAME = "Form"
"""Ends the name of a body as forms write it: of one class, some generated clients send both."""


def document(interface: Interface) -> bytes:
    """The document as JSON."""
    kinds = {kind for one in interface.operations for kind in (one.body, one.query, one.answer)}
    schemas, components = schemas_of({*kinds - {None}, interface.problem}, interface.narrowed)
    for one in interface.operations:
        if one.body is not None and FORM in one.media:
            name = one.body.__name__ + _FORM_NAME
            components[name] = {**components[one.body.__name__], "title": name}
    paths: dict[str, Members] = {}
    for one in interface.operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, interface, schemas)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": interface.title,
                "version": "1",
                "description": interface.description,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "headers": {"RequestId": _REQUEST_ID_HEADER},
                "securitySchemes": interface.security,
            },
        }
    )


def _operation(one: Operation, interface: Interface, schemas: Mapping[Any, Members]) -> Members:
    said: Members = {
        "operationId": one.name,
        "summary": one.summary,
        "security": [{name: []} for name in one.security],
        "responses": _responses(one, interface, schemas),
    }
    if parameters := [*_parameters(one, interface)]:
        said["parameters"] = parameters
    if one.body is not None:
        said["requestBody"] = _body(one, one.body, interface, schemas[one.body])
    return said


def _body(one: Operation, body: type[msgspec.Struct], interface: Interface, schema: Members) -> Members:
    content: Members = {media: {"schema": schema} for media in one.media}
    if FORM in content:
        content[FORM]["schema"] = {"$ref": f"{schema['$ref']}{_FORM_NAME}"}
        if encoding := in_brackets(body):
            content[FORM]["encoding"] = encoding
    if body in interface.examples:
        for said in content.values():
            said["example"] = as_asked(interface.examples[body])
    return {"required": any(field.required for field in msgspec.structs.fields(body)), "content": content}


def _parameters(one: Operation, interface: Interface) -> Iterator[Members]:
    if "{id}" in one.path:
        schema = {"type": "string", "pattern": "^[A-Za-z0-9_]{1,64}$"}
        yield {"name": "id", "in": "path", "required": True, "schema": schema}
    if one.query is not None:
        yield from parameters_of(one.query, interface.examples.get(one.query), interface.narrowed)
    for header in one.headers:
        yield {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.meaning,
            "schema": header.schema,
            "example": header.example,
        }


def _responses(one: Operation, interface: Interface, schemas: Mapping[Any, Members]) -> Members:
    answer: Members = {"schema": schemas[one.answer]}
    if one.answer in interface.examples:
        answer["example"] = msgspec.to_builtins(interface.examples[one.answer])
    headers = {**_NAMED, **_REPLAYED} if one.is_replayed else {**_NAMED}
    responses: Members = {
        "200": {"description": "Done.", "content": {one.answer_media: answer}, "headers": headers},
    }
    if one.leads_to:
        location = {"Location": {"description": one.leads_to, "schema": {"type": "string", "format": "uri"}}}
        responses["303"] = {"description": one.leads_to, "headers": {**_NAMED, **location}}
    for error in sorted(refusals(one), key=lambda error: error.STATUS):
        _add_refusal(responses, error, one, interface, schemas)
    for status in {"402", "500"} & responses.keys() if one.is_replayed else ():
        responses[status]["headers"].update(_REPLAYED)
    return responses


def _add_refusal(
    responses: Members,
    error: GatewayError,
    one: Operation,
    interface: Interface,
    schemas: Mapping[Any, Members],
) -> None:
    response = responses.setdefault(
        str(error.STATUS), {"description": _MEANINGS[error.STATUS], "headers": {**_NAMED}, "content": {}}
    )
    response["headers"].update(
        {name: said for name, said in _HEADERS.items() if name.lower() in error.headers}
    )
    if error in one.in_its_words:
        said = msgspec.to_builtins(one.in_its_words[error])
        response["content"][JSON] = {"schema": schemas[one.answer], "example": said}
    else:
        fresh: Members = {"schema": schemas[interface.problem], "examples": {}}
        shown = response["content"].setdefault(PROBLEM, fresh)
        shown["examples"][error.code] = {"value": problem(error, _REQUEST_ID)}
