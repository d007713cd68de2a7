"""Disputes: a payer's bank takes money back until it has decided whose it is.

The payment account has lost the money from the first day on, so the books follow at once: into an
account of its own, and out of there to where the decision sends it. What a provider says of a dispute
may come late, twice or only at the end; a dispute never goes back from decided to open, and only one
that was lost is ever decided anew, where the bank gives the money back.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from cbt.bookings import arrivals
from cbt.bookings import queries as bookings
from cbt.bookings.hold import Locked, lock_booking
from cbt.bookings.models import Booking
from cbt.bookings.states import BookingState, EndReason
from cbt.bookings.terms import parse, quote_refund
from cbt.communities.queries import get_community_by_id
from cbt.db import db, transaction
from cbt.errors import MethodClosed, NotFound, StateForbids
from cbt.ledger import services as ledger
from cbt.notices.queries import list_sent_about
from cbt.payments import queries
from cbt.payments.credits import freeze_credit, release_credit
from cbt.payments.drafts import drafts_of_dispute
from cbt.payments.evidence import EvidenceFacts, Moment, with_words, write
from cbt.payments.give_back import is_split, release, request_refund, reserve, return_money
from cbt.payments.models import Capture, CaptureBalance, PaymentAccount, Refund
from cbt.payments.payer import Payer, get_payer
from cbt.payments.provider import (
    DisputeState,
    NormalisedDispute,
    Providers,
    RefundReason,
    RefundState,
    TellingProvider,
    advance_dispute,
)
from cbt.payments.refund_ends import (
    cover_refunds,
    keep_reserved,
    lost_work_key,
    owed_satang,
    review_lost,
)
from cbt.payments.reported import Dispute, WorkKind
from cbt.payments.work import close_work_about, open_work

log = logging.getLogger("cbt.payments")
_ACTOR = "payments"


# --- taking in what the provider says ------------------------------------------------------------


@dataclass(frozen=True)
class _About:
    """What a dispute is about, as it stands under the booking's lock."""

    capture: Capture
    booking: Locked
    payer: Payer


def take_in_dispute(payment_account_id: int, told: NormalisedDispute, now: datetime) -> int | None:
    """Write what is new about a dispute at a community's payment account; return its id here.

    Safe to repeat, in any order. A dispute over a payment that nobody here knows is put on the work
    list and None returned. Raises NotFound for an account that is not there.
    """
    with transaction() as session:
        capture = _find_capture(session, payment_account_id, told)
        if capture is None:
            _open_unknown(session, payment_account_id, told, now)
            return None
        booking = lock_booking(session, capture.booking_id)
        payer = get_payer(session, booking.id)
        dispute = session.scalar(select(Dispute).where(Dispute.provider_ref == told.provider_ref))
        if dispute is None:
            dispute = _open(session, _About(capture, booking, payer), told, now)
        if dispute.state == DisputeState.OPEN:
            dispute.evidence_until = told.evidence_until or dispute.evidence_until
            dispute.fee_satang = dispute.fee_satang or told.fee_satang
            _post(session, dispute, capture, payer, now)
        known = DisputeState(dispute.state)
        if advance_dispute(known, told.state) != known:
            end = _END[known, told.state]
            end(session, dispute, _About(capture, booking, payer), now)
        return dispute.id


def _find_capture(session: Session, account_id: int, told: NormalisedDispute) -> Capture | None:
    account = session.get(PaymentAccount, account_id)
    if account is None:
        raise NotFound(thing="payment account")
    return session.scalar(
        select(Capture).where(
            Capture.community_id == account.community_id,
            Capture.provider == account.provider,
            Capture.payment_id == told.payment_id,
        )
    )


def _open_unknown(
    session: Session, account_id: int, told: NormalisedDispute, now: datetime
) -> None:
    account = session.get_one(PaymentAccount, account_id)
    facts = {
        "provider": account.provider,
        "source": told.payment_id,
        "amount_satang": -told.amount_satang,
    }
    key = f"dispute:{told.provider_ref}"
    open_work(session, WorkKind.UNKNOWN_MONEY, key, account.community_id, facts, now)


