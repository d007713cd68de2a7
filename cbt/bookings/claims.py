"""Claiming and releasing: the one door through which places and shared things are sold.

Web, host's phone, waiting list, change and later channels all come through `move_places`. What a
departure takes of boats, kitchens and the village is a function of its places (`things.py`), so it
follows the count of places in the same transaction: nothing is taken twice and nothing stays behind.

The order of locks is fixed: departures by id, then slots by id. Two claims can wait for each other
only in a line, never in a circle.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cbt.bookings.models import (
    Booking,
    BookingAddOn,
    Departure,
    Need,
    Slot,
    SlotClaim,
    Thing,
)
from cbt.bookings.parts import Part
from cbt.bookings.states import LIVE, WAITING, BookingState, DepartureState
from cbt.bookings.things import Hours, NeedOf, claims_for
from cbt.communities.models import Community
from cbt.errors import DepartureCalledOff, DepartureFull, DepartureGone, SlotFull
from cbt.experiences.models import Option

T = TypeVar("T")
SlotKey = tuple[int, date, Part]


# --- places --------------------------------------------------------------------------------------


def move_places(session: Session, changes: Mapping[int, int]) -> None:
    """Take (above zero) or give back (below) places on some departures, in the order of their ids.

    Raises DepartureFull, DepartureGone or DepartureCalledOff, and then has taken none. The rows
    stay locked; `follow_with_slots` comes after the bookings are written. A step.
    """
    for departure_id, places in sorted(changes.items()):
        if places > 0:
            claim_places(session, departure_id, places)
        else:
            release_places(session, departure_id, -places)


def claim_places(session: Session, departure_id: int, wanted: int) -> None:
    """Take places on an open departure.

    One guarded statement decides, so two buyers never both see the last place free; the CHECK
    constraint `never_oversold` stands behind it.
    """
    taken = session.execute(
        update(Departure)
        .where(
            Departure.id == departure_id,
            Departure.state == DepartureState.OPEN,
            Departure.claimed + wanted <= Departure.capacity,
        )
        .values(claimed=Departure.claimed + wanted)
    )
    if _count(taken) == 0:
        _refuse(session, departure_id, wanted)


def _refuse(session: Session, departure_id: int, wanted: int) -> None:
    row = session.execute(
        select(Departure.state, Departure.capacity - Departure.claimed).where(
            Departure.id == departure_id
        )
    ).one()
    if row[0] == DepartureState.CALLED_OFF:
        raise DepartureCalledOff
    if row[0] != DepartureState.OPEN:
        raise DepartureGone
    raise DepartureFull(left=row[1], wanted=wanted)


def release_places(session: Session, departure_id: int, places: int) -> None:
    """Give places back, in the same transaction that ends the booking's hold on them."""
    session.execute(
        update(Departure)
        .where(Departure.id == departure_id)
        .values(claimed=Departure.claimed - places)
    )


# --- shared things -------------------------------------------------------------------------------


def follow_with_slots(session: Session, departure_ids: Iterable[int]) -> None:
    """Let the slots follow what the departures' live bookings need now.

    Needs the departures' locks. Raises SlotFull when a thing has no room that day, and then the
    caller's transaction must be undone. A step.
    """
    ids = sorted(set(departure_ids))
    needs = _needs(session, ids)
    if not needs and not _has_claims(session, ids):
        return
    changes = _changes(session, ids, needs)
    for slot_id in sorted({slot_id for slot_id, _departure in changes}):
        _move_slot(
            session, slot_id, sum(units for (slot, _d), units in changes.items() if slot == slot_id)
        )
    for (slot_id, departure_id), units in sorted(changes.items()):
        _note_claim(session, slot_id, departure_id, units)


def _has_claims(session: Session, departure_ids: list[int]) -> bool:
    claim = select(SlotClaim.slot_id).where(SlotClaim.departure_id.in_(departure_ids)).limit(1)
    return session.scalar(claim) is not None


