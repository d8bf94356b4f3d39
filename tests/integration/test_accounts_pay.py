"""UPI, wallets and net banking from the confirm to the money: gateway, processor and rails in one thread."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.processor.rail_declines import RAIL_DECLINES
from gateway.processor.rail_steps import GRACE_SECONDS
from simulator.rails.testaddresses import TEST_ADDRESSES
from tests.integration.test_simulated_payment import CONTEXT, INTENTS, Simulation
from tests.virtual_time import run_virtually


class Till:
    """A shop that takes accounts: requests over HTTP, and payers who do as they are told."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation, self.world, self.http = simulation, simulation.world, simulation.http
        self.rails = simulation.bench.rails

    async def paid(self, method: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Create and confirm; the intent, also where it was refused."""
        body = {"amount": 50_000, "currency": "inr", "payment_method_data": method, "risk_context": CONTEXT}
        created = (await self.http.post(INTENTS, json={**body, **members})).json()
        answer = await self.http.post(
            f"{INTENTS}/{created['id']}/confirm", json={"return_url": "https://shop.example/back"}
        )
        document = answer.json()
        return dict(document.get("error", {}).get("payment_intent", document))

    async def intent(self, payment: str) -> dict[str, Any]:
        return dict((await self.http.get(f"{INTENTS}/{payment}")).json())

    async def until(self, payment: str, status: str, steps: int = 140) -> dict[str, Any]:
        """Wait for a status, in virtual time; the rails sweep meanwhile, and tell."""
        for _ in range(steps):
            self.rails.switch.sweep()
            await self.rails.tell(self.simulation.bench.processor.rails.changed)
            found = await self.intent(payment)
            if found["status"] == status:
                return found
            await self.simulation.scheduling.sleep(5)
        raise AssertionError(f"{payment} never became {status}: {found}")


def at_the_till(folder: Path, story: Callable[[Till], Awaitable[None]]) -> Simulation:
    simulation = Simulation(folder, 7)
    simulation.world.processor = simulation.bench.processor.port  # type: ignore[assignment]  # the real port

    async def live(inner: Simulation) -> None:
        inner.bench.listener.passes_on = inner.world.gateway.payer_steps
        await story(Till(inner))

    run_virtually(simulation.clock, lambda: simulation.live(live))
    return simulation


def upi(vpa: str | None = None) -> dict[str, Any]:
    return {"type": "upi", "upi": {"vpa": vpa} if vpa else {}}


WAYS = {
    "upi_await_notification": upi("ada@okbank"),
    "upi_handle_redirect_or_display_qr_code": upi(),
    "redirect_to_url": {"type": "wallet", "wallet": {}},
}


def test_a_payer_approves_in_the_app_by_a_code_or_on_the_wallets_page(tmp_path: Path) -> None:
    async def story(till: Till) -> None:
        for way, method in WAYS.items():
            asked = await till.paid(method)
            assert asked["status"] == "requires_action", asked
            assert asked["next_action"]["type"] == way
            order = till.rails.switch.find(f"{asked['id']}_1")
            assert order is not None
            assert order.merchant == "Books and Tea"
            shown = asked["next_action"][way]
            expires_at = shown.get("expires_at") or shown.get("qr_code", {}).get("expires_at")
            assert expires_at in (None, order.expires_us // 1_000_000 + GRACE_SECONDS)
            assert (expires_at is None) == (way == "redirect_to_url")
            till.rails.payer(f"{asked['id']}_1", "pay")

            done = await till.until(asked["id"], "succeeded", steps=2)

            assert (done["amount_received"], done["next_action"]) == (50_000, None)
        assert till.rails.books.moved_minor() == 3 * 50_000

    at_the_till(tmp_path, story)


def test_a_bank_whose_answer_nobody_tells_is_asked(tmp_path: Path) -> None:
    async def story(till: Till) -> None:
        asked = await till.paid({"type": "netbanking", "netbanking": {"bank": "HDFC"}})
        till.rails.payer(f"{asked['id']}_1", "pay")

        await till.simulation.scheduling.sleep(30)

        assert (await till.intent(asked["id"]))["status"] == "succeeded"

    at_the_till(tmp_path, story)


def test_each_documented_address_ends_as_documented(tmp_path: Path) -> None:
    async def story(till: Till) -> None:
        for known in TEST_ADDRESSES:
            asked = await till.paid(upi(known.address))
            paid = known.reason is None and known.after_seconds is not None
            end = await till.until(asked["id"], "succeeded" if paid else "requires_payment_method")

            expected = known.reason or (None if paid else "payment_collect_request_expired")
            assert (end["last_payment_error"] or {}).get("code") == expected, known
            advice = RAIL_DECLINES[expected].advice_code if expected else None
            assert end["outcome"]["advice_code"] == advice, known
        payers = sum(known.reason is None and known.after_seconds is not None for known in TEST_ADDRESSES)
        assert till.rails.books.moved_minor() == payers * 50_000

    at_the_till(tmp_path, story)


def test_an_answer_that_comes_twice_is_one_payment_with_one_event_of_each_kind(tmp_path: Path) -> None:
    payment: list[str] = []

    async def story(till: Till) -> None:
        asked = await till.paid(upi("twice@weir"))
        payment.append(asked["id"])
        await till.until(asked["id"], "succeeded")
        attempt = f"{asked['id']}_1"
        for _ in range(2):
            await till.simulation.bench.processor.rails.changed(attempt)
        await till.world.until(lambda: "payment.captured" in till.world.payment_events(asked["id"]))

    simulation = at_the_till(tmp_path, story)

    events = simulation.world.payment_events(payment[0])
    assert events == ["payment.created", "payment.confirmed", "payment.authorized", "payment.captured"]


def test_a_held_payment_that_is_rejected_goes_back_to_its_payer(tmp_path: Path) -> None:
    async def story(till: Till) -> None:
        till.world.risk.outcome = "review"
        asked = await till.paid(upi("ada@okbank"))
        till.rails.payer(f"{asked['id']}_1", "pay")
        held = await till.until(asked["id"], "requires_capture")
        assert till.rails.books.moved_minor() == 50_000

        await till.http.post(f"/v1/reviews/{held['review']}/reject")

        await till.world.until(lambda: till.rails.books.moved_minor() == 0, seconds=60)
        assert (await till.intent(asked["id"]))["status"] == "canceled"

    at_the_till(tmp_path, story)


@pytest.mark.parametrize("at_the_rails", ["pay", None])
def test_a_canceled_request_leaves_no_money_with_the_shop(tmp_path: Path, at_the_rails: Any) -> None:
    async def story(till: Till) -> None:
        asked = await till.paid(upi("ada@okbank"))
        if at_the_rails:
            till.rails.payer(f"{asked['id']}_1", at_the_rails)

        canceled = await till.http.post(f"{INTENTS}/{asked['id']}/cancel")

        assert canceled.json()["status"] == "canceled"
        await till.simulation.scheduling.sleep(5)
        order = till.rails.switch.find(f"{asked['id']}_1")
        assert order is not None
        assert (order.state, order.returned_minor) == (("paid", 50_000) if at_the_rails else ("canceled", 0))

    at_the_till(tmp_path, story)


def test_a_part_that_is_captured_sends_the_rest_back(tmp_path: Path) -> None:
    async def story(till: Till) -> None:
        asked = await till.paid(upi("success@razorpay"), capture_method="manual")
        assert asked["status"] == "requires_capture", asked

        await till.http.post(f"{INTENTS}/{asked['id']}/capture", json={"amount_to_capture": 20_000})

        await till.world.until(lambda: till.rails.books.moved_minor() == 20_000, seconds=60)

    at_the_till(tmp_path, story)


def test_no_handle_is_on_the_log_nor_in_the_processors_store(tmp_path: Path) -> None:
    async def story(till: Till) -> None:
        await till.paid(upi("lovelace@okbank"))
        await till.paid({"type": "wallet", "wallet": {"wallet_id": "lovelace-7"}})
        dump = await till.simulation.bench.store.transact(lambda db: "\n".join(db.iterdump()))
        assert "rail_orders" in dump
        assert "lovelace" not in dump

    simulation = at_the_till(tmp_path, story)

    assert all(b"lovelace" not in bytes(record.value or b"") for record in simulation.world.log.written)
