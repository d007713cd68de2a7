"""What auditing leaves behind: runs, findings with their steps, samples, and what signatures rest on.

Facts all of them, so append-only all of them: how a finding stands is what its last step says.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.audit.cases import CaseStep
from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.funds import FileKind
from cbt.revenue.policy_rules import Severity


class AuditRun(Base):
    """Every check over one community at one moment: the canonical text of it, and its digest.

    `period_id` is the closed month that it was made for. Without `made_by` the worker made it.
    `problems` counts what was found and the checks that saw less than there is; 0 is clean.
    """

    __tablename__ = "audit_run"
    __table_args__ = (
        CheckConstraint("head_seq >= 0 AND looked_at >= 0 AND problems >= 0", "counts"),
        CheckConstraint("looked_at > 0 OR problems > 0", "nothing_seen_is_no_pass"),
        Index("ix_audit_run_community_id", "community_id", "id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    period_id: Mapped[int | None] = mapped_column(ForeignKey("period.id"))
    made_at: Mapped[datetime]
    made_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    head_seq: Mapped[int]
    looked_at: Mapped[int]
    problems: Mapped[int]
    text: Mapped[str]
    digest: Mapped[str]


class AuditEvidence(Base):
    """A file that a look or a step of a finding shows, kept byte for byte. Personal data."""

    __tablename__ = "audit_evidence"
    __table_args__ = (
        one_of("kind", FileKind),
        CheckConstraint("size > 0", "not_empty"),
        Index("ix_audit_evidence_community_id", "community_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    name: Mapped[str]
    kind: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    kept_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    kept_at: Mapped[datetime]


class AuditCase(Base):
    """A finding: what it is about, how grave it is, what is asked, and whom it names if anybody.

    `source` says what it came of (a check's finding, a rule, a number, a look; "" for a person's own
    eyes) and `told` what that said, as plain values; `month` is the month that it concerns.
    """

    __tablename__ = "audit_case"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        one_of("severity", Severity),
        CheckConstraint("number > 0", "number"),
        CheckConstraint("words <> '' OR source <> ''", "something_is_said"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    number: Mapped[int]
    month: Mapped[date | None]
    subject: Mapped[str]
    severity: Mapped[str]
    words: Mapped[str]
    source: Mapped[str]
    told: Mapped[dict[str, Any]]
    accused: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class AuditCaseStep(Base):
    """A step of a finding, numbered from 1. Whoever asks says until when an answer is due."""

    __tablename__ = "audit_case_step"
    __table_args__ = (
        one_of("step", CaseStep),
        CheckConstraint("(step IN ('opened', 'reopened')) = (answer_by IS NOT NULL)", "due"),
        CheckConstraint("step = 'opened' OR words <> ''", "words"),
        CheckConstraint("(step = 'opened') = (number = 1)", "first"),
        APPEND_ONLY,
    )

    case_id: Mapped[int] = mapped_column(ForeignKey("audit_case.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[str]
    words: Mapped[str]
    answer_by: Mapped[date | None]
    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("audit_evidence.id"))
    done_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    done_at: Mapped[datetime]


class AuditSample(Base):
    """The seed by which a closed month's sample was drawn: once, before anybody saw the list."""

    __tablename__ = "audit_sample"
    __table_args__ = (
        UniqueConstraint("period_id"),
        CheckConstraint("population >= 0 AND length(seed) = 32", "drawn"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    period_id: Mapped[int] = mapped_column(ForeignKey("period.id"))
    seed: Mapped[str]
    population: Mapped[int]
    drawn_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    drawn_at: Mapped[datetime]


class AuditSampleItem(Base):
    """A booking of a sample, in the order in which it was drawn, from 1."""

    __tablename__ = "audit_sample_item"
    __table_args__ = (UniqueConstraint("sample_id", "reference"), APPEND_ONLY)

    sample_id: Mapped[int] = mapped_column(ForeignKey("audit_sample.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str]


class AuditLook(Base):
    """What a mentor saw of a booking of the sample; the newest of a booking counts.

    Without `case_id` it was well.
    """

    __tablename__ = "audit_look"
    __table_args__ = (Index("ix_audit_look_sample_id", "sample_id", "place"), APPEND_ONLY)

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("audit_sample.id"))
    place: Mapped[int]
    note: Mapped[str]
    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("audit_evidence.id"))
    case_id: Mapped[int | None] = mapped_column(ForeignKey("audit_case.id"))
    looked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    looked_at: Mapped[datetime]


class MentorTie(Base):
    """A mentor is related to a household of a community, as they said themselves."""

    __tablename__ = "mentor_tie"
    __table_args__ = (
        UniqueConstraint("community_id", "person_id", "household_id"),
        CheckConstraint("words <> ''", "words"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    words: Mapped[str]
    told_at: Mapped[datetime]


class SignOff(Base):
    """What a mentor's signature of a month rests on: the run of that moment, and what was explained.

    `warnings` names what was not as it should be; `explanation` says why it was signed all the same.
    """

    __tablename__ = "sign_off"
    __table_args__ = (APPEND_ONLY,)

    period_id: Mapped[int] = mapped_column(ForeignKey("period.id"), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("audit_run.id"))
    warnings: Mapped[list[str]]
    explanation: Mapped[str]
    sample_size: Mapped[int]
    looked_at: Mapped[int]
    signed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    signed_at: Mapped[datetime]


class KeptAudit(Base):
    """The newest outcome of a community's audit, and the head of the books that it saw: for another
    head it says nothing.

    A convenience of pages, rewritten by each run. What is closed or signed is never decided by it.
    """

    __tablename__ = "kept_audit"

    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"), primary_key=True)
    entry_seq: Mapped[int]
    entry_hash: Mapped[str]
    run_at: Mapped[datetime]
    outcomes: Mapped[list[dict[str, Any]]]
