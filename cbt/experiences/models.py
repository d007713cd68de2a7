"""Experiences, their options, and what each costs."""

from datetime import date, time
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import Base, one_of
from cbt.experiences.pricing import BEARERS, OutsideCost, Unit


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
    """A way to take an experience: its hour, length, party size and price list.

    Bookings close `cutoff_minutes` before the start. With `decide_hours`, the community decides
    so long before the start whether it runs with fewer than `min_to_run` guests. With
    `request_hours`, a booking is a request that it answers within that time. `group_satang` is the
    price per boat or house of `group_seats`; `add_ons` holds what `records.AddOnCard` reads; `terms`
    is the canonical text of the cancellation terms that bookings freeze.
    """

    __tablename__ = "experience_option"
    __table_args__ = (
        UniqueConstraint("experience_id", "code"),
        CheckConstraint("min_party >= 1 AND max_party >= min_party", "party"),
        CheckConstraint("duration_minutes > 0 AND nights >= 0", "duration"),
        CheckConstraint("cutoff_minutes >= 0 AND min_to_run >= 1", "rules"),
        CheckConstraint("decide_hours > 0", "decide"),
        CheckConstraint("request_hours > 0", "request"),
        CheckConstraint("group_seats > 0 AND group_satang > 0", "group"),
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
    cutoff_minutes: Mapped[int]
    min_to_run: Mapped[int]
    decide_hours: Mapped[int | None]
    request_hours: Mapped[int | None]
    group_seats: Mapped[int | None]
    group_satang: Mapped[int | None]
    group_steps: Mapped[list[list[int]]]
    add_ons: Mapped[list[dict[str, Any]]]
    terms: Mapped[str]


class OptionPrice(Base):
    """Price of one unit of an option, always or in a season. GROUP in a season: per boat or house.

    `needs` lists units of which one must come along; `steps` are [places of the party, satang].
    """

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
    season_id: Mapped[int | None] = mapped_column(ForeignKey("season.id"))
    needs: Mapped[list[str]]
    steps: Mapped[list[list[int]]]


class OptionCost(Base):
    """An outside cost that the price of an option passes on."""

    __tablename__ = "option_cost"
    __table_args__ = (CheckConstraint("amount_satang > 0", "positive"), one_of("code", OutsideCost))

    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    per_guest: Mapped[bool]
    amount_satang: Mapped[int]


class Season(Base):
    """Days with prices of their own, for every option that names prices in it. Inclusive."""

    __tablename__ = "season"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        CheckConstraint("last_on >= first_on", "span"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    code: Mapped[str]
    title: Mapped[dict[str, str]]
    first_on: Mapped[date]
    last_on: Mapped[date]


class PromoCode(Base):
    """A discount that says who pays for it: everybody ("group") or one bucket of the policy."""

    __tablename__ = "promo_code"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        CheckConstraint("(bp > 0) <> (amount_satang > 0)", "one_measure"),
        CheckConstraint("bp BETWEEN 0 AND 10000 AND amount_satang >= 0", "amounts"),
        CheckConstraint("most_uses >= 0", "uses"),
        one_of("bearer", BEARERS),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    code: Mapped[str]
    bp: Mapped[int]
    amount_satang: Mapped[int]
    bearer: Mapped[str]
    first_on: Mapped[date]
    last_on: Mapped[date]
    most_uses: Mapped[int]


class ScheduleRule(Base):
    """On which days an option departs; `recurrence` is RFC 5545 text (`schedule.py`)."""

    __tablename__ = "schedule_rule"
    __table_args__ = (Index("ix_schedule_rule_option_id", "option_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"))
    recurrence: Mapped[str]
    starts_at: Mapped[time]
    first_on: Mapped[date]
    last_on: Mapped[date | None]
    ended: Mapped[bool] = mapped_column(default=False)


class ScheduleException(Base):
    """A day that a rule leaves out or adds."""

    __tablename__ = "schedule_exception"

    rule_id: Mapped[int] = mapped_column(ForeignKey("schedule_rule.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    departs: Mapped[bool]


Index("ix_experience_option_experience_id", Option.experience_id)
