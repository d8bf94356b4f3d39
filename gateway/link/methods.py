"""The methods that a program serves to the other, by name."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import structlog

from events.program_logs import places
from gateway.errors import GatewayError, InvalidRequestError, NotFoundError
from gateway.http.answers import internal_error, log_cause
from gateway.http.request_ids import begin_request
from gateway.link.calls import UNREADABLE, Call, Refusal, line

_log = structlog.get_logger("gateway")


class Served(NamedTuple):
    """A method: the types of its parameters, as a tuple, and what is done with them."""

    params: Any
    work: Callable[..., Awaitable[Any]]


class Methods:
    """Answers calls. No answer quotes what was asked, no log line the text of an error but what is away."""

    def __init__(self, served: Mapping[str, Served]) -> None:
        self._served = {name: (msgspec.json.Decoder(params), work) for name, (params, work) in served.items()}

    async def answer(self, call: Call) -> bytes:
        """The call's answer as a line; an error that nobody foresaw is told as a bare 500 and logged."""
        asked, request_id, status = time.perf_counter(), begin_request(), 200
        try:
            answer: dict[str, Any] = {"id": call.id, "result": await self._result(call)}
        except GatewayError as error:
            log_cause(error, request_id)
            status, answer = error.STATUS, {"id": call.id, "error": _refusal(error)}
        except Exception as error:
            _log.error("request failed", request=request_id, error=type(error).__name__, at=places(error))
            status, answer = 500, {"id": call.id, "error": _refusal(internal_error())}
        (_log.warning if status >= 500 else _log.debug)(
            "request answered",
            request=request_id,
            method=call.method if call.method in self._served else None,
            status=status,
            milliseconds=round((time.perf_counter() - asked) * 1000, 1),
        )
        return line(answer)

    async def _result(self, call: Call) -> Any:
        if call.method not in self._served:
            raise NotFoundError("There is no such method.")
        params, work = self._served[call.method]
        try:
            given = params.decode(call.params)
        except UNREADABLE:
            raise InvalidRequestError("The parameters are not as agreed.", code="request_malformed") from None
        return await work(*given)


def _refusal(error: GatewayError) -> Refusal:
    return Refusal(error.STATUS, error.code, int(error.headers.get("retry-after", "1")))
