"""Claiming and releasing: the one door through which places and shared things are sold.

Web, host's phone, waiting list, change and later channels all come through `move_places`. What a
departure takes of boats, kitchens and the village is a function of its places (`things.py`), so it
follows the count of places in the same transaction: nothing is taken twice and nothing stays behind.

The order of locks is fixed: departures by id, then slots by id. Two claims can wait for each other
only in a line, never in a circle. Whoever moves several times in one transaction locks all of it
before (`lock_in_order`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Date,
    Text,
    and_,
    bindparam,
    case,
    func,
    null,
    or_,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

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
from cbt.db import WholeNumber, table_of
from cbt.errors import DepartureCalledOff, DepartureFull, DepartureGone, SlotFull
from cbt.experiences.models import Option

T = TypeVar("T")
SlotKey = tuple[int, date, Part]

# Built once: whoever books runs through all of these.
_DEPARTURE, _SLOT, _CLAIMED = table_of(Departure), table_of(Slot), table_of(SlotClaim)
_OPTION, _NEED, _THING = table_of(Option), table_of(Need), table_of(Thing)
_COMMUNITY, _BOOKING = table_of(Community), table_of(Booking)
_PLACES = bindparam("places", type_=WholeNumber)
_AMONG: Any = bindparam("departures", expanding=True)
_CLAIM = (
    update(_DEPARTURE)
    .where(
        _DEPARTURE.c.id == bindparam("wanted"),
        _DEPARTURE.c.state == DepartureState.OPEN,
        _DEPARTURE.c.claimed + _PLACES <= _DEPARTURE.c.capacity,
    )
    .values(claimed=_DEPARTURE.c.claimed + _PLACES)
)
_RECLAIM = (
    update(_DEPARTURE)
    .where(
        _DEPARTURE.c.id == bindparam("wanted"),
        _DEPARTURE.c.state.in_((DepartureState.OPEN, DepartureState.CLOSED)),
        _DEPARTURE.c.claimed + _PLACES <= _DEPARTURE.c.capacity,
    )
    .values(claimed=_DEPARTURE.c.claimed + _PLACES)
)
_RELEASE = (
    update(_DEPARTURE)
    .where(_DEPARTURE.c.id == bindparam("wanted"))
    .values(claimed=_DEPARTURE.c.claimed - _PLACES)
)
_NOTHING: Any = null()
_STANDING = union_all(  # what departures are and may need, then what they hold
    select(
        *(_DEPARTURE.c.id, _DEPARTURE.c.option_id, _DEPARTURE.c.claimed),
        *(_DEPARTURE.c.begins_at, _DEPARTURE.c.ends_at, _OPTION.c.nights, _COMMUNITY.c.zone),
        *(_NEED.c.thing_id, _THING.c.per_day, _NEED.c.per_places, _NEED.c.units, _NEED.c.add_on),
        type_coerce(_NOTHING, WholeNumber).label("slot_id"),
        type_coerce(_NOTHING, Date).label("day"),
        type_coerce(_NOTHING, Text).label("part"),
    )
    .join(_OPTION, _OPTION.c.id == _DEPARTURE.c.option_id)
    .join(_COMMUNITY, _COMMUNITY.c.id == _DEPARTURE.c.community_id)
    .outerjoin(_NEED, _NEED.c.option_id == _DEPARTURE.c.option_id)
    .outerjoin(_THING, _THING.c.id == _NEED.c.thing_id)
    .where(_DEPARTURE.c.id.in_(_AMONG)),
    select(
        *(_CLAIMED.c.departure_id, *[_NOTHING] * 6),
        *(_SLOT.c.thing_id, *[_NOTHING] * 2, _CLAIMED.c.units, _NOTHING),
        *(_SLOT.c.id, _SLOT.c.day, _SLOT.c.part),
    )
    .join(_SLOT, _SLOT.c.id == _CLAIMED.c.slot_id)
    .where(_CLAIMED.c.departure_id.in_(_AMONG)),
)


def any_overdue(community_id: Any) -> ColumnElement[bool]:
    """Whether a community has holds that are over and not swept yet at the parameter `now`."""
    return (
        select(_BOOKING.c.id)
        .where(
            or_(*(_BOOKING.c.state == state for state in WAITING)),
            _BOOKING.c.held_until <= bindparam("now"),
            _BOOKING.c.community_id == community_id,
        )
        .exists()
    )


_ANY_OVERDUE = select(any_overdue(bindparam("community")))


def _written_over(insert_: Any) -> Any:
    """An insert of claims that takes the place of those that stand."""
    return insert_.on_conflict_do_update(
        index_elements=[_CLAIMED.c.departure_id, _CLAIMED.c.slot_id],
        set_={"units": insert_.excluded.units},
    )


_WRITE_CLAIMS = {
    "postgresql": _written_over(postgresql.insert(_CLAIMED)),
    "sqlite": _written_over(sqlite.insert(_CLAIMED)),
}


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
    taken = session.execute(_CLAIM, {"wanted": departure_id, "places": wanted})
    if _count(taken) == 0:
        _refuse(session, departure_id, wanted)


def reclaim_places(session: Session, departure_id: int, wanted: int) -> None:
    """Take places again for a party that had them and came; sales may be closed by then. A step.

    Raises DepartureFull, DepartureGone or DepartureCalledOff.
    """
    if _count(session.execute(_RECLAIM, {"wanted": departure_id, "places": wanted})) == 0:
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
    session.execute(_RELEASE, {"wanted": departure_id, "places": places})


# --- shared things -------------------------------------------------------------------------------


def follow_with_slots(session: Session, departure_ids: Iterable[int]) -> None:
    """Let the slots follow what the departures' live bookings need now.

    Needs the departures' locks. Raises SlotFull when a thing has no room that day, and then the
    caller's transaction must be undone. A step.
    """
    ids = sorted(set(departure_ids))
    standing = _standing(session, ids)
    if not standing.needs and not standing.held:
        return
    changes = _changes(session, standing)
    moves: dict[int, int] = defaultdict(int)
    for (slot_id, _departure), units in changes.items():
        moves[slot_id] += units
    _move_slots(session, moves)
    before = {place: each.units for place, each in standing.held.items()}
    _note_claims(session, {place: before.get(place, 0) + changes[place] for place in changes})


@dataclass(frozen=True)
class _Held:
    """What a departure's claim holds of a slot now."""

    units: int
    key: SlotKey


