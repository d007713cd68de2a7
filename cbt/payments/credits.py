"""Credit: money that a guest leaves with the community for another trip.

It is owed and stays out of every household's income until it goes into a booking.
"""

import secrets
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from cbt.bookings import hold as bookings
from cbt.bookings.hold import Locked
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState
from cbt.clock import village_day
from cbt.db import db, transaction
from cbt.errors import CreditSpent, DetailsIncomplete, HoldLapsed, StateForbids
from cbt.ledger import services as ledger
from cbt.payments import posting, queries
from cbt.payments.models import Attempt, Credit, CreditUse
from cbt.payments.payer import Payer, get_payer, notify_guest
from cbt.payments.posting import CreditFacts, CreditUseFacts
from cbt.payments.provider import AttemptState
from cbt.payments.records import CASH, RECORDED_WITHIN

_ACTOR = "payments"
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS = 8


def issue_credit(session: Session, booking_id: int, amount_satang: int, now: datetime) -> str:
    """Keep some of a booking's deposit as credit; tell the guest its code. A step."""
    payer = get_payer(session, booking_id)
    code = _draw_code(session)
    credit_id = session.execute(
        insert(Credit).returning(Credit.id),
        {
            "code": code,
            "community_id": payer.community_id,
            "booking_id": booking_id,
            "amount_satang": amount_satang,
            "used_satang": 0,
            "frozen_satang": 0,
            "issued_at": now,
        },
    ).scalar_one()
    facts = CreditFacts(payer.reference, credit_id, amount_satang, village_day(now, payer.zone))
    ledger.post(session, payer.book_id, posting.credit_draft(facts, _ACTOR), now)
    values = {"amount_satang": amount_satang, "code": code}
    notify_guest(session, payer, "credit_issued", f"credit:{code}", values, now)
    return code


def _draw_code(session: Session) -> str:
    """A code that nobody can work out from a voucher or the books: whoever knows it can spend it."""
    while True:
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
        code = f"C-{letters[:4]}-{letters[4:]}"
        if session.scalar(select(Credit.id).where(Credit.code == code)) is None:
            return code


def use_credit(reference: str, code: str, now: datetime) -> int:
    """Put a credit into a booking that is held, or has something left to pay; return the satang used.

    A held booking of which enough is paid by it is confirmed. Raises CreditSpent, HoldLapsed,
    DetailsIncomplete, NotFound, or StateForbids where there is nothing to pay.
    """
    with transaction() as session:
        booking = bookings.lock_by_reference(session, reference)
        _require_payable(session, booking, now)
        paid = queries.get_money(session, booking.id).paid_satang
        due = booking.price_satang - paid
        if due <= 0:
            raise StateForbids(thing="booking", state="paid", wanted="paid")
        credit_id, amount = _take(session, booking.community_id, code, due)
        payer = get_payer(session, booking.id)
        _note_use(session, credit_id, payer, amount, now)
        if booking.state == BookingState.HELD and paid + amount >= booking.needed_satang:
            bookings.confirm(session, booking, now)
            key = f"confirmed:{payer.reference}"
            notify_guest(session, payer, "booking_confirmed", key, {}, now)
        return amount


def _require_payable(session: Session, booking: Locked, now: datetime) -> None:
    if booking.state == BookingState.SETTLED:
        raise StateForbids(thing="booking", state=booking.state, wanted="paid")
    if booking.state not in (BookingState.CONFIRMED, BookingState.HELD):
        raise HoldLapsed
    if booking.state == BookingState.HELD and booking.held_until <= now:
        raise HoldLapsed
    if not bookings.has_details(session, booking.id):
        raise DetailsIncomplete(missing=("name",))


