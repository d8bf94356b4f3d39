"""Which payment method an intent is paid with, and whether it may be: by currency, customer and consent."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from events.ids import Entropy
from events.instruments import AccountFacts, Instrument
from events.moments import microseconds
from events.vocabulary import PaymentMethodType
from gateway.auth import Caller
from gateway.errors import InvalidRequestError
from gateway.method_requests import FutureUsage, MandateData, PaymentMethodData
from gateway.paying_accounts import LIMITS, obstacle_to
from gateway.payment_methods import make_method_in
from gateway.payments.intents import Intent
from gateway.people.merchants import Merchant
from gateway.personal import PersonalData
from gateway.processor_port import TestRisk
from gateway.requests import ConfirmIntent, CreateIntent, UpdateIntent
from gateway.store.method_rows import Consent, PaymentMethod, has_consent, insert_consent, load_method
from gateway.tokens import load_card

_WITHIN = "payment_method_data"
_KEPT_FOR = "setup_future_usage keeps the method for a customer: name one."


@dataclass(frozen=True)
class Chosen:
    """What pays. `id` is a token or a payment method, `digest` the keyed hash that its surrogate goes by."""

    id: str
    instrument: Instrument
    digest: bytes | None
    test_risk: TestRisk | None
    method: PaymentMethod | None = None

    @property
    def type(self) -> PaymentMethodType:
        """Card, or how the account pays."""
        return self.instrument.method if isinstance(self.instrument, AccountFacts) else "card"


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """Chooses within the transaction of the create or confirm that asks."""

    personal: PersonalData
    entropy: Entropy

    def at_creation(
        self, connection: Connection, caller: Caller, body: CreateIntent, currency: str
    ) -> str | None:
        """The id of what pays, None where that comes with the confirm; raises `InvalidRequestError`."""
        for type_ in body.payment_method_types or ():
            require_available(type_, currency, None, param="payment_method_types")
        if not body.confirm:
            _refuse_what_confirms(body)
        if body.setup_future_usage and body.customer is None:
            raise _missing("customer", _KEPT_FOR)
        if body.automatic_payment_methods and body.automatic_payment_methods.enabled:
            _refuse_named_types(body)
        chosen = self._chosen(connection, caller, body.payment_method, body.payment_method_data)
        if chosen is None:
            return None
        _require_fit(chosen, body.payment_method_types, body.customer)
        require_available(chosen.type, currency, None)
        return chosen.id

    def at_update(self, connection: Connection, caller: Caller, body: UpdateIntent) -> str | None:
        """The id of what shall pay from now on, None where that stays; raises `InvalidRequestError`."""
        chosen = self._chosen(connection, caller, body.payment_method, body.payment_method_data)
        return None if chosen is None else chosen.id

    def at_confirm(
        self,
        connection: Connection,
        caller: Caller,
        intent: Intent,
        body: ConfirmIntent,
        merchant: Merchant,
        at: datetime,
    ) -> Chosen:
        """What pays; a consent that comes with it is kept. Raises `InvalidRequestError`."""
        given = body.payment_method
        if given is None and body.payment_method_data is None:
            given = intent.token
        chosen = self._chosen(connection, caller, given, body.payment_method_data)
        if chosen is None:
            raise _missing("payment_method", "Give a payment method.")
        _require_fit(chosen, intent.payment_method_types, intent.customer)
        require_available(chosen.type, intent.currency, merchant.country)
        usage = body.setup_future_usage or intent.setup_future_usage
        if body.off_session:
            _require_consent(connection, chosen, usage)
        elif usage is not None:
            self._keep_consent(connection, intent, chosen, usage, body.mandate_data, at)
        return chosen

    def _chosen(
        self, connection: Connection, caller: Caller, given: str | None, data: PaymentMethodData | None
    ) -> Chosen | None:
        if given is not None and data is not None:
            raise InvalidRequestError(
                f"{_WITHIN}: give either this or payment_method.", code="parameter_invalid", param=_WITHIN
            )
        if data is not None:
            given = make_method_in(connection, self.personal, self.entropy, caller, data, within=_WITHIN).id
        return None if given is None else chosen_by(connection, caller, given)

    def _keep_consent(
        self,
        connection: Connection,
        intent: Intent,
        chosen: Chosen,
        usage: FutureUsage,
        mandate: MandateData | None,
        at: datetime,
    ) -> None:
        if chosen.method is None:
            message = "payment_method: a token is used as it is; only a payment method (pm_…) can be kept."
            raise InvalidRequestError(message, code="parameter_invalid", param="payment_method")
        if intent.customer is None:
            raise _missing("customer", _KEPT_FOR)
        if usage == "off_session" and mandate is None:
            raise _missing("mandate_data", "Payments without the payer need the payer's consent.")
        acceptance = mandate.customer_acceptance if mandate else None
        online = msgspec.structs.asdict(acceptance.online) if acceptance and acceptance.online else {}
        fields = {name: value for name, value in online.items() if value is not None}
        accepted_at = acceptance and acceptance.accepted_at
        consent = Consent(
            payment_method=chosen.id,
            payment_id=intent.id,
            usage=usage,
            accepted_us=microseconds(min(accepted_at, at) if accepted_at else at),
            text_version=acceptance.text_version if acceptance else None,
            sealed_context=self.personal.seal(connection, intent.subject, fields, microseconds(at)),
        )
        insert_consent(connection, consent)


def require_payable(connection: Connection, caller: Caller, intent: Intent) -> None:
    """What a changed intent names can pay it still; raises `InvalidRequestError`, `NotFoundError`."""
    for type_ in intent.payment_method_types or ():
        require_available(type_, intent.currency, None, param="payment_method_types")
    if intent.setup_future_usage and intent.customer is None:
        raise _missing("customer", _KEPT_FOR)
    if intent.token is not None:
        chosen = chosen_by(connection, caller, intent.token)
        _require_fit(chosen, intent.payment_method_types, intent.customer)
        require_available(chosen.type, intent.currency, None)


def chosen_by(connection: Connection, caller: Caller, given: str) -> Chosen:
    """What pays by an id of this caller's; raises `NotFoundError`, once detached `InvalidRequestError`."""
    if not given.startswith("pm_"):
        card = load_card(connection, given, merchant_id=caller.merchant_id, mode=caller.mode)
        return Chosen(given, card.facts, card.digest, card.test_risk)
    method = load_method(connection, given, merchant_id=caller.merchant_id, mode=caller.mode)
    if method.detached_us is not None:
        raise InvalidRequestError(
            "payment_method: this one was detached, and pays no more.",
            code="payment_method_detached",
            param="payment_method",
        )
    if method.token is not None:
        card = load_card(connection, method.token, merchant_id=caller.merchant_id, mode=caller.mode)
        return Chosen(given, card.facts, card.digest, card.test_risk, method)
    return Chosen(given, facts_of(method), method.surrogate_digest, method.test_risk, method)


