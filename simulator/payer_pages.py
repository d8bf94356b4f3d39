"""One look for every page that a payer sees: no script, by keyboard, on any screen, light or dark."""

import hashlib
from base64 import b64encode
from html import escape

from starlette.requests import Request

from events.money import major

BODY_BYTES_MAX = 8 * 1024

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 26rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; }
input, button { font: inherit; padding: .6rem; width: 100%; box-sizing: border-box; margin: .3rem 0; }
button { border: 1px solid #0b5f6b; border-radius: .4rem; background: #0b5f6b; color: #fff; cursor: pointer; }
button.other { border-color: currentColor; background: transparent; color: inherit; }
.quiet { font-size: .85rem; }
svg { display: block; width: min(100%, 15rem); height: auto; margin: 1rem auto; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
[role=alert] { border-inline-start: .3rem solid; padding-inline-start: .7rem; font-weight: bold; }
"""

_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Of every page: nothing runs, nothing is loaded or kept, and no one frames it."""


def page(title: str, body: str, head: str = "") -> str:
    """A whole page; title and body are HTML."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>{head}<style>{_STYLE}</style></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>"""


def end_page(text: str, return_url: str | None) -> str:
    """What came of it, and the way back to the shop where there is one."""
    status = f"<p role='status'>{text}</p>"
    if not return_url:
        return page("Payment", status)
    back = escape(return_url)
    # Not by a redirect: what a form may lead to is this server alone.
    head = f"<meta http-equiv='refresh' content='0;url={back}'>"
    return page("Payment", f'{status}<p><a href="{back}">Back to the shop</a></p>', head)


def unknown_page(title: str) -> str:
    """Nothing is here, or no more."""
    return page(title, "<p>This page is no longer of use. Go back to the shop.</p>")


def button(name: str, text: str, *, is_other: bool = False) -> str:
    """A form of one button, which sends `do=NAME`; `is_other`: not what most payers come for."""
    look = " class='other'" if is_other else ""
    return (
        f"<form method='post'><input type='hidden' name='do' value='{name}'>"
        f"<button type='submit'{look}>{text}</button></form>\n"
    )


def qr_code(text: str, says: str) -> str:
    """A QR code of the text, dark on light in any color scheme, as scanners want it; `says` names it."""
    # Here, for no other page needs the library.
    import segno

    code = segno.make(text, error="m", micro=False)
    return str(code.svg_inline(border=4, dark="#000", light="#fff", title=says, omitsize=True))


def amount(amount_minor: int, currency: str) -> str:
    """Major units, with as many decimals as the currency has.

    >>> amount(1250, "EUR"), amount(1250, "JPY")
    ('12.50 EUR', '1250 JPY')
    """
    return escape(f"{major(amount_minor, currency)} {currency}")


async def read_body(request: Request) -> bytes:
    """The body; raises `ValueError` where it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise ValueError("the body is too large")
    return bytes(body)
