"""Files of history: typed, ordered, and broken rows beside."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import MappingError, ReplayError
from pipelines.replay.durations import duration_us
from pipelines.replay.file import Example, History, read_history
from pipelines.replay.mapping import mapping_of

MAP = ("id=ID", "time=T", "amount=A", "card=C", "label=Y")


def read(tmp_path: Path, text: str, *words: str) -> History:
    path = tmp_path / "file.csv"
    path.write_text(text)
    return read_history(path, mapping_of(words or MAP), tmp_path / "broken.csv")


def test_rows_come_in_the_order_of_time_and_equal_times_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "ID,T,A,C,Y\nb,2026-01-02,1,c,0\na,2026-01-01,1,c,0\nd,2026-01-02,1,c,0\n"

    assert read(tmp_path, text).frame["id"].to_list() == ["a", "b", "d"]


def test_times_are_read_with_and_without_a_zone_and_as_seconds(tmp_path: Path) -> None:
    times = (
        "2026-01-01 00:00:01",
        "2026-01-01T00:00:02.5",
        "2026-01-01T05:30:03+05:30",
        "1767225604",
        "2026-01-01",
    )
    rows = "".join(f"{n},{time},1,c,0\n" for n, time in enumerate(times))
    frame = read(tmp_path, "ID,T,A,C,Y\n" + rows).frame.sort("id")

    start_us = 1_767_225_600_000_000
    assert [moment - start_us for moment in frame["at_us"]] == [1_000_000, 2_500_000, 3_000_000, 4_000_000, 0]


def test_amounts_become_minor_units_of_their_own_currency(tmp_path: Path) -> None:
    text = "ID,T,A,CUR\n1,2026-01-01,12.34,EUR\n2,2026-01-01,1234,JPY\n3,2026-01-01,1.234,KWD\n"
    frame = read(tmp_path, text, "id=ID", "time=T", "amount=A", "currency=CUR").frame

    assert frame["amount_minor"].to_list() == [1234, 1234, 1234]


def test_what_no_event_could_carry_is_broken_or_missing_before_any_engine_sees_it(tmp_path: Path) -> None:
    rows = ("1,1955-11-05,Debit", "2,2026-01-01,charge", "3,2026-01-01,unknown", "4,2026-01-01,Debit")
    text = "ID,T,F,A\n" + "".join(f"{row},5\n" for row in rows)
    history = read(tmp_path, text, "id=ID", "time=T", "amount=A", "card_funding=F")

    assert history.broken == {"the time lies outside the years 1970 to 2199": 1}
    assert history.frame["card_funding"].to_list() == [None, None, "debit"]


def test_broken_rows_are_counted_written_beside_and_left_out(tmp_path: Path) -> None:
    text = (
        "ID,T,A,C,Y\n1,2026-01-01,5,c,0\n,2026-01-01,5,c,0\n3,yesterday,5,c,0\n4,2026-01-01,much,c,0\n"
        "5,2026-01-01,-1,c,0\n6,2026-01-01,5,c,perhaps\n1,2026-01-01,5,c,0\n8,2026-01-01\n9,2026-01-01,7,c,\n"
    )
    history = read(tmp_path, text)

    assert history.frame["id"].to_list() == ["1", "9"]
    assert sum(history.broken.values()) == 7
    assert history.broken["the id came before"] == 1
    assert history.broken["an amount that is not a number"] == 1
    assert history.broken["the row is cut short: it has fewer cells than the header"] == 1
    assert history.examples["an amount that is not a number"] == Example(4, "much")
    beside = pl.read_csv(tmp_path / "broken.csv", infer_schema=False)
    assert beside["row"].to_list() == ["2", "3", "4", "5", "6", "7", "8"]
    assert beside.filter(pl.col("row") == "3")["T"].to_list() == ["yesterday"]
    assert beside.filter(pl.col("row") == "7").row(0)[2:] == ("1", "2026-01-01", "5", "c", "0")


def test_a_row_of_another_width_than_the_header_is_broken_also_where_every_field_could_be_read(
    tmp_path: Path,
) -> None:
    text = (
        "ID,T,A,CUR,NOTE\n1,2026-01-01,5,EUR\n2,2026-01-01,5,,x\n3,2026-01-01,5,EUR,x\n"
        "4,2026-01-01,1,234.50,EUR,x\n5,2026-01-01,5,EUR,x,y,z\n"
    )
    history = read(tmp_path, text, "id=ID", "time=T", "amount=A", "currency=CUR")

    assert history.frame["id"].to_list() == ["3"]
    assert sorted(history.broken.values()) == [1, 1, 2]
    assert {reason[:20]: example.row for reason, example in history.examples.items()} == {
        "the row is cut short": 1,
        "no currency": 2,
        "the row has more cel": 4,
    }


def test_empty_lines_are_no_rows(tmp_path: Path) -> None:
    history = read(tmp_path, "ID,T,A,C,Y\n\n1,2026-01-01,5,c,1\n\n2,never,5,c,1\n\n")

    assert history.frame["id"].to_list() == ["1"]
    assert list(history.examples.values()) == [Example(4, "never")]


def test_an_amount_beyond_all_bounds_is_too_large_and_not_missing(tmp_path: Path) -> None:
    rows = "".join(
        f"{number},2026-01-01,{amount},c,0\n" for number, amount in enumerate(("1e30", "-1", "nan"))
    )
    history = read(tmp_path, "ID,T,A,C,Y\n" + rows)

    assert history.broken == {
        "an amount that is not a number": 1,
        "the amount is negative": 1,
        "the amount is too large": 1,
    }


def test_amounts_in_minor_units_are_whole(tmp_path: Path) -> None:
    text = "ID,T,A\n1,2026-01-01,12.5\n2,2026-01-01,1250\n"
    history = read(tmp_path, text, "id=ID", "time=T", "amount_minor=A")

    assert history.frame["amount_minor"].to_list() == [1250]
    assert history.broken == {"an amount in minor units that is not a whole number": 1}


def test_currencies_may_stand_in_small_letters(tmp_path: Path) -> None:
    text = "ID,T,A,CUR\n1,2026-01-01,1,eur\n2,2026-01-01,1,jpy\n"
    frame = read(tmp_path, text, "id=ID", "time=T", "amount=A", "currency=CUR").frame

    assert frame.select("currency", "amount_minor").rows() == [("EUR", 100), ("JPY", 1)]


@pytest.mark.parametrize(
    "text",
    [
        'id = "ID"\ntime = "T"\namount = "A"\n',
        '[columns]\nid = "ID"\ntime = "T"\namount = "A"\n',
        'id = "ID"\ntime = "T"\namount = "A"\n[defaults]\ncurrency = "JPY"\n',
    ],
)
def test_a_mapping_is_read_from_a_file_flat_or_with_tables(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)

    mapping = mapping_of([str(path)])

    assert mapping.columns == {"id": "ID", "time": "T", "amount": "A"}
    assert mapping.currency_is_assumed == ("JPY" not in text)


@pytest.mark.parametrize("text", ["id=ID time=T amount=A", "id = 1"])
def test_a_file_that_is_no_mapping_is_refused_with_what_is_expected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)

    with pytest.raises(MappingError, match='Write a line for each field, such as id = "COLUMN"'):
        mapping_of([str(path)])


def test_a_file_without_broken_rows_leaves_nothing_beside(tmp_path: Path) -> None:
    history = read(tmp_path, "ID,T,A,C,Y\n1,2026-01-01,5,c,1\n")

    assert (history.broken, history.rejected_path) == ({}, None)
    assert not (tmp_path / "broken.csv").exists()


def test_an_unknown_currency_breaks_its_row_alone(tmp_path: Path) -> None:
    text = "ID,T,A,CUR\n1,2026-01-01,1,EUR\n2,2026-01-01,1,QQQ\n"
    history = read(tmp_path, text, "id=ID", "time=T", "amount=A", "currency=CUR")

    assert history.broken == {"a currency that is not known": 1}


def test_what_the_file_lacks_stays_missing(tmp_path: Path) -> None:
    frame = read(tmp_path, "ID,T,A,C,Y\n1,2026-01-01,5,,\n").frame

    assert frame.select("card", "device", "label", "label_at_us", "item_count").row(0) == (None,) * 5


def test_a_missing_column_is_named_beside_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"no column Y \(label\); its columns are ID, T, A, C"):
        read(tmp_path, "ID,T,A,C\n1,2026-01-01,5,c\n")


def test_a_mapped_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"more than one column A \(amount\): rename all but one"):
        read(tmp_path, "ID,T,A,C,Y,A,X,X\n1,2026-01-01,1,c,0,2,x,x\n")


def test_a_field_that_is_mapped_twice_is_refused() -> None:
    with pytest.raises(MappingError, match="amount is mapped twice, to A and B"):
        mapping_of(["id=ID", "time=T", "amount=A", "amount=B"])


def test_parquet_is_read_with_its_own_types(tmp_path: Path) -> None:
    table = pl.DataFrame({"ID": [7], "T": [1_767_225_600], "A": [12.3], "C": [4], "Y": [True]})
    table = table.with_columns(T=pl.from_epoch("T"))
    table.write_parquet(tmp_path / "file.parquet")
    frame = read_history(tmp_path / "file.parquet", mapping_of(MAP), tmp_path / "broken.csv").frame

    assert frame.select("original_id", "id", "at_us", "amount_minor", "card", "label").row(0) == (
        7,
        "7",
        1_767_225_600_000_000,
        1230,
        "4",
        True,
    )


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02PAR1"])
def test_a_file_that_is_none_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(content)

    with pytest.raises(ReplayError, match="cannot be read"):
        read_history(path, mapping_of(MAP), tmp_path / "broken.csv")


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.xlsx").write_text("x")

    with pytest.raises(ReplayError, match="no file"):
        read_history(tmp_path / "absent.csv", mapping_of(MAP), tmp_path / "b.csv")
    with pytest.raises(ReplayError, match="is a folder: give a file"):
        read_history(tmp_path, mapping_of(MAP), tmp_path / "b.csv")
    with pytest.raises(ReplayError, match="neither"):
        read_history(tmp_path / "file.xlsx", mapping_of(MAP), tmp_path / "b.csv")


def test_the_shipped_mapping_names_the_handbooks_columns() -> None:
    assert mapping_of(["handbook"]).columns["merchant"] == "TERMINAL_ID"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "say which column"),
        (["nothing_like_it"], "neither a file nor a shipped mapping"),
        (["id=A", "time=B"], r"lacks amount \(in major units: 12.34\) or amount_minor"),
        (["id=A", "time=B", "amount=C", "colour=D"], "no field is called 'colour'"),
        (["id=A", "time=B", "amount"], "not of the form"),
        (["id=A", "time=B", "amount=C", "amount_minor=C"], "not both"),
    ],
)
def test_a_mapping_that_does_not_hold_says_what_to_mend(words: list[str], told: str) -> None:
    with pytest.raises(MappingError, match=told):
        mapping_of(words)


def test_durations_are_read_as_people_write_them() -> None:
    assert duration_us("1.5h") == 90 * 60 * 1_000_000
    with pytest.raises(ReplayError):
        duration_us("a week")
