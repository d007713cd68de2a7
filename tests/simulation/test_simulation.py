"""A village's money over months, drawn from a seed, with deaths at any statement. On both databases.

The plain run has a seed of its own every time, and prints it; so a failure can be lived again by
`python -m tests.simulation --seed ...`.
"""

import os
import subprocess
import sys
from secrets import token_hex

import pytest

from cbt.config import ROOT
from tests.conftest import DEEP
from tests.simulation.places import on_postgresql, on_sqlite
from tests.simulation.run import IN_PROCESS, SIGKILL, Wanted, simulate

SEED = os.environ.get("CBT_SEED", "")
WANTED = Wanted(3_000, 1_000, 120) if DEEP else Wanted(420, 14, 3)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_app(request):
    if request.param == "sqlite":
        return on_sqlite(request.getfixturevalue("prepared_file"))
    return on_postgresql(request.getfixturevalue("prepared_template"))


def test_a_process_that_dies_at_any_statement_loses_tears_and_doubles_nothing(new_app):
    seed = SEED or token_hex(4)
    print(f"seed {seed}")
    report = simulate(seed, WANTED, new_app)
    print(report)
    assert report.died >= WANTED.deaths
    assert report.ways[SIGKILL] >= WANTED.kills
    assert report.ways[IN_PROCESS] > 0
    assert report.months > 0
    assert report.missing() == []


def test_one_seed_is_one_run_whatever_the_process(tmp_path):
    """The same events in the same order and the same chain, though hashes of strings differ."""
    told = {
        lived_apart("--seed", "again", "--steps", "90", "--deaths", "6", hashes=n) for n in "12"
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
