"""Routes of charges, which are only looked at."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway.api.callers import reader_of
from gateway.api.expanding import Expansion, ways_from, ways_from_list
from gateway.api.presenting import list_json
from gateway.api.reading import read_query
from gateway.api.showing import shown_charges
from gateway.http.answers import answered
from gateway.http.routes import get
from gateway.requests import ListCharges, RetrieveCharge
from gateway.wiring import Gateway

CHARGES = "/v1/charges"


def add_charges(application: FastAPI, gateway: Gateway) -> None:
    """What a merchant may see of its charges."""

    @get(application, CHARGES)
    async def list_page(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        query = read_query(request, ListCharges)
        expansion = Expansion(gateway, caller, query.expand, ways_from_list("charge"))
        page, has_more = await gateway.payments.charges(caller, query)
        listed = list_json(await shown_charges(gateway, page), CHARGES, has_more=has_more)
        return answered(await expansion.of(listed))

    @get(application, CHARGES + "/{charge_id}")
    async def retrieve(request: Request, charge_id: str) -> Response:
        caller = await reader_of(gateway, request)
        query = read_query(request, RetrieveCharge)
        expansion = Expansion(gateway, caller, query.expand, ways_from("charge"))
        charge = await gateway.payments.charge(caller, charge_id)
        return answered(await expansion.of((await shown_charges(gateway, [charge]))[0]))
