"""Telling members, over TLS, that an order has changed."""

import ssl
from pathlib import Path

import aiohttp

from events.crash import crash_point, declare

declare({"rails.notice.leaving": "a member is about to be told of an order, durably decided"})

ANSWER_SECONDS_MAX = 8.0


class Notices:
    """Posts to one member's address; made, used and closed in one running event loop."""

    def __init__(self, url: str, folder: Path) -> None:
        """`folder` holds the certificate of the authority that the member's listener is trusted by."""
        self._url = url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=str(folder / "public-ca.pem"))
            ),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def tell(self, order_id: str) -> bool:
        """Whether the member has heard."""
        crash_point("rails.notice.leaving")
        try:
            async with self._session.post(
                self._url, json={"attempt_id": order_id}, allow_redirects=False
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def nobody(order_id: str) -> bool:  # noqa: ARG001  # the shape of whoever tells
    """Where no member is to be told: those who wait ask."""
    return True
