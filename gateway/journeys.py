"""What became of one HTTP request's time: moments noted on the way, told as figures and spans at its end.

A journey is found through the request's task, and those that it starts; work in threads notes nothing. Hops
are differences of neighboring moments, so that together they are the whole.
"""

import time
from contextvars import ContextVar
from datetime import datetime
from typing import Literal, get_args

from opentelemetry.trace import Span

from events.tracing import begin_request_span, record_span, trace_of
from gateway.metrics import CONFIRM_SECONDS, HOP_SECONDS, REQUEST_SECONDS, REQUESTS

Moment = Literal["committing", "committed", "decided", "answered", "ended"]
"""A confirm's: its commit begins, is durable; it is decided; the processor answered; its end is durable."""

NO_ROUTE = "none"
"""What a request is counted under that no route took: its path is the caller's own words."""

_METHODS = frozenset({"GET", "POST", "OPTIONS", "HEAD", "PUT", "PATCH", "DELETE"})
OTHER_METHOD = "other"
"""Of a request whose method is not among them."""

_HOPS = {hop: HOP_SECONDS.labels(hop) for hop in ("api", "commit", "log", "flow_and_reply", "acquirer")}


class Journey:
    """One request. Moments are seconds of `time.perf_counter`."""

    def __init__(self, arrived: float | None = None) -> None:
        """`arrived`: when, if not now."""
        now = time.perf_counter()
        self._arrived = now if arrived is None else arrived
        self._arrived_ns = time.time_ns() - int((now - self._arrived) * 1e9)
        self._span = begin_request_span(self._arrived_ns)
        self.trace = None if self._span is None else trace_of(self._span)
        """For the events that the request leads to; None where it is not traced."""
        self.moments: dict[Moment, float] = {}
        self.decided_by: str | None = None
        self.assessed_at: datetime | None = None
        """When the risk flow took the question up, by its own clock; None where a fallback decided."""

    def end(self, method: str, route: str | None, status: int) -> float:
        """Tell it, as the answer has gone; how many seconds it took."""
        ended = time.perf_counter()
        counted = _counted(method)
        REQUESTS.labels(counted, route or NO_ROUTE, status).inc()
        REQUEST_SECONDS.labels(counted).observe(ended - self._arrived)
        if self._is_whole():
            if self.assessed_at is not None:
                self._tell_hops(ended)
            decided_by = "fallback" if self.assessed_at is None else "engine"
            CONFIRM_SECONDS.labels(decided_by).observe(ended - self._arrived)
        if self._span is not None:
            self._tell_spans(self._span, ended, f"{method} {route or NO_ROUTE}", status)
        return ended - self._arrived

    def _is_whole(self) -> bool:
        """Whether it was a confirm that came to its end within the request."""
        return self.decided_by is not None and self.moments.keys() >= set(get_args(Moment))

    def _tell_hops(self, ended: float) -> None:
        at = self.moments
        taken_up = self._taken_up()
        _HOPS["api"].observe(at["committing"] - self._arrived + ended - at["ended"])
        _HOPS["commit"].observe(at["committed"] - at["committing"] + at["ended"] - at["answered"])
        _HOPS["log"].observe(taken_up - at["committed"])
        _HOPS["flow_and_reply"].observe(at["decided"] - taken_up)
        _HOPS["acquirer"].observe(at["answered"] - at["decided"])

    def _taken_up(self) -> float:
        """When the flow took the question up, between its commit and its decision whatever the clocks say."""
        committed, decided = self.moments["committed"], self.moments["decided"]
        if self.assessed_at is None:
            return decided
        since_arrival = self.assessed_at.timestamp() - self._arrived_ns / 1e9
        return min(max(self._arrived + since_arrival, committed), decided)

    def _tell_spans(self, span: Span, ended: float, name: str, status: int) -> None:
        at = self.moments
        if self._is_whole():
            self._tell_span("commit", at["committing"], at["committed"])
            self._tell_span("log", at["committed"], self._taken_up())
            self._tell_span("flow and reply", self._taken_up(), at["decided"])
            self._tell_span("acquirer", at["decided"], at["answered"])
            self._tell_span("commit of the end", at["answered"], at["ended"])
        span.update_name(name)
        span.set_attribute("http.response.status_code", status)
        if self.decided_by is not None:
            span.set_attribute("weir.decided_by", self.decided_by)
        span.end(self._ns(ended))

    def _tell_span(self, name: str, began: float, ended: float) -> None:
        record_span(name, self.trace, self._ns(began), self._ns(ended))

    def _ns(self, moment: float) -> int:
        return self._arrived_ns + int((moment - self._arrived) * 1e9)


_current: ContextVar[Journey | None] = ContextVar("journey", default=None)


def begin_journey(arrived: float | None = None) -> Journey:
    """The journey of a request that came at `arrived`, else just now; its task has it from now on."""
    journey = Journey(arrived)
    _current.set(journey)
    return journey


def current_journey() -> Journey | None:
    """Of the request under way; None outside of one, as in what recovery drives on."""
    return _current.get()


def count_turned_away(method: str, status: int) -> None:
    """Count a request that was refused before its journey began."""
    REQUESTS.labels(_counted(method), NO_ROUTE, status).inc()


def reach(moment: Moment) -> None:
    """Note that the request under way has got so far."""
    journey = _current.get()
    if journey is not None:
        journey.moments[moment] = time.perf_counter()


def _counted(method: str) -> str:
    return method if method in _METHODS else OTHER_METHOD
