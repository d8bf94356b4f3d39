"""Signing in: passwords, lock-out, access tokens, and what is told of every try."""

import asyncio
from collections import Counter as Counts
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx2
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select, update

from events.clock import VirtualClock
from events.types import AssessmentRequested, AuditRecorded, SignInAttempted
from gateway.api.application import make_application
from gateway.errors import InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.keys.keyring import open_keyring
from gateway.people.access_tokens import VALID_FOR, AccessTokens
from gateway.people.errors import InvalidTokenError, RateLimitedError, WrongCredentialsError
from gateway.people.passwords import WAITING_MAX, Passwords, generated, hashed, require_good
from gateway.people.users import (
    LOCKED_FOR,
    User,
    disable_user,
    enable_user,
    find_credentials,
    reset_password,
    state_of,
    unlock_user,
)
from gateway.requests import AccountEvent, CreateIntent, RiskContextInput
from gateway.store.tables import users
from models.engine import Engine
from models.features import POSITIONS
from pipelines import observe
from tests.gateway_world import KEYRING, MERCHANT, PASSWORD, START, Counter, World, make_user
from tests.virtual_time import run_virtually

GOOD = PASSWORD
IP = "203.0.113.9"


def signed_in(folder: Path, story: Callable[[World, VirtualClock], Awaitable[None]]) -> None:
    """A story in virtual time with one user, `ada`, of the world's merchant."""
    clock = VirtualClock(START)

    async def live() -> None:
        async with World(folder, clock=clock) as world:
            await make_user(world, "ada")
            await story(world, clock)

    run_virtually(clock, live)


async def everybody(_merchant_id: str) -> bool:
    """Of no merchant there are too many."""
    return True


async def tried(world: World, password: str = GOOD, name: str = "ada") -> str | None:
    """The token, None where the door stays shut."""
    try:
        return await world.gateway.sign_ins.sign_in(
            name, password, ip=IP, user_agent="Browser", lets=everybody
        )
    except WrongCredentialsError:
        return None


