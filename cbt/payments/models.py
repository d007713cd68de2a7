"""How communities are paid, every try to pay, the money that came, and money given back.

What providers and banks report beside that (events, transactions, payouts, disputes, statements)
stands in `reported.py`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.payments.account_rules import ProposalState
from cbt.payments.provider import AttemptState, Failure, PayMethod, RefundReason, RefundState


class PaymentAccount(Base):
    """A way in which a community takes payment: its own account, never the platform's.

    `receiver` holds what the provider needs ({"kind": "phone", "id": ...} for PromptPay, {"account":
    ...} for a connected one at Stripe, {"guests": "yes"} for cash that guests may choose themselves)
    and `receiver_name` what the payer will see. `attempts` is counted up to lock the row. Guests are
    offered it while `is_open`; `account` is its id at a provider that tells us ("" for the
    installation's own), which nobody else can have; `problem` is what the last check found ("" for nothing). What the
    provider lists is known up to `reconciled_until`.
    """

    __tablename__ = "payment_account"
    __table_args__ = (
        UniqueConstraint("community_id", "provider"),
        UniqueConstraint("provider", "account"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    provider: Mapped[str]
    position: Mapped[int]
    receiver: Mapped[dict[str, str]]
    receiver_name: Mapped[dict[str, str]]
    attempts: Mapped[int] = mapped_column(default=0)
    account: Mapped[str | None]
    is_open: Mapped[bool] = mapped_column(default=True)
    checked_at: Mapped[datetime | None]
    problem: Mapped[str] = mapped_column(default="")
    reconciled_until: Mapped[datetime | None]


class AccountProposal(Base):
    """Where a community's money shall go, proposed by one person; another one agrees before it does.

    `before` and `after` hold {"receiver": ..., "receiver_name": ...}; `before` is {} for a way to be
    paid that is new. `reason` is why it was refused or withdrawn. One of a way waits at a time.
    """

    __tablename__ = "account_proposal"
    __table_args__ = (
        one_of("state", ProposalState),
        CheckConstraint("(state = 'proposed') = (decided_at IS NULL)", "decided"),
        CheckConstraint(
            "(state IN ('approved', 'refused', 'withdrawn')) = (decided_by IS NOT NULL)", "decider"
        ),
        CheckConstraint(
            "state NOT IN ('approved', 'refused') OR decided_by <> proposed_by", "two_people"
        ),
        CheckConstraint("state <> 'withdrawn' OR decided_by = proposed_by", "own"),
        Index("ix_account_proposal_community_id", "community_id"),
        Index(
            "uq_account_proposal_waiting",
            *("community_id", "provider"),
            unique=True,
            sqlite_where=text("state = 'proposed'"),
            postgresql_where=text("state = 'proposed'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    provider: Mapped[str]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    proposed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    proposed_at: Mapped[datetime]
    state: Mapped[str]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")


class AccountChange(Base):
    """Somebody changed where a community's money goes, or what guests are offered: a fact.

    `before` is {} for a way to be paid that was new; `agreed_by` is the second of two people.
    """

    __tablename__ = "account_change"
    __table_args__ = (
        CheckConstraint("agreed_by IS NULL OR agreed_by <> changed_by", "two_people"),
        Index("ix_account_change_payment_account_id", "payment_account_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    changed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    agreed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    changed_at: Mapped[datetime]


class MoneyRule(Base):
    """From which amounts on a community asks for two people; each change is a row more, a fact.

    Without a row, the defaults hold.
    """

    __tablename__ = "money_rule"
    __table_args__ = (
        CheckConstraint("two_people_from_satang > 0 AND approve_from_satang > 0", "positive"),
        Index("ix_money_rule_community_id", "community_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    two_people_from_satang: Mapped[int]
    approve_from_satang: Mapped[int]
    set_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[datetime]


class Attempt(Base):
    """One try to pay a booking. Any number may fail; the booking outlives them."""

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("booking_id", "number"),
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("state", AttemptState),
        one_of("failure", Failure),
        Index("ix_attempt_payment_account_id", "payment_account_id", "state"),
        Index("ix_attempt_state", "state", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    provider: Mapped[str]
    number: Mapped[int]
    state: Mapped[str]
    amount_satang: Mapped[int]
    provider_ref: Mapped[str | None] = mapped_column(unique=True)
    qr_payload: Mapped[str]
    page_url: Mapped[str] = mapped_column(default="")
    failure: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    reported_at: Mapped[datetime | None]


class Capture(Base):
    """Money that arrived, as its provider reports it: a fact, never changed.

    `buys` tells whether it paid for its booking or is surplus that must go back.
    """

    __tablename__ = "capture"
    __table_args__ = (
        UniqueConstraint("provider", "payment_id"),
        UniqueConstraint("community_id", "receipt_number"),
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("method", PayMethod),
        Index("ix_capture_booking_id", "booking_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"))
    provider: Mapped[str]
    payment_id: Mapped[str]
    method: Mapped[str]
    amount_satang: Mapped[int]
    paid_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    receipt_number: Mapped[int]
    buys: Mapped[bool]


class CaptureFee(Base):
    """What the provider kept of a capture, in its own figure; it may be known only later.

    `vat_satang` is the tax in it.
    """

    __tablename__ = "capture_fee"
    __table_args__ = (
        CheckConstraint("amount_satang >= 0", "not_negative"),
        CheckConstraint("vat_satang >= 0 AND vat_satang <= amount_satang", "vat"),
        APPEND_ONLY,
    )

    capture_id: Mapped[int] = mapped_column(ForeignKey("capture.id"), primary_key=True)
    amount_satang: Mapped[int]
    vat_satang: Mapped[int] = mapped_column(default=0)
    reported_at: Mapped[datetime]


class CaptureBalance(Base):
    """How much of a capture goes or went back; the database itself refuses more than came in.

    What a payer's bank disputes counts as going back until the dispute is won.
    """

    __tablename__ = "capture_balance"
    __table_args__ = (
        CheckConstraint(
            "returning_satang >= 0 AND returning_satang <= amount_satang", "never_more_than_came"
        ),
    )

    capture_id: Mapped[int] = mapped_column(ForeignKey("capture.id"), primary_key=True)
    amount_satang: Mapped[int]
    returning_satang: Mapped[int] = mapped_column(default=0)


class Refund(Base):
    """Money to give back, until it has been given back; numbered from 1 within its capture.

    `done_by` is "person:7" where somebody transferred it by hand, `proof` then the bank's reference,
    and `paid_from` the provider whose account it left. `action_until` is when the guest's time to
    name a bank account ends. `asked_at` is when its provider was asked first, whatever came of it.
    `by_dispute_id` is the lost dispute by which the guest had it from the bank. `was_split` says that the
    booking's money had been shared out before: the shares bear it then, and the split stays what it was.
    """

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("capture_id", "number"),
        CheckConstraint("amount_satang > 0 AND fee_returned_satang >= 0", "amounts"),
        one_of("state", RefundState),
        one_of("reason", RefundReason),
        CheckConstraint("(state = 'succeeded') = (done_at IS NOT NULL)", "done"),
        CheckConstraint("(by_dispute_id IS NULL) = (by_bank_at IS NULL)", "bank"),
        CheckConstraint("state <> 'by_bank' OR by_dispute_id IS NOT NULL", "by_bank"),
        Index("ix_refund_community_id", "community_id", "state"),
        Index("ix_refund_booking_id", "booking_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    capture_id: Mapped[int] = mapped_column(ForeignKey("capture.id"))
    number: Mapped[int]
    amount_satang: Mapped[int]
    fee_returned_satang: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str]
    state: Mapped[str]
    requested_at: Mapped[datetime]
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    provider_ref: Mapped[str | None] = mapped_column(unique=True)
    action_until: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    paid_from: Mapped[str | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]
    proof: Mapped[str | None]
    by_dispute_id: Mapped[int | None] = mapped_column(ForeignKey("dispute.id"))
    by_bank_at: Mapped[datetime | None]
    was_split: Mapped[bool] = mapped_column(default=False)


class RefundReturn(Base):
    """A refund that was made and then came back to us, as when a bank refuses it days later.

    A fact: the entry that paid it and the one that undoes it both follow from this row.
    """

    __tablename__ = "refund_return"
    __table_args__ = (CheckConstraint("amount_satang > 0", "positive"), APPEND_ONLY)

    refund_id: Mapped[int] = mapped_column(ForeignKey("refund.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    amount_satang: Mapped[int]
    fee_returned_satang: Mapped[int]
    paid_from: Mapped[str]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    returned_at: Mapped[datetime]


class Credit(Base):
    """Money that a guest left with the community for another trip: owed, and nobody's income yet.

    `frozen_satang` of it disputes hold, or took back when they were lost: it cannot be used.
    """

    __tablename__ = "credit"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        CheckConstraint(
            "used_satang >= 0 AND frozen_satang >= 0"
            " AND used_satang + frozen_satang <= amount_satang",
            "never_overused",
        ),
        Index("ix_credit_booking_id", "booking_id"),
        Index("ix_credit_community_id", "community_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    amount_satang: Mapped[int]
    used_satang: Mapped[int] = mapped_column(default=0)
    frozen_satang: Mapped[int] = mapped_column(default=0)
    issued_at: Mapped[datetime]


class CreditUse(Base):
    """Credit that went into a booking: a fact, never changed."""

    __tablename__ = "credit_use"
    __table_args__ = (
        UniqueConstraint("credit_id", "booking_id", "number"),
        CheckConstraint("amount_satang > 0", "positive"),
        Index("ix_credit_use_booking_id", "booking_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    credit_id: Mapped[int] = mapped_column(ForeignKey("credit.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    number: Mapped[int]
    amount_satang: Mapped[int]
    used_at: Mapped[datetime]


class TransferLook(Base):
    """The first of two people saw a transfer of a large amount; the second confirms or dismisses it."""

    __tablename__ = "transfer_look"
    __table_args__ = (
        CheckConstraint("(dismissed_at IS NULL) = (dismissed_by IS NULL)", "dismissed"),
        Index("ix_transfer_look_attempt_id", "attempt_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"))
    bank: Mapped[str]
    bank_reference: Mapped[str | None]
    looked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    looked_at: Mapped[datetime]
    dismissed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    dismissed_at: Mapped[datetime | None]


class TransferConfirmation(Base):
    """A person of the community saw a PromptPay transfer in the bank account.

    Of a large amount two people saw it: `seen_by` first, then `confirmed_by`. `bank` is the sending
    bank's three digits where the slip told them, else "". `paid_at` is the bank's own time, where a
    line of its statement told it.
    """

    __tablename__ = "transfer_confirmation"
    __table_args__ = (
        UniqueConstraint(
            "payment_account_id", "bank", "bank_reference", name="uq_transfer_confirmation_slip"
        ),
        CheckConstraint("seen_by IS NULL OR seen_by <> confirmed_by", "two_people"),
        Index("ix_transfer_confirmation_attempt_id", "attempt_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"))
    amount_satang: Mapped[int]
    bank: Mapped[str] = mapped_column(default="")
    bank_reference: Mapped[str | None]
    seen_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]


# --- cash ----------------------------------------------------------------------------------------


class CashTaken(Base):
    """A person of the community took a guest's cash: a fact, never changed."""

    __tablename__ = "cash_taken"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        Index("ix_cash_taken_attempt_id", "attempt_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"))
    amount_satang: Mapped[int]
    taken_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    taken_at: Mapped[datetime]


