"""The direct replay: no peeking, and the same rows on every run."""

import io
import json
import random
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from sklearn.metrics import average_precision_score

from models.learning import Schedule
from models.rates import Rate, Rates, RatesBody
from models.windows import DAY_US, HOUR_US
from pipelines.errors import ReplayError
from pipelines.replay.command import ReplayOptions, replay
from pipelines.replay.decisions import DecisionFile
from pipelines.replay.direct import DirectRun
from pipelines.replay.file import read_history
from pipelines.replay.mapping import mapping_of
from pipelines.replay.source import Outcomes, ReplaySettings, ReplaySource
from pipelines.replay.truth import truth_of
from tests.unit.models.sample_payments import START_US, days

DELAY_US = 2 * DAY_US
MAP = ("id=id", "time=at", "amount_minor=amount", "card=card", "merchant=shop", "label=fraud")
SCHEDULE = Schedule(cut_us=6 * HOUR_US, refit_days=8, refit_frauds_min=15, refit_genuine_min=50)


def sample(count_days: int = 14, per_day: int = 80) -> pl.DataFrame:
    made = days(count_days, per_day)
    return pl.DataFrame(
        {
            "id": [seen.payment_id for seen, _ in made],
            "at": pl.Series([seen.occurred_at_us for seen, _ in made]).cast(pl.Datetime("us")),
            "amount": [seen.amount_minor for seen, _ in made],
            "card": [seen.card for seen, _ in made],
            "shop": [seen.merchant for seen, _ in made],
            "fraud": [fraud for _, fraud in made],
        }
    )


def run(
    table: pl.DataFrame, tmp_path: Path, verdicts: int = 0, schedule: Schedule = SCHEDULE
) -> tuple[pl.DataFrame, Outcomes]:
    """The typed frame, and what the replay gave."""
    path = tmp_path / "sample.parquet"
    table.write_parquet(path)
    frame = read_history(path, mapping_of(MAP), tmp_path / "broken.csv").frame
    settings = ReplaySettings(cut_us=schedule.cut_us, label_delay_us=DELAY_US, verdicts=verdicts)
    with closing(DecisionFile(tmp_path / "rows.parquet", frame["original_id"])) as decisions:
        return frame, DirectRun(ReplaySource(frame, settings, decisions), schedule).run(unheard)


def unheard(count: int) -> None:
    """Nobody watches the progress."""


def console() -> Console:
    return Console(record=True, width=160, file=io.StringIO())


def written(table: pl.DataFrame, tmp_path: Path, verdicts: int = 0) -> pl.DataFrame:
    """Every decision of a replay, as its file has them."""
    run(table, tmp_path, verdicts)
    return pl.read_parquet(tmp_path / "rows.parquet")


@pytest.mark.parametrize("verdicts", [0, 20])
def test_labels_that_have_not_arrived_change_no_row(tmp_path: Path, verdicts: int) -> None:
    table, day = sample(26, per_day=150), 20
    # A night's verdicts tell the truth of payments whose labels are still on their way.
    hidden_from_us = START_US + day * DAY_US - (0 if verdicts else DELAY_US)
    cut = pl.lit(hidden_from_us).cast(pl.Datetime("us"))
    flipped = table.with_columns(fraud=pl.when(pl.col("at") > cut).then(~pl.col("fraud")).otherwise("fraud"))

    rows = [written(given, tmp_path, verdicts) for given in (table, flipped)]
    known = int((table["at"].dt.epoch("us") <= START_US + day * DAY_US).sum())
    assert rows[0][:known].rows() == rows[1][:known].rows()
    assert not rows[0].equals(rows[1])


def test_a_fitted_boosting_is_in_force_where_labels_that_have_not_arrived_are_tried(tmp_path: Path) -> None:
    """Else the test before this one could not see a refit that peeks."""
    table = sample(20, per_day=150)
    unfitted = replace(SCHEDULE, refit_frauds_min=10**6)

    scores = [run(table, tmp_path, schedule=schedule)[1].scores for schedule in (SCHEDULE, unfitted)]

    assert scores[0] != scores[1]


def test_shuffled_labels_teach_nothing(tmp_path: Path) -> None:
    table = sample(26, per_day=150)
    shuffled = table["fraud"].to_list()
    random.Random(7).shuffle(shuffled)
    precision = {}
    for name, given in (("true", table), ("shuffled", table.with_columns(fraud=pl.Series(shuffled)))):
        frame, outcomes = run(given, tmp_path)
        counted = (frame["at_us"] >= START_US + 8 * DAY_US).to_numpy()
        scores = pl.Series(outcomes.scores).to_numpy()
        precision[name] = average_precision_score(frame["label"].to_numpy()[counted], scores[counted])
        share = frame["label"].to_numpy()[counted].mean()

    assert precision["shuffled"] < 1.5 * share
    assert precision["true"] > 2 * share


def test_a_replay_gives_the_same_rows_every_time(tmp_path: Path) -> None:
    table = sample(9)
    rows = [written(table, tmp_path) for _ in range(2)]

    assert rows[0].rows() == rows[1].rows()


def test_ids_and_names_of_columns_say_nothing_to_the_models(tmp_path: Path) -> None:
    table = sample(9)
    renamed = table.with_columns(card="other_" + pl.col("card"), shop="other_" + pl.col("shop"))

    assert run(table, tmp_path)[1].scores == run(renamed, tmp_path)[1].scores


