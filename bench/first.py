"""What was recorded first, measured again beside today's figures: the same machine, its own commit.

A figure of another machine says little. So the commit that first recorded a bench is taken out of the
repository into a temporary folder and runs its own bench there, on today's packages.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]


class First(msgspec.Struct, kw_only=True):
    """`recorded` then, `here` today by the code of then; `ratio` is today's figure / `here`."""

    commit: str
    date: str
    recorded: float
    here: float
    ratio: float


def beside_first(name: str, root: Path = ROOT) -> list[str]:
    """Run what first recorded the bench `name` and write it beside today's figures of the same names.

    Returns a line for each. Raises `LookupError` where the repository holds no earlier record, and
    `subprocess.CalledProcessError` where the old code does not run any more.
    """
    commit = _first_commit(name, root)
    recorded = _figures(json.loads(_git(root, "show", f"{commit}:bench/results/{name}.json")))
    with TemporaryDirectory(prefix="weir-first-") as folder:
        checkout = Path(folder) / "main"
        _take_out(commit, root, checkout)
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        subprocess.run([sys.executable, "-m", "bench", name], cwd=checkout, env=environment, check=True)
        here = _figures(json.loads((checkout / f"bench/results/{name}.json").read_text()))
    path = root / f"bench/results/{name}.json"
    rows = json.loads(path.read_text())
    lines = []
    for row in rows:
        if row["name"] not in recorded or not here.get(row["name"], {}).get("figure"):
            continue
        then, again = recorded[row["name"]], here[row["name"]]["figure"]
        first = First(
            commit=commit[:7],
            date=then["date"],
            recorded=then["figure"],
            here=again,
            ratio=row["figure"] / again,
        )
        row["first"] = msgspec.to_builtins(first)
        lines.append(
            f"{row['name']}: {first.ratio:.2f} × the first recorded ({first.commit} of {first.date}: "
            f"{first.recorded:.4g} {row['unit']} then, {first.here:.4g} here)"
        )
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return lines


def _first_commit(name: str, root: Path) -> str:
    added = _git(root, "log", "--diff-filter=A", "--format=%H", "--", f"bench/results/{name}.json").split()
    if not added:
        raise LookupError(f"no commit of {root} recorded bench/results/{name}.json: there is no first result")
    return added[-1].decode()


def _take_out(commit: str, root: Path, checkout: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit))) as archive:
        archive.extractall(checkout, filter="data")
    # Some benches read ../shared/data, which is beside the checkout and not in it.
    beside = root.parent / "shared"
    if beside.exists():
        (checkout.parent / "shared").symlink_to(beside)


def _figures(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows}


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, stdout=subprocess.PIPE).stdout
