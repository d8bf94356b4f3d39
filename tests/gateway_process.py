"""A gateway as a process of its own, for recordings: confirms payments and says so on standard output.

`python -m tests.gateway_process FOLDER SYNCHRONOUS COUNT` prints a payment's id when its confirm is answered.
"""

import asyncio
import sys
from pathlib import Path

from gateway.requests import ConfirmIntent, CreateIntent, RiskContextInput
from gateway.scheduling import ThreadScheduling
from tests.gateway_world import World


async def main(folder: Path, synchronous: str, count: int) -> None:
    world = World(folder, scheduling=ThreadScheduling(), deadline_seconds=60, synchronous=synchronous)
    async with world:
        caller = await world.caller()
        token = await world.token()
        context = RiskContextInput(ip="192.0.2.7", device_id="device-1")
        body = CreateIntent(amount=100, currency="eur", payment_method=token, risk_context=context)
        for _ in range(count):
            intent = await world.gateway.payments.create(caller, body)
            after = await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())
            assert after.status == "succeeded"
            sys.stdout.write(f"{intent.id}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
