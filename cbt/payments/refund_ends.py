"""How a refund ends that no provider makes: a person transfers it, or the guest has it by the bank.

A dispute that is lost has given its guest money. What was still owed to the guest of the same payment
is paid by that, so it is not given back once more; what nobody owed is the community's loss. A refund
that is on its way may arrive as well: that is left to a person.
"""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState
from cbt.ledger import services as ledger
from cbt.payments import queries
from cbt.payments.drafts import draft_by_bank
from cbt.payments.models import Capture, CaptureBalance, Refund
from cbt.payments.payer import get_payer, notify_guest
from cbt.payments.provider import DisputeState, RefundState
from cbt.payments.reported import Dispute, WorkKind
from cbt.payments.work import close_work_about, open_work

_ACTOR = "payments"
_NOT_ASKED = (Refund.state == RefundState.APPROVED) & Refund.asked_at.is_(None)
_ASKED = (Refund.state == RefundState.APPROVED) & Refund.asked_at.is_not(None)
_WAITS = or_(Refund.state.in_((RefundState.REQUESTED, RefundState.FAILED)), _NOT_ASKED)
"""Refunds that nobody outside has been asked for, or has given up: these a lost dispute can pay."""

_MAY_ARRIVE = or_(Refund.state.in_((RefundState.SENT, RefundState.ACTION_REQUIRED)), _ASKED)


def refund_work_key(refund: Refund) -> str:
    return f"refund:{refund.id}"


def lost_work_key(dispute: Dispute) -> str:
    return f"dispute_lost:{dispute.provider_ref}"


# --- a person must transfer it -------------------------------------------------------------------


def fail(session: Session, refund: Refund, failure: str, now: datetime) -> None:
    """From now on a person must transfer it, and its guest is told that it takes longer: unless a lost
    dispute has paid it already. A step, under the booking's lock.
    """
    refund.state, refund.failure = RefundState.FAILED, failure
    pay_by_lost(session, refund.capture_id, now)
    if refund.state != RefundState.FAILED:
        return
    _open_failed(session, refund, now)
    payer = get_payer(session, refund.booking_id)
    amount: dict[str, object] = {"amount_satang": refund.amount_satang, "reason": refund.reason}
    notify_guest(session, payer, "refund_delayed", f"refund_delayed:{refund.id}", amount, now)


def _open_failed(session: Session, refund: Refund, now: datetime) -> None:
    payer = get_payer(session, refund.booking_id)
    facts = {
        "reference": payer.reference,
        "refund_id": refund.id,
        "amount_satang": refund.amount_satang,
        "problem": refund.failure or "",
    }
    key = refund_work_key(refund)
    open_work(session, WorkKind.REFUND_FAILED, key, payer.community_id, facts, now)


# --- the guest has it by the bank ----------------------------------------------------------------


def owed_satang(session: Session, capture_id: int) -> int:
    """What of a payment is owed to its guest and waits."""
    waiting = select(func.coalesce(func.sum(Refund.amount_satang), 0))
    return int(session.scalar(waiting.where(Refund.capture_id == capture_id, _WAITS)) or 0)


def pay_by_lost(session: Session, capture_id: int, now: datetime) -> None:
    """Let disputes over a payment that were lost before pay what is owed of it now. A step, under the
    booking's lock.
    """
    session.flush()
    lost = select(Dispute).where(
        Dispute.capture_id == capture_id, Dispute.state == DisputeState.LOST
    )
    for dispute in session.scalars(lost.order_by(Dispute.id)).all():
        cover_refunds(session, dispute, now)
        review_lost(session, dispute, now)


def cover_refunds(session: Session, dispute: Dispute, now: datetime) -> None:
    """Let what a lost dispute gave the guest pay the refunds that wait, the oldest first.

    Of a larger one than that the rest stays owed, as a refund of its own. A step, under the booking's
    lock, once the loss is in the books.
    """
    waiting = session.scalars(
        select(Refund)
        .where(Refund.capture_id == dispute.capture_id, _WAITS, Refund.by_dispute_id.is_(None))
        .order_by(Refund.number)
    ).all()
    for refund in waiting:
        part = min(refund.amount_satang, _room(refund, dispute))
        if not part:
            continue
        if part < refund.amount_satang:
            _split_off(session, refund, part, now)
        if refund.was_split:
            _leave_to_bank(session, refund, dispute, now)
        else:
            _note_by_bank(session, refund, dispute, now)


def _room(refund: Refund, dispute: Dispute) -> int:
    """How much of a refund a lost dispute can have paid: after the sharing-out only what it does not
    keep from going back already.
    """
    if not refund.was_split:
        return dispute.loss_satang
    kept = dispute.reserved_satang + dispute.credit_satang + dispute.covered_satang
    return dispute.amount_satang - kept if dispute.was_split else 0


