"""Before serving: try to change an entry, and refuse to serve if that succeeds."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cbt.db import transaction
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
# tried, TRUNCATE would lock out every reader; so we look whether a trigger would refuse it
_CAN_TRUNCATE = """
SELECT c.relname FROM pg_class c
WHERE c.relname IN ('entry', 'leg', 'ledger_account')
  AND c.relnamespace = current_schema()::regnamespace
  AND has_table_privilege(c.oid, 'TRUNCATE')
  AND NOT EXISTS (
    SELECT 1 FROM pg_trigger t
    WHERE t.tgrelid = c.oid AND (t.tgtype & 32) <> 0 AND t.tgenabled IN ('A', 'O')
  )
"""
_REFUSALS = ("append-only", "permission denied")  # by our trigger, or by a missing grant


class _Undo(Exception):
    """Leaves the transaction without a trace."""


def require_protected_books() -> None:
    """Raise LedgerUnprotected if a posted entry could be changed. Leaves nothing behind."""
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
    if dialect == "postgresql":
        for table in session.scalars(text(_CAN_TRUNCATE)):
            raise LedgerUnprotected(attempt=f"empty {table}")


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
