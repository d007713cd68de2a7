"""Turns at tasks, and who confirmed, disputed and answered which work. Append-only all of it."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.communities.rotation import SkipReason
from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.policy import Task


class TurnKind(StrEnum):
    """What was written down of a task's turns."""

    TERMS = "terms"
    AWAY = "away"
    SKIPPED = "skipped"
    SWAP_ASKED = "swap_asked"
    SWAP_AGREED = "swap_agreed"
    WITHDRAWN = "withdrawn"


class RotationEvent(Base):
    """One thing written down of a task's turns. That a household served stands in `ServiceRecord`.

    `about_id` is the event that is agreed to or withdrawn.
    """

    __tablename__ = "rotation_event"
    __table_args__ = (
        one_of("task", Task),
        one_of("kind", TurnKind),
        one_of("reason", SkipReason),
        CheckConstraint("last_on >= first_on", "span"),
        CheckConstraint("(kind = 'terms') = (capacity IS NOT NULL)", "terms"),
        CheckConstraint("(kind = 'skipped') = (reason IS NOT NULL)", "reason_given"),
        CheckConstraint("(kind = 'swap_asked') = (other_household_id IS NOT NULL)", "other"),
        CheckConstraint("(kind IN ('swap_agreed', 'withdrawn')) = (about_id IS NOT NULL)", "about"),
        CheckConstraint("capacity >= 0 AND weekdays BETWEEN 0 AND 127", "amounts"),
        UniqueConstraint("about_id", "kind"),
        Index("ix_rotation_event_community_id", "community_id", "task"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    task: Mapped[str]
    kind: Mapped[str]
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    other_household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    first_on: Mapped[date]
    last_on: Mapped[date]
    capacity: Mapped[int | None]
    weekdays: Mapped[int]
    reason: Mapped[str | None]
    words: Mapped[str]
    about_id: Mapped[int | None] = mapped_column(ForeignKey("rotation_event.id"))
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class WorkConfirmation(Base):
    """Somebody other than who recorded it says that a household's part of a record is right.

    It binds to the part's content: a part that was changed since is not confirmed any more.
    """

    __tablename__ = "work_confirmation"
    __table_args__ = (
        UniqueConstraint("departure_id", "household_id", "content_sha256"),
        CheckConstraint("confirmed_by <> recorded_by", "second_person"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    content_sha256: Mapped[str]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    is_own: Mapped[bool]
    confirmed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime]


class WorkDispute(Base):
    """A household says that its part of a record is wrong. It names who answers, and by when.

    `recorded_by` recorded the part (or, where it has none, the record) when it was disputed, and is
    not the one to answer. The departure is not settled before the answer.
    """

    __tablename__ = "work_dispute"
    __table_args__ = (
        Index("ix_work_dispute_departure_id", "departure_id"),
        CheckConstraint("length(reason) > 0", "reason"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    content_sha256: Mapped[str]
    reason: Mapped[str]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    raised_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    raised_at: Mapped[datetime]
    answerer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    answer_by: Mapped[date]


class WorkAnswer(Base):
    """What was answered to a disputed part; it closes the dispute."""

    __tablename__ = "work_answer"
    __table_args__ = (CheckConstraint("length(words) > 0", "words"), APPEND_ONLY)

    dispute_id: Mapped[int] = mapped_column(ForeignKey("work_dispute.id"), primary_key=True)
    words: Mapped[str]
    answered_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    answered_at: Mapped[datetime]
