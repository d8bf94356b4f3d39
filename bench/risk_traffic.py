"""Traffic of risk flows that run beside, as fast as they take it or on a schedule; seen through the log."""

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.risk_programs import log_url
from events.codec import decode
from events.log import open_log
from events.log.port import Log, Outgoing, TopicPartition
from events.types import DecisionMade

APPENDED_AT_ONCE = 5_000
SECONDS_MAX = 600.0
LOOK_SECONDS = 0.005


def saturated_seconds(home: Path, requests: Sequence[Outgoing]) -> float:
    """From the first append of all these requests, as fast as it goes, to the last decision in the log."""
    with closing(open_log(log_url(home))) as log:
        wanted = sum(log.ends("decisions")) + len(requests)
        started = time.perf_counter()
        for first in range(0, len(requests), APPENDED_AT_ONCE):
            log.append(requests[first : first + APPENDED_AT_ONCE])
        await_decisions(log, wanted)
        return time.perf_counter() - started


def await_decisions(log: Log, wanted: int) -> None:
    """Return when the log holds so many decisions."""
    end = time.perf_counter() + SECONDS_MAX
    while (made := sum(log.ends("decisions"))) < wanted:
        if time.perf_counter() > end:
            raise SystemExit(
                f"{made} decisions of {wanted} after {SECONDS_MAX:g} s: see risk-*.log in the home"
            )
        time.sleep(LOOK_SECONDS)


def paced_latencies_ms(home: Path, requests: Sequence[Outgoing], per_second: float) -> list[float]:
    """From the moment each request was due to its decision, as a reader of the log sees it."""
    payments = {_payment(request): place for place, request in enumerate(requests)}
    with closing(open_log(log_url(home))) as log, closing(open_log(log_url(home))) as own:
        ends = {TopicPartition("decisions", number): end for number, end in enumerate(log.ends("decisions"))}
        with closing(log.reader(ends)) as reader:
            start = time.perf_counter() + 0.1
            sender = threading.Thread(target=_send, args=(own, requests, per_second, start))
            sender.start()
            times: list[float] = []
            end = start + len(requests) / per_second + SECONDS_MAX
            while len(times) < len(requests) and time.perf_counter() < end:
                for record in reader.poll(4096, 0.1):
                    event = decode(record.value or b"")
                    if isinstance(event, DecisionMade) and event.payment_id in payments:
                        due = start + payments[event.payment_id] / per_second
                        times.append((time.perf_counter() - due) * 1000)
            sender.join()
            if len(times) < len(requests):
                raise SystemExit(f"{len(times)} decisions of {len(requests)}: see risk-*.log in the home")
            return times


def _send(log: Log, requests: Sequence[Outgoing], per_second: float, start: float) -> None:
    """All that are due, in one append after the other: none is held back by more than the append before."""
    sent = 0
    while sent < len(requests):
        time.sleep(max(0.0, start + sent / per_second - time.perf_counter()))
        due = min(len(requests), max(sent + 1, int((time.perf_counter() - start) * per_second) + 1))
        log.append(requests[sent:due])
        sent = due


def _payment(request: Outgoing) -> str:
    event = decode(request.value or b"")
    return str(getattr(event, "payment_id"))  # noqa: B009  # every request has one
