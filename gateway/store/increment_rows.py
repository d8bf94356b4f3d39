"""Increments that an issuer refused, as rows: each repetition of a request is told its own one's end."""

from sqlalchemy import Connection, insert, select

from gateway.store.tables import refused_increments as table


def insert_refusal(connection: Connection, attempt_id: str, number: int, decline_code: str) -> None:
    """Keep why the attempt's increment of this number was refused."""
    row = {"attempt_id": attempt_id, "number": number, "decline_code": decline_code}
    connection.execute(insert(table), row)


def refusal_of(connection: Connection, attempt_id: str, number: int) -> str | None:
    """The decline code of the attempt's increment of this number, None where it was not refused."""
    query = select(table.c.decline_code).where(table.c.attempt_id == attempt_id, table.c.number == number)
    return connection.execute(query).scalar_one_or_none()