@dataclass(frozen=True)
class _Facts:
    """A departure as far as what it needs depends on it."""

    option_id: int
    claimed: int
    hours: Hours


@dataclass(frozen=True)
class _Standing:
    """Some departures by id, what their options need, and what they hold by (slot, departure)."""

    departures: dict[int, _Facts]
    needs: dict[int, list[NeedOf]]
    held: dict[tuple[int, int], _Held]


def _standing(session: Session, departure_ids: list[int]) -> _Standing:
    """What departures need and hold, in one statement."""
    standing = _Standing({}, {}, {})
    read_of: dict[int, int] = {}  # by option, the departure with which its needs come first
    for row in session.execute(_STANDING, {"departures": departure_ids}):
        if row.slot_id is not None:
            key = (row.thing_id, row.day, Part(row.part))
            standing.held[row.slot_id, row.id] = _Held(row.units, key)
            continue
        if row.id not in standing.departures:
            hours = Hours(row.begins_at, row.ends_at, row.zone, row.nights)
            standing.departures[row.id] = _Facts(row.option_id, row.claimed, hours)
        if row.thing_id is not None and read_of.setdefault(row.option_id, row.id) == row.id:
            standing.needs.setdefault(row.option_id, []).append(
                NeedOf(row.thing_id, row.per_day, row.per_places, row.units, row.add_on)
            )
    return standing


def wanted_slots(session: Session, departure_ids: list[int]) -> dict[int, dict[SlotKey, int]]:
    """What departures must hold of which slots by the facts: their needs and live bookings."""
    return _wanted(session, _standing(session, departure_ids))


def _changes(session: Session, standing: _Standing) -> dict[tuple[int, int], int]:
    """{(slot, departure): units to move} from what is claimed to what ought to be."""
    wanted = _wanted(session, standing)
    slots = {each.key: slot_id for (slot_id, _departure), each in standing.held.items()}
    unknown = {key for keys in wanted.values() for key in keys} - slots.keys()
    if unknown:
        slots |= ensure_slots(session, unknown)
    changes: dict[tuple[int, int], int] = defaultdict(int)
    for departure_id, keys in wanted.items():
        for key, units in keys.items():
            changes[slots[key], departure_id] += units
    for place, each in standing.held.items():
        changes[place] -= each.units
    return {key: units for key, units in changes.items() if units}


def _wanted(session: Session, standing: _Standing) -> dict[int, dict[SlotKey, int]]:
    """What each departure must hold of which slots, from its places and its bookings' extras."""
    has_add_ons = any(need.add_on for each in standing.needs.values() for need in each)
    extras = _add_ons(session, list(standing.departures)) if has_add_ons else {}
    return {
        departure_id: claims_for(
            standing.needs.get(each.option_id, []),
            each.hours,
            each.claimed,
            extras.get(departure_id, {}),
        )
        for departure_id, each in standing.departures.items()
    }


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
        session.execute(  # shared locks: nobody changes how many there are until these slots stand
            select(Thing.id, Thing.capacity)
            .where(Thing.id.in_({key[0] for key in missing}))
            .order_by(Thing.id)
            .with_for_update(read=True)
        ).all()
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


def _move_slots(session: Session, moves: Mapping[int, int]) -> None:
    """Take (above zero) or give back (below) units of slots by one guarded statement.

    It locks them in the order of their ids, and each one's CHECK stands behind it. Where one has
    no room, raises SlotFull, and then the caller's transaction must be undone.
    """
    if not moves:
        return
    values: dict[str, int] = {}
    for number, slot_id in enumerate(sorted(moves)):
        values |= {f"slot_{number}": slot_id, f"units_{number}": moves[slot_id]}
    moved = set(session.scalars(_move(len(moves)), values))
    for slot_id in sorted(moves.keys() - moved):
        thing = select(Thing.title).join(Slot, Slot.thing_id == Thing.id)
        raise SlotFull(thing=session.scalar(thing.where(Slot.id == slot_id)))


