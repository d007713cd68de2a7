"""Editions of the standard as assessors enter them, assessments by them, and what is to be done."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.audit.assessment import Assessor
from cbt.db import APPEND_ONLY, Base, one_of


class StandardEdition(Base):
    """An edition of the standard, as an assessor copied it from their own papers."""

    __tablename__ = "standard_edition"
    __table_args__ = (UniqueConstraint("name"), APPEND_ONLY)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    entered_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    entered_at: Mapped[datetime]


class StandardItem(Base):
    """One item of an edition."""

    __tablename__ = "standard_item"
    __table_args__ = (
        UniqueConstraint("edition_id", "criterion", "number"),
        CheckConstraint("number > 0 AND indices > 0", "counts"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey("standard_edition.id"))
    criterion: Mapped[str]
    number: Mapped[int]
    wording: Mapped[str]
    indices: Mapped[int]


class Assessment(Base):
    """One assessment of a community by an edition; once finished its scores stay."""

    __tablename__ = "assessment"
    __table_args__ = (
        one_of("assessor", Assessor),
        CheckConstraint("(finished_at IS NULL) = (finished_by IS NULL)", "finished"),
        Index("ix_assessment_community_id", "community_id", "assessor"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    edition_id: Mapped[int] = mapped_column(ForeignKey("standard_edition.id"))
    assessor: Mapped[str]
    begun_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    begun_at: Mapped[datetime]
    finished_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    finished_at: Mapped[datetime | None]


class AssessmentScore(Base):
    """An item's score in an assessment. May be changed until that is finished."""

    __tablename__ = "assessment_score"
    __table_args__ = (CheckConstraint("score BETWEEN 0 AND 4", "range"),)

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("standard_item.id"), primary_key=True)
    score: Mapped[int]
    comment: Mapped[str]
    scored_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    scored_at: Mapped[datetime]


class AssessmentEvidence(Base):
    """Where the evidence for one index of a scored item is, or which record of the platform is it."""

    __tablename__ = "assessment_evidence"
    __table_args__ = (
        ForeignKeyConstraint(
            ["assessment_id", "item_id"],
            ["assessment_score.assessment_id", "assessment_score.item_id"],
        ),
    )

    assessment_id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    is_record: Mapped[bool]
    what: Mapped[str]


class AssessmentAction(Base):
    """What a community resolved to do about a criterion, by when and who sees to it."""

    __tablename__ = "assessment_action"
    __table_args__ = (Index("ix_assessment_action_community_id", "community_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    criterion: Mapped[str]
    what: Mapped[str]
    who: Mapped[str]
    due_on: Mapped[date]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]
    done_on: Mapped[date | None]
    done_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
