"""Posting on both databases: the chain, repeats, refusals, and that nothing can be changed."""

from datetime import date

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cbt.audit.books import check_balances, check_chain, check_legs
from cbt.db import db, transaction
from cbt.errors import (
    AccountUnknown,
    AmountNotPositive,
    BalanceTooLow,
    EntryConflict,
    LedgerUnprotected,
    SameAccount,
)
from cbt.ledger import queries, services
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.models import CREDIT, DEBIT, Book, Entry
from cbt.ledger.selftest import require_protected_books
from tests.concurrency import run_together
from tests.site import NOW


@pytest.fixture
def book(app):
    with transaction() as session:
        book_id = services.open_book(session, "village", "founding")
        services.open_account(session, book_id, "bank", DEBIT)
        services.open_account(session, book_id, "deposit", CREDIT)
        services.open_account(session, book_id, "fund", CREDIT)
        return book_id


def make_draft(key="one", legs=(Leg("bank", "deposit", 500, "paid"),), **changes):
    values = {"kind": "test", "subject": "test:1", "effective_on": date(2026, 11, 23)}
    return Draft(**{**values, "legs": tuple(legs), "key": key, "actor": "test", **changes})


def post(book, draft):
    with transaction() as session:
        return services.post(session, book, draft, NOW)


def test_entries_are_numbered_and_chained(book):
    numbers = [post(book, make_draft(f"key{number}")) for number in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    outcome = check_chain(db.session(), book)
    assert (outcome.looked_at, outcome.findings) == (5, ())
    assert check_legs(db.session(), book).looked_at == 5
    assert check_balances(db.session(), book).findings == ()


def test_an_entry_reads_back_as_it_was_posted(book):
    draft = make_draft(legs=[Leg("bank", "deposit", 500, "paid"), Leg("deposit", "fund", 20, "x")])
    post(book, draft)
    [posted] = queries.stream_entries(db.session(), book)
    assert posted.draft == draft
    assert (posted.seq, posted.amount_satang, posted.leg_count) == (1, 520, 2)
    assert posted.recorded_at == NOW


def test_an_entry_without_legs_is_still_numbered_and_chained(book):
    assert post(book, make_draft("free", legs=())) == 1
    assert check_chain(db.session(), book).looked_at == 1


def test_posting_the_same_again_writes_nothing(book):
    assert post(book, make_draft()) == 1
    assert post(book, make_draft(actor="somebody else")) == 1
    assert count_entries() == 1
    assert queries.balances(db.session(), book)["deposit"] == 500


def test_the_same_key_with_other_content_is_refused(book):
    post(book, make_draft())
    with pytest.raises(EntryConflict):
        post(book, make_draft(legs=[Leg("bank", "deposit", 501, "paid")]))
    assert count_entries() == 1


@pytest.mark.parametrize(
    ("leg", "error"),
    [
        (Leg("bank", "nowhere", 1, "x"), AccountUnknown),
        (Leg("bank", "bank", 1, "x"), SameAccount),
        (Leg("bank", "deposit", -1, "x"), AmountNotPositive),
        (Leg("bank", "deposit", 0, "x"), AmountNotPositive),
    ],
    ids=["unknown-account", "same-account", "negative", "zero"],
)
def test_a_refused_entry_writes_nothing(book, leg, error):
    with pytest.raises(error):
        post(book, make_draft(legs=[Leg("bank", "deposit", 5, "x"), leg]))
    assert count_entries() == 0
    assert queries.balances(db.session(), book) == {"bank": 0, "deposit": 0, "fund": 0}


def test_an_account_cannot_be_taken_below_zero(book):
    post(book, make_draft())
    with pytest.raises(BalanceTooLow) as refused:
        post(book, make_draft("two", [Leg("deposit", "fund", 501, "x")]))
    assert refused.value.facts == {"account": "deposit"}
    assert count_entries() == 1
    assert queries.balances(db.session(), book) == {"bank": 500, "deposit": 500, "fund": 0}


def test_rivals_posting_at_once_make_one_chain_without_gap_or_fork(app, book):
    def attempt(number):
        return post(book, make_draft(f"rival{number}"))

    results = run_together(app, attempt, 20)
    assert sorted(results) == list(range(1, 21))
    assert check_chain(db.session(), book).findings == ()
    assert check_balances(db.session(), book).findings == ()


def test_the_same_event_brought_by_rivals_at_once_is_posted_once(app, book):
    results = run_together(app, lambda _number: post(book, make_draft("the same")), 10)
    assert results == [1] * 10
    assert count_entries() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET subject = 'x'",
        "UPDATE entry SET hash = hash",
        "DELETE FROM entry",
        "UPDATE leg SET amount_satang = 1",
        "DELETE FROM leg",
        "UPDATE ledger_account SET code = 'x'",
        "DELETE FROM ledger_account",
    ],
)
def test_an_entry_cannot_be_changed_through_sql(book, statement):
    post(book, make_draft())
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text(statement))
    assert check_chain(db.session(), book).findings == ()
    assert check_balances(db.session(), book).findings == ()


def test_replace_and_truncate_are_refused_as_well(app, book):
    post(book, make_draft())
    statement = "INSERT OR REPLACE INTO leg SELECT entry_id, line, from_account_id, to_account_id, 7, rule FROM leg"
    if db.engine.dialect.name == "postgresql":
        statement = "TRUNCATE leg"
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text(statement))
    assert queries.summed_balances(db.session(), book)["deposit"] == 500


def test_on_postgresql_the_triggers_fire_even_for_a_replica_session(postgresql_app):
    with transaction() as session:
        book = services.open_book(session, "village", "founding")
        services.open_account(session, book, "bank", DEBIT)
        services.open_account(session, book, "deposit", CREDIT)
    post(book, make_draft())
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE leg SET amount_satang = 1"))


def test_sqlite_stores_no_fraction_of_a_satang(sqlite_app):
    with transaction() as session:
        book = services.open_book(session, "village", "founding")
        services.open_account(session, book, "bank", DEBIT)
        services.open_account(session, book, "deposit", CREDIT)
    post(book, make_draft())
    statement = (
        "INSERT INTO leg SELECT entry_id, 2, from_account_id, to_account_id, 1.5, rule FROM leg"
    )
    with pytest.raises(DBAPIError, match="ck_leg_whole"), transaction() as session:
        session.execute(text(statement))


def test_the_self_test_passes_and_leaves_nothing_behind(book):
    require_protected_books()
    assert count_entries() == 0
    assert db.session.scalar(select(func.count()).select_from(Book)) == 1


@pytest.mark.parametrize("table", ["entry", "leg", "ledger_account"])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_self_test_refuses_when_a_trigger_is_missing(book, table, verb):
    drop_trigger(table, verb)
    with pytest.raises(LedgerUnprotected):
        require_protected_books()
    assert count_entries() == 0


def drop_trigger(table, verb):
    with transaction() as session:
        if db.engine.dialect.name == "postgresql":
            session.execute(text(f"DROP TRIGGER {table}_refuses_change ON {table}"))
        else:
            session.execute(text(f"DROP TRIGGER {table}_refuses_{verb}"))


def count_entries():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Entry))
