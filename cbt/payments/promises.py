"""A guest's promise to pay in cash on arrival: the places stay claimed, nothing is confirmed. Steps.

Cash is written down days after it was taken. The places come back when the trip is over, but what was
promised can be recorded for some days more; until it is, the booking does not count as paid.

What protects a village from empty promises: it must have allowed them; where its terms ask for a
deposit, that is paid first in another way; and whoever has one promise open there makes no second
one. What a booking may take at most, the option says. A host may give promised places back.
"""

import re
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.bookings.hold import Locked, extend_hold
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState, DepartureState
from cbt.errors import MethodClosed, PromiseOpen
from cbt.payments.models import Attempt, PaymentAccount
from cbt.payments.payer import get_payer, notify_guest
from cbt.payments.provider import Asked, AttemptState
from cbt.payments.records import CASH, RECORDED_WITHIN, allows_guests


def promise(session: Session, asked: Asked, booking: Locked, now: datetime) -> None:
    """Take a guest's word for an attempt that was just started, and keep the places for it. A step.

    Needs the locks of the booking and of the community's cash account. Of a confirmed booking only
    the rest is promised, so there is nothing to keep. Raises MethodClosed or PromiseOpen.
    """
    if not allows_guests(asked.receiver):
        raise MethodClosed(method=CASH)
    until = session.execute(
        select(Departure.ends_at).where(Departure.id == booking.departure_id)
    ).scalar_one()
    drop_promises(session, booking.id)
    session.execute(
        update(Attempt)
        .where(Attempt.id == asked.attempt_id)
        .values(state=AttemptState.REPORTED, reported_at=now, expires_at=until)
    )
    if booking.state != BookingState.HELD:
        return
    if booking.needed_satang < booking.price_satang:
        raise MethodClosed(method=CASH)
    _require_first(session, booking, now)
    extend_hold(session, booking.id, until, now)
    payer = get_payer(session, booking.id)
    notify_guest(session, payer, "cash_promised", f"cash_promised:{asked.attempt_id}", {}, now)


def drop_promises(session: Session, booking_id: int) -> None:
    """Give up what was promised for a booking, as another amount is due or taken now. A step."""
    session.execute(
        update(Attempt)
        .where(
            Attempt.booking_id == booking_id,
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
        )
        .values(state=AttemptState.CANCELLED)
    )


def is_promised(session: Session, booking_id: int) -> bool:
    """Whether a booking's guest has promised cash, and not yet paid it."""
    found = session.scalar(
        select(Attempt.id)
        .where(
            Attempt.booking_id == booking_id,
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
        )
        .limit(1)
    )
    return found is not None


def recordable_until(session: Session, booking: Locked) -> datetime | None:
    """Until when promised cash of a booking whose hold is over may be written down; None where nothing
    is promised, or where the departure was settled or called off."""
    if booking.state not in (BookingState.HELD, BookingState.LAPSED):
        return None
    ends_at = session.scalar(
        select(Departure.ends_at).where(
            Departure.id == booking.departure_id,
            Departure.state.in_((DepartureState.OPEN, DepartureState.CLOSED)),
        )
    )
    if ends_at is None or not is_promised(session, booking.id):
        return None
    return ends_at + RECORDED_WITHIN


def _require_first(session: Session, booking: Locked, now: datetime) -> None:
    """Raise PromiseOpen if the guest has another booking of the community to pay in cash."""
    own = session.execute(
        select(Booking.guest_email, Booking.guest_phone).where(Booking.id == booking.id)
    ).one()
    others = session.execute(
        select(Booking.guest_email, Booking.guest_phone)
        .join(Attempt, Attempt.booking_id == Booking.id)
        .join(PaymentAccount, PaymentAccount.id == Attempt.payment_account_id)
        .where(
            PaymentAccount.community_id == booking.community_id,
            PaymentAccount.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
            Booking.state == BookingState.HELD,
            Booking.held_until > now,
            Booking.id != booking.id,
        )
    )
    mine = _contacts(own.guest_email, own.guest_phone)
    if any(mine & _contacts(each.guest_email, each.guest_phone) for each in others):
        raise PromiseOpen


def _contacts(email: str | None, phone: str | None) -> set[str]:
    """Address and telephone number without what people write differently."""
    digits = re.sub(r"^(00)?66", "0", re.sub(r"[^0-9]", "", phone or ""))
    return {(email or "").strip().casefold(), digits} - {""}