def test_one_row_per_transaction_is_written(tmp_path: Path) -> None:
    table = sample(3)
    rows = written(table, tmp_path)

    assert rows.columns[:5] == ["transaction_id", "score", "risk_score", "outcome", "reasons"]
    assert rows["transaction_id"].to_list() == table["id"].to_list()
    assert rows["score"].is_between(0, 1).all()
    assert rows["risk_score"].is_between(0, 100).all()
    assert set(rows["outcome"]) <= {"allow", "review", "block"}


def test_what_is_not_allowed_has_reasons_in_words(tmp_path: Path) -> None:
    table = sample(1)
    rapid = table.tail(1).with_columns(card=pl.lit("tested")).select(pl.all().repeat_by(8)).explode(pl.all())
    rapid = rapid.with_columns(id="rapid" + pl.int_range(8).cast(pl.String))
    rows = written(pl.concat([table, rapid]), tmp_path)

    last = rows.tail(1)
    assert last["outcome"].item() == "review"
    assert "many attempts with this card within a short time" in last["reasons"].item().to_list()


def test_the_command_prints_both_protocols_calibration_and_cost(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    sample(32).filter(pl.int_range(pl.len()) % 4 == 0).write_csv(path)
    screen = console()
    options = ReplayOptions(
        file=path,
        map_words=MAP,
        label_delay="2d",
        evaluate_from=datetime.fromtimestamp(START_US / 1e6 + 4 * 86_400, UTC).date().isoformat(),
        out=tmp_path / "rows.parquet",
    )
    report = replay(options, screen)
    text = screen.export_text()

    assert report.all_payments.average_precision is not None
    for told in (
        "By week",
        "Calibration",
        "Outcomes and truth",
        "caught ",
        "taken as EUR",
        "as asked for",
        "all ",
        "by the protocol of the Fraud Detection Handbook",
        "without a zone are taken as UTC",
        "payments/s",
        "refits",
        "written",
    ):
        assert told in text
    assert pl.read_parquet(tmp_path / "rows.parquet").height == pl.read_csv(path).height


def test_without_labels_it_says_so_instead_of_figures(tmp_path: Path) -> None:
    path, out, screen = tmp_path / "sample.csv", tmp_path / "rows.csv", console()
    sample(2, per_day=10).drop("fraud").write_csv(path)

    replay(ReplayOptions(file=path, map_words=MAP[:-1], out=out), screen)

    text = screen.export_text()
    assert "no label column given" in text
    assert "By week" not in text
    assert pl.read_csv(out)["reasons"].dtype == pl.String


def test_a_result_of_another_kind_than_parquet_or_csv_is_refused_before_anything_is_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(ReplayError, match=r"must end in \.parquet or \.csv"):
        replay(ReplayOptions(file=tmp_path / "absent", map_words=MAP, out=tmp_path / "rows.xlsx"), console())


def test_fraud_counts_as_caught_when_held_or_blocked_by_count_and_by_amount() -> None:
    frame = pl.DataFrame(
        {
            "at_us": [0, DAY_US, DAY_US, DAY_US, DAY_US],
            "amount_minor": [9_999, 300, 100, 50, 50],
            "currency": ["EUR"] * 5,
            "label": [True, True, True, False, None],
        }
    )
    outcomes = Outcomes()
    outcomes.outcomes = ["allow", "block", "allow", "review", "block"]

    truth = truth_of(frame, outcomes, first_day=1)

    assert (truth.fraud.stopped_share, truth.fraud.stopped_amount_share) == (0.5, 0.75)
    assert (truth.genuine.total, truth.genuine.stopped_share) == (1, 1.0)
    mixed = frame.with_columns(currency=pl.Series(["EUR", "USD", "EUR", "EUR", "EUR"]))
    assert truth_of(mixed, outcomes, first_day=1).fraud.stopped_amount_share is None
    half = Rate(currency="USD", from_date=date(1970, 1, 1), rate=Decimal("0.5"))
    rates = Rates(RatesBody(reference="EUR", rates=[half]))
    priced = truth_of(mixed, outcomes, first_day=1, rates=rates)
    assert (priced.fraud.stopped_amount_share, priced.summed_in) == (0.6, "EUR")
    assert priced.genuine.stopped_amount_share == 1.0
    unpriced = mixed.with_columns(currency=pl.Series(["EUR", "USD", "JPY", "EUR", "EUR"]))
    assert truth_of(unpriced, outcomes, first_day=1, rates=rates).fraud.stopped_amount_share is None


def test_rules_from_a_file_are_tried_on_the_history(tmp_path: Path) -> None:
    path, rules, out = tmp_path / "sample.csv", tmp_path / "rules.json", tmp_path / "rows.parquet"
    sample(2, per_day=10).write_csv(path)
    rule = {"action": "block", "when": "currency = 'EUR' AND amount_minor > 0", "words": "everything"}
    rules.write_text(json.dumps({"name": "everything", "body": rule}))

    replay(ReplayOptions(file=path, map_words=MAP, currency="EUR", rules=[rules], out=out), console())

    assert set(pl.read_parquet(out)["outcome"]) == {"block"}


def test_a_file_with_no_row_that_can_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("id,at,amount,card,shop,fraud\n1,never,1,c,s,0\n")

    with pytest.raises(ReplayError, match="no row"):
        replay(ReplayOptions(file=path, map_words=MAP), console())


def test_an_engine_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    sample(1).write_csv(path)

    with pytest.raises(ReplayError, match="direct or flow"):
        replay(ReplayOptions(file=path, map_words=MAP, engine="warp"), console())