def _leave_to_bank(session: Session, refund: Refund, dispute: Dispute, now: datetime) -> None:
    """The shares bear what the dispute took, which is the refund's money as well: it is not sent too.

    What it had kept of the payment from going back, the dispute keeps from now on.
    """
    refund.state, refund.done_by = RefundState.CANCELLED, _ACTOR
    refund.by_dispute_id, refund.by_bank_at = dispute.id, now
    dispute.reserved_satang += refund.amount_satang
    session.flush()
    close_work_about(session, refund_work_key(refund), str(RefundState.BY_BANK), now)


def _split_off(session: Session, refund: Refund, part: int, now: datetime) -> None:
    """Leave `part` of a refund to it; the rest waits as it did, under the next number."""
    last = select(func.max(Refund.number)).where(Refund.capture_id == refund.capture_id)
    rest = Refund(
        community_id=refund.community_id,
        booking_id=refund.booking_id,
        capture_id=refund.capture_id,
        number=1 + (session.scalar(last) or 0),
        amount_satang=refund.amount_satang - part,
        fee_returned_satang=0,
        reason=refund.reason,
        state=refund.state,
        requested_at=refund.requested_at,
        requested_by=refund.requested_by,
        approved_at=refund.approved_at,
        approved_by=refund.approved_by,
        failure=refund.failure,
        was_split=refund.was_split,
    )
    refund.amount_satang = part
    session.add(rest)
    session.flush()
    if rest.state == RefundState.FAILED:
        _open_failed(session, rest, now)


def _note_by_bank(session: Session, refund: Refund, dispute: Dispute, now: datetime) -> None:
    """It is in the guest's hands. What it had kept of the payment stays counted as gone back."""
    payer = get_payer(session, refund.booking_id)
    capture = session.get_one(Capture, refund.capture_id)
    refund.state = RefundState.BY_BANK
    refund.by_dispute_id, refund.by_bank_at = dispute.id, now
    dispute.covered_satang += refund.amount_satang
    if dispute.was_split:  # it had kept so much of what was split from going back, for nothing
        room = dispute.amount_satang - dispute.credit_satang - dispute.covered_satang
        keep_reserved(session, dispute, min(dispute.reserved_satang, room))
    session.flush()
    about = (payer.reference, capture.provider, capture.payment_id)
    draft = draft_by_bank(refund, about, dispute, payer.zone, _ACTOR)
    ledger.post(session, payer.book_id, draft, now)
    close_work_about(session, refund_work_key(refund), str(RefundState.BY_BANK), now)


def keep_reserved(session: Session, dispute: Dispute, amount_satang: int) -> None:
    """Let a dispute keep no more than so much of its payment from going back. A step."""
    balance = session.get_one(CaptureBalance, dispute.capture_id, populate_existing=True)
    balance.returning_satang -= dispute.reserved_satang - amount_satang
    dispute.reserved_satang = amount_satang
    session.flush()


# --- what a person has to do ---------------------------------------------------------------------


def review_lost(session: Session, dispute: Dispute, now: datetime) -> None:
    """Put a lost dispute on the work list where it leaves a person something to do, else off it."""
    why = _what_is_left(session, dispute, now)
    key = lost_work_key(dispute)
    if not why:
        close_work_about(session, key, "nothing left", now)
        return
    payer = get_payer(session, dispute.booking_id)
    facts = {
        "reference": payer.reference,
        "dispute_id": dispute.id,
        "amount_satang": dispute.amount_satang,
        "loss_satang": dispute.loss_satang,
        "why": why,
    }
    open_work(session, WorkKind.DISPUTE_LOST, key, dispute.community_id, facts, now)


def _what_is_left(session: Session, dispute: Dispute, now: datetime) -> list[str]:
    """In words of the work list: a refund may arrive as well ("in_flight"), a loss is to be borne, after
    the split ("split") or not ("loss"), or an unpaid party still holds its places ("ahead").
    """
    total = select(func.coalesce(func.sum(Refund.amount_satang), 0))
    may_arrive = total.where(Refund.capture_id == dispute.capture_id, _MAY_ARRIVE)
    in_flight = int(session.scalar(may_arrive) or 0)
    why = ["in_flight"] if in_flight else []
    if dispute.loss_satang > in_flight:
        why.append("split" if dispute.was_split else "loss")
    if _is_unpaid_ahead(session, dispute, now):
        why.append("ahead")
    return why


def _is_unpaid_ahead(session: Session, dispute: Dispute, now: datetime) -> bool:
    row = session.execute(
        select(Booking.state, Booking.price_satang, Departure.begins_at)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(Booking.id == dispute.booking_id)
    ).one()
    is_ahead = row.state == BookingState.CONFIRMED and row.begins_at > now
    paid = queries.get_money(session, dispute.booking_id).paid_satang
    return is_ahead and not dispute.was_split and paid < row.price_satang
