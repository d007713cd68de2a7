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
from cbt.payments import account_posting, posting
from cbt.payments.account_posting import ClearingFacts, PayoutFacts, SuspenseFacts
from cbt.payments.models import Capture, CaptureFee, Credit, CreditUse, PaymentAccount, Refund
from cbt.payments.posting import (
    CaptureFacts,
    CreditFacts,
    CreditUseFacts,
    FeeFacts,
    RefundFacts,
)
from cbt.payments.provider import RefundState
from cbt.payments.reported import ProviderPayout, ProviderTransaction, SuspenseMove


def list_money_drafts(session: Session, community_id: int) -> dict[str, Draft]:
    """The entries that the records of payments, refunds and credits call for, by key."""
    zone = session.scalar(select(Community.zone).where(Community.id == community_id)) or ""
    drafts = [
        *_capture_drafts(session, community_id, zone),
        *_refund_drafts(session, community_id, zone),
        *_credit_drafts(session, community_id, zone),
        *_payout_drafts(session, community_id, zone),
        *_suspense_drafts(session, community_id, zone),
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


def _payout_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    """What arrived at the bank, and what the bank refused after it had been said to have arrived."""
    rows = session.scalars(
        select(ProviderPayout)
        .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
        .where(PaymentAccount.community_id == community_id, ProviderPayout.paid_at.is_not(None))
    )
    for each in rows:
        about = (each.provider, each.payout_id, each.amount_satang)
        yield account_posting.payout_draft(PayoutFacts(*about, each.arrives_on), "")
        if each.failed_at is not None:
            failed = PayoutFacts(*about, village_day(each.failed_at, zone))
            yield account_posting.payout_failed_draft(failed, "")


def _suspense_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    """Movements that nothing explained, and how they were cleared."""
    rows = session.execute(
        select(ProviderTransaction, SuspenseMove)
        .join(PaymentAccount, PaymentAccount.id == ProviderTransaction.payment_account_id)
        .outerjoin(SuspenseMove, SuspenseMove.transaction_id == ProviderTransaction.id)
        .where(
            PaymentAccount.community_id == community_id,
            ProviderTransaction.suspense_satang != 0,
        )
    )
    for each, move in rows:
        about = (each.provider, each.transaction_id)
        moved_on = village_day(each.created_at, zone)
        facts = SuspenseFacts(*about, each.suspense_satang, moved_on)
        yield account_posting.suspense_draft(facts, "")
        if move is not None:
            cleared_on = village_day(move.moved_at, zone)
            cleared = ClearingFacts(*about, move.amount_satang, move.how, cleared_on)
            yield account_posting.clearing_draft(cleared, "")
