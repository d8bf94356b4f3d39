"""Accounts are opened where they leave: only what goes to the processor says who is to be asked to pay."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.errors import NotFoundError
from gateway.personal import PersonalData
from gateway.processor_port import AccountToCharge, AuthorizationRequest
from gateway.store.method_rows import load_method
from gateway.store.writer import Store


class AccountCharging:
    """Adds the account to a request whose token is a payment method's.

    A person who was erased meanwhile is asked for nothing: the processor knows no card of that name.
    """

    def __init__(self, store: Store, personal: PersonalData) -> None:
        self._store = store
        self._personal = personal

    async def opened(self, request: AuthorizationRequest) -> AuthorizationRequest:
        """The request as it leaves for the processor."""
        if not request.token.startswith("pm_"):
            return request
        account = await self._store.read(lambda c: self._account(c, request))
        return msgspec.structs.replace(request, account=account)

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
