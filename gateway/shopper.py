"""What is known of a shopper: entities to count, facts to score, and personal fields to seal."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from events.types import RiskContext
from events.vocabulary import Mode
from gateway.geo import Geography
from gateway.personal import PersonalData, customer_entity
from gateway.risk_context import RiskContextInput, read_country, read_ip


class Shopper(NamedTuple):
    """`entities` are what is counted (kind → value), `sealed_fields` what is kept encrypted."""

    entities: dict[str, str]
    sealed_fields: dict[str, str]
    ip_country: str | None
    billing_country: str | None
    shipping_country: str | None
    item_count: int | None


def known_shopper(
    context: RiskContextInput,
    *,
    merchant_id: str,
    customer: str | None,
    geography: Geography,
    ip_param: str = "risk_context[ip]",
) -> Shopper:
    """Read a context; raises `InvalidRequestError` for what is no IP address (`ip_param`) or no country."""
    address = read_ip(context.ip, ip_param)
    # Each in one spelling, so that a shopper who types it otherwise is counted as the same.
    entities = {
        "ip": str(address) if address else None,
        "device": context.device_id,
        "email": context.email.strip().lower() if context.email else None,
        "customer": customer_entity(merchant_id, customer) if customer else None,
    }
    return Shopper(
        entities={kind: value for kind, value in entities.items() if value},
        sealed_fields=sealed_fields(context),
        ip_country=geography.ip_country(address) if address else None,
        billing_country=read_country(context, "billing_address"),
        shipping_country=read_country(context, "shipping_address"),
        item_count=sum(item.quantity for item in context.items) if context.items is not None else None,
    )


def sealed_fields(context: RiskContextInput) -> dict[str, str]:
    """The context as fields of text, each structured member as JSON: what `restored` reads back."""
    members = msgspec.structs.asdict(context)
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in members.items()
        if value is not None
    }


def restored(fields: dict[str, str]) -> RiskContextInput:
    """The context that was sealed."""
    structured = {"billing_address", "shipping_address", "items"}
    members = {
        name: msgspec.json.decode(value) if name in structured else value for name, value in fields.items()
    }
    return msgspec.convert(members, RiskContextInput)


def subject_of(
    connection: Connection,
    personal: PersonalData,
    *,
    mode: Mode,
    merchant_id: str,
    customer: str | None,
    payment_id: str,
) -> str:
    """The data subject: the merchant's customer, else the payment, or the sign-in, itself."""
    if customer is None:
        return payment_id
    entities = {"customer": customer_entity(merchant_id, customer)}
    subject = personal.surrogates(connection, mode, entities)["customer"]
    personal.link(connection, mode, subject, entities)
    return subject


def risk_context(
    connection: Connection,
    personal: PersonalData,
    shopper: Shopper,
    *,
    mode: Mode,
    subject: str,
    at_us: int,
    sealed: bytes | None = None,
    linked: Collection[bytes] = (),
) -> RiskContext:
    """The context as events carry it: surrogates, countries, and the sealed fields.

    `sealed` are the same fields where they are sealed already; `linked` the keyed hashes of what else leads
    to the subject.
    """
    stand_ins = personal.surrogates(connection, mode, shopper.entities)
    personal.link(connection, mode, subject, shopper.entities, linked)
    return RiskContext(
        device=stand_ins.get("device"),
        ip=stand_ins.get("ip"),
        email=stand_ins.get("email"),
        customer=stand_ins.get("customer"),
        ip_country=shopper.ip_country,
        billing_country=shopper.billing_country,
        shipping_country=shopper.shipping_country,
        item_count=shopper.item_count,
        subject=subject,
        sealed=sealed or personal.seal(connection, subject, shopper.sealed_fields, at_us),
    )
