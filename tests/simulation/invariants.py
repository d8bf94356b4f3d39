"""What must hold: after each commit and each record, when an answer is given, and when all is at rest."""

import json
from collections import Counter, defaultdict
from functools import cache
from typing import Any

from gateway.payments.steps import LEGAL
from gateway.processor_port import ProcessorAnswer
from tests.simulation.disks import Disk
from tests.simulation.processes import ViolationError

ATTEMPT_STEPS = {
    None: {"sending", "reversed"},
    "declined": {"sending"},
    "sending": {"approved", "declined", "reversed"},
    "approved": {"captured", "reversed"},
}
"""The processor's legal steps, as the drawing in `gateway/processor/attempts.py` has them."""

ONCE = {
    "payment.created": (),
    "payment.confirmed": ("attempt",),
    "payment.confirmation_required": ("attempt",),
    "payment.authenticated": ("attempt",),
    "payment.authorized": ("attempt",),
    "payment.declined": ("attempt",),
    "payment.blocked": ("attempt",),
    "payment.decided_late": ("attempt",),
    "payment.capture_failed": ("attempt",),
    "payment.canceled": (),
    "payment.released": (),
    "payment.refunded": ("refund_id",),
    "payment.refund_failed": ("refund_id",),
    "payment.reviewed": (),
}
"""Events that a payment has at most once for each value of these members."""

ENDS = ("payment.authorized", "payment.declined", "payment.blocked")


_HELD_AND_NOT_HELD = (
    "SELECT i.id, i.status FROM reviews r JOIN intents i ON i.id = r.payment_id"
    " WHERE r.closed_us IS NULL AND i.status != 'requires_capture'"
)


@cache
def reachable(steps: int) -> frozenset[tuple[str, str]]:
    """The pairs of statuses between which at most so many legal steps lie."""
    edges = {(a, b) for table in LEGAL.values() for a, b in table.items()}
    pairs = {(a, a) for edge in edges for a in edge}
    for _ in range(steps):
        pairs |= {(a, c) for a, b in pairs for d, c in edges if b == d}
    return frozenset(pairs)


class Watch:
    """Looks at both stores, the acquirer's books and the log, and never changes them."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._statuses: dict[str, tuple[str, int]] = {}
        self._attempts: dict[str, str] = {}
        self._records: dict[str, bytes] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._once: Counter[tuple[Any, ...]] = Counter()
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.assessed: dict[tuple[str, int], dict[str, Any]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        """How many questions of a kind were asked under a key of their own, by who asks for a payment."""

    def gateway_committed(self, disk: Disk, steps: int) -> None:
        """Statuses take legal steps only, and a version never comes again."""
        for payment, status, version in disk.rows("SELECT id, status, version FROM intents"):
            before = self._statuses.get(payment)
            self._statuses[payment] = (status, version)
            if before is None or before[1] == version:
                continue
            if version < before[1] or (before[0], status) not in reachable(steps):
                self._blame(f"{payment} went from {before} to {(status, version)} in one commit")

        for payment, status in disk.rows(_HELD_AND_NOT_HELD):
            self._blame(f"{payment} is {status}, and its review is open")

    def processor_committed(self, disk: Disk) -> None:
        for attempt, status in disk.rows("SELECT attempt_id, status FROM attempts"):
            before = self._attempts.get(attempt)
            if before != status:
                self._attempts[attempt] = status
                if status not in ATTEMPT_STEPS.get(before, ()):
                    self._blame(f"the processor's {attempt} went from {before} to {status}")

    def appended(self, record: Any) -> None:
        """An event has one content, one number in its payment's row, and no secret."""
        value = bytes(record.value or b"")
        event = json.loads(value)
        known = self._records.setdefault(event["id"], value)
        if known != value:
            self._blame(f"event {event['id']} came with two contents")
        if any(secret in value for secret in self._world.secrets):
            self._blame(f"a secret stands in a {event['type']}")
        if record.topic == "assessments":
            self.assessed[event["payment_id"], event["attempt"]] = event
        if record.topic == "payments" and len(self.events[event["payment_id"]]) < event["sequence"]:
            self._count(event)

    def heard(self, payment_id: str, status: str) -> None:
        """What a caller was told is durable, or has gone on legally since."""
        now = self._world.gateway_disk.rows(f"SELECT status FROM intents WHERE id = '{payment_id}'")
        if not now or (status, now[0][0]) not in reachable(2):
            self._blame(f"{payment_id} was told as {status} and is {now}")

    def told(self, answer: ProcessorAnswer) -> None:
        """What the processor says is durable; of a capture, that it is owed."""
        disk = self._world.processor_disk
        found = disk.rows(f"SELECT status FROM attempts WHERE attempt_id = '{answer.attempt_id}'")
        durable = found[0][0] if found else "unknown"
        # Whom the issuer asked for a proof is authorized once more, and declined where there is none.
        if (
            answer.status in ("unknown", "action_required")
            or answer.authentication
            or durable == answer.status
            or disk.rows(
                f"SELECT 1 FROM rail_orders WHERE attempt_id = '{answer.attempt_id}' AND amount_minor > 0"
            )
        ):
            return
        # The attempt may have moved on since the answer was made, and a capture waits to be recorded.
        pairs = (answer.status, durable)
        if durable not in ATTEMPT_STEPS.get(answer.status, ()) and pairs != ("captured", "approved"):
            self._blame(f"the processor says {answer.status} of {answer.attempt_id}, durable is {durable}")

    def _count(self, event: dict[str, Any]) -> None:
        payment, kind = event["payment_id"], event["type"]
        events = self.events[payment]
        if event["sequence"] != len(events) + 1:
            self._blame(f"{payment} has event {event['sequence']} ({kind}) after {len(events)}")
        events.append(event)
        members = ONCE.get(kind)
        if members is not None:
            self._only_once((payment, kind, *(event[name] for name in members)))
        if kind in ENDS:
            self._only_once((payment, "end", event["attempt"]))

    def _only_once(self, key: tuple[Any, ...]) -> None:
        self._once[key] += 1
        if self._once[key] > 1:
            self._blame(f"{' '.join(map(str, key))} happened twice")

    def _blame(self, text: str) -> None:
        self._world.blame(text)