def _take(session: Session, community_id: int, code: str, due: int) -> tuple[int, int]:
    """Take up to `due` out of a credit by one guarded statement, under which its rest is read."""
    row = session.execute(
        update(Credit)
        .where(Credit.community_id == community_id, Credit.code == code.strip().upper())
        .values(used_satang=Credit.used_satang)
        .returning(Credit.id, Credit.amount_satang - Credit.used_satang - Credit.frozen_satang)
    ).one_or_none()
    if row is None or row[1] <= 0:
        raise CreditSpent(code=code.strip().upper())
    amount = min(due, int(row[1]))
    session.execute(
        update(Credit).where(Credit.id == row[0]).values(used_satang=Credit.used_satang + amount)
    )
    return int(row[0]), amount


def _note_use(session: Session, credit_id: int, payer: Payer, amount: int, now: datetime) -> None:
    last = session.scalar(
        select(func.max(CreditUse.number)).where(
            CreditUse.credit_id == credit_id, CreditUse.booking_id == payer.booking_id
        )
    )
    number = 1 + (last or 0)
    session.execute(
        insert(CreditUse),
        {
            "credit_id": credit_id,
            "booking_id": payer.booking_id,
            "number": number,
            "amount_satang": amount,
            "used_at": now,
        },
    )
    used_on = village_day(now, payer.zone)
    facts = CreditUseFacts(payer.reference, credit_id, number, amount, used_on)
    ledger.post(session, payer.book_id, posting.credit_use_draft(facts, _ACTOR), now)


def freeze_credit(session: Session, booking_id: int, most: int) -> int:
    """Keep up to `most` satang of a booking's credits from being used; return how much there was.

    A step, under the booking's lock; each credit is locked by writing it first.
    """
    left = most
    for credit_id, unused, _frozen in _lock_credits(session, booking_id):
        left -= _move_frozen(session, credit_id, min(left, unused))
    return most - left


def release_credit(session: Session, booking_id: int, amount_satang: int) -> None:
    """Let a booking's credits that were frozen be used again. A step, under the booking's lock."""
    left = amount_satang
    for credit_id, _unused, frozen in _lock_credits(session, booking_id):
        left += _move_frozen(session, credit_id, -min(left, frozen))


def _lock_credits(session: Session, booking_id: int) -> list[tuple[int, int, int]]:
    """(credit, satang not used, satang frozen) of a booking's credits, in the order of their issue."""
    unused = Credit.amount_satang - Credit.used_satang - Credit.frozen_satang
    rows = session.execute(
        update(Credit)
        .where(Credit.booking_id == booking_id)
        .values(used_satang=Credit.used_satang)
        .returning(Credit.id, unused, Credit.frozen_satang)
    )
    return sorted((row[0], int(row[1]), int(row[2])) for row in rows)


def _move_frozen(session: Session, credit_id: int, by: int) -> int:
    if by:
        moved = update(Credit).where(Credit.id == credit_id)
        session.execute(moved.values(frozen_satang=Credit.frozen_satang + by))
    return by


def return_stranded_credit(now: datetime) -> int:
    """Give guests a new credit for what they had put into holds that then lapsed. Returns how many."""
    session = db.session()
    promised = (  # the party came with the rest in cash: it may still be written down
        select(Attempt.booking_id)
        .join(Booking, Booking.id == Attempt.booking_id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
            Departure.ends_at > now - RECORDED_WITHIN,
        )
    )
    stranded = session.scalars(
        select(CreditUse.booking_id)
        .join(Booking, Booking.id == CreditUse.booking_id)
        .where(Booking.state == BookingState.LAPSED, Booking.id.not_in(promised))
        .distinct()
        .order_by(CreditUse.booking_id)
    ).all()
    session.rollback()
    return sum(_return_one(booking_id, now) for booking_id in stranded)


def _return_one(booking_id: int, now: datetime) -> bool:
    with transaction() as session:
        booking = bookings.lock_booking(session, booking_id)
        kept = queries.get_money(session, booking_id).kept_satang
        if booking.state != BookingState.LAPSED or kept <= 0:
            return False
        issue_credit(session, booking_id, kept, now)
        return True
