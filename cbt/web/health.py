"""Whether the service lives and is ready, for those who watch over it."""

from datetime import timedelta

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import LedgerUnprotected
from cbt.ledger.selftest import require_protected_books
from cbt.pulse import last_beat
from cbt.web.access import public

WORKER = "worker"
_SILENT_AFTER = timedelta(minutes=2)


def init_health(app: Flask) -> None:
    app.before_request(_serve_only_protected_books)

    @app.get("/healthz")
    @public
    def healthz() -> ResponseReturnValue:
        return jsonify(alive=True)

    @app.get("/readyz")
    @public
    def readyz() -> ResponseReturnValue:
        checks = {
            "database": _database_answers(),
            "migrations": _migrations_applied(),
            "worker": _worker_is_alive(),
        }
        return jsonify(ready=all(checks.values()), **checks), 200 if all(checks.values()) else 503


def _serve_only_protected_books() -> None:
    """Before the first answer of this process: refuse to serve if an entry could be changed."""
    if "books_are_protected" not in current_app.extensions and _migrations_applied():
        try:
            require_protected_books()
        except LedgerUnprotected:
            current_app.logger.critical("the books are not protected; refusing to serve")
            raise
        current_app.extensions["books_are_protected"] = True


def _database_answers() -> bool:
    try:
        db.session.connection()
    except SQLAlchemyError:
        return False
    return True


def _migrations_applied() -> bool:
    scripts = ScriptDirectory(current_app.root_path + "/migrations")
    try:
        context = MigrationContext.configure(db.session.connection())
        return context.get_current_revision() == scripts.get_current_head()
    except SQLAlchemyError:
        return False


def _worker_is_alive() -> bool:
    try:
        beat = last_beat(db.session(), WORKER)
    except SQLAlchemyError:
        return False
    return beat is not None and utc_now() - beat < _SILENT_AFTER
