"""What went wrong in a flow, out of the layers that Bytewax wraps around it."""

from events.errors import EventsError
from pipelines.errors import PipelinesError


def root_cause(error: BaseException) -> BaseException:
    """The first of our own errors among the causes; the error itself where there is none."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, PipelinesError | EventsError):
            return inner
        inner = inner.__cause__
    return error
