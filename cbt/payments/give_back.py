"""Giving money back: by the provider where it can, else by a person."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities import chart
from cbt.db import db, transaction
from cbt.errors import NotFound, StateForbids
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft, Leg
from cbt.payments.facts import BookingFacts, booking_facts, notify_guest
from cbt.payments.models import Capture, Refund
from cbt.payments.provider import Providers, RefundReason, RefundState


def request_refund(
    session: Session, capture: Capture, reason: RefundReason, facts: BookingFacts, now: datetime
) -> None:
    session.add(
        Refund(
            community_id=capture.community_id,
            booking_id=capture.booking_id,
            capture_id=capture.id,
            amount_satang=capture.amount_satang,
            reason=reason,
            state=RefundState.REQUESTED,
            requested_at=now,
        )
    )
    amount = {"amount_satang": capture.amount_satang, "reason": str(reason)}
    notify_guest(session, facts, "refund_coming", f"refund_coming:{capture.id}", amount, now)


def send_refunds(providers: Providers, now: datetime) -> int:
    """Ask providers that can to give back what is due. Returns how much was settled, as a count."""
    due = db.session.execute(
        select(Refund.id, Refund.amount_satang, Capture.provider, Capture.payment_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.state == RefundState.REQUESTED)
        .order_by(Refund.id)
    ).all()
    done = 0
    for refund_id, amount, provider_name, payment_id in due:
        provider = providers.get(provider_name)
        if provider is None or not provider.capabilities.refunds_itself:
            continue
        answer = provider.refund(payment_id, amount, now)
        if answer.state == RefundState.SUCCEEDED:
            with transaction() as session:
                _complete_refund(
                    session, refund_id, answer.fee_returned_satang, provider_name, None, now
                )
            done += 1
    return done


def note_refund_made(
    community_id: int, refund_id: int, proof: str, person_id: int, now: datetime
) -> None:
    """A person transferred the money back; `proof` is the bank's reference.

    Raises NotFound for another community's refund, StateForbids when it was made before.
    """
    with transaction() as session:
        owner = session.scalar(select(Refund.community_id).where(Refund.id == refund_id))
        if owner != community_id:
            raise NotFound(thing="refund")
        _complete_refund(session, refund_id, 0, f"person:{person_id}", proof, now)


def _complete_refund(
    session: Session,
    refund_id: int,
    fee_returned: int,
    done_by: str,
    proof: str | None,
    now: datetime,
) -> None:
    refund = session.scalars(
        update(Refund)
        .where(Refund.id == refund_id, Refund.state == RefundState.REQUESTED)
        .values(
            state=RefundState.SUCCEEDED,
            done_at=now,
            done_by=done_by,
            proof=proof,
            fee_returned_satang=fee_returned,
        )
        .returning(Refund)
    ).one_or_none()
    if refund is None:
        raise StateForbids(
            thing="refund", state=RefundState.SUCCEEDED, wanted=RefundState.SUCCEEDED
        )
    facts = booking_facts(session, refund.booking_id)
    provider = session.scalar(select(Capture.provider).where(Capture.id == refund.capture_id))
    account = chart.payment(str(provider))
    legs = [Leg(chart.GUEST_DEPOSIT, account, refund.amount_satang, "refunded")]
    if fee_returned:
        legs.append(Leg(account, chart.PAYMENT_FEE, fee_returned, "fee_returned"))
    draft = Draft(
        kind="refund",
        subject=f"booking:{facts.reference}",
        effective_on=village_day(now, facts.zone),
        legs=tuple(legs),
        key=f"refund:{refund.capture_id}",
        actor=done_by,
    )
    ledger.post(session, facts.book_id, draft, now)
    amount = {"amount_satang": refund.amount_satang, "reason": refund.reason}
    notify_guest(session, facts, "refund_done", f"refund_done:{refund.id}", amount, now)
