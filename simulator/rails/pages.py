"""The payers' pages: the app's request, a wallet's and a bank's own. No script, by keyboard, any screen."""

import hashlib
from base64 import b64encode
from html import escape

from simulator.rails.members import upi_link
from simulator.rails.orders import Order, in_major_units

STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 26rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; }
button { font: inherit; padding: .6rem; width: 100%; margin: .3rem 0; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
"""

POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The content security policy of every page here: nothing runs, nothing is loaded, no one frames it."""

_TITLES = {
    "upi": "A request in your UPI app",
    "wallet": "Pay with your wallet",
    "netbanking": "Pay from your account",
}
_ENDS = {
    "paid": "Thank you. The payment is made.",
    "declined": "The payment was declined.",
    "expired": "The time is over. Nothing was paid.",
    "canceled": "The shop has taken the request back. Nothing was paid.",
}


def order_page(order: Order) -> str:
    """The question, or what came of it and the way back."""
    if order.state != "pending":
        return _end(order)
    link = f"<p>{escape(upi_link(order))}</p>" if order.method == "upi" and not order.is_collect else ""
    who = f" ({escape(order.provider)})" if order.provider else ""
    return _page(
        _TITLES[order.method] + who,
        f"""<p>{escape(order.merchant)} asks for <strong>{_amount(order)}</strong>.</p>{link}
{_button("pay", "Pay")}{_button("decline", "Decline")}""",
    )


def unknown_page() -> str:
    """No such order, or no more."""
    return _page("Nothing to pay", "<p>This page is no longer of use. Go back to the shop.</p>")


def _end(order: Order) -> str:
    text = f"<p role='status'>{_ENDS[order.state]}</p>"
    if not order.return_url:
        return _page("Payment", text)
    back = escape(order.return_url)
    # Not by a redirect: what a form may lead to is this server alone.
    head = f"<meta http-equiv='refresh' content='0;url={back}'>"
    return _page("Payment", f'{text}<p><a href="{back}">Back to the shop</a></p>', head)


def _button(name: str, text: str) -> str:
    return (
        f"<form method='post'><input type='hidden' name='do' value='{name}'>"
        f"<button type='submit'>{text}</button></form>\n"
    )


def _amount(order: Order) -> str:
    return escape(f"{in_major_units(order.amount_minor, order.currency)} {order.currency}")


def _page(title: str, body: str, head: str = "") -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>{head}<style>{STYLE}</style></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>"""
