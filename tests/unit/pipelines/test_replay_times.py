"""Times as people write them: what is read, what must be asked for, and what is said of the rest."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import MappingError
from pipelines.replay.file import History, read_history
from pipelines.replay.mapping import Mapping, mapping_of
from pipelines.replay.times import check_format, hint

SECONDS = 1_767_254_880
AT_US = SECONDS * 1_000_000
MORNING = datetime.fromtimestamp(SECONDS, UTC)


def read(tmp_path: Path, time: str, form: str | None = None) -> History:
    (tmp_path / "file.csv").write_text(f'ID,T,A\n1,"{time}",5\n')
    mapping = Mapping(columns={"id": "ID", "time": "T", "amount": "A"}, time_format=form)
    return read_history(tmp_path / "file.csv", mapping, tmp_path / "broken.csv")


@pytest.mark.parametrize(
    ("time", "form"),
    [
        ("01/01/2026 08:08", "%d/%m/%Y %H:%M"),
        ("01/01/2026 08:08 AM", "%m/%d/%Y %I:%M %p"),
        ("Jan 01 2026 08:08", "%b %d %Y %H:%M"),
        ("01/01/2026 13:38 +0530", "%d/%m/%Y %H:%M %z"),
        (f"{SECONDS}000", "milliseconds"),
        (f"{SECONDS}000000", "microseconds"),
        (str(SECONDS), "seconds"),
        ("2026-01-01T08:08:00Z", "%d/%m/%Y"),
    ],
)
def test_other_forms_are_read_where_they_are_asked_for(tmp_path: Path, time: str, form: str) -> None:
    assert read(tmp_path, time, form).frame["at_us"].to_list() == [AT_US]


@pytest.mark.parametrize("time", ["01/02/2026", "01/02/2026 08:08 AM", "Jan 01 2026"])
def test_nothing_guesses_whether_the_day_or_the_month_comes_first(tmp_path: Path, time: str) -> None:
    history = read(tmp_path, time)

    assert history.frame.height == 0
    assert history.broken == {"a time that cannot be read": 1}


def test_with_a_form_no_number_counts_seconds(tmp_path: Path) -> None:
    assert read(tmp_path, "20260", "%Y%m%d").frame.height == 0


@pytest.mark.parametrize(
    ("time", "form", "lacks"),
    [
        ("2026-01-01 08:08:00", None, True),
        ("2026-01-01", None, True),
        ("2026-01-01T08:08:00Z", None, False),
        (str(SECONDS), None, False),
        ("01/01/2026 08:08", "%d/%m/%Y %H:%M", True),
        ("01/01/2026 08:08 +0000", "%d/%m/%Y %H:%M %z", False),
    ],
)
def test_it_is_known_whether_times_lack_a_zone(
    tmp_path: Path, time: str, form: str | None, lacks: bool
) -> None:
    assert read(tmp_path, time, form).lacks_zone == lacks


@pytest.mark.parametrize(("zone", "lacks"), [(None, True), ("UTC", False)])
def test_it_is_known_of_parquet_whether_times_lack_a_zone(
    tmp_path: Path, zone: str | None, lacks: bool
) -> None:
    at = pl.Series([MORNING]).dt.convert_time_zone("UTC").dt.replace_time_zone(zone)
    pl.DataFrame({"ID": ["1"], "T": at, "A": [5.0]}).write_parquet(tmp_path / "file.parquet")
    mapping = mapping_of(("id=ID", "time=T", "amount=A"))
    history = read_history(tmp_path / "file.parquet", mapping, tmp_path / "broken.csv")

    assert (history.lacks_zone, history.frame["at_us"].to_list()) == (lacks, [AT_US])


@pytest.mark.parametrize("form", ["%H:%M", "dd/mm/yyyy", "%q", "minutes", "%Y-%m"])
def test_a_form_that_tells_no_day_is_refused(form: str) -> None:
    with pytest.raises(MappingError, match="is no form of times"):
        check_format(form)


def test_a_mapping_keeps_its_form(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('id = "ID"\ntime = "T"\namount = "A"\ntime_format = "%d/%m/%Y"\n')

    assert mapping_of([str(path)]).time_format == "%d/%m/%Y"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1767254880000", "--time-format milliseconds"),
        ("1767254880000000", "--time-format microseconds"),
        ("31/01/2026", "--time-format '%d/%m/%Y'"),
        ("01/31/2026 08:08 AM", "--time-format '%m/%d/%Y %I:%M %p'"),
        ("31.01.2026 08:08:09", "--time-format '%d.%m.%Y %H:%M:%S'"),
        ("01/02/2026", "'%d/%m/%Y' if the day comes first, '%m/%d/%Y' if the month does"),
        ("yesterday", ""),
    ],
)
def test_a_time_that_cannot_be_read_says_how_it_could(value: str, told: str) -> None:
    assert told in hint(value)
    assert bool(hint(value)) == bool(told)


@pytest.mark.parametrize("value", ["31/01/2026", "01/31/2026 08:08 AM", "31.01.2026 08:08:09"])
def test_the_form_that_is_proposed_reads_the_value(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, value, hint(value).split("'")[1]).frame.height == 1