def each_once(types: list[PaymentMethodType] | None) -> list[PaymentMethodType] | None:
    """Types as they were named first; twice says no more than once."""
    return None if types is None else list(dict.fromkeys(types))


def facts_of(method: PaymentMethod) -> AccountFacts:
    """An account as events carry it."""
    if method.type == "card":
        raise ValueError(f"payment method {method.id} is a card, and no token of it is kept")
    return AccountFacts(
        method=method.type,
        token=method.id,
        surrogate=method.surrogate or "",
        provider=method.provider or "",
        last4=method.last4,
    )


def require_available(
    type_: PaymentMethodType, currency: str, country: str | None, *, param: str = "payment_method"
) -> None:
    """Raises `InvalidRequestError` where a method is not there for a currency or a merchant's country."""
    obstacle = obstacle_to(type_, currency, country)
    if obstacle is None:
        return
    if obstacle == "currency":
        where = ", ".join(sorted(LIMITS[type_].currencies or ()))
        message = f"{param}: {type_} pays in {where} alone, not in {currency}."
    else:
        where = ", ".join(sorted(LIMITS[type_].countries or ()))
        message = (
            f"{param}: {type_} is for merchants in {where} alone, and yours is in {country} "
            "(`weir merchants update MERCHANT --country`)."
        )
    raise InvalidRequestError(message, code="payment_method_not_available", param=param)


def _require_fit(
    chosen: Chosen,
    types: tuple[PaymentMethodType, ...] | list[PaymentMethodType] | None,
    customer: str | None,
) -> None:
    if types is not None and chosen.type not in types:
        message = f"payment_method: this intent takes {', '.join(types)}."
        raise InvalidRequestError(message, code="payment_method_not_available", param="payment_method")
    owner = chosen.method.customer if chosen.method else None
    if owner is not None and owner != customer:
        raise InvalidRequestError(
            "payment_method: it is kept for another customer than this intent's.",
            code="payment_method_customer_mismatch",
            param="payment_method",
        )


def _require_consent(connection: Connection, chosen: Chosen, usage: FutureUsage | None) -> None:
    if usage is not None:
        message = "off_session: a method is kept by its payer alone, so not together with setup_future_usage."
        raise InvalidRequestError(message, code="parameter_invalid", param="off_session")
    if chosen.type != "card":
        message = f"off_session: every payment by {chosen.type} needs the payer's own approval."
        raise InvalidRequestError(message, code="parameter_invalid", param="off_session")
    if not has_consent(connection, chosen.id, "off_session"):
        raise InvalidRequestError(
            "off_session: the payer has not consented to payments with this method without the payer.",
            code="payment_method_without_consent",
            param="off_session",
        )


def _refuse_named_types(body: CreateIntent) -> None:
    if body.payment_method_types is not None:
        param = "automatic_payment_methods"
        message = f"{param}: give either this or payment_method_types."
        raise InvalidRequestError(message, code="parameter_invalid", param=param)


def _refuse_what_confirms(body: CreateIntent) -> None:
    for name in ("return_url", "off_session", "mandate_data"):
        if getattr(body, name):
            message = f"{name}: this comes with the confirm, or with confirm=true."
            raise InvalidRequestError(message, code="parameter_invalid", param=name)


def _missing(param: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, code="parameter_missing", param=param)
