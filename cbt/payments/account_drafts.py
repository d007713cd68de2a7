"""The entries that the records of accounts at providers call for: payouts, and what nothing explained."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.ledger.entries import Draft
from cbt.payments import account_posting
from cbt.payments.account_posting import ClearingFacts, PayoutFacts, SuspenseFacts
from cbt.payments.models import PaymentAccount
from cbt.payments.reported import ProviderPayout, ProviderTransaction, SuspenseMove


def list_account_drafts(session: Session, community_id: int, zone: str) -> Iterator[Draft]:
    yield from _payout_drafts(session, community_id, zone)
    yield from _suspense_drafts(session, community_id, zone)


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
