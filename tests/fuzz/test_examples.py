"""The examples of both OpenAPI documents are such as a merchant could send: each is asked, and is done."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gateway.api import openapi as of_api
from gateway.http.decoding import FORM, JSON
from gateway.http.operations import Operation
from gateway.processor import openapi as of_processor
from tests.fuzz.bringing_to_life import IN_STATE, KNOWN, form_of
from tests.fuzz.living_api import LivingApi, living_api
from tests.gateway_world import MERCHANT

DOCUMENTS = {"api": json.loads(of_api.document()), "processor": json.loads(of_processor.document())}
ASKED = [
    (listener, one, media)
    for listener, operations in (("api", of_api.OPERATIONS), ("processor", of_processor.OPERATIONS))
    for one in operations
    for media in (one.media if one.body else (JSON,))
]
NOT_NAMED = {"page", "query"}
"""Members that `KNOWN` makes and that name no resource."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingApi]:
    with living_api(tmp_path_factory.mktemp("examples")) as one:
        yield one


@pytest.mark.parametrize(("listener", "one", "media"), ASKED, ids=lambda part: getattr(part, "name", part))
def test_an_example_is_done_as_it_is_shown(listener: str, one: Operation, media: str, api: LivingApi) -> None:
    described = DOCUMENTS[listener]["paths"][one.path][one.method.lower()]
    url = api.urls[listener] + one.path
    if "{id}" in one.path:
        url = url.replace("{id}", IN_STATE[one.path](api))
    query = {
        parameter["name"]: parameter["example"]
        for parameter in described.get("parameters", [])
        if parameter["in"] == "query" and "example" in parameter
    }

    answer = httpx2.request(
        one.method,
        f"{url}?{form_of(named(query, api))}" if query else url,
        headers={**api.authorization(one), "Content-Type": media},
        content=body_of(described, media, api),
        trust_env=False,
        timeout=30,
    )

    assert answer.status_code == 200, answer.text
    shown = described["responses"]["200"]["content"][one.answer_media].get("example")
    assert shown is None or set(answer.json()) == set(shown)


def body_of(described: dict[str, Any], media: str, api: LivingApi) -> bytes | None:
    if "requestBody" not in described:
        return None
    example = named(described["requestBody"]["content"][media]["example"], api)
    return (form_of(example) if media == FORM else json.dumps(example)).encode()


def named(example: dict[str, Any], api: LivingApi) -> dict[str, Any]:
    """The example with names of what there is."""
    made = {name: KNOWN[name](api) for name in KNOWN.keys() - NOT_NAMED & example.keys()}
    own = {"merchant_id": MERCHANT.id, **api.credentials}
    return {**example, **made, **{name: value for name, value in own.items() if name in example}}
