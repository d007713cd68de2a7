"""Triggers that refuse UPDATE, DELETE, REPLACE and TRUNCATE on tables of facts and books.

SQLite's batch mode recreates a table without its triggers, so a migration that alters such a table
calls `protect` again. `refuse_change()` on PostgreSQL is made by migration 0001.
"""

from alembic import op


def protect(*tables: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, 'append-only: {verb} on {table} is refused'); END"
                )
        return
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuses_change")
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuses_truncate")


def unprotect(*tables: str) -> None:
    """Take the triggers away before altering a table, alike on both databases."""
    verbs = (
        ("update", "delete") if op.get_bind().dialect.name == "sqlite" else ("change", "truncate")
    )
    for table in tables:
        for verb in verbs:
            on = "" if op.get_bind().dialect.name == "sqlite" else f" ON {table}"
            op.execute(f"DROP TRIGGER {table}_refuses_{verb}{on}")
