"""The books. Entries, legs and accounts are append-only: triggers refuse every change (migrations)."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base

DEBIT, CREDIT = "debit", "credit"


class Book(Base):
    """One community's books; the row that every posting locks first. Its head is a checked copy."""

    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    genesis_hash: Mapped[str]
    head_seq: Mapped[int] = mapped_column(default=0)
    head_hash: Mapped[str]


class LedgerAccount(Base):
    """A place where a book's money is or is owed."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("book_id", "code"),
        CheckConstraint("normal_side IN ('debit', 'credit')", "side"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    code: Mapped[str]
    normal_side: Mapped[str]
    may_go_negative: Mapped[bool]


class AccountBalance(Base):
    """An account's running balance on its normal side: a copy that the audit compares with the legs.

    The database itself refuses to take an account below zero that must not go there.
    """

    __tablename__ = "account_balance"
    __table_args__ = (CheckConstraint("may_go_negative OR balance_satang >= 0", "not_below_zero"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"), primary_key=True)
    may_go_negative: Mapped[bool]
    balance_satang: Mapped[int] = mapped_column(default=0)


class Entry(Base):
    """One economic event, at its place in the chain of its book."""

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("book_id", "seq"),
        UniqueConstraint("book_id", "key"),
        Index("ix_entry_book_id_subject", "book_id", "subject"),
        Index("ix_entry_book_id_effective_on", "book_id", "effective_on"),
        CheckConstraint("seq > 0", "seq"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    seq: Mapped[int]
    kind: Mapped[str]
    subject: Mapped[str]
    recorded_at: Mapped[datetime]
    effective_on: Mapped[date]
    policy_hash: Mapped[str]
    input_hash: Mapped[str]
    reverses: Mapped[int]
    key: Mapped[str]
    fingerprint: Mapped[str]
    actor: Mapped[str]
    amount_satang: Mapped[int]
    leg_count: Mapped[int]
    previous_hash: Mapped[str]
    hash: Mapped[str]


class EntryLeg(Base):
    """Money moved by an entry from one ledger account to another, in satang."""

    __tablename__ = "leg"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        CheckConstraint("from_account_id <> to_account_id", "two_accounts"),
        # SQLite would store 1.5 in an integer column
        CheckConstraint("typeof(amount_satang) = 'integer'", "whole").ddl_if(dialect="sqlite"),
        Index("ix_leg_from_account_id", "from_account_id", "amount_satang"),
        Index("ix_leg_to_account_id", "to_account_id", "amount_satang"),
        APPEND_ONLY,
    )

    entry_id: Mapped[int] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    from_account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    to_account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    amount_satang: Mapped[int]
    rule: Mapped[str]
