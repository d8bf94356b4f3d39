"""Requests on their way through a turnstile: refused before anything is read, where that is certain."""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.answers import REFUSED_BUSY, refused
from gateway.http.operations import HEALTH
from gateway.http.presented_keys import bearer_key, is_publishable
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

    def ask(self, party: Party) -> "asyncio.Future[None] | None":
        """As `Turnstile.ask`: it is inside when its turn has come."""
        turn = self._admission.reads.ask(party) if self._reads else self._admission.ask_to_write(party)
        if turn is None:
            self._inside = party
        else:
            turn.add_done_callback(partial(self._called, party))
        return turn

    def _called(self, party: Party, turn: "asyncio.Future[None]") -> None:
        if not turn.cancelled() and turn.exception() is None:
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


class Gatekeeper:
    """Who may come in, by the key of a request alone: those whose keys are known here (`gateway.http.doors`).

    Only secret keys are: a shop's page must be told with the headers that let it read that. All others are
    asked when they have shown who they are. `/health` is answered always.
    """

    def __init__(self, admission: Admission, party_of: PartyOf) -> None:
        """`party_of` says whose a key is, where that is known without a look-up, else None."""
        self._admission = admission
        self._party_of = party_of

    def knock(self, scope: Scope) -> "asyncio.Future[None] | None":
        """Begin a request's visit: in (None), on its turn, or raises `OverloadedError`."""
        visit = scope[_VISIT] = Visit(self._admission, scope)
        party = self._party(scope)
        return None if party is None else visit.ask(party)

    def visit(self, scope: Scope) -> Visit:
        """A request's visit, begun at the door, else here; raises `OverloadedError` where it may not begin.

        Here the body has not come: it takes no place before.
        """
        known: Visit | None = scope.get(_VISIT)
        if known is not None:
            return known
        party = self._party(scope)
        reads = scope["method"] in _READING
        if party is not None and self._admission.is_closed_to(party, reads=reads):
            raise self._admission.refusal(reads=reads)
        visit = scope[_VISIT] = Visit(self._admission, scope)
        return visit

    def _party(self, scope: Scope) -> Party | None:
        if scope["path"] == HEALTH:
            return None
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        key = bearer_key(given)
        return None if key is None or is_publishable(key) else self._party_of(key)


class Visits:
    """ASGI: each request has its visit, which ends with the answer's first byte."""

    def __init__(self, application: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._application = application
        self._gatekeeper = gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        try:
            visit = self._gatekeeper.visit(scope)
        except OverloadedError as refusal:
            scope[REFUSED_BUSY] = True
            await refused(refusal)(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.end()
            await send(message)

        try:
            await self._application(scope, receive, watched)
        finally:
            visit.end()
