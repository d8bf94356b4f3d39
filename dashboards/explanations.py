"""Explanations for a page: as `weir explain` has them but without surrogates, in parts."""

import threading
from contextlib import closing
from typing import NamedTuple

from events.errors import EventsError
from events.log import open_log
from events.log.port import Log
from models.errors import ModelsError

BUSY_SECONDS_MAX = 15.0


class Part(NamedTuple):
    """A paragraph: its first line, and those under it."""

    head: str
    lines: list[str]


class Answer(NamedTuple):
    """The parts of an explanation, or what hinders it; with the status of an answer over HTTP."""

    status: int
    parts: list[Part]


class Explainer:
    """Explains one payment at a time: each time the log is read from its start."""

    def __init__(self, log_url: str, busy_seconds_max: float = BUSY_SECONDS_MAX) -> None:
        self._url = log_url
        self._busy_seconds_max = busy_seconds_max
        self.turn = threading.Lock()

    def answer(self, payment_id: str, attempt: int | None) -> Answer:
        """Explain an attempt of a payment, the latest unless told which."""
        if not self.turn.acquire(timeout=self._busy_seconds_max):
            return Answer(503, [Part("Others are asking. Try again in a moment.", [])])
        try:
            with closing(open_log(self._url, create=False)) as log:
                return _explained(log, payment_id, attempt)
        except EventsError:
            return Answer(503, [Part("The log does not answer. Try again in a moment.", [])])
        finally:
            self.turn.release()


def _explained(log: Log, payment_id: str, attempt: int | None) -> Answer:
    # The engine's libraries take a second and a hundred megabytes to load: who only looks on need not pay.
    from pipelines.errors import NotInLogError, PipelinesError
    from pipelines.explain import explain_payment

    try:
        return Answer(200, parts(explain_payment(log, payment_id, attempt, entities=False, features=True)))
    except NotInLogError as error:
        return Answer(404, [Part("Nothing to tell.", [str(error)])])
    except (ModelsError, PipelinesError) as error:
        return Answer(500, [Part("It cannot be explained.", [str(error)])])


def parts(text: str) -> list[Part]:
    r"""An explanation's paragraphs.

    >>> parts("Reasons given:\n  - a new device\n\nMade by:\n  champion 3")
    [Part(head='Reasons given', lines=['a new device']), Part(head='Made by', lines=['champion 3'])]
    """
    paragraphs = (paragraph.splitlines() for paragraph in text.split("\n\n"))
    return [
        Part(head.rstrip(":"), [line.strip().removeprefix("- ") for line in lines])
        for head, *lines in paragraphs
    ]