def test_a_token_says_who_and_for_which_merchant(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        token = await tried(world, name="ADA")

        assert token is not None
        said = jwt.decode(token, OctKey.import_key(KEYRING.sign_ins), algorithms=["HS256"])
        assert (said.header["alg"], said.claims["merchant_id"]) == ("HS256", MERCHANT.id)
        assert said.claims["exp"] - said.claims["iat"] == VALID_FOR.total_seconds()
        caller = await world.gateway.sign_ins.caller(token)
        assert (caller.merchant_id, caller.mode) == (MERCHANT.id, "test")

    signed_in(tmp_path, story)


def test_ten_failures_lock_for_half_an_hour_even_the_right_password(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        for _ in range(9):
            assert await tried(world, "wrong horse 42") is None
        assert await tried(world) is not None

        for _ in range(10):
            await tried(world, "wrong horse 42")
        assert await tried(world) is None
        await world.restart()
        clock.advance((LOCKED_FOR - timedelta(seconds=5)).total_seconds())
        assert await tried(world) is None
        clock.advance(10)
        assert await tried(world) is not None
        assert len({event.id for event in audited(world) if event.action == "user.lock"}) == 1

    signed_in(tmp_path, story)


def test_of_many_guesses_at_once_only_ten_are_worth_anything(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        guesses = [tried(world, f"wrong horse {n}") for n in range(10)]
        answers = await asyncio.gather(*guesses, tried(world))

        assert answers == [None] * 11

    signed_in(tmp_path, story)


def test_too_many_of_one_merchant_learn_nothing_of_a_locked_or_disabled_name(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        sign_in = world.gateway.sign_ins.sign_in

        async def crowded(_merchant_id: str) -> bool:
            return False

        for _ in range(10):
            await tried(world, "wrong horse 42")
        for password in (GOOD, "wrong horse 42"):
            with pytest.raises(WrongCredentialsError):
                await sign_in("ada", password, ip=IP, user_agent=None, lets=crowded)
        recorder = EventRecorder(world.entropy)
        await world.store.write(lambda c: disable_user(c, recorder, "ada", at=START, actor="test"))
        clock.advance((LOCKED_FOR + timedelta(seconds=5)).total_seconds())
        with pytest.raises(WrongCredentialsError):
            await sign_in("ada", GOOD, ip=IP, user_agent=None, lets=crowded)

    signed_in(tmp_path, story)


def test_who_comes_when_too_many_do_is_told_so_and_the_try_is_an_event(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        async def crowded(_merchant_id: str) -> bool:
            return False

        with pytest.raises(RateLimitedError):
            await world.gateway.sign_ins.sign_in("ada", GOOD, ip=IP, user_agent=None, lets=crowded)
        await world.until(lambda: len(world.log.events("accounts")) == 1)

        [event] = world.log.events("accounts")
        assert isinstance(event, SignInAttempted)
        assert not event.succeeded
        tries = [event for event in audited(world) if event.action == "user.sign_in"]
        assert [event.outcome for event in tries] == ["refused"]

    signed_in(tmp_path, story)


def test_a_test_request_from_next_year_unlocks_nobody(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        for _ in range(10):
            await tried(world, "wrong horse 42")
        await world.caller(at=START + timedelta(days=365))

        assert await tried(world) is None

    signed_in(tmp_path, story)


def test_a_disabled_user_and_one_with_a_new_password_lose_their_tokens(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        recorder = EventRecorder(world.entropy)
        token = await tried(world)
        await world.store.write(
            lambda c: reset_password(c, recorder, "ada", "another horse 43", at=START, actor="test")
        )
        await refused(world, token)
        token = await tried(world, "another horse 43")
        await world.store.write(lambda c: disable_user(c, recorder, "ada", at=START, actor="test"))
        await refused(world, token)
        assert await tried(world, "another horse 43") is None

    signed_in(tmp_path, story)


def test_who_is_enabled_again_signs_in_anew_and_a_token_of_before_stays_worth_nothing(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        recorder = EventRecorder(world.entropy)
        token = await tried(world)
        for change in (disable_user, enable_user):
            await world.store.write(
                lambda c, change=change: change(c, recorder, "ada", at=START, actor="test")
            )

        await refused(world, token)
        assert await tried(world) is not None
        await world.until(lambda: "user.enable" in {event.action for event in audited(world)})

    signed_in(tmp_path, story)


def test_a_lock_takes_the_tokens_too_and_unlocking_lets_in_again(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        token = await tried(world)
        for _ in range(10):
            await tried(world, "wrong horse 42")
        await refused(world, token)

        recorder = EventRecorder(world.entropy)
        ada = await world.store.write(lambda c: unlock_user(c, recorder, "ada", at=START, actor="test"))

        assert state_of(ada, clock.now()) == "active"
        await refused(world, token)
        assert await tried(world) is not None
        await world.until(lambda: "user.unlock" in {event.action for event in audited(world)})

    signed_in(tmp_path, story)


def test_a_new_key_ends_the_tokens_of_the_one_before(tmp_path: Path) -> None:
    before, file = open_keyring(tmp_path), tmp_path / "api" / "sign_ins.key"
    ada = User(id="usr_1", name="ada", merchant_id="m_1", mode="test", version=1, created_at=START)
    token = AccessTokens(before.sign_ins).sign(ada, START)

    file.unlink()
    after = open_keyring(tmp_path)

    with pytest.raises(InvalidTokenError):
        AccessTokens(after.sign_ins).read(token, START)
    assert after[:3] == before[:3]


async def refused(world: World, token: str | None) -> None:
    assert token is not None
    with pytest.raises(InvalidTokenError):
        await world.gateway.sign_ins.caller(token)


def test_an_expired_or_forged_token_opens_nothing() -> None:
    tokens = AccessTokens(KEYRING.sign_ins)
    ada = User(id="usr_1", name="ada", merchant_id="m_1", mode="test", version=1, created_at=START)
    token = tokens.sign(ada, START)
    own = OctKey.import_key(KEYRING.sign_ins)
    header, claims = {**jwt.decode(token, own).header}, {**jwt.decode(token, own).claims}
    other = OctKey.import_key(b"o" * 32)
    unsigned = "eyJhbGciOiJub25lIn0." + token.split(".")[1] + "."

    assert tokens.read(token, START + VALID_FOR - timedelta(seconds=1)).sub == "usr_1"
    assert tokens.read(jwt.encode(header, claims, own), START).sub == "usr_1"
    for forged, at in (
        (token, START + VALID_FOR),
        (token, START - timedelta(seconds=5)),
        (jwt.encode(header, claims, other), START),
        (jwt.encode({**header, "alg": "HS384"}, claims, own, algorithms=["HS384"]), START),
        (jwt.encode({**header, "kid": "0a" * 8}, claims, own), START),
        (jwt.encode(header, {**claims, "iss": "else"}, own), START),
        (jwt.encode(header, {**claims, "aud": "else"}, own), START),
        (jwt.encode(header, {name: claims[name] for name in claims if name != "exp"}, own), START),
        (unsigned, START),
        (token[:-1], START),
        ("4242424242424242", START),
    ):
        with pytest.raises(InvalidTokenError):
            tokens.read(forged, at)


def test_every_try_is_an_event_of_the_address_and_holds_no_password(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        await tried(world)
        await tried(world, "wrong horse 42")
        await tried(world, name="nobody")
        await world.until(lambda: len(world.log.events("accounts")) == 3)

        events = [event for event in world.log.events("accounts") if isinstance(event, SignInAttempted)]
        assert [(e.merchant_id, e.succeeded) for e in events] == [
            (MERCHANT.id, True),
            (MERCHANT.id, False),
            ("unknown", False),
        ]
        assert len({e.ip for e in events}) == 1
        assert events[0].ip
        assert events[0].customer == events[1].customer
        assert events[0].customer is not None
        assert events[2].customer is None
        assert [(e.action, e.outcome) for e in audited(world)][-2:] == [
            ("user.sign_in", "succeeded"),
            ("user.sign_in", "refused"),
        ]
        everything = repr(world.log.events("accounts")) + repr(world.log.events("audit"))
        assert GOOD not in everything
        assert IP not in everything

    signed_in(tmp_path, story)


def audited(world: World) -> list[AuditRecorded]:
    return [event for event in world.log.events("audit") if isinstance(event, AuditRecorded)]


def test_failures_at_the_door_count_in_the_features_of_a_payment_from_the_same_address(
    tmp_path: Path,
) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        for name in ("ada", "nobody", "ada"):
            await tried(world, "wrong horse 42", name=name)
        context = RiskContextInput(ip=IP)
        body = CreateIntent(amount=1250, currency="eur", confirm=True, risk_context=context)
        order = msgspec.structs.replace(body, payment_method=await world.token())
        await world.gateway.payments.create(await world.caller(at=None), order)
        await world.until(lambda: len(world.log.events("accounts")) == 3)

        failed = [observe.sign_in(e) for e in world.log.events("accounts") if isinstance(e, SignInAttempted)]
        [asked] = [e for e in world.log.events("assessments") if isinstance(e, AssessmentRequested)]
        [assessed] = Engine().assess([*failed, observe.observation(asked)])
        assert assessed.features[POSITIONS["ip_failed_sign_ins_1h"]] == 3
        assert assessed.features[POSITIONS["ip_failed_sign_in_customers_1d"]] == 1

    signed_in(tmp_path, story)


def test_a_password_that_was_kept_more_weakly_is_kept_anew_when_it_fits(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        weak = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
        await world.store.write(lambda c: c.execute(update(users), {"password": weak}))

        sign_ins = world.gateway.sign_ins
        strong = type(sign_ins)(**{**vars(sign_ins), "passwords": Passwords(world.scheduling)})
        for _ in range(2):
            await strong.sign_in("ada", GOOD, ip=None, user_agent=None, lets=everybody)
        kept = await world.store.read(lambda c: c.execute(select(users.c.password)).scalar_one())
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    signed_in(tmp_path, story)


def test_a_password_is_long_enough_mixed_and_none_of_the_last_four(tmp_path: Path) -> None:
    for weak in ("short 1", "letters alone here", "123456789012", "a1" * 129):
        with pytest.raises(InvalidRequestError) as refused:
            require_good(weak)
        assert (refused.value.code, weak in refused.value.message) == ("password_too_weak", False)
    with pytest.raises(InvalidRequestError, match="none of your last 4"):
        require_good(GOOD, [hashed(GOOD)])


def test_the_fifth_reset_may_use_the_first_password_again(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        recorder = EventRecorder(world.entropy)

        async def reset(password: str) -> None:
            await world.store.write(
                lambda c: reset_password(c, recorder, "ada", password, at=START, actor="test")
            )

        for number in range(1, 4):
            await reset(f"horse number {number}")
        with pytest.raises(InvalidRequestError):
            await reset(GOOD)
        await reset("horse number 4")
        await reset(GOOD)
        assert await tried(world) is not None

    signed_in(tmp_path, story)


def test_generated_passwords_are_good_and_differ() -> None:
    entropy = Counter()
    made = {generated(lambda size: hashed(repr(entropy(size))).encode()[-size:]) for _ in range(3)}

    for password in made:
        require_good(password)
    assert len(made) == 3


def test_no_more_wait_for_their_password_than_may(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        passwords = Passwords(world.scheduling)
        answers = await asyncio.gather(
            *(
                passwords.check("x", "$argon2id$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$Zm9v")
                for _ in range(WAITING_MAX + 3)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, Exception) for answer in answers) == 3

    signed_in(tmp_path, story)


def test_who_is_guessed_at_from_many_addresses_is_seen_and_is_none_of_the_shop_s_customers(
    tmp_path: Path,
) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        await make_user(world, "bob")
        for name, last in (("ada", 1), ("ADA", 2), ("bob", 3), ("ada", 4)):
            with pytest.raises(WrongCredentialsError):
                await world.gateway.sign_ins.sign_in(
                    name, "wrong horse 42", ip=f"203.0.113.{last}", user_agent=None, lets=everybody
                )
        ada = await world.store.read(lambda c: find_credentials(c, "ada"))
        assert ada is not None
        namesake = AccountEvent(type="sign_in_failed", customer=ada.user.id)
        await world.gateway.account_events.record(await world.caller(at=None), namesake)
        await world.until(lambda: len(world.log.events("accounts")) == 5)

        events = [event for event in world.log.events("accounts") if isinstance(event, SignInAttempted)]
        tries = Counts(event.customer for event in events)
        assert sorted(tries.values()) == [1, 1, 3]
        assert None not in tries

    signed_in(tmp_path, story)


@pytest.mark.parametrize(("address", "is_told"), [("9.9.9.9", True), ("10.1.2.3", False)])
def test_the_event_of_a_try_has_a_public_address_and_never_a_proxy_s(
    tmp_path: Path, address: str, is_told: bool
) -> None:
    async def story() -> None:
        async with World(tmp_path) as world:
            await make_user(world, "ada")
            transport = httpx2.ASGITransport(app=make_application(world.gateway), client=(address, 4711))
            async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
                await http.post("/signin", json={"username": "ada", "password": "wrong horse 42"})
            await world.until(lambda: len(world.log.events("accounts")) == 1)

            [event] = world.log.events("accounts")
            assert isinstance(event, SignInAttempted)
            assert (event.ip is not None) is is_told

    asyncio.run(story())


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"username": "ada", "password": "correct horse 42"}', 200, None),
        (b'{"username": "ada", "password": "wrong"}', 401, "credentials_invalid"),
        (b'{"username": "bob", "password": "correct horse 42"}', 401, "credentials_invalid"),
        (b'{"username": "ada", ', 400, "json_malformed"),
        (b'{"username": "ada"}', 400, "parameter_missing"),
        (b'{"username": "ada", "password": "x", "admin": true}', 400, "parameter_unknown"),
        (b'{"username": "ada", "password": "4242424242424242"}', 400, "card_data_not_accepted"),
    ],
)
def test_signing_in_over_http(tmp_path: Path, content: bytes, status: int, code: str | None) -> None:
    async def story() -> None:
        async with World(tmp_path) as world:
            await make_user(world, "ada")
            transport = httpx2.ASGITransport(app=make_application(world.gateway), client=(IP, 4711))
            async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
                answer = await http.post("/signin", content=content)
        assert answer.status_code == status
        if code is None:
            assert set(answer.json()) == {"token"}
        else:
            assert answer.json()["error"]["code"] == code
            assert "horse" not in answer.text

    asyncio.run(story())


def test_a_test_user_is_nobody_at_an_installation_of_live_payments(tmp_path: Path) -> None:
    async def story(world: World, clock: VirtualClock) -> None:
        token = await tried(world)
        sign_ins = world.gateway.sign_ins
        alone = type(sign_ins)(**{**vars(sign_ins), "live_alone": True})
        with pytest.raises(WrongCredentialsError):
            await alone.sign_in("ada", GOOD, ip=None, user_agent=None, lets=everybody)
        with pytest.raises(InvalidTokenError):
            await alone.caller(str(token))

    signed_in(tmp_path, story)
