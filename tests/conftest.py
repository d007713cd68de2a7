"""Fixtures of all tests: applications on fresh databases, and what could not run named at the end."""

import os
import shutil
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cbt.app import create_app
from cbt.db import db
from tests import postgres
from tests.site import load_samples, make_settings, migrate

DEEP = bool(os.environ.get("CBT_DEEP"))
IN_CI = bool(os.environ.get("CI"))
_skipped: list[str] = []


class _Started:
    """The PostgreSQL server of this run, started once by whoever starts the run."""

    server: postgres.Server | None = None


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and postgres.URL not in os.environ:
        _Started.server = postgres.start()
        if _Started.server:
            os.environ[postgres.URL] = _Started.server.address("postgres")


def pytest_unconfigure() -> None:
    if _Started.server:
        os.environ.pop(postgres.URL, None)
        _Started.server.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The plain run tries on PostgreSQL the first of a test's cases, the deep one every case.

    On SQLite every case is run always.
    """
    if DEEP:
        return
    tried: set[str] = set()
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        params = getattr(getattr(item, "callspec", None), "params", {})
        is_other_case = params.get("app") == "postgresql" and test in tried
        (left if is_other_case else kept).append(item)
        if params.get("app") == "postgresql":
            tried.add(test)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


# --- what could not run is named at the end, and fails where CI is set ---------------------------


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skipped:
        terminalreporter.section("NOT RUN on this machine", red=True, bold=True)
        for line in sorted(_skipped):
            terminalreporter.write_line(line)
        if IN_CI:
            terminalreporter.write_line("With CI set, this is a failure.")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _skipped and IN_CI and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# --- databases and applications ------------------------------------------------------------------


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file; a test gets a copy of it."""
    folder = tmp_path_factory.mktemp("prepared")
    migrate(make_settings(folder))
    return folder / "cbt.db"


@pytest.fixture(scope="session")
def prepared_template(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated, empty PostgreSQL database; a test gets a clone of it."""
    if postgres.URL not in os.environ:
        pytest.skip("no PostgreSQL server: install postgresql, or set CBT_TEST_POSTGRESQL")
    name = f"cbt_template_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    url = postgres.sqlalchemy_url(postgres.create(name))
    migrate(make_settings(tmp_path_factory.mktemp("prepared"), DATABASE_URL=url))
    return name


@pytest.fixture
def sqlite_app(prepared_file: Path, tmp_path: Path) -> Iterator[Flask]:
    """An application on an empty SQLite database."""
    shutil.copy(prepared_file, tmp_path / "cbt.db")
    yield from _in_context(create_app(make_settings(tmp_path)))


@pytest.fixture
def postgresql_app(prepared_template: str, tmp_path: Path) -> Iterator[Flask]:
    """An application on an empty PostgreSQL database."""
    address = postgres.clone(prepared_template)
    url = postgres.sqlalchemy_url(address)
    yield from _in_context(create_app(make_settings(tmp_path, DATABASE_URL=url)))
    postgres.drop(address)


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> Flask:
    """An application on an empty database, once on each kind."""
    return request.getfixturevalue(f"{request.param}_app")


class Visitor(FlaskClient):
    """A browser whose requests know nothing of the context in which a test reads the database."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("buffered", True)  # read files to their end and close them
        return Context().run(super().open, *args, **kwargs)


def _in_context(app: Flask) -> Iterator[Flask]:
    app.test_client_class = Visitor
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sample_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder with the sample communities, loaded as of tests.site.NOW."""
    folder = tmp_path_factory.mktemp("samples")
    load_samples(folder)
    return folder


@pytest.fixture
def sample_app(sample_instance: Path, tmp_path: Path) -> Iterator[Flask]:
    """An application on a copy of the sample communities (SQLite)."""
    shutil.copytree(sample_instance, tmp_path, dirs_exist_ok=True)
    yield from _in_context(create_app(make_settings(tmp_path)))


@pytest.fixture
def client(sample_app: Flask) -> FlaskClient:
    """A visitor's browser without script, on the sample communities."""
    return sample_app.test_client()
