"""An id for each request: its caller reads it in the answer, and whoever looks for the request in the log.

Nobody can guess another's, so that one that is told proves that its teller was answered.
"""

import secrets
from contextvars import ContextVar

from events.ids import resource_id

HEADER = "request-id"

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def new_request_id() -> str:
    """The id of one more request."""
    return resource_id("req", secrets.token_bytes)


def begin_request() -> str:
    """A new id, which `current_request_id` gives from now on to all that this request's task does."""
    request_id = new_request_id()
    _current.set(request_id)
    return request_id


def current_request_id() -> str:
    """The id of the request that is being answered; a new one where none is."""
    return _current.get() or new_request_id()
