"""Routes of a FastAPI application whose handlers take the raw request: nothing is read or checked for them.

FastAPI's own would solve dependencies and keep two stacks of exits for each request, which they need not.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

Handler = Callable[..., Awaitable[Response]]
H = TypeVar("H", bound=Handler)


def get(application: FastAPI, path: str) -> Callable[[H], H]:
    """Serve GET of a path by what is decorated.

    It is given the request, and what stands in the place of each `{member}` of the path, in their order.
    """
    return _served(application, "GET", path)


def post(application: FastAPI, path: str) -> Callable[[H], H]:
    """Serve POST of a path in the same way."""
    return _served(application, "POST", path)


def _served(application: FastAPI, method: str, path: str) -> Callable[[H], H]:
    def serve(handler: H) -> H:
        application.routes.append(_RawRoute(method, path, handler))
        return handler

    return serve


class _Answering:
    """A handler as ASGI; errors are the application's to answer."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._handler(request, *request.path_params.values())
        await response(scope, receive, send)


class _RawRoute(Route):
    """One method alone: GET brings no HEAD."""

    def __init__(self, method: str, path: str, handler: Handler) -> None:
        super().__init__(path, _Answering(handler))
        self.methods = {method}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's; the log names the route."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope
