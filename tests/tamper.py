"""What somebody who owns the database can do: take the triggers away, and write as they please."""

from sqlalchemy import text

from cbt.db import db, transaction


def drop_triggers(*tables: str) -> None:
    """Let rows of some append-only tables be changed."""
    with transaction() as session:
        for table in tables:
            if db.engine.dialect.name == "postgresql":
                session.execute(text(f"DROP TRIGGER {table}_refuses_change ON {table}"))
            else:
                for verb in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER {table}_refuses_{verb}"))


def tamper(*statements: str, **values: object) -> None:
    with transaction() as session:
        for statement in statements:
            session.execute(text(statement), values)
