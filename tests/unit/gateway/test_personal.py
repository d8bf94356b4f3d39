"""People: what is sealed can be opened until they are forgotten, and then by nobody."""

from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.schema import Table

from events.types import AssessmentRequested
from gateway.auth import create_key
from gateway.errors import NotFoundError
from gateway.event_recorder import EventRecorder
from gateway.payments.intents import Intent
from gateway.people.merchants import Merchant, create_merchant
from gateway.personal import PersonalData
from gateway.requests import ConfirmIntent, CreateIntent, RiskContextInput
from gateway.store.tables import subject_keys, subject_surrogates, surrogates, tokens
from tests.gateway_world import KEYRING, START, World, live_through

CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="A@Example.com", user_agent="Browser")


def personal_of(world: World) -> PersonalData:
    return PersonalData(
        entities_secret=KEYRING.entities, wrapping_key=KEYRING.subjects, entropy=world.entropy
    )


async def paid(world: World, customer: str | None = "c-1") -> Intent:
    caller = await world.caller()
    body = CreateIntent(
        amount=100,
        currency="eur",
        customer=customer,
        metadata={"note": "for Ada"},
        payment_method=await world.token(),
        risk_context=CONTEXT,
    )
    intent = await world.gateway.payments.create(caller, body)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def count(world: World, table: Table) -> int:
    found = await world.store.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())
    return int(found)


def question(world: World) -> AssessmentRequested:
    event = world.log.events("assessments")[-1]
    assert isinstance(event, AssessmentRequested)
    return event


def test_the_key_of_a_person_opens_what_the_log_holds_of_them(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await paid(world)
        context = question(world).context

        fields = await world.store.read(
            lambda c: personal_of(world).unseal(c, context.subject or "", context.sealed)
        )

        assert fields == {
            "ip": "192.0.2.7",
            "device_id": "device-1",
            "email": "A@Example.com",
            "user_agent": "Browser",
        }

    live_through(tmp_path, story)


@pytest.mark.parametrize("customer", ["c-1", None])
def test_a_forgotten_person_leaves_no_key_no_mapping_and_no_name(
    tmp_path: Path, customer: str | None
) -> None:
    async def story(world: World) -> None:
        intent = await paid(world, customer)
        context = question(world).context
        personal = personal_of(world)
        await world.store.write(lambda c: personal.erase(c, intent.subject))

        sealed = await world.store.read(lambda c: personal.unseal(c, intent.subject, context.sealed))
        after = await world.intent(intent.id)

        assert sealed == {}
        assert (after.customer, after.metadata, after.sealed_context) == (None, {}, None)
        assert after.amount_received_minor == 100
        for table in (subject_keys, surrogates, subject_surrogates, tokens):
            assert await count(world, table) == 0

    live_through(tmp_path, story)


def test_who_comes_back_after_being_forgotten_is_somebody_new(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await paid(world)
        before = question(world).context
        await world.store.write(lambda c: personal_of(world).erase(c, intent.subject))
        await paid(world)
        after = question(world).context

        assert {before.ip, before.device, before.email, before.customer}.isdisjoint(
            {after.ip, after.device, after.email, after.customer}
        )

    live_through(tmp_path, story)


def test_forgetting_one_person_leaves_the_others(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await paid(world, "c-1")
        other = await paid(world, "c-2")
        personal = personal_of(world)
        subject = await world.store.read(
            lambda c: personal.customer_subject(c, "test", other.merchant_id, "c-1")
        )
        await world.store.write(lambda c: personal.erase(c, subject or ""))

        context = question(world).context
        fields = await world.store.read(lambda c: personal.unseal(c, other.subject, context.sealed))

        assert fields["email"] == "A@Example.com"
        assert (await world.intent(other.id)).customer == "c-2"

    live_through(tmp_path, story)


def test_another_merchants_token_of_the_same_card_goes_on_under_a_new_surrogate(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await paid(world)
        own_key, world.keys["test"] = world.keys["test"], await another_merchants_key(world)
        await world.token(name="tok_theirs")
        before = (await cards(world))["tok_theirs"]

        await world.store.write(lambda c: personal_of(world).erase(c, intent.subject))

        after = await cards(world)
        await world.token(name="tok_again")
        assert list(after) == ["tok_theirs"]
        assert after["tok_theirs"] != before
        assert (await cards(world))["tok_again"] == after["tok_theirs"]
        caller = await world.caller()
        body = CreateIntent(amount=100, currency="eur", payment_method="tok_theirs")
        theirs = await world.gateway.payments.create(caller, body)
        done = await world.gateway.payments.confirm(caller, theirs.id, ConfirmIntent())
        assert done.status == "succeeded"
        world.keys["test"] = own_key
        with pytest.raises(NotFoundError):
            await world.gateway.payments.create(
                await world.caller(), CreateIntent(amount=100, currency="eur", payment_method="tok_1")
            )

    live_through(tmp_path, story)


async def cards(world: World) -> dict[str, str]:
    """The surrogate of each token's card."""
    rows = await world.store.read(lambda c: c.execute(select(tokens.c.id, tokens.c.surrogate)).all())
    return {row.id: row.surrogate for row in rows}


async def another_merchants_key(world: World) -> str:
    recorder = EventRecorder(world.entropy)
    other = Merchant(id="m_2", name="Pots", category="5719", country="IN")
    await world.store.write(lambda c: create_merchant(c, recorder, other, at=START, actor="test"))
    created = await world.store.write(
        lambda c: create_key(
            c,
            recorder,
            merchant_id=other.id,
            mode="test",
            secret=KEYRING.api_keys,
            entropy=world.entropy,
            at=START,
            actor="test",
        )
    )
    return created.secret


def test_nobody_cannot_be_forgotten(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NotFoundError):
            await world.store.write(lambda c: personal_of(world).erase(c, "nobody"))

    live_through(tmp_path, story)


def test_no_personal_value_is_in_the_store_in_the_clear(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await paid(world)

    live_through(tmp_path, story)

    for path in tmp_path.iterdir():
        for value in (b"192.0.2.7", b"device-1", b"xample.com", b"fingerprint-1"):
            assert value not in path.read_bytes()


def test_one_value_has_other_surrogates_in_live_than_in_test(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        personal = personal_of(world)
        test, live = [
            await world.store.write(lambda c, mode=mode: personal.surrogates(c, mode, {"ip": "192.0.2.7"}))
            for mode in ("test", "live")
        ]

        assert test != live

    live_through(tmp_path, story)
