"""Rules: SQL predicates over the feature catalogue, each with what it asks for when it fires."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from events.vocabulary import RuleAction
from models.body_words import in_words
from models.errors import RuleError
from models.features import CATALOGUE
from models.rules import nodes
from models.rules.checks import BY_SURROGATE
from models.rules.sql import duckdb_sql
from models.rules.syntax import parse_predicate

ACTIONS: tuple[RuleAction, ...] = ("allow", "block", "review", "challenge")
"""In the order of precedence: allow skips block and review, block skips review; challenges stand beside."""

ENTITY_FIELDS = (*BY_SURROGATE, "merchant")
"""The payment's entities: those that go by surrogate for lists alone (`card IN @blocked_cards`)."""

NAMES: Mapping[str, nodes.FieldType] = {
    **{feature.name: feature.type for feature in CATALOGUE},
    **dict.fromkeys(ENTITY_FIELDS, "text"),
}
"""Every name that a predicate may use, with its type."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: when it fires (SQL), what it asks for, and why, in words for who reads a decision."""

    name: str
    action: RuleAction
    when: str
    words: str
    predicate: nodes.Predicate

    @property
    def sql(self) -> str:
        """The predicate as a DuckDB expression over history."""
        return duckdb_sql(self.predicate)


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    action: str
    when: str
    words: str = ""


def rule_of(name: str, body: object) -> Rule:
    """The rule that a control's body declares; raises `RuleError`.

    >>> rule_of("quick", {"action": "review", "when": "card_count_1h >= 4"}).action
    'review'
    """
    try:
        parts = msgspec.convert(body, _Body)
    except msgspec.ValidationError as error:
        raise RuleError(f"{in_words(error)} (docs/rules.md: a rule has action, when and words)") from None
    return Rule(
        name=name,
        action=_action(parts.action),
        when=parts.when,
        words=parts.words or f"rule {name}",
        predicate=predicate_of(parts.when),
    )


@lru_cache(maxsize=1024)
def predicate_of(when: str) -> nodes.Predicate:
    """The checked tree of a predicate over this build's catalogue; raises `RuleError`."""
    return parse_predicate(when, NAMES)


def _action(text: str) -> RuleAction:
    for action in ACTIONS:
        if text == action:
            return action
    raise RuleError(f"no action is called {text[:40]!r}: use allow, review, block or challenge")
