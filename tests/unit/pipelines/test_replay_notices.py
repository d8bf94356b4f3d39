"""What the command says of a file, and which files it does not write."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from models.learning import Schedule
from models.windows import DAY_US
from pipelines.commands import app
from pipelines.errors import MappingError, ReplayError
from pipelines.replay.command import ReplayOptions, replay
from pipelines.replay.direct import DirectRun, Progress
from pipelines.replay.file import read_history
from pipelines.replay.mapping import mapping_of
from pipelines.replay.progress import run_watched
from pipelines.replay.report import figures_line
from pipelines.replay.source import Outcomes, ReplaySettings, ReplaySource

MAP = ("id=ID", "time=T", "amount=A", "card=C", "label=Y")
GOOD = "{},2026-01-{:02},5.00,c{},{}\n"


def history(tmp_path: Path, bad: str = "", days: int = 3) -> Path:
    path = tmp_path / "history.csv"
    rows = "".join(GOOD.format(f"t{n}", 1 + n % days, n % 5, int(n % 7 == 0)) for n in range(30))
    path.write_text("ID,T,A,C,Y\n" + rows + bad)
    return path


def printed(path: Path, **options: object) -> str:
    screen = Console(record=True, width=220, file=io.StringIO())
    replay(ReplayOptions(file=path, map_words=MAP, **options), screen)  # type: ignore[arg-type] # any of them
    return screen.export_text()


@pytest.mark.parametrize("option", ["out", "rejected"])
@pytest.mark.parametrize("linked", [False, True])
def test_the_history_is_never_written_over(tmp_path: Path, option: str, linked: bool) -> None:
    path = history(tmp_path)
    before, other = path.read_bytes(), path
    if linked:
        other = tmp_path / "link.csv"
        other.symlink_to(path)

    with pytest.raises(ReplayError, match=f"--{option} .* would overwrite a file that is read"):
        printed(path, **{option: other})
    assert path.read_bytes() == before


def test_a_mapping_is_never_written_over(tmp_path: Path) -> None:
    path, mapping = history(tmp_path), tmp_path / "map.csv"
    mapping.write_text('id = "ID"\ntime = "T"\namount = "A"\n')

    with pytest.raises(ReplayError, match="would overwrite"):
        replay(ReplayOptions(file=path, map_words=[str(mapping)], out=mapping), Console(file=io.StringIO()))


def test_broken_rows_and_results_do_not_go_to_one_file(tmp_path: Path) -> None:
    path = history(tmp_path)

    with pytest.raises(ReplayError, match="where broken rows go"):
        printed(path, out=tmp_path / "history.csv.rejected.csv")


@pytest.mark.parametrize("option", ["out", "rejected"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path, option: str) -> None:
    with pytest.raises(ReplayError, match=f"--{option} .*nodir/x.csv cannot be written: No such file"):
        printed(tmp_path / "absent.csv", **{option: tmp_path / "nodir" / "x.csv"})


def test_looking_whether_a_file_can_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")

    for out in (kept, tmp_path / "new.csv"):
        with pytest.raises(ReplayError, match="no file"):
            printed(tmp_path / "absent.csv", out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.csv"]
    assert kept.read_text() == "mine"


def test_broken_rows_that_cannot_be_written_are_told_in_words(tmp_path: Path) -> None:
    path = history(tmp_path, "bad,never,5,c,0\n")
    (tmp_path / "history.csv.rejected.csv").mkdir()

    with pytest.raises(ReplayError, match="name another file with --rejected"):
        printed(path)


def test_reasons_are_told_with_the_first_value_and_what_can_be_done(tmp_path: Path) -> None:
    text = printed(history(tmp_path, "b1,31/01/2026,5,c,0\nb2,2026-01-01,much,c,0\nb3,2026-01-01,more,c,0\n"))

    assert "3 rows left out" in text
    assert "(row 1 is the first below the header)" in text
    assert "1 × a time that cannot be read; first in row 31: '31/01/2026'" in text
    assert "--time-format '%d/%m/%Y'" in text
    assert "2 × an amount that is not a number; first in row 32: 'much'" in text


def test_the_form_that_was_given_is_not_proposed_again(tmp_path: Path) -> None:
    path = history(tmp_path, "b1,31.02.2026,5,c,0\n")

    assert "--time-format" not in printed(path, time_format="%d.%m.%Y")
    assert "--time-format '%d.%m.%Y'" in printed(path, time_format="%d.%m.%y")


def test_forms_of_times_are_listed_where_none_can_be_proposed(tmp_path: Path) -> None:
    text = printed(history(tmp_path, "b1,yesterday,5,c,0\n"))

    assert "1 row left out" in text
    assert "seconds since 1970; other forms with --time-format" in text


def test_no_card_number_is_quoted(tmp_path: Path) -> None:
    text = printed(history(tmp_path, "b1,4242 4242 4242 4242,5,c,0\n"))

    assert "4242" not in text
    assert "not shown" in text


def test_a_file_of_which_much_was_left_out_has_a_warning(tmp_path: Path) -> None:
    bad = "".join(f"b{n},never,5,c,0\n" for n in range(10))

    assert "warning    25.0% of the file, 10 rows, was left out" in printed(history(tmp_path, bad))
    assert "warning" not in printed(history(tmp_path, "b,never,5,c,0\n"))


def test_labels_that_are_none_are_told_with_the_words_that_are(tmp_path: Path) -> None:
    text = printed(history(tmp_path, "b1,2026-01-02,5,c,ja\nb2,2026-01-02,5,c,nein\nb3,2026-01-02,5,c,\n"))

    assert "2 × the label is neither yes nor no; first in row 31: 'ja'" in text
    assert (
        "yes is 1, 1.0, true, t, yes, y or fraud; no is 0, 0.0, false, f, no, n or genuine; empty means not "
        "labeled" in text
    )


@pytest.mark.parametrize(("lost", "status"), [(30, 0), (31, 2)])
def test_a_file_that_was_mostly_left_out_is_scored_and_fails(tmp_path: Path, lost: int, status: int) -> None:
    path = history(tmp_path, "".join(f"b{n},2026-01-02,5,c,ja\n" for n in range(lost)))
    out = tmp_path / "out.csv"

    told = CliRunner().invoke(app, ["replay", str(path), "--out", str(out), "--map", *MAP])

    assert told.exit_code == status
    assert ("most of the file was left out" in told.stderr) == bool(status)
    assert len(out.read_text().splitlines()) == 31


def test_what_was_found_out_of_a_file_is_told(tmp_path: Path) -> None:
    path = history(tmp_path)
    path.write_text(path.read_text().replace(",", ";").replace(".00", ",00"))

    assert "separated by semicolons, amounts with a decimal comma" in printed(path)


def test_amounts_that_were_rounded_and_amounts_of_nothing_are_told(tmp_path: Path) -> None:
    odd = "r1,2026-01-03,5.005,c,0\nr1,2026-01-03,5.009,c,0\nr2,2026-01-03,9.999,c,0\nz1,2026-01-03,0,c,0\n"
    text, plain = printed(history(tmp_path, odd)), printed(history(tmp_path))

    assert "amounts    2 have more decimals than the currency: rounded to its minor unit" in text
    assert "amounts    1 row of 0: scored as they are" in text
    assert "amounts    " not in plain


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("USD", "by amount  of several currencies: summed in EUR, each amount at the rate of its day"),
        ("SEK", "by amount  no figure: amounts of several currencies have no sum where not each has a rate"),
    ],
)
def test_it_is_said_how_amounts_of_several_currencies_are_summed_if_at_all(
    tmp_path: Path, other: str, said: str
) -> None:
    path = history(tmp_path)
    lines = path.read_text().splitlines()
    text = [lines[0] + ",CUR"] + [
        f"{line},{('eur', other)[number % 2]}" for number, line in enumerate(lines[1:])
    ]
    path.write_text("\n".join(text) + "\n")
    screen = Console(record=True, width=220, file=io.StringIO())
    replay(ReplayOptions(file=path, map_words=[*MAP, "currency=CUR"]), screen)

    assert said in screen.export_text()
    assert "by amount  " not in printed(history(tmp_path))


def test_a_currency_that_there_is_not_is_refused_by_its_option(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="--currency: no currency is called 'euro'"):
        printed(history(tmp_path), currency="euro")
    assert "taken as EUR" not in printed(history(tmp_path), currency="usd")


def test_figures_of_a_model_that_learned_nothing_say_so(tmp_path: Path) -> None:
    text = printed(history(tmp_path))

    assert "no label arrived within this file: the figures are of an untrained model" in text
    assert "handbook" not in text
    assert "untrained" not in printed(history(tmp_path, days=20), label_delay="1d")


def test_figures_that_begin_before_the_first_label_say_until_when() -> None:
    line = figures_line(first_day=10, first_label_us=12 * DAY_US + 5, day_given=True)

    assert "no label arrived before 1970-01-13: until then they are of an untrained model" in line


def test_verdicts_that_never_come_are_told_with_the_reason(tmp_path: Path) -> None:
    assert "none: they begin after 30 days, and the file has 27 days" in printed(
        history(tmp_path, days=27), verdicts=5
    )
    long = history(tmp_path, "late,2026-03-01,5.00,c,0\n")
    assert "verdicts" not in printed(long, verdicts=5)
    screen = Console(record=True, width=220, file=io.StringIO())
    replay(ReplayOptions(file=long, map_words=MAP[:3], verdicts=5), screen)
    assert "verdicts   none: the file has no card and no label" in screen.export_text()


class Interrupted(DirectRun):
    """A run that is stopped (Ctrl-C) after its first segment."""

    def run(self, progress: Progress) -> Outcomes:
        def stop(count: int) -> None:
            progress(count)
            raise KeyboardInterrupt

        return super().run(stop)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_replay_that_is_stopped_says_how_far_it_came(tmp_path: Path, terminal: bool) -> None:
    frame = read_history(history(tmp_path), mapping_of(MAP), tmp_path / "rejected.csv").frame
    settings = ReplaySettings(cut_us=DAY_US, label_delay_us=DAY_US, horizon_us=30 * DAY_US)
    screen = Console(record=True, width=220, file=io.StringIO(), force_terminal=terminal)

    with pytest.raises(KeyboardInterrupt):
        run_watched(Interrupted(ReplaySource(frame, settings), Schedule()), frame.height, screen)

    assert "Stopped after 10 of 30 rows; no result was written." in screen.export_text()


def test_a_flow_tells_no_cpu_that_it_did_not_measure(tmp_path: Path) -> None:
    path = history(tmp_path)
    shutil.copy(path, tmp_path / "again.csv")

    assert "CPU-seconds" in printed(path)
    assert "CPU-seconds" not in printed(tmp_path / "again.csv", engine="flow")


@pytest.mark.parametrize(
    ("files", "told"), [(["a.csv", "b.csv"], "not 2 (a.csv, b.csv)"), ([], "and none is given")]
)
def test_one_file_is_asked_for_by_what_was_given(files: list[str], told: str) -> None:
    words = ["replay", *files, "--map", "id=ID", "time=T", "amount=A"]
    result = CliRunner().invoke(app, words, standalone_mode=False)

    assert told in str(result.exception)
