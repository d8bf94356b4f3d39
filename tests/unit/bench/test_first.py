"""The first recorded result, run again beside today's."""

import json
import subprocess
from pathlib import Path

import pytest

from bench.first import beside_first

BENCH = """
import json, pathlib
row = {"name": "speed", "figure": %s, "unit": "payments/s", "date": "2026-01-05"}
pathlib.Path("bench/results/speed.json").write_text(json.dumps([row]))
"""


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=someone", "-c", "user.email=someone@example.com")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, stdout=subprocess.DEVNULL)


def commit(root: Path, *, code: float, recorded: float) -> None:
    """The bench measures `code`; what its commit recorded, on a machine of its own, is `recorded`."""
    row = {"name": "speed", "figure": recorded, "unit": "payments/s", "date": "2026-01-05"}
    (root / "bench/results").mkdir(parents=True, exist_ok=True)
    (root / "bench/__init__.py").write_text("")
    (root / "bench/__main__.py").write_text(BENCH % code)
    (root / "bench/results/speed.json").write_text(json.dumps([row, row | {"name": f"of {code}"}]))
    git(root, "add", ".")
    git(root, "commit", "-qm", f"measure {code}")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def test_todays_figure_stands_beside_what_the_first_commit_measures_here(repository: Path) -> None:
    commit(repository, code=50, recorded=100)
    commit(repository, code=200, recorded=210)

    lines = beside_first("speed", repository)

    speed, unknown_then = json.loads((repository / "bench/results/speed.json").read_text())
    assert speed["first"] | {"commit": ""} == {
        "commit": "",
        "date": "2026-01-05",
        "recorded": 100,
        "here": 50,
        "ratio": 4.2,
    }
    assert "first" not in unknown_then
    assert len(lines) == 1
    assert "4.20 × the first recorded" in lines[0]


def test_a_bench_that_was_never_recorded_has_no_first_result(repository: Path) -> None:
    commit(repository, code=50, recorded=100)

    with pytest.raises(LookupError, match=r"bench/results/other\.json"):
        beside_first("other", repository)
