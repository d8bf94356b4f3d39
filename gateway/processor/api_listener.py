"""Telling the API, over the network, that an attempt has another answer now."""

import ssl
from http import HTTPStatus

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError
from gateway.http.asking import Peer
from gateway.processor_port import AnswerChanged

declare({"processor.answer.telling": "an answer has changed, durably; the API has not heard of it"})

ANSWER_SECONDS_MAX = 8.0
"""Longer than the API waits for an attempt's end before it answers."""


class ApiListener:
    """Implements `gateway.processor_port.AnswerListener`."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._peer = Peer(url, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ApiUnavailableError)

    async def answer_changed(self, change: AnswerChanged) -> None:
        crash_point("processor.answer.telling")
        reply = await self._peer.ask("POST", "/internal/answers", change)
        if reply.status != HTTPStatus.OK:
            raise ApiUnavailableError(f"The API answered {reply.status}.")

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._peer.close()
