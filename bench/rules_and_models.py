"""What rules and models add to a payment: CPU µs by number of active rules, and by number of scoring models.

The rules are distinct, of three predicates each, over seventeen features, with what is missing asked for in
several ways. The models are the champion, the boosting and challengers of all kinds; the first figure of
models is what the champion costs alone, with what every model shares: a row's numbers, bins and crosses.
"""

import random
from collections.abc import Sequence

import msgspec

from bench.flow import engine_with, requests, trained
from bench.record import Figure, figure, record
from bench.scoring import RUNS, UNIT, cpu_us, in_batches
from events.codec import decode
from events.types import AssessmentRequested
from models.blending import BOOSTING, CHAMPION
from models.controls import Control, Controls, builtin_controls
from models.feature import Row
from models.features import POSITIONS
from models.observations import ModelSnapshot, Observation
from models.rules.python import compile_predicates
from models.scorer import Scorer
from models.visits import visit
from pipelines import observe

PAYMENTS, BATCH = 4_000, 512
RULES = (0, 25, 50, 100, 200, 300, 400, 500)
MODELS = (1, 2, 3, 4, 5, 6, 7, 8)
RULES_GOAL, MODELS_GOAL, GOAL_US = 200, 5, 60.0
COUNTS = (
    "card_count_1h",
    "card_count_1d",
    "device_cards_1d",
    "ip_cards_1d",
    "merchant_count_1h",
    "ip_count_1d",
)
SIZES = ("amount_reference_minor", "card_amount_z", "card_amount_to_mean", "merchant_amount_z")
AGES = ("card_gap_days", "card_age_days", "device_age_days", "customer_age_days")
COUNTRIES = ("card_country", "ip_country")


def rule(number: int) -> Control:
    """A rule of three predicates; no two numbers give the same one."""
    dice = random.Random(number)
    count, size, age = dice.choice(COUNTS), dice.choice(SIZES), dice.choice(AGES)
    first = f"{count} >= {dice.randrange(3, 30)}"
    second = f"{size} > {dice.randrange(2, 12) * (1_000 if size == SIZES[0] else 1) + number / 1_000}"
    third = dice.choice(
        [
            f"{age} < {dice.randrange(1, 30)}",
            f"({age} IS NULL OR {age} < {dice.randrange(1, 30)})",
            f"coalesce({age}, 0) <= {dice.randrange(1, 30)}",
            f"{dice.choice(COUNTRIES)} <> 'IN'",
            f"{dice.choice(COUNTRIES)} IS NOT NULL",
            "NOT ip_country_differs",
        ]
    )
    body = {"action": dice.choice(["review", "block"]), "when": f"{first} AND {second} AND {third}"}
    return Control(name=f"rule_{number}", kind="rule", version=1, body=body)


def controls_with(rules: int) -> Controls:
    """So many rules in force, and none of those that are shipped."""
    settings = [control for control in builtin_controls() if control.kind != "rule"]
    return Controls([*settings, *(rule(number) for number in range(rules))])


def rules_us(controls: Controls, told: Sequence[tuple[Observation, Row]]) -> float:
    """Which rules fire, asked for every payment."""
    return cpu_us(lambda: [controls.fired(seen, row) for seen, row in told], len(told))


def plain_us(controls: Controls, told: Sequence[tuple[Observation, Row]]) -> float:
    """The same, each rule asked by itself."""
    evaluate = compile_predicates([each.predicate for each in controls.rules], POSITIONS, controls.lists)
    return cpu_us(lambda: [evaluate(row, seen, 0) for seen, row in told], len(told))


def scorer_with(count: int, snapshots: Sequence[ModelSnapshot]) -> Scorer:
    """The champion, the boosting, then challengers of each kind in turn."""
    by_name = {snapshot.name: snapshot for snapshot in snapshots}
    kinds = [by_name[CHAMPION], by_name[BOOSTING], *(each for each in snapshots if each.kind == "challenger")]
    scorer = Scorer()
    for number in range(count):
        model = kinds[number % len(kinds)]
        name = model.name if number < len(kinds) else f"challenger_{number}"
        scorer.use(msgspec.structs.replace(model, name=name))
    return scorer


def models_us(scorer: Scorer, rows: Sequence[Row]) -> float:
    """All models over every row, in batches."""
    return cpu_us(lambda: [scorer.score(batch) for batch in in_batches(rows, BATCH)], len(rows))


def measured() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Runs by what was measured, rules and models taken in turn."""
    values = [request.value for request in requests(PAYMENTS) if request.value is not None]
    events = [event for event in map(decode, values) if isinstance(event, AssessmentRequested)]
    seen = [observe.observation(event) for event in events]
    snapshots = trained(values)
    engine = engine_with(snapshots)
    told = [(each, visit(engine.state, each, engine.controls.rates)) for each in seen]
    rows = [row for _, row in told]
    of_rules = {count: controls_with(count) for count in RULES}
    of_models = {count: scorer_with(count, snapshots) for count in MODELS}
    rules: dict[str, list[float]] = {}
    models: dict[str, list[float]] = {}
    for _ in range(RUNS):
        for count, controls in of_rules.items():
            rules.setdefault(f"{count} rules", []).append(rules_us(controls, told))
            rules.setdefault(f"{count} rules, one by one", []).append(plain_us(controls, told))
        for count, scorer in of_models.items():
            models.setdefault(f"{count} models", []).append(models_us(scorer, rows))
    return rules, models


def figures_of(rules: dict[str, list[float]], models: dict[str, list[float]]) -> list[Figure]:
    """What the goal is about first, then both tables."""
    parts = rules[f"{RULES_GOAL} rules"], models[f"{MODELS_GOAL} models"]
    both = [one + other for one, other in zip(*parts, strict=True)]
    name = f"{RULES_GOAL} rules and {MODELS_GOAL} models"
    tables = {**rules, **models}.items()
    return [
        figure(name, both, UNIT, goal=GOAL_US, at_most=True),
        *(figure(each, runs, UNIT) for each, runs in tables),
    ]


def main() -> None:
    """Measure, and record both tables."""
    record("rules_and_models", figures_of(*measured()))


if __name__ == "__main__":
    main()
