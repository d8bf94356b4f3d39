"""Counters of days long past are forgotten, those to which anything may still come are kept."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Connection, select

from events.vocabulary import Mode
from gateway.business_time import BusinessTime
from gateway.payments.daily_pruning import DAYS_KEPT, DailyPruning
from gateway.store.daily_rows import add_to_day, day_of, forget_days
from gateway.store.tables import daily_totals
from tests.gateway_world import World, live_through

MODES: tuple[Mode, ...] = get_args(Mode)


def count_in(connection: Connection, days: Sequence[int]) -> None:
    for day in days:
        for mode in MODES:
            add_to_day(connection, "m", mode, "EUR", day, amount_minor=1, limit_minor=100)


async def counted(world: World) -> list[int]:
    """The days that are counted, the live ones first."""
    days = select(daily_totals.c.day).order_by(daily_totals.c.mode, daily_totals.c.day)
    return list(await world.store.read(lambda c: c.execute(days).scalars().all()))


@pytest.mark.both_stores
def test_days_long_past_are_forgotten_some_at_a_time(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        today = day_of(world.clock.now())
        days = (today, today - DAYS_KEPT, *range(today - DAYS_KEPT - 4, today - DAYS_KEPT))

        def forget_in(connection: Connection) -> list[int]:
            count_in(connection, days)
            # In one commit, since the gateway forgets on its own, too.
            return [forget_days(connection, "live", today - DAYS_KEPT, 3) for _ in range(3)]

        assert await world.store.write(forget_in) == [3, 1, 0]
        await world.store.write(lambda c: count_in(c, days[2:]))
        pruning = DailyPruning(world.store, world.clock, BusinessTime(world.clock), world.scheduling)
        assert not await pruning.prune()
        assert await counted(world) == [today - DAYS_KEPT, today] * 2

    live_through(tmp_path, story)


def test_days_of_test_mode_are_kept_as_long_as_its_time_has_not_left_them_behind(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        now, time = world.clock.now(), BusinessTime(world.clock)
        shop_at = now - timedelta(days=100)
        pruning = DailyPruning(world.store, world.clock, time, world.scheduling)
        await world.gateway.stop()
        await world.store.write(lambda c: count_in(c, [day_of(shop_at)]))

        time.follow(shop_at)
        await pruning.prune()
        assert await counted(world) == [day_of(shop_at)]

        time.follow(now + timedelta(days=100))
        await world.store.write(lambda c: count_in(c, [day_of(now)]))
        await pruning.prune()
        assert await counted(world) == [day_of(now)] * 2

    live_through(tmp_path, story)


def test_a_look_for_old_days_reads_their_index_and_no_whole_table(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        asked: list[str] = []

        def plan(connection: Connection) -> list[str]:
            database = connection.connection.driver_connection
            database.set_trace_callback(asked.append)
            forget_days(connection, "live", 1, 3)
            database.set_trace_callback(None)
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1]}")]

        [step] = await world.store.write(plan)

        assert "INDEX ix_daily_totals_day" in step

    live_through(tmp_path, story)