def _open(session: Session, about: _About, told: NormalisedDispute, now: datetime) -> Dispute:
    capture, payer = about.capture, about.payer
    was_split = capture.buys and is_split(session, capture.booking_id)
    reserved, credit = _keep(session, capture, told.amount_satang, was_split=was_split)
    dispute = Dispute(
        community_id=capture.community_id,
        booking_id=capture.booking_id,
        capture_id=capture.id,
        provider_ref=told.provider_ref,
        amount_satang=told.amount_satang,
        fee_satang=told.fee_satang,
        reserved_satang=reserved,
        credit_satang=credit,
        covered_satang=0,
        fund_satang=0,
        state=DisputeState.OPEN,
        reason=told.reason,
        opened_at=told.opened_at,
        evidence_until=told.evidence_until,
        recorded_at=now,
        was_split=was_split,
        was_cancelled=about.booking.state == BookingState.CANCELLED,
    )
    session.add(dispute)
    session.flush()
    facts = {
        "reference": payer.reference,
        "dispute_id": dispute.id,
        "amount_satang": told.amount_satang,
        "evidence_until": told.evidence_until.isoformat() if told.evidence_until else "",
    }
    key = _work_key(dispute)
    open_work(session, WorkKind.DISPUTE_OPENED, key, payer.community_id, facts, now)
    return dispute


def _keep(
    session: Session, capture: Capture, amount_satang: int, *, was_split: bool
) -> tuple[int, int]:
    """(of the payment, of credits) that a dispute keeps from going back or being used.

    What was left with the community as a credit is the guest's, so it goes before what pays for the
    trip; of that no more than lies in the booking's deposit.
    """
    balance = session.get_one(CaptureBalance, capture.id, populate_existing=True)
    most = min(amount_satang, balance.amount_satang - balance.returning_satang)
    credit = freeze_credit(session, capture.booking_id, most) if capture.buys else 0
    left = most - credit
    if capture.buys and not was_split:
        left = min(left, queries.get_money(session, capture.booking_id).returnable_satang)
    if left:
        reserve(session, capture.id, left)
    return left, credit


def _post(
    session: Session, dispute: Dispute, capture: Capture, payer: Payer, now: datetime
) -> None:
    """Post the entries that the dispute calls for and that do not stand in the books yet."""
    session.flush()
    drafts = drafts_of_dispute(dispute, payer.reference, capture.provider, payer.zone, _ACTOR)
    ledger.post_all(session, payer.book_id, drafts, now)


def _win(session: Session, dispute: Dispute, about: _About, now: datetime) -> None:
    """The money stays with the booking."""
    dispute.state, dispute.closed_at = DisputeState.WON, now
    close_work_about(session, _work_key(dispute), str(dispute.state), now)
    release(session, dispute.capture_id, dispute.reserved_satang)
    release_credit(session, dispute.booking_id, dispute.credit_satang)
    _post(session, dispute, about.capture, about.payer, now)
    _return_what_waited(session, dispute, about.booking, now)


def _lose(session: Session, dispute: Dispute, about: _About, now: datetime) -> None:
    """The guest has the money by the bank: what was owed of it first, then what pays for the trip."""
    dispute.state, dispute.closed_at = DisputeState.LOST, now
    close_work_about(session, _work_key(dispute), str(dispute.state), now)
    owed = owed_satang(session, about.capture.id)
    room = max(0, dispute.amount_satang - dispute.credit_satang - owed)
    keep_reserved(session, dispute, min(dispute.reserved_satang, room))
    _post(session, dispute, about.capture, about.payer, now)
    cover_refunds(session, dispute, now)
    review_lost(session, dispute, now)


def _reinstate(session: Session, dispute: Dispute, about: _About, now: datetime) -> None:
    """The bank gives back what it had taken for good: everything is as if it had been won.

    But where the booking was split meanwhile, without that money, it goes to the management fund:
    nobody's share is reckoned again.
    """
    if about.capture.buys and not dispute.was_split and is_split(session, dispute.booking_id):
        dispute.fund_satang = dispute.reserved_satang
    dispute.state, dispute.reinstated_at = DisputeState.WON, now
    release(session, dispute.capture_id, dispute.reserved_satang - dispute.fund_satang)
    release_credit(session, dispute.booking_id, dispute.credit_satang)
    _post(session, dispute, about.capture, about.payer, now)
    close_work_about(session, lost_work_key(dispute), str(dispute.state), now)
    _owe_again(session, dispute, about.payer, now)
    _return_what_waited(session, dispute, about.booking, now)
    if dispute.fund_satang:
        facts = {
            "reference": about.booking.reference,
            "dispute_id": dispute.id,
            "amount_satang": dispute.fund_satang,
            "why": ["back"],
        }
        key = f"dispute_back:{dispute.provider_ref}"
        open_work(session, WorkKind.DISPUTE_LOST, key, dispute.community_id, facts, now)


_End = Callable[[Session, Dispute, _About, datetime], None]
_END: dict[tuple[DisputeState, DisputeState], _End] = {
    (DisputeState.OPEN, DisputeState.WON): _win,
    (DisputeState.OPEN, DisputeState.LOST): _lose,
    (DisputeState.LOST, DisputeState.WON): _reinstate,
}
"""What happens when a dispute goes from one state to another: as far as it may move."""