@lru_cache(maxsize=64)
def _move(number: int) -> ReturningUpdate[tuple[int]]:
    """The statement that moves the units of so many slots, or of those among them with room."""
    ids = [bindparam(f"slot_{each}", type_=WholeNumber) for each in range(number)]
    units: ColumnElement[int] = case(
        *(
            (_SLOT.c.id == id_, bindparam(f"units_{each}", type_=WholeNumber))
            for each, id_ in enumerate(ids)
        )
    )
    rows = _SLOT.alias("in_order")
    in_order = select(rows.c.id).where(rows.c.id.in_(ids)).order_by(rows.c.id).with_for_update()
    has_room = and_(
        _SLOT.c.claimed + units <= _SLOT.c.capacity,
        _SLOT.c.blocked == 0,
        _SLOT.c.is_closed.is_(False),
    )
    return (
        update(_SLOT)
        .where(_SLOT.c.id.in_(in_order), or_(units <= 0, has_room))
        .values(claimed=_SLOT.c.claimed + units)
        .returning(_SLOT.c.id)
    )


def _note_claims(session: Session, claims: dict[tuple[int, int], int]) -> None:
    """Write down what departures hold: {(slot, departure): units}.

    At none a claim stays, and goes on telling that the departure needs the slot.
    """
    if claims:
        rows = [
            {"slot_id": slot_id, "departure_id": departure_id, "units": units}
            for (slot_id, departure_id), units in sorted(claims.items())
        ]
        session.execute(_WRITE_CLAIMS[session.connection().dialect.name], rows)


def lock_in_order(session: Session, departure_ids: Iterable[int]) -> None:
    """Lock departures by id, then every slot that they have or may need by id. A step."""
    ids = sorted(set(departure_ids))
    session.execute(
        select(Departure.id).where(Departure.id.in_(ids)).order_by(Departure.id).with_for_update()
    )
    claimed = select(SlotClaim.slot_id).where(SlotClaim.departure_id.in_(ids))
    slots = set(session.scalars(claimed))
    slots.update(ensure_slots(session, _possible_slots(session, ids)).values())
    session.execute(select(Slot.id).where(Slot.id.in_(slots)).order_by(Slot.id).with_for_update())


def _possible_slots(session: Session, departure_ids: list[int]) -> set[SlotKey]:
    """Every slot that departures could take with places and extras enough."""
    standing = _standing(session, departure_ids)
    extras = {need.add_on: 1 for each in standing.needs.values() for need in each if need.add_on}
    return {
        key
        for each in standing.departures.values()
        for key in claims_for(standing.needs.get(each.option_id, []), each.hours, 1, extras)
    }


# --- holds that are over -------------------------------------------------------------------------


def with_lapsed_holds_ended(
    session: Session,
    community_id: int,
    now: datetime,
    departure_ids: Iterable[int],
    claim: Callable[[], T],
    *,
    is_overdue: bool | None = None,
) -> T:
    """Claim; when there is no room, end the village's overdue holds that nobody swept yet, and retry.

    The first try is undone before the sweep, which locks the departures to be claimed together with
    those that it frees, so that locks are again taken in their order. Where nothing is overdue it is
    not undone: whoever is refused undoes the whole transaction. A caller who has looked already
    tells whether there `is_overdue`. A step.
    """
    if is_overdue is None:
        is_overdue = session.scalar(_ANY_OVERDUE, {"community": community_id, "now": now})
    if not is_overdue:
        return claim()
    try:
        with session.begin_nested():
            return claim()
    except (DepartureFull, SlotFull):
        overdue = Booking.community_id == community_id
        if not lapse(session, now, overdue, also=tuple(departure_ids)):
            raise
        return claim()


@dataclass(frozen=True)
class Freed:
    """A booking whose time was over and whose places were given back."""

    id: int
    departure_id: int
    state: BookingState


def lapse(
    session: Session, now: datetime, *conditions: Any, also: tuple[int, ...] = ()
) -> list[Freed]:
    """End holds and requests whose time is over and give their places back. A step.

    The departures in `also` are locked with those that are freed, for a claim that follows.
    """
    return _lapse(session, also, Booking.held_until <= now, *conditions)


def lapse_every(session: Session, departure_ids: Collection[int]) -> list[Freed]:
    """End whatever still waits on departures that are over, its time up or not. A step."""
    return _lapse(session, (), Booking.departure_id.in_(departure_ids))


def _lapse(session: Session, also: tuple[int, ...], *conditions: Any) -> list[Freed]:
    overdue = (
        select(Booking.id, Booking.departure_id, Booking.places, Booking.state)
        .where(Booking.state.in_(WAITING), *conditions)
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
    if also:
        lock_in_order(session, {*freed, *also})
    move_places(session, freed)
    follow_with_slots(session, freed)
    return [Freed(row.id, row.departure_id, BookingState(row.state)) for row in rows]


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
