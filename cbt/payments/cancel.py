"""A guest cancels: quoted to the satang before, and exactly that is done."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cbt.bookings import queries as bookings
from cbt.bookings.hold import Locked, end_booking, lock_by_reference
from cbt.bookings.states import BookingState, EndReason, require_step
from cbt.bookings.tell import tell_guest
from cbt.bookings.terms import RefundQuote, parse, quote_refund
from cbt.db import transaction
from cbt.errors import DepartureGone, PreviewOutdated, StateForbids
from cbt.payments import queries
from cbt.payments.credits import issue_credit
from cbt.payments.give_back import return_money
from cbt.payments.provider import RefundReason

_UNPAID = (BookingState.REQUESTED, BookingState.HELD)


@dataclass(frozen=True)
class CancelQuote:
    """What cancelling gives back, from what was paid, under the booking's own terms."""

    paid_satang: int
    refund: RefundQuote
    version: int


def quote_cancellation(reference: str, now: datetime) -> CancelQuote:
    """What a cancellation would give back now. Writes nothing.

    Raises StateForbids for a booking that cannot be cancelled, DepartureGone once it has begun.
    """
    with transaction() as session:
        return _quote(session, lock_by_reference(session, reference), now)


def cancel(reference: str, agreed: CancelQuote, now: datetime, *, as_credit: bool = False) -> None:
    """Cancel a booking as its guest agreed to; its places come back in the same change.

    Raises BookingChanged when it was changed elsewhere, PreviewOutdated when the quote is not the
    same any more, StateForbids, DepartureGone; and then writes nothing.
    """
    with transaction() as session:
        booking = lock_by_reference(session, reference, agreed.version)
        quoted = _quote(session, booking, now)
        if (quoted.paid_satang, quoted.refund.refund_satang) != (
            agreed.paid_satang,
            agreed.refund.refund_satang,
        ):
            raise PreviewOutdated
        reason = EndReason.GUEST
        if booking.state == BookingState.CHOOSING:
            reason = EndReason.COMMUNITY
        end_booking(session, booking, BookingState.CANCELLED, reason, now)
        amount = quoted.refund.refund_satang
        if amount:
            give_back(session, booking, amount, now, as_credit=as_credit)
        key = f"cancelled:{booking.reference}"
        tell_guest(session, booking.id, "booking_cancelled", key, {"amount_satang": amount}, now)


def give_back(
    session: Session, booking: Locked, amount: int, now: datetime, *, as_credit: bool
) -> None:
    """Return money of an ended booking, or keep it as its guest's credit. A step."""
    called_off = booking.state == BookingState.CHOOSING
    if as_credit:
        issue_credit(session, booking.id, amount, now)
    else:
        reason = RefundReason.CALLED_OFF if called_off else RefundReason.CANCELLED
        return_money(session, booking.id, amount, reason, now)


def _quote(session: Session, booking: Locked, now: datetime) -> CancelQuote:
    require_step(booking.state, BookingState.CANCELLED)
    begins_at = bookings.get_departure(session, booking.departure_id).begins_at
    called_off = booking.state == BookingState.CHOOSING
    if begins_at <= now and not called_off:
        raise DepartureGone
    if booking.state in _UNPAID and booking.held_until <= now:
        raise StateForbids(thing="booking", state="lapsed", wanted="cancelled")
    money = queries.get_money(session, booking.id)
    # what a change retained before stays retained, unless it is the community that calls off
    paid = money.returnable_satang if called_off else money.of_terms_satang
    whole = called_off or booking.state in _UNPAID  # a hold binds nobody
    refund = quote_refund(parse(booking.terms), paid, booking.counts_from, now, by_community=whole)
    return CancelQuote(paid, refund, booking.version)
