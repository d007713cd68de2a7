"""The migrations and the models say the same, both ways, on both databases."""

from datetime import timedelta

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import DBAPIError

from cbt.app import create_app
from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.db import Base, db, grants, is_append_only, transaction
from cbt.ledger.selftest import require_protected_books
from cbt.payments import give_back
from cbt.payments.queries import get_money
from tests import factories, postgres
from tests.site import NOW, make_settings


def test_the_migrations_make_exactly_the_models(app):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_checks_of_the_migrations_are_those_of_the_models(app):
    """Alembic does not compare CHECK constraints, so we do, by name."""
    dialect = db.engine.dialect.name
    inspector = inspect(db.engine)
    for table in Base.metadata.sorted_tables:
        modelled = {
            constraint.name
            for constraint in table.constraints
            if type(constraint).__name__ == "CheckConstraint"
            and (dialect == "sqlite" or constraint.name != "ck_leg_whole")
        }
        made = {constraint["name"] for constraint in inspector.get_check_constraints(table.name)}
        assert made == modelled, table.name


def test_down_and_up_again_gives_the_same(app):
    downgrade(revision="base")
    left = set(inspect(db.engine).get_table_names())
    assert left == {"alembic_version"}
    upgrade()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("SELECT count(*) FROM entry")).scalar() == 0


def test_sqlite_is_set_up_to_be_trusted(tmp_path):
    """In an application as it serves: that of the other tests does not wait for the disk."""
    with create_app(make_settings(tmp_path)).app_context(), db.engine.connect() as connection:
        found = {
            pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            for pragma in ("foreign_keys", "recursive_triggers", "journal_mode", "synchronous")
        }
        busy = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        connection.detach()
    assert found == {
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "journal_mode": "wal",
        "synchronous": 2,
    }
    assert busy >= 10_000


def test_a_use_case_on_sqlite_begins_immediately_and_reading_does_not(sqlite_app):
    statements = []

    def note(*args):
        statements.append(args[2])

    event.listen(db.engine, "before_cursor_execute", note)
    db.session.execute(text("SELECT 1"))
    db.session.rollback()
    with transaction():
        pass
    event.remove(db.engine, "before_cursor_execute", note)
    assert [each for each in statements if each.startswith("BEGIN")] == ["BEGIN", "BEGIN IMMEDIATE"]


def test_the_append_only_tables_are_those_with_triggers(app):
    marked = {table.name for table in Base.metadata.sorted_tables if is_append_only(table)}
    statement = "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger'"
    if db.engine.dialect.name == "postgresql":
        statement = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
    assert set(db.session.scalars(text(statement))) == marked


def test_on_postgresql_the_serving_role_can_do_everything_but_change_the_books(
    prepared_template, tmp_path
):
    """The whole way from hold to settlement works, and the triggers cannot even be dropped."""
    address = postgres.clone(prepared_template)
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute("DROP ROLE IF EXISTS serving")
        owner.execute("CREATE ROLE serving LOGIN")
        for statement in grants("serving"):
            owner.execute(statement)
    url = postgres.sqlalchemy_url(address.replace("user=cbt", "user=serving"))
    app = create_app(make_settings(tmp_path, DATABASE_URL=url))
    with app.app_context():
        require_protected_books()
        village = factories.make_village()
        factories.book(village)
        factories.record_work(village, ("H01", "boat", 1))
        factories.settle(village, NOW + timedelta(days=2))
        for statement in (
            "UPDATE leg SET amount_satang = 1",
            "DELETE FROM entry",
            "TRUNCATE leg",
            "DROP TRIGGER leg_refuses_change ON leg",
            "ALTER TABLE leg DISABLE TRIGGER ALL",
        ):
            with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                db.session.execute(text(statement))
            db.session.rollback()
        db.session.remove()
        db.engine.dispose()
    postgres.drop(address)


def test_books_and_money_live_through_the_way_down_and_up(app):
    """What stood before the tables of money in and back were made, and what they say of it after."""
    village = factories.make_village(on=NOW.date() + timedelta(days=60))
    kept, cancelled = factories.book(village), factories.book(village)
    factories.cancel_booking(cancelled)
    downgrade(revision="0003")
    upgrade()
    db.session.rollback()
    assert not any(each.findings for each in verify(db.session(), village.card))
    give_back.send_refunds(factories.PROVIDERS, NOW)
    db.session.rollback()
    assert not any(each.findings for each in verify(db.session(), village.card))
    assert get_money(db.session(), get_booking(db.session(), kept).id).paid_satang == 90_000
    assert get_money(db.session(), get_booking(db.session(), cancelled).id).paid_satang == 0
