"""Where cardholders come back to from their issuer's page: on to the shop, or a word that they are done."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.errors import NotFoundError
from gateway.processor.authentication import AuthenticatingProcessor
from gateway.processor.shop_address import shop_address

HEADERS = {
    "content-security-policy": "default-src 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def payer_route(cards: AuthenticatingProcessor) -> Route:
    """`GET /payer/{secret}`: the payment has its end before anybody is sent on.

    Nothing that comes with the request is believed: the issuer's server is asked.
    """

    async def returned(request: Request) -> Response:
        row = await cards.returned(request.path_params["secret"])
        if row is None:
            raise NotFoundError()
        if row.state == "waiting":
            return _page(
                "Your payment is not confirmed yet",
                f'<p><a href="{escape(row.url or "")}">Go back to your bank\'s page</a></p>',
            )
        shop = shop_address(row.asked())
        if shop is None:
            return _page("Done", "<p>You may close this page and go back to the shop.</p>")
        return RedirectResponse(shop, 303, HEADERS)

    return Route("/payer/{secret}", returned, methods=["GET"])


def _page(title: str, body: str) -> Response:
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>""",
        headers=HEADERS,
    )
