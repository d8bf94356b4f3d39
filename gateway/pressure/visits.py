"""Requests on their way through a turnstile: refused before anything is read, where that is certain."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.answers import REFUSED_BUSY, refused
from gateway.http.presented_keys import bearer_key
from gateway.pressure.admission import Admission
from gateway.pressure.errors import OverloadedError
from gateway.pressure.turnstile import Party, Turnstile

PartyOf = Callable[[str], Party | None]

_VISIT = "weir.visit"
_READING = ("GET", "HEAD")


class Visit:
    """One request: inside from `enter` until its answer begins, however slowly that is taken."""

    def __init__(self, admission: Admission, scope: Scope) -> None:
        self._admission = admission
        self._scope = scope
        self._reads = scope["method"] in _READING
        self._inside: Party | None = None

    @property
    def turnstile(self) -> Turnstile:
        """Where it goes through."""
        return self._admission.reads if self._reads else self._admission.writes

    async def enter(self, party: Party) -> None:
        """Come in once, perhaps after a short wait; raises `OverloadedError`."""
        if self._inside is not None:
            return
        try:
            await (self.turnstile.enter(party) if self._reads else self._admission.enter_to_write(party))
        except OverloadedError:
            self._scope[REFUSED_BUSY] = True
            raise
        self._inside = party

    def end(self) -> None:
        """Make room; again, it changes nothing."""
        if self._inside is not None:
            self.turnstile.leave(self._inside)
            self._inside = None


def visit_of(scope: Scope) -> Visit:
    """The visit of a request that came through `Visits`."""
    visit: Visit = scope[_VISIT]
    return visit


class Visits:
    """ASGI: gives each request its visit, which ends with the answer's first byte.

    Whoever is known and has no room is refused at once. Only secret keys are refused here: a shop's page must
    be told with the headers that let it read that.
    """

    def __init__(self, application: ASGIApp, admission: Admission, party_of: PartyOf) -> None:
        """`party_of` says whose a key is, where that is known without a look-up, else None."""
        self._application = application
        self._admission = admission
        self._party_of = party_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        visit = Visit(self._admission, scope)
        party = self._party(scope)
        if party is not None and visit.turnstile.is_closed_to(party):
            scope[REFUSED_BUSY] = True
            await refused(visit.turnstile.refusal())(scope, receive, send)
            return
        scope[_VISIT] = visit

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.end()
            await send(message)

        try:
            await self._application(scope, receive, watched)
        finally:
            visit.end()

    def _party(self, scope: Scope) -> Party | None:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        key = bearer_key(given)
        return None if key is None or key.startswith("pk_") else self._party_of(key)
