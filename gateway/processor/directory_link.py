"""The directory over the network: JSON over mutual TLS, as card numbers go to it."""

import ssl
from http import HTTPStatus

import msgspec

from events.crash import crash_point, declare
from gateway.http.asking import Peer
from gateway.processor.directory import Lookup, Question
from gateway.processor.errors import DirectoryUnavailableError

declare({"processor.directory.asking": "a question to the directory is made, it has not left"})

ANSWER_SECONDS_MAX = 3.0
_TRANSACTIONS = "/directory/transactions"


class DirectoryLink:
    """A `Directory` at an address."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._peer = Peer(
            url, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=DirectoryUnavailableError
        )

    async def look_up(self, question: Question) -> Lookup:
        return await self._ask("POST", _TRANSACTIONS, question)

    async def find(self, transaction_id: str) -> Lookup:
        return await self._ask("GET", f"{_TRANSACTIONS}/{transaction_id}")

    async def withdraw(self, transaction_id: str) -> Lookup:
        return await self._ask("DELETE", f"{_TRANSACTIONS}/{transaction_id}")

    async def close(self) -> None:
        """Close the connections."""
        await self._peer.close()

    async def _ask(self, method: str, path: str, body: msgspec.Struct | None = None) -> Lookup:
        crash_point("processor.directory.asking")
        reply = await self._peer.ask(method, path, body)
        if reply.status != HTTPStatus.OK:
            raise DirectoryUnavailableError(f"The directory answered {reply.status}.")
        try:
            return msgspec.json.decode(reply.body, type=Lookup)
        except msgspec.DecodeError:
            raise DirectoryUnavailableError("The directory's answer is not as agreed.") from None


class NoDirectory:
    """Where no directory is known: nobody takes part."""

    async def look_up(self, question: Question) -> Lookup:  # noqa: ARG002  # the port's shape
        return Lookup(status="not_supported")

    async def find(self, transaction_id: str) -> Lookup:  # noqa: ARG002  # the port's shape
        return Lookup(status="error")

    async def withdraw(self, transaction_id: str) -> Lookup:  # noqa: ARG002  # the port's shape
        return Lookup(status="error")

    async def close(self) -> None:
        """Nothing is open."""