def at_rest(world: Any) -> None:
    """The three books agree, nothing is owed, and the log tells the whole story; raises `ViolationError`."""
    gateway, processor = world.gateway_disk, world.processor_disk
    intents = gateway.rows(
        "SELECT id, status, attempts, sequence, amount_minor, amount_received_minor, amount_refunded_minor,"
        " confirmation_method FROM intents"
    )
    for payment, status, attempts, sequence, amount, received, refunded, confirmation in intents:
        told = world.watch.events[payment]
        _require(len(told) == sequence, f"{payment} has {sequence} events, on the log are {len(told)}")
        captured = sum(e["amount_minor"] for e in told if e["type"] == "payment.captured")
        _require(captured == received, f"{payment} received {received}, its events say {captured}")
        _rest_is_told(world, payment, told, amount - received)
        _refunds_agree(world, payment, refunded)
        taken = _of_processor(world, "captured_minor", payment)
        _require(taken == received, f"{payment} received {received}, the processor captured {taken}")
        _latest_fits(world, payment, status, attempts, must_confirm=confirmation == "manual")
        _authorized_as_asked(world, told)
        if received:
            _taken_as_decided(world, payment, attempts, received)
    _done_once(world)
    accounted: set[tuple[str, str, str]] = set()
    for attempt, phase, assessed, decision, amount in gateway.rows(
        "SELECT a.id, phase, assessed, decision_id, amount_minor FROM attempts a"
        " JOIN intents i ON i.id = payment_id"
    ):
        _books_agree(world, attempt, phase, amount, accounted)
        if decision is None:
            payment, _, number = attempt.rpartition("_")
            late = world.risk.decided.get((payment, int(number)))
            _require(late is None, f"the decision {late} on {attempt} never acted (assessed: {assessed})")
    _nothing_unaccounted(world, accounted)
    for disk in (gateway,):
        image = disk.serialize()
        _require(
            not any(secret in image for secret in world.secrets), "a secret stands in the gateway's store"
        )
    _require(not any(s in processor.serialize() for s in world.secrets), "a card stands open in the vault")


def _rest_is_told(world: Any, payment: str, told: list[dict[str, Any]], rest: int) -> None:
    """What was given back after a part was captured is what nobody captured, and it is told where it was."""
    released = [event["amount_minor"] for event in told if event["type"] == "payment.released"]
    [voided] = world.gateway_disk.rows(
        f"SELECT count(*) FROM attempts WHERE payment_id = '{payment}' AND phase = 'voided'"
    )[0]
    _require(released in ([], [rest]), f"{payment} released {released}, its rest is {rest}")
    captured = any(event["type"] == "payment.captured" for event in told)
    _require(
        bool(released) == bool(voided and captured), f"{payment} released {released}, its voids: {voided}"
    )