def wanted_slots(session: Session, departure_ids: list[int]) -> dict[int, dict[SlotKey, int]]:
    """What departures must hold of which slots by the facts: their needs and live bookings."""
    return _wanted(session, departure_ids, _needs(session, departure_ids))


def _changes(
    session: Session, departure_ids: list[int], needs: dict[int, list[NeedOf]]
) -> dict[tuple[int, int], int]:
    """{(slot, departure): units to move} from what is claimed to what ought to be."""
    wanted = _wanted(session, departure_ids, needs)
    slots = ensure_slots(session, {key for keys in wanted.values() for key in keys})
    changes: dict[tuple[int, int], int] = defaultdict(int)
    for departure_id, keys in wanted.items():
        for key, units in keys.items():
            changes[slots[key], departure_id] += units
    held = select(SlotClaim.slot_id, SlotClaim.departure_id, SlotClaim.units).where(
        SlotClaim.departure_id.in_(departure_ids)
    )
    for slot_id, departure_id, units in session.execute(held):
        changes[slot_id, departure_id] -= units
    return {key: units for key, units in changes.items() if units}


def _wanted(
    session: Session, departure_ids: list[int], needs: dict[int, list[NeedOf]]
) -> dict[int, dict[SlotKey, int]]:
    """What each departure must hold of which slots, from its places and its bookings' extras."""
    rows = session.execute(
        select(
            Departure.id,
            Departure.option_id,
            Departure.claimed,
            Departure.begins_at,
            Departure.ends_at,
            Option.nights,
            Community.zone,
        )
        .join(Option, Option.id == Departure.option_id)
        .join(Community, Community.id == Departure.community_id)
        .where(Departure.id.in_(departure_ids))
    ).all()
    has_add_ons = any(need.add_on for each in needs.values() for need in each)
    extras = _add_ons(session, departure_ids) if has_add_ons else {}
    return {
        row.id: claims_for(
            needs.get(row.option_id, []),
            Hours(row.begins_at, row.ends_at, row.zone, row.nights),
            row.claimed,
            extras.get(row.id, {}),
        )
        for row in rows
    }


def _needs(session: Session, departure_ids: list[int]) -> dict[int, list[NeedOf]]:
    """What the departures' options need, by option."""
    options = select(Departure.option_id).where(Departure.id.in_(departure_ids))
    rows = session.execute(
        select(
            Need.option_id, Need.thing_id, Thing.per_day, Need.per_places, Need.units, Need.add_on
        )
        .join(Thing, Thing.id == Need.thing_id)
        .where(Need.option_id.in_(options))
    )
    needs: dict[int, list[NeedOf]] = defaultdict(list)
    for row in rows:
        needs[row.option_id].append(
            NeedOf(row.thing_id, row.per_day, row.per_places, row.units, row.add_on)
        )
    return needs


def _add_ons(session: Session, departure_ids: list[int]) -> dict[int, dict[str, int]]:
    """How many of each extra the live bookings of some departures have taken."""
    rows = session.execute(
        select(Booking.departure_id, BookingAddOn.code, func.sum(BookingAddOn.quantity))
        .join(
            BookingAddOn,
            (BookingAddOn.booking_id == Booking.id) & (BookingAddOn.revision == Booking.revision),
        )
        .where(Booking.departure_id.in_(departure_ids), Booking.state.in_(LIVE))
        .group_by(Booking.departure_id, BookingAddOn.code)
    )
    extras: dict[int, dict[str, int]] = defaultdict(dict)
    for departure_id, code, quantity in rows:
        extras[departure_id][code] = int(quantity)
    return extras


