"""Refits that can be given up: a fit takes seconds, and a program that is told to stop must not wait for it.

The learning flow waits for its fit, since the labels after the boundary are learned on top of it; scorers are
other programs and go on with the models they have. In-force time comes from labels: waiting changes nothing.
"""

import threading
from collections.abc import Callable

from models.boosting import Boosting, fit
from models.learning import Fit, Flags
from models.slots import Matrix
from pipelines.errors import StoppedError

LOOK_SECONDS = 0.1
"""How often a wait looks whether it should end."""


def interruptible(stop: threading.Event, fitting: Fit = fit) -> Fit:
    """`fitting` in a thread of its own; raises `StoppedError` when `stop` is set before it is through."""

    def fitted(numbers: Matrix, frauds: Flags) -> Boosting:
        results: list[Boosting | BaseException] = []
        done = threading.Event()
        work = threading.Thread(target=_work, args=(lambda: fitting(numbers, frauds), results, done))
        work.daemon = True
        work.start()
        while not done.wait(LOOK_SECONDS):
            if stop.is_set():
                raise StoppedError("told to stop in the middle of a refit")
        (result,) = results
        if isinstance(result, BaseException):
            raise result
        return result

    return fitted


def _work(
    call: Callable[[], Boosting], results: list[Boosting | BaseException], done: threading.Event
) -> None:
    try:
        results.append(call())
    except BaseException as error:
        results.append(error)
    finally:
        done.set()
