"""The proof that counters equal facts: places by bookings, slots by what departures need."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.claims import SlotKey, wanted_slots
from cbt.bookings.models import Booking, Departure, Slot, SlotClaim, Thing
from cbt.bookings.parts import Part
from cbt.bookings.states import LIVE, DepartureState

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
    """Recompute from live bookings what every slot must have given away, and to whom.

    What a settled departure took stays as it was noted: its option may need other things by now.
    """
    query = select(
        Slot.id, Thing.code, Slot.day, Slot.part, Slot.claimed, Slot.capacity, Slot.thing_id
    ).join(Thing, Thing.id == Slot.thing_id)
    departures = select(Departure.id, Departure.state).order_by(Departure.id)
    if community_id is not None:
        query = query.where(Thing.community_id == community_id)
        departures = departures.where(Departure.community_id == community_id)
    states = dict(session.execute(departures).all())
    rows = session.execute(query.order_by(Slot.id)).all()
    slots = {(row.thing_id, row.day, Part(row.part)): row.id for row in rows}
    needed, misnoted, missing = _needed(session, states, slots)
    wrong = [
        Drift(row.code, row.day, row.part, row.claimed, needed[row.id], row.capacity)
        for row in rows
        if row.claimed != needed[row.id] or row.claimed > row.capacity or row.id in misnoted
    ]
    return SlotProof(len(rows) + len(states), (*wrong, *_without_slot(session, missing)))


def _needed(
    session: Session, states: Mapping[int, str], slots: Mapping[SlotKey, int]
) -> tuple[dict[int, int], set[int], dict[SlotKey, int]]:
    """{slot: units needed}, slots of which a departure notes another claim, {no slot: units}."""
    needed: dict[int, int] = defaultdict(int)
    misnoted: set[int] = set()
    missing: dict[SlotKey, int] = defaultdict(int)
    departure_ids = list(states)
    for start in range(0, len(departure_ids), _AT_ONCE):
        ids = departure_ids[start : start + _AT_ONCE]
        noted = _noted(session, ids)
        open_ids = [each for each in ids if states[each] != DepartureState.SETTLED]
        wanted = {departure_id: noted[departure_id] for departure_id in set(ids) - set(open_ids)}
        for departure_id, keys in wanted_slots(session, open_ids).items():
            found = {slots[key]: units for key, units in keys.items() if key in slots}
            wanted[departure_id] = found
            for key in keys.keys() - slots.keys():
                missing[key] += keys[key]
        for departure_id, claims in wanted.items():
            for slot_id in claims.keys() | noted[departure_id].keys():
                needed[slot_id] += claims.get(slot_id, 0)
                if claims.get(slot_id, 0) != noted[departure_id].get(slot_id, 0):
                    misnoted.add(slot_id)
    return needed, misnoted, missing


def _noted(session: Session, departure_ids: list[int]) -> dict[int, dict[int, int]]:
    """{departure: {slot: units}} as the departures' claims say."""
    noted: dict[int, dict[int, int]] = defaultdict(dict)
    rows = session.execute(
        select(SlotClaim.departure_id, SlotClaim.slot_id, SlotClaim.units).where(
            SlotClaim.departure_id.in_(departure_ids)
        )
    )
    for departure_id, slot_id, units in rows:
        noted[departure_id][slot_id] = units
    return noted


def _without_slot(session: Session, missing: Mapping[SlotKey, int]) -> list[Drift]:
    """What is needed of slots that do not even exist."""
    if not missing:
        return []
    codes = dict(
        session.execute(
            select(Thing.id, Thing.code).where(Thing.id.in_({key[0] for key in missing}))
        ).all()
    )
    return [
        Drift(codes[thing_id], day, part, 0, units, 0)
        for (thing_id, day, part), units in sorted(missing.items())
    ]
