"""Applications of the processor's listeners: routes, and refusals that quote nothing."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from gateway.http.answers import Elsewhere, LastResort, error_handlers


def application(
    routes: Sequence[Route],
    elsewhere: Elsewhere = lambda _path: None,
    middleware: Sequence[Middleware] = (),
) -> LastResort:
    """The ASGI application of the routes; no path is redirected, as that would quote it."""
    starlette = Starlette(routes=routes, middleware=middleware, exception_handlers=error_handlers(elsewhere))
    starlette.router.redirect_slashes = False
    return LastResort(starlette)
