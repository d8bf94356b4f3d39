"""Two listeners: members' questions (mutual TLS) and payers' pages (TLS); and the telling of members."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from simulator.payer_pages import HEADERS, read_body, unknown_page
from simulator.rails.members import answered
from simulator.rails.pages import order_page
from simulator.rails.switch import Switch

SWEEP_SECONDS = 0.25
Tell = Callable[[str], Awaitable[bool]]
"""Tells the member that an order has changed; gives whether that arrived."""


def members_app(switch: Switch, pages: str) -> Starlette:
    """What members ask; `pages` is where the payers' pages are, `https://HOST:PORT`."""

    async def ask(request: Request) -> Response:
        try:
            body = await read_body(request)
        except ValueError:
            return Response(status_code=413)
        status, content = answered(switch, pages, request.method, request.url.path, body)
        return Response(content, status, media_type="application/json")

    return Starlette(routes=[Route("/{path:path}", ask, methods=["GET", "POST"])])


def payers_app(switch: Switch, tell_now: Callable[[], Awaitable[None]]) -> Starlette:
    """What payers see. `tell_now`: the shop had better know before its payer is back."""

    async def show(request: Request) -> Response:
        order = switch.page(request.path_params["secret"])
        if order is None:
            return HTMLResponse(unknown_page("Nothing to pay"), 404, HEADERS)
        return HTMLResponse(order_page(order), headers=HEADERS)

    async def act(request: Request) -> Response:
        order = switch.page(request.path_params["secret"])
        if order is not None:
            try:
                verdict = parse_qs((await read_body(request)).decode("utf-8", "replace")).get("do", [""])[0]
            except ValueError:
                return Response(status_code=413)
            if verdict == "pay":
                switch.decide(order, "pay")
            elif verdict == "decline":
                switch.decide(order, "decline")
            await tell_now()
        return RedirectResponse(request.url.path, 303, HEADERS)

    path = "/orders/{secret}"
    return Starlette(routes=[Route(path, show, methods=["GET"]), Route(path, act, methods=["POST"])])


async def tell_due(switch: Switch, tell: Tell) -> None:
    """Tell members what they are to be told now."""
    for notice in switch.due_notices():
        switch.told(notice, arrived=await tell(notice.order_id))


async def work(switch: Switch, tell: Tell) -> None:
    """Let time pass, and tell, until canceled."""
    while True:
        switch.sweep()
        await tell_due(switch, tell)
        await asyncio.sleep(SWEEP_SECONDS)
