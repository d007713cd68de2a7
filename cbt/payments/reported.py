"""What providers and banks report beside payments: events, transactions, payouts, disputes, statements;
and the work list of what a person must look at.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.payments.provider import About, DisputeState, PayoutState


class InboxState(StrEnum):
    """What became of an event that was received."""

    RECEIVED = "received"
    DONE = "done"
    IGNORED = "ignored"  # of a kind that concerns nothing here
    FAILED = "failed"  # tried too often: a person must look


class InboxEvent(Base):
    """A provider's event, stored once as it came; worked off later, and only as a hint to ask."""

    __tablename__ = "inbox_event"
    __table_args__ = (
        UniqueConstraint("provider", "account", "event_id"),
        one_of("state", InboxState),
        one_of("about", About),
        Index("ix_inbox_event_state", "state", "try_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str]
    account: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    about: Mapped[str]
    object_id: Mapped[str]
    api_version: Mapped[str]
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    try_at: Mapped[datetime]
    problem: Mapped[str | None]


class ProviderTransaction(Base):
    """A movement on a community's account at a provider, as the provider lists it: a fact.

    `is_expected` tells that it is a payment, refund, dispute or payout that we know; `suspense_satang`
    what of its net nothing of ours explained, which stands in suspense until a person clears it.
    """

    __tablename__ = "provider_transaction"
    __table_args__ = (
        UniqueConstraint("provider", "transaction_id"),
        CheckConstraint("amount_satang - fee_satang = net_satang", "adds_up"),
        CheckConstraint("is_expected OR suspense_satang = net_satang", "explained"),
        Index("ix_provider_transaction_payment_account_id", "payment_account_id", "created_at"),
        Index("ix_provider_transaction_payout_id", "payout_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    provider: Mapped[str]
    transaction_id: Mapped[str]
    kind: Mapped[str]
    source_id: Mapped[str]
    amount_satang: Mapped[int]
    fee_satang: Mapped[int]
    net_satang: Mapped[int]
    created_at: Mapped[datetime]
    payout_id: Mapped[str | None]
    is_expected: Mapped[bool]
    suspense_satang: Mapped[int]
    recorded_at: Mapped[datetime]


class ProviderPayout(Base):
    """Money that a provider sent on to the community's bank. `checked_satang` is the sum of its
    transactions, once the provider has listed them.
    """

    __tablename__ = "provider_payout"
    __table_args__ = (
        UniqueConstraint("provider", "payout_id"),
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("state", PayoutState),
        Index("ix_provider_payout_payment_account_id", "payment_account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    provider: Mapped[str]
    payout_id: Mapped[str]
    amount_satang: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[datetime]
    arrives_on: Mapped[date]
    checked_satang: Mapped[int | None]
    paid_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]


class Dispute(Base):
    """A payer's bank took money back until a dispute is decided. The fee is the provider's figure.

    `reserved_satang` is what it keeps from being refunded, `credit_satang` what it keeps of the
    guest's credits from being used; `was_split` whether the booking had been split when it was opened,
    `was_cancelled` whether it had been cancelled.
    Once it was lost, `covered_satang` is what refunds owed the guest, who has it by the bank. A lost one
    that was won after all is `reinstated_at`; `fund_satang` of it then came too late for its booking's
    split.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("amount_satang > 0 AND fee_satang >= 0", "amounts"),
        CheckConstraint("reserved_satang >= 0 AND reserved_satang <= amount_satang", "reserved"),
        CheckConstraint(
            "credit_satang >= 0 AND covered_satang >= 0"
            " AND reserved_satang + credit_satang + covered_satang <= amount_satang",
            "parts",
        ),
        CheckConstraint("fund_satang >= 0 AND fund_satang <= reserved_satang", "fund"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", "closed"),
        CheckConstraint("reinstated_at IS NULL OR state = 'won'", "reinstated"),
        one_of("state", DisputeState),
        Index("ix_dispute_community_id", "community_id", "state"),
        Index("ix_dispute_booking_id", "booking_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    capture_id: Mapped[int] = mapped_column(ForeignKey("capture.id"))
    provider_ref: Mapped[str] = mapped_column(unique=True)
    amount_satang: Mapped[int]
    fee_satang: Mapped[int]
    reserved_satang: Mapped[int]
    credit_satang: Mapped[int] = mapped_column(default=0)
    covered_satang: Mapped[int] = mapped_column(default=0)
    fund_satang: Mapped[int] = mapped_column(default=0)
    state: Mapped[str]
    reason: Mapped[str]
    opened_at: Mapped[datetime]
    evidence_until: Mapped[datetime | None]
    recorded_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    closed_at: Mapped[datetime | None]
    reinstated_at: Mapped[datetime | None]
    was_split: Mapped[bool] = mapped_column(default=False)
    was_cancelled: Mapped[bool] = mapped_column(default=False)

    @property
    def deposit_satang(self) -> int:
        """What of it lies in the booking's deposit: nothing once that was split."""
        return 0 if self.was_split else self.reserved_satang

    @property
    def loss_satang(self) -> int:
        """What of it, once lost, nothing covers: neither deposit, credit nor refunds that were owed."""
        return self.amount_satang - self.deposit_satang - self.credit_satang - self.covered_satang


# --- bank statements -----------------------------------------------------------------------------


class LineState(StrEnum):
    OPEN = "open"
    MATCHED = "matched"
    SET_ASIDE = "set_aside"  # a person said what it is; it concerns no booking


class StatementImport(Base):
    """A bank statement that a person of the community read in: a fact.

    `layout` is how its columns were read, for the next file of this kind; None where it says so itself.
    """

    __tablename__ = "statement_import"
    __table_args__ = (UniqueConstraint("community_id", "sha256"), APPEND_ONLY)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    file_name: Mapped[str]
    sha256: Mapped[str]
    lines: Mapped[int]
    new_lines: Mapped[int]
    first_on: Mapped[date | None]
    last_on: Mapped[date | None]
    opening_satang: Mapped[int | None]
    closing_satang: Mapped[int | None]
    layout: Mapped[dict[str, Any] | None]
    imported_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    imported_at: Mapped[datetime]


class StatementLine(Base):
    """A line of the community's bank statement; above zero is money in. Each comes in once.

    A reversal takes an earlier line back, so it pays for nothing. `matched_to` names what a line is:
    "attempt:7" ("attempt:7:2" where it was paid a second time), "payout:3", "refund:9", "cash:2".
    """

    __tablename__ = "statement_line"
    __table_args__ = (
        UniqueConstraint("community_id", "bank_key"),
        CheckConstraint("amount_satang <> 0", "moves"),
        one_of("state", LineState),
        Index("ix_statement_line_community_id", "community_id", "state", "booked_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    import_id: Mapped[int] = mapped_column(ForeignKey("statement_import.id"))
    number: Mapped[int]
    bank_key: Mapped[str]
    booked_on: Mapped[date]
    booked_at: Mapped[datetime | None]
    amount_satang: Mapped[int]
    reference: Mapped[str]
    payer: Mapped[str]
    text: Mapped[str]
    is_reversal: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str]
    matched_to: Mapped[str | None] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(default="")
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]


class StatementReopening(Base):
    """A line that had been set aside waits again: a fact. What was `said` of it before stays here."""

    __tablename__ = "statement_reopening"
    __table_args__ = (Index("ix_statement_reopening_line_id", "line_id"), APPEND_ONLY)

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("statement_line.id"))
    said: Mapped[str]
    said_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    said_at: Mapped[datetime | None]
    reason: Mapped[str]
    reopened_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reopened_at: Mapped[datetime]


# --- the work list -------------------------------------------------------------------------------


class WorkKind(StrEnum):
    """Why a person must look."""

    UNKNOWN_MONEY = "unknown_money"  # a provider's transaction that nothing here explains
    FEE_DIFFERS = "fee_differs"
    PAYOUT_DIFFERS = "payout_differs"
    PAYOUT_FAILED = "payout_failed"
    PAYOUT_NOT_SEEN = "payout_not_seen"  # the bank statement does not show it
    TRANSFER_NOT_SEEN = "transfer_not_seen"  # confirmed, but the bank statement does not show it
    REFUND_NOT_SEEN = "refund_not_seen"  # made by hand, but the bank statement does not show it
    CASH_NOT_SEEN = "cash_not_seen"  # brought to the bank, but its statement does not show it
    CASH_ON_THE_WAY = "cash_on_the_way"  # nobody else has seen it arrive yet
    ANSWER_WRONG = "answer_wrong"  # a provider's answer contradicts what we asked
    EVENT_FAILED = "event_failed"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_LOST = "dispute_lost"
    STATEMENT_LINE = "statement_line"
    CASH_DIFFERS = "cash_differs"


class WorkItem(Base):
    """Something about money that a person must look at before a period can be closed.

    `key` names what it is about, so that finding it again opens nothing twice; `facts` holds the
    values of its sentence. Items of the whole installation have no community.
    """

    __tablename__ = "work_item"
    __table_args__ = (
        one_of("kind", WorkKind),
        CheckConstraint("(closed_at IS NULL) = (note IS NULL)", "closed"),
        Index("ix_work_item_community_id", "community_id", "closed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int | None] = mapped_column(ForeignKey("community.id"))
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    facts: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    note: Mapped[str | None]


class SuspenseMove(Base):
    """How money that nothing explained was cleared: a fact. Satang; below zero for money that left.

    `how`: "returned" to its payer, "fund" for the management fund's gain or cost.
    """

    __tablename__ = "suspense_move"
    __table_args__ = (
        CheckConstraint("amount_satang <> 0", "moves"),
        one_of("how", ("returned", "fund")),
        APPEND_ONLY,
    )

    transaction_id: Mapped[int] = mapped_column(
        ForeignKey("provider_transaction.id"), primary_key=True
    )
    amount_satang: Mapped[int]
    how: Mapped[str]
    proof: Mapped[str]
    moved_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    moved_at: Mapped[datetime]
