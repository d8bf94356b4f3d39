"""Several captures of one authorization, increments of it, and what becomes of the rest."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from events.types import (
    PaymentCaptureFailed,
    PaymentIncrementDeclined,
    PaymentIncremented,
    PaymentReleased,
)
from gateway.api.application import make_application
from gateway.store.intent_rows import unfinished_attempts
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS = "/v1/payment_intents"
ORDER = {"amount": 1000, "currency": "eur", "capture_method": "manual", "confirm": True}


class Till:
    """One authorized intent at the merchant's till."""

    def __init__(self, http: httpx2.AsyncClient, world: World, payment_id: str) -> None:
        self.http, self.world, self.id = http, world, payment_id

    @classmethod
    async def opened(cls, http: httpx2.AsyncClient, world: World) -> "Till":
        order = {**ORDER, "payment_method": await world.token()}
        return cls(http, world, (await http.post(INTENTS, json=order)).json()["id"])

    async def step(self, verb: str, headers: Any = None, **body: Any) -> httpx2.Response:
        return await self.http.post(f"{INTENTS}/{self.id}/{verb}", json=body, headers=headers)

    async def part(self, amount: int, *, final: bool = False) -> dict[str, Any]:
        answer = await self.step("capture", amount_to_capture=amount, final_capture=final)
        assert answer.status_code == 200, answer.text
        await self.settled()
        return answer.json()

    async def seen(self) -> dict[str, Any]:
        return (await self.http.get(f"{INTENTS}/{self.id}?expand[]=latest_charge")).json()

    async def settled(self) -> None:
        async def nothing_owed() -> bool:
            return not await self.world.store.read(
                lambda c: unfinished_attempts(c, owner=self.world.gateway.recovery.instance)
            )

        await self.world.until(nothing_owed)

    @property
    def captures(self) -> list[tuple[str, int, str]]:
        operations = self.world.processor.operations.items()
        return [(key[2], amount, end) for key, (amount, end) in operations if key[1] == "capture"]


def amounts(intent: dict[str, Any]) -> tuple[str, int, int]:
    return intent["status"], intent["amount_received"], intent["amount_capturable"]


def test_an_authorization_is_captured_in_parts_until_the_final_one(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)

        assert amounts(await till.part(300)) == ("requires_capture", 300, 700)
        assert amounts(await till.part(200)) == ("requires_capture", 500, 500)
        assert (await till.step("capture", amount_to_capture=501)).json()["error"][
            "code"
        ] == "amount_too_large"
        assert amounts(await till.part(100, final=True)) == ("succeeded", 600, 0)
        assert till.captures == [("1", 300, "accepted"), ("2", 200, "accepted"), ("3", 100, "accepted")]
        await world.until(lambda: world.payment_events(till.id).count("payment.captured") == 3)
        charge = (await till.seen())["latest_charge"]
        assert (charge["state"], charge["amount_captured"]) == ("captured", 600)

    served(tmp_path, story)


