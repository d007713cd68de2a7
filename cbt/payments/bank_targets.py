"""What a line of the bank's statement can be: codes of guests, payouts, refunds by hand, banked cash."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.records import CommunityCard
from cbt.errors import NotFound
from cbt.payments import matching
from cbt.payments.matching import OpenPayment, OutgoingRefund, Payout
from cbt.payments.models import (
    Attempt,
    Capture,
    CashBanked,
    CashCleared,
    PaymentAccount,
    Refund,
    TransferConfirmation,
    TransferLook,
)
from cbt.payments.promptpay import IdKind
from cbt.payments.provider import PayoutState, RefundState
from cbt.payments.reported import LineState, ProviderPayout, StatementLine

BANK = "promptpay"
"""The provider whose money lies in the community's own bank account."""

REACH = matching.AMOUNT_IS_OWN_FOR + matching.LATE_FOR + timedelta(days=2)
"""How long before a line the code may have been opened that it pays."""

AHEAD = max(matching.PAYOUT_EARLY, matching.CASH_NOTED_WITHIN) + timedelta(days=2)
"""How long after a line that which it is may have been noted here."""


class TargetKind(StrEnum):
    """What a line of the statement can be."""

    ATTEMPT = "attempt"
    PAYOUT = "payout"
    REFUND = "refund"
    CASH = "cash"


@dataclass(frozen=True)
class Target:
    """What a line is said to be: an attempt, payout, refund or cash brought to the bank, by its id."""

    kind: TargetKind
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def read_target(text: str) -> Target:
    """Read "attempt:7". Raises NotFound for what names nothing that a line can be."""
    kind, _colon, number = text.partition(":")
    if kind not in list(TargetKind) or not (number.isascii() and number.isdigit()):
        raise NotFound(thing="target")
    if len(number) > 18:
        raise NotFound(thing="target")
    return Target(TargetKind(kind), int(number))


@dataclass(frozen=True)
class TargetCard:
    """Something that a line can be, as a person reads it; `amount_satang` is above zero.

    `on` is the day on which it was opened, should arrive, was asked for or was brought. `seen_by`
    tells that the first of two people has accepted it.
    """

    target: Target
    amount_satang: int
    on: date
    reference: str = ""
    name: str = ""
    provider: str = ""
    seen_by: int | None = None


@dataclass
class Known:
    """What lines can be, for the rule and for people."""

    payments: list[OpenPayment] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    refunds: list[OutgoingRefund] = field(default_factory=list)
    cash: list[Payout] = field(default_factory=list)
    cards: dict[Target, TargetCard] = field(default_factory=dict)


@dataclass(frozen=True)
class _Span:
    """From when to when what is looked for happened, and what matched lines are since then."""

    since: datetime
    until: datetime | None
    seen: set[str]


def list_known(
    session: Session, community: CommunityCard, first_on: date, last_on: date | None = None
) -> Known:
    """Everything that lines from some day on, up to a last one, can be. Five statements."""
    since = datetime.combine(first_on, datetime.min.time(), tzinfo=UTC) - REACH
    until = None
    if last_on is not None:
        until = datetime.combine(last_on, datetime.min.time(), tzinfo=UTC) + AHEAD
    span = _Span(since, until, _list_seen(session, community.id, first_on - REACH))
    known = Known()
    _add_payments(session, community, span, known)
    _add_payouts(session, community, span, known)
    _add_refunds(session, community, span, known)
    _add_cash(session, community, span, known)
    return known


def _within(span: _Span, begins: Any, ends: Any = None) -> ColumnElement[bool]:
    """What lay within a span at least in part; `ends` is when it was over, if not when it began."""
    lasted = (begins if ends is None else ends) >= span.since
    return lasted if span.until is None else and_(lasted, begins <= span.until)


def _list_seen(session: Session, community_id: int, since: date) -> set[str]:
    """What matched lines are, from some day on."""
    rows = session.scalars(
        select(StatementLine.matched_to).where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.MATCHED,
            StatementLine.booked_on >= since,
        )
    )
    return {each for each in rows if each is not None}


