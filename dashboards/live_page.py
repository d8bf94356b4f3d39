"""The live page's web application: its stream of events, a page for each payment, static files."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from dashboards.explanations import Answer, Explainer
from dashboards.latest import ROWS_MAX, Shown
from dashboards.live_view import LiveView
from dashboards.rows import date_in_words
from dashboards.tail import Tail
from models.wording import NO_REASON, score_scale

HERE = Path(__file__).parent
REFRESH_SECONDS = 0.5
QUIET_SECONDS_MAX = 5.0
"""A stream that has nothing new still says so this often, so that a broken one is noticed on both sides."""
STREAMS_MAX = 50

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Streams:
    """How many streams are open, and whether the program is stopping."""

    def __init__(self) -> None:
        self.open = 0
        self.stopping = asyncio.Event()


class Fragments:
    """The view in HTML, and its series in JSON."""

    def __init__(self, view: LiveView, tail: Tail) -> None:
        self._view = view
        self._tail = tail
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, only: Shown | None = None) -> str:
        """The whole page, as first loaded; `only`: what its table is held to."""
        return self._render("live.html", only)

    def payment(self, payment_id: str, attempt: int | None, answer: Answer) -> str:
        """The page of one payment."""
        template = self._templates.get_template("payment.html")
        return template.render(
            payment=payment_id, attempt=attempt, parts=answer.parts, found=answer.status == 200
        )

    def messages(self, only: Shown | None = None) -> list[tuple[str, str]]:
        """Name and data of each message of one refresh."""
        return [
            ("tiles", self._render("tiles.html", only)),
            ("payments", self._render("payments.html", only)),
            ("series", self._series()),
        ]

    @property
    def changes(self) -> int:
        """Grows with every event that was taken in."""
        return self._view.changes

    def _render(self, name: str, only: Shown | None) -> str:
        year = datetime.now(UTC).year
        with self._tail.lock:
            self._view.refresh()
            return self._templates.get_template(name).render(
                view=self._view,
                rows=self._view.rows.newest(only),
                rows_max=ROWS_MAX,
                only=only,
                no_reason=NO_REASON,
                score_scale=score_scale(),
                date=lambda at: date_in_words(at, year),
                reachable=self._tail.reachable,
                now=time.monotonic(),
                series=self._locked_series,
            )

    def _series(self) -> str:
        with self._tail.lock:
            return self._locked_series()

    def _locked_series(self) -> str:
        series: dict[str, Any] = dict(self._view.seconds.series(time.monotonic()))
        curve = self._view.learning.curve
        series["curve"] = [
            [point.labels, None if point.average_precision is None else round(point.average_precision, 4)]
            for point in curve
        ]
        return json.dumps(series)


def application(fragments: Fragments, streams: Streams, explainer: Explainer) -> FastAPI:
    """The page over what `fragments` shows, and a page for each payment of which `explainer` tells."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    @app.middleware("http")
    async def secured(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        response.headers.update(SECURITY_HEADERS)
        if request.url.path.startswith("/static/vendor/"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @app.get("/", response_class=HTMLResponse)
    def page(only: Shown | None = None) -> str:
        return fragments.page(only)

    @app.get("/payments")
    def find(payment_id: Annotated[str, Query(alias="id")] = "") -> Response:
        wanted = quote(payment_id.strip(), safe="")
        return RedirectResponse(f"/payments/{wanted}" if wanted else "/", status_code=303)

    @app.get("/payments/{payment_id:path}")
    def payment(payment_id: str, attempt: Annotated[int | None, Query(ge=1)] = None) -> Response:
        answer = explainer.answer(payment_id, attempt)
        return HTMLResponse(fragments.payment(payment_id, attempt, answer), answer.status)

    @app.get("/stream")
    async def stream(only: Shown | None = None) -> Response:
        if streams.open >= STREAMS_MAX:
            return PlainTextResponse("too many pages are open", status_code=503)
        return StreamingResponse(stream_messages(fragments, streams, only), media_type="text/event-stream")

    @app.get("/health")
    def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return app


async def stream_messages(
    fragments: Fragments, streams: Streams, only: Shown | None = None
) -> AsyncIterator[str]:
    """All fragments whenever something has changed, until the reader is gone or the program stops.

    The last message of a program that stops is `ended`, so that the page need not look for it any more.
    """
    streams.open += 1
    shown, told = -1, 0.0
    try:
        while not streams.stopping.is_set():
            if fragments.changes != shown or time.monotonic() - told > QUIET_SECONDS_MAX:
                shown, told = fragments.changes, time.monotonic()
                for name, data in fragments.messages(only):
                    yield message(name, data)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(streams.stopping.wait(), REFRESH_SECONDS)
        for name, data in fragments.messages(only):
            yield message(name, data)
        yield message("ended", "the platform was stopped")
    finally:
        streams.open -= 1


def message(name: str, data: str) -> str:
    r"""One server-sent event.

    >>> message("tiles", "a\nb")
    'event: tiles\ndata: a\ndata: b\n\n'
    """
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n"
