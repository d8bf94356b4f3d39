"""Closing the books: what gateway, processor, acquirer and log hold, laid beside what merchants were told.

`faults` says in sentences what does not fit; `table` counts in and out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from events.types import (
    AssessmentRequested,
    DeadLetter,
    DecisionMade,
    Event,
    LabelReported,
    PaymentEvent,
    PaymentRefunded,
    SignInAttempted,
)
from tests.e2e.books import Books, Row
from tests.e2e.merchant import Notebook


def once(events: Sequence[Event]) -> list[Event]:
    """Each event id once, as every consumer takes it: the first counts."""
    return list({event.id: event for event in reversed(events)}.values())[::-1]


def faults(books: Books, notebook: Notebook, poisoned: int = 0) -> list[str]:
    """Every way in which the books do not close; an empty list is a good end.

    `poisoned` records that nobody can read were put on the log by the test itself.
    """
    found = list(notebook.faults)
    for check in (_promises, _attempts, _money, _decisions, _life_cycles, _labels_and_sign_ins, _learning):
        found += check(books, notebook)
    refused = {
        (e.topic, e.partition, e.offset) for e in books.events["dead-letters"] if isinstance(e, DeadLetter)
    }
    if len(refused) != poisoned:
        found.append(f"{len(refused)} records were set aside, not {poisoned}")
    if books.outbox or books.waiting_advices:
        found.append(f"{books.outbox} events and {books.waiting_advices} advices still wait")
    return found


def _promises(books: Books, notebook: Notebook) -> Iterator[str]:
    """What was acknowledged holds: payments exist with their amounts, ends stay ends, captures stay whole."""
    for payment, known in notebook.payments.items():
        intent = books.intents.get(payment)
        if intent is None:
            yield f"{payment} was acknowledged and is gone"
            continue
        # An increment whose answer is long in coming is answered with the intent as it was, and goes on.
        if intent["amount_minor"] not in (known.amount_minor, known.asked_minor):
            yield f"{payment} has another amount than acknowledged"
        for end in ("succeeded", "canceled"):
            if end in known.statuses and intent["status"] != end:
                yield f"{payment} was acknowledged as {end} and is {intent['status']}"
        if known.captured_minor not in (None, intent["amount_received_minor"]):
            yield f"{payment}: another amount was captured than acknowledged"
    if not len(notebook.payments) <= len(books.intents) <= notebook.creations_sent + notebook.unanswered:
        yield f"{len(books.intents)} intents for {notebook.creations_sent} asked for"


STANDING: dict[str, tuple[set[str | None], set[str | None]]] = {
    "authorized": ({"approved"}, {"approved"}),
    "captured": ({"captured"}, {"captured"}),
    "voided": ({"reversed"}, {"reversed"}),
    "declined": ({"declined", "reversed"}, {"declined", "reversed", None}),
    "blocked": ({"declined", "reversed", None}, {"declined", "reversed", None}),
}
"""Phase at the gateway → where processor and acquirer may stand (None: never heard of it)."""


def _attempts(books: Books, notebook: Notebook) -> Iterator[str]:
    """Gateway, processor and acquirer agree on every attempt, and each knows no attempt that is not one."""
    at_acquirer = _by_attempt(books)
    for attempt in books.attempts:
        name, phase = attempt["id"], attempt["phase"]
        if name in books.rail_orders:
            yield from _account(name, phase, books.rail_orders[name], books.rails.get(name))
            continue
        processor = books.processor.get(name)
        authorizations = at_acquirer.pop(name, [])
        if len(authorizations) > 1:
            yield f"{name} was authorized {len(authorizations)} times"
        allowed = STANDING.get(phase)
        there = processor["status"] if processor else None
        issued = authorizations[0]["state"] if authorizations else None
        if allowed is None or there not in allowed[0] or issued not in allowed[1]:
            yield f"{name} is {phase} at the gateway, {there} at the processor, {issued} at the acquirer"
    for stray in set(books.processor) - {attempt["id"] for attempt in books.attempts}:
        yield f"the processor knows {stray}, the gateway does not"
    for name, left in at_acquirer.items():
        yield f"the acquirer holds {len(left)} authorizations of {name}, which nobody knows"


def _account(name: str, phase: str, order: Row, rail: Row | None) -> Iterator[str]:
    """An attempt that an account pays: what the rails have moved is what was captured."""
    if order["state"] not in STANDING.get(phase, (set(),))[0]:
        yield f"{name} is {phase} at the gateway, {order['state']} at the processor"
    paid = rail is not None and rail["state"] == "paid"
    moved_minor = rail["amount_minor"] - rail["returned_minor"] if rail is not None and paid else 0
    if moved_minor != order["captured_minor"] - order["refunded_minor"]:
        yield f"{name}: the rails have moved {moved_minor}, {order['captured_minor']} was captured"


def _by_attempt(books: Books) -> dict[str, list[Row]]:
    """The acquirer's authorizations by the attempt that the processor says they are of."""
    keys = {(p["reference"], f"{p['stan']:06}", p["transmitted_at"]): n for n, p in books.processor.items()}
    proven = {p["reference"] for p in books.processor.values() if p["eci"] is not None}
    found: dict[str, list[Row]] = defaultdict(list)
    for row in books.authorizations:
        key = (row["reference"], row["stan"], row["transmitted_at"])
        if row["original_stan"] is not None:
            continue  # an increment: its original holds the sum
        if row["fingerprint"] is None and key in books.undone_increments:
            continue  # an increment that was taken back before it came: nothing was ever promised for it
        if row["response"] == "1A" and key not in keys and row["reference"] in proven:
            continue  # its issuer had asked for a proof, which came with the next message
        found[keys.get(key, f"nobody's {row['reference']}")].append(row)
    return found


