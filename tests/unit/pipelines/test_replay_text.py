"""Delimited text: separators and decimal signs are found out; what cannot be read is told with its place."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import ReplayError
from pipelines.replay.amounts import has_decimal_comma
from pipelines.replay.file import History, read_history
from pipelines.replay.mapping import mapping_of

COMMAS = ["ID,T,A,CUR,SHOP", "1,2026-01-01,12.50,EUR,Corner", "2,2026-01-02,3,EUR,Market"]


def read(tmp_path: Path, content: bytes, name: str = "file.csv") -> History:
    path = tmp_path / name
    path.write_bytes(content)
    words = ("id=ID", "time=T", "amount=A", "currency=CUR", "merchant=SHOP")
    return read_history(path, mapping_of(words), tmp_path / "broken.csv")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["file.csv", "file.tsv"])
def test_the_separator_is_found_in_the_header(tmp_path: Path, mark: str, name: str) -> None:
    usual = "," if name.endswith(".csv") else "\t"
    history = read(tmp_path, "\r\n".join(COMMAS).replace(",", mark).encode(), name)

    assert history.frame.select("id", "amount_minor", "merchant").rows() == [
        ("1", 1250, "Corner"),
        ("2", 300, "Market"),
    ]
    assert history.separator == (None if mark == usual else mark)


def test_another_sign_in_the_name_of_a_column_is_no_separator(tmp_path: Path) -> None:
    history = read(tmp_path, b"ID,T,A,CUR,SHOP,x;y;z;u;v;w;t\n1,2026-01-01,12.50,EUR,Corner,n\n")

    assert (history.separator, history.frame.height) == (None, 1)


def test_a_mark_of_byte_order_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff".encode() + "\n".join(COMMAS).encode()).frame.height == 2


def test_quoted_values_hold_separators_quotation_marks_and_line_ends(tmp_path: Path) -> None:
    row = b'1,2026-01-01,"12.50",EUR,"The ""old"" shop, Main\nStreet"\n'
    frame = read(tmp_path, b'"ID","T","A","CUR","SHOP"\n' + row).frame

    assert frame["merchant"].to_list() == ['The "old" shop, Main\nStreet']


def test_decimal_commas_are_read_with_their_thousands(tmp_path: Path) -> None:
    amounts = ("12,50", "1.234,50", "1 234,50", "7", "1.234", "12.5")
    rows = "".join(f"{number};2026-01-01;{amount};EUR;s\n" for number, amount in enumerate(amounts))
    history = read(tmp_path, ("ID;T;A;CUR;SHOP\n" + rows).encode())

    assert history.decimal_comma
    assert history.frame["amount_minor"].to_list() == [1_250, 123_450, 123_450, 700, 123_400]
    assert history.broken == {"an amount that is not a number": 1}


@pytest.mark.parametrize(
    ("amounts", "comma"),
    [
        (["12,50"], True),
        (["12.50"], False),
        (["12.50", "13.50", "14,50"], False),
        (["12,50", "13,50", "14.50"], True),
        (["1,234", "1.234", "5"], False),
        (["1,234.50", "2,345.60"], False),
        (["1.234,50"], True),
        (["", "n/a"], False),
    ],
)
def test_the_decimal_sign_is_the_one_that_most_amounts_surely_have(amounts: list[str], comma: bool) -> None:
    assert has_decimal_comma(pl.Series(amounts)) == comma


@pytest.mark.parametrize(
    "row",
    [
        '2,2026-01-01,5,EUR,"shop',
        '2,2026-01-01,5,EUR,"sh"op',
    ],
)
def test_a_stray_quotation_mark_is_told_with_its_row(tmp_path: Path, row: str) -> None:
    good = "1,2026-01-01,5,EUR,s"
    text = "\n".join(["ID,T,A,CUR,SHOP", good, row, *[good] * 60])

    with pytest.raises(ReplayError, match=r"in row 2 below the header \(line 3\) a quotation mark"):
        read(tmp_path, text.encode())


def test_a_quotation_mark_that_another_one_closes_much_later_does_not_swallow_rows(tmp_path: Path) -> None:
    good = "1,2026-01-01,5,EUR,s"
    text = "\n".join([COMMAS[0], '2,2026-01-01,5,EUR,"s', *[good] * 60, '3,2026-01-01,5,EUR,s"', good])

    with pytest.raises(ReplayError, match="in row 1 "):
        read(tmp_path, text.encode())


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_text_that_is_not_utf8_is_refused_with_the_way_to_convert_it(tmp_path: Path, encoding: str) -> None:
    text = "\n".join([*COMMAS, "3,2026-01-01,5,EUR,Café"])

    with pytest.raises(ReplayError, match=rf"(?i)is not UTF-8 \(first in line \d\).* iconv -f {encoding} "):
        read(tmp_path, text.encode(encoding))


@pytest.mark.parametrize(("content", "told"), [(b"", "is empty"), (b"ID,T,A,CUR,SHOP\n", "holds no rows")])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(ReplayError, match=told):
        read(tmp_path, content)
