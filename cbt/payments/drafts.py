"""The entries that the records of money call for. The auditor compares them with the books.

Each kind of record has its function; what posts an entry calls the same pure draft of `posting.py`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.queries import get_zone
from cbt.ledger.entries import Draft
from cbt.payments import posting
from cbt.payments.account_drafts import list_account_drafts
from cbt.payments.models import (
    Capture,
    CaptureFee,
    CashBanked,
    CashCleared,
    CashCount,
    Credit,
    CreditUse,
    Refund,
    RefundReturn,
)
from cbt.payments.posting import (
    CaptureFacts,
    CashBankedFacts,
    CashClearedFacts,
    CashCountFacts,
    CreditFacts,
    CreditUseFacts,
    DisputeEndFacts,
    DisputeFacts,
    DisputeFeeFacts,
    DisputeReinstatedFacts,
    FeeFacts,
    RefundByBankFacts,
    RefundFacts,
    RefundReturnFacts,
)
from cbt.payments.provider import DisputeState, RefundState
from cbt.payments.reported import Dispute


def list_money_drafts(session: Session, community_id: int) -> dict[str, Draft]:
    """The entries that the records of money call for, by key: payments, refunds, disputes, credits,
    the cash box, payouts, and what nothing explained.
    """
    zone = get_zone(session, community_id)
    drafts = [
        *_capture_drafts(session, community_id, zone),
        *_refund_drafts(session, community_id, zone),
        *_by_bank_drafts(session, community_id, zone),
        *_dispute_drafts(session, community_id, zone),
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
    """Each time that a refund was made, and each time that it came back."""
    came_back: dict[int, list[RefundReturn]] = defaultdict(list)
    for each in session.scalars(
        select(RefundReturn)
        .join(Refund, Refund.id == RefundReturn.refund_id)
        .where(Refund.community_id == community_id)
        .order_by(RefundReturn.refund_id, RefundReturn.number)
    ):
        came_back[each.refund_id].append(each)
    rows = session.execute(
        select(Refund, Booking.reference, Capture.provider, Capture.payment_id)
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(
            Refund.community_id == community_id,
            (Refund.state == RefundState.SUCCEEDED) | Refund.id.in_(list(came_back)),
        )
        .execution_options(yield_per=1000)
    )
    for refund, *about in rows:
        yield from _drafts_of_refund(refund, about, came_back.get(refund.id, []), zone)


def _drafts_of_refund(
    refund: Refund, about: Sequence[str], came_back: Sequence[RefundReturn], zone: str
) -> Iterator[Draft]:
    fee_before = 0
    for each in came_back:
        money = (each.amount_satang, each.fee_returned_satang)
        on = village_day(each.made_at, zone)
        facts = refund_facts(about, refund, money, on, each.paid_from, each.number - 1)
        yield posting.refund_draft(facts, "")
        reference, provider, payment_id = about
        back = RefundReturnFacts(
            reference,
            provider,
            payment_id,
            refund.number,
            each.number,
            each.amount_satang,
            each.paid_from,
            village_day(each.returned_at, zone),
            refund.was_split or None,
        )
        yield posting.refund_return_draft(back, "")
        fee_before += each.fee_returned_satang
    if refund.state == RefundState.SUCCEEDED:
        money = (refund.amount_satang, refund.fee_returned_satang - fee_before)
        on = village_day(refund.done_at or refund.requested_at, zone)
        paid_from = refund.paid_from or about[1]
        facts = refund_facts(about, refund, money, on, paid_from, len(came_back))
        yield posting.refund_draft(facts, "")


def refund_facts(
    about: Sequence[str],
    refund: Refund,
    money: tuple[int, int],
    on: date,
    paid_from: str,
    returned: int,
) -> RefundFacts:
    """The facts of one time that a refund was made; `about` is (reference, provider, payment id)."""
    reference, provider, payment_id = about
    other = paid_from if paid_from != provider else None
    return RefundFacts(
        reference,
        provider,
        payment_id,
        refund.number,
        *money,
        on,
        other,
        returned or None,
        refund.was_split or None,
    )


def _dispute_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    rows = session.execute(
        select(Dispute, Booking.reference, Capture.provider)
        .join(Booking, Booking.id == Dispute.booking_id)
        .join(Capture, Capture.id == Dispute.capture_id)
        .where(Dispute.community_id == community_id)
        .execution_options(yield_per=1000)
    )
    for dispute, reference, provider in rows:
        yield from drafts_of_dispute(dispute, reference, provider, zone, "")


def drafts_of_dispute(
    dispute: Dispute, reference: str, provider: str, zone: str, actor: str
) -> list[Draft]:
    """The entries that a dispute calls for as it stands: opened, its fee, and how it was decided."""
    about = (reference, provider, dispute.provider_ref)
    opened_on = village_day(dispute.opened_at, zone)
    amount = dispute.amount_satang
    drafts = [posting.dispute_draft(DisputeFacts(*about, amount, opened_on), actor)]
    if dispute.fee_satang:
        fee = DisputeFeeFacts(*about, dispute.fee_satang, dispute.was_split, opened_on)
        drafts.append(posting.dispute_fee_draft(fee, actor))
    if dispute.closed_at is None:
        return drafts
    deposit, credit = dispute.deposit_satang, dispute.credit_satang
    closed_on = village_day(dispute.closed_at, zone)
    end = DisputeEndFacts(*about, amount, deposit, closed_on, credit or None)
    if dispute.state == DisputeState.WON and dispute.reinstated_at is None:
        return [*drafts, posting.dispute_won_draft(end, actor)]
    drafts.append(posting.dispute_lost_draft(end, actor))
    if dispute.reinstated_at is not None:
        fund = dispute.fund_satang
        into = (deposit - fund + dispute.covered_satang, credit, fund)
        on = village_day(dispute.reinstated_at, zone)
        back = DisputeReinstatedFacts(*about, amount, *into, on)
        drafts.append(posting.dispute_reinstated_draft(back, actor))
    return drafts


def _by_bank_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    rows = session.execute(
        select(Refund, Booking.reference, Capture.provider, Capture.payment_id, Dispute)
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .join(Dispute, Dispute.id == Refund.by_dispute_id)
        .where(Refund.community_id == community_id, Refund.was_split.is_(False))
    )
    for refund, *about, dispute in rows:
        yield draft_by_bank(refund, about, dispute, zone, "")


def draft_by_bank(
    refund: Refund, about: Sequence[str], dispute: Dispute, zone: str, actor: str
) -> Draft:
    """The entry of a refund that the guest has by the bank; `about` as for `refund_facts`."""
    reference, provider, payment_id = about
    on = village_day(refund.by_bank_at or refund.requested_at, zone)
    money = (refund.number, refund.amount_satang, dispute.provider_ref)
    facts = RefundByBankFacts(reference, provider, payment_id, *money, on)
    return posting.refund_by_bank_draft(facts, actor)


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
    """Counts that two people agreed on and that differed; cash for the bank, and what became of it."""
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
    banked = session.execute(
        select(CashBanked, CashCleared)
        .outerjoin(CashCleared, CashCleared.banked_id == CashBanked.id)
        .where(CashBanked.community_id == community_id)
    )
    for each, cleared in banked:
        on = village_day(each.banked_at, zone)
        facts = CashBankedFacts(each.id, each.amount_satang, each.bank_reference, on)
        yield posting.cash_banked_draft(facts, "")
        if cleared is not None:
            on = village_day(cleared.cleared_at, zone)
            end = CashClearedFacts(each.id, each.amount_satang, cleared.is_back, on)
            yield posting.cash_cleared_draft(end, "")
