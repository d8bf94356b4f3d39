"""Records that can be read and hardly be used: good ones of every topic, with some members changed."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from events import codec
from events.log.port import Position, Record
from events.types import (
    ControlChanged,
    Event,
    ModelPublished,
    PaymentAuthenticated,
    PaymentCaptured,
    PaymentDeclined,
    PaymentIncremented,
    SignInAttempted,
)
from events.vocabulary import ControlKind, ModelKind
from models.blending import BOOSTING, CHAMPION
from models.boosting import fit
from models.builtin_controls import BUILTIN_COSTS, BUILTIN_POLICY, BUILTIN_RULES
from models.challenger import NAME, values_of
from models.challenger_learning import ChallengerLearner
from models.engine import Engine
from models.online import BinnedLogisticRegression
from models.slots import NUMBER_COLUMNS
from pipelines import observe
from tests.unit.models.rows import row_with
from tests.unit.pipelines.standin import START, assessment, label

HEADER: dict[str, Any] = {"id": "e1", "occurred_at": START}
PAYMENT: dict[str, Any] = {
    **HEADER, "payment_id": "pi_1", "sequence": 1, "mode": "test", "merchant_id": "m1",
    "amount_minor": 1000, "currency": "EUR",
}  # fmt: skip
TEXTS = ("", "x", "NaN", "sNaN", "1e400", "-1", "\0", "\ud800", "x" * 5_000, "USD", "1969-12-31T23:59:59Z")
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "2026-01-05T10:00:00",
)
NUMBERS = (-1, 0, 1, 7, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63), 1e-320, 1e30, 1e308, -1e308)
ODD = st.sampled_from([*TEXTS, *TIMES, *NUMBERS, None, True, [], {}, [[]], {"x": 1}])
BROKEN = st.sampled_from([*NUMBERS[:7], 1e308, float("nan"), float("inf"), "x", None, [], b"", b"\xff" * 128])


def event_of(kind: ModelKind, name: str, state: bytes, version: int = 1) -> ModelPublished:
    return ModelPublished(
        **HEADER, name=name, kind=kind, version=version, learned_to={"labels/0": 3}, labels=5, state=state
    )


def control_of(kind: ControlKind, name: str, body: dict[str, Any]) -> ControlChanged:
    return ControlChanged(**HEADER, name=name, kind=kind, version=1, body=body)


@cache
def models() -> list[ModelPublished]:
    champion = BinnedLogisticRegression()
    champion.learn([3, 5], [0.5], True)
    challenger = ChallengerLearner()
    for amount in (100.0, 900.0):
        challenger.learn(values_of(row_with(amount_reference_minor=amount)), fraud=amount > 500)
    numbers = np.zeros((200, len(NUMBER_COLUMNS)))
    numbers[:, NUMBER_COLUMNS["amount_reference_minor"]] = range(200)
    boosting = fit(numbers, numbers.sum(axis=1) >= 120)
    return [
        event_of("online", CHAMPION, champion.encode()),
        event_of("challenger", NAME, challenger.learned.encode()),
        event_of("batch", BOOSTING, boosting.encode()),
    ]


@cache
def records() -> list[tuple[str, bytes]]:
    """One good record of each kind that a flow or the gateway reads."""
    request = assessment(1)
    answer = Engine().assess([observe.observation(request)])[0]
    rates = {"reference": "EUR", "rates": [{"currency": "USD", "from_date": "2020-01-01", "rate": "0.9"}]}
    entries = [{"value": "d1", "expires_at": "2030-01-01T00:00:00Z"}]
    told: list[tuple[str, Event]] = [
        ("assessments", request),
        ("assessments", assessment(2, currency="USD")),
        ("decisions", observe.decision(request, answer, Position("assessments", 0, 0), START)),
        ("labels", label(1)),
        ("accounts", SignInAttempted(**HEADER, merchant_id="m1", mode="test", succeeded=False, device="d1")),
        ("payments", PaymentCaptured(**PAYMENT, authorization_id="a")),
        ("payments", PaymentAuthenticated(**PAYMENT, attempt=1, result="failed", flow="challenge")),
        (
            "payments",
            PaymentIncremented(**PAYMENT, attempt=1, authorization_id="a", more_minor=0),
        ),
        ("payments", PaymentDeclined(**PAYMENT, attempt=1, reason="do_not_honor", card_surrogate="card1")),
        ("controls", control_of("rates", "rates", rates)),
        ("controls", control_of("costs", "costs", dict(BUILTIN_COSTS))),
        ("controls", control_of("policy", "decision", dict(BUILTIN_POLICY))),
        ("controls", control_of("list", "blocked", {"entries": entries})),
        ("controls", control_of("rule", "own", dict(next(iter(BUILTIN_RULES.values()))))),
        *(("models", model) for model in models()),
    ]
    return [(topic, codec.encode(event)) for topic, event in told]


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every member of a tree; of a long list its first ones and its last."""
    if isinstance(tree, dict):
        parts = list(tree.items())
    elif isinstance(tree, list | tuple):
        parts = [
            (number, tree[number]) for number in range(len(tree)) if number < 12 or number == len(tree) - 1
        ]
    else:
        return
    for key, value in parts:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy: Any = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = changed(tree[path[0]], path[1:], value) if len(path) > 1 else value
    return copy


@st.composite
def poisoned(draw: st.DrawFn, *topics: str) -> Record:
    """A good record with some members changed; in a model's state as well."""
    topic, value = draw(st.sampled_from([one for one in records() if not topics or one[0] in topics]))
    tree = json.loads(value)
    if topic == "models" and draw(st.booleans()):
        state = msgspec.msgpack.decode(b64decode(tree["state"]), strict=False)
        state = changed(state, draw(st.sampled_from(list(places(state)))), draw(BROKEN))
        tree["state"] = b64encode(msgspec.msgpack.encode(state)).decode()
    else:
        for _ in range(draw(st.integers(1, 2))):
            tree = changed(tree, draw(st.sampled_from(list(places(tree)))), draw(ODD))
            tree.setdefault("type", json.loads(value)["type"])
    return Record(topic, 0, 0, b"key", json.dumps(tree).encode())
