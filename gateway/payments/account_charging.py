"""Accounts are opened where they leave: only what goes to the processor says who is to be asked to pay."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.errors import NotFoundError
from gateway.personal import PersonalData
from gateway.processor_port import (
    AccountToCharge,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    Processor,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)
from gateway.store.method_rows import load_method
from gateway.store.writer import Store


class AccountCharging:
    """A `Processor` before another one: adds the account to a request whose token is a payment method's.

    A person who was erased meanwhile is asked for nothing: the processor knows no card of that name.
    """

    def __init__(self, processor: Processor, store: Store, personal: PersonalData) -> None:
        self._processor = processor
        self._store = store
        self._personal = personal

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        if request.token.startswith("pm_"):
            account = await self._store.read(lambda c: self._account(c, request))
            request = msgspec.structs.replace(request, account=account)
        return await self._processor.authorize(request)

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._processor.capture(attempt_id, request)

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        return await self._processor.increment(attempt_id, request)

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        return await self._processor.refund(attempt_id, request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._processor.reverse(attempt_id, request)

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return await self._processor.find(attempt_id)

    def _account(self, connection: Connection, request: AuthorizationRequest) -> AccountToCharge | None:
        owner: dict[str, Any] = {"merchant_id": request.merchant_id, "mode": request.mode}
        try:
            method = load_method(connection, request.token, **owner)
        except NotFoundError:
            return None
        if method.type == "card":
            return None
        handle = self._personal.unseal(connection, method.subject, method.sealed_handle)
        return AccountToCharge(
            method=method.type, provider=method.provider or "", handle=next(iter(handle.values()), "")
        )
