"""Parts of an amount that issuers approve, where there is no more: kept where the merchant wants them.

While an attempt is under way its intent's amount is what is asked for; from the approval on it is what was
approved, so that captures, increments, limits and events go by that.
"""

from typing import Literal

import msgspec
from sqlalchemy import Connection

from events.instruments import CardFacts, Instrument
from gateway.method_requests import PaymentMethodOptions
from gateway.payments.admission import give_back_in
from gateway.payments.charges import Charge
from gateway.payments.intents import Attempt, Intent
from gateway.processor_port import ProcessorAnswer
from gateway.store.charge_rows import resize_charge

PartialStatus = Literal["not_requested", "declined", "fully_authorized", "partially_authorized"]


def is_welcome(options: PaymentMethodOptions | None, *, before: bool = False) -> bool:
    """Whether a part is kept by what a request says, or else as `before`."""
    wish = options.card.request_partial_authorization if options and options.card else None
    return before if wish is None else wish == "if_available"


def asked_minor(intent: Intent, instrument: Instrument) -> int | None:
    """What the issuer is asked for where a part of it is kept; None where all of it has to be approved."""
    return intent.amount_minor if intent.partial_authorization and isinstance(instrument, CardFacts) else None


def cut_to_part_in(
    connection: Connection, intent: Intent, attempt: Attempt, answer: ProcessorAnswer
) -> Intent:
    """The intent of what was approved; the rest counts no longer to its day. Twice is as once."""
    if attempt.asked_minor is None or answer.authorized_minor >= intent.amount_minor:
        return intent
    part = msgspec.structs.replace(intent, amount_minor=answer.authorized_minor)
    give_back_in(connection, intent, attempt, intent.amount_minor - answer.authorized_minor)
    resize_charge(connection, part)
    return part


def whole_again(intent: Intent, attempt: Attempt) -> Intent:
    """The intent of what its merchant asked for, as nothing of the part was taken."""
    whole_minor = max(intent.amount_minor, attempt.asked_minor or 0)
    return msgspec.structs.replace(intent, amount_minor=whole_minor)


def authorized_minor(charge: Charge) -> int | None:
    """What the issuer promised, increments too; None where it did not, or the intent does not have it yet."""
    there = charge.was_authorized and charge.state != "pending"
    return charge.kept.amount_minor if there else None


def partial_status(charge: Charge) -> PartialStatus:
    """What came of asking for a part, in Stripe's words; `declined` as long as nothing is authorized."""
    asked = charge.attempt.asked_minor
    if asked is None:
        return "not_requested"
    if authorized_minor(charge) is None:
        return "declined"
    incremented = charge.outcome.amount_incremented if charge.outcome else 0
    is_part = charge.kept.amount_minor - incremented < asked
    return "partially_authorized" if is_part else "fully_authorized"
