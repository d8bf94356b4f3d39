"""The file of a replay's decisions: all of a decision, whatever the number of parts."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import polars as pl
import pytest

from models.engine import Engine
from models.observations import Assessment
from pipelines.errors import ReplayError
from pipelines.replay.decisions import DecisionFile
from tests.unit.models.sample_payments import payment


def answers(count: int = 7) -> list[Assessment]:
    """Attempts with one card within a moment: the later ones are reviewed, by a rule and with reasons."""
    return Engine().assess([payment(number, number) for number in range(count)])


def written(path: Path, batches: Sequence[list[Assessment]], part_rows: int = 100) -> None:
    ids = pl.Series([f"mine_{number}" for number in range(sum(map(len, batches)))])
    with closing(DecisionFile(path, ids, part_rows)) as decisions:
        for batch in batches:
            decisions.take(batch)
        decisions.finish()


def test_all_of_a_decision_is_written(tmp_path: Path) -> None:
    told = answers()
    written(tmp_path / "rows.parquet", [told])

    rows = pl.read_parquet(tmp_path / "rows.parquet").to_dicts()
    assert told[-1].reasons
    assert told[-1].rules
    for number, (row, answer) in enumerate(zip(rows, told, strict=True)):
        assert row["transaction_id"] == f"mine_{number}"
        assert (row["score"], row["risk_score"]) == (answer.probability, answer.risk_score)
        assert (row["outcome"], row["rules"]) == (answer.outcome, answer.rules)
        assert row["reasons"] == [reason.text for reason in answer.reasons]
        assert {action: row[f"cost_{action}_minor"] for action in answer.costs_minor} == answer.costs_minor
        versions = row["features_version"], row["online_version"], row["batch_version"]
        assert versions == (answer.features_version, answer.online_version, answer.batch_version)
        assert row["anomaly"] == answer.anomaly


@pytest.mark.parametrize("part_rows", [1, 3, 100])
def test_the_file_is_the_same_whatever_is_held_in_memory(tmp_path: Path, part_rows: int) -> None:
    told = answers()
    written(tmp_path / "whole.parquet", [told])
    written(tmp_path / "parts.parquet", [told[:1], [], told[1:4], told[4:]], part_rows)

    assert pl.read_parquet(tmp_path / "parts.parquet").equals(pl.read_parquet(tmp_path / "whole.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.parquet", "whole.parquet"]


def test_a_challenger_has_a_column_that_is_empty_before_it_scored(tmp_path: Path) -> None:
    first, second = answers(2)
    shadowed = msgspec.structs.replace(second, challengers={"steady": 0.25})
    written(tmp_path / "rows.parquet", [[first], [shadowed]], part_rows=1)

    assert pl.read_parquet(tmp_path / "rows.parquet")["challenger_steady"].to_list() == [None, 0.25]


def test_csv_has_lists_as_text(tmp_path: Path) -> None:
    told = answers()
    written(tmp_path / "rows.csv", [told])

    last = pl.read_csv(tmp_path / "rows.csv").row(-1, named=True)
    assert last["reasons"] == "; ".join(reason.text for reason in told[-1].reasons)
    assert last["score"] == told[-1].probability


def test_a_folder_that_is_not_there_is_told_before_anything_is_decided(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"--out .*/absent/rows\.parquet cannot be written"):
        DecisionFile(tmp_path / "absent" / "rows.parquet", pl.Series(["mine_0"]))
