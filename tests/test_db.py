"""Waiting for the place of SQLite's one writer; connections to a server that went away."""

import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

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


# --- connections to a server ---------------------------------------------------------------------


def end_connection_at_rest():
    """Let the server drop the connection that rests in the pool, as when it is started anew."""
    session = db.db.session
    session.remove()
    db.db.engine.dispose()  # what other tests left there to rest
    lost = session.scalar(text("SELECT pg_backend_pid()"))
    session.remove()
    with create_engine(db.db.engine.url, poolclass=NullPool).connect() as other:
        assert other.scalar(text("SELECT pg_terminate_backend(:lost, 5000)"), {"lost": lost})


def test_a_connection_that_was_lost_at_rest_is_made_anew(postgresql_app, monkeypatch):
    monkeypatch.setattr(db, "RESTED_SECONDS", 0)
    end_connection_at_rest()
    assert db.db.session.scalar(text("SELECT 1")) == 1


def test_a_busy_connection_that_is_lost_costs_one_request(postgresql_app, monkeypatch):
    monkeypatch.setattr(db, "RESTED_SECONDS", 3_600)  # however slow this machine is just now
    end_connection_at_rest()
    with pytest.raises(OperationalError):
        db.db.session.scalar(text("SELECT 1"))
    db.db.session.remove()
    assert db.db.session.scalar(text("SELECT 1")) == 1
