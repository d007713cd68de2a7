"""No append-only table gives way: every verb on every one of them, as its owner and as the role that serves.

The tables come from the models, so that a new one is tried as well. Rows are made up where a test
can make none, with foreign keys and checks put aside, in a transaction that is undone.
"""

import sqlite3
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import JSON, LargeBinary, Table, text

from cbt.db import Base, db, grants, is_append_only, transaction
from cbt.errors import LedgerUnprotected
from cbt.ledger.selftest import find_unprotected, require_protected_books
from tests import postgres

TABLES = {each.name: each for each in Base.metadata.sorted_tables if is_append_only(each)}
CHANGING = {
    # running sums and heads, computed anew by the audit
    "kept_audit": "the newest outcome of the audit",
    "account_balance": "an account's running balance",
    "book": "the head of the chain",
    "capture_balance": "what of a payment is not given back yet",
    "departure": "places taken, its state",
    "slot": "what is taken of it",
    "slot_claim": "a departure's claim, given back when it ends",
    # what has a state until somebody decides or pays
    "account_proposal": "decided by a second person",
    "attempt": "what its provider says",
    "booking": "its state; guests are forgotten",
    "cash_count": "agreed by a second person",
    "close_draft": "used or withdrawn",
    "correction": "agreed by a second person",
    "credit": "ends, or is used up",
    "dispute": "what the bank says",
    "fund_claim": "asked for, approved, paid",
    "line_dispute": "answered, decided",
    "loan": "asked for, approved, lent, repaid",
    "no_show": "the guest objects",
    "payee": "agreed by a second person",
    "payout_batch": "approved or given up",
    "payout_line": "its state",
    "policy_draft": "written step by step",
    "preparation": "until its trip is settled",
    "provider_payout": "what the provider says",
    "refund": "on its way",
    "service_record": "until its trip is settled",
    "statement_line": "what it was found to be",
    "transfer_look": "seen by a second person",
    "waiting_party": "offered, gone; forgotten",
    "work_item": "open, done",
    "assessment": "changes until it is finished",
    "assessment_action": "planned, done",
    "assessment_evidence": "changes until it is finished",
    "assessment_score": "changes until it is finished",
    # what people arrange
    "community": "its settings",
    "experience": "what is offered",
    "experience_option": "what is offered",
    "household": "joins and leaves",
    "member": "joins and leaves",
    "option_cost": "what is offered",
    "option_need": "what is offered",
    "option_price": "what is offered",
    "payment_account": "where money goes; its changes are a table of facts",
    "person": "name and password",
    "promo_code": "what is offered",
    "rest_day": "the village's own",
    "role_grant": "begins and ends",
    "schedule_exception": "the village's own",
    "schedule_rule": "the village's own",
    "season": "what is offered",
    "thing": "what is shared",
    "vulnerable_household": "deleted when it is over: the right to be forgotten",
    # messages, calendars, machinery
    "demo_event": "pretended payments",
    "feed": "when it was read",
    "feed_block": "what an outside calendar takes",
    "host_feed_key": "made anew",
    "inbox_event": "worked off; bodies are forgotten",
    "notice": "sent; forgotten",
    "pulse": "when the worker was seen",
}
"""The tables whose rows change, and why; the money in them is told by entries, which do not."""


def literal(column, dialect):
    """Some value of a column's type, as SQL."""
    kind = column.type
    if isinstance(kind, JSON):
        return "'{}'"
    if isinstance(kind, LargeBinary):
        return "x'00'" if dialect == "sqlite" else "'\\x00'"
    python = getattr(kind, "impl", kind).python_type
    return {
        "int": "1",
        "bool": "1" if dialect == "sqlite" else "true",
        "date": "'2026-01-02'",
        "datetime": "'2026-01-02 03:04:05+00'",
        "time": "'03:04'",
    }.get(python.__name__, "'x'")


