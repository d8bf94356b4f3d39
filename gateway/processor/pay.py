"""`POST /pay` at the processor's TLS listener: a card becomes a token here, and the API pays with it."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from events.ids import Entropy, prefixed
from gateway.errors import ApiUnavailableError, InvalidRequestError, RequestError
from gateway.http.answers import answered
from gateway.http.bodies import read_body
from gateway.http.origins import public_origin
from gateway.http.presented_keys import presented_token
from gateway.pay_port import PayAnswer, PayDesk, PayOrder, PaySession
from gateway.people.errors import ForbiddenError, InvalidTokenError, RateLimitedError
from gateway.processor.card_input import check
from gateway.processor.errors import CardInputError
from gateway.processor.pay_input import (
    METHODS,
    PAY_BODY_BYTES_MAX,
    PayInput,
    amount_minor,
    card_input,
    read_pay,
    refuse_card_numbers,
)
from gateway.processor.tokens import Tokens

IDEMPOTENCY_HEADER = "idempotency-key"
IDEMPOTENCY_KEY_LENGTH_MAX = 255


@dataclass(frozen=True, kw_only=True)
class Pay:
    """Takes an order, and asks the API for the rest. It keeps no card before the API knows who asks."""

    tokens: Tokens
    desk: PayDesk
    entropy: Entropy

    async def answer(self, request: Request) -> Response:
        """The route. What is no order at all is a problem document, as everywhere; everything else says how
        the payment stands."""
        try:
            access_token = presented_token(request)
            given = read_pay(
                await read_body(request, PAY_BODY_BYTES_MAX), request.headers.get("content-type")
            )
            pay_id = _idempotency_key(request) or prefixed("pay", self.entropy(16))
            return answered(await self._pay(access_token, given, pay_id, public_origin(request)))
        except CardInputError as error:
            return answered(_declined(error))
        except (InvalidTokenError, ForbiddenError, RateLimitedError) as error:
            response = answered(_declined(error), error.STATUS)
            response.headers.update(error.headers)
            return response

    async def _pay(
        self, access_token: str, given: PayInput, pay_id: str, connection_ip: str | None
    ) -> PayAnswer:
        amount = amount_minor(given)
        card = None if given.card is None else card_input(given.card)
        session = await self.desk.open(PaySession(access_token=access_token, merchant_id=given.merchant_id))
        token = None
        if card is not None:
            checked = check(card, session.at)
            token = str((await self.tokens.create(access_token, checked, session.at))["id"])
        order = _order(
            given,
            access_token=access_token,
            pay_id=pay_id,
            amount_minor=amount,
            token=token,
            connection_ip=connection_ip,
        )
        try:
            return await self.desk.pay(order)
        except ApiUnavailableError:
            # It may have paid: the same id asks for the same payment, and never for a second one.
            return await self.desk.pay(order)


def _idempotency_key(request: Request) -> str | None:
    """The header's text, None where there is none; raises `InvalidRequestError`, `CardDataError`."""
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        raise InvalidRequestError(
            f"Idempotency-Key: expected 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} characters.",
            code="parameter_invalid",
            param=IDEMPOTENCY_HEADER,
        )
    refuse_card_numbers([key])
    return key


def _order(given: PayInput, **known: Any) -> PayOrder:
    return PayOrder(
        merchant_id=given.merchant_id,
        currency=given.currency,
        method=METHODS[given.method],
        vpa=given.upi.vpa if given.upi else None,
        wallet_id=given.wallet.wallet_id if given.wallet else None,
        bank_code=given.net_banking.bank_code if given.net_banking else None,
        account=given.net_banking.account if given.net_banking else None,
        return_url=given.return_url,
        customer=given.customer,
        risk_context=given.risk_context,
        **known,
    )


def _declined(error: RequestError) -> PayAnswer:
    return PayAnswer(status="declined", reason=error.code, message=error.message)
