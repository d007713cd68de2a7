"""From hold to confirmation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from sqlalchemy import CursorResult, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings import queries
from cbt.bookings.claims import claim_places, release_places
from cbt.bookings.models import Booking, BookingCost, BookingLine, Departure
from cbt.bookings.references import references
from cbt.bookings.states import BookingState, DepartureState, require_step
from cbt.clock import to_instant
from cbt.communities.models import Community
from cbt.db import Condition, transaction
from cbt.errors import (
    DepartureFull,
    DepartureGone,
    DetailsIncomplete,
    HoldLapsed,
    NotFound,
    StateForbids,
)
from cbt.experiences.models import Experience, Option
from cbt.experiences.pricing import quote
from cbt.experiences.queries import get_option

HOLD_FOR = timedelta(minutes=30)
FORGET_NEEDS_AFTER = timedelta(days=7)
FORGET_GUEST_AFTER = timedelta(days=180)


# --- departures ----------------------------------------------------------------------------------


def open_departures(option_id: int, days: Iterable[date]) -> int:
    """Offer an option on some days at its usual hour; days already open stay. Returns the count."""
    with transaction() as session:
        option, community_id, zone = session.execute(
            select(Option, Community.id, Community.zone)
            .join(Experience, Experience.id == Option.experience_id)
            .join(Community, Community.id == Experience.community_id)
            .where(Option.id == option_id)
        ).one()
        known = set(
            session.scalars(select(Departure.starts_on).where(Departure.option_id == option_id))
        )
        rows = []
        for day in sorted(set(days) - known):
            begins_at = to_instant(day, option.starts_at, zone)
            rows.append(
                {
                    "option_id": option_id,
                    "community_id": community_id,
                    "starts_on": day,
                    "starts_at": option.starts_at,
                    "begins_at": begins_at,
                    "ends_at": begins_at + timedelta(minutes=option.duration_minutes),
                    "capacity": option.capacity,
                    "claimed": 0,
                    "state": DepartureState.OPEN,
                }
            )
        if rows:
            session.execute(insert(Departure), rows)
        return len(rows)


# --- hold ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class HoldRequest:
    """What a guest asks for. `request_key` is made by the form, so that a double submit is one."""

    departure_id: int
    party: Mapping[str, int]
    policy_version_id: int
    language: str
    request_key: str


def hold(request: HoldRequest, now: datetime) -> str:
    """Hold places for HOLD_FOR and return the booking's reference; asking again returns the same.

    The price and the split policy are frozen from here on. Raises DepartureUnknown, DepartureGone,
    DepartureFull, or what `pricing.quote` raises, and then writes nothing.
    """
    try:
        return _hold_once(request, now)
    except IntegrityError:  # another won the race for this key, or for this reference
        return _hold_once(request, now)


def _hold_once(request: HoldRequest, now: datetime) -> str:
    with transaction() as session:
        earlier = queries.find_reference_by_key(session, request.request_key)
        return earlier or _hold(session, request, now)


def _hold(session: Session, request: HoldRequest, now: datetime) -> str:
    departure = queries.get_departure(session, request.departure_id)
    if departure.begins_at <= now or departure.state != DepartureState.OPEN:
        raise DepartureGone
    option = get_option(session, departure.option_id)
    price = quote(request.party, option.price_list)
    _claim_or_lapse_first(session, departure.id, price.places, now)
    reference = _free_reference(session, request.request_key)
    booking_id = session.execute(
        insert(Booking).returning(Booking.id),
        {
            "reference": reference,
            "request_key": request.request_key,
            "community_id": departure.community_id,
            "departure_id": departure.id,
            "policy_version_id": request.policy_version_id,
            "state": BookingState.HELD,
            "held_until": min(now + HOLD_FOR, departure.begins_at),
            "created_at": now,
            "language": request.language,
            "places": price.places,
            "price_satang": price.price_satang,
        },
    ).scalar_one()
    session.execute(
        insert(BookingLine),
        [
            {
                "booking_id": booking_id,
                "line": number,
                "unit": line.unit,
                "quantity": line.quantity,
                "price_satang": line.price_satang,
                "places": line.places,
            }
            for number, line in enumerate(price.lines, start=1)
        ],
    )
    if price.costs:
        session.execute(
            insert(BookingCost),
            [
                {
                    "booking_id": booking_id,
                    "line": number,
                    "code": cost.code,
                    "amount_satang": cost.amount_satang,
                }
                for number, cost in enumerate(price.costs, start=1)
            ],
        )
    return reference


def _claim_or_lapse_first(session: Session, departure_id: int, places: int, now: datetime) -> None:
    """Claim places; when there are too few, end overdue holds that nobody swept yet, and retry."""
    try:
        claim_places(session, departure_id, places)
    except DepartureFull:
        if not _lapse(session, now, departure_id):
            raise
        claim_places(session, departure_id, places)


def _free_reference(session: Session, request_key: str) -> str:
    tries = list(islice(references(request_key), 8))
    taken = set(session.scalars(select(Booking.reference).where(Booking.reference.in_(tries))))
    return next(reference for reference in tries if reference not in taken)


# --- the end of a hold ---------------------------------------------------------------------------


def lapse_overdue_holds(now: datetime) -> int:
    """End every hold whose time is over and give its places back. Returns how many."""
    with transaction() as session:
        return _lapse(session, now)


def _lapse(session: Session, now: datetime, departure_id: int | None = None) -> int:
    overdue = select(Booking.id, Booking.departure_id, Booking.places).where(
        Booking.state == BookingState.HELD, Booking.held_until <= now
    )
    if departure_id is not None:
        overdue = overdue.where(Booking.departure_id == departure_id)
    rows = session.execute(
        overdue.order_by(Booking.departure_id, Booking.id).with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        release_places(session, row.departure_id, row.places)
    if rows:
        session.execute(
            update(Booking)
            .where(Booking.id.in_([row.id for row in rows]))
            .values(state=BookingState.LAPSED)
        )
    return len(rows)


def extend_hold(session: Session, booking_id: int, until: datetime, now: datetime) -> None:
    """Keep a living hold at least `until`. Raises HoldLapsed when it is over already. A step."""
    booking = lock_booking(session, booking_id)
    if booking.state != BookingState.HELD or booking.held_until <= now:
        raise HoldLapsed
    if until > booking.held_until:
        session.execute(update(Booking).where(Booking.id == booking_id).values(held_until=until))


# --- the guest's details -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Details:
    """Who comes and how to reach them; needs only with consent to keep them until after the trip."""

    name: str
    email: str
    phone: str
    food_needs: str
    access_needs: str
    consent: bool


def save_details(reference: str, details: Details, now: datetime) -> None:
    """Write the guest's details into a held booking. Raises DetailsIncomplete or HoldLapsed."""
    _require_complete(details)
    with transaction() as session:
        booking_id = session.scalar(select(Booking.id).where(Booking.reference == reference))
        if booking_id is None:
            raise NotFound(thing="booking")
        booking = lock_booking(session, booking_id)
        if booking.state != BookingState.HELD or booking.held_until <= now:
            raise HoldLapsed
        session.execute(
            update(Booking)
            .where(Booking.id == booking_id)
            .values(
                guest_name=details.name,
                guest_email=details.email or None,
                guest_phone=details.phone or None,
                food_needs=details.food_needs or None,
                access_needs=details.access_needs or None,
                needs_consent_at=now if details.consent else None,
            )
        )


