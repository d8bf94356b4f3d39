"""Showing in the place of an id the resource itself, where a request asks for it with `expand[]`."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from gateway.api.charge_json import charge_json
from gateway.api.presenting import method_json, review_json
from gateway.auth import Caller
from gateway.errors import NotFoundError
from gateway.requests import Expandable
from gateway.wiring import Gateway


async def expanded(
    gateway: Gateway, caller: Caller, shown: dict[str, Any], names: Sequence[Expandable] | None
) -> dict[str, Any]:
    """An intent with these members as resources; what is null stays null."""
    for name in dict.fromkeys(names or ()):
        if shown[name] is not None:
            # What an erased person paid with is gone: then the id stays.
            with suppress(NotFoundError):
                shown = {**shown, name: await _resource(gateway, caller, name, shown[name])}
    return shown


async def _resource(gateway: Gateway, caller: Caller, name: Expandable, the_id: str) -> dict[str, Any]:
    if name == "latest_charge":
        return charge_json(await gateway.payments.charge(caller, the_id))
    if name == "review":
        return review_json(await gateway.reviews.retrieve(caller, the_id))
    if the_id.startswith("pm_"):
        return method_json(await gateway.payment_methods.retrieve(caller, the_id))
    return method_json(await gateway.payments.card(caller, the_id))
