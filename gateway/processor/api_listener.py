"""Telling the API, over the network, that an attempt has another answer now."""

import ssl

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError
from gateway.link.asking import Link, RefusedError
from gateway.processor_port import AnswerChanged

declare({"processor.answer.telling": "an answer has changed, durably; the API has not heard of it"})

ANSWER_SECONDS_MAX = 8.0
"""Longer than the API waits for an attempt's end before it answers."""


class ApiListener:
    """Implements `gateway.processor_port.AnswerListener`."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._link = Link(address, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ApiUnavailableError)

    async def answer_changed(self, change: AnswerChanged) -> None:
        crash_point("processor.answer.telling")
        try:
            await self._link.ask(object, "answer_changed", change)
        except RefusedError as error:
            raise ApiUnavailableError(f"The API answered {error.refusal.status}.") from None

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._link.close()
