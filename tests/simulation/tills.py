"""The programs' HTTP applications without a socket: requests and answers as ASGI has them."""

import json
from collections.abc import MutableMapping
from functools import cache
from typing import Any, NamedTuple

from gateway.api.application import make_application
from gateway.business_time import BusinessTime
from gateway.processor.pay import Pay
from gateway.processor.public_app import PublicListener
from tests.simulation.processes import KilledError


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any
    replayed: bool

    @property
    def code(self) -> str:
        """What was refused, in the API's word."""
        return str(self.body.get("error", {}).get("code") or self.body.get("error", {}).get("type"))

    @property
    def intent(self) -> dict[str, Any] | None:
        """The intent that is shown, also with a card's refusal."""
        shown = self.body.get("error", {}).get("payment_intent", self.body)
        return shown if shown.get("object") == "payment_intent" else None


class Later:
    """Stands for the gateway that serves now, so that one application does for all lives of all seeds."""

    now: Any = None

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getattr__(self, name: str) -> "Later":
        return Later(*self._names, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        found = Later.now
        if found is None:
            raise KilledError
        for name in self._names:
            found = getattr(found, name)
        return found(*arguments, **named)


@cache
def application() -> Any:
    return make_application(Later())  # type: ignore[arg-type]  # a gateway, though a different one each time


async def post(gateway: Any, path: str, body: Any, *, key: str, idempotency_key: str | None) -> Answer:
    """The answer of a life of the gateway to one request."""
    Later.now = gateway
    return await _asked(application(), "POST", path, json.dumps(body).encode(), key, idempotency_key)


async def get(gateway: Any, path: str, *, key: str) -> Answer:
    Later.now = gateway
    return await _asked(application(), "GET", path, b"", key, None)


async def pay(program: Any, body: Any, *, token: str, idempotency_key: str) -> Answer:
    """The answer of a life of the processor to `POST /pay`."""
    parts, desk, world = program.parts, program.desk, program.world
    listener = PublicListener(
        tokens=parts.tokens,
        cards=parts.cards,
        rails=parts.rails,
        pay=Pay(tokens=parts.tokens, desk=desk, entropy=world.entropy),
        time=BusinessTime(world.clock),
        clock=world.clock,
    )
    return await _asked(listener.app(), "POST", "/pay", json.dumps(body).encode(), token, idempotency_key)


async def _asked(
    serving: Any, method: str, path: str, body: bytes, key: str, idempotency_key: str | None
) -> Answer:
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
    if idempotency_key is not None:
        headers.append((b"idempotency-key", idempotency_key.encode()))
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    sent: list[MutableMapping[str, Any]] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await serving(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    replayed = any(name == b"idempotent-replayed" for name, _ in sent[0]["headers"])
    return Answer(sent[0]["status"], json.loads(content), replayed)
