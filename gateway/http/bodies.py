"""Reading request bodies within a bound."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from gateway.errors import BodyTooLargeError

BODY_BYTES_MAX = 64 * 1024
"""Unless a listener says less: what bounds the memory that many callers at once can take."""

DRAINED_BYTES_MAX = 8 * 1024 * 1024
DRAINED_SECONDS_MAX = 2.0


async def read_body(request: Request, limit_bytes: int = BODY_BYTES_MAX) -> bytes:
    """The whole body, of at most `limit_bytes`; raises `BodyTooLargeError`.

    The rest of a larger body is read and thrown away, within bounds: a connection that is closed over unread
    bytes is reset, and the caller would lose the answer that says why. A caller that sends `Expect`, and
    waits before it sends the body, is answered at once.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:12]) > limit_bytes and "expect" in request.headers:
        raise BodyTooLargeError(limit_bytes)
    body, stream = bytearray(), request.stream()
    async for chunk in stream:
        body += chunk
        if len(body) > limit_bytes:
            await _drain(stream)
            raise BodyTooLargeError(limit_bytes)
    return bytes(body)


async def _drain(stream: AsyncIterator[bytes]) -> None:
    drained_bytes = 0
    try:
        async with asyncio.timeout(DRAINED_SECONDS_MAX):
            async for chunk in stream:
                drained_bytes += len(chunk)
                if drained_bytes > DRAINED_BYTES_MAX:
                    return
    except TimeoutError:
        return
