"""Reading what came in by way of payment: a month's sums, its days and receipts, and what went back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import next_month, to_instant, village_day
from cbt.communities.records import CommunityCard
from cbt.db import Condition
from cbt.payments.models import Capture, CaptureFee, Refund
from cbt.payments.provider import PayMethod, RefundState


@dataclass(frozen=True)
class Sum:
    """Payments added up, in satang. Of `unknown` ones the fee is not known yet; it counts as nothing."""

    payments: int = 0
    amount_satang: int = 0
    fee_satang: int = 0
    vat_satang: int = 0
    unknown: int = 0

    @property
    def net_satang(self) -> int:
        return self.amount_satang - self.fee_satang

    def plus(self, amount: int, fee: int | None, vat: int | None) -> "Sum":
        return Sum(
            self.payments + 1,
            self.amount_satang + amount,
            self.fee_satang + (fee or 0),
            self.vat_satang + (vat or 0),
            self.unknown + (fee is None),
        )


@dataclass(frozen=True)
class PaymentCard:
    """A payment with its receipt's number and its booking; the fee, with its tax, is None until known."""

    receipt_number: int
    paid_at: datetime
    reference: str
    guest_name: str | None
    provider: str
    method: PayMethod
    payment_id: str
    amount_satang: int
    fee_satang: int | None
    vat_satang: int | None
    buys: bool

    @property
    def net_satang(self) -> int | None:
        return None if self.fee_satang is None else self.amount_satang - self.fee_satang


@dataclass(frozen=True)
class Month:
    """What came in during a month: altogether, by village day (the newest first), and what went back."""

    whole: Sum
    days: dict[date, Sum]
    refunds: int
    returned_satang: int


def get_month(session: Session, community: CommunityCard, month: date) -> Month:
    """Two statements, whatever the month holds."""
    whole, days = Sum(), dict[date, Sum]()
    rows = session.execute(
        select(
            Capture.paid_at, Capture.amount_satang, CaptureFee.amount_satang, CaptureFee.vat_satang
        )
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(*_in_month(community, month))
        .order_by(Capture.paid_at.desc())
    )
    for paid_at, *money in rows:
        on = village_day(paid_at, community.zone)
        days[on] = days.get(on, Sum()).plus(*money)
        whole = whole.plus(*money)
    starts_at, ends_at = _bounds(community, month)
    refunds = session.execute(
        select(func.count(), func.coalesce(func.sum(Refund.amount_satang), 0)).where(
            Refund.community_id == community.id,
            Refund.state == RefundState.SUCCEEDED,
            Refund.done_at >= starts_at,
            Refund.done_at < ends_at,
        )
    ).one()
    return Month(whole, days, refunds[0], int(refunds[1]))


def list_payments(
    session: Session, community: CommunityCard, month: date, first: int, most: int
) -> list[PaymentCard]:
    """A month's payments from the `first` on (0 is the newest), at most so many."""
    rows = session.execute(
        select(
            Capture.receipt_number,
            Capture.paid_at,
            Booking.reference,
            Booking.guest_name,
            Capture.provider,
            Capture.method,
            Capture.payment_id,
            Capture.amount_satang,
            CaptureFee.amount_satang.label("fee_satang"),
            CaptureFee.vat_satang,
            Capture.buys,
        )
        .join(Booking, Booking.id == Capture.booking_id)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(*_in_month(community, month))
        .order_by(Capture.paid_at.desc(), Capture.id.desc())
        .offset(first)
        .limit(most)
    ).mappings()
    return [PaymentCard(**{**row, "method": PayMethod(row["method"])}) for row in rows]


def stream_payments(
    session: Session, community: CommunityCard, month: date, at_once: int = 1_000
) -> Iterator[PaymentCard]:
    """All of a month's payments, the newest first."""
    first = 0
    while found := list_payments(session, community, month, first, at_once):
        yield from found
        first += len(found)


def _in_month(community: CommunityCard, month: date) -> tuple[Condition, ...]:
    starts_at, ends_at = _bounds(community, month)
    return (
        Capture.community_id == community.id,
        Capture.paid_at >= starts_at,
        Capture.paid_at < ends_at,
    )


def _bounds(community: CommunityCard, month: date) -> tuple[datetime, datetime]:
    """The instants between which a village's month lies."""
    return (
        to_instant(month, time(), community.zone),
        to_instant(next_month(month), time(), community.zone),
    )
