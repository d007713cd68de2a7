"""Taking money in: the one door into the books.

Return page, scheduled look-up and a host's confirmation all lead to `take_in`: it asks the provider
for the present state and writes what is new, however often it is called and in whatever order.
"""

import logging
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from cbt.bookings import hold as bookings
from cbt.bookings.hold import Locked
from cbt.bookings.states import PAID, BookingState
from cbt.clock import village_day
from cbt.db import db, transaction
from cbt.ledger import services as ledger
from cbt.payments import posting, queries
from cbt.payments.give_back import request_refund
from cbt.payments.models import Attempt, Capture, CaptureBalance, CaptureFee
from cbt.payments.payer import Payer, get_payer, notify_guest
from cbt.payments.posting import CaptureFacts, FeeFacts
from cbt.payments.provider import (
    AttemptState,
    NormalisedPayment,
    Providers,
    Received,
    RefundReason,
    advance,
)
from cbt.payments.records import AttemptCard

log = logging.getLogger("cbt.payments")
_ACTOR = "payments"
MOST_EXTRA_SATANG = 99
"""How many satang a transfer may ask for above the price, to be told apart from others."""


def take_in(attempt_id: int, providers: Providers, now: datetime) -> None:
    """Ask the provider how an attempt stands and write what is new: captures, books, booking, mail.

    Money that does not buy the booking (late with no place left, paid twice, another amount) is
    captured all the same and noted as money to give back, never passed over in silence.
    """
    attempt = queries.get_attempt(db.session(), attempt_id)
    captures = queries.list_captures(db.session(), [attempt.booking_id])
    provider = providers.get(attempt.provider)
    if attempt.provider_ref is None or provider is None:
        return
    db.session.rollback()  # nothing stays open while somebody outside is asked
    payment = provider.fetch(attempt.provider_ref, now)
    fees = {each.payment_id: each.fee_satang for each in captures if each.provider == provider.name}
    if not _has_news(attempt.state, fees, payment):
        return
    with transaction() as session:
        for received in payment.received:
            _write_down(session, attempt, received, now)
        move_attempt(session, attempt_id, payment.state)


def look_up_unpaid_attempts(providers: Providers, now: datetime) -> int:
    """Ask every provider about attempts that may still be paid. Returns how many were asked.

    An attempt that cannot be looked up is logged, and the next ones go on.
    """
    attempts = queries.list_unpaid_attempts(db.session(), now)
    for attempt in attempts:
        try:
            take_in(attempt.id, providers, now)
        except Exception:  # one provider's trouble must not hide another's money
            log.exception("attempt %s cannot be looked up", attempt.id)
    return len(attempts)


def _has_news(known: AttemptState, fees: dict[str, int | None], payment: NormalisedPayment) -> bool:
    """Whether a provider's answer says more than is written down already."""
    return advance(known, payment.state) != known or any(
        received.payment_id not in fees
        or (fees[received.payment_id] is None and received.fee_satang is not None)
        for received in payment.received
    )


def move_attempt(
    session: Session, attempt_id: int, reported: AttemptState, at: datetime | None = None
) -> None:
    """Let an attempt's state follow a report; it never goes backwards. A step.

    Needs the booking's lock, under which all its attempts are written.
    """
    known = session.scalar(select(Attempt.state).where(Attempt.id == attempt_id)) or ""
    values: dict[str, object] = {"state": advance(AttemptState(known), reported)}
    if at is not None:
        values["reported_at"] = at
    session.execute(update(Attempt).where(Attempt.id == attempt_id).values(**values))


def _write_down(session: Session, attempt: AttemptCard, received: Received, now: datetime) -> None:
    """Record money that arrived, and its fee, each once."""
    locked = bookings.lock_booking(session, attempt.booking_id)
    payer = get_payer(session, locked.id)
    capture_id = session.scalar(
        select(Capture.id).where(
            Capture.provider == attempt.provider, Capture.payment_id == received.payment_id
        )
    )
    if capture_id is None:
        capture_id = _capture(session, attempt, locked, payer, received, now)
    if received.fee_satang is not None:
        _note_fee(session, attempt.provider, capture_id, payer, received, now)


def _capture(
    session: Session,
    attempt: AttemptCard,
    locked: Locked,
    payer: Payer,
    received: Received,
    now: datetime,
) -> int:
    """Post the money, and confirm the booking with it or note it to be given back."""
    reason = _confirm(session, locked, attempt.amount_satang, received, now)
    facts = CaptureFacts(
        payer.reference,
        attempt.provider,
        received.payment_id,
        received.amount_satang,
        village_day(received.paid_at, payer.zone),
    )
    ledger.post(session, payer.book_id, posting.capture_draft(facts, _ACTOR), now)
    last = session.scalar(
        select(func.max(Capture.receipt_number)).where(Capture.community_id == payer.community_id)
    )
    capture = Capture(
        community_id=payer.community_id,
        booking_id=locked.id,
        attempt_id=attempt.id,
        provider=attempt.provider,
        payment_id=received.payment_id,
        amount_satang=received.amount_satang,
        paid_at=received.paid_at,
        recorded_at=now,
        receipt_number=1 + (last or 0),  # under the book's lock, so without gap or double
        buys=reason is None,
    )
    session.add(capture)
    session.flush()
    session.execute(
        insert(CaptureBalance),
        {"capture_id": capture.id, "amount_satang": capture.amount_satang, "returning_satang": 0},
    )
    if reason is not None:
        request_refund(session, capture.id, capture.amount_satang, reason, payer, now)
    elif locked.state in PAID:
        amount: dict[str, object] = {"amount_satang": capture.amount_satang}
        notify_guest(session, payer, "balance_paid", f"balance:{capture.id}", amount, now)
    else:
        notify_guest(session, payer, "booking_confirmed", f"confirmed:{payer.reference}", {}, now)
    return capture.id


def _confirm(
    session: Session, locked: Locked, asked_satang: int, received: Received, now: datetime
) -> RefundReason | None:
    """Confirm the booking with this money, or say why it cannot buy it.

    A confirmed booking whose price rose since takes what is still due.
    """
    if locked.state in (BookingState.CANCELLED, BookingState.CHOOSING, BookingState.DECLINED):
        return RefundReason.CANCELLED
    due = locked.price_satang - queries.get_money(session, locked.id).kept_satang
    if due <= 0:
        return RefundReason.PAID_TWICE
    if received.amount_satang != asked_satang or not 0 <= asked_satang - due <= MOST_EXTRA_SATANG:
        return RefundReason.AMOUNT_DIFFERS
    if locked.state not in PAID and not bookings.confirm(session, locked, now, received.paid_at):
        return RefundReason.NO_PLACE_LEFT
    return None


def _note_fee(
    session: Session,
    provider: str,
    capture_id: int,
    payer: Payer,
    received: Received,
    now: datetime,
) -> None:
    known = session.scalar(select(CaptureFee.capture_id).where(CaptureFee.capture_id == capture_id))
    if known is not None:
        return
    fee = received.fee_satang or 0
    session.execute(
        insert(CaptureFee), {"capture_id": capture_id, "amount_satang": fee, "reported_at": now}
    )
    if fee:
        on = village_day(now, payer.zone)
        facts = FeeFacts(payer.reference, provider, received.payment_id, fee, on)
        ledger.post(session, payer.book_id, posting.fee_draft(facts, _ACTOR), now)
