"""Departures and bookings."""

from datetime import date, datetime, time

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.bookings.states import BookingState, DepartureState
from cbt.db import APPEND_ONLY, Base, one_of
from cbt.experiences.pricing import OutsideCost, Unit


class Departure(Base):
    """One dated start of one option. `claimed` counts the places of live bookings."""

    __tablename__ = "departure"
    __table_args__ = (
        UniqueConstraint("option_id", "starts_on", "starts_at"),
        CheckConstraint("claimed >= 0 AND claimed <= capacity", "never_oversold"),
        one_of("state", DepartureState),
        Index("ix_departure_community_id", "community_id", "starts_on"),
        Index("ix_departure_starts_on", "starts_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    starts_on: Mapped[date]  # the village's day and hour
    starts_at: Mapped[time]
    begins_at: Mapped[datetime]  # the same as instants
    ends_at: Mapped[datetime]
    capacity: Mapped[int]
    claimed: Mapped[int] = mapped_column(default=0)
    state: Mapped[str]


class Booking(Base):
    """A party on a departure, with price and split policy frozen when it was held.

    The personal columns are emptied by `forget`: needs soon after the trip, the rest later.
    """

    __tablename__ = "booking"
    __table_args__ = (
        one_of("state", BookingState),
        CheckConstraint("places > 0 AND price_satang > 0", "positive"),
        Index("ix_booking_departure_id", "departure_id"),
        Index("ix_booking_state", "state", "held_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    request_key: Mapped[str] = mapped_column(unique=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    policy_version_id: Mapped[int] = mapped_column(ForeignKey("policy_version.id"))
    state: Mapped[str]
    held_until: Mapped[datetime]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    language: Mapped[str]
    places: Mapped[int]
    price_satang: Mapped[int]
    guest_name: Mapped[str | None]
    guest_email: Mapped[str | None]
    guest_phone: Mapped[str | None]
    food_needs: Mapped[str | None]
    access_needs: Mapped[str | None]
    needs_consent_at: Mapped[datetime | None]


class BookingLine(Base):
    """How many of which unit at which price, frozen."""

    __tablename__ = "booking_line"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND price_satang >= 0 AND places >= 0", "amounts"),
        one_of("unit", Unit),
        APPEND_ONLY,
    )

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    unit: Mapped[str]
    quantity: Mapped[int]
    price_satang: Mapped[int]
    places: Mapped[int]


class BookingCost(Base):
    """An outside cost inside the price, frozen."""

    __tablename__ = "booking_cost"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("code", OutsideCost),
        APPEND_ONLY,
    )

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    amount_satang: Mapped[int]