def _owe_again(session: Session, dispute: Dispute, payer: Payer, now: datetime) -> None:
    """What the guest had by the bank is owed anew, now that the bank has it back."""
    had = session.scalars(
        select(Refund).where(Refund.by_dispute_id == dispute.id).order_by(Refund.number)
    ).all()
    for refund in had:
        if refund.state == RefundState.BY_BANK:  # else the dispute's own amount held it
            refund.state = RefundState.CANCELLED
            session.flush()
            release(session, refund.capture_id, refund.amount_satang)
        request_refund(
            session,
            refund.capture_id,
            refund.amount_satang,
            RefundReason(refund.reason),
            payer,
            now,
            by=refund.requested_by,
            was_split=refund.was_split,
        )


def _return_what_waited(session: Session, dispute: Dispute, booking: Locked, now: datetime) -> None:
    """Of a booking cancelled meanwhile its guest now gets the terms' part of what is there again.

    What a change had retained before stays retained, as when it was cancelled, unless the community
    called it off.
    """
    if booking.state != BookingState.CANCELLED or dispute.was_split or dispute.fund_satang:
        return
    if dispute.was_cancelled:  # what the terms give back went back then
        return
    ended = session.execute(
        select(Booking.ended_at, Booking.ended_for).where(Booking.id == booking.id)
    ).one()
    if ended.ended_at is None:
        return
    called_off = ended.ended_for != EndReason.GUEST
    money = queries.get_money(session, booking.id)
    of_terms = money.returnable_satang if called_off else money.of_terms_satang
    paid = min(dispute.reserved_satang, of_terms)
    refund = quote_refund(
        parse(booking.terms), paid, booking.counts_from, ended.ended_at, by_community=called_off
    )
    if refund.refund_satang:
        reason = RefundReason.CALLED_OFF if called_off else RefundReason.CANCELLED
        return_money(session, booking.id, refund.refund_satang, reason, now)


def _work_key(dispute: Dispute) -> str:
    return f"dispute:{dispute.provider_ref}"


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DisputeCard:
    """A dispute with the payment and the booking that it is about."""

    id: int
    reference: str
    departure_id: int
    guest_name: str | None
    provider: str
    payment_id: str
    capture_id: int
    provider_ref: str
    amount_satang: int
    fee_satang: int
    reserved_satang: int
    credit_satang: int
    covered_satang: int
    state: DisputeState
    reason: str
    opened_at: datetime
    evidence_until: datetime | None
    submitted_at: datetime | None
    submitted_by: int | None
    closed_at: datetime | None
    reinstated_at: datetime | None
    was_split: bool

    @property
    def deposit_satang(self) -> int:
        """What of it lay in the booking's deposit: nothing once that was split."""
        return 0 if self.was_split else self.reserved_satang

    @property
    def loss_satang(self) -> int:
        """What of it nothing covers, where it was lost."""
        return self.amount_satang - self.deposit_satang - self.credit_satang - self.covered_satang


_DISPUTE: list[Any] = [
    Dispute.id,
    Booking.reference,
    Booking.departure_id,
    Booking.guest_name,
    Capture.provider,
    Capture.payment_id,
    Dispute.capture_id,
    Dispute.provider_ref,
    Dispute.amount_satang,
    Dispute.fee_satang,
    Dispute.reserved_satang,
    Dispute.credit_satang,
    Dispute.covered_satang,
    Dispute.state,
    Dispute.reason,
    Dispute.opened_at,
    Dispute.evidence_until,
    Dispute.submitted_at,
    Dispute.submitted_by,
    Dispute.closed_at,
    Dispute.reinstated_at,
    Dispute.was_split,
]


def list_disputes(
    session: Session, community_id: int, limit: int | None = None
) -> list[DisputeCard]:
    """A community's disputes: open ones first, then the newest."""
    rows = session.execute(
        _disputes()
        .where(Dispute.community_id == community_id)
        .order_by((Dispute.state == DisputeState.OPEN).desc(), Dispute.opened_at.desc(), Dispute.id)
        .limit(limit)
    )
    return [_card(row) for row in rows]


