"""Payments and charges as their caller may see them, with what is kept sealed of them opened."""

from collections.abc import Sequence
from typing import Any

from gateway.api.charge_json import charge_json
from gateway.api.presenting import browser_intent_json, intent_json
from gateway.auth import Caller
from gateway.payments.charges import Charge
from gateway.payments.intents import Intent
from gateway.wiring import Gateway


async def shown_intents(gateway: Gateway, intents: Sequence[Intent]) -> list[dict[str, Any]]:
    """Intents within a list or another resource: without their client secrets."""
    emails = await gateway.receipts.emails(intents)
    return [intent_json(intent, receipt_email=emails.get(intent.id)) for intent in intents]


async def shown_charges(gateway: Gateway, charges: Sequence[Charge]) -> list[dict[str, Any]]:
    """Charges; a receipt goes where the intent's does."""
    emails = await gateway.receipts.emails([charge.intent for charge in charges])
    return [charge_json(charge, emails.get(charge.intent.id)) for charge in charges]


async def shown_to(gateway: Gateway, caller: Caller, intent: Intent) -> dict[str, Any]:
    """The intent that was asked for, with its client secret."""
    secret = gateway.client_secrets.of(intent.id)
    if caller.publishable:
        return browser_intent_json(intent, secret)
    emails = await gateway.receipts.emails([intent])
    return intent_json(intent, secret, receipt_email=emails.get(intent.id))
