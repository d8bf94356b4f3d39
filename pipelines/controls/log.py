"""Controls on the log: those in force, and new versions of them, each with its entry in the audit trail."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from events.codec import encode
from events.ids import Entropy, uuid7
from events.log.port import Log, Outgoing
from events.log.reading import events_until_end
from events.types import AuditRecorded, ControlChanged
from events.vocabulary import COMMAND_LINE
from models.controls import Controls
from models.errors import ControlError
from pipelines.controls.cautions import refuse_raw_values
from pipelines.controls.files import Draft, checked, next_version
from pipelines.errors import ControlFileError


def in_force(log: Log) -> Controls:
    """What the risk flow has in force once it has read the log; what it refuses is passed over here too."""
    controls = Controls.builtin()
    for _, event in events_until_end(log, "controls"):
        if isinstance(event, ControlChanged):
            with suppress(ControlError):
                controls = controls.changed(event.name, event.kind, event.version, event.body)
    return controls


def publish(
    log: Log, drafts: Sequence[Draft], source: str, now: datetime, entropy: Entropy
) -> list[ControlChanged]:
    """Append each draft as the next version of its control; all are checked before any is appended.

    Raises `ControlFileError` where one is wrong, or where somebody else published the same control meanwhile.
    """
    controls = in_force(log)
    refuse_raw_values(checked(controls, drafts, source), drafts, source)
    changes: list[ControlChanged] = []
    for draft in drafts:
        change = ControlChanged(
            id=uuid7(now, entropy(10)),
            occurred_at=now,
            name=draft.name,
            kind=draft.kind,
            version=next_version(controls, draft.name),
            body=draft.body,
        )
        controls = controls.changed(change.name, change.kind, change.version, change.body)
        changes.append(change)
    log.append([record for change in changes for record in _records(change, now, entropy)])
    _confirm(log, changes)
    return changes


def _records(change: ControlChanged, now: datetime, entropy: Entropy) -> tuple[Outgoing, Outgoing]:
    audited = AuditRecorded(
        id=uuid7(now, entropy(10)),
        occurred_at=now,
        actor=COMMAND_LINE,
        action="control.remove" if change.body is None else "control.publish",
        resource=f"{change.kind} {change.name} version {change.version}",
        outcome="succeeded",
    )
    return (
        Outgoing("controls", change.name.encode(), encode(change)),
        Outgoing("audit", COMMAND_LINE.encode(), encode(audited)),
    )


def _confirm(log: Log, changes: Sequence[ControlChanged]) -> None:
    """Of two that carry one version the later counts; whoever sees the other must know that only one does."""
    own = {(change.name, change.version): change.id for change in changes}
    for _, event in events_until_end(log, "controls"):
        if isinstance(event, ControlChanged) and own.get((event.name, event.version), event.id) != event.id:
            raise ControlFileError(
                f"somebody else published {event.name} at the same moment, and one of the two is in force: "
                f"see which (weir rules show {event.name}), and publish again"
            )
