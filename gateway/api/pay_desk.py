"""`POST /pay` at the API: one call that creates and confirms a payment intent, for who signed in."""

from dataclasses import dataclass

import msgspec

from gateway.api.presenting import next_action_json
from gateway.auth import Caller
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.idempotency import IdempotencyKeys
from gateway.method_requests import NetbankingInput, PaymentMethodData, UpiInput, WalletInput
from gateway.pay_port import PayAnswer, PayOrder, PaySession, PaySessionOpened
from gateway.payments.intents import Intent, PaymentError
from gateway.payments.outcomes import BLOCKED_ERROR
from gateway.payments.service import Payments
from gateway.people.errors import ForbiddenError, WrongMerchantError
from gateway.people.sign_ins import SignIns
from gateway.pressure.admission import Admission
from gateway.pressure.lateness import Lateness
from gateway.rate_limits import RateLimits
from gateway.requests import ConfirmIntent, CreateIntent
from gateway.risk_context import RiskContextInput
from gateway.store.idempotency_rows import Claim
from gateway.tokens import card_as_said
from gateway.wiring import Gateway

PATH = "/pay"

_OWN_NAMES = {
    "payment_method_data[upi]": "upi",
    "payment_method_data[wallet]": "wallet",
    "payment_method_data[netbanking][bank]": "net_banking[bank_code]",
    "payment_method_data[netbanking]": "net_banking",
    "payment_method: ": "method: ",
    "netbanking": "net_banking",
}
"""Members of an intent as `/pay` calls them, the longer names first."""

_CANCELED = {
    "expired": ("expired", "Nobody let it go on in time; nothing was taken."),
    "fraudulent": ("rejected", "It was rejected; nothing was taken."),
}
"""What a canceled payment is said to be, by its intent's `cancellation_reason`."""


@dataclass(frozen=True, kw_only=True)
class SignedInPayments:
    """The API's side of `gateway.pay_port`: a `PayDesk`."""

    sign_ins: SignIns
    rate_limits: RateLimits
    idempotency: IdempotencyKeys
    payments: Payments
    admission: Admission
    lateness: Lateness

    async def open(self, session: PaySession) -> PaySessionOpened:
        """Before a card is kept: whether the token is good, for this merchant, and not used too often."""
        caller = await self._caller(session.access_token, session.merchant_id)
        await self.rate_limits.admit_pay(caller.merchant_id)
        self.admission.writes.require_room(caller.party)
        return PaySessionOpened(mode=caller.mode, at=caller.at)

    async def pay(self, order: PayOrder) -> PayAnswer:
        """Pay, or say why not."""
        caller = await self._caller(order.access_token, order.merchant_id)
        await self.admission.enter_to_write(caller.party)
        try:
            return answer_to(await self._paid(caller, order))
        except (InvalidRequestError, NotFoundError, ForbiddenError) as error:
            return PayAnswer(status="declined", reason=error.code, message=in_words_of_pay(error.message))
        finally:
            self.admission.writes.leave(caller.party)

    async def _caller(self, access_token: str, merchant_id: str) -> Caller:
        caller = await self.sign_ins.caller(access_token)
        if merchant_id != caller.merchant_id:
            raise WrongMerchantError()
        return caller

    async def _paid(self, caller: Caller, order: PayOrder) -> Intent:
        """The order's intent: made, unless it was made before, and confirmed, unless it has been."""
        key = self.idempotency.request_key(
            caller, order.pay_id, path=PATH, body=await self._said(caller, order)
        )
        with self.idempotency.alone(key):
            known = await self.idempotency.find(key)
            # No answer is kept under such a key: it is made anew from the payment.
            if not isinstance(known, Claim):
                self.lateness.require_in_time()
                keyed = msgspec.structs.replace(caller, request_key=key)
                intent = await self.payments.create(keyed, _creation(order))
            else:
                intent = await self.payments.retrieve(caller, known.resource)
            if intent.status != "requires_confirmation":
                return intent
            return await self.payments.confirm(caller, intent.id, ConfirmIntent(return_url=order.return_url))

    async def _said(self, caller: Caller, order: PayOrder) -> PayOrder:
        """The order as a repetition says it: with another token for the same card, from wherever."""
        card = order.token and await self.payments.store.read(
            lambda c: card_as_said(c, str(order.token), caller.mode)
        )
        return msgspec.structs.replace(order, access_token="", token=card, connection_ip=None)


