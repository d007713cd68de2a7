"""Communities and the households that own them together."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.communities.shares import AssetKind, Decision, ShareKind
from cbt.db import APPEND_ONLY, Base, one_of


class Community(Base):
    """A group that hosts guests, owns its experiences together and keeps its own books."""

    __tablename__ = "community"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), unique=True)
    name: Mapped[dict[str, str]]
    summary: Mapped[dict[str, str]]
    story: Mapped[dict[str, str]]
    picture: Mapped[str]
    tambon: Mapped[dict[str, str]]
    district: Mapped[dict[str, str]]
    province: Mapped[dict[str, str]]
    province_code: Mapped[str]
    contact: Mapped[dict[str, str]]
    zone: Mapped[str]
    is_sample: Mapped[bool]
    settlements: Mapped[int] = mapped_column(default=0)


class Household(Base):
    """A member household. `position` is its place in the community's register, from 0."""

    __tablename__ = "household"
    __table_args__ = (UniqueConstraint("community_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    code: Mapped[str]
    name: Mapped[dict[str, str]]
    position: Mapped[int]
    active_from: Mapped[date]
    active_until: Mapped[date | None]


class RestDay(Base):
    """Days on which the village takes no guests: prayer days, festivals, harvest. Inclusive."""

    __tablename__ = "rest_day"
    __table_args__ = (
        CheckConstraint("last_on >= first_on", "span"),
        Index("ix_rest_day_community_id", "community_id", "last_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    first_on: Mapped[date]
    last_on: Mapped[date]
    reason: Mapped[dict[str, str]]


class Member(Base):
    """Somebody of a household who works in the group."""

    __tablename__ = "member"

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    name: Mapped[dict[str, str]]
    joined_on: Mapped[date]
    left_on: Mapped[date | None]


class VulnerableHousehold(Base):
    """A household that agreed to be counted as vulnerable until a day. Deleted when it is over."""

    __tablename__ = "vulnerable_household"

    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), primary_key=True)
    ends_on: Mapped[date]
    agreed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    agreed_at: Mapped[datetime]


class MinimumWage(Base):
    """A province's daily minimum wage from a day on, in satang, with where it was read."""

    __tablename__ = "minimum_wage"
    __table_args__ = (
        CheckConstraint("daily_satang > 0", "positive"),
        Index("ix_minimum_wage_province_code", "province_code", "effective_on"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    province_code: Mapped[str]
    daily_satang: Mapped[int]
    effective_on: Mapped[date]
    source: Mapped[str]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


# --- what households own together ----------------------------------------------------------------


class Asset(Base):
    """Something that households of a community own together by shares, from its first day on.

    An experience owned as such names it. Append-only: what it earns from is said by `AssetUse`.
    """

    __tablename__ = "asset"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        UniqueConstraint("experience_id"),
        one_of("kind", AssetKind),
        CheckConstraint("(kind = 'experience') = (experience_id IS NOT NULL)", "experience"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    code: Mapped[str]
    kind: Mapped[str]
    title: Mapped[dict[str, str]]
    begins_on: Mapped[date]
    experience_id: Mapped[int | None] = mapped_column(ForeignKey("experience.id"))
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class AssetUse(Base):
    """From a day on, an experience's dividend goes by the shares of an asset, or of none again.

    Counts once confirmed.
    """

    __tablename__ = "asset_use"
    __table_args__ = (
        Index("ix_asset_use_experience_id", "experience_id", "effective_on"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    experience_id: Mapped[int] = mapped_column(ForeignKey("experience.id"))
    asset_id: Mapped[int | None] = mapped_column(ForeignKey("asset.id"))
    effective_on: Mapped[date]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class ShareChange(Base):
    """One event of a share register, with the document that proves it. Counts once confirmed."""

    __tablename__ = "share_event"
    __table_args__ = (
        CheckConstraint("shares > 0", "positive"),
        CheckConstraint(
            "(kind = 'issue') = (from_household_id IS NULL)"
            " AND (kind = 'redeem') = (to_household_id IS NULL)"
            " AND (from_household_id IS NULL OR to_household_id IS NULL"
            " OR from_household_id <> to_household_id)",
            "parties",
        ),
        CheckConstraint("length(document_sha256) = 64", "document"),
        one_of("kind", ShareKind),
        Index("ix_share_event_asset_id", "asset_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id"))
    kind: Mapped[str]
    from_household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    to_household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    shares: Mapped[int]
    effective_on: Mapped[date]
    document: Mapped[str]
    document_sha256: Mapped[str]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime]


class OwnershipDecision(Base):
    """What a second person said to a recorded share event or use: only what is confirmed counts."""

    __tablename__ = "ownership_decision"
    __table_args__ = (
        UniqueConstraint("event_id"),
        UniqueConstraint("use_id"),
        CheckConstraint("(event_id IS NULL) <> (use_id IS NULL)", "about_one"),
        one_of("decision", Decision),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("share_event.id"))
    use_id: Mapped[int | None] = mapped_column(ForeignKey("asset_use.id"))
    decision: Mapped[str]
    decided_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime]
