"""Departures, the things they share, bookings, and who waits."""

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cbt.bookings.parts import Part
from cbt.bookings.states import BookingState, DepartureState, EndReason, WaitState
from cbt.bookings.things import ThingKind
from cbt.db import APPEND_ONLY, Base, one_of
from cbt.experiences.pricing import BEARERS, OutsideCost, Unit

# --- departures ----------------------------------------------------------------------------------


class Departure(Base):
    """One dated start of one option. `claimed` counts the places of live bookings.

    Bookings close at `closes_at`. At `decide_at` the community decides whether it runs with fewer
    than `min_to_run` places taken. `is_edited` keeps it as it is when its rule changes.
    """

    __tablename__ = "departure"
    __table_args__ = (
        UniqueConstraint("option_id", "starts_on", "starts_at"),
        CheckConstraint("claimed >= 0 AND claimed <= capacity", "never_oversold"),
        CheckConstraint("closes_at <= begins_at", "closes_before"),
        one_of("state", DepartureState),
        one_of("called_off_for", EndReason),
        Index("ix_departure_community_id", "community_id", "starts_on"),
        Index("ix_departure_starts_on", "starts_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("schedule_rule.id"))
    starts_on: Mapped[date]  # the village's day and hour
    starts_at: Mapped[time]
    begins_at: Mapped[datetime]  # the same as instants
    ends_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    decide_at: Mapped[datetime | None]
    min_to_run: Mapped[int]
    capacity: Mapped[int]
    claimed: Mapped[int] = mapped_column(default=0)
    state: Mapped[str]
    is_edited: Mapped[bool] = mapped_column(default=False)
    called_off_for: Mapped[str | None]
    called_off_at: Mapped[datetime | None]


# --- shared things -------------------------------------------------------------------------------


class Thing(Base):
    """A real thing that departures share: boats, a kitchen, rooms, a guide, the village itself.

    `capacity` is how many there are (or, for the village, how many guests it bears); `per_day`
    counts whole days instead of parts of day.
    """

    __tablename__ = "thing"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        CheckConstraint("capacity >= 0 AND cutoff_minutes >= 0", "amounts"),
        one_of("kind", ThingKind),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    code: Mapped[str]
    kind: Mapped[str]
    title: Mapped[dict[str, str]]
    capacity: Mapped[int]
    per_day: Mapped[bool]
    cutoff_minutes: Mapped[int]
    skills: Mapped[dict[str, Any]]
    position: Mapped[int]


class Need(Base):
    """What an option takes of a thing: `units` for each begun `per_places` places, or once (0).

    With `add_on`, it is taken for each of that extra instead.
    """

    __tablename__ = "option_need"
    __table_args__ = (CheckConstraint("per_places >= 0 AND units > 0", "amounts"),)

    option_id: Mapped[int] = mapped_column(ForeignKey("experience_option.id"), primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id"), primary_key=True)
    add_on: Mapped[str] = mapped_column(primary_key=True, default="")
    per_places: Mapped[int]
    units: Mapped[int]


class Slot(Base):
    """The room of one thing on one date and part of day. `claimed` counts what departures take.

    `blocked` counts outside calendars' blocks that cover it and `is_closed` is the host's own: both
    stop new claims and undo none.
    """

    __tablename__ = "slot"
    __table_args__ = (
        UniqueConstraint("thing_id", "day", "part"),
        CheckConstraint("claimed >= 0 AND claimed <= capacity", "never_oversold"),
        CheckConstraint("blocked >= 0", "blocked"),
        one_of("part", Part),
        Index("ix_slot_day", "day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id"))
    day: Mapped[date]
    part: Mapped[str]
    capacity: Mapped[int]
    claimed: Mapped[int] = mapped_column(default=0)
    blocked: Mapped[int] = mapped_column(default=0)
    is_closed: Mapped[bool] = mapped_column(default=False)


class SlotClaim(Base):
    """What a departure takes of a slot, for all its live bookings together.

    A row of no units says that the departure will need the slot, so that one look tells its room.
    """

    __tablename__ = "slot_claim"
    __table_args__ = (
        CheckConstraint("units >= 0", "not_negative"),
        Index("ix_slot_claim_slot_id", "slot_id"),
    )

    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"), primary_key=True)
    slot_id: Mapped[int] = mapped_column(ForeignKey("slot.id"), primary_key=True)
    units: Mapped[int]


class Feed(Base):
    """An outside calendar whose events block a thing. It can block, never confirm."""

    __tablename__ = "feed"
    __table_args__ = (Index("ix_feed_thing_id", "thing_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id"))
    name: Mapped[str]
    url: Mapped[str]
    added_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    rolling: Mapped[int] = mapped_column(default=0)


class FeedBlock(Base):
    """One event of a feed, as village days."""

    __tablename__ = "feed_block"

    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str]
    first_on: Mapped[date]
    last_on: Mapped[date]
    begins: Mapped[datetime | None]
    ends: Mapped[datetime | None]
    summary: Mapped[str]


# --- bookings ------------------------------------------------------------------------------------


class Booking(Base):
    """A party on a departure, with price, terms and split policy frozen when it was held.

    Terms count back from `counts_from`: the earliest start it ever had, so that moving a date away
    is no way around them. Its lines stand under `revision`. `version` rises with every change, so that two tabs are told
    apart. The personal columns are emptied by `forget`: needs soon after the trip, the rest later.
    """

    __tablename__ = "booking"
    __table_args__ = (
        one_of("state", BookingState),
        one_of("ended_for", EndReason),
        one_of("discount_bearer", BEARERS),
        CheckConstraint(
            "places > 0 AND price_satang > 0 AND discount_satang >= 0 AND retained_satang >= 0",
            "positive",
        ),
        Index("ix_booking_departure_id", "departure_id"),
        Index("ix_booking_state", "state", "held_until"),
        Index("ix_booking_community_id", "community_id", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    request_key: Mapped[str] = mapped_column(unique=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    policy_version_id: Mapped[int] = mapped_column(ForeignKey("policy_version.id"))
    promo_code_id: Mapped[int | None] = mapped_column(ForeignKey("promo_code.id"))
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)
    held_until: Mapped[datetime]
    is_extended: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_for: Mapped[str | None]
    language: Mapped[str]
    places: Mapped[int]
    price_satang: Mapped[int]
    discount_satang: Mapped[int] = mapped_column(default=0)
    retained_satang: Mapped[int] = mapped_column(default=0)
    """What the terms kept when a change lowered the price: see `cbt.payments.change`."""
    discount_bearer: Mapped[str | None]
    terms: Mapped[str]
    counts_from: Mapped[datetime]
    guest_name: Mapped[str | None]
    guest_email: Mapped[str | None]
    guest_phone: Mapped[str | None]
    food_needs: Mapped[str | None]
    access_needs: Mapped[str | None]
    needs_consent_at: Mapped[datetime | None]
    follow_up_agreed_at: Mapped[datetime | None]
    """The guest wants one mail about what the visit paid for; emptied when it is written."""


class BookingLine(Base):
    """How many of which unit at which price, frozen."""

    __tablename__ = "booking_line"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND price_satang >= 0 AND places >= 0", "amounts"),
        one_of("unit", Unit),
        APPEND_ONLY,
    )

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    unit: Mapped[str]
    quantity: Mapped[int]
    price_satang: Mapped[int]
    places: Mapped[int]


class BookingAddOn(Base):
    """An extra of a booking at its price, frozen."""

    __tablename__ = "booking_add_on"
    __table_args__ = (CheckConstraint("quantity > 0 AND price_satang >= 0", "amounts"), APPEND_ONLY)

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    quantity: Mapped[int]
    price_satang: Mapped[int]


class BookingCost(Base):
    """An outside cost inside the price, frozen."""

    __tablename__ = "booking_cost"
    __table_args__ = (
        CheckConstraint("amount_satang > 0", "positive"),
        one_of("code", OutsideCost),
        APPEND_ONLY,
    )

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    amount_satang: Mapped[int]


# --- who waits, who came -------------------------------------------------------------------------


class WaitingParty(Base):
    """A party in line for a full departure; its id is its place in the line.

    `least` is the smallest part of the party that may be offered: all of it, unless they agreed.
    `offers` counts those that it let pass; such a party stands at the end of the line.
    """

    __tablename__ = "waiting_party"
    __table_args__ = (
        one_of("state", WaitState),
        CheckConstraint("places > 0 AND least > 0 AND least <= places", "places"),
        Index("ix_waiting_party_departure_id", "departure_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_key: Mapped[str] = mapped_column(unique=True)
    departure_id: Mapped[int] = mapped_column(ForeignKey("departure.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    party: Mapped[dict[str, Any]]
    places: Mapped[int]
    least: Mapped[int]
    state: Mapped[str]
    language: Mapped[str]
    name: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    joined_at: Mapped[datetime]
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"))
    offers: Mapped[int] = mapped_column(default=0)
    passed_at: Mapped[datetime | None]
    passed_for: Mapped[str | None]


class CheckIn(Base):
    """A scan at arrival. Two scans of one booking are both kept, for a person to judge."""

    __tablename__ = "check_in"
    __table_args__ = (
        CheckConstraint("people > 0", "people"),
        Index("ix_check_in_booking_id", "booking_id"),
        APPEND_ONLY,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"))
    device: Mapped[str]
    people: Mapped[int]
    scanned_at: Mapped[datetime]
    received_at: Mapped[datetime]
    scanned_by: Mapped[int] = mapped_column(ForeignKey("person.id"))


class NoShow(Base):
    """A party that did not come, as the host saw it; its guest may dispute it."""

    __tablename__ = "no_show"

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    reason: Mapped[str]
    noted_at: Mapped[datetime]
    noted_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    disputed_at: Mapped[datetime | None]
    dispute: Mapped[str | None]


# --- the host's own calendar ---------------------------------------------------------------------


class HostFeedKey(Base):
    """A secret address at which a person reads a community's departures; its fingerprint alone."""

    __tablename__ = "host_feed_key"
    __table_args__ = (Index("ix_host_feed_key_community_id", "community_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
