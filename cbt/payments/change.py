"""A guest changes a booking: quoted to the satang first, then swapped, and the difference settled."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cbt.bookings.change import Wanted, price_change, swap
from cbt.bookings.hold import Locked, lock_by_reference
from cbt.bookings.states import BookingState
from cbt.bookings.tell import tell_guest
from cbt.bookings.terms import parse, quote_refund
from cbt.db import transaction
from cbt.errors import DisputeOpen, PreviewOutdated
from cbt.payments import queries
from cbt.payments.give_back import return_money
from cbt.payments.provider import RefundReason


@dataclass(frozen=True)
class ChangeQuote:
    """What a change costs, in satang: of the old and new price, what is still to pay or comes back.

    `retained_satang` is what the terms keep of a lower price: it buys nothing any more, so that
    nobody shrinks a booking and lets it grow again to draw out what its terms keep. `version` is
    the booking's, so that nobody agrees to one thing and gets another.
    """

    old_satang: int
    new_satang: int
    paid_satang: int
    due_satang: int
    refund_satang: int
    retained_satang: int
    version: int


def quote_change(reference: str, wanted: Wanted, now: datetime) -> ChangeQuote:
    """What a change would cost now. Writes nothing. Raises what `price_change` raises."""
    with transaction() as session:
        booking = lock_by_reference(session, reference)
        return _quote(session, booking, wanted, now)


def change(reference: str, wanted: Wanted, agreed: ChangeQuote, now: datetime) -> None:
    """Change a booking as its guest agreed to.

    A higher price leaves something to pay; of a lower one the terms' share goes back. Raises
    BookingChanged when another tab was quicker, PreviewOutdated when the quote is not the same any
    more, or what `price_change` and `swap` raise; and then writes nothing.
    """
    with transaction() as session:
        booking = lock_by_reference(session, reference, agreed.version)
        if _quote(session, booking, wanted, now) != agreed:
            raise PreviewOutdated
        swap(
            session,
            booking,
            wanted,
            price_change(session, booking, wanted, now),
            now,
            agreed.retained_satang,
        )
        if agreed.refund_satang:
            reason = RefundReason.PRICE_LOWERED
            return_money(session, booking.id, agreed.refund_satang, reason, now)
        key = f"changed:{booking.reference}:{booking.version + 1}"
        tell_guest(session, booking.id, "booking_changed", key, {}, now)


def _quote(session: Session, booking: Locked, wanted: Wanted, now: datetime) -> ChangeQuote:
    """All that was kept counts, and comes back, after the community called off.

    Raises DisputeOpen where money would go back that the payer's bank has taken already.
    """
    new = price_change(session, booking, wanted, now).price_satang
    called_off = booking.state == BookingState.CHOOSING
    money = queries.get_money(session, booking.id)
    paid = money.returnable_satang if called_off else money.paid_satang
    there = money.kept_satang - money.retained_satang  # goodwill leaves nothing to give back twice
    surplus = max(0, paid - new) if called_off else max(0, min(there, booking.price_satang) - new)
    terms = parse(booking.terms)
    refund = quote_refund(terms, surplus, booking.counts_from, now, by_community=called_off)
    back = min(refund.refund_satang, money.kept_satang)  # goodwill gave some of it back before
    if back > money.returnable_satang:
        raise DisputeOpen(reference=booking.reference)
    return ChangeQuote(
        old_satang=booking.price_satang,
        new_satang=new,
        paid_satang=paid,
        due_satang=max(0, new - paid),
        refund_satang=back,
        retained_satang=refund.retained_satang,
        version=booking.version,
    )
