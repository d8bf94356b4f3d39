"""Several API processes on one store: each drives its own attempts, and those of one that is gone.

An instance is one life of one process. It owns the attempts that were confirmed with it and keeps its own
place in the decisions. On a store of one process whoever starts has them all; on a shared one, at once what a
process of the same name had before (its supervisor starts it again only when it is dead), and what another
had once it has given no sign of life for a while. Clocks are never compared: a sign of life is a number that
grows, and who watches counts the looks at which it has not.
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.errors import LogUnavailableError
from events.ids import Entropy, resource_id
from events.log.port import Log, TopicPartition
from gateway.errors import UnavailableError
from gateway.scheduling import Scheduling
from gateway.store import instance_rows
from gateway.store.writer import Store

declare(
    {
        "gateway.instance.joined": "an instance is durable, and so is what it takes over; nothing is driven",
        "gateway.instance.beat": "a sign of life is durable",
        "gateway.instance.inherited": "what a silent instance had is its heir's, who has not begun with it",
    }
)

TOPIC = "decisions"
BEAT_SECONDS = 2.0
LOOKS_MAX = 5
"""At so many looks, one a beat, an instance may be silent before another takes over what it has."""

Changing = Callable[[Callable[[Connection], bool]], Awaitable[bool]]
"""Runs a write that may move kept positions back, and reads from there again where it says True."""


class InstanceLostError(Exception):
    """Others thought this process dead and have taken over what it had: it must not go on."""


class TakenOverError(Exception):
    """Another instance drives this attempt on: this one must not end it."""


class Watch:
    """Which instances are silent, by the looks at which their count of beats has not grown."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self, beats: Mapping[str, int]) -> dict[str, int]:
        """Take a look at all others; gives those that are silent, with their beats.

        >>> watch = Watch()
        >>> [watch.look({"a": 1, "b": beat}) for beat in range(LOOKS_MAX + 1)][-1]
        {'a': 1}
        """
        before, self._seen = self._seen, {}
        for instance, count in beats.items():
            known, looks = before.get(instance, (count, 0))
            self._seen[instance] = (count, looks + 1 if count == known and instance in before else 0)
        return {instance: count for instance, (count, looks) in self._seen.items() if looks >= LOOKS_MAX}


class Instances:
    """This process among those on its store."""

    def __init__(
        self, *, store: Store, log: Log, entropy: Entropy, scheduling: Scheduling, name: str
    ) -> None:
        self._store = store
        self._log = log
        self._scheduling = scheduling
        self._name = name
        self._watch = Watch()
        self._logger = structlog.get_logger("gateway.instances")
        self.own = resource_id("in", entropy)

    async def join(self) -> None:
        """Be there, and take over what earlier lives of this process left; raises `UnavailableError`."""
        ends = await self._scheduling.run_blocking("decisions", self._ends)
        await self._store.write(lambda connection: self._join_in(connection, ends))
        crash_point("gateway.instance.joined")

    async def run(self, changing: Changing, inherited: Callable[[], Awaitable[None]]) -> None:
        """Give signs of life and watch for those of others, until canceled.

        Calls `inherited` when another's attempts have become this instance's; raises `InstanceLostError`.
        """
        while True:
            await self._scheduling.sleep(BEAT_SECONDS)
            try:
                others = await self._store.write(self._beat_in)
                crash_point("gateway.instance.beat")
                silent = self._watch.look(others)
                if silent and await changing(lambda c, silent=silent: self._inherit_in(c, silent)):  # type: ignore[misc]  # bound now
                    crash_point("gateway.instance.inherited")
                    self._logger.warning("took over what a silent instance had", instances=sorted(silent))
                    await inherited()
            except UnavailableError as error:
                self._logger.warning("no sign of life can be given", error=type(error).__name__)

    def _ends(self) -> dict[TopicPartition, int]:
        # Read before it joins: what waits for this instance is confirmed, and so decided, afterwards.
        try:
            return {TopicPartition(TOPIC, number): end for number, end in enumerate(self._log.ends(TOPIC))}
        except LogUnavailableError:
            return {}

    def _join_in(self, connection: Connection, ends: Mapping[TopicPartition, int]) -> None:
        gone = instance_rows.named(connection, self._name if self._store.is_shared else None)
        is_first = not instance_rows.named(connection, None)
        instance_rows.add_instance(connection, self.own, self._name)
        # Where anything is taken over, a place that nobody kept is the topic's beginning.
        firsts = {} if gone or is_first else ends
        instance_rows.inherit(connection, {*gone, instance_rows.NOBODY}, self.own, firsts)

    def _beat_in(self, connection: Connection) -> dict[str, int]:
        if not instance_rows.beat(connection, self.own):
            raise InstanceLostError
        return instance_rows.beats_of_others(connection, self.own)

    def _inherit_in(self, connection: Connection, silent: Mapping[str, int]) -> bool:
        gone = instance_rows.remove_if_silent(connection, silent)
        instance_rows.inherit(connection, gone, self.own, {})
        return bool(gone)
