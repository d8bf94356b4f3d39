"""Every POST of the API is done once under its idempotency key, also where its answer was lost."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, update

from gateway.api.openapi import OPERATIONS, Operation
from gateway.store.tables import idempotency_keys
from tests.fuzz.bringing_to_life import IN_STATE
from tests.fuzz.living_api import LivingApi, living_api

ORDER = {"amount": 1250, "currency": "eur"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/payment_intents": ORDER,
    "/v1/payment_intents/{id}": {"description": "tea"},
    "/v1/payment_intents/{id}/increment_authorization": {"amount": 1400},
    "/v1/payment_methods/{id}/attach": {"customer": "c-17"},
    "/v1/account_events": {"type": "sign_in", "customer": "c-17"},
}
"""What each operation is asked; those that are not here are asked with an empty body."""

POSTS = [one for one in OPERATIONS if one.method == "POST" and not one.open_to_all]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingApi]:
    with living_api(tmp_path_factory.mktemp("posts")) as one:
        yield one


def asked(one: Operation, api: LivingApi) -> tuple[str, dict[str, Any]]:
    """The path and the body of a request that the operation can do."""
    if one.path == "/v1/labels":
        paid = api.intent("confirm")["id"]
        return one.path, {"payment_intent": paid, "kind": "fraud_dispute", "source": "bank"}
    if one.path == "/v1/payment_methods":
        return one.path, {"type": "card", "card": {"token": api.token()}}
    if "{id}" in one.path:
        return one.path.replace("{id}", IN_STATE[one.path](api)), BODIES.get(one.path, {})
    return one.path, BODIES[one.path]


def lose_the_answers(api: LivingApi) -> None:
    """As a crash between the commit of what was done and that of its answer leaves the store."""
    store = api.world.store
    unanswered = select(func.count()).where(idempotency_keys.c.status.is_(None))

    async def lost() -> None:
        async def kept() -> bool:
            return await store.read(lambda c: c.execute(unanswered).scalar_one()) == 0

        await api.world.until(kept)
        forget = update(idempotency_keys).values(status=None, sealed_body=None)
        await store.write(lambda c: c.execute(forget) and None)

    api.run(lost())


@pytest.mark.parametrize("one", POSTS, ids=lambda one: one.name)
def test_what_is_posted_again_under_its_key_is_answered_as_before(one: Operation, api: LivingApi) -> None:
    path, body = asked(one, api)
    api.run(api.world.store.write(lambda c: c.execute(delete(idempotency_keys)) and None))
    key = {"idempotency-key": str(uuid4())}

    first = api.http.post(path, json=body, headers=key)
    again = api.http.post(path, json=body, headers=key)
    lose_the_answers(api)
    rebuilt = api.http.post(path, json=body, headers=key)

    assert first.status_code in (200, 402), first.text
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert (rebuilt.status_code, rebuilt.json().get("id")) == (first.status_code, first.json().get("id"))
