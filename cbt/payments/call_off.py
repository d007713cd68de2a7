"""The community calls a departure off: one action, everybody told, each guest chooses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.bookings import queries as bookings
from cbt.bookings.hold import Locked, claim_with_slots, end_booking, lock_booking, mark_ended
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import LIVE, BookingState, DepartureState, EndReason
from cbt.bookings.tell import tell_guest
from cbt.bookings.waitlist import end_line
from cbt.communities.services import lock_community
from cbt.db import db, transaction
from cbt.errors import DepartureGone, StateForbids
from cbt.payments import queries
from cbt.payments.cancel import give_back

CHOOSE_WITHIN = timedelta(days=7)
"""How long guests have to choose another day or a credit before their money goes back by itself."""


@dataclass(frozen=True)
class CalledOff:
    """How many parties were told, and how many of them had paid."""

    parties: int
    paid: int


def call_off(community_id: int, departure_id: int, reason: EndReason, now: datetime) -> CalledOff:
    """Call a departure off. Who paid may choose another day, a credit or their money; all are told.

    Raises DepartureUnknown, DepartureGone once it is over, or StateForbids for one that is called off or settled already.
    """
    with transaction() as session:
        lock_community(session, community_id)
        if bookings.get_trip(session, community_id, departure_id).ends_at <= now:
            raise DepartureGone
        parties = _stop(session, departure_id, reason, now)
        ended = [_end_party(session, booking_id, reason, now) for booking_id in parties]
        claim_with_slots(session, {departure_id: -sum(each.places for each in ended)})
        for booking in ended:  # the book is locked last
            _tell_party(session, booking, reason, now)
        end_line(session, departure_id, now)
        return CalledOff(len(ended), sum(each.state == BookingState.CONFIRMED for each in ended))


def _stop(session: Session, departure_id: int, reason: EndReason, now: datetime) -> Sequence[int]:
    """Lock a departure's parties, then let nobody come on it any more; return those parties.

    Who came between the two is not locked yet, and may be just locked by somebody else: so the
    second is undone, never waiting with the departure locked, and both are done again.
    """
    parties = (
        select(Booking.id)
        .where(Booking.departure_id == departure_id, Booking.state.in_(LIVE))
        .order_by(Booking.id)
    )
    while True:
        locked = session.scalars(parties.with_for_update()).all()
        with session.begin_nested() as marked:
            _mark(session, departure_id, reason, now)
            if session.scalars(parties).all() == locked:
                return locked
            marked.rollback()


def _mark(session: Session, departure_id: int, reason: EndReason, now: datetime) -> None:
    done = session.scalar(
        update(Departure)
        .where(
            Departure.id == departure_id,
            Departure.state.in_((DepartureState.OPEN, DepartureState.CLOSED)),
        )
        .values(
            state=DepartureState.CALLED_OFF,
            called_off_for=reason,
            called_off_at=now,
            is_edited=True,
        )
        .returning(Departure.id)
    )
    if done is None:
        raise StateForbids(thing="departure", state="called_off", wanted="called_off")


def _end_party(session: Session, booking_id: int, reason: EndReason, now: datetime) -> Locked:
    """End one party's booking, all but its places; return it as it stood before."""
    booking = lock_booking(session, booking_id)
    paid = booking.state == BookingState.CONFIRMED
    state = BookingState.CHOOSING if paid else BookingState.CANCELLED
    mark_ended(session, booking, state, reason, now)
    return booking


def _tell_party(session: Session, booking: Locked, reason: EndReason, now: datetime) -> None:
    """Give back a credit that was to pay a part of what is not paid; tell the guest."""
    paid = booking.state == BookingState.CONFIRMED
    kept = queries.get_money(session, booking.id).returnable_satang
    if not paid and kept > 0:  # a credit that was to pay a part of it
        give_back(session, booking, kept, now, as_credit=True)
    key = f"called_off:{booking.reference}:{booking.version + 1}"
    tell_guest(session, booking.id, "called_off", key, {"why": str(reason), "paid": paid}, now)


def refund_undecided(now: datetime) -> int:
    """Give back the money of those who did not choose in time. Returns how many."""
    session = db.session()
    waiting = session.scalars(
        select(Booking.id)
        .where(Booking.state == BookingState.CHOOSING, Booking.ended_at <= now - CHOOSE_WITHIN)
        .order_by(Booking.id)
    ).all()
    session.rollback()
    return sum(_refund_one(booking_id, now) for booking_id in waiting)


def _refund_one(booking_id: int, now: datetime) -> bool:
    with transaction() as session:
        booking = lock_booking(session, booking_id)
        if booking.state != BookingState.CHOOSING:
            return False
        kept = queries.get_money(session, booking_id).returnable_satang
        end_booking(session, booking, BookingState.CANCELLED, EndReason.COMMUNITY, now)
        if kept > 0:
            give_back(session, booking, kept, now, as_credit=False)
        return True


def warn_of_too_few(session: Session, community_id: int, now: datetime) -> list[int]:
    """Departures whose day to decide has come while fewer are booked than they need."""
    return list(
        session.scalars(
            select(Departure.id)
            .where(
                Departure.community_id == community_id,
                Departure.state.in_((DepartureState.OPEN, DepartureState.CLOSED)),
                Departure.begins_at > now,
                Departure.decide_at <= now,
                Departure.claimed > 0,
                Departure.claimed < Departure.min_to_run,
            )
            .order_by(Departure.begins_at)
        )
    )
