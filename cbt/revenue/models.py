"""Adopted policies, who worked, and settlements."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import APPEND_ONLY, Base, one_of
from cbt.revenue.adoption import FileKind, UsesNature
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
