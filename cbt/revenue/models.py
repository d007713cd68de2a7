"""Adopted policies, who worked, and settlements."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.corrections import CorrectionState
from cbt.revenue.policy import Task
from cbt.revenue.taking_back import RecoveryKind


class PolicyVersion(Base):
    """A split policy as the community adopted it. Append-only: a change is a new version."""

    __tablename__ = "policy_version"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint("effective_from >= adopted_on", "never_before_adoption"),
        CheckConstraint(
            "present > 0 AND voted_for * 2 > present AND voted_for <= present", "majority"
        ),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    number: Mapped[int]
    text: Mapped[str]
    sha256: Mapped[str]
    recorded_at: Mapped[datetime]
    adopted_on: Mapped[date]
    effective_from: Mapped[date]
    meeting: Mapped[dict[str, str]]
    households: Mapped[int]
    present: Mapped[int]
    voted_for: Mapped[int]


class ServiceRecord(Base):
    """Who did what on a departure. May be corrected until the departure is settled."""

    __tablename__ = "service_record"
    __table_args__ = (
        UniqueConstraint("departure_id", "line"),
        CheckConstraint("units > 0 AND minutes >= 0", "amounts"),
        one_of("task", Task),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    line: Mapped[int]
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    task: Mapped[str]
    units: Mapped[int]
    minutes: Mapped[int]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class Preparation(Base):
    """What a household bought or prepared for a departure, paid first from what is retained.

    May be corrected until the departure is settled.
    """

    __tablename__ = "preparation"
    __table_args__ = (
        UniqueConstraint("departure_id", "line"),
        CheckConstraint("cost_satang > 0", "positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    line: Mapped[int]
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    what: Mapped[str]
    cost_satang: Mapped[int]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class Settlement(Base):
    """A departure whose money was split and shared out; `facts` is the text it was computed from."""

    __tablename__ = "settlement"
    __table_args__ = (
        UniqueConstraint("departure_id"),
        UniqueConstraint("community_id", "number"),
        Index("ix_settlement_community_id", "community_id", "service_on"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    number: Mapped[int]
    service_on: Mapped[date]
    facts: Mapped[str]
    settled_at: Mapped[datetime]
    settled_by: Mapped[int] = mapped_column(ForeignKey("person.id"))


class TakeBack(Base):
    """A change of what a shared-out booking has lost, numbered within the booking.

    `facts` is the text that its entry was computed from.
    """

    __tablename__ = "take_back"
    __table_args__ = (
        UniqueConstraint("booking_id", "number"),
        CheckConstraint("number > 0 AND (lost_satang <> 0 OR cost_satang <> 0)", "moves"),
        Index("ix_take_back_community_id", "community_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    number: Mapped[int]
    lost_satang: Mapped[int]
    cost_satang: Mapped[int]
    facts: Mapped[str]
    found_at: Mapped[datetime]


class Recovery(Base):
    """Some of what a household owes, paid back out of what it earned; `about` names the occasion."""

    __tablename__ = "recovery"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("kind", RecoveryKind),
        Index("ix_recovery_household_id", "household_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    kind: Mapped[str]
    amount_satang: Mapped[int]
    about: Mapped[str]
    recovered_at: Mapped[datetime]


class Correction(Base):
    """Money moved by people between two accounts of the books: asked for by one, agreed by another.

    `concerns_on` is the village day whose figures it puts right; nothing that was posted changes.
    """

    __tablename__ = "correction"
    __table_args__ = (
        CheckConstraint("amount_satang > 0 AND source <> target", "moves"),
        CheckConstraint("reason <> ''", "reason"),
        one_of("state", CorrectionState),
        CheckConstraint("(state = 'asked') = (decided_at IS NULL)", "decided"),
        CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", "decided_by"),
        CheckConstraint("state <> 'agreed' OR decided_by <> asked_by", "two_people"),
        Index("ix_correction_community_id", "community_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    source: Mapped[str]
    target: Mapped[str]
    amount_satang: Mapped[int]
    reason: Mapped[str]
    concerns_on: Mapped[date]
    state: Mapped[str]
    asked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
