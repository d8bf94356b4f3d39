"""Closing the books of a long run by counts: what was told beside what stores and log hold.

`tests.e2e.accounting` reads everything at once and says more; half a million payments are too many for that.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from events.codec import decode
from events.log import open_log
from events.types import AssessmentRequested, DecisionMade
from tests.e2e.books import gateway_of, records, rows

_ATTEMPTS_TOO_MANY = "SELECT COUNT(*) - COUNT(DISTINCT payment_id) AS many FROM attempts"
# An authorization that its issuer wanted proven has the same reference and stands for nothing.
_STANDING = "FROM authorizations WHERE original_stan IS NULL AND state IN ('approved', 'captured')"
_AUTHORIZED_TWICE = f"SELECT COUNT(*) - COUNT(DISTINCT reference) AS many {_STANDING}"
_AUTHORIZED = f"SELECT reference {_STANDING}"


@dataclass
class Told:
    """What the merchant was answered. Requests without an answer are asked again before the books close."""

    intents: set[str] = field(default_factory=set)
    told_twice: int = 0
    refused: int = 0
    fallbacks: int = 0

    def taken(self, intent: str, *, is_fallback: bool) -> None:
        """Note an answer that says that the payment was made, whatever became of it."""
        self.told_twice += intent in self.intents
        self.intents.add(intent)
        self.fallbacks += is_fallback


def lost_and_doubled(home: Path, log_url: str, told: Told) -> dict[str, int]:
    """How many of each kind of fault; all 0 is a good end."""
    gateway = gateway_of(home)
    kept = {row["id"] for row in gateway("SELECT id FROM intents")}
    attempts = {row["id"]: row["phase"] for row in gateway("SELECT id, phase FROM attempts")}
    processor, acquirer = home / "processor.sqlite", home / "acquirer.sqlite"
    processed = _ids(processor, "SELECT attempt_id FROM attempts")
    references = _ids(processor, "SELECT reference FROM attempts")
    approved = {name for name, phase in attempts.items() if phase in ("authorized", "captured")}
    return {
        "payments that were told and are gone": len(told.intents - kept),
        "payments that nobody was told of": len(kept - told.intents),
        "two requests told of one payment": told.told_twice,
        "attempts beyond one a payment": int(gateway(_ATTEMPTS_TOO_MANY)[0]["many"]),
        "approved attempts that the processor does not know": len(approved - processed),
        "attempts at the processor that the gateway does not know": len(processed - attempts.keys()),
        "authorized twice at the acquirer": int(rows(acquirer, _AUTHORIZED_TWICE)[0]["many"]),
        "authorized at the acquirer for nobody": len(_ids(acquirer, _AUTHORIZED) - references),
        "events that still wait": int(gateway("SELECT COUNT(*) AS many FROM outbox")[0]["many"]),
        **_of_log(log_url, len(attempts)),
    }


def _of_log(log_url: str, attempts: int) -> dict[str, int]:
    with closing(open_log(log_url)) as log:
        # One event may be on the log twice, as every consumer knows; two events of one attempt may not.
        asked = Counter(
            (event.payment_id, event.attempt)
            for event in {
                event.id: event
                for event in map(decode, filter(None, records(log, "assessments")))
                if isinstance(event, AssessmentRequested)
            }.values()
        )
        decided = Counter(
            (event.payment_id, event.attempt)
            for event in map(decode, filter(None, records(log, "decisions")))
            if isinstance(event, DecisionMade)
        )
    return {
        "attempts without a request on the log": max(0, attempts - len(asked)),
        "requests for one attempt beyond the first": asked.total() - len(asked),
        "requests without a decision": len(asked.keys() - decided.keys()),
        "decisions beyond one a request": decided.total() - len(decided),
    }


def _ids(path: Path, query: str) -> set[str]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    with closing(connection):
        return {str(row[0]) for row in connection.execute(query)}
