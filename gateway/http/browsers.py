"""Letting pages of other origins ask, on the paths that a shopper's browser needs: CORS without cookies.

Every origin is let ask, since nothing is given for who asks from where: a publishable key and an intent's
client secret are the whole right, and the browser sends none by itself.
"""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALLOWED = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"idempotent-replayed, request-id, retry-after"),
]
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key, stripe-version"),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]


class BrowserAccess:
    """Answers preflights of the paths, and marks their answers as readable by any origin."""

    def __init__(self, app: ASGIApp, paths: re.Pattern[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, but for a preflight."""
        names = {name for name, _ in scope.get("headers", ())}
        if b"origin" not in names or not self._paths.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in names:
            head = {"type": "http.response.start", "status": 204, "headers": [*_ALLOWED, *_PREFLIGHT]}
            await send(head)
            await send({"type": "http.response.body", "body": b""})
            return

        async def readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_ALLOWED]
            await send(message)

        await self._app(scope, receive, readable)
