"""What members of the rails ask, as JSON: a pure dispatch from method, path and body to status and answer."""

import re
from urllib.parse import urlencode

import msgspec

from events.money import major
from simulator.rails.orders import Method, Order
from simulator.rails.switch import Switch

_PATH = re.compile(r"/orders(?:/(?P<id>[A-Za-z0-9_.:-]{1,100})(?P<verb>/give_back|/refunds)?)?")


class OrderAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /orders`, and `POST /orders/{id}/give_back` of one that may never have arrived."""

    order_id: str
    method: Method
    provider: str = ""
    handle: str = ""
    amount_minor: int
    currency: str
    merchant: str
    return_url: str = ""
    is_test: bool = False


class RefundAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /orders/{id}/refunds`."""

    refund_id: str
    amount_minor: int


class OrderTold(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order stands. `url` is its payer's page, `link` opens a UPI app.

    `reference` is on the payer's statement.
    """

    order_id: str
    state: str
    reason: str | None
    url: str
    link: str | None
    seconds: int
    returned_minor: int
    reference: str


class RefundTold(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a refund."""

    refund_id: str
    accepted: bool


def answered(switch: Switch, pages: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and JSON; a question that is not as agreed is refused, and not quoted."""
    found = _PATH.fullmatch(path)
    if found is None:
        return 404, b"{}"
    try:
        return _dispatched(switch, pages, method, found["id"], found["verb"], body)
    except msgspec.MsgspecError:
        return 400, b"{}"


def _dispatched(
    switch: Switch, pages: str, method: str, order_id: str | None, verb: str | None, body: bytes
) -> tuple[int, bytes]:
    if method == "GET" and order_id is not None and verb is None:
        order = switch.find(order_id)
        return (404, b"{}") if order is None else (200, _told(order, pages))
    if method != "POST":
        return 405, b"{}"
    if order_id is None:
        return 200, _told(switch.open(_order(msgspec.json.decode(body, type=OrderAsked))), pages)
    if verb == "/give_back":
        return 200, _told(switch.give_back(_order(msgspec.json.decode(body, type=OrderAsked))), pages)
    if verb == "/refunds":
        asked = msgspec.json.decode(body, type=RefundAsked)
        accepted = switch.refund(order_id, asked.refund_id, asked.amount_minor)
        return 200, msgspec.json.encode(RefundTold(refund_id=asked.refund_id, accepted=accepted))
    return 405, b"{}"


def _order(asked: OrderAsked) -> Order:
    members = msgspec.structs.asdict(asked) | {"is_test": int(asked.is_test)}
    return Order(**members, secret="", opened_us=0, expires_us=0)


def _told(order: Order, pages: str) -> bytes:
    told = OrderTold(
        order_id=order.order_id,
        state=order.state,
        reason=order.reason,
        url=f"{pages}/orders/{order.secret}",
        link=upi_link(order) if order.method == "upi" and not order.is_collect else None,
        seconds=(order.expires_us - order.opened_us) // 1_000_000,
        returned_minor=order.returned_minor,
        reference=f"{int(order.secret, 16) % 10**12:012}",
    )
    return msgspec.json.encode(told)


def upi_link(order: Order) -> str:
    """What a QR code holds (NPCI's Linking Specification)."""
    members = {
        "pa": "merchants@weir",
        "pn": order.merchant,
        "tr": re.sub(r"[^A-Za-z0-9]", "", order.order_id)[-35:],
        "am": str(major(order.amount_minor, order.currency)),
        "cu": order.currency,
    }
    return "upi://pay?" + urlencode(members)
