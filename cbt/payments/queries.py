"""Reading how communities are paid, attempts, captures and money to give back."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, func, literal, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState
from cbt.db import Condition, Query, columns
from cbt.errors import NotFound
from cbt.payments.models import (
    AccountChange,
    Attempt,
    Capture,
    CaptureFee,
    CashTaken,
    Credit,
    CreditUse,
    PaymentAccount,
    Refund,
    TransferConfirmation,
    TransferLook,
)
from cbt.payments.provider import (
    UNPAID_REFUNDS,
    AttemptState,
    DisputeState,
    Failure,
    PayMethod,
    RefundReason,
    RefundState,
)
from cbt.payments.records import (
    CASH,
    RECORDED_WITHIN,
    AccountCard,
    AttemptCard,
    CaptureCard,
    CreditCard,
    LookCard,
    Method,
    Money,
    RefundCard,
    RefundedCard,
    TransferCard,
)
from cbt.payments.reported import Dispute
from cbt.people.models import Person

LOOK_UP_FOR = timedelta(days=7)

_IS_LIVE = Refund.state != RefundState.CANCELLED


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
    Attempt.page_url,
    Attempt.failure,
    Attempt.created_at,
    Attempt.expires_at,
    Attempt.reported_at,
    PaymentAccount.receiver,
    PaymentAccount.receiver_name,
]
_CAPTURE: list[Any] = [
    Capture.id,
    Capture.booking_id,
    Capture.provider,
    Capture.payment_id,
    Capture.amount_satang,
    CaptureFee.amount_satang,
    Capture.method,
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


def list_accounts(session: Session, community_id: int) -> list[AccountCard]:
    """Every way in which the community can be paid, closed ones too."""
    rows = session.execute(
        select(*columns(PaymentAccount, AccountCard))
        .where(PaymentAccount.community_id == community_id)
        .order_by(PaymentAccount.position)
    )
    return [AccountCard(*row) for row in rows]


def list_open_attempts(
    session: Session, community_id: int, provider: str, now: datetime
) -> list[AttemptCard]:
    """Attempts that guests have before them and may pay as they were drawn."""
    return _list(
        session,
        PaymentAccount.community_id == community_id,
        PaymentAccount.provider == provider,
        Attempt.state.in_((AttemptState.PENDING, AttemptState.REPORTED)),
        Attempt.expires_at > now,
    )


def find_method(session: Session, community_id: int, provider: str) -> Method | None:
    row = session.execute(
        select(*_METHOD).where(
            PaymentAccount.community_id == community_id, PaymentAccount.provider == provider
        )
    ).one_or_none()
    return Method(*row) if row else None


_ONE = (
    select(*_ATTEMPT)
    .join(Booking, Booking.id == Attempt.booking_id)
    .join(PaymentAccount, PaymentAccount.id == Attempt.payment_account_id)
)
_BY_ID = _ONE.where(Attempt.id == bindparam("wanted"))
_BY_NUMBER = _ONE.where(
    Booking.reference == bindparam("wanted"), Attempt.number == bindparam("numbered")
)


def get_attempt(session: Session, attempt_id: int) -> AttemptCard:
    return _one(session.execute(_BY_ID, {"wanted": attempt_id}))


def get_attempt_of(session: Session, reference: str, number: int) -> AttemptCard:
    return _one(session.execute(_BY_NUMBER, {"wanted": reference, "numbered": number}))


def _one(rows: Iterable[Row[Any]]) -> AttemptCard:
    for row in rows:
        return _card(row)
    raise NotFound(thing="attempt")


def list_attempts(session: Session, booking_id: int) -> list[AttemptCard]:
    """All tries to pay a booking, the newest first."""
    return _list(session, Attempt.booking_id == booking_id)[::-1]


def list_transfers_to_confirm(
    session: Session, community_id: int, now: datetime
) -> list[TransferCard]:
    """PromptPay attempts that a person has not confirmed: those that guests reported come first.

    A code that was opened may be paid whatever the guest pressed, so every one is listed for some
    days, and a reported one until somebody has looked.
    """
    rows = _rows(
        session,
        [
            *_ATTEMPT,
            Booking.departure_id,
            Booking.guest_name,
            Booking.state,
            Booking.confirmed_at,
        ],
        PaymentAccount.community_id == community_id,
        Attempt.provider == "promptpay",
        Attempt.provider_ref.is_not(None),
        or_(
            Attempt.state == AttemptState.REPORTED,
            (Attempt.state != AttemptState.PAID) & (Attempt.created_at > now - LOOK_UP_FOR),
        ),
    )
    own = len(_ATTEMPT)
    transfers = [
        TransferCard(
            _card(row[:own]), row[own], row[own + 1], BookingState(row[own + 2]), row[own + 3]
        )
        for row in rows
    ]
    return sorted(transfers, key=lambda each: each.attempt.state != AttemptState.REPORTED)


def list_looks(session: Session, attempt_ids: Iterable[int]) -> dict[int, LookCard]:
    """Transfers that the first of two people saw, by attempt; those set aside are left out."""
    rows = session.execute(
        select(*columns(TransferLook, LookCard)).where(
            TransferLook.attempt_id.in_(list(attempt_ids)), TransferLook.dismissed_at.is_(None)
        )
    )
    return {row.attempt_id: LookCard(*row) for row in rows}


def list_unpaid_attempts(session: Session, now: datetime) -> list[AttemptCard]:
    """Attempts that may still be paid, declined and given up ones included: money has its own mind.

    One whose transfer a person has confirmed, or whose cash a person has taken, is listed until it
    is captured, however old it is.
    """
    captured = select(Capture.attempt_id).where(Capture.attempt_id == Attempt.id).exists()
    return _list(
        session,
        Attempt.provider_ref.is_not(None),
        or_(
            (Attempt.state != AttemptState.PAID) & (Attempt.created_at > now - LOOK_UP_FOR),
            Attempt.id.in_(select(TransferConfirmation.attempt_id)) & ~captured,
            Attempt.id.in_(select(CashTaken.attempt_id)) & ~captured,
        ),
    )


def _list(session: Session, *conditions: Condition) -> list[AttemptCard]:
    return [_card(row) for row in _rows(session, _ATTEMPT, *conditions)]


def _card(row: Sequence[Any]) -> AttemptCard:
    card = AttemptCard(*row)
    failure = Failure(card.failure) if card.failure else None
    return replace(card, state=AttemptState(card.state), failure=failure)


def _rows(session: Session, wanted: list[Any], *conditions: Condition) -> list[Row[Any]]:
    rows = session.execute(
        select(*wanted)
        .join(Booking, Booking.id == Attempt.booking_id)
        .join(PaymentAccount, PaymentAccount.id == Attempt.payment_account_id)
        .where(*conditions)
        .order_by(Attempt.id)
    )
    return list(rows)


_CAPTURES = (
    select(*_CAPTURE)
    .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
    .where(Capture.booking_id.in_(bindparam("bookings", expanding=True)))
    .order_by(Capture.id)
)


def list_captures(session: Session, booking_ids: Iterable[int]) -> list[CaptureCard]:
    rows = session.execute(_CAPTURES, {"bookings": list(booking_ids)})
    cards = [CaptureCard(*row) for row in rows]
    return [replace(card, method=PayMethod(card.method)) for card in cards]


_HELD_BY = (
    select(Dispute.state)
    .where(Dispute.capture_id == Refund.capture_id, Dispute.state != DisputeState.WON)
    .order_by(Dispute.state.desc())
    .limit(1)
    .correlate(Refund)
    .scalar_subquery()
)
"""The dispute over a refund's payment that is open, else one that was lost."""

