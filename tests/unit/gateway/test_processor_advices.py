"""An advice that the acquirer has accepted is over when that is durable, and not before."""

import asyncio
from typing import TypeVar

import pytest

from gateway.errors import StoreUnavailableError
from gateway.processor.store import ProcessorStore, Work
from gateway.processor.waiting import FIRST_REPEAT_SECONDS
from gateway.scheduling import InlineScheduling
from tests.processor_parts import Bench, in_one_thread

T = TypeVar("T")


class FillingStore(ProcessorStore):
    """A store whose disk is full from when the acquirer answers until somebody frees some space."""

    def __init__(self) -> None:
        super().__init__(":memory:", InlineScheduling())
        self.error: Exception | None = None
        self.refused = 0

    async def transact(self, work: Work[T]) -> T:
        if self.error is not None:
            self.refused += 1
            raise self.error
        return await super().transact(work)


@pytest.mark.parametrize("error", [StoreUnavailableError("full"), ZeroDivisionError()])
@in_one_thread
async def test_an_accepted_advice_that_could_not_be_recorded_is_sent_again_without_a_restart(
    error: Exception,
) -> None:
    store = FillingStore()
    bench = Bench(store=store)
    await bench.authorize("a", await bench.token())

    def fill(answer: bytes) -> bytes:
        store.error = error
        return answer

    bench.line.faults["0220"] = [fill]
    captured = await bench.capture("a")
    while not store.refused:
        await asyncio.sleep(0)
    store.error = None

    assert captured.status == "captured"
    assert bench.processor.advices.waiting == 1
    await bench.repeat(FIRST_REPEAT_SECONDS)
    await asyncio.sleep(0.01)

    assert bench.processor.advices.waiting == 0
    assert bench.line.types == ["0100", "0220", "0221"]
    recorded = await bench.advice("a", "capture")
    assert recorded is not None
    assert recorded.state == "accepted"
    assert await bench.states() == {"captured": 1}
