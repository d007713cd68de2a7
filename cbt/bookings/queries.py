"""Reading departures and bookings."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from cbt.bookings.availability import Limit
from cbt.bookings.models import (
    Booking,
    BookingAddOn,
    BookingCost,
    BookingLine,
    Departure,
    Need,
    Slot,
    SlotClaim,
    Thing,
)
from cbt.bookings.records import (
    BookingCard,
    DepartureCard,
    Found,
    Guest,
    OptionHours,
    PriceParts,
    TripCard,
)
from cbt.bookings.states import LIVE, BookingState, DepartureState
from cbt.communities.models import Community
from cbt.communities.records import CommunityCard
from cbt.db import Condition, Query, columns
from cbt.errors import DepartureUnknown, NotFound
from cbt.experiences.models import Experience, Option
from cbt.experiences.pricing import AddOnLine, CostLine, OutsideCost, PriceLine, Unit
from cbt.experiences.queries import lowest_price
from cbt.experiences.records import Teaser
from cbt.experiences.schedule import Existing

# --- departures ----------------------------------------------------------------------------------

_DEPARTURE: list[Any] = [
    Departure.id,
    Departure.option_id,
    Departure.community_id,
    Departure.starts_on,
    Departure.starts_at,
    Departure.begins_at,
    Departure.ends_at,
    Departure.closes_at,
    Departure.decide_at,
    Departure.min_to_run,
    Departure.capacity,
    Departure.claimed,
    Departure.state,
]
_SPARE = case(
    ((Slot.blocked == 0) & Slot.is_closed.is_(False), Slot.capacity - Slot.claimed), else_=0
)


def list_departures(
    session: Session, option_ids: Iterable[int], starts_on: date, ends_before: date
) -> list[DepartureCard]:
    """Departures with the room that their shared things leave them. One statement."""
    return _departures(
        session,
        Departure.option_id.in_(list(option_ids)),
        Departure.starts_on >= starts_on,
        Departure.starts_on < ends_before,
    )


def get_departure(session: Session, departure_id: int) -> DepartureCard:
    departures = _departures(session, Departure.id == departure_id)
    if not departures:
        raise DepartureUnknown
    return departures[0]


def _departures(session: Session, *conditions: Condition) -> list[DepartureCard]:
    """One row a departure and slot, folded into a card with its limits."""
    rows = session.execute(
        select(*_DEPARTURE, SlotClaim.units, _SPARE, Need.per_places, Need.units)
        .outerjoin(SlotClaim, SlotClaim.departure_id == Departure.id)
        .outerjoin(Slot, Slot.id == SlotClaim.slot_id)
        .outerjoin(
            Need,
            (Need.option_id == Departure.option_id)
            & (Need.thing_id == Slot.thing_id)
            & (Need.add_on == ""),
        )
        .where(*conditions)
        .order_by(Departure.starts_on, Departure.starts_at, Departure.id)
    )
    own = len(_DEPARTURE)
    limits: dict[tuple[Any, ...], list[Limit]] = {}
    for row in rows:
        found = limits.setdefault(tuple(row[:own]), [])
        if row[-1] is not None:
            found.append(Limit(*row[own:]))
    return [replace(DepartureCard(*card), limits=tuple(found)) for card, found in limits.items()]


def get_option_hours(session: Session, option_id: int) -> OptionHours:
    """What departures of an option are made from; the strictest cut-off of what it needs counts."""
    strictest = (
        select(func.coalesce(func.max(Thing.cutoff_minutes), 0))
        .join(Need, Need.thing_id == Thing.id)
        .where(Need.option_id == option_id)
        .scalar_subquery()
    )
    row = session.execute(
        select(
            Option.id,
            Community.id,
            Community.zone,
            Option.starts_at,
            Option.duration_minutes,
            Option.capacity,
            case((Option.cutoff_minutes > strictest, Option.cutoff_minutes), else_=strictest),
            Option.min_to_run,
            Option.decide_hours,
        )
        .join(Experience, Experience.id == Option.experience_id)
        .join(Community, Community.id == Experience.community_id)
        .where(Option.id == option_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="option")
    return OptionHours(*row)


def get_zone_of_departure(session: Session, departure_id: int) -> str:
    return session.execute(
        select(Community.zone)
        .join(Departure, Departure.community_id == Community.id)
        .where(Departure.id == departure_id)
    ).scalar_one()


def list_planned(session: Session, rule_id: int, now: datetime) -> list[Existing]:
    """The departures that a rule opened and that lie ahead, as far as they are sold."""
    rows = session.execute(
        select(Departure.id, Departure.starts_on, Departure.claimed, Departure.is_edited)
        .where(
            Departure.rule_id == rule_id,
            Departure.begins_at > now,
            Departure.state == DepartureState.OPEN,
        )
        .order_by(Departure.starts_on)
    )
    return [Existing(*row) for row in rows]


_TRIP: list[Any] = [
    Departure.id,
    Departure.starts_on,
    Departure.starts_at,
    Departure.begins_at,
    Departure.ends_at,
    Departure.capacity,
    Departure.claimed,
    Departure.state,
    Departure.min_to_run,
    Departure.decide_at,
    Departure.called_off_for,
    Departure.option_id,
    Option.nights,
    Option.title,
    Experience.slug,
    Experience.title,
    Experience.meeting_point,
    Experience.picture,
]


def _trips() -> Query:
    return (
        select(*_TRIP)
        .join(Option, Option.id == Departure.option_id)
        .join(Experience, Experience.id == Option.experience_id)
    )


def get_trip(session: Session, community_id: int, departure_id: int) -> TripCard:
    row = session.execute(
        _trips().where(Departure.id == departure_id, Departure.community_id == community_id)
    ).one_or_none()
    if row is None:
        raise DepartureUnknown
    return TripCard(*row)


def list_trips(session: Session, departure_ids: Iterable[int]) -> dict[int, TripCard]:
    rows = session.execute(_trips().where(Departure.id.in_(list(departure_ids))))
    return {row[0]: TripCard(*row) for row in rows}


def list_trips_with_bookings(
    session: Session, community_id: int, starts_on: date, ends_before: date
) -> list[TripCard]:
    """Departures in a span of days on which somebody is booked."""
    rows = session.execute(
        _trips()
        .where(
            Departure.community_id == community_id,
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
            Departure.claimed > 0,
        )
        .order_by(Departure.begins_at, Departure.id)
    )
    return [TripCard(*row) for row in rows]


def list_unsettled_trips(session: Session, community_id: int, now: datetime) -> list[TripCard]:
    """Departures that are over, had paid guests, and whose money is not shared out yet."""
    paid = select(Booking.departure_id).where(
        Booking.community_id == community_id, Booking.state == BookingState.CONFIRMED
    )
    rows = session.execute(
        _trips()
        .where(
            Departure.id.in_(paid),
            Departure.state == DepartureState.OPEN,
            Departure.ends_at <= now,
        )
        .order_by(Departure.begins_at, Departure.id)
    )
    return [TripCard(*row) for row in rows]


def _too_little_room(guests: int) -> Condition:
    """Whether a thing that a departure shares cannot bear so many more guests that day."""
    reach = (SlotClaim.units + _SPARE) // Need.units
    return (
        select(SlotClaim.slot_id)
        .join(Slot, Slot.id == SlotClaim.slot_id)
        .join(Need, (Need.thing_id == Slot.thing_id) & (Need.add_on == ""))
        .where(
            SlotClaim.departure_id == Departure.id,
            Need.option_id == Departure.option_id,
            case(
                (Need.per_places > 0, reach * Need.per_places < Departure.claimed + guests),
                else_=reach < 1,
            ),
        )
        .correlate(Departure)
        .exists()
    )


def search_experiences(
    session: Session,
    *,
    starts_on: date,
    ends_before: date,
    guests: int,
    province_code: str | None,
    now: datetime,
) -> list[Found]:
    """Experiences with room for a party in a span of days. One statement."""
    open_ = (
        select(
            Option.experience_id.label("experience_id"),
            func.count(Departure.id).label("departures"),
            func.min(Departure.starts_on).label("next_on"),
        )
        .join(Departure, Departure.option_id == Option.id)
        .where(
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
            Departure.closes_at > now,
            Departure.state == DepartureState.OPEN,
            Departure.capacity - Departure.claimed >= guests,
            ~_too_little_room(guests),
            Option.min_party <= guests,
            Option.max_party >= guests,
        )
        .group_by(Option.experience_id)
        .subquery()
    )
    card = columns(Community, CommunityCard)
    query = (
        select(
            *card,
            Experience.slug,
            Experience.picture,
            Experience.picture_text,
            Experience.title,
            Experience.summary,
            lowest_price(),
            open_.c.departures,
            open_.c.next_on,
        )
        .join(open_, open_.c.experience_id == Experience.id)
        .join(Community, Community.id == Experience.community_id)
        .order_by(Community.id, Experience.position)
    )
    if province_code:
        query = query.where(Community.province_code == province_code)
    size = len(card)
    return [
        Found(CommunityCard(*row[:size]), Teaser(*row[size : size + 6]), row[-2], row[-1])
        for row in session.execute(query)
    ]


# --- bookings ------------------------------------------------------------------------------------

_BOOKING: list[Any] = [
    Booking.id,
    Booking.reference,
    Booking.state,
    Booking.version,
    Booking.revision,
    Booking.held_until,
    Booking.is_extended,
    Booking.created_at,
    Booking.confirmed_at,
    Booking.ended_at,
    Booking.ended_for,
    Booking.language,
    Booking.places,
    Booking.price_satang,
    Booking.discount_satang,
    Booking.discount_bearer,
    Booking.promo_code_id,
    Booking.terms,
    Booking.counts_from,
    Booking.policy_version_id,
    Booking.community_id,
]
_GUEST: list[Any] = [
    Booking.guest_name,
    Booking.guest_email,
    Booking.guest_phone,
    Booking.food_needs,
    Booking.access_needs,
]


def _bookings() -> Query:
    return (
        select(*_BOOKING, *_GUEST, *_TRIP)
        .select_from(Booking)
        .join(Departure, Departure.id == Booking.departure_id)
        .join(Option, Option.id == Departure.option_id)
        .join(Experience, Experience.id == Option.experience_id)
    )


def _card(*row: Any) -> BookingCard:
    own, guest = len(_BOOKING), len(_BOOKING) + len(_GUEST)
    card = BookingCard(Guest(*row[own:guest]), TripCard(*row[guest:]), *row[:own])
    return replace(card, state=BookingState(card.state))


def get_booking_with_community(
    session: Session, reference: str
) -> tuple[BookingCard, CommunityCard]:
    """A booking and its community, in one statement."""
    own = len(_BOOKING) + len(_GUEST) + len(_TRIP)
    row = session.execute(
        _bookings()
        .join(Community, Community.id == Booking.community_id)
        .add_columns(*columns(Community, CommunityCard))
        .where(Booking.reference == reference)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="booking")
    return _card(*row[:own]), CommunityCard(*row[own:])


def get_booking(session: Session, reference: str) -> BookingCard:
    row = session.execute(_bookings().where(Booking.reference == reference)).one_or_none()
    if row is None:
        raise NotFound(thing="booking")
    return _card(*row)


def get_booking_of(session: Session, community_id: int, reference: str) -> BookingCard:
    """A booking of one community; another community's does not exist for it."""
    booking = get_booking(session, reference)
    if booking.community_id != community_id:
        raise NotFound(thing="booking")
    return booking