def _money(books: Books, notebook: Notebook) -> Iterator[str]:
    """What was captured is one amount everywhere, moved once, and every posting has its counterpart."""
    at_acquirer = _by_attempt(books)
    moved, given_back = _moved(books), _given_back(books)
    if sum(row["amount_minor"] for row in books.postings):
        yield "the acquirer's postings do not add up to nothing"
    received: Counter[str] = Counter()
    for attempt in books.attempts:
        if attempt["phase"] != "captured":
            continue
        name, captured = attempt["id"], attempt["capture_minor"]
        received[attempt["payment_id"]] += captured
        if name in books.rail_orders:
            continue
        processor, authorizations = books.processor[name], at_acquirer.get(name, [])
        amounts = {processor["captured_minor"], *(row["captured_minor"] for row in authorizations)}
        if amounts != {captured}:
            yield f"{name}: {captured} was captured at the gateway, elsewhere {sorted(amounts)}"
        returned, kept = processor["refunded_minor"], -moved.pop(processor["reference"], 0)
        if returned != given_back[name] or kept != captured - returned:
            yield f"{name}: of {captured}, {kept} was kept; {given_back[name]} to go back, {returned} went"
    for payment, intent in books.intents.items():
        if intent["amount_received_minor"] != received[payment]:
            yield f"{payment} shows {intent['amount_received_minor']} as received, not {received[payment]}"
    if any(moved.values()):
        yield f"money moved for {len(moved)} authorizations that were never captured"


def _moved(books: Books) -> Counter[str]:
    """What cardholders got (minus: paid), by the reference of the authorization."""
    moved: Counter[str] = Counter()
    for row in books.postings:
        moved[row["reference"]] += row["amount_minor"] if row["account"].startswith("cardholder:") else 0
    return moved


def _given_back(books: Books) -> Counter[str]:
    """What goes back by attempt: a decision that blocks after the capture, as it came late, refunds."""
    given_back: Counter[str] = Counter()
    for event in once(books.events["payments"]):
        if isinstance(event, PaymentRefunded):
            given_back[f"{event.payment_id}_{event.attempt}"] += event.amount_minor
    return given_back


