"""Checks of the accounts at payment services: the books hold there what the services list themselves."""

from collections import defaultdict
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.audit.findings import Fault, Finding
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.ledger.queries import balances
from cbt.payments.models import Capture, CaptureFee, PaymentAccount, Refund, RefundReturn
from cbt.payments.provider import DisputeState, RefundState, Transaction
from cbt.payments.reported import Dispute, ProviderPayout, ProviderTransaction
from cbt.payments.transactions import explained_satang, list_sources

_LISTED_WITHIN = timedelta(days=1)
"""How long a payment may be known before its service lists it as well."""

_Key = tuple[str, bool]
"""What a movement is about, by the service's own name for it, and whether it brought money."""


def list_unlike_their_lists(session: Session, community: CommunityCard) -> list[Finding]:
    """What of a community's payment services is not as they list it; those that list nothing are left.

    Each movement that we know is what its record says, each payment is listed, and the balance in the
    books is the sum of all movements, but for what is in one of the two only: a payment that is not
    listed yet, a payout that did not arrive yet.
    """
    held = balances(session, community.book_id)
    findings: list[Finding] = []
    for account in session.scalars(
        select(PaymentAccount)
        .where(
            PaymentAccount.community_id == community.id,
            PaymentAccount.reconciled_until.is_not(None),
        )
        .order_by(PaymentAccount.id)
    ):
        code = chart.payment(account.provider)
        findings += _unlike_one(session, account, held.get(code, 0))
    return findings


def _unlike_one(session: Session, account: PaymentAccount, posted: int) -> list[Finding]:
    movements = session.scalars(
        select(ProviderTransaction)
        .where(ProviderTransaction.payment_account_id == account.id)
        .order_by(ProviderTransaction.id)
    ).all()
    known = [each for each in movements if each.is_expected]
    booked = _list_booked(session, account)
    listed = {_key(each) for each in known}
    unbooked = sum(_explained(each) for each in known if _key(each) not in booked)
    unlisted = sum(amount for key, amount in booked.items() if key not in listed)
    computed = sum(each.net_satang for each in movements) - unbooked + unlisted
    findings = _unlike_their_records(session, account, known)
    findings += _unlisted_payments(session, account, listed)
    if posted != computed:
        values = {"posted_satang": posted, "computed_satang": computed}
        subject = f"account:{chart.payment(account.provider)}"
        findings.append(Finding(Fault.CLEARING_DIFFERS, subject, values))
    return findings


def _key(each: ProviderTransaction) -> _Key:
    return each.source_id, each.amount_satang > 0


def _explained(each: ProviderTransaction) -> int:
    """What of a movement was taken for what we know, when it was stored."""
    return each.net_satang - each.suspense_satang


def _unlike_their_records(
    session: Session, account: PaymentAccount, known: list[ProviderTransaction]
) -> list[Finding]:
    """Movements that were taken for a payment, refund, dispute or payout of another amount."""
    ids = {each.source_id for each in known}
    sources = list_sources(session, account, ids)
    findings = []
    for each in known:
        source = sources.get(each.source_id)
        if source is None:  # such as a refund that was sent once more under another name
            continue
        told = Transaction(
            id=each.transaction_id,
            kind=each.kind,
            source_id=each.source_id,
            amount_satang=each.amount_satang,
            fee_satang=each.fee_satang,
            net_satang=each.net_satang,
            currency="THB",
            created_at=each.created_at,
            payout_id=each.payout_id,
        )
        computed = explained_satang(told, source)
        if _explained(each) != computed:
            values = {"listed_satang": _explained(each), "computed_satang": computed}
            subject = f"transaction:{each.transaction_id}"
            findings.append(Finding(Fault.MOVEMENT_DIFFERS, subject, values))
    return findings


def _unlisted_payments(
    session: Session, account: PaymentAccount, listed: set[_Key]
) -> list[Finding]:
    """Payments from days up to which the service is known, and that it does not list."""
    assert account.reconciled_until is not None
    rows = session.execute(
        select(Capture.payment_id, Capture.amount_satang)
        .where(
            Capture.community_id == account.community_id,
            Capture.provider == account.provider,
            Capture.paid_at < account.reconciled_until - _LISTED_WITHIN,
        )
        .order_by(Capture.id)
    )
    return [
        Finding(Fault.MOVEMENT_MISSING, f"capture:{payment_id}", {"amount_satang": amount})
        for payment_id, amount in rows
        if (payment_id, True) not in listed
    ]


def _list_booked(session: Session, account: PaymentAccount) -> dict[_Key, int]:
    """What our records say came to an account, or left it, by what it is about."""
    booked: dict[_Key, int] = defaultdict(int)
    of = (Capture.community_id == account.community_id, Capture.provider == account.provider)
    for payment_id, amount, fee in session.execute(
        select(Capture.payment_id, Capture.amount_satang, CaptureFee.amount_satang)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(*of)
    ):
        booked[payment_id, True] += amount - (fee or 0)
    _add_refunds(session, account, booked)
    for dispute in session.scalars(
        select(Dispute).join(Capture, Capture.id == Dispute.capture_id).where(*of)
    ):
        booked[dispute.provider_ref, False] -= dispute.amount_satang + dispute.fee_satang
        if dispute.state == DisputeState.WON:
            booked[dispute.provider_ref, True] += dispute.amount_satang
    for payout in session.scalars(
        select(ProviderPayout).where(
            ProviderPayout.payment_account_id == account.id, ProviderPayout.paid_at.is_not(None)
        )
    ):
        booked[payout.payout_id, False] -= payout.amount_satang
        if payout.failed_at is not None:
            booked[payout.payout_id, True] += payout.amount_satang
    return booked


def _add_refunds(session: Session, account: PaymentAccount, booked: dict[_Key, int]) -> None:
    """Refunds that left the account, each time; and what of them came back to it."""
    of = (Capture.community_id == account.community_id, Capture.provider == account.provider)
    fees_before: dict[int, int] = defaultdict(int)
    for each, name in session.execute(
        select(RefundReturn, Refund.provider_ref)
        .join(Refund, Refund.id == RefundReturn.refund_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(*of)
    ):
        fees_before[each.refund_id] += each.fee_returned_satang
        if each.paid_from == account.provider:
            booked[name or "", False] -= each.amount_satang - each.fee_returned_satang
            booked[name or "", True] += each.amount_satang
    for refund in session.scalars(
        select(Refund)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(*of, Refund.state == RefundState.SUCCEEDED)
    ):
        if (refund.paid_from or account.provider) == account.provider:
            fee = refund.fee_returned_satang - fees_before[refund.id]
            booked[refund.provider_ref or "", False] -= refund.amount_satang - fee
