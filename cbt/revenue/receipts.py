"""Reading what receipts are written from: the money that came, what it bought, what went back of it.

A receipt stands for one capture, and every capture has one: its number runs through the community's
captures without a gap, whether the money bought a booking or only passes through.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.bookings.queries import get_booking_with_community, get_price_parts
from cbt.bookings.records import BookingCard, PriceParts
from cbt.communities.records import CommunityCard
from cbt.errors import CostsExceedIncome, DiscountTooLarge, NotFound
from cbt.experiences.queries import get_option
from cbt.i18n import Localized
from cbt.payments.models import Capture, Refund
from cbt.payments.provider import RefundReason, RefundState
from cbt.payments.queries import get_money, list_captures
from cbt.payments.records import CaptureCard, Money
from cbt.revenue.posting import split_booking
from cbt.revenue.queries import get_booking_facts, get_policy
from cbt.revenue.records import AdoptedPolicy
from cbt.revenue.split import Part


@dataclass(frozen=True)
class Returned:
    """Money of one capture that goes or, since `done_at`, went back to its guest."""

    amount_satang: int
    reason: RefundReason
    state: RefundState
    requested_at: datetime
    done_at: datetime | None


@dataclass(frozen=True)
class ReceiptFacts:
    """One capture with everything that its receipt says, as it stands now.

    `siblings` are all captures that bought the booking, `money` and `parts` are of the booking as a
    whole; `parts` is empty where nothing, or too little, is there to be split.
    """

    capture: CaptureCard
    siblings: tuple[CaptureCard, ...]
    returned: tuple[Returned, ...]
    booking: BookingCard
    community: CommunityCard
    price: PriceParts
    extras: dict[str, Localized]
    money: Money
    parts: tuple[Part, ...]
    policy: AdoptedPolicy


def list_receipts(session: Session, reference: str) -> list[ReceiptFacts]:
    """The receipts of a booking, in the order of its payments. Raises NotFound for no such booking."""
    booking, community = get_booking_with_community(session, reference)
    captures = list_captures(session, [booking.id])
    if not captures:
        return []
    price = get_price_parts(session, booking.id)
    returned = _list_returned(session, booking.id)
    first = ReceiptFacts(
        capture=captures[0],
        siblings=tuple(each for each in captures if each.buys),
        returned=(),
        booking=booking,
        community=community,
        price=price,
        extras=_titles(session, booking, price),
        money=get_money(session, booking.id),
        parts=_split(session, booking),
        policy=get_policy(session, booking.policy_version_id),
    )
    return [replace(first, capture=each, returned=tuple(returned[each.id])) for each in captures]


def get_receipt(session: Session, community_id: int, number: int) -> ReceiptFacts:
    """A community's receipt by its number. Raises NotFound."""
    reference = session.scalar(
        select(Booking.reference)
        .join(Capture, Capture.booking_id == Booking.id)
        .where(Capture.community_id == community_id, Capture.receipt_number == number)
    )
    return one_of(list_receipts(session, reference) if reference else [], number)


def one_of(receipts: list[ReceiptFacts], number: int) -> ReceiptFacts:
    """The receipt of that number among some. Raises NotFound."""
    for each in receipts:
        if each.capture.receipt_number == number:
            return each
    raise NotFound(thing="receipt")


def _titles(session: Session, booking: BookingCard, price: PriceParts) -> dict[str, Localized]:
    if not price.add_ons:
        return {}
    return {each.code: each.title for each in get_option(session, booking.trip.option_id).add_ons}


def _split(session: Session, booking: BookingCard) -> tuple[Part, ...]:
    """The booking's money as it is shared out: what a checkout shows and a settlement posts."""
    try:
        return split_booking(get_booking_facts(session, booking.trip.id, booking.reference))
    except (NotFound, CostsExceedIncome, DiscountTooLarge):
        return ()


def _list_returned(session: Session, booking_id: int) -> dict[int, list[Returned]]:
    rows = session.execute(
        select(
            Refund.capture_id,
            Refund.amount_satang,
            Refund.reason,
            Refund.state,
            Refund.requested_at,
            Refund.done_at,
        )
        .where(Refund.booking_id == booking_id, Refund.state != RefundState.CANCELLED)
        .order_by(Refund.id)
    )
    returned: dict[int, list[Returned]] = defaultdict(list)
    for capture_id, amount, reason, state, requested_at, done_at in rows:
        returned[capture_id].append(
            Returned(amount, RefundReason(reason), RefundState(state), requested_at, done_at)
        )
    return returned
