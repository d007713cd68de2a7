"""Adopted policies, who worked, and settlements."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.policy import Task


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
