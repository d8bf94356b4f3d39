"""Parts that an issuer approves: kept where the merchant wants them, and then all goes by the part."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from events.codec import decode
from events.types import PaymentAuthorized
from tests.contract.api_serving import served
from tests.contract.test_api_browser import PAGE, publishable_key
from tests.contract.test_api_charges import INTENTS, charge_of, paid, settled
from tests.gateway_world import World

IF_AVAILABLE = {"card": {"request_partial_authorization": "if_available"}}
NEVER = {"card": {"request_partial_authorization": "never"}}


def authorized_event(world: World, payment: str) -> PaymentAuthorized:
    events = (decode(record.value) for record in world.log.written if record.topic == "payments")
    [found] = [e for e in events if isinstance(e, PaymentAuthorized) and e.payment_id == payment]
    return found


@pytest.mark.parametrize(
    ("method", "status", "amounts"),
    [("automatic", "succeeded", (700, 0, 700)), ("manual", "requires_capture", (700, 700, 0))],
)
def test_a_part_that_was_asked_for_is_the_amount_from_its_approval_on(
    tmp_path: Path, method: str, status: str, amounts: tuple[int, int, int]
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.authorizes_minor = 700
        intent = await paid(http, world, capture_method=method, payment_method_options=IF_AVAILABLE)
        shown = (intent["amount"], intent["amount_capturable"], intent["amount_received"])

        assert (intent["status"], shown) == (status, amounts)
        assert intent["payment_method_options"] == IF_AVAILABLE
        charge = await charge_of(http, intent)
        card = charge["payment_method_details"]["card"]
        assert (charge["amount"], charge["paid"]) == (700, True)
        assert (card["amount_authorized"], card["amount_requested"]) == (700, 1250)
        assert card["partial_authorization"] == {"status": "partially_authorized"}
        await world.until(lambda: "payment.authorized" in world.payment_events(intent["id"]))
        event = authorized_event(world, intent["id"])
        assert (event.amount_minor, event.asked_minor) == (700, 1250)

    served(tmp_path, story)


def test_no_capture_exceeds_the_part_and_a_cancellation_gives_it_back(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.authorizes_minor = 700
        order = {"capture_method": "manual", "payment_method_options": IF_AVAILABLE}
        taken, left = await paid(http, world, **order), await paid(http, world, **order)
        way = f"{INTENTS}/{taken['id']}/capture"

        refused = await http.post(way, json={"amount_to_capture": 701})
        captured = (await http.post(way, json={"amount_to_capture": 600})).json()
        canceled = (await http.post(f"{INTENTS}/{left['id']}/cancel")).json()

        assert refused.json()["error"]["code"] == "amount_too_large"
        assert (captured["status"], captured["amount_received"]) == ("succeeded", 600)
        assert canceled["status"] == "canceled"
        await settled(world, left["id"])
        assert (await charge_of(http, canceled))["amount_refunded"] == 700
        assert world.processor.answers[f"{left['id']}_1"].status == "reversed"

    served(tmp_path, story)


@pytest.mark.parametrize("options", [None, {}, {"card": {}}, NEVER])
def test_the_processor_is_asked_for_the_whole_unless_a_part_was_asked_for(
    tmp_path: Path, options: dict[str, Any] | None
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.authorizes_minor = 700
        given = {} if options is None else {"payment_method_options": options}
        intent = await paid(http, world, **given)
        card = (await charge_of(http, intent))["payment_method_details"]["card"]

        assert (intent["amount_received"], intent["payment_method_options"]) == (1250, NEVER)
        assert not world.processor.asked[f"{intent['id']}_1"].partial_authorization
        assert (card["amount_authorized"], card["amount_requested"]) == (1250, None)
        assert card["partial_authorization"] == {"status": "not_requested"}

    served(tmp_path, story)


def test_the_wish_is_kept_by_creation_change_or_confirm_and_a_browser_has_none(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.authorizes_minor = 700
        order = {"amount": 1250, "currency": "eur", "payment_method": await world.token()}
        ways = []
        for created, changed, confirmed in (
            (IF_AVAILABLE, None, None),
            (NEVER, IF_AVAILABLE, None),
            (None, None, IF_AVAILABLE),
            (IF_AVAILABLE, {"card": {}}, None),
            (IF_AVAILABLE, None, NEVER),
        ):
            named = [
                {} if o is None else {"payment_method_options": o} for o in (created, changed, confirmed)
            ]
            intent = (await http.post(INTENTS, json={**order, **named[0]})).json()
            await http.post(f"{INTENTS}/{intent['id']}", json=named[1])
            after = await http.post(f"{INTENTS}/{intent['id']}/confirm", json=named[2])
            ways.append(after.json()["amount_received"])

        assert ways == [700, 700, 700, 700, 1250]
        waiting = (await http.post(INTENTS, json=order)).json()
        secret = {"client_secret": waiting["client_secret"], "payment_method_options": IF_AVAILABLE}
        browser = {**PAGE, "authorization": f"Bearer {await publishable_key(world)}"}
        refused = await http.post(f"{INTENTS}/{waiting['id']}/confirm", json=secret, headers=browser)
        assert refused.json()["error"]["code"] == "secret_key_required"

    served(tmp_path, story)


def test_what_was_asked_for_in_whole_and_declined_says_so(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.decline_code = "insufficient_funds"
        declined = await paid(http, world, payment_method_options=IF_AVAILABLE)
        world.processor.decline_code = None
        whole = await paid(http, world, payment_method_options=IF_AVAILABLE)

        assert declined["amount"] == 1250
        told = [(await charge_of(http, i))["payment_method_details"]["card"] for i in (declined, whole)]
        assert [one["partial_authorization"]["status"] for one in told] == ["declined", "fully_authorized"]
        assert [one["amount_authorized"] for one in told] == [None, 1250]

    served(tmp_path, story)


def test_after_a_capture_that_the_network_refused_the_whole_is_to_be_paid_again(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.authorizes_minor = 700
        world.processor.refuses_captures = True
        intent = await paid(http, world, payment_method_options=IF_AVAILABLE)
        await settled(world, intent["id"])

        after = (await http.get(f"{INTENTS}/{intent['id']}")).json()
        assert (after["status"], after["amount"]) == ("requires_payment_method", 1250)
        assert (await charge_of(http, after))["amount"] == 700

    served(tmp_path, story)
