"""The entries that the records of money call for. The auditor compares them with the books.

Each kind of record has its function; what posts an entry calls the same pure draft of `posting.py`.
"""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.models import Community
from cbt.ledger.entries import Draft
from cbt.payments import posting
from cbt.payments.account_drafts import list_account_drafts
from cbt.payments.models import (
    Capture,
    CaptureFee,
    CashBanked,
    CashCount,
    Credit,
    CreditUse,
    Refund,
)
from cbt.payments.posting import (
    CaptureFacts,
    CashBankedFacts,
    CashCountFacts,
    CreditFacts,
    CreditUseFacts,
    FeeFacts,
    RefundFacts,
)
from cbt.payments.provider import RefundState


def list_money_drafts(session: Session, community_id: int) -> dict[str, Draft]:
    """The entries that the records of payments, refunds, credits and the cash box call for, by key."""
    zone = session.scalar(select(Community.zone).where(Community.id == community_id)) or ""
    drafts = [
        *_capture_drafts(session, community_id, zone),
        *_refund_drafts(session, community_id, zone),
        *_credit_drafts(session, community_id, zone),
        *_box_drafts(session, community_id, zone),
        *list_account_drafts(session, community_id, zone),
    ]
    return {draft.key: draft for draft in drafts}


def _capture_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    rows = session.execute(
        select(Capture, Booking.reference, CaptureFee)
        .join(Booking, Booking.id == Capture.booking_id)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(Capture.community_id == community_id)
        .execution_options(yield_per=1000)
    )
    for capture, reference, fee in rows:
        about = (reference, capture.provider, capture.payment_id)
        paid_on = village_day(capture.paid_at, zone)
        yield posting.capture_draft(CaptureFacts(*about, capture.amount_satang, paid_on), "")
        if fee and fee.amount_satang:
            on = village_day(fee.reported_at, zone)
            yield posting.fee_draft(FeeFacts(*about, fee.amount_satang, on), "")


def _refund_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    rows = session.execute(
        select(Refund, Booking.reference, Capture.provider, Capture.payment_id)
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.community_id == community_id, Refund.state == RefundState.SUCCEEDED)
        .execution_options(yield_per=1000)
    )
    for refund, reference, provider, payment_id in rows:
        money = (refund.amount_satang, refund.fee_returned_satang)
        on = village_day(refund.done_at or refund.requested_at, zone)
        facts = RefundFacts(reference, provider, payment_id, refund.number, *money, on)
        yield posting.refund_draft(facts, "")


def _credit_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    issued = session.execute(
        select(Credit, Booking.reference)
        .join(Booking, Booking.id == Credit.booking_id)
        .where(Credit.community_id == community_id)
    )
    for credit, reference in issued:
        on = village_day(credit.issued_at, zone)
        facts = CreditFacts(reference, credit.id, credit.amount_satang, on)
        yield posting.credit_draft(facts, "")
    used = session.execute(
        select(CreditUse, Booking.reference)
        .join(Credit, Credit.id == CreditUse.credit_id)
        .join(Booking, Booking.id == CreditUse.booking_id)
        .where(Credit.community_id == community_id)
    )
    for use, reference in used:
        on = village_day(use.used_at, zone)
        facts_ = CreditUseFacts(reference, use.credit_id, use.number, use.amount_satang, on)
        yield posting.credit_use_draft(facts_, "")


def _box_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    """Counts that two people agreed on and that differed, and cash that went to the bank."""
    counts = session.scalars(
        select(CashCount).where(
            CashCount.community_id == community_id,
            CashCount.agreed_at.is_not(None),
            CashCount.counted_satang != CashCount.expected_satang,
        )
    )
    for count in counts:
        figures = (count.expected_satang, count.counted_satang)
        on = village_day(count.agreed_at or count.counted_at, zone)
        yield posting.cash_count_draft(CashCountFacts(count.id, *figures, on), "")
    banked = session.scalars(select(CashBanked).where(CashBanked.community_id == community_id))
    for each in banked:
        on = village_day(each.banked_at, zone)
        facts = CashBankedFacts(each.id, each.amount_satang, each.bank_reference, on)
        yield posting.cash_banked_draft(facts, "")
