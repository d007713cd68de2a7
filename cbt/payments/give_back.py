"""Giving money back: by the provider where it can, else by a person."""

import logging
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cbt.bookings.hold import lock_booking
from cbt.bookings.models import Departure
from cbt.bookings.states import DepartureState
from cbt.clock import village_day
from cbt.db import db, transaction
from cbt.errors import MethodClosed, NotFound, RefundTooLarge, StateForbids
from cbt.ledger import services as ledger
from cbt.payments import posting
from cbt.payments.credits import issue_credit
from cbt.payments.models import Capture, CaptureBalance, CaptureFee, Refund
from cbt.payments.payer import Payer, get_payer, notify_guest
from cbt.payments.posting import RefundFacts
from cbt.payments.provider import (
    UNPAID_REFUNDS,
    AskedRefund,
    Provider,
    Providers,
    RefundReason,
    RefundState,
)

log = logging.getLogger("cbt.payments")


def request_refund(
    session: Session,
    capture_id: int,
    amount_satang: int,
    reason: RefundReason,
    payer: Payer,
    now: datetime,
) -> None:
    """Note that money of a capture must go back, and tell the guest. A step.

    The count of what goes back moves by one guarded statement, so that never more goes back than
    came in; its CHECK constraint stands behind it. Raises RefundTooLarge.
    """
    moved = session.scalar(
        update(CaptureBalance)
        .where(
            CaptureBalance.capture_id == capture_id,
            CaptureBalance.returning_satang + amount_satang <= CaptureBalance.amount_satang,
        )
        .values(returning_satang=CaptureBalance.returning_satang + amount_satang)
        .returning(CaptureBalance.capture_id)
    )
    if moved is None:
        raise RefundTooLarge(amount_satang=amount_satang)
    last = session.scalar(select(func.max(Refund.number)).where(Refund.capture_id == capture_id))
    number = 1 + (last or 0)
    session.add(
        Refund(
            community_id=payer.community_id,
            booking_id=payer.booking_id,
            capture_id=capture_id,
            number=number,
            amount_satang=amount_satang,
            fee_returned_satang=0,
            reason=reason,
            state=RefundState.APPROVED,
            requested_at=now,
            approved_at=now,
        )
    )
    session.flush()
    amount = {"amount_satang": amount_satang, "reason": str(reason)}
    key = f"refund_coming:{capture_id}:{number}"
    notify_guest(session, payer, "refund_coming", key, amount, now)


def return_money(
    session: Session, booking_id: int, amount_satang: int, reason: RefundReason, now: datetime
) -> None:
    """Give a guest back some of what bought a booking: the newest payments first. A step.

    What came out of a credit goes back into that credit's place, as a new one. Needs the booking's
    lock. Raises RefundTooLarge.
    """
    payer = get_payer(session, booking_id)
    left = amount_satang
    for capture_id, free in _returnable(session, booking_id):
        part = min(left, free)
        if part:
            request_refund(session, capture_id, part, reason, payer, now)
            left -= part
    if left:
        issue_credit(session, booking_id, left, now)


def _returnable(session: Session, booking_id: int) -> list[tuple[int, int]]:
    """(capture, satang that can still go back) of what bought a booking, the newest first."""
    rows = session.execute(
        select(Capture.id, CaptureBalance.amount_satang - CaptureBalance.returning_satang)
        .join(CaptureBalance, CaptureBalance.capture_id == Capture.id)
        .where(Capture.booking_id == booking_id, Capture.buys.is_(True))
        .order_by(Capture.id.desc())
    )
    return [(row[0], row[1]) for row in rows]


