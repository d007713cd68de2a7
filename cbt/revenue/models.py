"""Adopted policies, who worked, and settlements."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.adoption import FileKind, UsesNature
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


class PolicyDraft(Base):
    """A policy that somebody is writing; no fact yet, and gone once it is proposed."""

    __tablename__ = "policy_draft"
    __table_args__ = (
        Index("ix_policy_draft_community_id", "community_id"),
        one_of("uses_nature", UsesNature),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    text: Mapped[str]
    uses_nature: Mapped[str]
    agreement: Mapped[str]
    begun_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    begun_at: Mapped[datetime]


class PolicyProposal(Base):
    """A policy as it was put before the members. Append-only: another text is another proposal.

    `replaces_id` is the last policy that was adopted when it was proposed, and that its simulation
    stands beside. `uses_nature` and `agreement` are what its author answered to the rules' questions.
    """

    __tablename__ = "policy_proposal"
    __table_args__ = (
        Index("ix_policy_proposal_community_id", "community_id"),
        one_of("uses_nature", UsesNature),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    text: Mapped[str]
    sha256: Mapped[str]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("policy_version.id"))
    uses_nature: Mapped[str]
    agreement: Mapped[str]
    proposed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    proposed_at: Mapped[datetime]


class MinutesFile(Base):
    """The minutes of a members' meeting as they were signed: a file, kept byte for byte."""

    __tablename__ = "minutes_file"
    __table_args__ = (
        Index("ix_minutes_file_community_id", "community_id"),
        CheckConstraint("size > 0", "not_empty"),
        one_of("kind", FileKind),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    sha256: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    size: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    kept_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    kept_at: Mapped[datetime]


class PolicyResolution(Base):
    """What the members' meeting resolved, beside the policy version that came of it.

    `rulings` is what the rules said then; `explanations` is what the meeting said to each warning of the rules; `signers` are the names and
    positions of those who signed the minutes.
    """

    __tablename__ = "policy_resolution"
    __table_args__ = (
        UniqueConstraint("proposal_id"),
        CheckConstraint("voted_against >= 0 AND abstained >= 0", "votes"),
        CheckConstraint("quorum_bp > 0 AND quorum_bp <= 10000", "quorum"),
        APPEND_ONLY,
    )

    policy_version_id: Mapped[int] = mapped_column(
        ForeignKey("policy_version.id"), primary_key=True
    )
    proposal_id: Mapped[int] = mapped_column(ForeignKey("policy_proposal.id"))
    place: Mapped[str]
    voted_against: Mapped[int]
    abstained: Mapped[int]
    quorum_bp: Mapped[int]
    rulings: Mapped[list[dict[str, Any]]]
    explanations: Mapped[dict[str, str]]
    signers: Mapped[list[dict[str, Any]]]
    minutes_id: Mapped[int] = mapped_column(ForeignKey("minutes_file.id"))
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))


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
