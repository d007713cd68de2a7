"""Taking money in: the one door into the books.

Return page, scheduled look-up and a host's confirmation all lead to `take_in`: it asks the provider
for the present state and writes what is new, however often it is called and in whatever order.
"""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cbt.bookings import services as bookings
from cbt.bookings.services import Locked
from cbt.bookings.states import PAID
from cbt.clock import village_day
from cbt.communities import chart
from cbt.db import db, transaction
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft, Leg
from cbt.payments import queries
from cbt.payments.facts import BookingFacts, booking_facts, notify_guest
from cbt.payments.give_back import request_refund
from cbt.payments.models import Attempt, Capture
from cbt.payments.provider import (
    AttemptState,
    NormalisedPayment,
    Providers,
    Received,
    RefundReason,
    advance,
)


def take_in(attempt_id: int, providers: Providers, now: datetime) -> None:
    """Ask the provider how an attempt stands and write what is new: captures, books, booking, mail.

    Money that does not buy the booking (late with no place left, paid twice, another amount) is
    captured all the same and noted as money to give back, never passed over in silence.
    """
    attempt = queries.get_attempt(db.session(), attempt_id)
    if attempt.provider_ref is None:
        return
    payment = providers[attempt.provider].fetch(attempt.provider_ref, now)
    if not _has_news(attempt, payment):
        return
    with transaction() as session:
        for received in payment.received:
            _capture(session, attempt, received, now)
        move_attempt(session, attempt_id, payment.state, {"looked_up_at": now})


def look_up_open_attempts(providers: Providers, now: datetime) -> int:
    """Ask every provider about attempts that are still open. Returns how many were asked."""
    attempts = queries.list_open_attempts(db.session(), now)
    for attempt in attempts:
        take_in(attempt.id, providers, now)
    return len(attempts)


def _has_news(attempt: queries.AttemptCard, payment: NormalisedPayment) -> bool:
    known = {
        capture.payment_id
        for capture in queries.list_captures(db.session(), [attempt.booking_id])
        if capture.provider == attempt.provider
    }
    return advance(attempt.state, payment.state) != attempt.state or any(
        received.payment_id not in known for received in payment.received
    )


def move_attempt(
    session: Session, attempt_id: int, reported: AttemptState, values: dict[str, datetime]
) -> None:
    known = session.scalar(select(Attempt.state).where(Attempt.id == attempt_id)) or ""
    state = advance(AttemptState(known), reported)
    session.execute(update(Attempt).where(Attempt.id == attempt_id).values(state=state, **values))


def _capture(
    session: Session, attempt: queries.AttemptCard, received: Received, now: datetime
) -> None:
    """Record money that arrived, once; confirm the booking with it or note it to be given back."""
    locked = bookings.lock_booking(session, attempt.booking_id)
    known = session.scalar(
        select(Capture.id).where(
            Capture.provider == attempt.provider, Capture.payment_id == received.payment_id
        )
    )
    if known is not None:
        return
    reason = _confirm(session, locked, attempt.amount_satang, received, now)
    facts = booking_facts(session, locked.id)
    _post_capture(session, attempt.provider, received, facts, now)
    capture = Capture(
        community_id=facts.community_id,
        booking_id=locked.id,
        attempt_id=attempt.id,
        provider=attempt.provider,
        payment_id=received.payment_id,
        amount_satang=received.amount_satang,
        fee_satang=received.fee_satang,
        paid_at=received.paid_at,
        recorded_at=now,
        buys=reason is None,
    )
    capture.receipt_number = 1 + (
        session.scalar(
            select(func.max(Capture.receipt_number)).where(
                Capture.community_id == capture.community_id
            )
        )
        or 0
    )
    session.add(capture)
    session.flush()
    if reason is None:
        notify_guest(session, facts, "booking_confirmed", f"confirmed:{facts.reference}", {}, now)
    else:
        request_refund(session, capture, reason, facts, now)


def _confirm(
    session: Session, locked: Locked, asked_satang: int, received: Received, now: datetime
) -> RefundReason | None:
    """Confirm the booking with this money, or say why it cannot buy it."""
    if locked.state in PAID:
        return RefundReason.PAID_TWICE
    if received.amount_satang != asked_satang:
        return RefundReason.AMOUNT_DIFFERS
    if not bookings.confirm(session, locked, now):
        return RefundReason.NO_PLACE_LEFT
    return None


def _post_capture(
    session: Session, provider: str, received: Received, facts: BookingFacts, now: datetime
) -> None:
    """From the payment account to guest deposits; nothing is income yet. The fee as reported."""
    account = chart.payment(provider)
    legs = [Leg(account, chart.GUEST_DEPOSIT, received.amount_satang, "captured")]
    if received.fee_satang:
        legs.append(Leg(chart.PAYMENT_FEE, account, received.fee_satang, "provider_fee"))
    draft = Draft(
        kind="capture",
        subject=f"booking:{facts.reference}",
        effective_on=village_day(received.paid_at, facts.zone),
        legs=tuple(legs),
        key=f"capture:{provider}:{received.payment_id}",
        actor="payments",
    )
    ledger.post(session, facts.book_id, draft, now)
