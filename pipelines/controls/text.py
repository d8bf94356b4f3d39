"""For a person: a table of the controls in force, one as the JSON that publishes it, and the features."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from models.builtin_controls import BUILTIN_RULES
from models.controls import Control, Controls
from models.features import CATALOGUE
from models.rules.checks import BY_SURROGATE

HEADING = f"{'kind':<6}  {'name':<34}  {'ver.':>4}  what it does"


def lines(controls: Controls) -> Iterator[str]:
    """A heading, and each control; rules with their words below, and shipped ones that were removed."""
    yield HEADING
    words = {rule.name: rule.words for rule in controls.rules}
    for control in sorted(controls.entries, key=lambda entry: (entry.kind != "rule", entry.name)):
        if control.name in controls.versions or control.name in BUILTIN_RULES:
            yield f"{control.kind:<6}  {control.name:<34}  {control.version:>4}  {_what(control)}".rstrip()
        if control.name in words:
            yield f"{'':<50}“{words[control.name]}”"


def feature_lines(words: Sequence[str]) -> Iterator[str]:
    """What rules may compare whose name or meaning holds every one of the words, a line each."""
    for feature in CATALOGUE:
        told = f"{feature.name} {feature.meaning}".lower()
        if all(word.lower() in told for word in words):
            unit = f" ({feature.unit})" if feature.unit else ""
            yield f"{feature.name:<36}  {feature.type:<7}  {feature.meaning}{unit}"
    for name in BY_SURROGATE:
        told = f"the payment's {name}, by its surrogate, for lists alone: {name} IN @LIST"
        if all(word.lower() in told.lower() for word in words):
            yield f"{name:<36}  {'text':<7}  {told}"


def as_json(controls: Controls, name: str) -> str:
    """One control in the form of a file for `weir rules publish`, with every default filled in."""
    (control,) = [entry for entry in controls.entries if entry.name == name]
    told = {"name": name, "kind": control.kind, "body": _body(controls, control)}
    return json.dumps(told, indent=2, ensure_ascii=False, default=str)


def _what(control: Control) -> str:
    if control.kind == "rule":
        if control.body is None:
            return f"removed; `weir rules restore {control.name}` brings it back"
        return f"{control.body['action']:<6}  {control.body['when']}"
    if control.kind == "list":
        count = len((control.body or {})["entries"])
        return f"{count} {'entry' if count == 1 else 'entries'}"
    return ""


def _body(controls: Controls, control: Control) -> dict[str, Any]:
    if control.kind == "policy":
        return dict(msgspec.structs.asdict(controls.policy))
    if control.kind == "costs":
        merchant = (control.body or {}).get("merchant")
        costs = msgspec.structs.asdict(controls.costs_of(merchant))
        return {name: value for name, value in costs.items() if value is not None}
    if control.body is None:  # rates that were removed: the shipped ones
        (shipped,) = [entry for entry in Controls.builtin().entries if entry.name == control.name]
        return shipped.body or {}
    return control.body
