"""What goes into the funds beside tourism, requests for money out of them, and loans."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.funds import ClaimState, Giver, LoanState, Purpose
from cbt.revenue.policy import Bucket


class FundCeiling(Base):
    """A ceiling as the community set it; the newest of a fund and purpose counts."""

    __tablename__ = "fund_ceiling"
    __table_args__ = (
        one_of("purpose", Purpose),
        CheckConstraint("once_satang > 0 AND yearly_satang >= once_satang", "amounts"),
        Index("ix_fund_ceiling_community_id", "community_id", "fund", "purpose"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    fund: Mapped[str]
    purpose: Mapped[str]
    once_satang: Mapped[int]
    yearly_satang: Mapped[int]
    reason: Mapped[str]
    set_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[datetime]


class Contribution(Base):
    """Money that members, local government or the state put into a fund. A fact."""

    __tablename__ = "contribution"
    __table_args__ = (
        UniqueConstraint("community_id", "bank_reference"),
        one_of("giver", Giver),
        CheckConstraint("amount_satang > 0", "positive"),
        Index("ix_contribution_community_id", "community_id", "fund"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    fund: Mapped[str]
    giver: Mapped[str]
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    amount_satang: Mapped[int]
    account: Mapped[str]
    bank_reference: Mapped[str | None]
    note: Mapped[str]
    given_on: Mapped[date]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class FundClaim(Base):
    """A request for money out of a fund, with its evidence, until it was paid and confirmed."""

    __tablename__ = "fund_claim"
    __table_args__ = (
        UniqueConstraint("community_id", "bank_reference"),
        one_of("purpose", Purpose),
        one_of("state", ClaimState),
        CheckConstraint("amount_satang > 0", "positive"),
        CheckConstraint(f"fund <> '{Bucket.REVOLVE}'", "never_revolving"),
        CheckConstraint("(state IN ('paid', 'confirmed')) = (paid_on IS NOT NULL)", "paid"),
        Index("ix_fund_claim_community_id", "community_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    fund: Mapped[str]
    purpose: Mapped[str]
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    payee: Mapped[str]
    what: Mapped[str]
    amount_satang: Mapped[int]
    evidence: Mapped[str]
    evidence_sha256: Mapped[str]
    state: Mapped[str]
    requested_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    requested_at: Mapped[datetime]
    paid_on: Mapped[date | None]
    paid_from: Mapped[str | None]
    bank_reference: Mapped[str | None]
    paid_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime | None]
    refused_for: Mapped[str | None]
    refused_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    refused_at: Mapped[datetime | None]


class Loan(Base):
    """Money lent to a household or a group out of the revolving fund, without interest."""

    __tablename__ = "loan"
    __table_args__ = (
        UniqueConstraint("community_id", "bank_reference"),
        one_of("state", LoanState),
        CheckConstraint("amount_satang > 0 AND instalments > 0", "amounts"),
        Index("ix_loan_community_id", "community_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    borrower: Mapped[str]
    what: Mapped[str]
    amount_satang: Mapped[int]
    instalments: Mapped[int]
    first_due_on: Mapped[date]
    state: Mapped[str]
    requested_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    requested_at: Mapped[datetime]
    lent_on: Mapped[date | None]
    paid_from: Mapped[str | None]
    bank_reference: Mapped[str | None]
    lent_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    waived_on: Mapped[date | None]
    refused_for: Mapped[str | None]
    refused_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    refused_at: Mapped[datetime | None]


class FundApproval(Base):
    """One of the two people who stand for a claim, a loan, or for waiving the rest of a loan. A fact."""

    __tablename__ = "fund_approval"
    __table_args__ = (
        UniqueConstraint("claim_id", "person_id"),
        UniqueConstraint("loan_id", "waives", "person_id"),
        CheckConstraint("(claim_id IS NULL) <> (loan_id IS NULL)", "about"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    claim_id: Mapped[int | None] = mapped_column(ForeignKey("fund_claim.id"))
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loan.id"))
    waives: Mapped[bool]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime]


class Repayment(Base):
    """Some of a loan that was paid back. A fact."""

    __tablename__ = "repayment"
    __table_args__ = (
        UniqueConstraint("loan_id", "bank_reference"),
        CheckConstraint("amount_satang > 0", "positive"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"))
    amount_satang: Mapped[int]
    account: Mapped[str]
    bank_reference: Mapped[str | None]
    repaid_on: Mapped[date]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]
