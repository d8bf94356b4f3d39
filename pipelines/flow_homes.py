"""Where each risk flow keeps its state, and how many there are: `HOME/risk/0`, `HOME/risk/1`, …

`HOME/risk/flows.json` says for how many flows the state is; without it for one. While their number changes it
says how far that has come, so that a crash at any moment is gone on from (`pipelines.rescale`).
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably, sync_folder, sync_tree
from pipelines.errors import StateCorruptError, StateMismatchError

declare(
    {
        "rescale.plan.writing": "how far a change of the number of flows has come is written, not in place",
        "rescale.plan.written": "how far it has come is in place, what follows is not begun",
        "rescale.copy.made": "a flow's state is copied, and no flow's yet",
        "rescale.home.freed": "the place of a flow's state is free, its new state not yet there",
        "rescale.home.taken": "a flow's new state is in its place",
    }
)

FLOWS_MAX = 8
"""As many as partitions: each is answered by one flow."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many flows the state is, and where it is on the way to another number.

    `wanted` None: there is no such way. `ends`: up to where the old flows go before they stop for good;
    `replies`: where decisions then end, before which no flow looks for its own; `is_copied`: the new states
    are whole. `generation` counts the changes.
    """

    flows: int = 1
    generation: int = 0
    wanted: int | None = None
    ends: Mapping[str, int] = {}
    replies: Mapping[str, int] = {}
    is_copied: bool = False


def home_of(home: Path, flow: int) -> Path:
    """The folder of one flow's state."""
    return home / "risk" / str(flow)


def former_orders(home: Path) -> list[Path]:
    """The recorded orders of flows that are no more."""
    return sorted((home / "risk" / "former").glob("*/*/order"))


def kept_plan(home: Path) -> Plan:
    """What `flows.json` says. Raises `StateCorruptError`."""
    path = _plan_path(home)
    if not path.exists():
        return Plan()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except msgspec.DecodeError as error:
        raise StateCorruptError(
            f"{path} cannot be read ({error}). Restore the whole folder {path.parent} from one backup, "
            "or delete it: the flows then read the log again from its start."
        ) from None


def is_ready_for(home: Path, flows: int) -> bool:
    """Whether so many flows can start on the state as it is."""
    plan = kept_plan(home)
    return plan.flows == flows and plan.wanted is None


def settled_replies(home: Path, flows: int) -> Mapping[str, int]:
    """Where a flow looks for replies in partitions that others answered before it.

    Raises `StateMismatchError` where the state is for another number of flows.
    """
    if not is_ready_for(home, flows):
        raise StateMismatchError(
            f"{home / 'risk'} is not for {flows} flows: python -m pipelines.rescale makes it so, "
            "as weir up --risk-flows does by itself"
        )
    return kept_plan(home).replies


def write_plan(home: Path, plan: Plan) -> None:
    """Put the plan in place, durably, whole or not at all."""
    path = _plan_path(home)
    make_folder_durably(path.parent)
    making = path.with_name(".flows.new")
    making.write_bytes(msgspec.json.encode(plan))
    sync_tree(making)
    crash_point("rescale.plan.writing")
    making.replace(path)
    sync_folder(path.parent)
    crash_point("rescale.plan.written")


def copy_for_all(home: Path, flows: int) -> None:
    """The state of flow 0 once for each new flow, aside; made anew after a crash."""
    making = _next(home)
    shutil.rmtree(making, ignore_errors=True)
    make_folder_durably(making)
    for flow in range(flows):
        shutil.copytree(home_of(home, 0), making / str(flow))
    sync_tree(making)
    crash_point("rescale.copy.made")


def put_in_place(home: Path, plan: Plan) -> None:
    """Every flow's copy into its place. Of flows before, the recorded order is kept."""
    former = home / "risk" / "former" / str(plan.generation)
    make_folder_durably(former)
    for flow in range(FLOWS_MAX):
        copy, place = _next(home) / str(flow), home_of(home, flow)
        if place.exists() and (copy.exists() or flow >= plan.flows):
            place.rename(former / str(flow))
            crash_point("rescale.home.freed")
        if copy.exists():
            copy.rename(place)
            crash_point("rescale.home.taken")
    sync_folder(home / "risk")
    _forget_all_but_orders(former)
    shutil.rmtree(_next(home), ignore_errors=True)


def _forget_all_but_orders(former: Path) -> None:
    for each in former.glob("*/*"):
        # That of flow 0 went on in each of the copies.
        if each.name != "order" or each.parent.name == "0":
            shutil.rmtree(each) if each.is_dir() else each.unlink()


def _plan_path(home: Path) -> Path:
    return home / "risk" / "flows.json"


def _next(home: Path) -> Path:
    return home / "risk" / ".next"
