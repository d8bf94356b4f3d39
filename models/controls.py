"""Controls: rules, lists, costs, policy and rates as one immutable snapshot, changed by versioned facts."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from events.moments import microseconds
from events.vocabulary import ControlKind
from models.body_words import in_words
from models.builtin_controls import BUILTIN_COSTS, BUILTIN_POLICY, BUILTIN_RATES, BUILTIN_RULES
from models.costs import SCORE_MAX, Costs, Policy
from models.errors import ControlError
from models.feature import Row
from models.features import POSITIONS
from models.observations import Observation
from models.rates import Rates, RatesBody
from models.rules.index import ready
from models.rules.python import Entries
from models.rules.rule import ACTIONS, Rule, rule_of

NEVER_US = 2**62
"""The expiry of an entry that has none."""

LIST_ENTRIES_MAX = 50_000
"""A list travels as one record; larger ones are for the stores of a later stage."""

SETTINGS: dict[str, tuple[ControlKind, dict[str, Any]]] = {
    "costs": ("costs", BUILTIN_COSTS),
    "decision": ("policy", BUILTIN_POLICY),
    "rates": ("rates", BUILTIN_RATES),
}
"""Controls that always exist: removing a published version brings the shipped one back."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One control as published; `body` None: removed. Version 0 is what the build ships."""

    name: str
    kind: ControlKind
    version: int
    body: dict[str, Any] | None


class ListEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value (a surrogate or a plain text) that stands on a list until `expires_at`, or for good."""

    value: str
    expires_at: datetime | None = None


class _ListBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    entries: list[ListEntry]


class Controls:
    """A snapshot: what decides, and the versions of it.

    `rules` stand in the order of precedence, `versions` holds every control in force by name, `costs` is by
    merchant (None: everyone else).
    """

    def __init__(self, entries: Iterable[Control]) -> None:
        """Raises `ControlError` where a body is not one; `entries` hold each name once."""
        self._entries = {entry.name: entry for entry in entries}
        read = {name: _read(entry) for name, entry in self._entries.items()}
        self.rules = _by_precedence(rule for rule in read.values() if isinstance(rule, Rule))
        self.lists = {name: value for name, value in read.items() if isinstance(value, dict)}
        self.costs = _by_merchant(value for value in read.values() if isinstance(value, Costs))
        self.policy = next(value for value in read.values() if isinstance(value, Policy))
        self.rates = next(value for value in read.values() if isinstance(value, Rates))
        self.versions = {
            name: entry.version
            for name, entry in sorted(self._entries.items())
            if entry.body is not None or name in SETTINGS
        }
        self._evaluate = ready([rule.predicate for rule in self.rules], POSITIONS, self.lists)

    @classmethod
    def builtin(cls) -> "Controls":
        """What the build ships.

        >>> Controls.builtin().versions["rapid_attempts"]
        0
        """
        return cls(builtin_controls())

    @property
    def entries(self) -> tuple[Control, ...]:
        """Every control, removed ones too: `Controls(controls.entries)` is equal to it."""
        return tuple(self._entries.values())

    def changed(self, name: str, kind: ControlKind, version: int, body: dict[str, Any] | None) -> "Controls":
        """A new snapshot; itself where the version is older than the one it has, or the same once more.

        Of two that carry one version the later counts: it is the one that the compacted topic keeps.
        Raises `ControlError`; then this snapshot stays in force.
        """
        present = self._entries.get(name)
        if present is not None and present.kind != kind:
            raise ControlError(f"{name} is a control of kind {present.kind}, not {kind}")
        control = Control(name=name, kind=kind, version=version, body=body)
        if present is not None and (version < present.version or control == present):
            return self
        return Controls([*(entry for entry in self.entries if entry.name != name), control])

    def only(self, names: Collection[str]) -> "Controls":
        """The same without every other rule, list and merchant's costs; settings stay."""
        return Controls(entry for entry in self.entries if entry.name in names or entry.name in SETTINGS)

    def fired(self, observation: Observation, row: Row) -> list[Rule]:
        """The rules that are TRUE for the payment and its row, in the order of precedence."""
        places = self._evaluate(row, observation, observation.occurred_at_us)
        return [self.rules[place] for place in places] if places else []

    def costs_of(self, merchant: str | None) -> Costs:
        """The merchant's costs, or everyone's."""
        return self.costs.get(merchant) or self.costs[None]


def builtin_controls() -> tuple[Control, ...]:
    """The shipped controls, ready to publish or to start from."""
    rules = tuple(
        Control(name=name, kind="rule", version=0, body=body) for name, body in BUILTIN_RULES.items()
    )
    settings = tuple(
        Control(name=name, kind=kind, version=0, body=body) for name, (kind, body) in SETTINGS.items()
    )
    return rules + settings


def _by_merchant(found: Iterable[Costs]) -> dict[str | None, Costs]:
    costs: dict[str | None, Costs] = {}
    for one in found:
        if one.merchant in costs:
            raise ControlError(f"the costs of merchant {one.merchant} stand in another control already")
        costs[one.merchant] = one
    return costs


def _by_precedence(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: (ACTIONS.index(rule.action), rule.name)))


def _read(control: Control) -> Rule | Entries | Costs | Policy | Rates | None:
    body = control.body
    if body is None:
        if control.name not in SETTINGS:
            return None
        body = SETTINGS[control.name][1]
    try:
        return _READERS[control.kind](control.name, body)
    except msgspec.ValidationError as error:
        raise ControlError(f"{in_words(error)} (docs/rules.md shows a body of {control.kind})") from None


def _list_of(name: str, body: Mapping[str, Any]) -> Entries:
    entries = msgspec.convert(body, _ListBody).entries
    if len(entries) > LIST_ENTRIES_MAX:
        raise ControlError(f"the list {name} has more than {LIST_ENTRIES_MAX} entries")
    return {entry.value: _expiry_us(name, entry) for entry in entries}


def _expiry_us(name: str, entry: ListEntry) -> int:
    if entry.expires_at is None:
        return NEVER_US
    if entry.expires_at.tzinfo is None:
        raise ControlError(f"the list {name} has an expiry without a time zone: write 2026-01-31T00:00:00Z")
    return microseconds(entry.expires_at)


def _costs_of(name: str, body: Mapping[str, Any]) -> Costs:
    costs = msgspec.convert(body, Costs)
    if (name == "costs") != (costs.merchant is None):
        raise ControlError("the costs of one merchant name it in `merchant`; only `costs` is for everyone")
    return costs


def _policy_of(name: str, body: Mapping[str, Any]) -> Policy:
    if name != "decision":
        raise ControlError(f"no policy is called {name}: the policy of decisions is called decision")
    policy = msgspec.convert(body, Policy)
    if policy.block_at < policy.review_at:
        raise ControlError("block_at must not lie below review_at")
    if policy.review_at < policy.challenge_at <= SCORE_MAX:
        raise ControlError("challenge_at must not lie above review_at, where it would ask nobody (101: off)")
    return policy


def _rates_of(name: str, body: Mapping[str, Any]) -> Rates:
    if name != "rates":
        raise ControlError(f"no rates are called {name}: all rates stand in the control rates")
    return Rates(msgspec.convert(body, RatesBody))


_READERS: dict[ControlKind, Callable[[str, Mapping[str, Any]], Rule | Entries | Costs | Policy | Rates]] = {
    "rule": rule_of,
    "list": _list_of,
    "costs": _costs_of,
    "policy": _policy_of,
    "rates": _rates_of,
}