def made_up(table: Table, dialect):
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(literal(column, dialect) for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({values})"


def changes(table: Table):
    """Every way to change a row that both databases know."""
    name, keys = table.name, ", ".join(each.name for each in table.primary_key)
    first = next(iter(table.primary_key)).name
    yield from (f"UPDATE {name} SET {each.name} = {each.name}" for each in table.columns)
    yield f"DELETE FROM {name}"
    yield (
        f"INSERT INTO {name} SELECT * FROM {name} WHERE true"
        f" ON CONFLICT ({keys}) DO UPDATE SET {first} = excluded.{first}"
    )


# --- as the owner of the tables ------------------------------------------------------------------


def test_on_sqlite_every_append_only_table_refuses_every_change(sqlite_app):
    path = db.engine.url.database
    db.session.remove()
    let_through = []
    with closing(sqlite3.connect(path, isolation_level=None)) as owner:
        owner.execute("PRAGMA recursive_triggers = ON")  # as every connection of ours sets it
        owner.execute("PRAGMA ignore_check_constraints = ON")
        owner.execute("PRAGMA foreign_keys = OFF")
        for table in TABLES.values():
            owner.execute("BEGIN")
            owner.execute(made_up(table, "sqlite"))
            name = table.name
            replacing = (
                f"INSERT OR REPLACE INTO {name} SELECT * FROM {name}",
                f"REPLACE INTO {name} SELECT * FROM {name}",
            )
            for statement in (*changes(table), *replacing):
                with pytest.raises(sqlite3.IntegrityError) as refused:
                    owner.execute(statement)
                    let_through.append(statement)
                assert "append-only" in str(refused.value), statement
            owner.execute("ROLLBACK")
    assert let_through == []


@pytest.fixture
def clone(prepared_template):
    address = postgres.clone(prepared_template)
    yield address
    postgres.drop(address)


def refused(connection, statement, *words):
    """Whether a statement is refused with one of some words; it is undone either way."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        return any(each in str(error) for each in words)
    return False


def put_constraints_aside(owner, table):
    found = owner.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
        [table.name],
    ).fetchall()
    for (name,) in found:
        owner.execute(f"ALTER TABLE {table.name} DROP CONSTRAINT {name}")


def test_on_postgresql_every_append_only_table_refuses_every_change_of_its_owner(clone):
    """Also where triggers are put to sleep for replication; foreign keys sleep then, ours do not."""
    let_through = []
    with psycopg.connect(clone, autocommit=True) as owner:
        for table in TABLES.values():
            with owner.transaction(force_rollback=True):
                owner.execute("SET LOCAL session_replication_role = replica")
                put_constraints_aside(owner, table)
                owner.execute(made_up(table, "postgresql"))
                for role in ("replica", "origin"):
                    owner.execute(f"SET LOCAL session_replication_role = {role}")
                    emptied = f"TRUNCATE {table.name} CASCADE"
                    let_through += [
                        (role, statement)
                        for statement in (*changes(table), emptied)
                        if not refused(owner, statement, "append-only")
                    ]
    assert let_through == []


# --- as the role that serves ---------------------------------------------------------------------


@contextmanager
def serving(clone):
    """A connection of the role that an application has on PostgreSQL: it may append, never change."""
    role = f"serving_{uuid4().hex[:8]}"
    with psycopg.connect(clone, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN")
        for statement in grants(role):
            owner.execute(statement)
        address = clone.replace("user=cbt", f"user={role}")
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                yield connection, role
        finally:
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")


def test_on_postgresql_the_serving_role_can_change_no_append_only_table(clone):
    with serving(clone) as (connection, role):
        let_through = [
            statement
            for table in TABLES.values()
            for statement in (
                *changes(table),
                f"TRUNCATE {table.name}",
                f"DROP TRIGGER {table.name}_refuses_change ON {table.name}",
                f"DROP TRIGGER {table.name}_refuses_truncate ON {table.name}",
                f"ALTER TABLE {table.name} DISABLE TRIGGER ALL",
                f"ALTER TABLE {table.name} ENABLE REPLICA TRIGGER {table.name}_refuses_change",
                f"ALTER TABLE {table.name} ADD COLUMN more text",
                f"CREATE RULE gone AS ON INSERT TO {table.name} DO INSTEAD NOTHING",
                f"DROP TABLE {table.name} CASCADE",
                f"ALTER TABLE {table.name} OWNER TO {role}",
            )
            if not refused(connection, statement, "permission denied", "must be owner")
        ]
    assert let_through == []


def test_on_postgresql_the_serving_role_cannot_undo_what_protects_the_tables(clone):
    words = ("permission denied", "must be owner", "must be superuser")
    nothing = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
    with serving(clone) as (connection, role):
        let_through = [
            statement
            for statement in (
                "SET session_replication_role = replica",
                f"CREATE OR REPLACE FUNCTION refuse_change() {nothing}",
                "DROP FUNCTION refuse_change() CASCADE",
                "ALTER FUNCTION refuse_change() RENAME TO refuse_nothing",
                "SET ROLE cbt",
                f"GRANT cbt TO {role}",
                f"ALTER ROLE {role} SUPERUSER",
                f"ALTER DATABASE {connection.info.dbname} SET session_replication_role = replica",
                "UPDATE pg_trigger SET tgenabled = 'D'",
                "DELETE FROM alembic_version",
            )
            if not refused(connection, statement, *words)
        ]
        connection.execute(f"GRANT UPDATE, DELETE ON entry TO {role}")  # it has none to give
        assert refused(connection, "UPDATE entry SET subject = subject", *words)
    assert let_through == []


# --- the self-test of the start-up ---------------------------------------------------------------


class Undone(Exception):
    pass


def seen_after(*statements):
    """What the self-test finds after some statements, which are undone."""
    seen = []
    with pytest.raises(Undone), transaction() as session:
        for statement in statements:
            session.execute(text(statement))
        seen = find_unprotected(session)
        raise Undone
    return seen


def ways_to_open(name, dialect):
    if dialect == "sqlite":
        for verb in ("update", "delete"):
            trigger = f"{name}_refuses_{verb}"
            yield (f"DROP TRIGGER {trigger}",)
            toothless = f"CREATE TRIGGER {trigger} BEFORE {verb} ON {name} BEGIN SELECT 1; END"
            yield (f"DROP TRIGGER {trigger}", toothless)
        return
    for what in ("change", "truncate"):
        trigger = f"{name}_refuses_{what}"
        yield (f"DROP TRIGGER {trigger} ON {name}",)
        yield (f"ALTER TABLE {name} DISABLE TRIGGER {trigger}",)
        yield (f"ALTER TABLE {name} ENABLE TRIGGER {trigger}",)  # sleeps while replicating
    trigger = f"{name}_refuses_change"
    yield (
        "CREATE OR REPLACE FUNCTION refuse_nothing() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$",
        f"DROP TRIGGER {trigger} ON {name}",
        f"CREATE TRIGGER {trigger} BEFORE UPDATE OR DELETE ON {name}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_nothing()",
        f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {trigger}",
    )


def test_the_self_test_sees_any_append_only_table_that_lost_its_protection(app):
    assert seen_after() == []
    unseen = [
        way
        for name in TABLES
        for way in ways_to_open(name, db.engine.dialect.name)
        if seen_after(*way) != [name]
    ]
    assert unseen == []


def test_nothing_is_served_while_a_table_of_facts_can_be_changed(app):
    require_protected_books()
    [first, *_] = ways_to_open("fund_approval", db.engine.dialect.name)
    with transaction() as session:
        session.execute(text(first[0]))
    with pytest.raises(LedgerUnprotected) as refused_:
        require_protected_books()
    assert refused_.value.facts == {"attempt": "change fund_approval"}


def test_every_table_is_append_only_or_named_here_with_what_changes():
    """A new table of facts cannot be forgotten: whoever makes one says which of the two it is."""
    mutable = {each.name for each in Base.metadata.sorted_tables} - TABLES.keys()
    assert mutable == CHANGING.keys()
