"""A program that authorizes and captures over a line which says on standard output what leaves, and when.

`python -m tests.integration.processor_durability HOME SYNCHRONOUS COUNT`
"""

import asyncio
import sys
from pathlib import Path

from gateway.processor.message_format import decode
from gateway.processor.store import ProcessorStore
from gateway.scheduling import ThreadScheduling
from tests.processor_parts import Bench, Line


class TellingLine(Line):
    """Says which message leaves, as it leaves."""

    async def exchange(self, message: bytes) -> bytes:
        fields = decode(message)
        say(f"left {fields['t']} {fields['37']}")
        return await super().exchange(message)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def run(home: Path, synchronous: str, count: int) -> None:
    scheduling = ThreadScheduling()
    # FULL is what the program itself opens its store with.
    weakened = {} if synchronous == "FULL" else {"synchronous": synchronous}
    store = ProcessorStore(home / "processor.sqlite", scheduling, **weakened)
    bench = Bench(store=store, scheduling=scheduling, line=TellingLine)
    token = await bench.token()
    say("told token")
    for number in range(count):
        answer = await bench.authorize(f"a{number}", token)
        say(f"told {answer.status} {answer.network_reference}")
        await bench.capture(f"a{number}")
    await scheduling.stop()
    store.close()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
