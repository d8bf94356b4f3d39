"""API processes as rows: who is there, whose each unfinished attempt is, and what who is gone leaves.

An instance is one life of one process. Functions take the connection that the store gives its works.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, func, insert, select, update

from events.log.port import TopicPartition
from gateway.payments.steps import UNFINISHED
from gateway.store.position_rows import save_positions
from gateway.store.process_tables import instances, positions
from gateway.store.tables import attempts

NOBODY = ""
"""Who owned what was made before there were instances."""


def add_instance(connection: Connection, instance: str, name: str) -> None:
    """Keep a new instance."""
    connection.execute(insert(instances), {"id": instance, "name": name, "beats": 0})


def beat(connection: Connection, instance: str) -> bool:
    """Count one more sign of life; False where others have taken over what the instance had."""
    own = update(instances).where(instances.c.id == instance).values(beats=instances.c.beats + 1)
    return connection.execute(own).rowcount == 1


def beats_of_others(connection: Connection, instance: str) -> dict[str, int]:
    """Every other instance, and its signs of life so far."""
    found = connection.execute(select(instances.c.id, instances.c.beats).where(instances.c.id != instance))
    return {row.id: row.beats for row in found}


def named(connection: Connection, name: str | None) -> set[str]:
    """The instances of this name; all for None."""
    query = select(instances.c.id)
    found = connection.execute(query if name is None else query.where(instances.c.name == name))
    return set(found.scalars())


def is_there(connection: Connection, instance: str) -> bool:
    """Whether the instance is known, and so perhaps alive."""
    return connection.execute(select(instances.c.id).where(instances.c.id == instance)).first() is not None


def remove_if_silent(connection: Connection, silent: Mapping[str, int]) -> set[str]:
    """Remove instances that have given no sign of life since these were counted; gives those removed."""
    return {
        instance
        for instance, beats in silent.items()
        if connection.execute(
            delete(instances).where(instances.c.id == instance, instances.c.beats == beats)
        ).rowcount
    }


def inherit(
    connection: Connection, gone: Collection[str], heir: str, firsts: Mapping[TopicPartition, int]
) -> None:
    """Give an instance what others leave: their attempts, and the decisions that they had yet to deal with.

    `firsts` are the places to read from where none of them kept one.
    """
    connection.execute(delete(instances).where(instances.c.id.in_(gone)))
    # Also of those who went before: what one of them had authorized may owe something only since then.
    there = select(instances.c.id)
    theirs = update(attempts).where(attempts.c.owner.not_in(there), attempts.c.phase.in_(UNFINISHED))
    connection.execute(theirs.values(owner=heir))
    left = select(positions.c.topic, positions.c.partition, func.min(positions.c.next_offset))
    left = left.where(positions.c.instance.in_([*gone, heir])).group_by(
        positions.c.topic, positions.c.partition
    )
    lowest = {TopicPartition(topic, number): offset for topic, number, offset in connection.execute(left)}
    save_positions(connection, heir, {**firsts, **lowest})
    connection.execute(delete(positions).where(positions.c.instance.in_(gone)))