def _require_complete(details: Details) -> None:
    missing = []
    if not details.name:
        missing.append("name")
    if not details.email and not details.phone:
        missing.append("contact")
    if (details.food_needs or details.access_needs) and not details.consent:
        missing.append("consent")
    if missing:
        raise DetailsIncomplete(missing=tuple(missing))


def forget_guests(now: datetime) -> int:
    """Empty personal columns whose purpose is over. Returns how many bookings changed."""
    with transaction() as session:
        needs = _forget(
            session,
            now - FORGET_NEEDS_AFTER,
            Booking.food_needs.is_not(None) | Booking.access_needs.is_not(None),
            {"food_needs": None, "access_needs": None},
        )
        people = _forget(
            session,
            now - FORGET_GUEST_AFTER,
            Booking.guest_name.is_not(None),
            {"guest_name": None, "guest_email": None, "guest_phone": None},
        )
        return needs + people


def _forget(
    session: Session, ended_before: datetime, filled: Condition, emptied: dict[str, None]
) -> int:
    over = select(Departure.id).where(Departure.ends_at < ended_before)
    done = session.execute(
        update(Booking)
        .where(Booking.departure_id.in_(over), filled)
        .values(**emptied)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount


# --- confirmation and the end (steps of upper rooms) ---------------------------------------------


@dataclass(frozen=True)
class Locked:
    """A booking's state, read after its row was locked."""

    id: int
    reference: str
    state: BookingState
    held_until: datetime
    departure_id: int
    places: int


def lock_booking(session: Session, booking_id: int) -> Locked:
    """Lock a booking by writing it first, then tell its state."""
    row = session.execute(
        update(Booking)
        .where(Booking.id == booking_id)
        .values(state=Booking.state)
        .returning(
            Booking.id,
            Booking.reference,
            Booking.state,
            Booking.held_until,
            Booking.departure_id,
            Booking.places,
        )
    ).one_or_none()
    if row is None:
        raise NotFound(thing="booking")
    return Locked(row[0], row[1], BookingState(row[2]), *row[3:])


def confirm(session: Session, booking: Locked, now: datetime) -> bool:
    """Confirm a paid booking; a lapsed one claims its places again. False when none are left.

    Raises StateForbids for a booking that is confirmed already. A step.
    """
    require_step(booking.state, BookingState.CONFIRMED)
    if booking.state == BookingState.LAPSED:
        try:
            _claim_or_lapse_first(session, booking.departure_id, booking.places, now)
        except DepartureFull:
            return False
    session.execute(
        update(Booking)
        .where(Booking.id == booking.id)
        .values(state=BookingState.CONFIRMED, confirmed_at=now)
    )
    return True


def close_departure(session: Session, departure_id: int, now: datetime) -> None:
    """Mark a departure and its confirmed bookings as settled. Raises StateForbids. A step.

    Its bookings are locked first, as whoever takes in their money does, and holds that nobody
    swept yet are ended: a payment is either in before the split, or too late and goes back.
    """
    session.execute(
        select(Booking.id)
        .where(Booking.departure_id == departure_id)
        .order_by(Booking.id)
        .with_for_update()
    )
    _lapse(session, now, departure_id)
    closed = session.execute(
        update(Departure)
        .where(Departure.id == departure_id, Departure.state == DepartureState.OPEN)
        .values(state=DepartureState.SETTLED)
    )
    assert isinstance(closed, CursorResult)
    if closed.rowcount == 0:
        raise StateForbids(thing="departure", state="settled", wanted="settled")
    session.execute(
        update(Booking)
        .where(Booking.departure_id == departure_id, Booking.state == BookingState.CONFIRMED)
        .values(state=BookingState.SETTLED)
    )
