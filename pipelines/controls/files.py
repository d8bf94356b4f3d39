"""Files of controls as a person writes them: JSON, one control or a list of them, checked before they go."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from events.vocabulary import ControlKind
from models.body_words import in_words
from models.controls import Controls
from models.errors import ControlError
from pipelines.errors import ControlFileError


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A control without a version, which publishing gives it. `body` None removes it."""

    name: str
    body: dict[str, Any] | None
    kind: ControlKind = "rule"


def read_drafts(path: Path) -> list[Draft]:
    """The controls in a file; raises `ControlFileError` with where it is wrong."""
    try:
        told = json.loads(path.read_text())
    except OSError as error:
        raise ControlFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ControlFileError(f"{path} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ControlFileError(
            f"{path}, line {error.lineno}, column {error.colno}: this is no JSON: {error.msg}"
        ) from None
    parts = told if isinstance(told, list) else [told]
    if not parts:
        raise ControlFileError(f"{path} holds no control")
    drafts = [_draft(path, number, part) for number, part in enumerate(parts, 1)]
    names = [draft.name for draft in drafts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ControlFileError(f"{path} holds {twice} twice: the second would take the place of the first")
    return drafts


def checked(controls: Controls, drafts: Sequence[Draft], source: str) -> Controls:
    """The controls with the drafts in force, by the engine's own check; raises `ControlFileError`."""
    for draft in drafts:
        try:
            version = next_version(controls, draft.name)
            controls = controls.changed(draft.name, draft.kind, version, draft.body)
        except ControlError as error:
            raise ControlFileError(f"{source}: {titled(draft.kind, draft.name)}: {error.reason}") from None
    return controls


def titled(kind: ControlKind, name: str) -> str:
    """Kind and name, once where they are one word.

    >>> titled("rule", "busy"), titled("costs", "costs")
    ('rule busy', 'costs')
    """
    return name if name == kind else f"{kind} {name}"


def next_version(controls: Controls, name: str) -> int:
    """Newer than what is there; removed controls count too, what the build ships is version 0."""
    return max((entry.version + 1 for entry in controls.entries if entry.name == name), default=1)


def _draft(path: Path, number: int, part: Any) -> Draft:
    known = set(Draft.__struct_fields__)
    misplaced = [key for key in part if key not in known] if isinstance(part, Mapping) else []
    if misplaced and "body" not in part:
        inner = ", ".join(f'"{key}": …' for key in misplaced)
        raise ControlFileError(
            f"{path}, control {number}: what the control does belongs into its body: "
            f'"body": {{{inner}}}; see docs/rules.md'
        )
    try:
        return msgspec.convert(part, Draft)
    except msgspec.ValidationError as error:
        name = f" ({part['name']})" if isinstance(part, Mapping) and isinstance(part.get("name"), str) else ""
        raise ControlFileError(
            f"{path}, control {number}{name}: {in_words(error)}. A control has a name, a body and a kind: "
            "rule (if it names none), list, costs, policy or rates; see docs/rules.md"
        ) from None
