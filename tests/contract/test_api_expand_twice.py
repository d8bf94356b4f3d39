"""A resource that is asked for twice is shown once."""

from pathlib import Path

import httpx2

from tests.contract.api_serving import served
from tests.gateway_world import World


def test_a_member_that_is_to_be_expanded_twice_is_expanded_once(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {"amount": 1250, "currency": "eur", "payment_method": await world.token(), "confirm": True}
        answer = await http.post("/v1/payment_intents", json={**order, "expand": ["latest_charge"] * 3})

        assert answer.json()["latest_charge"]["object"] == "charge"

    served(tmp_path, story)
