"""Run a simulation: `python -m tests.simulation --seed 7 --steps 400 --deaths 15 --database sqlite`."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from uuid import uuid4

from tests import postgres
from tests.simulation.places import on_postgresql, on_sqlite
from tests.simulation.run import NewApp, Report, Wanted, simulate
from tests.site import make_settings, migrate


def main() -> int:
    asked = _parser().parse_args()
    kills = asked.kills if asked.kills is not None else -(-asked.deaths // 8)
    wanted = Wanted(asked.steps, asked.deaths, kills, asked.days, asked.brief)
    print(f"seed {asked.seed}", flush=True)
    began = time.monotonic()
    place = _sqlite if asked.database == "sqlite" else _postgresql
    with place() as new_app:
        report = simulate(asked.seed, wanted, new_app, _tell)
    print(report)
    print(f"never happened: {', '.join(report.missing()) or 'nothing'}")
    print(f"{time.monotonic() - began:.0f} seconds", file=sys.stderr)
    return 0


def _tell(report: Report) -> None:
    print(f"{report.steps} steps, {report.died} deaths so far", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", default=token_hex(4), help="what everything is drawn from")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--deaths", type=int, default=15)
    parser.add_argument("--kills", type=int, help="how many of the deaths are by SIGKILL")
    parser.add_argument("--days", type=int, default=100, help="how long a life lasts")
    parser.add_argument("--brief", action="store_true", help="do not go on until all has come")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    return parser


@contextmanager
def _sqlite() -> Iterator[NewApp]:
    with tempfile.TemporaryDirectory() as folder:
        migrate(make_settings(Path(folder)))
        yield on_sqlite(Path(folder) / "cbt.db")


@contextmanager
def _postgresql() -> Iterator[NewApp]:
    server = None
    if postgres.URL not in os.environ:
        server = postgres.start()
        if server is None:
            sys.exit("no PostgreSQL server: install postgresql, or set CBT_TEST_POSTGRESQL")
        os.environ[postgres.URL] = server.address("postgres")
    template = f"cbt_template_{uuid4().hex[:12]}"
    url = postgres.create(template)
    try:
        with tempfile.TemporaryDirectory() as folder:
            migrate(make_settings(Path(folder), DATABASE_URL=postgres.sqlalchemy_url(url)))
            yield on_postgresql(template)
    finally:
        postgres.drop(url)
        if server:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
