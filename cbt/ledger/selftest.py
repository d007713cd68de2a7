"""Before serving: try to change an entry, look at every append-only table, and refuse if one gives way."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cbt.db import Base, is_append_only, transaction
from cbt.errors import LedgerUnprotected
from cbt.ledger import services
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.models import CREDIT, DEBIT

_ATTEMPTS = {
    "update an entry": "UPDATE entry SET subject = 'changed' WHERE book_id = :book",
    "delete an entry": "DELETE FROM entry WHERE book_id = :book",
    "update a leg": "UPDATE leg SET amount_satang = 2 WHERE from_account_id = :account",
    "delete a leg": "DELETE FROM leg WHERE from_account_id = :account",
    "update an account": "UPDATE ledger_account SET code = 'changed' WHERE id = :account",
    "delete an account": "DELETE FROM ledger_account WHERE id = :account",
}
_SQLITE_ATTEMPTS = {
    "replace a leg": (
        "INSERT OR REPLACE INTO leg"
        " SELECT entry_id, line, from_account_id, to_account_id, 2, rule"
        " FROM leg WHERE from_account_id = :account"
    ),
}
# tried, TRUNCATE would lock out every reader, and tables may be empty; so we look whether a trigger that
# fires always would refuse each change. That its function refuses at all, the attempts above prove.
_OPEN_ON_POSTGRESQL = """
SELECT c.relname FROM pg_class c
WHERE c.relname = ANY(:tables)
  AND c.relnamespace = current_schema()::regnamespace
  AND EXISTS (
    SELECT 1 FROM (VALUES
      (8, has_table_privilege(c.oid, 'DELETE')),
      (16, has_any_column_privilege(c.oid, 'UPDATE')),
      (32, has_table_privilege(c.oid, 'TRUNCATE'))
    ) AS verb (bit, is_granted)
    WHERE is_granted AND NOT EXISTS (
      SELECT 1 FROM pg_trigger t
      WHERE t.tgrelid = c.oid AND (t.tgtype & bit) <> 0 AND (t.tgtype & 2) <> 0
        AND t.tgenabled = 'A' AND t.tgqual IS NULL AND t.tgattr = ''::int2vector
        AND t.tgfoid = to_regprocedure('refuse_change()')
    )
  )
ORDER BY c.relname
"""
_ON_SQLITE = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'trigger')"
_VERBS = ("UPDATE", "DELETE")
_REFUSALS = ("append-only", "permission denied")  # by our trigger, or by a missing grant


class _Undo(Exception):
    """Leaves the transaction without a trace."""


def require_protected_books() -> None:
    """Raise LedgerUnprotected if an append-only record could be changed. Leaves nothing behind."""
    try:
        with transaction() as session:
            _try_everything(session)
            raise _Undo
    except _Undo:
        pass


def _try_everything(session: Session) -> None:
    values = _post_a_trial_entry(session)
    dialect = session.connection().dialect.name
    extra = _SQLITE_ATTEMPTS if dialect == "sqlite" else {}
    for attempt, statement in {**_ATTEMPTS, **extra}.items():
        try:
            with session.begin_nested():
                session.execute(text(statement), values)
        except DBAPIError as error:
            if any(words in str(error.orig) for words in _REFUSALS):
                continue
        raise LedgerUnprotected(attempt=attempt)
    for table in find_unprotected(session):
        raise LedgerUnprotected(attempt=f"change {table}")


def find_unprotected(session: Session) -> list[str]:
    """The append-only tables of which some trigger that refuses changes is missing or asleep."""
    tables = [each.name for each in Base.metadata.sorted_tables if is_append_only(each)]
    if session.connection().dialect.name == "postgresql":
        return list(session.scalars(text(_OPEN_ON_POSTGRESQL), {"tables": tables}))
    found = {row.name: row.sql for row in session.execute(text(_ON_SQLITE))}
    tables = [each for each in tables if each in found]  # one that is gone fails by itself
    return [
        table
        for table in tables
        if any(
            found.get(f"{table}_refuses_{verb.lower()}") != _refusal(table, verb) for verb in _VERBS
        )
    ]


def _refusal(table: str, verb: str) -> str:
    """SQLite's trigger that refuses a verb on a table, word for word as the migrations make it."""
    return (
        f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, 'append-only: {verb} on {table} is refused'); END"
    )


def _post_a_trial_entry(session: Session) -> dict[str, int]:
    book = services.open_book(session, "self-test", "self-test")
    services.open_account(session, book, "left", DEBIT, may_go_negative=True)
    services.open_account(session, book, "right", CREDIT)
    now = datetime.now(UTC)
    draft = Draft(
        kind="self_test",
        subject="self-test",
        effective_on=now.date(),
        legs=(Leg("left", "right", 1, "self_test"),),
        key="self-test",
        actor="self-test",
    )
    services.post(session, book, draft, now)
    account = session.scalar(
        text("SELECT id FROM ledger_account WHERE book_id = :book AND code = 'left'"),
        {"book": book},
    )
    return {"book": book, "account": account}
