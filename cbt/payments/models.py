"""How communities are paid, every try to pay, the money that came, and money given back."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.payments.provider import AttemptState, RefundReason, RefundState


class PaymentAccount(Base):
    """A way in which a community takes payment: its own account, never the platform's.

    `receiver` holds what the provider needs ({"kind": "phone", "id": ...} for PromptPay) and
    `receiver_name` what the payer will see. `attempts` is counted up to lock the row.
    """

    __tablename__ = "payment_account"
    __table_args__ = (UniqueConstraint("community_id", "provider"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    provider: Mapped[str]
    position: Mapped[int]
    receiver: Mapped[dict[str, str]]
    receiver_name: Mapped[dict[str, str]]
    attempts: Mapped[int] = mapped_column(default=0)


class Attempt(Base):
    """One try to pay a booking. Any number may fail; the booking outlives them."""

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("booking_id", "number"),
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("state", AttemptState),
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
        Index("ix_capture_booking_id", "booking_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"))
    provider: Mapped[str]
    payment_id: Mapped[str]
    amount_satang: Mapped[int]
    paid_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    receipt_number: Mapped[int]
    buys: Mapped[bool]


class CaptureFee(Base):
    """What the provider kept of a capture, in its own figure; it may be known only later."""

    __tablename__ = "capture_fee"
    __table_args__ = (CheckConstraint("amount_satang >= 0", "not_negative"), APPEND_ONLY)

    capture_id: Mapped[int] = mapped_column(ForeignKey("capture.id"), primary_key=True)
    amount_satang: Mapped[int]
    reported_at: Mapped[datetime]


class CaptureBalance(Base):
    """How much of a capture goes or went back; the database itself refuses more than came in."""

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
    """Money to give back, until it has been given back; numbered from 1 within its capture."""

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("capture_id", "number"),
        CheckConstraint("amount_satang > 0 AND fee_returned_satang >= 0", "amounts"),
        one_of("state", RefundState),
        one_of("reason", RefundReason),
        CheckConstraint("(state = 'succeeded') = (done_at IS NOT NULL)", "done"),
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
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]
    proof: Mapped[str | None]


class Credit(Base):
    """Money that a guest left with the community for another trip: owed, and nobody's income yet."""

    __tablename__ = "credit"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        CheckConstraint("used_satang >= 0 AND used_satang <= amount_satang", "never_overused"),
        Index("ix_credit_booking_id", "booking_id"),
        Index("ix_credit_community_id", "community_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    amount_satang: Mapped[int]
    used_satang: Mapped[int] = mapped_column(default=0)
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


class TransferConfirmation(Base):
    """A person of the community saw a PromptPay transfer in the bank account."""

    __tablename__ = "transfer_confirmation"
    __table_args__ = (
        UniqueConstraint("payment_account_id", "bank_reference"),
        Index("ix_transfer_confirmation_attempt_id", "attempt_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_account_id: Mapped[int] = mapped_column(ForeignKey("payment_account.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"))
    amount_satang: Mapped[int]
    bank_reference: Mapped[str | None]
    confirmed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime]


class DemoEvent(Base):
    """What happened at the pretended provider: its side of a payment, kept apart from ours."""

    __tablename__ = "demo_event"

    provider_ref: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    amount_satang: Mapped[int]
    happens_at: Mapped[datetime]
