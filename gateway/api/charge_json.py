"""Charges as the API shows them: Stripe's shape, with the seed's states beside its statuses."""

from typing import Any

import msgspec

from events.instruments import CardFacts
from gateway.payments.charges import Charge, receipt_number
from gateway.payments.partial_authorizations import authorized_minor, partial_status


def charge_json(charge: Charge, receipt_email: str | None = None) -> dict[str, Any]:
    """A charge. Amounts are minor units, `created` Unix seconds."""
    kept, intent, error, before_us = charge.kept, charge.intent, charge.error, charge.capture_before_us
    return {
        "id": kept.id,
        "object": "charge",
        "amount": kept.amount_minor,
        "amount_captured": charge.captured_minor,
        "amount_refunded": charge.refunded_minor,
        "capture_before": None if before_us is None else before_us // 1_000_000,
        "captured": charge.captured_minor > 0,
        "created": kept.created_us // 1_000_000,
        "currency": intent.currency.lower(),
        "customer": intent.customer,
        "description": intent.description,
        "disputed": charge.disputed,
        "failure_code": None if error is None else error.decline_code or error.code,
        "failure_message": None if error is None else error.message,
        "livemode": kept.mode == "live",
        "metadata": intent.metadata,
        "outcome": None if charge.outcome is None else msgspec.to_builtins(charge.outcome),
        "paid": charge.status == "succeeded",
        "payment_intent": intent.id,
        "payment_method": kept.payment_method or charge.attempt.instrument.token,
        "payment_method_details": _details(charge),
        "receipt_email": receipt_email,
        "receipt_number": receipt_number(kept),
        "refunded": charge.is_refunded,
        "review": intent.review_id if charge.is_latest else None,
        "state": charge.state,
        "statement_descriptor": intent.statement_descriptor,
        "status": charge.status,
    }


def _details(charge: Charge) -> dict[str, Any]:
    """How it was paid: of a card and an account the one that it is, the other null."""
    instrument, approval_code = charge.attempt.instrument, charge.attempt.approval_code
    if isinstance(instrument, CardFacts):
        card = {
            "amount_authorized": authorized_minor(charge),
            "amount_requested": charge.attempt.asked_minor,
            "authorization_code": approval_code,
            "brand": instrument.brand,
            "country": instrument.issuer_country,
            "exp_month": instrument.expiry_month,
            "exp_year": instrument.expiry_year,
            "funding": instrument.funding,
            "last4": instrument.last4,
            "partial_authorization": {"status": partial_status(charge)},
        }
        return {"type": "card", "card": card, "account": None}
    account = {
        "authorization_code": approval_code,
        "provider": instrument.provider,
        "last4": instrument.last4,
    }
    return {"type": instrument.method, "card": None, "account": account}
