"""Routes of charges, which are only looked at."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway.api.callers import reader_of
from gateway.api.charge_json import charge_json
from gateway.api.presenting import list_json
from gateway.api.reading import read_query
from gateway.http.answers import answered
from gateway.requests import ListCharges
from gateway.wiring import Gateway

CHARGES = "/v1/charges"


def add_charges(application: FastAPI, gateway: Gateway) -> None:
    """What a merchant may see of its charges."""

    @application.get(CHARGES)
    async def list_page(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        page, has_more = await gateway.payments.charges(caller, read_query(request, ListCharges))
        return answered(list_json([charge_json(charge) for charge in page], CHARGES, has_more=has_more))

    @application.get(CHARGES + "/{charge_id}")
    async def retrieve(request: Request, charge_id: str) -> Response:
        caller = await reader_of(gateway, request)
        return answered(charge_json(await gateway.payments.charge(caller, charge_id)))
