"""Merchants: who sells, how far their onboarding is, and what they may take.

A pending or suspended merchant takes no live payments; what it was paid before goes on to its end.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, insert, select, update

from events.errors import MoneyError
from events.moments import microseconds
from events.money import AMOUNT_MINOR_MAX, exponent
from events.vocabulary import PaymentMethodType
from gateway.countries import COUNTRIES
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.event_recorder import EventRecorder
from gateway.store.by_key import ByKey, Wanted
from gateway.store.tables import merchants

MerchantStatus = Literal["pending", "active", "suspended"]
Plan = Literal["standard", "growth", "scale"]

NOBODYS_MERCHANT = "unknown"
"""Of whom a try to sign in with a name that is nobody's is told; no merchant may have this id."""

NAME_LENGTH_MAX = 200
_MERCHANT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_CATEGORY = re.compile(r"[0-9]{4}")
_MERCHANTS = ByKey(merchants, "id")
_UNKNOWN = "There is no such merchant: `weir merchants list` shows them all."


class MerchantSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a merchant may take. Amounts are minor units by currency; None allows every one.

    `limit_per_payment` overrules the default (`gateway.limits`) where it names the currency; a currency that
    `limit_per_day` does not name has no limit per day. `countries` are those of a card's issuer.
    """

    plan: Plan = "standard"
    limit_per_payment: dict[str, int] = {}
    limit_per_day: dict[str, int] = {}
    methods: tuple[PaymentMethodType, ...] | None = None
    countries: tuple[str, ...] | None = None
    currencies: tuple[str, ...] | None = None


class Merchant(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells. `category` is an ISO 18245 code (MCC), `country` ISO 3166 alpha-2."""

    id: str
    name: str
    category: str | None = None
    country: str | None = None
    status: MerchantStatus = "pending"
    settings: MerchantSettings = MerchantSettings()


def create_merchant(
    connection: Connection, recorder: EventRecorder, merchant: Merchant, *, at: datetime, actor: str
) -> None:
    """Raises `InvalidRequestError` where the id is taken, or a member is not of its form."""
    require_form(merchant)
    if merchant.id == NOBODYS_MERCHANT:
        message = f"The merchant's id must not be {merchant.id}, which stands for nobody's."
        raise InvalidRequestError(message, code="parameter_invalid", param="id")
    if connection.execute(select(merchants.c.id).where(merchants.c.id == merchant.id)).first():
        raise InvalidRequestError("There is such a merchant already.", code="merchant_exists", param="id")
    row = {"id": merchant.id, "created_us": microseconds(at), **_members(merchant)}
    connection.execute(insert(merchants), row)
    recorder.audit(connection, at, actor=actor, action="merchant.create", resource=merchant.id)


def update_merchant(
    connection: Connection,
    recorder: EventRecorder,
    merchant: Merchant,
    *,
    at: datetime,
    actor: str,
    action: str = "merchant.update",
) -> None:
    """The merchant of this id as it shall be; raises `InvalidRequestError`, `NotFoundError`."""
    require_form(merchant)
    load_merchant(connection, merchant.id)
    connection.execute(update(merchants).where(merchants.c.id == merchant.id), _members(merchant))
    recorder.audit(connection, at, actor=actor, action=action, resource=merchant.id)


def merchant_wanted(merchant_id: str) -> Wanted:
    """A merchant that will be looked for."""
    return _MERCHANTS.wanted(merchant_id)


def load_merchant(connection: Connection, merchant_id: str) -> Merchant:
    """Raises `NotFoundError`."""
    row = _MERCHANTS.find(connection, merchant_id)
    if row is None:
        raise NotFoundError(_UNKNOWN, param="merchant")
    return _merchant(row)


def list_merchants(connection: Connection) -> list[Merchant]:
    """All merchants, by id."""
    return [_merchant(row) for row in connection.execute(select(merchants).order_by(merchants.c.id))]


def require_form(merchant: Merchant) -> None:
    """Category and country are features: a word instead of a code would count as a country of its own.

    Raises `InvalidRequestError` for the first member that is not of its form.
    """
    wrong = _wrong_member(merchant) or _wrong_setting(merchant.settings)
    if wrong is not None:
        param, form = wrong
        raise InvalidRequestError(
            f"The merchant's {param} must be {form}.", code="parameter_invalid", param=param
        )


def require_known(merchant: Merchant) -> None:
    """Law and risk go by them: raises `InvalidRequestError` where category or country is missing."""
    for param in ("category", "country"):
        if getattr(merchant, param) is None:
            raise InvalidRequestError(
                f"A merchant takes live payments once its {param} is known: "
                f"weir merchants update {merchant.id} --{param} …",
                code="parameter_missing",
                param=param,
            )


def _wrong_member(merchant: Merchant) -> tuple[str, str] | None:
    if not _MERCHANT_ID.fullmatch(merchant.id):
        return "id", "a letter, then at most 63 letters, digits, _ and -, such as acct_first"
    if not merchant.name.strip() or len(merchant.name) > NAME_LENGTH_MAX or not merchant.name.isprintable():
        return "name", f"1 to {NAME_LENGTH_MAX} printable characters"
    if merchant.category is not None and not _CATEGORY.fullmatch(merchant.category):
        return "category", "a merchant category code of four digits, such as 5942"
    if merchant.country is not None and merchant.country not in COUNTRIES:
        return "country", "a country of ISO 3166 as two capitals, such as DE"
    return None


def _wrong_setting(settings: MerchantSettings) -> tuple[str, str] | None:
    currencies = {*settings.limit_per_payment, *settings.limit_per_day, *(settings.currencies or ())}
    amounts = {*settings.limit_per_payment.values(), *settings.limit_per_day.values()}
    if unknown := _named(code for code in currencies if not is_currency(code)):
        return "currency", f"one of ISO 4217 as three capitals, such as EUR, and not {unknown}"
    if not all(0 < amount <= AMOUNT_MINOR_MAX for amount in amounts):
        return "limit", "above 0, and not above what a payment may ever be"
    if unknown := _named({*(settings.countries or ())} - COUNTRIES):
        return "countries", f"of ISO 3166 as two capitals, such as DE, and not {unknown}"
    return None


def _named(codes: Iterable[str]) -> str:
    return ", ".join(repr(code) for code in sorted(codes))


def is_currency(code: str) -> bool:
    """Whether settings may name a currency so."""
    try:
        exponent(code)
    except MoneyError:
        return False
    return code.isupper()


def _members(merchant: Merchant) -> dict[str, Any]:
    row = msgspec.structs.asdict(merchant)
    del row["id"]
    row["settings_json"] = msgspec.json.encode(row.pop("settings")).decode()
    return row


def _merchant(row: Any) -> Merchant:
    return Merchant(
        id=row.id,
        name=row.name,
        category=row.category,
        country=row.country,
        status=row.status,
        settings=settings_of(row.settings_json),
    )


@lru_cache(maxsize=1024)
def settings_of(text: str) -> MerchantSettings:
    """The settings as they are kept."""
    # Read at every step of a payment, and changed hardly ever.
    return msgspec.json.decode(text, type=MerchantSettings)
