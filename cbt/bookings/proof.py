"""The proof that counters equal facts: places by bookings, slots by what departures need."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.claims import wanted_slots
from cbt.bookings.models import Booking, Departure, Slot, SlotClaim, Thing
from cbt.bookings.states import LIVE

_AT_ONCE = 500


@dataclass(frozen=True)
class Drift:
    """A slot whose count is not what live bookings need, or that bears more than it has."""

    thing: str
    day: date
    part: str
    claimed: int
    needed: int
    capacity: int


@dataclass(frozen=True)
class SlotProof:
    """How many slots and departures were looked at, and what is wrong."""

    looked_at: int
    wrong: tuple[Drift, ...]


@dataclass(frozen=True)
class PlaceDrift:
    """A departure whose count of places is not what its live bookings take."""

    departure_id: int
    claimed: int
    booked: int
    capacity: int


def prove_places(session: Session, community_id: int | None = None) -> list[PlaceDrift]:
    """Every departure whose count differs from its live bookings, or that is oversold."""
    booked = (
        select(Booking.departure_id, func.sum(Booking.places).label("places"))
        .where(Booking.state.in_(LIVE))
        .group_by(Booking.departure_id)
        .subquery()
    )
    places = func.coalesce(booked.c.places, 0)
    query = (
        select(Departure.id, Departure.claimed, places, Departure.capacity)
        .outerjoin(booked, booked.c.departure_id == Departure.id)
        .where((Departure.claimed != places) | (places > Departure.capacity))
    )
    if community_id is not None:
        query = query.where(Departure.community_id == community_id)
    return [PlaceDrift(row[0], row[1], int(row[2]), row[3]) for row in session.execute(query)]


def prove_slots(session: Session, community_id: int | None = None) -> SlotProof:
    """Recompute from live bookings what every slot must have given away."""
    query = select(
        Slot.id, Thing.code, Slot.day, Slot.part, Slot.claimed, Slot.capacity, Slot.thing_id
    ).join(Thing, Thing.id == Slot.thing_id)
    departures = select(Departure.id).order_by(Departure.id)
    if community_id is not None:
        query = query.where(Thing.community_id == community_id)
        departures = departures.where(Departure.community_id == community_id)
    departure_ids = list(session.scalars(departures))
    needed = _needed(session, departure_ids)
    rows = session.execute(query.order_by(Slot.id)).all()
    wrong = tuple(
        Drift(row.code, row.day, row.part, row.claimed, needed[row.id], row.capacity)
        for row in rows
        if row.claimed != needed[row.id] or row.claimed > row.capacity
    )
    return SlotProof(len(rows) + len(departure_ids), wrong)


def _needed(session: Session, departure_ids: list[int]) -> dict[int, int]:
    """{slot: units} that departures' claims amount to, once each is what its bookings need."""
    needed: dict[int, int] = defaultdict(int)
    for start in range(0, len(departure_ids), _AT_ONCE):
        for slot_id, units in _needed_by(session, departure_ids[start : start + _AT_ONCE]):
            needed[slot_id] += units
    return needed


def _needed_by(session: Session, departure_ids: list[int]) -> Iterable[tuple[int, int]]:
    wanted = wanted_slots(session, departure_ids)
    slots = {
        (row.thing_id, row.day, row.part): row.id
        for row in session.execute(
            select(Slot.id, Slot.thing_id, Slot.day, Slot.part)
            .join(SlotClaim, SlotClaim.slot_id == Slot.id)
            .where(SlotClaim.departure_id.in_(departure_ids))
        )
    }
    for keys in wanted.values():
        for key, units in keys.items():
            yield slots.get(key, 0), units