def in_words_of_pay(message: str) -> str:
    """A refusal by the members that `/pay` has.

    >>> in_words_of_pay("payment_method_data[upi][vpa]: this is not a UPI address.")
    'upi[vpa]: this is not a UPI address.'
    """
    for name, own in _OWN_NAMES.items():
        message = message.replace(name, own)
    return message


def pay_desk(gateway: Gateway) -> SignedInPayments:
    """The desk of a gateway."""
    return SignedInPayments(
        sign_ins=gateway.sign_ins,
        rate_limits=gateway.rate_limits,
        idempotency=gateway.idempotency,
        payments=gateway.payments,
        admission=gateway.admission,
        lateness=gateway.lateness,
    )


def answer_to(intent: Intent) -> PayAnswer:
    """What an attempt came to.

    >>> from gateway.payments.intents import Intent
    >>> answer_to(Intent(id="pi_1", merchant_id="m", mode="test", status="succeeded", amount_minor=100,
    ...                  currency="EUR", capture_method="automatic", created_us=0, subject="pi_1",
    ...                  attempts=1)).auth_id
    'pi_1_1'
    """
    attempt = f"{intent.id}_{intent.attempts}"
    if intent.status == "canceled" or _is_given_back(intent):
        return _taken_back(intent)
    if intent.status == "succeeded":
        return PayAnswer(status="approved", auth_id=attempt, payment_intent=intent.id)
    if intent.last_error is not None:
        return _declined(intent, intent.last_error)
    if intent.status == "requires_capture":
        message = "Authorized; the capture waits for a person to review it."
        return PayAnswer(
            status="pending",
            reason="under_review",
            message=message,
            auth_id=attempt,
            payment_intent=intent.id,
        )
    if intent.next_action is not None:
        return PayAnswer(
            status="pending",
            reason="action_required",
            message="The payer has to do something first: see next_action.",
            payment_intent=intent.id,
            next_action=next_action_json(intent),
        )
    return PayAnswer(
        status="pending", reason="processing", message="No answer yet.", payment_intent=intent.id
    )


def _taken_back(intent: Intent) -> PayAnswer:
    """Of a payment that was to go through, and did not in the end."""
    if _is_given_back(intent):
        reason, message = "fraud_suspected", "It was blocked later; the money was given back."
    elif _is_blocked(intent):
        reason, message = "fraud_suspected", BLOCKED_ERROR.message
    else:
        said = intent.cancellation_reason or ""
        reason, message = _CANCELED.get(said, ("canceled", "It was canceled; nothing was taken."))
    return PayAnswer(status="declined", reason=reason, message=message, payment_intent=intent.id)


def _is_given_back(intent: Intent) -> bool:
    return 0 < intent.amount_received_minor <= intent.amount_refunded_minor


def _is_blocked(intent: Intent) -> bool:
    return intent.outcome is not None and intent.outcome.type == "blocked"


def _declined(intent: Intent, error: PaymentError) -> PayAnswer:
    return PayAnswer(
        status="declined",
        reason="fraud_suspected" if _is_blocked(intent) else error.decline_code or error.code,
        message=error.message,
        payment_intent=intent.id,
    )


def _creation(order: PayOrder) -> CreateIntent:
    return CreateIntent(
        amount=order.amount_minor,
        currency=order.currency,
        payment_method=order.token,
        payment_method_data=_account(order),
        customer=order.customer,
        risk_context=_risk_context(order),
    )


def _risk_context(order: PayOrder) -> RiskContextInput | None:
    """What is known of the payer: an address that is told goes before the connection's."""
    told = order.risk_context
    if order.connection_ip is None or (told is not None and told.ip is not None):
        return told
    return msgspec.structs.replace(told or RiskContextInput(), ip=order.connection_ip)


def _account(order: PayOrder) -> PaymentMethodData | None:
    if order.method == "card":
        return None
    if order.method == "upi":
        return PaymentMethodData(type="upi", upi=UpiInput(vpa=order.vpa))
    if order.method == "wallet":
        return PaymentMethodData(type="wallet", wallet=WalletInput(wallet_id=order.wallet_id))
    bank = NetbankingInput(bank=order.bank_code or "", account=order.account)
    return PaymentMethodData(type="netbanking", netbanking=bank)
