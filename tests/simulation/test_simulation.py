"""A village's money over months, drawn from a seed, with deaths at any statement. On both databases.

The plain run lives one seed, the deep one a new one every time (or that of CBT_SEED), and prints it; so
a failure can be lived again by `python -m tests.simulation --seed ...`.
"""

import logging
import os
import subprocess
import sys
from secrets import token_hex

import pytest

from cbt.config import ROOT
from cbt.db import db
from cbt.pulse import beat
from cbt.worker import duties
from tests.conftest import DEEP
from tests.simulation.death import Plan, Point
from tests.simulation.machine import DUTIES
from tests.simulation.places import on_postgresql, on_sqlite
from tests.simulation.process import Broken, End, Process
from tests.simulation.proof import OutsideLog, read_rows
from tests.simulation.run import IN_PROCESS, SIGKILL, Wanted, simulate
from tests.site import NOW

log = logging.getLogger("cbt.payments")
SEED = os.environ.get("CBT_SEED", "")
WANTED = Wanted(3_000, 1_000, 120) if DEEP else Wanted(420, 14, 3)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_app(request):
    if request.param == "sqlite":
        return on_sqlite(request.getfixturevalue("prepared_file"))
    return on_postgresql(request.getfixturevalue("prepared_template"))


def test_a_process_that_dies_at_any_statement_loses_tears_and_doubles_nothing(new_app):
    seed = SEED or (token_hex(4) if DEEP else "plain-1")
    print(f"seed {seed}")
    report = simulate(seed, WANTED, new_app)
    print(report)
    assert report.died >= WANTED.deaths
    assert report.ways[SIGKILL] >= WANTED.kills
    assert report.ways[IN_PROCESS] > 0
    assert report.months > 0
    assert report.missing() == []


@pytest.fixture
def app(new_app):
    with new_app() as app, app.app_context():
        yield app


def said(*names):
    """A step that writes each name by a change of its own."""

    def do(now):
        for name in names:
            beat(name, now)

    return do


def rows(app):
    with app.app_context():
        return read_rows(db.session())


def test_what_is_written_in_part_is_seen(app):
    process, log = Process(app), OutsideLog()
    log.rows = rows(app)
    outcome = process.run(said("first", "second"), NOW, "chance", Plan(1, Point.AFTER_COMMIT))
    assert (outcome.end, outcome.point) == (End.DIED, Point.AFTER_COMMIT)
    with pytest.raises(AssertionError, match=r"written in part: \['pulse'\]"):
        log.require_untouched(rows(app))


@pytest.mark.parametrize("point", Point)
def test_a_killed_process_leaves_all_of_a_change_or_nothing(app, point):
    process, before = Process(app), rows(app)
    outcome = process.run_apart(said("first"), NOW, "chance", Plan(1, point))
    assert (outcome.end, outcome.point) == (End.DIED, point)
    assert (rows(app) == before) == (point != Point.AFTER_COMMIT)
    assert process.run(said("first"), NOW, "chance").end == End.DONE


def test_an_error_that_the_product_only_logs_breaks_the_run(app):
    process = Process(app)
    with pytest.raises(Broken, match="cannot be reconciled"):
        process.run(lambda _now: log.error("cannot be reconciled"), NOW, "chance")
    with pytest.raises(Broken, match="ZeroDivisionError"):
        process.run_apart(lambda _now: 1 // 0, NOW, "chance", Plan(99))


def test_every_duty_of_the_worker_is_a_kind_of_event(app):
    assert {each.name for each in duties(app)} == set(DUTIES)


def test_one_seed_is_one_run_whatever_the_process(tmp_path):
    """The same events in the same order and the same chain, though hashes of strings differ."""
    told = {
        lived_apart("--seed", "again", "--steps", "60", "--deaths", "6", "--brief", hashes=n)
        for n in "12"
    }
    assert len(told) == 1
    assert "head of the chain: " in told.pop()


def lived_apart(*arguments, hashes):
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout
