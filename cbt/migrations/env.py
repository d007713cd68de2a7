"""How Alembic reaches our database and tables."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from cbt.db import Base

database = current_app.extensions["migrate"].db
options = current_app.extensions["migrate"].configure_args


def require_whole_references(connection: Connection) -> None:
    """SQLite's batch mode rebuilds tables with foreign keys switched off; so we look afterwards."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise RuntimeError(f"the migration broke references: {broken[:5]}")


with database.engine.connect() as connection:
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:  # dropping a table that others point to would delete or refuse their rows
        connection.connection.execute("PRAGMA foreign_keys = OFF")
    context.configure(connection=connection, target_metadata=Base.metadata, **options)
    with context.begin_transaction():
        context.run_migrations()
        if is_sqlite:
            require_whole_references(connection)
    if is_sqlite:
        connection.connection.execute("PRAGMA foreign_keys = ON")
database.engine.dispose()
