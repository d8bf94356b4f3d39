"""Applications of the processor's listeners: routes, and refusals that quote nothing."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import Route

from gateway.answers import ERROR_HANDLERS, LastResort


def application(routes: Sequence[Route]) -> LastResort:
    """The ASGI application of the routes; no path is redirected, as that would quote it."""
    starlette = Starlette(routes=routes, exception_handlers=ERROR_HANDLERS)
    starlette.router.redirect_slashes = False
    return LastResort(starlette)