class CashCount(Base):
    """Two people counted the cash box. What it held and what the books said stand side by side.

    It counts once the second person has agreed; the difference then enters the books.
    """

    __tablename__ = "cash_count"
    __table_args__ = (
        CheckConstraint("counted_satang >= 0", "not_negative"),
        CheckConstraint("(agreed_at IS NULL) = (agreed_by IS NULL)", "agreed"),
        CheckConstraint("agreed_by IS NULL OR agreed_by <> counted_by", "two_people"),
        CheckConstraint("agreed_at IS NULL OR dismissed_at IS NULL", "one_end"),
        Index("ix_cash_count_community_id", "community_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    expected_satang: Mapped[int]
    counted_satang: Mapped[int]
    note: Mapped[str]
    counted_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    counted_at: Mapped[datetime]
    agreed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    agreed_at: Mapped[datetime | None]
    dismissed_at: Mapped[datetime | None]


class CashBanked(Base):
    """Cash that somebody says was carried from the box to the community's bank account: a fact.

    It is on its way until it is cleared.
    """

    __tablename__ = "cash_banked"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        UniqueConstraint("community_id", "bank_reference"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    amount_satang: Mapped[int]
    bank_reference: Mapped[str]
    banked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    banked_at: Mapped[datetime]


class CashCleared(Base):
    """What became of cash on its way to the bank: a fact.

    It arrived, as a line of the bank's statement (`line_id`) or a second person's eyes show; or a
    second person says that it `is_back` in the box. `banked_by` stands here once more, so that the
    database itself can refuse one person as two.
    """

    __tablename__ = "cash_cleared"
    __table_args__ = (
        CheckConstraint("line_id IS NOT NULL OR cleared_by <> banked_by", "two_people"),
        CheckConstraint("line_id IS NULL OR NOT is_back", "one_end"),
        APPEND_ONLY,
    )

    banked_id: Mapped[int] = mapped_column(ForeignKey("cash_banked.id"), primary_key=True)
    is_back: Mapped[bool]
    line_id: Mapped[int | None] = mapped_column(ForeignKey("statement_line.id"))
    banked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    cleared_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    cleared_at: Mapped[datetime]


class DemoEvent(Base):
    """What happened at the pretended provider: its side of a payment, kept apart from ours."""

    __tablename__ = "demo_event"

    provider_ref: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    amount_satang: Mapped[int]
    happens_at: Mapped[datetime]
