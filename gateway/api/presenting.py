"""Resources as the API shows them: Stripe's shapes."""

from typing import Any

import msgspec

from events.moments import moment
from gateway.account_events import SignIn
from gateway.labels import Label
from gateway.paying_accounts import methods_for
from gateway.payment_methods import ShownMethod
from gateway.payments.charges import latest_charge_id
from gateway.payments.intents import Intent
from gateway.store.review_rows import Review

MERCHANTS_OWN: dict[str, Any] = {
    "cancellation_reason": None,
    "customer": None,
    "description": None,
    "metadata": {},
    "not_assessed": False,
    "outcome": None,
    "receipt_email": None,
    "refund_owed": False,
    "review": None,
}
"""Members that a shopper's browser is not shown, with what stands in their place."""


AWAIT_APP, OPEN_APP = "upi_await_notification", "upi_handle_redirect_or_display_qr_code"
"""What a UPI payer does: approve a request that is in the app, or open the app by a link or a QR code."""


def browser_intent_json(intent: Intent, client_secret: str) -> dict[str, Any]:
    """A payment intent as a shopper's browser may see it: nothing of risk, nothing that is the merchant's."""
    return {**intent_json(intent, client_secret), **MERCHANTS_OWN}


def intent_json(
    intent: Intent, client_secret: str | None = None, *, receipt_email: str | None = None
) -> dict[str, Any]:
    """A payment intent. `created` and `canceled_at` are Unix seconds, amounts minor units."""
    partial = "if_available" if intent.partial_authorization else "never"
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount_minor,
        "amount_capturable": intent.amount_capturable_minor,
        "amount_received": intent.amount_received_minor,
        "amount_refunded": intent.amount_refunded_minor,
        "cancellation_reason": intent.cancellation_reason,
        "canceled_at": None if intent.canceled_us is None else intent.canceled_us // 1_000_000,
        "capture_at": None if intent.capture_due_us is None else intent.capture_due_us // 1_000_000,
        "capture_delay_hours": intent.capture_delay_hours,
        "capture_method": intent.capture_method,
        "client_secret": client_secret,
        "confirmation_method": intent.confirmation_method,
        "created": intent.created_us // 1_000_000,
        "currency": intent.currency.lower(),
        "customer": intent.customer,
        "description": intent.description,
        "last_payment_error": None if intent.last_error is None else msgspec.to_builtins(intent.last_error),
        "latest_charge": latest_charge_id(intent),
        "livemode": intent.mode == "live",
        "metadata": intent.metadata,
        "next_action": next_action_json(intent),
        "not_assessed": intent.not_assessed,
        "outcome": None if intent.outcome is None else msgspec.to_builtins(intent.outcome),
        "payment_method": intent.token,
        "payment_method_options": {"card": {"request_partial_authorization": partial}},
        "payment_method_types": intent.payment_method_types or methods_for(intent.currency),
        "receipt_email": receipt_email,
        "refund_owed": intent.refund_owed,
        "review": intent.review_id,
        "setup_future_usage": intent.setup_future_usage,
        "statement_descriptor": intent.statement_descriptor,
        "status": intent.status,
    }


def next_action_json(intent: Intent) -> dict[str, Any] | None:
    """What the payer has to do, None where nothing is."""
    action = intent.next_action
    if action is None:
        return None
    expires_at = int(action.expires_at.timestamp())
    shown: dict[str, Any] = dict.fromkeys(("type", "redirect_to_url", AWAIT_APP, OPEN_APP))
    if action.kind == "upi_collect":
        details = {"app_url": action.url, "expires_at": expires_at}
        return shown | {"type": AWAIT_APP, AWAIT_APP: details}
    if action.kind == "upi_intent":
        code = {"data": action.link, "expires_at": expires_at}
        details = {"hosted_instructions_url": action.url, "mobile_auth_url": action.link, "qr_code": code}
        return shown | {"type": OPEN_APP, OPEN_APP: details}
    where = {"url": action.url, "return_url": intent.return_url}
    return shown | {"type": "redirect_to_url", "redirect_to_url": where}


def method_json(shown: ShownMethod) -> dict[str, Any]:
    """A payment method: of `card`, `upi`, `wallet` and `netbanking` the one that it is, the others null."""
    method, handle = shown.method, shown.handle
    details: dict[str, Any] = {"card": None, "upi": None, "wallet": None, "netbanking": None}
    if shown.card is not None:
        details["card"] = {
            "brand": shown.card.brand,
            "country": shown.card.issuer_country,
            "exp_month": shown.card.expiry_month,
            "exp_year": shown.card.expiry_year,
            "funding": shown.card.funding,
            "last4": shown.card.last4,
        }
    elif method.type == "upi":
        details["upi"] = {"vpa": handle.get("vpa")}
    elif method.type == "wallet":
        details["wallet"] = {"provider": method.provider, "wallet_id": handle.get("wallet_id")}
    else:
        details["netbanking"] = {"bank": method.provider, "last4": method.last4}
    return {
        "id": method.id,
        "object": "payment_method",
        "allow_redisplay": method.allow_redisplay,
        "created": method.created_us // 1_000_000,
        "customer": method.customer,
        "livemode": method.mode == "live",
        "metadata": method.metadata,
        "type": method.type,
        **details,
    }


def review_json(review: Review) -> dict[str, Any]:
    """A review; `open` until someone closed it."""
    return {
        "id": review.id,
        "object": "review",
        "closed_at": None if review.closed_us is None else review.closed_us // 1_000_000,
        "closed_reason": review.closed_reason,
        "created": review.opened_us // 1_000_000,
        "expires_at": None if review.expires_us is None else review.expires_us // 1_000_000,
        "livemode": review.mode == "live",
        "open": review.closed_us is None,
        "payment_intent": review.payment_id,
        "reason": review.closed_reason or review.reason,
        "opened_reason": review.reason,
    }


def label_json(label: Label) -> dict[str, Any]:
    """A label; its time is the one that was reported, or when it came."""
    return {
        "id": label.id,
        "object": "label",
        "fraud": label.fraud,
        "kind": label.kind,
        "payment_intent": label.payment_id,
        "reported_at": moment(label.reported_us),
        "source": label.source,
    }


def sign_in_json(sign_in: SignIn) -> dict[str, Any]:
    """A sign-in or a failure to sign in."""
    return {
        "id": sign_in.id,
        "object": "account_event",
        "occurred_at": sign_in.occurred_at,
        "type": sign_in.type,
    }


def list_json(items: list[dict[str, Any]], url: str, *, has_more: bool) -> dict[str, Any]:
    """A page of resources, and whether more follow."""
    return {"object": "list", "data": items, "has_more": has_more, "url": url}


def search_json(items: list[dict[str, Any]], url: str, next_page: str | None) -> dict[str, Any]:
    """A page of what was found; `next_page` is what to give as `page` for the next one."""
    return {
        "object": "search_result",
        "data": items,
        "has_more": next_page is not None,
        "next_page": next_page,
        "url": url,
    }
