"""A whole site for tests: an instance folder with the sample communities, and a real server."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import event

from cbt.app import create_app
from cbt.config import ROOT, Settings
from cbt.db import db
from cbt.demo import load

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # a Monday, noon in the villages
SECRET = "a secret of the tests, long enough to be taken"


def make_settings(instance: Path, **environment: str) -> Settings:
    given = {"INSTANCE": str(instance), "SECRET_KEY": SECRET, **environment}
    return Settings.from_environment(given)


def migrate(settings: Settings) -> None:
    """Bring a fresh database up to the newest migration."""
    app = create_app(settings)
    with app.app_context():
        do_not_wait_for_the_disk()
        upgrade()
        _let_go()


def load_samples(instance: Path, now: datetime = NOW) -> None:
    """Migrate a fresh instance folder's SQLite file and load the sample communities into it."""
    settings = make_settings(instance)
    migrate(settings)
    app = create_app(settings)
    with app.app_context():
        do_not_wait_for_the_disk()
        load.load_all(app.extensions["providers"], now, app.extensions["period_key"])
        _let_go()


def do_not_wait_for_the_disk() -> None:
    """As our PostgreSQL of the tests does not: no test cuts the power of its own process."""

    def relax(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(db.engine, "connect", relax)


def _let_go() -> None:
    db.session.remove()
    db.engine.dispose()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    instance: Path, *, worker: bool = True, port: int = 0, way_in: str = "wsgi", **settings: str
) -> Iterator[str]:
    """Serve an instance folder by gunicorn, with its worker, and give the address."""
    port = port or free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "INSTANCE": str(instance),
        "SECRET_KEY": SECRET,
        "PUBLIC_URL": address,
        **settings,
    }
    server = [sys.executable, "-m", "gunicorn", f"{way_in}:app", "--bind", f"127.0.0.1:{port}"]
    commands = [[*server, "--workers", "2", "--no-control-socket", "--log-level", "warning"]]
    if worker:
        commands.append([sys.executable, "-m", "flask", "--app", way_in, "worker"])
    children = [subprocess.Popen(each, cwd=ROOT, env=environment) for each in commands]
    try:
        _wait(address + ("/readyz" if worker else "/healthz"))
        yield address
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(timeout=20)


def _wait(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)
