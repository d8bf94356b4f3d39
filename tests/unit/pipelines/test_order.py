"""The order that a flow keeps for good: what is noted comes back, whoever stops it, and wherever."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log.port import Record
from pipelines.errors import StateCorruptError, StateFormatError, StateMismatchError
from pipelines.order import OrderJournal
from pipelines.order_file import Coder, Header, Run, header_frame
from pipelines.share import Share

offsets = st.integers(0, 2**50)
runs = st.builds(
    lambda topic, partition, first, more: Run(topic, partition, first, first + more),
    st.sampled_from(["assessments", "payments", "labels"]),
    st.integers(0, 7),
    offsets,
    st.integers(0, 600),
)


def noted(journal: OrderJournal, after: int = 0) -> list[list[Run]]:
    return [batch.runs for batch in journal.after(after)]


def a_run(number: int) -> list[Run]:
    return [Run("assessments", number % 8, number * 3, number * 3 + 2)]


@given(st.lists(st.lists(runs, max_size=9), max_size=9))
def test_runs_come_back_as_they_were_written(batches: list[list[Run]]) -> None:
    writing, reading = Coder(), Coder()

    assert [reading.decoded(writing.encoded(batch)) for batch in batches] == batches


def test_runs_that_follow_each_other_take_three_bytes(tmp_path: Path) -> None:
    coder = Coder()
    coder.encoded([Run("assessments", 3, 0, 7)])

    assert len(coder.encoded([Run("assessments", 3, 8, 90)])) == 3


def test_what_was_noted_is_there_for_the_next_life_which_goes_on_behind_it(tmp_path: Path) -> None:
    first = OrderJournal(tmp_path / "order")
    for number in range(1, 5):
        first.note(number, a_run(number))
    second = OrderJournal(tmp_path / "order")
    second.note(5, a_run(5))

    assert noted(OrderJournal(tmp_path / "order"), after=2) == [a_run(3), a_run(4), a_run(5)]


@pytest.mark.parametrize("cut", range(1, 15))
def test_what_a_power_loss_tore_at_the_end_is_as_if_it_had_never_been_noted(tmp_path: Path, cut: int) -> None:
    journal = OrderJournal(tmp_path / "order")
    journal.note(1, a_run(1))
    journal.note(2, a_run(2))
    (file,) = (tmp_path / "order").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-cut])

    again = OrderJournal(tmp_path / "order")
    assert noted(again) == [a_run(1)]
    again.note(2, a_run(9))
    assert noted(OrderJournal(tmp_path / "order")) == [a_run(1), a_run(9)]


def test_a_file_of_which_a_crash_left_nothing_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "order").mkdir()
    (tmp_path / "order" / f"{1:015d}.order").touch()

    journal = OrderJournal(tmp_path / "order")
    journal.note(1, a_run(1))

    assert noted(journal) == [a_run(1)]


def test_another_flow_that_goes_on_says_from_where_on_it_is_its_own(tmp_path: Path) -> None:
    OrderJournal(tmp_path / "order").note(1, a_run(1))
    OrderJournal(tmp_path / "order", Share(1, 2)).note(2, a_run(2))

    batches = list(OrderJournal(tmp_path / "order", Share(1, 2)).after(0))
    assert [(batch.number, batch.header.flow, batch.header.flows) for batch in batches] == [
        (1, 0, 1),
        (2, 1, 2),
    ]


def test_records_that_the_log_may_drop_are_kept_with_their_batch(tmp_path: Path) -> None:
    record = Record("models", 0, 7, b"champion@1", b"weights")
    journal = OrderJournal(tmp_path / "order")
    journal.note(1, [Run("models", 0, 7, 7)], [record])
    journal.note(2, a_run(2))

    assert [batch.kept for batch in OrderJournal(tmp_path / "order").after(0)] == [[record], []]


def test_batches_that_a_power_loss_took_are_missed_by_who_needs_them_and_by_nobody_else(
    tmp_path: Path,
) -> None:
    journal = OrderJournal(tmp_path / "order")
    journal.note(1, a_run(1))
    journal.note(4, a_run(4))

    assert noted(journal, after=3) == [a_run(4)]
    with pytest.raises(StateMismatchError, match="order of batch 2 is not kept, the next is 4"):
        noted(journal)


def test_damage_before_the_end_is_refused_by_name(tmp_path: Path) -> None:
    journal = OrderJournal(tmp_path / "order")
    journal.note(1, a_run(1))
    journal.note(3, a_run(3))
    first = min((tmp_path / "order").iterdir())
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)

    with pytest.raises(StateCorruptError, match=rf"{first.name} is damaged.*delete it"):
        noted(OrderJournal(tmp_path / "order"))


def test_an_order_of_another_format_is_refused_with_both_numbers(tmp_path: Path) -> None:
    (tmp_path / "order").mkdir()
    content = header_frame(Header(format=99, number=0, flow=0, flows=1))
    (tmp_path / "order" / f"{1:015d}.order").write_bytes(content)

    with pytest.raises(StateFormatError, match="has format 99, this build reads 1"):
        OrderJournal(tmp_path / "order")
