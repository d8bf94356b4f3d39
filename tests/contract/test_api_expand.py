"""Ways from one resource to the next, shown as resources: in one, in lists, and what leads nowhere."""

from pathlib import Path
from typing import Any

import httpx2

from gateway.api.expanding import STEPS_MAX, ways_from, ways_from_list
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS, SEARCH, CHARGES, REVIEWS = (
    "/v1/payment_intents",
    "/v1/payment_intents/search",
    "/v1/charges",
    "/v1/reviews",
)
WAY = "latest_charge.payment_intent.latest_charge.review"


async def held(http: httpx2.AsyncClient, world: World, **members: Any) -> dict[str, Any]:
    token = await world.token(test_risk="elevated")
    order = {"amount": 1250, "currency": "eur", "payment_method": token, "confirm": True, **members}
    answer: dict[str, Any] = (await http.post(INTENTS, json=order)).json()
    return answer


def test_a_way_of_four_steps_is_gone_and_what_lies_beside_it_stays_an_id(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await held(http, world, expand=[WAY, "latest_charge.payment_method"])
        charge = intent["latest_charge"]

        assert charge["payment_method"]["card"]["last4"] == "4242"
        assert charge["payment_intent"]["id"] == intent["id"]
        assert charge["payment_intent"]["payment_method"] == "tok_1"
        assert charge["payment_intent"]["client_secret"] is None
        assert charge["payment_intent"]["latest_charge"]["review"]["open"] is True
        assert charge["review"] == intent["review"] == charge["payment_intent"]["review"]

    served(tmp_path, story)


def test_what_is_asked_for_twice_is_shown_once(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await held(http, world, expand=["latest_charge"] * 3)

        assert intent["latest_charge"]["object"] == "charge"

    served(tmp_path, story)


def test_lists_searches_charges_and_reviews_show_resources_too(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await held(http, world)

        async def shown(path: str, way: str, **query: str) -> dict[str, Any]:
            answer = await http.get(path, params={**query, "expand[]": way})
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found["data"][0] if "data" in found else found

        for path, query in ((INTENTS, {}), (SEARCH, {"query": "amount>0"})):
            found = await shown(path, "data.latest_charge.payment_method", **query)
            assert found["latest_charge"]["payment_method"]["type"] == "card"
        for path in (CHARGES, f"{CHARGES}/{intent['latest_charge']}"):
            way = "data.payment_intent" if path == CHARGES else "payment_intent"
            assert (await shown(path, way))["payment_intent"]["id"] == intent["id"]
        for path in (REVIEWS, f"{REVIEWS}/{intent['review']}"):
            way = "data.payment_intent.latest_charge" if path == REVIEWS else "payment_intent.latest_charge"
            found = await shown(path, way)
            assert found["payment_intent"]["latest_charge"]["id"] == intent["latest_charge"]
        ended = await http.post(f"{REVIEWS}/{intent['review']}/approve", json={"expand": ["payment_intent"]})
        assert ended.json()["payment_intent"]["status"] == "succeeded"

    served(tmp_path, story)


def test_a_way_that_leads_nowhere_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        for way in (
            "customer",
            "data.latest_charge",
            "latest_charge.amount",
            f"{WAY}.payment_intent",
            "x" * 50,
        ):
            refused = await held(http, world, expand=["review", way])
            assert refused["error"]["param"].startswith("expand"), way
        for path in (INTENTS, CHARGES, REVIEWS):
            assert (await http.get(path, params={"expand[]": "latest_charge"})).status_code == 400
        too_many = await held(http, world, expand=["review"] * 6)
        assert too_many["error"]["code"] == "parameter_invalid"
        assert (await http.get(INTENTS)).json()["data"] == []

    served(tmp_path, story)


def test_no_way_is_longer_than_four_steps() -> None:
    for ways in (ways_from("payment_intent"), ways_from_list("payment_intent"), ways_from_list("review")):
        assert len(set(ways)) == len(ways)
        assert max(way.count(".") + 1 for way in ways) == STEPS_MAX