def ensure_slots(session: Session, keys: set[SlotKey]) -> dict[SlotKey, int]:
    """The ids of some slots, made with their thing's capacity where they do not exist yet. A step."""
    found = _find_slots(session, keys)
    missing = sorted(keys - found.keys())
    if not missing:
        return found
    capacities = dict(
        session.execute(
            select(Thing.id, Thing.capacity).where(Thing.id.in_({key[0] for key in missing}))
        ).tuples()
    )
    rows = [
        {
            "thing_id": thing_id,
            "day": day,
            "part": part,
            "capacity": capacities[thing_id],
            "claimed": 0,
            "blocked": 0,
            "is_closed": False,
        }
        for thing_id, day, part in missing
    ]
    session.execute(_insert_if_absent(session, Slot), rows)
    return _find_slots(session, keys)


def _find_slots(session: Session, keys: set[SlotKey]) -> dict[SlotKey, int]:
    if not keys:
        return {}
    rows = session.execute(
        select(Slot.id, Slot.thing_id, Slot.day, Slot.part).where(
            Slot.thing_id.in_({key[0] for key in keys}),
            Slot.day.in_({key[1] for key in keys}),
        )
    )
    every = {(row.thing_id, row.day, Part(row.part)): row.id for row in rows}
    return {key: every[key] for key in keys & every.keys()}


def _insert_if_absent(session: Session, table: Any) -> Any:
    dialect = session.connection().dialect.name
    insert_ = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert_(table).on_conflict_do_nothing()


def _move_slot(session: Session, slot_id: int, units: int) -> None:
    """Take or give back units of a slot by one guarded statement; its CHECK stands behind it."""
    statement = update(Slot).where(Slot.id == slot_id).values(claimed=Slot.claimed + units)
    if units > 0:
        statement = statement.where(
            Slot.claimed + units <= Slot.capacity, Slot.blocked == 0, Slot.is_closed.is_(False)
        )
    if _count(session.execute(statement)) == 0:
        thing = select(Thing.title).join(Slot, Slot.thing_id == Thing.id)
        raise SlotFull(thing=session.scalar(thing.where(Slot.id == slot_id)))


def _note_claim(session: Session, slot_id: int, departure_id: int, units: int) -> None:
    claim = (SlotClaim.slot_id == slot_id, SlotClaim.departure_id == departure_id)
    held = session.scalar(select(SlotClaim.units).where(*claim))
    if held is None:
        values = {"slot_id": slot_id, "departure_id": departure_id, "units": units}
        session.execute(insert(SlotClaim), values)
    elif held + units:
        session.execute(update(SlotClaim).where(*claim).values(units=held + units))
    else:
        session.execute(delete(SlotClaim).where(*claim))


# --- holds that are over -------------------------------------------------------------------------


def with_lapsed_holds_ended(
    session: Session, community_id: int, now: datetime, claim: Callable[[], T]
) -> T:
    """Claim; when there is no room, end the village's overdue holds that nobody swept yet, and retry.

    The first try is undone before the sweep, so that locks are again taken in their order. A step.
    """
    try:
        with session.begin_nested():
            return claim()
    except (DepartureFull, SlotFull):
        if not lapse(session, now, Booking.community_id == community_id):
            raise
        return claim()


@dataclass(frozen=True)
class Freed:
    """A booking whose time was over and whose places were given back."""

    id: int
    departure_id: int
    state: BookingState


def lapse(session: Session, now: datetime, *conditions: Any) -> list[Freed]:
    """End holds and requests whose time is over and give their places back. A step."""
    overdue = (
        select(Booking.id, Booking.departure_id, Booking.places, Booking.state)
        .where(Booking.state.in_(WAITING), Booking.held_until <= now, *conditions)
        .order_by(Booking.id)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(overdue).all()
    if not rows:
        return []
    session.execute(
        update(Booking)
        .where(Booking.id.in_([row.id for row in rows]))
        .values(state=BookingState.LAPSED)
    )
    freed: dict[int, int] = defaultdict(int)
    for row in rows:
        freed[row.departure_id] -= row.places
    move_places(session, freed)
    follow_with_slots(session, freed)
    return [Freed(row.id, row.departure_id, BookingState(row.state)) for row in rows]


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
