"""Applications that a test finds as if freshly made, though each worker makes them once.

Making one costs more than most tests: a thousand routes, and then every template and every
statement compiled anew. So a worker keeps one for each kind of database, and between two tests
its data, settings, ways to pay and counters are brought back to what they were.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient

from cbt.app import create_app
from cbt.db import db
from cbt.web.limits import limiter
from tests import postgres
from tests.site import do_not_wait_for_the_disk, make_settings

T = TypeVar("T")


class Visitor(FlaskClient):
    """A browser whose requests know nothing of the context in which a test reads the database."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("buffered", True)  # read files to their end and close them
        answer = Context().run(super().open, *args, **kwargs)
        answer.request.environ["wsgi.input"].close()  # what was sent, in a file where it was large
        return answer


class KeptSqlite:
    """One application on a SQLite file that each test finds replaced by a copy of another."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "cbt.db"
        self.app = create_app(make_settings(folder))
        with self.app.app_context():
            do_not_wait_for_the_disk()

    @contextmanager
    def on_copy_of(self, prepared: Path) -> Iterator[Flask]:
        self._put(prepared)
        with _as_made(self.app):
            yield self.app
            _let_go()

    def remember(self, make: Callable[[], T]) -> Callable[[], T]:
        """Make something in the database once; each call brings the database back to just that."""
        made = make()
        _let_go()
        kept = self.file.with_suffix(".kept")
        shutil.copy(self.file, kept)

        def again() -> T:
            _let_go()
            self._put(kept)
            return made

        return again

    def _put(self, prepared: Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copy(prepared, self.file)


class KeptPostgresql:
    """One application on a PostgreSQL database that is emptied after each test."""

    def __init__(self, template: str, folder: Path) -> None:
        self.database = postgres.Emptied(template)
        url = postgres.sqlalchemy_url(self.database.address)
        self.app = create_app(make_settings(folder, DATABASE_URL=url))

    @contextmanager
    def on_empty(self) -> Iterator[Flask]:
        with _as_made(self.app):
            yield self.app
            db.session.remove()
            if not self.database.empty():
                db.engine.dispose()

    def remember(self, make: Callable[[], T]) -> Callable[[], T]:
        """The same as on SQLite; here it is made anew each time, which is as fast as a clone."""

        def again() -> T:
            db.session.remove()
            if not self.database.empty():
                db.engine.dispose()
            return make()

        return again

    def close(self) -> None:
        with self.app.app_context():
            db.engine.dispose()
        self.database.drop()


def _let_go() -> None:
    db.session.remove()
    db.engine.dispose()


@contextmanager
def _as_made(app: Flask) -> Iterator[None]:
    """Undo what the test changes about the application itself."""
    app.test_client_class = Visitor
    config, extensions = dict(app.config), dict(app.extensions)
    providers = dict(extensions["providers"])
    limiter.reset()
    try:
        with app.app_context():
            yield
    finally:
        app.config.clear()
        app.config.update(config)
        app.extensions.clear()
        app.extensions.update({**extensions, "providers": providers})
