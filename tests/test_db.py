"""Waiting for the place of SQLite's one writer."""

import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from cbt import db


@pytest.fixture
def begin(tmp_path):
    """Begins a transaction that writes, on a connection of its own."""
    engine = create_engine(f"sqlite:///{tmp_path}/cbt.db")

    @contextmanager
    def writing():
        as_writer = engine.connect().execution_options(cbt_writing=True)
        with as_writer as connection, connection.begin():
            yield connection

    yield writing
    engine.dispose()


def test_a_writer_gets_its_turn_once_the_one_before_is_done(begin):
    order = []

    def rival():
        with begin():
            order.append("second")

    with begin():
        waiting = threading.Thread(target=rival)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_writer_that_waits_too_long_is_told(begin, monkeypatch):
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.1)
    with begin(), pytest.raises(OperationalError, match="locked"), begin():
        pass
    with begin() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 100
