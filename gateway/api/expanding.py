"""Showing in the place of an id the resource itself, where a request asks for it with `expand[]`.

A way is the names of members from one resource to the next, such as `latest_charge.payment_method`; within a
list it begins with `data`. It has four steps at most.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from gateway.api.presenting import method_json, review_json
from gateway.api.showing import shown_charges, shown_intents
from gateway.auth import Caller
from gateway.errors import InvalidRequestError, NotFoundError, SecretKeyRequiredError
from gateway.wiring import Gateway

STEPS_MAX = 4

_RELATIONS = {
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method", "review": "review"},
    "charge": {"payment_intent": "payment_intent", "payment_method": "payment_method", "review": "review"},
    "review": {"payment_intent": "payment_intent"},
    "payment_method": {},
}
"""The members of each resource that hold another one's id, and what that is."""

Tree = dict[str, "Tree"]


@cache
def ways_from(resource: str, steps_max: int = STEPS_MAX) -> tuple[str, ...]:
    """Every way from a resource.

    >>> ways_from("charge", 1)
    ('payment_intent', 'payment_method', 'review')
    """
    if steps_max == 0:
        return ()
    return tuple(
        way
        for member, next_one in _RELATIONS[resource].items()
        for way in (member, *(f"{member}.{rest}" for rest in ways_from(next_one, steps_max - 1)))
    )


def ways_from_list(resource: str) -> tuple[str, ...]:
    """Every way from a list of a resource."""
    return tuple(f"data.{way}" for way in ways_from(resource, STEPS_MAX - 1))


class Expansion:
    """What one request asks to see, from its first resource; each is read once."""

    def __init__(
        self, gateway: Gateway, caller: Caller, ways: Sequence[str] | None, possible: tuple[str, ...]
    ) -> None:
        """Raises `InvalidRequestError` for a way that leads nowhere."""
        if ways and caller.publishable:
            raise SecretKeyRequiredError("expand shows what is the merchant's.")
        self._gateway, self._caller = gateway, caller
        self._tree: Tree = {}
        self._read: dict[str, dict[str, Any]] = {}
        for number, way in enumerate(ways or ()):
            if way not in possible:
                raise _nowhere(number, possible)
            branch = self._tree
            for member in way.split("."):
                branch = branch.setdefault(member, {})

    async def of(self, shown: dict[str, Any]) -> dict[str, Any]:
        """A resource or a list with what was asked for; what is null stays null."""
        return await self._grown(shown, self._tree)

    async def _grown(self, shown: dict[str, Any], tree: Tree) -> dict[str, Any]:
        grown = dict(shown)
        for member, below in tree.items():
            if member == "data":
                grown["data"] = [await self._grown(one, below) for one in shown["data"]]
            elif shown[member] is not None:
                grown[member] = await self._in_place_of(shown[member], member, below, shown["object"])
        return grown

    async def _in_place_of(self, the_id: str, member: str, below: Tree, of: str) -> Any:
        try:
            resource = self._read.get(the_id) or await self._resource(_RELATIONS[of][member], the_id)
        except NotFoundError:
            # What an erased person paid with is gone: then the id stays.
            return the_id
        self._read[the_id] = resource
        return await self._grown(resource, below)

    async def _resource(self, kind: str, the_id: str) -> dict[str, Any]:
        gateway, caller = self._gateway, self._caller
        if kind == "payment_intent":
            return (await shown_intents(gateway, [await gateway.payments.retrieve(caller, the_id)]))[0]
        if kind == "charge":
            return (await shown_charges(gateway, [await gateway.payments.charge(caller, the_id)]))[0]
        if kind == "review":
            return review_json(await gateway.reviews.retrieve(caller, the_id))
        if the_id.startswith("pm_"):
            return method_json(await gateway.payment_methods.retrieve(caller, the_id))
        return method_json(await gateway.payments.card(caller, the_id))


def _nowhere(number: int, possible: tuple[str, ...]) -> InvalidRequestError:
    first = ", ".join(way for way in possible if way.count(".") == possible[0].count("."))
    return InvalidRequestError(
        f"expand[{number}]: expected one of {first}, or a way on from there of {STEPS_MAX} steps at most.",
        code="parameter_invalid",
        param=f"expand[{number}]",
    )