def _refunds_agree(world: Any, payment: str, refunded: int) -> None:
    events = world.watch.events[payment]
    told = sum(event["amount_minor"] for event in events if event["type"] == "payment.refunded")
    _require(told == refunded, f"{payment} refunded {refunded}, its events say {told}")
    paid = _of_processor(world, "refunded_minor", payment)
    _require(paid == refunded, f"{payment} refunded {refunded}, the processor {paid}")


def _authorized_as_asked(world: Any, told: list[dict[str, Any]]) -> None:
    """The whole is authorized, or a part only where that was welcome, and it is what the issuer promised."""
    for event in (event for event in told if event["type"] == "payment.authorized"):
        attempt, part, asked = event["authorization_id"], event["amount_minor"], event.get("asked_minor")
        decided = world.watch.assessed[event["payment_id"], event["attempt"]]["amount_minor"]
        fits = part == decided if asked is None else 0 < part <= asked == decided
        _require(fits, f"{attempt}: {part} of {decided} was authorized, asked for was {asked}")
        more = sum(
            later["more_minor"]
            for later in told
            if later["type"] == "payment.incremented" and later["authorization_id"] == attempt
        )
        promised = world.processor_disk.rows(
            f"SELECT authorized_minor FROM attempts WHERE attempt_id = '{attempt}' AND amount_minor > 0"
        )
        fits = not promised or promised[0][0] == part + more
        _require(fits, f"{attempt}: {part} and {more} were authorized, the processor says {promised}")


def _taken_as_decided(world: Any, payment: str, attempt: int, received: int) -> None:
    """Nothing is taken beyond what was decided and a fifth, nor by law beyond what was authenticated."""
    asked = world.watch.assessed[payment, attempt]
    decided, card = asked["amount_minor"], asked.get("card") or {}
    _require(received * 100 <= decided * 120, f"{payment} received {received}, decided was about {decided}")
    if asked["occurred_at"] < "2026-03-31T18:30" or card.get("issuer_country") != "IN":
        return
    proofs = [
        event
        for event in world.watch.events[payment]
        if event["type"] == "payment.authenticated" and event["attempt"] == attempt
    ]
    proven = [(event["result"], event["flow"]) for event in proofs]
    _require(
        proven == [("authenticated", "challenge")], f"{payment} was taken by law, its proofs are {proven}"
    )
    _require(received <= decided, f"{payment} received {received}, authenticated was {decided}")


def _of_processor(world: Any, sum_of: str, payment: str) -> int:
    tables = ("attempts", "rail_orders")
    queries = [f"SELECT sum({sum_of}) FROM {t} WHERE attempt_id GLOB '{payment}_*'" for t in tables]
    return sum(world.processor_disk.rows(query)[0][0] or 0 for query in queries)


def _done_once(world: Any) -> None:
    """However often something is asked under one key, it is done once."""
    for name, count, attempts in world.gateway_disk.rows(
        "SELECT json_extract(metadata_json, '$.shopper'), count(*), sum(attempts) FROM intents GROUP BY 1"
    ):
        asked = world.watch.asked
        _require(count <= asked[name, "create"], f"{name}: {count} intents were created")
        _require(attempts <= asked[name, "confirm"], f"{name}: {attempts} attempts, fewer confirms")
        operations = world.gateway_disk.rows(
            "SELECT coalesce(sum(operations), 0) FROM attempts WHERE payment_id IN (SELECT id FROM intents"
            f" WHERE json_extract(metadata_json, '$.shopper') = '{name}')"
        )[0][0]
        # Each attempt may be captured once by itself, or by the approval of its review.
        wanted = asked[name, "capture"] + asked[name, "increment_authorization"] + attempts
        _require(operations <= wanted, f"{name}: {operations} captures and increments, {wanted} wanted")


HELD = {
    "authorized": "approved",
    "captured": "captured",
    "voided": "free",
    "blocked": "free",
    "declined": "free",
    "capture_failed": "free",
}


