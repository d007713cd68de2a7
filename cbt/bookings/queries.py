"""Reading departures and bookings."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, BookingCost, BookingLine, Departure
from cbt.bookings.records import BookingCard, DepartureCard, Found, Guest, PriceParts, TripCard
from cbt.bookings.states import LIVE, BookingState, DepartureState
from cbt.communities.models import Community
from cbt.communities.records import CommunityCard
from cbt.db import Query, columns
from cbt.errors import DepartureUnknown, NotFound
from cbt.experiences.models import Experience, Option
from cbt.experiences.pricing import CostLine, OutsideCost, PriceLine, Unit
from cbt.experiences.queries import lowest_price
from cbt.experiences.records import Teaser

# --- departures ----------------------------------------------------------------------------------

_DEPARTURE = columns(Departure, DepartureCard)


def list_departures(
    session: Session, option_ids: Iterable[int], starts_on: date, ends_before: date
) -> list[DepartureCard]:
    rows = session.execute(
        select(*_DEPARTURE)
        .where(
            Departure.option_id.in_(list(option_ids)),
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
        )
        .order_by(Departure.starts_on, Departure.starts_at, Departure.id)
    )
    return [DepartureCard(*row) for row in rows]


def get_departure(session: Session, departure_id: int) -> DepartureCard:
    row = session.execute(select(*_DEPARTURE).where(Departure.id == departure_id)).one_or_none()
    if row is None:
        raise DepartureUnknown
    return DepartureCard(*row)


_TRIP: list[Any] = [
    Departure.id,
    Departure.starts_on,
    Departure.starts_at,
    Departure.begins_at,
    Departure.ends_at,
    Departure.capacity,
    Departure.claimed,
    Departure.state,
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
            Departure.begins_at > now,
            Departure.state == DepartureState.OPEN,
            Departure.capacity - Departure.claimed >= guests,
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
    Booking.held_until,
    Booking.created_at,
    Booking.confirmed_at,
    Booking.language,
    Booking.places,
    Booking.price_satang,
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
    """Frozen price lines and outside costs of some bookings, in two statements."""
    ids = list(booking_ids)
    lines = list_price_lines(session, ids)
    costs: dict[int, list[CostLine]] = {booking_id: [] for booking_id in ids}
    for cost in session.scalars(
        select(BookingCost)
        .where(BookingCost.booking_id.in_(ids))
        .order_by(BookingCost.booking_id, BookingCost.line)
    ):
        costs[cost.booking_id].append(CostLine(OutsideCost(cost.code), cost.amount_satang))
    return {each: PriceParts(lines[each], tuple(costs[each])) for each in ids}


def list_price_lines(
    session: Session, booking_ids: Iterable[int]
) -> dict[int, tuple[PriceLine, ...]]:
    """How many of which guests, by booking."""
    ids = list(booking_ids)
    lines: dict[int, list[PriceLine]] = {booking_id: [] for booking_id in ids}
    for line in session.scalars(
        select(BookingLine)
        .where(BookingLine.booking_id.in_(ids))
        .order_by(BookingLine.booking_id, BookingLine.line)
    ):
        lines[line.booking_id].append(
            PriceLine(Unit(line.unit), line.quantity, line.price_satang, line.places)
        )
    return {each: tuple(lines[each]) for each in ids}
