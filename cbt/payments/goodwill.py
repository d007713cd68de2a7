"""Goodwill: the community gives back more than its terms ask, asked for by one person.

From the community's limit on another person approves it (`give_back.approve_refund`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings import queries as bookings
from cbt.bookings.hold import Locked, lock_by_reference
from cbt.bookings.models import Booking
from cbt.bookings.states import BookingState
from cbt.db import transaction
from cbt.errors import (
    AmountInvalid,
    BookingChanged,
    NotFound,
    RefundTooLarge,
    StateForbids,
)
from cbt.payments import queries
from cbt.payments.give_back import request_refund, returnable
from cbt.payments.models import Refund
from cbt.payments.money_rules import get_money_rules
from cbt.payments.payer import get_payer
from cbt.payments.provider import RefundReason, RefundState
from cbt.payments.records import Money
from cbt.payments.refund_rules import goodwill_satang, state_at_birth

_MAY = (BookingState.CONFIRMED, BookingState.SETTLED, BookingState.CANCELLED)


@dataclass(frozen=True)
class Goodwill:
    """What to give back: an amount in satang (of one payment or of any), or what some persons (by
    unit) and extras (by code) paid.
    """

    amount_satang: int = 0
    capture_id: int | None = None
    persons: Mapping[str, int] = field(default_factory=dict)
    extras: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GoodwillQuote:
    """What goodwill comes to, what the booking keeps before it, and whether a second person must agree."""

    amount_satang: int
    kept_satang: int
    waits: bool

    @property
    def left_satang(self) -> int:
        return self.kept_satang - self.amount_satang


def quote_goodwill(
    community_id: int, reference: str, wanted: Goodwill, now: datetime
) -> GoodwillQuote:
    """What goodwill would give back now. Writes nothing.

    Raises NotFound, AmountInvalid, RefundTooLarge for more than is there, StateForbids for a booking
    that nothing was paid for. Once its money was shared out, its shares bear what goes back.
    """
    with transaction() as session:
        return _quote(session, _lock(session, community_id, reference), wanted, now)


def ask_goodwill(
    community_id: int,
    reference: str,
    wanted: Goodwill,
    agreed: GoodwillQuote,
    person_id: int,
    now: datetime,
) -> None:
    """Give money back as a person agreed to; a double submit finds another quote and does nothing.

    Raises BookingChanged when the quote is not the same any more, or what `quote_goodwill` raises;
    and then writes nothing.
    """
    with transaction() as session:
        booking = _lock(session, community_id, reference)
        if _kept(session, booking.id) != agreed.kept_satang:
            raise BookingChanged
        quoted = _quote(session, booking, wanted, now)
        if quoted != agreed:
            raise BookingChanged
        payer = get_payer(session, booking.id)
        left = quoted.amount_satang
        whole = quoted.amount_satang + _given_before(session, booking.id)
        for capture_id, free in _free(session, booking.id, wanted.capture_id):
            part = min(left, free)
            if part:
                reason = RefundReason.GOODWILL
                request_refund(
                    session,
                    capture_id,
                    part,
                    reason,
                    payer,
                    now,
                    whole_satang=whole,
                    by=person_id,
                )
                left -= part


def _lock(session: Session, community_id: int, reference: str) -> Locked:
    booking = lock_by_reference(session, reference)
    if booking.community_id != community_id:
        raise NotFound(thing="booking")
    return booking


def _quote(session: Session, booking: Locked, wanted: Goodwill, now: datetime) -> GoodwillQuote:
    if booking.state not in _MAY:
        raise StateForbids(thing="booking", state=booking.state, wanted="goodwill")
    amount = wanted.amount_satang
    if not amount:
        amount = _of_persons(session, booking, wanted)
    if amount <= 0:
        raise AmountInvalid(amount=amount)
    money = queries.get_money(session, booking.id)
    free = sum(each for _capture, each in _free(session, booking.id, wanted.capture_id))
    if amount > min(free, money.returnable_satang):
        raise RefundTooLarge(amount_satang=amount)
    limit = get_money_rules(session, booking.community_id, now).approve_from_satang
    state = state_at_birth(amount + _given_before(session, booking.id), limit)
    return GoodwillQuote(amount, _kept_of(money), waits=state == RefundState.REQUESTED)


def _of_persons(session: Session, booking: Locked, wanted: Goodwill) -> int:
    price = bookings.get_price_parts(session, booking.id)
    discount = session.scalar(select(Booking.discount_satang).where(Booking.id == booking.id)) or 0
    persons, extras = wanted.persons, wanted.extras
    return goodwill_satang(price.lines, price.add_ons, discount, persons, extras)


def _kept(session: Session, booking_id: int) -> int:
    return _kept_of(queries.get_money(session, booking_id))


def _kept_of(money: Money) -> int:
    """What the guest has not got back, wherever it lies by now."""
    return money.kept_satang - money.given_later_satang - money.lost_later_satang


def _given_before(session: Session, booking_id: int) -> int:
    """Goodwill that the booking's guest has had: many small amounts are a large one."""
    given = session.scalar(
        select(func.sum(Refund.amount_satang)).where(
            Refund.booking_id == booking_id,
            Refund.reason == RefundReason.GOODWILL,
            Refund.state != RefundState.CANCELLED,
        )
    )
    return int(given or 0)


def _free(session: Session, booking_id: int, capture_id: int | None) -> list[tuple[int, int]]:
    """What of the booking's payments, or of the one that was chosen, can still go back."""
    found = returnable(session, booking_id)
    return [each for each in found if capture_id in (None, each[0])]