def get_dispute(session: Session, community_id: int, dispute_id: int) -> DisputeCard:
    row = session.execute(
        _disputes().where(Dispute.community_id == community_id, Dispute.id == dispute_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="dispute")
    return _card(row)


def _disputes() -> Any:
    return (
        select(*_DISPUTE)
        .join(Booking, Booking.id == Dispute.booking_id)
        .join(Capture, Capture.id == Dispute.capture_id)
    )


def _card(row: Row[Any]) -> DisputeCard:
    values = dict(zip(DisputeCard.__dataclass_fields__, row, strict=True))
    return DisputeCard(**{**values, "state": DisputeState(values["state"])})


# --- evidence ------------------------------------------------------------------------------------


def evidence(session: Session, dispute_id: int) -> dict[str, str]:
    """What the payer's bank would be told, by Stripe's names of evidence. Raises NotFound."""
    return write(_facts(session, dispute_id))


def submit_evidence(
    community_id: int,
    dispute_id: int,
    words: str,
    providers: Providers,
    person_id: int,
    now: datetime,
) -> None:
    """Send the evidence, with what the person adds, to the provider; then note who did and when.

    Banks look at it once. Raises NotFound, StateForbids when it was sent before or the dispute is
    decided, MethodClosed where the provider takes none, ProviderDown.
    """
    reading = db.session()
    card = get_dispute(reading, community_id, dispute_id)
    if card.state != DisputeState.OPEN or card.submitted_at:
        raise StateForbids(thing="dispute", state=card.state, wanted="submitted")
    told = with_words(evidence(reading, dispute_id), words)
    receiver = reading.scalar(
        select(PaymentAccount.receiver).where(
            PaymentAccount.community_id == community_id, PaymentAccount.provider == card.provider
        )
    )
    db.session.rollback()  # nothing stays open while somebody outside is asked
    provider = providers.get(card.provider)
    if provider is None or not provider.capabilities.tells_us:
        raise MethodClosed(method=card.provider)
    telling = cast(TellingProvider, provider)
    telling.submit_evidence(receiver or {}, card.provider_ref, told)
    with transaction() as session:
        done = session.scalar(
            update(Dispute)
            .where(Dispute.id == dispute_id, Dispute.submitted_at.is_(None))
            .values(submitted_at=now, submitted_by=person_id)
            .returning(Dispute.id)
        )
        if done is None:
            raise StateForbids(thing="dispute", state="submitted", wanted="submitted")


def _facts(session: Session, dispute_id: int) -> EvidenceFacts:
    row = session.execute(
        select(Dispute, Booking.reference)
        .join(Booking, Booking.id == Dispute.booking_id)
        .where(Dispute.id == dispute_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="dispute")
    dispute: Dispute = row[0]
    booking = bookings.get_booking(session, row.reference)
    community = get_community_by_id(session, booking.community_id)
    price = bookings.get_price_parts(session, booking.id)
    captures = queries.list_captures(session, [booking.id])
    capture = next(each for each in captures if each.id == dispute.capture_id)
    came = arrivals.list_arrivals(session, [booking.id]).get(booking.id, [])
    no_show = arrivals.list_no_shows(session, [booking.id]).get(booking.id)
    lines = [(str(each.unit).lower(), each.quantity, each.price_satang) for each in price.lines]
    extras = [(each.code, each.quantity, each.price_satang) for each in price.add_ons]
    return EvidenceFacts(
        community=_english(community.name),
        zone=community.zone,
        reference=booking.reference,
        title=_english(booking.trip.experience_title),
        meeting_point=_english(booking.trip.meeting_point),
        service_on=booking.trip.starts_on,
        begins_at=booking.trip.begins_at,
        party=[*lines, *extras],
        price_satang=booking.price_satang,
        discount_satang=booking.discount_satang,
        guest_name=booking.guest.name or "",
        guest_email=booking.guest.email or "",
        booked_at=booking.created_at,
        terms=booking.cancellation_terms,
        payment_id=capture.payment_id,
        method=f"by {capture.method}",
        paid_satang=capture.amount_satang,
        paid_at=capture.paid_at,
        receipt_number=capture.receipt_number,
        disputed_satang=dispute.amount_satang,
        reason=dispute.reason,
        returned=_returned(session, booking.id),
        cancelled_at=booking.ended_at,
        called_off=booking.ended_for not in (None, EndReason.GUEST),
        arrivals=[(each.scanned_at, each.device, each.people) for each in came],
        no_show=no_show.reason if no_show else "",
        mails=[Moment(at, kind) for kind, at in list_sent_about(session, booking.reference)],
    )


def _english(text: dict[str, str]) -> str:
    return text.get("en") or next(iter(text.values()), "")


def _returned(session: Session, booking_id: int) -> list[tuple[datetime, int]]:
    rows = session.execute(
        select(Refund.done_at, Refund.amount_satang)
        .where(Refund.booking_id == booking_id, Refund.state == RefundState.SUCCEEDED)
        .order_by(Refund.done_at)
    )
    return [(row.done_at, row.amount_satang) for row in rows if row.done_at]
