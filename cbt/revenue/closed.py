"""Closed periods: snapshots, statements, what rules found, keys and signatures; and disputed lines."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.signing import SignerRole

_WAITS = text("used_at IS NULL AND withdrawn_at IS NULL")
_FIRST = text("follows IS NULL")


class CloseDraft(Base):
    """A close that one person prepared and a second one has not confirmed yet: at most one waits.

    `fingerprint` is over the figures that were shown; `explanations` holds {rule: why it may pass}.
    """

    __tablename__ = "close_draft"
    __table_args__ = (
        CheckConstraint("used_at IS NULL OR withdrawn_at IS NULL", "one_end"),
        Index(
            "ix_close_draft_community_id",
            "community_id",
            unique=True,
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    month: Mapped[date]
    fingerprint: Mapped[str]
    explanations: Mapped[dict[str, str]]
    prepared_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    prepared_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class Period(Base):
    """A closed month of a community. `closing_seq` is the last entry that its books held then.

    `record` is the text that its signers vouch for, `seal` the short one that they sign.
    """

    __tablename__ = "period"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        UniqueConstraint("community_id", "month"),
        CheckConstraint("prepared_by <> approved_by", "two_people"),
        CheckConstraint("closing_seq >= 0 AND number > 0", "numbers"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    number: Mapped[int]
    month: Mapped[date]
    closing_seq: Mapped[int]
    head_hash: Mapped[str]
    statement_root: Mapped[str]
    record: Mapped[str]
    seal: Mapped[str]
    prepared_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    prepared_at: Mapped[datetime]
    approved_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    closed_at: Mapped[datetime]


class PeriodBalance(Base):
    """An account in a period's snapshot, on its normal side, in satang."""

    __tablename__ = "period_balance"
    __table_args__ = (
        CheckConstraint("debits_satang >= 0 AND credits_satang >= 0", "moved"),
        APPEND_ONLY,
    )

    period_id: Mapped[int] = mapped_column(ForeignKey("period.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"), primary_key=True)
    opening_satang: Mapped[int]
    debits_satang: Mapped[int]
    credits_satang: Mapped[int]
    closing_satang: Mapped[int]


class HouseholdStatement(Base):
    """A household's statement of a period, as it is hashed. `place` is its leaf in the tree, from 0."""

    __tablename__ = "household_statement"
    __table_args__ = (UniqueConstraint("period_id", "household_id"), APPEND_ONLY)

    period_id: Mapped[int] = mapped_column(ForeignKey("period.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    text: Mapped[str]
    leaf_hash: Mapped[str]
    earned_satang: Mapped[int]


class PeriodRule(Base):
    """What a rule found at a close, and why a warning passed."""

    __tablename__ = "period_rule"
    __table_args__ = (one_of("verdict", Verdict), one_of("severity", Severity), APPEND_ONLY)

    period_id: Mapped[int] = mapped_column(ForeignKey("period.id"), primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    severity: Mapped[str]
    threshold: Mapped[str]
    inputs: Mapped[dict[str, Any]]
    explanation: Mapped[str]


class SigningKey(Base):
    """A key that signs periods. One that `follows` another takes its place; the old keeps proving.

    `locked` is a person's private key under their password; the platform's stays in its file.
    `endorsement` is the platform's signature that the key is this person's.
    """

    __tablename__ = "signing_key"
    __table_args__ = (
        UniqueConstraint("public_key"),
        UniqueConstraint("follows"),
        one_of("role", SignerRole),
        CheckConstraint("(role = 'platform') = (community_id IS NULL)", "community"),
        CheckConstraint("(role = 'platform') = (person_id IS NULL)", "person"),
        CheckConstraint("(role = 'platform') = (locked IS NULL)", "locked"),
        Index(
            "ix_signing_key_community_id",
            *("community_id", "role", "person_id"),
            unique=True,
            sqlite_where=_FIRST,
            postgresql_where=_FIRST,
        ),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int | None] = mapped_column(ForeignKey("community.id"))
    role: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    public_key: Mapped[str]
    locked: Mapped[str | None]
    follows: Mapped[int | None] = mapped_column(ForeignKey("signing_key.id"))
    reason: Mapped[str]
    endorsement: Mapped[str]
    recorded_at: Mapped[datetime]


class PeriodSignature(Base):
    """One signer's signature of a period's seal."""

    __tablename__ = "period_signature"
    __table_args__ = (one_of("role", SignerRole), APPEND_ONLY)

    period_id: Mapped[int] = mapped_column(ForeignKey("period.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("signing_key.id"))
    signed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    signature: Mapped[str]
    signed_at: Mapped[datetime]


class LineDispute(Base):
    """A household says that a line of its statement is wrong; payouts hold back that amount alone.

    Somebody answers by a day; the household accepts the answer, or the mentor is told and decides.
    """

    __tablename__ = "line_dispute"
    __table_args__ = (
        UniqueConstraint("community_id", "entry_seq", "leg"),
        CheckConstraint("amount_satang >= 0", "amount"),
        CheckConstraint("(answered_at IS NULL) = (answered_by IS NULL)", "answered"),
        CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", "decided"),
        CheckConstraint("accepted_at IS NULL OR decided_at IS NULL", "one_end"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    entry_seq: Mapped[int]
    leg: Mapped[int]
    amount_satang: Mapped[int]
    what: Mapped[str]
    opened_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    opened_at: Mapped[datetime]
    answer_by: Mapped[date]
    answer: Mapped[str | None]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    answered_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    passed_at: Mapped[datetime | None]
    decision: Mapped[str | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
