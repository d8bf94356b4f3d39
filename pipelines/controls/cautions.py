"""What the engine would take and a person hardly means: raw values in lists, lists that are not there."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from models.controls import Controls
from models.rules import nodes
from models.rules.checks import BY_SURROGATE
from pipelines.controls.files import Draft
from pipelines.errors import ControlFileError

SURROGATE = re.compile(r"(?:card|upi|wlt|bank|dev|ip|email|cust)_[0-9a-f]{24}")
"""The form of `gateway.personal`'s surrogates."""


class LookUp(NamedTuple):
    """A rule looks a field (None: a value made of several) up in a list."""

    rule: str
    field: str | None
    list_name: str


def look_ups(controls: Controls) -> Iterator[LookUp]:
    """Every look-up of the rules in force."""
    for rule in controls.rules:
        for node in nodes.walk(rule.predicate):
            if isinstance(node, nodes.Listed):
                field = node.of.name if isinstance(node.of, nodes.Field) else None
                yield LookUp(rule.name, field, node.list_name)


def refuse_raw_values(controls: Controls, drafts: Sequence[Draft], source: str) -> None:
    """Refuse lists that hold people's own values: these would match nobody, and stand on the log for good.

    `controls` have the drafts in force. Raises `ControlFileError`, which does not repeat the value.
    """
    concerned = {draft.name for draft in drafts}
    fields = {
        found.list_name: found.field
        for found in look_ups(controls)
        if found.field in BY_SURROGATE and concerned & {found.rule, found.list_name}
    }
    for name in sorted(controls.lists):
        field = fields.get(name)
        if field is None and name not in concerned:
            continue
        for number, value in enumerate(controls.lists[name], 1):
            if not SURROGATE.fullmatch(value) and (field or _personal(value)):
                raise ControlFileError(
                    f"{source}: list {name}, entry {number}: a list holds surrogates, not the value itself: "
                    f"put in what `weir surrogate {field or 'KIND'} VALUE` prints"
                )


def cautions(controls: Controls, drafts: Sequence[Draft], *, elsewhere: bool = False) -> list[str]:
    """What is worth a second look, in sentences. `elsewhere`: a list may be in force where none is seen."""
    concerned = {draft.name for draft in drafts}
    rest = "unless it is in force already, it counts as empty" if elsewhere else "it counts as empty"
    found_in_rules = list(look_ups(controls))
    named = {found.list_name for found in found_in_rules}
    missing = {
        found: None
        for found in found_in_rules
        if found.list_name not in controls.lists and concerned & {found.rule, found.list_name}
    }
    return [
        *(f"rule {found.rule} looks in @{found.list_name}, which is not there: {rest}" for found in missing),
        *(
            f"list {name} is looked up by no rule {'here' if elsewhere else 'yet'}, so nothing says "
            "what it holds: cards, devices, IP addresses, emails and customers must be surrogates "
            "(`weir surrogate`)"
            for name in sorted(concerned & controls.lists.keys() - named)
        ),
    ]


def _personal(value: str) -> bool:
    if "@" in value:
        return True
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
