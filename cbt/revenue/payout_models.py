"""Where households want to be paid, payout batches, and what became of each line."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.paying_out import BatchState, ExportKind, LineState, PayeeKind, PayeeState, Step


class Payee(Base):
    """How a household is paid. Named by one person, agreed by another, then used until replaced.

    Personal data: never in the books, in no export but the bank's.
    """

    __tablename__ = "payee"
    __table_args__ = (
        one_of("kind", PayeeKind),
        one_of("state", PayeeState),
        CheckConstraint("agreed_by IS NULL OR agreed_by <> named_by", "two_people"),
        Index("ix_payee_household_id", "household_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    kind: Mapped[str]
    bank: Mapped[str]
    number: Mapped[str]
    holder: Mapped[str]
    state: Mapped[str]
    named_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    named_at: Mapped[datetime]
    agreed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    agreed_at: Mapped[datetime | None]


class PayoutBatch(Base):
    """What a treasurer wants to pay out at once, until another person approves it.

    A community has one drafted batch at most, so that nobody is planned twice.
    """

    __tablename__ = "payout_batch"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        one_of("state", BatchState),
        CheckConstraint("(state = 'drafted') = (decided_at IS NULL)", "decided"),
        CheckConstraint("state <> 'approved' OR decided_by <> drafted_by", "two_people"),
        Index(
            "ix_payout_batch_open",
            "community_id",
            unique=True,
            sqlite_where=text("state = 'drafted'"),
            postgresql_where=text("state = 'drafted'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    number: Mapped[int]
    least_satang: Mapped[int]
    state: Mapped[str]
    drafted_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    drafted_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]


class PayoutLine(Base):
    """One household's payout; its id is the reference that the bank is given, for ever."""

    __tablename__ = "payout_line"
    __table_args__ = (
        UniqueConstraint("batch_id", "household_id"),
        CheckConstraint("amount_satang > 0 AND recovered_satang >= 0", "amounts"),
        one_of("state", LineState),
        Index("ix_payout_line_household_id", "household_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("payout_batch.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    payee_id: Mapped[int | None] = mapped_column(ForeignKey("payee.id"))
    amount_satang: Mapped[int]
    recovered_satang: Mapped[int]
    state: Mapped[str]


class PayoutStep(Base):
    """A step of a line that the books follow: a fact."""

    __tablename__ = "payout_step"
    __table_args__ = (
        one_of("step", Step),
        CheckConstraint("amount_satang > 0", "positive"),
        Index(
            "ix_payout_step_bank_reference", "community_id", "step", "bank_reference", unique=True
        ),
        APPEND_ONLY,
    )

    line_id: Mapped[int] = mapped_column(ForeignKey("payout_line.id"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    amount_satang: Mapped[int]
    paid_from: Mapped[str]
    bank_reference: Mapped[str | None]
    note: Mapped[str]
    on_day: Mapped[date]
    done_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    done_at: Mapped[datetime]


class PayoutReceipt(Base):
    """The household says that the money arrived."""

    __tablename__ = "payout_receipt"
    __table_args__ = (APPEND_ONLY,)

    line_id: Mapped[int] = mapped_column(ForeignKey("payout_line.id"), primary_key=True)
    confirmed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime]


class PayoutExport(Base):
    """A file of a batch that somebody took: the first is the original, later ones are copies."""

    __tablename__ = "payout_export"
    __table_args__ = (
        one_of("kind", ExportKind),
        Index("ix_payout_export_batch_id", "batch_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("payout_batch.id"))
    kind: Mapped[str]
    exported_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    exported_at: Mapped[datetime]