def test_parts_that_leave_nothing_end_the_intent(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        await till.part(400)

        assert amounts(await till.part(600)) == ("succeeded", 1000, 0)
        assert (await till.step("capture")).json()["error"]["code"] == "payment_intent_unexpected_state"

    served(tmp_path, story)


def test_one_capture_at_a_time_the_next_is_told_to_come_again(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        world.processor.delay_seconds = 0.3
        first, second = await asyncio.gather(
            *(till.step("capture", amount_to_capture=100, final_capture=False) for _ in range(2))
        )
        canceled = await till.step("cancel")

        assert (first.status_code, second.status_code, canceled.status_code) == (200, 409, 409)
        assert second.json()["error"]["code"] == "lock_timeout"
        assert (second.headers["retry-after"], canceled.headers["retry-after"]) == ("1", "1")
        await till.settled()
        assert till.captures == [("1", 100, "accepted")]

    served(tmp_path, story)


@pytest.mark.parametrize("lost", ["answer", "process"])
def test_a_part_is_captured_once_whatever_is_lost(tmp_path: Path, lost: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        await till.part(300)
        if lost == "answer":
            world.processor.lost_answers = 2
            await till.part(200)
        else:
            world.processor.away = 100
            await till.step("capture", amount_to_capture=200, final_capture=False)
            await world.restart()
            world.processor.away = 0
            transport = httpx2.ASGITransport(app=make_application(world.gateway))
            till.http = httpx2.AsyncClient(transport=transport, base_url="http://weir", headers=http.headers)
            await till.settled()

        assert amounts(await till.seen()) == ("requires_capture", 500, 500)
        assert till.captures == [("1", 300, "accepted"), ("2", 200, "accepted")]

    served(tmp_path, story)


def test_what_a_refused_part_leaves_is_what_was_captured_before(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        await till.part(300)
        world.processor.refuses_captures = True
        await till.part(200)
        first_refused = await Till.opened(http, world)
        await first_refused.part(200)

        assert amounts(await till.seen()) == ("succeeded", 300, 0)
        assert amounts(await first_refused.seen()) == ("requires_payment_method", 0, 0)
        for each, captured in ((first_refused, 0), (till, 1)):
            await world.until(lambda each=each: "payment.capture_failed" in world.payment_events(each.id))
            assert world.payment_events(each.id).count("payment.captured") == captured
        failed = [one for one in world.log.events("payments") if isinstance(one, PaymentCaptureFailed)]
        assert {(one.payment_id, one.amount_minor) for one in failed} == {
            (till.id, 200),
            (first_refused.id, 200),
        }

    served(tmp_path, story)


def test_canceling_after_a_part_releases_the_rest_and_keeps_the_part(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        await till.part(300)
        canceled = (await till.step("cancel", cancellation_reason="duplicate")).json()
        await till.settled()
        answer = await world.processor.find(f"{till.id}_1")

        assert amounts(canceled) == ("succeeded", 300, 0)
        assert (answer.status, answer.captured_minor) == ("captured", 300)
        assert (canceled["cancellation_reason"], canceled["canceled_at"]) == ("duplicate", None)
        await world.until(lambda: world.payment_events(till.id)[-1] == "payment.released")
        assert "payment.canceled" not in world.payment_events(till.id)
        [released] = {
            one.id: one for one in world.log.events("payments") if isinstance(one, PaymentReleased)
        }.values()
        assert (released.amount_minor, released.reason, released.attempt) == (700, "duplicate", 1)
        charge = (await till.seen())["latest_charge"]
        assert (charge["state"], charge["amount_refunded"]) == ("captured", 700)

    served(tmp_path, story)


def test_an_increment_authorizes_more_which_can_be_captured(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        await till.part(300)
        grown = (await till.step("increment_authorization", amount=1200)).json()

        assert (grown["amount"], grown["amount_capturable"]) == (1200, 900)
        assert grown["outcome"]["amount_incremented"] == 200
        assert (await till.seen())["latest_charge"]["amount"] == 1200
        assert amounts(await till.part(900)) == ("succeeded", 1200, 0)
        assert [key[1:] for key in world.processor.operations] == [
            ("capture", "1"),
            ("increment", "2"),
            ("capture", "3"),
        ]
        await world.until(lambda: world.payment_events(till.id).count("payment.captured") == 2)
        assert world.payment_events(till.id)[2:] == [
            "payment.authorized",
            "payment.captured",
            "payment.incremented",
            "payment.captured",
        ]
        [grew] = [one for one in world.log.events("payments") if isinstance(one, PaymentIncremented)]
        assert (grew.amount_minor, grew.more_minor, grew.attempt) == (1200, 200, 1)

    served(tmp_path, story)


def test_a_refused_increment_is_a_decline_and_leaves_the_authorization(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        world.processor.refuses_increments = True
        key = {"idempotency-key": "k"}
        declined = await till.step("increment_authorization", headers=key, amount=1100)
        again = await till.step("increment_authorization", headers=key, amount=1100)
        world.processor.refuses_increments = False
        grown = await till.step("increment_authorization", amount=1200)

        assert (declined.status_code, declined.json()["error"]["decline_code"]) == (402, "insufficient_funds")
        assert again.content == declined.content
        assert amounts(declined.json()["error"]["payment_intent"]) == ("requires_capture", 0, 1000)
        assert (grown.status_code, grown.json()["amount"]) == (200, 1200)
        await world.until(lambda: "payment.incremented" in world.payment_events(till.id))
        [refusal] = [one for one in world.log.events("payments") if isinstance(one, PaymentIncrementDeclined)]
        assert (refusal.reason, refusal.amount_minor, refusal.more_minor) == ("insufficient_funds", 1000, 100)

    served(tmp_path, story)


@pytest.mark.parametrize("verb", ["capture", "increment_authorization", "create", "update"])
def test_what_no_amount_can_be_has_one_answer_everywhere(tmp_path: Path, verb: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)
        name = "amount_to_capture" if verb == "capture" else "amount"
        path = {"create": INTENTS, "update": f"{INTENTS}/{till.id}"}.get(verb, f"{INTENTS}/{till.id}/{verb}")

        answer = await http.post(
            path, json={name: 10**12, **({"currency": "eur"} if verb == "create" else {})}
        )

        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parameter_invalid")
        assert answer.json()["error"]["param"] == name

    served(tmp_path, story)


@pytest.mark.parametrize(
    ("amount", "code"),
    [(1000, "parameter_invalid"), (1201, "increment_too_large"), (10**12 - 1, "increment_too_large")],
)
def test_an_increment_is_more_and_not_too_much(tmp_path: Path, amount: int, code: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)

        assert (await till.step("increment_authorization", amount=amount)).json()["error"]["code"] == code
        await till.part(1000)
        ended = await till.step("increment_authorization", amount=2000)
        assert ended.json()["error"]["code"] == "payment_intent_unexpected_state"

    served(tmp_path, story)


def test_all_increments_together_are_bounded_by_what_was_decided_about(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        till = await Till.opened(http, world)

        assert (await till.step("increment_authorization", amount=1150)).status_code == 200
        # A tenth of what stands, but with what came before more than a fifth of what was decided about.
        refused = await till.step("increment_authorization", amount=1201)
        assert refused.json()["error"]["code"] == "increment_too_large"
        assert (await till.step("increment_authorization", amount=1200)).status_code == 200

    served(tmp_path, story)


@pytest.mark.parametrize(
    "method",
    [
        {"type": "upi", "upi": {"vpa": "asha@okbank"}},
        {"type": "wallet", "wallet": {"wallet_id": "w-7"}},
        {"type": "netbanking", "netbanking": {"bank": "DEMO", "account": "Acc7"}},
    ],
)
def test_an_account_is_asked_for_no_more_and_nothing_is_written(
    tmp_path: Path, method: dict[str, Any]
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {
            **ORDER,
            "currency": "inr",
            "payment_method_data": method,
            "return_url": "https://shop.example",
        }
        intent = (await http.post(INTENTS, json=order)).json()
        assert intent["status"] == "requires_capture"
        till = Till(http, world, intent["id"])
        before = await world.intent(till.id)

        refused = await till.step("increment_authorization", amount=1100)

        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "payment_method_not_available")
        assert await world.intent(till.id) == before

    served(tmp_path, story)
