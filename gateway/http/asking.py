"""Asking another program over HTTP: JSON over mutual TLS, on connections that are kept."""

import ssl
from typing import NamedTuple

import aiohttp
import msgspec

from gateway.errors import UnavailableError

CONNECTIONS_MAX = 64
"""A question holds one until its answer: as many as may wait for issuers at once."""
IDLE_SECONDS_MAX = 60.0
"""Shorter than listeners keep an idle connection: nothing is asked over one that is closing."""
ANSWER_BYTES_MAX = 1024 * 1024
"""Far above what either program answers: a longer answer is none."""


class Reply(NamedTuple):
    """What the other program answered."""

    status: int
    body: bytes


class Peer:
    """The other program, at `url`. Made, used and closed in one running event loop."""

    def __init__(
        self, url: str, context: ssl.SSLContext, *, answer_seconds_max: float, silent: type[UnavailableError]
    ) -> None:
        """`silent` is the error of a question that finds no answer in time."""
        self._silent = silent
        self._session = aiohttp.ClientSession(
            url,
            connector=aiohttp.TCPConnector(
                ssl=context, limit=CONNECTIONS_MAX, keepalive_timeout=IDLE_SECONDS_MAX
            ),
            timeout=aiohttp.ClientTimeout(total=answer_seconds_max),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def ask(self, method: str, path: str, body: msgspec.Struct | None = None) -> Reply:
        """Its answer, whatever the status; raises the `silent` error, and then anything may have happened."""
        content = None if body is None else msgspec.json.encode(body)
        headers = None if body is None else {"content-type": "application/json"}
        try:
            async with self._session.request(
                method, path, data=content, headers=headers, allow_redirects=False
            ) as response:
                return Reply(response.status, await _read(response))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._silent(f"no answer: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > ANSWER_BYTES_MAX:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(content)