def find_reference_by_key(session: Session, request_key: str) -> str | None:
    return session.scalar(select(Booking.reference).where(Booking.request_key == request_key))


def list_bookings(
    session: Session, community_id: int, departure_ids: Iterable[int], states: Iterable[str] = LIVE
) -> list[BookingCard]:
    rows = session.execute(
        _bookings()
        .where(
            Booking.community_id == community_id,
            Booking.departure_id.in_(list(departure_ids)),
            Booking.state.in_(list(states)),
        )
        .order_by(Booking.id)
    )
    return [_card(*row) for row in rows]


def list_latest_bookings(session: Session, community_id: int, limit: int) -> list[BookingCard]:
    """The newest bookings with a guest's name, whatever their state."""
    rows = session.execute(
        _bookings()
        .where(Booking.community_id == community_id)
        .order_by(Booking.created_at.desc(), Booking.id.desc())
        .limit(limit)
    )
    return [_card(*row) for row in rows]


def get_price_parts(session: Session, booking_id: int) -> PriceParts:
    return list_price_parts(session, [booking_id]).get(booking_id, PriceParts((), ()))


def list_price_parts(session: Session, booking_ids: Iterable[int]) -> dict[int, PriceParts]:
    """Frozen price lines, outside costs and extras of some bookings, in three statements."""
    ids = list(booking_ids)
    lines = list_price_lines(session, ids)
    costs: dict[int, list[CostLine]] = {booking_id: [] for booking_id in ids}
    for cost in session.scalars(_current(BookingCost, ids)):
        costs[cost.booking_id].append(CostLine(OutsideCost(cost.code), cost.amount_satang))
    extras: dict[int, list[AddOnLine]] = {booking_id: [] for booking_id in ids}
    for extra in session.scalars(_current(BookingAddOn, ids)):
        line = AddOnLine(extra.code, extra.quantity, extra.price_satang)
        extras[extra.booking_id].append(line)
    return {each: PriceParts(lines[each], tuple(costs[each]), tuple(extras[each])) for each in ids}


def list_price_lines(
    session: Session, booking_ids: Iterable[int]
) -> dict[int, tuple[PriceLine, ...]]:
    """How many of which guests, by booking."""
    ids = list(booking_ids)
    lines: dict[int, list[PriceLine]] = {booking_id: [] for booking_id in ids}
    for line in session.scalars(_current(BookingLine, ids)):
        lines[line.booking_id].append(
            PriceLine(Unit(line.unit), line.quantity, line.price_satang, line.places)
        )
    return {each: tuple(lines[each]) for each in ids}


def _current(table: Any, booking_ids: list[int]) -> Any:
    """The frozen rows of some bookings as they stand now, by booking and line."""
    return (
        select(table)
        .join(Booking, (Booking.id == table.booking_id) & (Booking.revision == table.revision))
        .where(table.booking_id.in_(booking_ids))
        .order_by(table.booking_id, table.line)
    )
