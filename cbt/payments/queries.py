"""Reading how communities are paid, attempts, captures and money to give back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.models import Community
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.ledger.entries import Draft
from cbt.payments import posting
from cbt.payments.models import Attempt, Capture, CaptureFee, PaymentAccount, Refund
from cbt.payments.posting import CaptureFacts, FeeFacts, RefundFacts
from cbt.payments.provider import AttemptState, RefundReason, RefundState
from cbt.payments.records import AttemptCard, CaptureCard, Method, RefundCard, RefundedCard

LOOK_UP_FOR = timedelta(days=7)


_METHOD = columns(PaymentAccount, Method)
_ATTEMPT: list[Any] = [
    Attempt.id,
    Attempt.booking_id,
    Booking.reference,
    Attempt.number,
    Attempt.provider,
    Attempt.state,
    Attempt.amount_satang,
    Attempt.provider_ref,
    Attempt.qr_payload,
    Attempt.created_at,
    Attempt.expires_at,
    Attempt.reported_at,
    PaymentAccount.receiver_name,
]
_CAPTURE: list[Any] = [
    Capture.id,
    Capture.booking_id,
    Capture.provider,
    Capture.payment_id,
    Capture.amount_satang,
    CaptureFee.amount_satang,
    Capture.paid_at,
    Capture.recorded_at,
    Capture.receipt_number,
    Capture.buys,
]


def list_methods(session: Session, community_id: int) -> list[Method]:
    rows = session.execute(
        select(*_METHOD)
        .where(PaymentAccount.community_id == community_id)
        .order_by(PaymentAccount.position)
    )
    return [Method(*row) for row in rows]


def get_attempt(session: Session, attempt_id: int) -> AttemptCard:
    return _one(session, Attempt.id == attempt_id)


def get_attempt_of(session: Session, reference: str, number: int) -> AttemptCard:
    return _one(session, Booking.reference == reference, Attempt.number == number)


def _one(session: Session, *conditions: Condition) -> AttemptCard:
    attempts = _list(session, *conditions)
    if not attempts:
        raise NotFound(thing="attempt")
    return attempts[0]


def list_attempts(session: Session, booking_id: int) -> list[AttemptCard]:
    """All tries to pay a booking, the newest first."""
    return _list(session, Attempt.booking_id == booking_id)[::-1]


def list_transfers_to_confirm(
    session: Session, community_id: int, now: datetime
) -> list[AttemptCard]:
    """PromptPay attempts that a person has not confirmed: those that guests reported come first.

    A code that was opened may be paid whatever the guest pressed, so every one is listed for some
    days, and a reported one until somebody has looked.
    """
    attempts = _list(
        session,
        PaymentAccount.community_id == community_id,
        Attempt.provider == "promptpay",
        Attempt.provider_ref.is_not(None),
        or_(
            Attempt.state == AttemptState.REPORTED,
            (Attempt.state != AttemptState.PAID) & (Attempt.created_at > now - LOOK_UP_FOR),
        ),
    )
    return sorted(attempts, key=lambda attempt: attempt.state != AttemptState.REPORTED)


def list_unpaid_attempts(session: Session, now: datetime) -> list[AttemptCard]:
    """Attempts that may still be paid, declined and given up ones included: money has its own mind."""
    return _list(
        session,
        Attempt.state != AttemptState.PAID,
        Attempt.provider_ref.is_not(None),
        Attempt.created_at > now - LOOK_UP_FOR,
    )


def _list(session: Session, *conditions: Condition) -> list[AttemptCard]:
    rows = session.execute(
        select(*_ATTEMPT)
        .join(Booking, Booking.id == Attempt.booking_id)
        .join(PaymentAccount, PaymentAccount.id == Attempt.payment_account_id)
        .where(*conditions)
        .order_by(Attempt.id)
    )
    cards = [AttemptCard(*row) for row in rows]
    return [replace(card, state=AttemptState(card.state)) for card in cards]


def list_captures(session: Session, booking_ids: Iterable[int]) -> list[CaptureCard]:
    rows = session.execute(
        select(*_CAPTURE)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(Capture.booking_id.in_(list(booking_ids)))
        .order_by(Capture.id)
    )
    return [CaptureCard(*row) for row in rows]


def list_refunds_to_make(session: Session, community_id: int) -> list[RefundCard]:
    rows = session.execute(
        select(
            Refund.id,
            Booking.reference,
            Capture.provider,
            Refund.amount_satang,
            Refund.reason,
            Refund.requested_at,
            Booking.guest_name,
            Booking.guest_email,
            Booking.guest_phone,
        )
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.community_id == community_id, Refund.state == "requested")
        .order_by(Refund.id)
    )
    return [RefundCard(*row[:4], RefundReason(row[4]), *row[5:]) for row in rows]


def list_refunds(session: Session, booking_id: int) -> list[RefundedCard]:
    """Money of a booking that goes or went back."""
    rows = session.execute(
        select(Refund.amount_satang, Refund.reason, Refund.state)
        .where(Refund.booking_id == booking_id)
        .order_by(Refund.id)
    )
    return [
        RefundedCard(row.amount_satang, RefundReason(row.reason), RefundState(row.state))
        for row in rows
    ]


def list_money_drafts(session: Session, community_id: int) -> dict[str, Draft]:
    """The entries that the records of payments and refunds call for, by key."""
    zone = session.scalar(select(Community.zone).where(Community.id == community_id)) or ""
    rows = session.execute(
        select(Capture, Booking.reference, CaptureFee, Refund)
        .join(Booking, Booking.id == Capture.booking_id)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .outerjoin(
            Refund, (Refund.capture_id == Capture.id) & (Refund.state == RefundState.SUCCEEDED)
        )
        .where(Capture.community_id == community_id)
        .execution_options(yield_per=1000)
    )
    drafts = []
    for capture, reference, fee, refund in rows:
        about = (reference, capture.provider, capture.payment_id)
        paid_on = village_day(capture.paid_at, zone)
        drafts.append(
            posting.capture_draft(CaptureFacts(*about, capture.amount_satang, paid_on), "")
        )
        if fee and fee.amount_satang:
            on = village_day(fee.reported_at, zone)
            drafts.append(posting.fee_draft(FeeFacts(*about, fee.amount_satang, on), ""))
        if refund and refund.done_at:
            on = village_day(refund.done_at, zone)
            money = (refund.amount_satang, refund.fee_returned_satang)
            drafts.append(posting.refund_draft(RefundFacts(*about, *money, on), ""))
    return {draft.key: draft for draft in drafts}
