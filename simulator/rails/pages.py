"""The payers' pages: the app's request, a wallet's and a bank's own. No script, by keyboard, any screen."""

from html import escape

from simulator import payer_pages
from simulator.rails.members import upi_link
from simulator.rails.orders import Order

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

_SIMULATED = "This page stands in for the payer's app or bank, which is simulated: no money moves."


def order_page(order: Order) -> str:
    """The question, or what came of it and the way back."""
    if order.state != "pending":
        return payer_pages.end_page(_end(order), order.return_url)
    link = _app_link(upi_link(order)) if order.method == "upi" and not order.is_collect else ""
    who = f" ({escape(order.provider)})" if order.provider else ""
    price = payer_pages.amount(order.amount_minor, order.currency)
    return payer_pages.page(
        _TITLES[order.method] + who,
        f"""<p>{escape(order.merchant)} asks for <strong>{price}</strong>.</p>{link}
{payer_pages.button("pay", "Pay")}{payer_pages.button("decline", "Decline", is_other=True)}
<p class="quiet">{_SIMULATED}</p>""",
    )


def _app_link(link: str) -> str:
    """For a payer whose app is on this device, and for one whose app is on another."""
    return f"""<p><a href="{escape(link)}">Open your UPI app</a>, or scan this code with it:</p>
{payer_pages.qr_code(link, "QR code of the request to pay")}"""


def _end(order: Order) -> str:
    if not order.returned_minor:
        return _ENDS[order.state]
    returned = payer_pages.amount(order.returned_minor, order.currency)
    if order.returned_minor == order.amount_minor:
        return f"The payment was made, and the shop has given all of it back: {returned}."
    return f"Thank you. The payment is made. Of it the shop has given {returned} back."