def _decisions(books: Books, notebook: Notebook) -> Iterator[str]:
    """One question and one answer for each attempt, and that answer is the one in force."""
    asked = [e for e in once(books.events["assessments"]) if isinstance(e, AssessmentRequested)]
    made = [e for e in books.events["decisions"] if isinstance(e, DecisionMade)]
    by_attempt = {f"{e.payment_id}_{e.attempt}": e for e in made}
    if len({e.id for e in made}) != len(made) or len(by_attempt) != len(made):
        yield f"{len(made)} decisions were made for {len(by_attempt)} attempts"
    if {e.id for e in asked} != {e.assessment_id for e in made}:
        yield f"{len(asked)} assessments were asked for, {len(made)} answered"
    if sorted(f"{e.payment_id}_{e.attempt}" for e in asked) != sorted(a["id"] for a in books.attempts):
        yield f"{len(asked)} assessments were asked for {len(books.attempts)} attempts"
    for attempt in books.attempts:
        decision = by_attempt.get(attempt["id"])
        if decision is None or attempt["decision_id"] != decision.id or attempt["assessed"] is None:
            yield f"{attempt['id']} has no decision in force, or another one than was made"


def _life_cycles(books: Books, notebook: Notebook) -> Iterator[str]:
    """Each payment's events count 1, 2, 3 … without gap to the intent's own count, and in that order."""
    by_payment: dict[str, list[PaymentEvent]] = defaultdict(list)
    for event in once(books.events["payments"]):
        if isinstance(event, PaymentEvent):
            by_payment[event.payment_id].append(event)
    for payment, intent in books.intents.items():
        sequences = [event.sequence for event in by_payment.pop(payment, [])]
        if sequences != list(range(1, intent["sequence"] + 1)):
            yield f"{payment} has {intent['sequence']} events, the log holds {sequences}"
    if by_payment:
        yield f"the log has events of {len(by_payment)} payments that do not exist"


def _labels_and_sign_ins(books: Books, notebook: Notebook) -> Iterator[str]:
    """What was acknowledged is on the log, once each, and nothing that was not sent."""
    kept = Counter((row["payment_id"], row["kind"]) for row in books.labels)
    told = Counter(
        (event.payment_id, str(event.kind))
        for event in once(books.events["labels"])
        if isinstance(event, LabelReported) and event.kind != "matured"
    )
    if kept != told or set(kept) != notebook.labels or set(kept.values()) - {1}:
        yield f"{len(notebook.labels)} labels in, {kept.total()} kept, {told.total()} on the log"
    seen = {event.id for event in once(books.events["accounts"]) if isinstance(event, SignInAttempted)}
    if not notebook.sign_ins <= seen or len(seen) > notebook.sign_ins_sent:
        yield f"{len(notebook.sign_ins)} sign-ins in, {len(seen)} on the log"


def _learning(books: Books, notebook: Notebook) -> Iterator[str]:
    """Every decided payment waits with its features for its label, and every label is learned as it says."""
    decided = {e.payment_id for e in books.events["decisions"] if isinstance(e, DecisionMade)}
    if set(books.learned) != decided:
        yield f"{len(decided)} payments were decided, the learner knows {len(books.learned)}"
    for event in once(books.events["labels"]):
        if not isinstance(event, LabelReported) or event.fraud is None:
            continue
        if books.learned.get(event.payment_id) != event.fraud:
            yield f"the label of {event.payment_id} ({event.kind}) was not learned"


def table(books: Books, notebook: Notebook, title: str) -> str:
    """Counts in and counts out, for people."""
    out = {topic: f"{len(once(found))} ({len(found)} with repeats)" for topic, found in books.events.items()}
    phases = Counter(attempt["phase"] for attempt in books.attempts)
    fallbacks = sum(attempt["assessed"] == 0 for attempt in books.attempts)
    lines = {
        "calls in / unanswered": f"{notebook.calls} / {notebook.unanswered}",
        "payments acknowledged / in store": f"{len(notebook.payments)} / {len(books.intents)}",
        "attempts by end": ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items())),
        "attempts decided by fallback first": str(fallbacks),
        "assessments / decisions": f"{out['assessments']} / {out['decisions']}",
        "authorizations at the acquirer": str(len(books.authorizations)),
        "life-cycle events": out["payments"],
        "labels in / on the log": f"{len(notebook.labels)} / {out['labels']}",
        "sign-ins in / on the log": f"{len(notebook.sign_ins)} / {out['accounts']}",
    }
    return "\n".join([f"-- {title}", *(f"{name:36} {value}" for name, value in lines.items())])
