"""The database: base class, session, and the one place that commits.

Two kinds of database are served alike: SQLite as the embedded default, PostgreSQL for production.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from random import uniform
from time import monotonic, sleep
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    Time,
    TypeDecorator,
    event,
    select,
)
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, registry
from sqlalchemy.pool import Pool

BUSY_SECONDS = 15
RESTED_SECONDS = 5
"""After so long without work a connection to a server is asked whether it still stands."""

SAID_AGAIN_WITHIN = timedelta(minutes=10)
"""How long the same words of the same person are taken for the same form, sent once more."""

_WRITING = "cbt_writing"


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware and UTC on the Python side, on either database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must carry its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


WholeNumber = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only by INTEGER


_NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
_TYPES: dict[Any, Any] = {
    int: WholeNumber,
    str: Text,
    date: Date,
    time: Time,
    datetime: UtcDateTime,
    dict[str, str]: JSON,
    dict[str, Any]: JSON,
    list[str]: JSON,
    list[list[int]]: JSON,
    list[dict[str, Any]]: JSON,
}


class Base(DeclarativeBase):
    """Base of all tables; constraint names follow one convention, so that migrations can name them."""

    registry = registry(metadata=MetaData(naming_convention=_NAMES), type_annotation_map=_TYPES)


class OneDatabase(FlaskSession):
    """A session of the one database that there is, looked up once and not for every statement."""

    _engine: Engine | None = None

    def get_bind(self, *_arguments: Any, **_named: Any) -> Engine:
        if self._engine is None:
            self._engine = self._db.engine
        return self._engine


db = SQLAlchemy(model_class=Base, session_options={"class_": OneDatabase})

APPEND_ONLY = {"info": {"append_only": True}}
"""Ends the `__table_args__` of a table of facts or books; triggers refuse to change its rows."""

Condition = ColumnElement[bool]
Query = Select[*tuple[Any, ...]]


def grants(role: str) -> list[str]:
    """PostgreSQL's GRANTs for the role that serves: it may append to the books, never change them.

    The role that owns the tables and runs the migrations is another one.
    """
    statements = [f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}"']
    for table in Base.metadata.sorted_tables:
        rights = "SELECT, INSERT" if is_append_only(table) else "SELECT, INSERT, UPDATE, DELETE"
        statements.append(f'GRANT {rights} ON {table.name} TO "{role}"')
    return [*statements, f'GRANT SELECT ON alembic_version TO "{role}"']


def is_append_only(table: Table) -> bool:
    return bool(table.info.get("append_only"))


def table_of(model: type[Base]) -> Table:
    """A model's table. Statements on it, built once, cost a fifth of those on the model."""
    found = model.__table__
    assert isinstance(found, Table)
    return found


def columns(table: type[Base], record: type) -> list[Any]:
    """The columns of a table that a frozen record of the same field names is read from."""
    return [getattr(table, field.name) for field in fields(record)]


def one_of(column: str, members: Iterable[str]) -> CheckConstraint:
    """A constraint, named like the column, that it holds one of some words."""
    words = ", ".join(f"'{member}'" for member in members)
    return CheckConstraint(f"{column} IN ({words})", column)


@contextmanager
def transaction() -> Iterator[Session]:
    """One use case, one commit; anything raised inside undoes all of it.

    On SQLite it begins IMMEDIATE: two writers queue instead of both reading the same state first.
    A use case may call steps (functions whose first parameter is a session), never another use
    case: nesting raises RuntimeError.
    """
    session = db.session()
    if session.info.get("in_use_case"):
        raise RuntimeError("a use case may call steps, never another use case")
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("rows were changed outside a use case")
    session.rollback()  # ends what reading had begun, so that we see the newest state
    session.info["in_use_case"] = True
    try:
        session.connection(execution_options={_WRITING: True})
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        del session.info["in_use_case"]


def find_same(session: Session, model: type[Base], at: str, now: datetime, **said: Any) -> Any:
    """The key of what was said in the very same words a moment ago, or None. A step.

    Whoever gets no answer sends a form once more; `at` is the column of when it was said. Needs the
    lock under which such things are written.
    """
    table = table_of(model)
    same = [table.c[name] == value for name, value in said.items()]
    [key] = table.primary_key.columns
    just_now = table.c[at].between(now - SAID_AGAIN_WITHIN, now)
    return session.scalar(select(key).where(just_now, *same).order_by(key).limit(1))


@contextmanager
def snapshot() -> Iterator[Session]:
    """A session for long reading: it sees one state of the database from beginning to end."""
    engine = db.engine
    if engine.dialect.name == "postgresql":  # SQLite's readers have their snapshot anyhow
        engine = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    with Session(engine) as session:
        yield session


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # we begin transactions ourselves, below
    for pragma in (
        "foreign_keys = ON",
        "recursive_triggers = ON",  # else INSERT OR REPLACE walks past the triggers of the books
        "journal_mode = WAL",
        "synchronous = FULL",  # villages have power cuts
        f"busy_timeout = {BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Pool, "checkin")
def _note_rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = monotonic()


@event.listens_for(Pool, "checkout")
def _ask_if_rested(connection: Any, record: Any, _proxy: Any) -> None:
    """Ask before use, where a server may have gone meanwhile; a busy connection needs no asking."""
    rested = monotonic() - record.info.get("rests_since", monotonic())
    if rested < RESTED_SECONDS or isinstance(connection, sqlite3.Connection):
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:  # whatever the driver says: the pool makes a new one
        raise DisconnectionError from error


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    if connection.get_execution_options().get(_WRITING):
        _begin_writing(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    """Queue for the place of the one writer, looking again every millisecond or so.

    SQLite's own waiting sleeps ever longer, up to a tenth of a second: whoever comes anew is quicker
    than who waits, and of four busy writers the last waited for seconds.
    """
    own = connection.connection.driver_connection
    assert isinstance(own, sqlite3.Connection)
    own.execute("PRAGMA busy_timeout = 0")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if not _is_locked(error.orig) or not _wait_for_turn(own):
            raise
    finally:
        own.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _wait_for_turn(own: sqlite3.Connection) -> bool:
    """Begin as soon as nobody else writes; False when that takes too long.

    It asks the driver itself: who waits must not take from the writer the time it waits for.
    """
    until = monotonic() + BUSY_SECONDS
    while monotonic() < until:
        sleep(uniform(0.0005, 0.002))  # noqa: S311  (keeps rivals apart, no secret)
        try:
            own.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                raise
        else:
            return True
    return False


def _is_locked(error: BaseException | None) -> bool:
    return "locked" in str(error)