_REFUND: list[Any] = [
    Refund.id,
    Booking.reference,
    Capture.provider,
    Refund.amount_satang,
    Refund.reason,
    Refund.state,
    Refund.requested_at,
    Refund.requested_by,
    Refund.approved_by,
    Refund.action_until,
    Refund.failure,
    Refund.paid_from,
    Refund.done_at,
    Refund.done_by,
    Refund.proof,
    Booking.guest_name,
    Booking.guest_email,
    Booking.guest_phone,
    _HELD_BY,
]


def list_refunds_to_make(session: Session, community_id: int) -> list[RefundCard]:
    """Money that guests still wait for, the oldest first."""
    rows = session.execute(
        _refunds().where(Refund.community_id == community_id, Refund.state.in_(UNPAID_REFUNDS))
    )
    return [_refund(row) for row in rows]


def list_refunds_done(session: Session, community_id: int, limit: int) -> list[RefundCard]:
    """Money that was given back, or not given after all, the newest first."""
    rows = session.execute(
        _refunds()
        .where(Refund.community_id == community_id, Refund.state.not_in(UNPAID_REFUNDS))
        .order_by(None)
        .order_by(func.coalesce(Refund.done_at, Refund.requested_at).desc(), Refund.id.desc())
        .limit(limit)
    )
    return [_refund(row) for row in rows]


