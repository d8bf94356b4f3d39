"""Tables of the money side of an intent: a charge for each attempt."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from gateway.store.tables import metadata

charges = Table(
    "charges",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("payment_id", String(64), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("merchant_id", String(64), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    # Of charges of before there was this column the instrument's token says it.
    Column("payment_method", String(64)),
    # Kept when the next attempt begins; of the latest one the intent has them.
    Column("outcome_json", Text),
    Column("error_json", Text),
    Index("ix_charges_newest", "merchant_id", "mode", "created_us", "id"),
)
