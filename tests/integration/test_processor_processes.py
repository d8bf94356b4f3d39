"""Processor and acquirer as programs: tokens, authorizations, captures over TLS, and what a kill leaves."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.integration.processor_world import NOW, World, attempt, client, running

AT = {"occurred_at": NOW.isoformat()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("processor")) as started:
        yield started


def test_a_card_becomes_a_token_and_the_token_a_captured_payment(world: World) -> None:
    token = world.token()

    with world.api() as api:
        approved = api.post("/internal/authorizations", json=attempt("pay-1", token)).json()
        captured = api.post("/internal/authorizations/pay-1/capture", json={"amount_minor": 900, **AT}).json()

    assert approved["status"] == "approved"
    assert approved["approval_code"]
    assert (captured["status"], captured["captured_minor"]) == ("captured", 900)
    assert world.registry.registered[-1].token == token


def test_a_client_without_a_certificate_is_refused_on_the_internal_listener(world: World) -> None:
    nobody = ssl.create_default_context(cafile=str(world.keys / "api" / "internal-ca.pem"))

    with client(f"https://127.0.0.1:{world.internal_port}", nobody) as api, pytest.raises(httpx2.HTTPError):
        api.get("/internal/authorizations/pay-1")


def test_a_wrong_key_gets_no_token_and_its_card_is_not_kept(world: World) -> None:
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2031, "cvc": "737"}

    with world.shopper() as shopper:
        answer = shopper.post(
            "/v1/tokens", json={"card": card}, headers={"authorization": "Bearer sk_test_x"}
        )

    assert answer.status_code == 401


def test_a_kill_between_the_issuers_answer_and_the_outcome_ends_in_a_reversal(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        token = world.token()
        assert world.processor is not None
        world.processor.stop()
        world.start_processor(crash_at="processor.authorization.answered")
        with world.api() as api, pytest.raises(httpx2.HTTPError):
            api.post("/internal/authorizations", json=attempt("doubt", token))
        world.processor.died()

        world.start_processor()

        with world.api() as api:
            found = api.get("/internal/authorizations/doubt").json()
            again = api.post("/internal/authorizations", json=attempt("doubt", token)).json()
        assert (found["status"], again["status"]) == ("reversed", "reversed")
