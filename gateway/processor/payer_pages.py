"""Where cardholders come back to from their issuer's page: on to the shop, or a word of what came of it."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.errors import NotFoundError
from gateway.processor.authentication import AuthenticatingProcessor
from gateway.processor.shop_address import shop_address
from gateway.processor_port import ProcessorAnswer

HEADERS = {
    "content-security-policy": "default-src 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_NOT_PAID = {
    "abandoned": "The payment was canceled, or not confirmed in time.",
    "failed": "The payment was not confirmed: the code was wrong too often.",
}
"""Why, by what came of the authentication."""


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
            title, words = last_words(await cards.find(row.attempt_id))
            return _page(title, f"<p>{words} You may close this page and go back to the shop.</p>")
        return RedirectResponse(shop, 303, HEADERS)

    return Route("/payer/{secret}", returned, methods=["GET"])


def last_words(answer: ProcessorAnswer) -> tuple[str, str]:
    """Title and sentence for a payer who has no shop's page to read it on.

    >>> from gateway.processor_port import ProcessorAnswer
    >>> last_words(ProcessorAnswer(attempt_id="pi_1_1", status="approved"))[0]
    'Your payment went through'
    """
    if answer.status in ("approved", "captured"):
        return "Your payment went through", "Your bank has approved it."
    if answer.status not in ("declined", "reversed"):
        return "Your payment is on its way", "What came of it is not known yet: the shop will know."
    why = answer.authentication.result if answer.authentication else None
    return "Nothing was paid", _NOT_PAID.get(why or "", "Your bank did not approve the payment.")


def _page(title: str, body: str) -> Response:
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>""",
        headers=HEADERS,
    )