def get_refund(session: Session, community_id: int, refund_id: int) -> RefundCard:
    row = session.execute(
        _refunds().where(Refund.community_id == community_id, Refund.id == refund_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="refund")
    return _refund(row)


def _refunds() -> Query:
    return (
        select(*_REFUND)
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .order_by(Refund.id)
    )


def _refund(row: Row[Any]) -> RefundCard:
    card = RefundCard(*tuple(row))
    return replace(
        card,
        reason=RefundReason(card.reason),
        state=RefundState(card.state),
        dispute=DisputeState(card.dispute) if card.dispute else None,
    )


def list_last_changes(session: Session, community_id: int) -> dict[str, tuple[str, datetime]]:
    """Who changed each of a community's accounts last, and when, by provider."""
    rows = session.execute(
        select(PaymentAccount.provider, Person.name, AccountChange.changed_at)
        .join(PaymentAccount, PaymentAccount.id == AccountChange.payment_account_id)
        .join(Person, Person.id == AccountChange.changed_by)
        .where(PaymentAccount.community_id == community_id)
        .order_by(AccountChange.id)
    )
    return {provider: (name, changed_at) for provider, name, changed_at in rows}


def find_refund_by_ref(session: Session, provider: str, provider_ref: str) -> int | None:
    """The refund that a provider knows by its own id, as its events name it."""
    return session.scalar(
        select(Refund.id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.provider_ref == provider_ref, Capture.provider == provider)
    )


def find_waiting_goodwill(session: Session, departure_id: int) -> str | None:
    """A booking's reference for whose goodwill a second person has not decided yet, or None."""
    return session.scalar(
        select(Booking.reference)
        .join(Refund, Refund.booking_id == Booking.id)
        .where(
            Booking.departure_id == departure_id,
            Refund.reason == RefundReason.GOODWILL,
            Refund.state == RefundState.REQUESTED,
        )
        .order_by(Booking.id)
        .limit(1)
    )


def find_open_promise(session: Session, departure_id: int, now: datetime) -> str | None:
    """A booking's reference whose guest promised cash that may still be written down, or None.

    Whether it was paid must be said before its departure is split.
    """
    return session.scalar(
        select(Booking.reference)
        .join(Attempt, Attempt.booking_id == Booking.id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Booking.departure_id == departure_id,
            Booking.state.in_((BookingState.HELD, BookingState.LAPSED)),
            Departure.ends_at > now - RECORDED_WITHIN,
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
        )
        .order_by(Booking.id)
        .limit(1)
    )


def find_open_dispute(session: Session, departure_id: int) -> str | None:
    """A booking's reference whose payment a bank disputes, or None: its split waits for the decision."""
    return session.scalar(
        select(Booking.reference)
        .join(Dispute, Dispute.booking_id == Booking.id)
        .join(Capture, Capture.id == Dispute.capture_id)
        .where(
            Booking.departure_id == departure_id,
            Dispute.state == DisputeState.OPEN,
            Capture.buys.is_(True),
        )
        .order_by(Booking.id)
        .limit(1)
    )


def list_refunds(session: Session, booking_id: int) -> list[RefundedCard]:
    """Money of a booking that goes or went back."""
    rows = session.execute(
        select(Refund.amount_satang, Refund.reason, Refund.state)
        .where(Refund.booking_id == booking_id, _IS_LIVE)
        .order_by(Refund.id)
    )
    return [
        RefundedCard(row.amount_satang, RefundReason(row.reason), RefundState(row.state))
        for row in rows
    ]


def get_money(session: Session, booking_id: int) -> Money:
    return list_money(session, [booking_id])[booking_id]


_AMONG: Any = bindparam("bookings", expanding=True)
_MONEY = union_all(
    select(Capture.booking_id, literal(0), Capture.amount_satang).where(
        Capture.booking_id.in_(_AMONG), Capture.buys.is_(True)
    ),
    select(CreditUse.booking_id, literal(1), CreditUse.amount_satang).where(
        CreditUse.booking_id.in_(_AMONG)
    ),
    select(Refund.booking_id, literal(2), Refund.amount_satang)
    .join(Capture, Capture.id == Refund.capture_id)
    .where(Refund.booking_id.in_(_AMONG), Capture.buys.is_(True), _IS_LIVE),
    select(Credit.booking_id, literal(3), Credit.amount_satang).where(
        Credit.booking_id.in_(_AMONG)
    ),
    select(Booking.id, literal(4), Booking.retained_satang).where(Booking.id.in_(_AMONG)),
    select(Refund.booking_id, literal(5), Refund.amount_satang).where(
        Refund.booking_id.in_(_AMONG), Refund.reason == RefundReason.GOODWILL, _IS_LIVE
    ),
    select(
        Dispute.booking_id,
        case((Dispute.state == DisputeState.LOST, 6), else_=7),
        Dispute.reserved_satang,
    )
    .join(Capture, Capture.id == Dispute.capture_id)
    .where(
        Dispute.booking_id.in_(_AMONG),
        Dispute.state != DisputeState.WON,
        Dispute.was_split.is_(False),
        Capture.buys.is_(True),
    ),
)


def list_money(session: Session, booking_ids: Iterable[int]) -> dict[int, Money]:
    """What was taken for some bookings and is still there for the trip. One statement."""
    ids = list(booking_ids)
    sums: dict[int, list[int]] = {booking_id: [0] * 8 for booking_id in ids}
    for booking_id, place, amount in session.execute(_MONEY, {"bookings": ids}):
        sums[booking_id][place] += amount
    return {booking_id: Money(*each) for booking_id, each in sums.items()}


def departures_with_retained_money(community_id: int) -> Query:
    """Selects the ids of departures of which a cancelled booking left something to share out."""
    kept = (
        _total(Capture.amount_satang, Capture.booking_id)
        + _total(CreditUse.amount_satang, CreditUse.booking_id)
        - _total(Refund.amount_satang, Refund.booking_id, _IS_LIVE)
        - _total(Credit.amount_satang, Credit.booking_id)
        - _total(
            Dispute.reserved_satang,
            Dispute.booking_id,
            (Dispute.state == DisputeState.LOST) & Dispute.was_split.is_(False),
        )
    )
    return select(Booking.departure_id).where(
        Booking.community_id == community_id,
        Booking.state == BookingState.CANCELLED,
        Booking.confirmed_at.is_not(None),
        kept > 0,
    )


def _total(
    amount: InstrumentedAttribute[int], booking_id: InstrumentedAttribute[int], *which: Condition
) -> ColumnElement[int]:
    """The sum of a booking's amounts of one kind, as a column beside Booking."""
    return (
        select(func.coalesce(func.sum(amount), 0))
        .where(booking_id == Booking.id, *which)
        .correlate(Booking)
        .scalar_subquery()
    )


def find_credit(session: Session, community_id: int, code: str) -> CreditCard | None:
    row = session.execute(
        select(*columns(Credit, CreditCard)).where(
            Credit.community_id == community_id, Credit.code == code.strip().upper()
        )
    ).one_or_none()
    return CreditCard(*row) if row else None


def list_credits_of(session: Session, booking_id: int) -> list[CreditCard]:
    rows = session.execute(
        select(*columns(Credit, CreditCard))
        .where(Credit.booking_id == booking_id)
        .order_by(Credit.id)
    )
    return [CreditCard(*row) for row in rows]
