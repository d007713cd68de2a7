"""Opening accounts in books that exist already; new books get them where a community is founded."""

import sqlalchemy as sa
from alembic import op


def open_in_every_book(code: str, side: str, *, may_go_negative: bool = False) -> None:
    """Open an account in each book that does not have it yet; `side` is "debit" or "credit"."""
    op.execute(
        sa.text(
            "INSERT INTO ledger_account (book_id, code, normal_side, may_go_negative)"
            " SELECT id, :code, :side, :negative FROM book WHERE NOT EXISTS (SELECT 1 FROM"
            " ledger_account WHERE ledger_account.book_id = book.id AND code = :code)"
        ).bindparams(sa.bindparam("negative", may_go_negative, sa.Boolean()), code=code, side=side)
    )
    begin_balances()


def begin_balances() -> None:
    """Let every account that has no running balance begin at nothing."""
    op.execute(
        "INSERT INTO account_balance (account_id, may_go_negative, balance_satang)"
        " SELECT id, may_go_negative, 0 FROM ledger_account"
        " WHERE id NOT IN (SELECT account_id FROM account_balance)"
    )