def _books_agree(
    world: Any, attempt: str, phase: str, amount: int, accounted: set[tuple[str, str, str]]
) -> None:
    found = world.processor_disk.rows(
        "SELECT status, reference, stan, transmitted_at, captured_minor, refunded_minor, authorized_minor"
        f" FROM attempts WHERE attempt_id = '{attempt}'"
    )
    there, network, taken, authorized = "free", "free", 0, 0
    if found:
        status, reference, stan, transmitted, taken, given_back, authorized = found[0]
        there = "free" if status in ("declined", "reversed") else status
        key = (reference, f"{stan:06}", transmitted)
        accounted.add(key)
        entry = world.books.get(key)
        if entry is not None:
            network = "free" if entry.state in ("declined", "reversed") else entry.state
            _require(
                (taken, given_back) == (entry.captured_minor, entry.refunded_minor),
                f"{attempt}: the processor captured {taken} and refunded {given_back}, the network {entry}",
            )
            _require(
                entry.state != "approved" or authorized == entry.authorized_minor,
                f"{attempt}: the processor holds {authorized}, the network {entry}",
            )
    ordered = world.processor_disk.rows(
        "SELECT state, captured_minor, refunded_minor, amount_minor FROM rail_orders"
        f" WHERE attempt_id = '{attempt}' AND amount_minor > 0"
    )
    if ordered:
        there, network, taken, authorized = _on_rails(world, attempt, *ordered[0])
    wanted = "captured" if phase == "voided" and taken else HELD.get(phase)
    _require(
        wanted == there == network,
        f"{attempt} is {phase} at the gateway, {found[0][0] if found else 'unknown'} at the processor,"
        f" {network} at the network",
    )
    if phase == "authorized":
        _require(authorized == amount, f"{attempt}: the gateway holds {amount}, the processor {authorized}")


def _on_rails(
    world: Any, attempt: str, state: str, taken: int, given_back: int, amount: int
) -> tuple[str, str, int, int]:
    there = "free" if state in ("declined", "reversed") else state
    paid, asked, returned = world.rails.orders().get(attempt, ("", 0, 0))
    kept = asked - returned if paid == "paid" else 0
    due = amount if there == "approved" else taken - given_back
    _require(kept == due, f"{attempt}: the rails keep {kept}, the processor {due} ({state})")
    return there, there, taken, amount


def _nothing_unaccounted(world: Any, accounted: set[tuple[str, str, str]]) -> None:
    for key, entry in world.books.items():
        held = entry.state in ("approved", "captured")
        _require(not held or key in accounted, f"the network holds {key} as {entry}, and nobody knows of it")
    sums: Counter[str] = Counter()
    captured: Counter[str] = Counter()
    for reference, account, amount, currency in world.acquirer_disk.rows(
        "SELECT reference, account, amount_minor, currency FROM postings"
    ):
        sums[currency] += amount
        if account.startswith("cardholder:"):
            captured[reference] -= amount
    _require(not any(sums.values()), f"the network's postings do not add up: {sums}")
    kept: Counter[str] = Counter()
    for (reference, _, _), entry in world.books.items():
        kept[reference] += entry.captured_minor - entry.refunded_minor
    _require(+captured == +kept, f"the network captured {kept}, and posted {captured}")


def _latest_fits(world: Any, payment: str, status: str, attempts: int, *, must_confirm: bool) -> None:
    phases = {
        int(number): phase
        for number, phase in world.gateway_disk.rows(
            f"SELECT number, phase FROM attempts WHERE payment_id = '{payment}'"
        )
    }
    last = phases.get(attempts)
    fits = {
        "succeeded": ("captured", "voided"),
        "requires_capture": ("authorized",),
        "canceled": (None, "blocked", "declined", "voided", "capture_failed"),
        "requires_payment_method": (None, "blocked", "declined", "capture_failed"),
        "requires_confirmation": (None,),
    }
    # What its payer approved and nobody confirmed again has been given back, and another may be tried.
    lapsed = must_confirm and (status, last) == ("requires_payment_method", "voided")
    _require(lapsed or last in fits.get(status, ()), f"{payment} is {status}, its last attempt {last}")
    earlier = {phase for number, phase in phases.items() if number < attempts}
    _require(
        earlier <= {"blocked", "declined", "capture_failed", "voided"},
        f"{payment}: earlier attempts are {earlier}",
    )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ViolationError(otherwise)
