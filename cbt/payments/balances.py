"""Reminding guests who paid a deposit of the rest, when its time comes near."""

from datetime import datetime, timedelta

from sqlalchemy import select

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState
from cbt.bookings.tell import tell_guest
from cbt.bookings.terms import MOST_DAYS, balance_due_at, parse
from cbt.db import db, transaction
from cbt.notices.models import Notice
from cbt.payments import queries

REMIND_BEFORE = timedelta(days=3)
"""How long before the rest is due its guest is reminded, once."""


def remind_of_balances(now: datetime) -> int:
    """Tell guests what is still to pay of a booking whose terms asked for a deposit. Returns how many.

    Whoever never pays the rest keeps the places: it is taken on arrival, or the host decides.
    """
    due = [
        booking_id
        for booking_id, reference, terms, begins_at in _list_confirmed(now)
        if balance_due_at(parse(terms), begins_at) - REMIND_BEFORE <= now
        and not _is_told(reference)
    ]
    db.session.rollback()
    return sum(_remind(booking_id, now) for booking_id in due)


def _list_confirmed(now: datetime) -> list[tuple[int, str, str, datetime]]:
    """Confirmed bookings ahead whose terms ask for a deposit."""
    furthest = now + timedelta(days=MOST_DAYS) + REMIND_BEFORE
    rows = db.session.execute(
        select(Booking.id, Booking.reference, Booking.terms, Departure.begins_at)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Booking.state == BookingState.CONFIRMED,
            Booking.terms.contains("\ndeposit: "),
            Departure.begins_at > now,
            Departure.begins_at <= furthest,
        )
        .order_by(Booking.id)
    )
    return [(row.id, row.reference, row.terms, row.begins_at) for row in rows]


def _is_told(reference: str) -> bool:
    return db.session.scalar(select(Notice.id).where(Notice.key == _key(reference))) is not None


def _remind(booking_id: int, now: datetime) -> bool:
    with transaction() as session:
        booking = session.get_one(Booking, booking_id)
        due = booking.price_satang - queries.get_money(session, booking_id).paid_satang
        if booking.state != BookingState.CONFIRMED or due <= 0:
            return False
        key = _key(booking.reference)
        tell_guest(session, booking_id, "balance_due", key, {"amount_satang": due}, now)
        return True


def _key(reference: str) -> str:
    return f"balance_due:{reference}"
