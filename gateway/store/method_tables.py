"""Tables of payment methods: what a returning customer may pay with again, and by which consent."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from gateway.store.tables import metadata

payment_methods = Table(
    "payment_methods",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("merchant_id", String(64), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("type", String(10), nullable=False),
    # Of a card: its token. Of an account: what stands for it, and its handle, sealed.
    Column("token", String(64), index=True),
    Column("surrogate", String(64)),
    Column("surrogate_digest", LargeBinary(32), index=True),
    Column("provider", String(64)),
    Column("last4", String(4)),
    Column("test_risk", String(8)),
    Column("subject", String(64), nullable=False, index=True),
    Column("sealed_handle", LargeBinary),
    Column("customer", String(255)),
    Column("allow_redisplay", String(11), nullable=False),
    Column("metadata_json", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("detached_us", BigInteger),
    Index("ix_payment_methods_newest", "merchant_id", "mode", "customer", "created_us", "id"),
)

consents = Table(
    "consents",
    metadata,
    Column("payment_method", String(64), primary_key=True),
    Column("payment_id", String(64), primary_key=True),
    Column("usage", String(11), nullable=False),
    Column("accepted_us", BigInteger, nullable=False),
    Column("text_version", String(64)),
    Column("sealed_context", LargeBinary),
    # Nobody may rely on it before the payment that it came with went through, nor after it was taken back.
    Column("effective_us", BigInteger),
    Column("revoked_us", BigInteger),
)
