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
from cbt.errors import PreviewOutdated
from cbt.payments import queries
from cbt.payments.give_back import return_money
from cbt.payments.provider import RefundReason


@dataclass(frozen=True)
class ChangeQuote:
    """What a change costs, in satang: of the old and new price, what is still to pay or comes back.

    `version` is the booking's, so that nobody agrees to one thing and gets another.
    """

    old_satang: int
    new_satang: int
    kept_satang: int
    due_satang: int
    refund_satang: int
    version: int

    @property
    def retained_satang(self) -> int:
        """What the terms keep of a lower price."""
        return max(0, self.kept_satang - self.new_satang - self.refund_satang)


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
        swap(session, booking, wanted, price_change(session, booking, wanted, now), now)
        if agreed.refund_satang:
            reason = RefundReason.PRICE_LOWERED
            return_money(session, booking.id, agreed.refund_satang, reason, now)
        key = f"changed:{booking.reference}:{booking.version + 1}"
        tell_guest(session, booking.id, "booking_changed", key, {}, now)


def _quote(session: Session, booking: Locked, wanted: Wanted, now: datetime) -> ChangeQuote:
    price = price_change(session, booking, wanted, now)
    kept = queries.get_money(session, booking.id).kept_satang
    return ChangeQuote(
        old_satang=booking.price_satang,
        new_satang=price.price_satang,
        kept_satang=kept,
        due_satang=max(0, price.price_satang - kept),
        refund_satang=_refund(booking, kept, price.price_satang, now),
        version=booking.version,
    )


def _refund(booking: Locked, kept: int, new_satang: int, now: datetime) -> int:
    """What the terms give back of a lower price; all of it after the community called off.

    Only the difference of the prices counts: what an earlier change retained stays retained.
    """
    called_off = booking.state == BookingState.CHOOSING
    paid = kept if called_off else min(kept, booking.price_satang)
    surplus = max(0, paid - new_satang)
    terms = parse(booking.terms)
    quoted = quote_refund(terms, surplus, booking.counts_from, now, by_community=called_off)
    return quoted.refund_satang
