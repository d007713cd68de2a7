"""Fixtures of all tests: applications on fresh databases, and what could not run named at the end."""

import fcntl
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from cbt.clock import utc_now
from cbt.people import passwords
from tests import postgres
from tests.databases import KeptPostgresql, KeptSqlite
from tests.site import load_samples, make_settings, migrate

DEEP = bool(os.environ.get("CBT_DEEP"))
IN_CI = bool(os.environ.get("CI"))
TEMPLATE = "CBT_TEST_TEMPLATE"  # tells the workers of a run its PostgreSQL database to clone
_skipped: list[str] = []


class _Started:
    """The PostgreSQL server of this run, started once by whoever starts the run."""

    server: postgres.Server | None = None


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    os.environ[TEMPLATE] = f"cbt_template_{uuid4().hex[:12]}"
    if postgres.URL not in os.environ:
        _Started.server = postgres.start()
        if _Started.server:
            os.environ[postgres.URL] = _Started.server.address("postgres")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _Started.server:
        os.environ.pop(postgres.URL, None)
        _Started.server.stop()
    elif postgres.URL in os.environ and not hasattr(config, "workerinput"):
        postgres.drop(postgres.with_database(os.environ[postgres.URL], os.environ[TEMPLATE]))


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


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so the garbage collector need not look through it each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


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


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[PasswordHasher]:
    """Argon2id with the least memory; gives the hasher of a server, for the test that looks at it.

    Servers that tests start in processes of their own hash in full.
    """
    serving = passwords._hasher
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield serving
    passwords._hasher = serving


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what one worker makes for all."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Whether it is ours to make; whoever comes second waits until it is made."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not folder.exists()


@pytest.fixture(scope="session")
def prepared_file(shared_folder: Path) -> Path:
    """A migrated, empty SQLite file; a test gets a copy of it."""
    folder = shared_folder / "sqlite"
    with made_once(folder) as ours:
        if ours:
            migrate(make_settings(folder))
    return folder / "cbt.db"


@pytest.fixture(scope="session")
def prepared_template(shared_folder: Path) -> str:
    """The name of a migrated, empty PostgreSQL database; a test gets a clone of it."""
    if postgres.URL not in os.environ:
        pytest.skip("no PostgreSQL server: install postgresql, or set CBT_TEST_POSTGRESQL")
    name = os.environ[TEMPLATE]
    folder = shared_folder / "postgresql"
    with made_once(folder) as ours:
        if ours:
            url = postgres.sqlalchemy_url(postgres.create(name))
            migrate(make_settings(folder, DATABASE_URL=url))
    return name


@pytest.fixture(scope="session")
def kept_sqlite(tmp_path_factory: pytest.TempPathFactory) -> KeptSqlite:
    return KeptSqlite(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def kept_postgresql(
    prepared_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeptPostgresql]:
    kept = KeptPostgresql(prepared_template, tmp_path_factory.mktemp("kept"))
    yield kept
    kept.close()


@pytest.fixture
def sqlite_app(kept_sqlite: KeptSqlite, prepared_file: Path) -> Iterator[Flask]:
    """An application on an empty SQLite database."""
    with kept_sqlite.on_copy_of(prepared_file) as app:
        yield app


@pytest.fixture
def postgresql_app(kept_postgresql: KeptPostgresql) -> Iterator[Flask]:
    """An application on an empty PostgreSQL database."""
    with kept_postgresql.on_empty() as app:
        yield app


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> Flask:
    """An application on an empty database, once on each kind."""
    return request.getfixturevalue(f"{request.param}_app")


@pytest.fixture(scope="session")
def sample_instance(shared_folder: Path) -> Path:
    """An instance folder with the sample communities, loaded as of tests.site.NOW."""
    folder = shared_folder / "samples"
    with made_once(folder) as ours:
        if ours:
            load_samples(folder)
    return folder


@pytest.fixture(scope="session")
def instance_of_today(shared_folder: Path) -> Path:
    """The same as of now, for what real servers and browsers do with it; each takes a copy."""
    folder = shared_folder / "today"
    with made_once(folder) as ours:
        if ours:
            load_samples(folder, utc_now())
    return folder


@pytest.fixture
def sample_app(kept_sqlite: KeptSqlite, sample_instance: Path) -> Iterator[Flask]:
    """An application on a copy of the sample communities (SQLite)."""
    with kept_sqlite.on_copy_of(sample_instance / "cbt.db") as app:
        yield app


@pytest.fixture
def client(sample_app: Flask) -> FlaskClient:
    """A visitor's browser without script, on the sample communities."""
    return sample_app.test_client()