def _add_payments(session: Session, community: CommunityCard, span: _Span, known: Known) -> None:
    """Codes into the community's bank account: paid ones as well, for they can be paid twice."""
    first = (
        select(
            TransferConfirmation.attempt_id,
            func.min(TransferConfirmation.id).label("id"),
            func.max(TransferConfirmation.confirmed_at).label("last_at"),
        )
        .group_by(TransferConfirmation.attempt_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Attempt.id,
            Attempt.amount_satang,
            Attempt.created_at,
            Attempt.expires_at,
            Booking.reference,
            Booking.guest_name,
            PaymentAccount.receiver,
            TransferConfirmation.confirmed_at,
            TransferConfirmation.bank_reference,
            TransferConfirmation.amount_satang.label("confirmed_satang"),
            TransferLook.looked_by,
        )
        .join(Booking, Booking.id == Attempt.booking_id)
        .join(PaymentAccount, PaymentAccount.id == Attempt.payment_account_id)
        .outerjoin(first, first.c.attempt_id == Attempt.id)
        .outerjoin(TransferConfirmation, TransferConfirmation.id == first.c.id)
        .outerjoin(
            TransferLook,
            (TransferLook.attempt_id == Attempt.id)
            & TransferLook.dismissed_at.is_(None)
            & (first.c.last_at.is_(None) | (TransferLook.looked_at > first.c.last_at)),
        )
        .where(
            PaymentAccount.community_id == community.id,
            PaymentAccount.provider == BANK,
            Attempt.provider_ref.is_not(None),
            _within(span, Attempt.created_at),
        )
        .order_by(Attempt.id)
    )
    for row in rows:
        target = Target(TargetKind.ATTEMPT, row.id)
        has_reference = row.receiver.get("kind") == IdKind.BILLER
        known.payments.append(
            OpenPayment(
                attempt_id=row.id,
                reference=row.reference,
                amount_satang=row.confirmed_satang or row.amount_satang,
                opened_at=row.created_at,
                expires_at=row.expires_at,
                references=(row.reference, f"A{row.id}") if has_reference else (),
                guest_name=row.guest_name or "",
                needs_own_amount=not has_reference,
                confirmed_at=row.confirmed_at,
                bank_reference=row.bank_reference or "",
                is_seen=str(target) in span.seen,
            )
        )
        known.cards[target] = TargetCard(
            target,
            row.amount_satang,
            village_day(row.created_at, community.zone),
            row.reference,
            row.guest_name or "",
            seen_by=row.looked_by,
        )


def _add_payouts(session: Session, community: CommunityCard, span: _Span, known: Known) -> None:
    rows = session.execute(
        select(
            ProviderPayout.id,
            ProviderPayout.payout_id,
            ProviderPayout.amount_satang,
            ProviderPayout.arrives_on,
            ProviderPayout.provider,
        )
        .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
        .where(
            PaymentAccount.community_id == community.id,
            ProviderPayout.state != PayoutState.FAILED,
            ProviderPayout.arrives_on >= span.since.date(),
            *(() if span.until is None else (ProviderPayout.arrives_on <= span.until.date(),)),
        )
        .order_by(ProviderPayout.id)
    )
    for row in rows:
        target = Target(TargetKind.PAYOUT, row.id)
        is_seen = str(target) in span.seen
        known.payouts.append(
            Payout(row.id, row.payout_id, row.amount_satang, row.arrives_on, is_seen)
        )
        known.cards[target] = TargetCard(
            target, row.amount_satang, row.arrives_on, row.payout_id, provider=row.provider
        )


def _add_refunds(session: Session, community: CommunityCard, span: _Span, known: Known) -> None:
    """Refunds that a person made from the bank account, as they noted."""
    rows = session.execute(
        select(
            Refund.id,
            Refund.amount_satang,
            Refund.requested_at,
            Refund.done_at,
            Refund.proof,
            Booking.reference,
            Booking.guest_name,
        )
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(
            Refund.community_id == community.id,
            Refund.state == RefundState.SUCCEEDED,
            func.coalesce(Refund.paid_from, Capture.provider) == BANK,
            _within(span, Refund.requested_at, Refund.done_at),
        )
        .order_by(Refund.id)
    )
    for row in rows:
        target = Target(TargetKind.REFUND, row.id)
        known.refunds.append(
            OutgoingRefund(
                refund_id=row.id,
                amount_satang=row.amount_satang,
                requested_at=row.requested_at,
                done_at=row.done_at,
                proof=row.proof or "",
                guest_name=row.guest_name or "",
                is_seen=str(target) in span.seen,
            )
        )
        on = village_day(row.done_at, community.zone)
        known.cards[target] = TargetCard(
            target, row.amount_satang, on, row.reference, row.guest_name or ""
        )


def _add_cash(session: Session, community: CommunityCard, span: _Span, known: Known) -> None:
    """Cash that was carried to the bank comes in there like a payout does."""
    rows = session.execute(
        select(
            CashBanked.id,
            CashBanked.amount_satang,
            CashBanked.bank_reference,
            CashBanked.banked_at,
        )
        .outerjoin(CashCleared, CashCleared.banked_id == CashBanked.id)
        .where(
            CashBanked.community_id == community.id,
            or_(CashCleared.is_back.is_(None), CashCleared.is_back.is_(False)),
            _within(span, CashBanked.banked_at),
        )
        .order_by(CashBanked.id)
    )
    for row in rows:
        target = Target(TargetKind.CASH, row.id)
        on = village_day(row.banked_at, community.zone)
        is_seen = str(target) in span.seen
        noted = matching.CASH_NOTED_WITHIN
        known.cash.append(
            Payout(row.id, row.bank_reference, row.amount_satang, on, is_seen, early=noted)
        )
        known.cards[target] = TargetCard(target, row.amount_satang, on, row.bank_reference)
