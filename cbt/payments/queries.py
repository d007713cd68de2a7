"""Reading how communities are paid, attempts, captures and money to give back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.db import Condition, Localized, columns
from cbt.errors import NotFound
from cbt.payments.models import Attempt, Capture, PaymentAccount, Refund
from cbt.payments.provider import AttemptState, RefundReason

LOOK_UP_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Method:
    """A way in which a community can be paid."""

    id: int
    provider: str
    receiver: dict[str, str]
    receiver_name: Localized


@dataclass(frozen=True)
class AttemptCard:
    id: int
    booking_id: int
    reference: str
    number: int
    provider: str
    state: AttemptState
    amount_satang: int
    provider_ref: str | None
    qr_payload: str
    created_at: datetime
    expires_at: datetime
    reported_at: datetime | None
    receiver_name: Localized


@dataclass(frozen=True)
class CaptureCard:
    id: int
    booking_id: int
    provider: str
    payment_id: str
    amount_satang: int
    fee_satang: int
    paid_at: datetime
    recorded_at: datetime
    receipt_number: int
    buys: bool


@dataclass(frozen=True)
class RefundCard:
    """Money to give back, with what is needed to reach the guest."""

    id: int
    reference: str
    provider: str
    amount_satang: int
    reason: RefundReason
    requested_at: datetime
    guest_name: str | None
    guest_email: str | None
    guest_phone: str | None


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
_CAPTURE = columns(Capture, CaptureCard)


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
    """PromptPay attempts that a guest reported as paid, or whose QR is still open."""
    return _list(
        session,
        PaymentAccount.community_id == community_id,
        Attempt.provider == "promptpay",
        or_(
            Attempt.state == AttemptState.REPORTED,
            (Attempt.state == AttemptState.PENDING) & (Attempt.expires_at > now),
        ),
    )


def list_open_attempts(session: Session, now: datetime) -> list[AttemptCard]:
    """Attempts whose provider may still have news."""
    return _list(
        session,
        Attempt.state.in_((AttemptState.PENDING, AttemptState.REPORTED)),
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
        select(*_CAPTURE).where(Capture.booking_id.in_(list(booking_ids))).order_by(Capture.id)
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


def list_refunds(session: Session, booking_id: int) -> list[Refund]:
    return list(
        session.scalars(select(Refund).where(Refund.booking_id == booking_id).order_by(Refund.id))
    )
