"""Every operation of both OpenAPI documents under fuzz: how much it was asked, and what it answered.

`WEIR_FUZZ_EXAMPLES` examples of each (2,000 where it is not set), on all cores.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.record import Figure, figure, record

EXAMPLES = 2_000
TURNED_AWAY = (401, 403, 429)


class Fuzzed(msgspec.Struct, frozen=True):
    """What one operation came to, as `tests/fuzz` reports it."""

    operation: str
    statuses: dict[int, int]
    successes: int

    @property
    def examples(self) -> int:
        """How often it was asked."""
        return sum(self.statuses.values())

    @property
    def success_share(self) -> float:
        """Of all answers those that did what was asked."""
        return self.successes / self.examples

    @property
    def turned_away_share(self) -> float:
        """Of all answers those that looked at nothing but who asks, and how often."""
        return sum(self.statuses.get(status, 0) for status in TURNED_AWAY) / self.examples


def main() -> None:
    """One run, recorded only where nothing was found."""
    examples = os.environ.get("WEIR_FUZZ_EXAMPLES", str(EXAMPLES))
    with TemporaryDirectory() as folder:
        told = {"WEIR_FUZZ_EXAMPLES": examples, "WEIR_FUZZ_REPORT": folder}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--timeout", "7200", "tests/fuzz"]
        if subprocess.run(command, env={**os.environ, **told}, check=False).returncode:
            raise SystemExit("the fuzz has found something")
        record("fuzz", figures([*_reported(Path(folder))], int(examples)))


def figures(fuzzed: list[Fuzzed], examples: int) -> list[Figure]:
    """Operations, examples, and the least and the most share of answers of each kind."""
    fewest = min(fuzzed, key=lambda one: one.success_share)
    most = max(fuzzed, key=lambda one: one.turned_away_share)
    statuses = sum((Counter(one.statuses) for one in fuzzed), Counter[int]())
    note = f"{examples:,} of each operation; answers by status: {dict(sorted(statuses.items()))}"
    return [
        figure("fuzz_operations_without_failure", [len(fuzzed)], "operations"),
        figure("fuzz_examples", [statuses.total()], "requests", goal=EXAMPLES * len(fuzzed), note=note),
        figure(
            "fuzz_share_of_successes",
            [sum(one.successes for one in fuzzed) / statuses.total()],
            "of answers",
        ),
        figure("fuzz_least_share_of_successes", [fewest.success_share], "of answers", note=fewest.operation),
        figure("fuzz_most_share_of_401_403_429", [most.turned_away_share], "of answers", note=most.operation),
    ]


def _reported(folder: Path) -> list[Fuzzed]:
    return [msgspec.json.decode(path.read_bytes(), type=Fuzzed) for path in folder.glob("*.json")]


if __name__ == "__main__":
    main()
