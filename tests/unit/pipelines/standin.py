"""Events and a tiny deterministic engine, for the tests of what carries them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from events.codec import encode
from events.instruments import CardFacts
from events.log.port import Outgoing
from events.types import AssessmentRequested, LabelReported, RiskContext
from models.controls import Control
from models.engine import Fact
from models.observations import Assessment, ModelSnapshot, Observation
from models.state import Bounds
from models.tables import ColdRows
from pipelines.observe import derived_id

START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def assessment(number: int, **members: Any) -> AssessmentRequested:
    card = members.pop("card", f"card{number % 7}")
    given = {
        "id": derived_id("test", str(number), START),
        "occurred_at": START + timedelta(seconds=number),
        "payment_id": f"pi_{number}",
        "attempt": 1,
        "mode": "test",
        "merchant_id": f"m{number % 3}",
        "amount_minor": 1000 + number,
        "currency": "EUR",
        "card": CardFacts(token="tok", surrogate=card, bin="411111", last4="1111", brand="visa"),
        "context": RiskContext(device=f"d{number % 5}"),
    }
    return AssessmentRequested(**(given | members))


def label(number: int, fraud: bool = True, **members: Any) -> LabelReported:
    given = {
        "id": derived_id("label", str(number), START),
        "occurred_at": START + timedelta(days=1, seconds=number),
        "payment_id": f"pi_{number}",
        "kind": "fraud_dispute",
        "source": "issuer",
        "fraud": fraud,
        "mode": "test",
    }
    return LabelReported(**(given | members))


def asked(event: AssessmentRequested) -> Outgoing:
    return Outgoing("assessments", event.card.surrogate.encode(), encode(event))


class CountingEngine:
    """Scores by how many payments it saw of the same card and in all: any other order scores differently."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._changed: set[str] = set()
        self._cold: ColdRows | None = None

    def assess(self, batch: Sequence[Fact]) -> list[Assessment]:
        answers = []
        for fact in batch:
            if isinstance(fact, Observation):
                answer = self._assess(fact)
                answers += [] if fact.is_followed else [answer]
            else:
                self._count(type(fact).__name__)
        return answers

    def use(self, snapshot: ModelSnapshot) -> None:
        self._count("models")

    def change(self, control: Control) -> None:
        self._count("controls")

    def changed_rows(self) -> dict[str, bytes | None]:
        changed = {key: b"%d" % self.rows[key] for key in self._changed}
        self._changed = set()
        return changed

    def load(self, rows: Iterable[tuple[str, bytes]]) -> list[str]:
        self.rows = {key: int(value) for key, value in rows}
        return []

    def spill_to(self, cold: ColdRows, bounds: Bounds) -> None:
        self._cold = cold

    def rows_in_memory(self) -> dict[str, int]:
        return {"hot": len(self.rows)}

    def _counted(self, key: str) -> int:
        if key not in self.rows and self._cold is not None:
            self.rows[key] = int(self._cold.get(key) or 0)
        return self.rows.get(key, 0)

    def _count(self, key: str) -> int:
        self.rows[key] = self._counted(key) + 1
        self._changed.add(key)
        return self.rows[key]

    def _assess(self, one: Observation) -> Assessment:
        of_card, of_merchant = self._count(f"card/{one.card}"), self._count(f"merchant/{one.merchant}")
        seen = [float(of_card), float(of_merchant)]
        seen += [float(self._counted(key)) for key in ("Label", "Decline", "SignIn", "models", "controls")]
        return Assessment(
            payment_id=one.payment_id,
            occurred_at_us=one.occurred_at_us,
            probability=sum(seen) / 1e6,
            risk_score=0,
            outcome="allow",
            reasons=[],
            rules=[],
            costs_minor={},
            features=list(seen),
            challengers={},
            anomaly=None,
            features_version=1,
            online_version=self._counted("models"),
            batch_version=0,
            controls_versions={},
            sequence=self._count("all"),
            shard=0,
        )
