"""Communities and the households that own them together."""

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import Base


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