def send_refunds(providers: Providers, now: datetime) -> int:
    """Ask providers that can to give back what is due. Returns how many refunds succeeded.

    One that fails is logged and asked for again at the next run, with the same idempotency key.
    """
    due = db.session.execute(
        select(Refund.id, Refund.amount_satang, Capture.provider, Capture.payment_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.state == RefundState.APPROVED)
        .order_by(Refund.id)
    ).all()
    db.session.rollback()  # nothing stays open while somebody outside is asked
    done = 0
    for refund_id, amount, name, payment_id in due:
        provider = providers.get(name)
        if provider is None or not provider.capabilities.refunds_itself:
            continue
        try:
            done += _send(provider, refund_id, payment_id, amount, now)
        except Exception:  # one provider's trouble must not hold up another's guests
            log.exception("refund %s cannot be sent", refund_id)
    return done


def _send(provider: Provider, refund_id: int, payment_id: str, amount: int, now: datetime) -> bool:
    answer = provider.refund(AskedRefund(f"refund-{refund_id}", payment_id, amount, {}), now)
    if answer.state != RefundState.SUCCEEDED:
        return False
    with transaction() as session:
        _complete(session, refund_id, answer.fee_returned_satang, provider.name, None, now)
    return True


def note_refund_made(
    community_id: int,
    refund_id: int,
    proof: str,
    person_id: int,
    providers: Providers,
    now: datetime,
) -> None:
    """A person transferred the money back; `proof` is the bank's reference.

    Raises NotFound for another community's refund, MethodClosed where the provider returns it by
    itself, StateForbids when it was made before.
    """
    with transaction() as session:
        row = session.execute(
            select(Refund.community_id, Capture.provider)
            .join(Capture, Capture.id == Refund.capture_id)
            .where(Refund.id == refund_id)
        ).one_or_none()
        if row is None or row.community_id != community_id:
            raise NotFound(thing="refund")
        provider = providers.get(row.provider)
        if provider is not None and provider.capabilities.refunds_itself:
            raise MethodClosed(method=row.provider)
        _complete(session, refund_id, 0, f"person:{person_id}", proof, now)


def _complete(
    session: Session,
    refund_id: int,
    fee_returned: int,
    done_by: str,
    proof: str | None,
    now: datetime,
) -> None:
    fee_returned = min(fee_returned, _fee_left(session, refund_id))
    refund = session.scalars(
        update(Refund)
        .where(Refund.id == refund_id, Refund.state.in_(UNPAID_REFUNDS))
        .values(
            state=RefundState.SUCCEEDED,
            done_at=now,
            done_by=done_by,
            proof=proof,
            fee_returned_satang=fee_returned,
        )
        .returning(Refund)
    ).one_or_none()
    if refund is None:
        state = RefundState.SUCCEEDED
        raise StateForbids(thing="refund", state=state, wanted=state)
    payer = get_payer(session, refund.booking_id)
    capture = session.get_one(Capture, refund.capture_id)
    facts = RefundFacts(
        payer.reference,
        capture.provider,
        capture.payment_id,
        refund.number,
        refund.amount_satang,
        fee_returned,
        village_day(now, payer.zone),
    )
    ledger.post(session, payer.book_id, posting.refund_draft(facts, done_by), now)
    amount: dict[str, object] = {"amount_satang": refund.amount_satang, "reason": refund.reason}
    notify_guest(session, payer, "refund_done", f"refund_done:{refund.id}", amount, now)


def _fee_left(session: Session, refund_id: int) -> int:
    """How much of a capture's fee can still come back: rounded parts must not exceed the whole, and
    a fee that a settled booking has borne is not undone. Locks the booking.
    """
    row = session.execute(
        select(Refund.booking_id, Refund.capture_id, Capture.buys)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.id == refund_id)
    ).one()
    booking = lock_booking(session, row.booking_id)
    state = session.scalar(select(Departure.state).where(Departure.id == booking.departure_id))
    if row.buys and state == DepartureState.SETTLED:
        return 0
    fee = select(CaptureFee.amount_satang).where(CaptureFee.capture_id == row.capture_id)
    returned = select(func.sum(Refund.fee_returned_satang)).where(
        Refund.capture_id == row.capture_id
    )
    return (session.scalar(fee) or 0) - int(session.scalar(returned) or 0)
