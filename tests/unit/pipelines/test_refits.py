"""Refits that can be given up."""

import threading

import numpy as np
import pytest

from models.boosting import Boosting
from pipelines.errors import StoppedError
from pipelines.refits import interruptible

NUMBERS, FRAUDS = np.zeros((1, 1)), np.zeros(1, dtype=bool)


def test_a_fit_gives_its_model() -> None:
    model = Boosting(0.5, 0, [], [], [], [], [], b"", 0)

    assert interruptible(threading.Event(), lambda _n, _f: model)(NUMBERS, FRAUDS) is model


def test_a_fit_that_fails_says_so() -> None:
    def failing(_numbers: object, _frauds: object) -> Boosting:
        raise ValueError("too few rows")

    with pytest.raises(ValueError, match="too few rows"):
        interruptible(threading.Event(), failing)(NUMBERS, FRAUDS)


def test_a_long_fit_is_given_up_when_told_to_stop() -> None:
    stop, release = threading.Event(), threading.Event()

    def long(_numbers: object, _frauds: object) -> Boosting:
        stop.set()
        release.wait(60)
        raise AssertionError("nobody waits for this")

    with pytest.raises(StoppedError):
        interruptible(stop, long)(NUMBERS, FRAUDS)
    release.set()
