"""A cardholder who was sent to the issuer's page finds it again after the issuers' program was killed."""

import re
import ssl
from pathlib import Path

import pytest

from tests.integration.processor_world import World, attempt, client, free_port

CHALLENGED = "4000000000003220"


@pytest.mark.parametrize("confirmed", ["before", "after"])
def test_a_challenge_survives_a_kill_of_the_issuers_and_the_payment_goes_through(
    tmp_path: Path, confirmed: str
) -> None:
    world, directory, pages = World(tmp_path), free_port(), free_port()
    ports = ["--directory-port", str(directory), "--pages-port", str(pages)]
    try:
        world.start_acquirer(more=ports)
        world.start_processor(more=["--directory", f"https://127.0.0.1:{directory}"])
        asked = attempt("pi_1_1", world.token(CHALLENGED)) | {"return_url": "https://shop.example/done"}
        told = world.asked("authorize", asked)
        assert told["status"] == "action_required"
        page = told["action"]["url"].partition(str(pages))[2]

        trusting = ssl.create_default_context(cafile=str(world.keys / "ca.pem"))
        with client(f"https://127.0.0.1:{pages}", trusting) as cardholder:
            if confirmed == "before":
                cardholder.post(page, data={"do": "answer", "code": "4815"})
            assert world.acquirer is not None
            world.acquirer.kill()
            world.start_acquirer(more=ports)
            if confirmed == "after":
                assert "Confirm your payment" in cardholder.get(page).text
                cardholder.post(page, data={"do": "answer", "code": "4815"})
            end = cardholder.get(page).text
        assert "You have confirmed the payment" in end
        way_back = re.search(r"url=https://[^/]+(/payer/\w+)", end)
        assert way_back is not None
        with world.shopper() as browser:
            assert browser.get(way_back[1]).headers["location"].startswith("https://shop.example/done")
        assert world.asked("find", "pi_1_1")["status"] == "approved"
    finally:
        world.stop()
