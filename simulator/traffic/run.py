"""Lives a planned month against a platform in a given number of wall seconds.

Steps are paced by their number, not by their time: in a burst of card testing the simulated hours pass
slower, on a quiet night faster, so that the spacing of every scenario is true and the machine's load is even.
One actor's steps never overlap. Where the machine falls far behind, `Thinning` leaves stories out.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from simulator.traffic.aftermath import ended, follow_ups
from simulator.traffic.client import Client, NoAnswerError
from simulator.traffic.month import Month
from simulator.traffic.steps import FRAUD_KINDS, Purchase, Report, SignIn, Step, Verdict
from simulator.traffic.thinning import Thinning

IN_FLIGHT_MAX = 6
"""More would only queue before the same few cores."""
TRIED_TOGETHER = 2
WARM_UP_PURCHASES = 8

Record = Callable[[dict[str, Any]], None]
"""Takes one line of the simulator's own record."""


class Run:
    """One run of one month, which begins at `start`."""

    def __init__(self, start: datetime, client: Client, record: Record, seed: int) -> None:
        self._start = start
        self._client = client
        self._record = record
        self._draw = random.Random(f"{seed} aftermath")
        self._later: list[tuple[datetime, int, Step]] = []
        self._order = itertools.count()
        self._actors: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thinning = Thinning(seed)

    async def purchases_per_second(self, purchases: Sequence[Purchase], seconds: float) -> float:
        """What the machine carries at most: purchases tried for so many seconds, two at a time."""
        for step in purchases[:WARM_UP_PURCHASES]:
            await self._take(step)
        waiting = iter(purchases[WARM_UP_PURCHASES:])
        tried, started = 0, time.monotonic()

        async def shop() -> None:
            nonlocal tried
            while time.monotonic() - started < seconds and (step := next(waiting, None)) is not None:
                await self._take(step)
                tried += 1

        await asyncio.gather(*(shop() for _ in range(TRIED_TOGETHER)))
        return tried / (time.monotonic() - started)

    async def live(self, month: Month, seconds: float) -> None:
        """Until the month is over and every report of it has arrived."""
        started = time.monotonic()
        pause_seconds = seconds / max(1, len(month.steps))
        for number, step in enumerate(month.steps):
            await self._bring_what_is_due(step.at)
            due = started + number * pause_seconds
            await self._tell_progress(number, step.at)
            if self._thinning.keeps(step, lag_seconds=time.monotonic() - due):
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._begin(step)
        await self._finish_running()
        latest = month.start
        while self._later:
            latest = max(latest, *(at for at, _, _ in self._later))
            await self._bring_what_is_due(latest)
            await self._finish_running()
        await self._let_a_day_pass(month, latest)
        self._record({"kind": "end", "days": month.days, "left_out": self._thinning.left_out})

    async def _let_a_day_pass(self, month: Month, latest: datetime) -> None:
        """Someone signs in a day after the last report: the test clock only moves with requests."""
        last = next((step for step in reversed(month.steps) if isinstance(step, SignIn)), None)
        if last is not None:
            await self._take(replace(last, at=latest + timedelta(days=1), succeeded=True))

    async def _tell_progress(self, number: int, at: datetime) -> None:
        if number % 20 == 0:
            self._record({"kind": "progress", "days": self._day(at), "left_out": self._thinning.left_out})

    def _day(self, at: datetime) -> float:
        return round((at - self._start).total_seconds() / 86_400, 2)

    async def _bring_what_is_due(self, now: datetime) -> None:
        while self._later and self._later[0][0] <= now:
            await self._begin(heapq.heappop(self._later)[2])

    async def _begin(self, step: Step) -> None:
        await self._slots.acquire()
        task = asyncio.create_task(self._take(step))
        self._tasks.add(task)
        task.add_done_callback(self._taken)

    def _taken(self, task: asyncio.Task[None]) -> None:
        self._slots.release()
        self._tasks.discard(task)

    async def _finish_running(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _take(self, step: Step) -> None:
        async with self._actors[step.actor]:
            try:
                await self._do(step)
            except NoAnswerError as error:
                self._record({"kind": "error", "what": type(step).__name__, "why": str(error)})

    async def _do(self, step: Step) -> None:
        match step:
            case Purchase():
                await self._purchase(step)
            case SignIn():
                self._expect(step, (await self._client.sign_in(step)).problem)
            case Report():
                problem = (await self._client.report(step)).problem
                self._expect(step, problem)
                if problem is None:
                    fraud = step.kind in FRAUD_KINDS if step.fraud is None else step.fraud
                    told = {"kind": "label", "label": step.kind, "payment": step.payment, "fraud": fraud}
                    self._record(told)
            case Verdict():
                self._expect(step, (await self._client.close_review(step)).problem)

    async def _purchase(self, step: Purchase) -> None:
        paid = await self._client.pay(step)
        if paid.answer.problem is not None:
            self._expect(step, paid.answer.problem)
            return
        end = ended(paid.answer.body)
        if end.status == "requires_capture" and end.decision == "allow":
            self._expect(step, (await self._client.capture(step, end.payment)).problem)
        self._record(
            {
                "kind": "payment",
                "payment": end.payment,
                "day": self._day(step.at),
                "scenario": step.scenario,
                "method": "card" if step.vpa is None else "upi",
                "fraud": step.scenario is not None,
                "decision": end.decision,
                "status": end.status,
                # A documented UPI address has its own score, which says nothing of any model.
                "risk_score": end.risk_score if step.vpa is None else None,
                "assessed": end.assessed,
                "decline": end.decline,
                "confirm_ms": round(paid.confirm_ms, 2),
            }
        )
        for follow_up in follow_ups(self._draw, step, end):
            heapq.heappush(self._later, (follow_up.at, next(self._order), follow_up))

    def _expect(self, step: Step, problem: str | None) -> None:
        if problem is not None:
            self._record({"kind": "error", "what": type(step).__name__, "why": problem})
