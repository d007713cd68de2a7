"""Emptying what we know of guests once its purpose is over."""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure, WaitingParty
from cbt.db import Condition, transaction

FORGET_NEEDS_AFTER = timedelta(days=7)
FORGET_GUEST_AFTER = timedelta(days=180)
FORGET_WAITING_AFTER = timedelta(days=7)


def forget_guests(now: datetime) -> int:
    """Empty personal columns whose purpose is over. Returns how many rows changed."""
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
            {
                **dict.fromkeys(("guest_name", "guest_email", "guest_phone")),
                "follow_up_agreed_at": None,
            },
        )
        return needs + people + _forget_waiting(session, now - FORGET_WAITING_AFTER)


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


def _forget_waiting(session: Session, ended_before: datetime) -> int:
    over = select(Departure.id).where(Departure.ends_at < ended_before)
    done = session.execute(
        update(WaitingParty)
        .where(WaitingParty.departure_id.in_(over), WaitingParty.name.is_not(None))
        .values(name=None, email=None, phone=None)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount
