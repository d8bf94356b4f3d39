"""Planted bugs: what a careless change might do to the production modules. The simulation must find each.

A bug is a rewriting of one module's source as it is imported, so it is planted before anything of the gateway
is imported, in a process of its own.
"""

import importlib.abc
import importlib.machinery
import sys
from types import CodeType
from typing import Any, NamedTuple


class Planted(NamedTuple):
    """In `module` the text `sound`, which stands there once, becomes `broken`."""

    module: str
    sound: str
    broken: str


BUGS = {
    "a reversal is lost": Planted(
        "gateway.processor.waiting", "for key in found:", "for key in ():"
    ),
    "a payment under review is captured without the check": Planted(
        "gateway.store.review_rows", "return connection.execute(query).first() is not None", "return False"
    ),
    "an outbox row is marked as sent before it is": Planted(
        "gateway.outbox",
        "await self._append([",
        "self._forget([row.id for row in rows]); await self._append([",
    ),
    "the processor answers before its outcome is durable": Planted(
        "gateway.processor.authorizations",
        "await self._store.transact(lambda db: attempts.update(db, after))",
        "self._advices._scheduling.spawn("
        "self._store.transact(lambda db: attempts.update(db, after)), 'later')",
    ),
    "a debt is forgotten at a restart": Planted(
        "gateway.payments.recovery", "self.debts.drive(attempt)", "pass"
    ),
    "an authorization in doubt is sent again": Planted(
        "gateway.processor.attempts",
        "SELECT attempt_id FROM attempts WHERE status = 'sending'",
        "DELETE FROM attempts WHERE status = 'sending' RETURNING attempt_id",
    ),
    "a late decision acts each time it comes": Planted(
        "gateway.payments.late_decisions", " or attempt.decision_id is not None", ""
    ),
    "a sequence number is skipped": Planted(
        "gateway.event_recorder",
        "sequence=event.sequence)",
        "sequence=event.sequence + (event.sequence == 4))",
    ),
    "a review can be approved twice": Planted(
        "gateway.payments.reviews", "if review.closed_reason is not None:", "if False:"
    ),
    "a tombstone is not kept": Planted(
        "gateway.processor.transitions", "attempts.insert(database, tombstone)", "pass"
    ),
    "an increment goes beyond what was decided": Planted(
        "gateway.payments.increments", "is_within = beyond_minor", "is_within = 0 * beyond_minor"
    ),
    "an increment goes round the law": Planted(
        "gateway.payments.taking",
        "by_law=law_for(attempt.instrument, merchant.country, at) is not None",
        "by_law=False",
    ),
    "a part is taken for the whole": Planted(
        "gateway.payments.partial_authorizations",
        "amount_minor=answer.authorized_minor)",
        "amount_minor=intent.amount_minor)",
    ),
    "decisions are passed before they have acted": Planted(
        "gateway.payments.decisions", "min(self._open[partition], default=read)", "read"
    ),
}  # fmt: skip


def plant(name: str) -> None:
    """Let the bug be in what is imported from now on."""
    bug = BUGS[name]
    if bug.module in sys.modules:
        raise RuntimeError(f"{bug.module} is imported already")
    sys.meta_path.insert(0, _Planter(bug))


class _Planter(importlib.abc.MetaPathFinder):
    def __init__(self, bug: Planted) -> None:
        self._bug = bug

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._bug.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Rewriting(name, spec.origin, self._bug)
        return spec


class _Rewriting(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, bug: Planted) -> None:
        super().__init__(name, path)
        self._bug = bug

    def get_code(self, fullname: str) -> CodeType:
        """Always from the source: what is kept as bytecode is sound."""
        return compile(rewritten(self.get_data(self.path).decode(), self._bug), self.path, "exec")


def rewritten(source: str, bug: Planted) -> str:
    """The source with the bug in it; raises `ValueError` where the sound text is not there exactly once."""
    if source.count(bug.sound) != 1:
        raise ValueError(f"{bug.module} holds {source.count(bug.sound)} times: {bug.sound}")
    return source.replace(bug.sound, bug.broken)
