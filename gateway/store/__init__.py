"""The operational store: SQLAlchemy Core, Alembic migrations, one writer with group commit."""
