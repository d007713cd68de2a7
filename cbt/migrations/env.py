"""How Alembic reaches our database and tables."""

from alembic import context
from flask import current_app

from cbt.db import Base

database = current_app.extensions["migrate"].db
options = current_app.extensions["migrate"].configure_args

with database.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, **options)
    with context.begin_transaction():
        context.run_migrations()
database.engine.dispose()
