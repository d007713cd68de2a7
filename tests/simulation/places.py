"""Fresh databases for a run, each made from a migrated template."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from cbt.app import create_app
from cbt.db import db
from tests import postgres
from tests.simulation.run import NewApp
from tests.site import do_not_wait_for_the_disk, make_settings


def on_sqlite(template: Path) -> NewApp:
    """Applications on copies of a migrated file."""

    @contextmanager
    def new_app() -> Iterator[Flask]:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(template, Path(folder) / "cbt.db")
            app = create_app(make_settings(Path(folder)))
            with app.app_context():
                do_not_wait_for_the_disk()
            yield app
            _let_go(app)

    return new_app


def on_postgresql(template: str) -> NewApp:
    """Applications on clones of a migrated database."""

    @contextmanager
    def new_app() -> Iterator[Flask]:
        address = postgres.clone(template)
        try:
            with tempfile.TemporaryDirectory() as folder:
                url = postgres.sqlalchemy_url(address)
                app = create_app(make_settings(Path(folder), DATABASE_URL=url))
                yield app
                _let_go(app)
        finally:
            postgres.drop(address)

    return new_app


def _let_go(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
