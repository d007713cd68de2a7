"""Experiences, their options, and what each costs."""

from datetime import time

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import Base, one_of
from cbt.experiences.pricing import OutsideCost, Unit


class Experience(Base):
    """A listing. Its texts are the community's own, Thai first."""

    __tablename__ = "experience"
    __table_args__ = (UniqueConstraint("community_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    slug: Mapped[str]
    position: Mapped[int]
    picture: Mapped[str]
    picture_text: Mapped[dict[str, str]]
    title: Mapped[dict[str, str]]
    summary: Mapped[dict[str, str]]
    description: Mapped[dict[str, str]]
    included: Mapped[dict[str, str]]
    bring: Mapped[dict[str, str]]
    meeting_point: Mapped[dict[str, str]]
    safety: Mapped[dict[str, str]]
    access: Mapped[dict[str, str]]
    food: Mapped[dict[str, str]]
    refund: Mapped[dict[str, str]]


class Option(Base):
    """A way to take an experience: its hour, length, party size and price list."""

    __tablename__ = "experience_option"
    __table_args__ = (
        UniqueConstraint("experience_id", "code"),
        CheckConstraint("min_party >= 1 AND max_party >= min_party", "party"),
        CheckConstraint("duration_minutes > 0 AND nights >= 0", "duration"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    experience_id: Mapped[int] = mapped_column(ForeignKey("experience.id"))
    code: Mapped[str]
    title: Mapped[dict[str, str]]
    starts_at: Mapped[time]
    duration_minutes: Mapped[int]
    nights: Mapped[int]
    min_party: Mapped[int]
    max_party: Mapped[int]
    capacity: Mapped[int]


class OptionPrice(Base):
    """Price of one unit of an option."""

    __tablename__ = "option_price"
    __table_args__ = (
        CheckConstraint("price_satang >= 0 AND places >= 0", "not_negative"),
        one_of("unit", Unit),
    )

    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    unit: Mapped[str]
    price_satang: Mapped[int]
    places: Mapped[int]
    min_age: Mapped[int]
    max_age: Mapped[int | None]


class OptionCost(Base):
    """An outside cost that the price of an option passes on."""

    __tablename__ = "option_cost"
    __table_args__ = (CheckConstraint("amount_satang > 0", "positive"), one_of("code", OutsideCost))

    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    per_guest: Mapped[bool]
    amount_satang: Mapped[int]


Index("ix_experience_option_experience_id", Option.experience_id)
