"""Group commit: what waits together is committed together, within a bound; a failure stays with its own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.group_commit import GROUP_MAX, GroupCommit
from gateway.scheduling import InlineScheduling


class Commits:
    """Runs the works of a group on a list, and remembers the sizes of the groups."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.sizes: list[int] = []
        self.together: GroupCommit[list[int]] = GroupCommit(InlineScheduling(), "writes", self._commit)

    def _commit(self, works: list[Callable[[list[int]], Any]]) -> list[Any]:
        self.sizes.append(len(works))
        return [work(self.kept) for work in works]


def test_works_that_wait_share_commits_of_a_bounded_size_in_the_order_asked() -> None:
    async def story() -> Commits:
        commits = Commits()
        count = 2 * GROUP_MAX + 1
        await asyncio.gather(*(commits.together.run(lambda kept, n=n: kept.append(n)) for n in range(count)))
        return commits

    commits = asyncio.run(story())

    assert commits.sizes == [GROUP_MAX, GROUP_MAX, 1]
    assert commits.kept == list(range(2 * GROUP_MAX + 1))


def test_a_commit_that_fails_fails_its_group_and_the_next_one_is_tried() -> None:
    def failing(_kept: list[int]) -> None:
        raise OSError("no disk")

    async def story() -> Commits:
        commits = Commits()
        answers = await asyncio.gather(
            commits.together.run(lambda kept: kept.append(1)),
            commits.together.run(failing),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [OSError, OSError]
        await commits.together.run(lambda kept: kept.append(2))
        return commits

    assert asyncio.run(story()).sizes == [2, 1]


def test_who_gave_up_waiting_takes_no_other_with_it() -> None:
    async def story() -> None:
        commits = Commits()
        given_up = asyncio.ensure_future(commits.together.run(len))
        waiting = asyncio.ensure_future(commits.together.run(len))
        await asyncio.sleep(0)
        given_up.cancel()

        assert await asyncio.wait_for(waiting, 60) == 0
        with pytest.raises(asyncio.CancelledError):
            await given_up

    asyncio.run(story())
