"""Giving money back: by the provider where it can, else by a person.

A refund moves only as `provider.can_refund_move` allows. A provider is asked outside of transactions
and always by the same key; what it answers, at once or days later, all goes through `_follow`.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cbt.bookings.hold import lock_booking
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import DepartureState
from cbt.clock import village_day
from cbt.db import Condition, db, transaction
from cbt.errors import (
    AlreadySettled,
    AnswerUnknown,
    AnswerWrong,
    DisputeOpen,
    MethodClosed,
    NoteMissing,
    NotFound,
    ProviderDown,
    RefundTooLarge,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.payments import posting, queries
from cbt.payments.credits import issue_credit
from cbt.payments.drafts import refund_facts
from cbt.payments.models import (
    Capture,
    CaptureBalance,
    CaptureFee,
    PaymentAccount,
    Refund,
    RefundReturn,
)
from cbt.payments.money_rules import get_money_rules
from cbt.payments.payer import Payer, get_payer, notify_guest
from cbt.payments.posting import RefundReturnFacts
from cbt.payments.provider import (
    AskedRefund,
    DisputeState,
    NormalisedRefund,
    PayMethod,
    Provider,
    Providers,
    RefundReason,
    RefundState,
    can_refund_move,
)
from cbt.payments.refund_ends import fail, pay_by_lost, refund_work_key
from cbt.payments.refund_rules import follow, is_reminder_due, refund_key, state_at_birth
from cbt.payments.reported import Dispute, WorkKind
from cbt.payments.rounds import Round, in_turn
from cbt.payments.work import close_work_about, open_work

log = logging.getLogger("cbt.payments")

BY_HAND_FROM = ("promptpay", "cash")
"""Where money that a person gives back by hand can come from: the community's bank, its cash box."""

_ON_THEIR_WAY = (RefundState.SENT, RefundState.ACTION_REQUIRED)
_ENDED_HERE = (RefundState.FAILED, RefundState.BY_BANK, RefundState.CANCELLED)


# --- asking for money to go back -----------------------------------------------------------------


def request_refund(
    session: Session,
    capture_id: int,
    amount_satang: int,
    reason: RefundReason,
    payer: Payer,
    now: datetime,
    *,
    whole_satang: int | None = None,
    by: int | None = None,
    was_split: bool | None = None,
) -> None:
    """Note that money of a capture must go back, and tell the guest. A step.

    From the community's limit on it waits for a person to approve it; `whole_satang` is what the
    limit is held against, where this is only a part. `by` is the person who asks, nobody where the
    terms do: a guest learns of goodwill once it is approved. `was_split` is as now, unless it was owed
    before. The count of what goes back moves by
    one guarded statement, so that never more goes back than came in; its CHECK constraint stands
    behind it. Raises RefundTooLarge.
    """
    reserve(session, capture_id, amount_satang)
    rules = get_money_rules(session, payer.community_id, now)
    whole = amount_satang if whole_satang is None else whole_satang
    state = state_at_birth(whole, rules.approve_from_satang)
    last = session.scalar(select(func.max(Refund.number)).where(Refund.capture_id == capture_id))
    if was_split is None:
        buys = session.get_one(Capture, capture_id).buys
        was_split = buys and is_split(session, payer.booking_id)
    refund = Refund(
        community_id=payer.community_id,
        booking_id=payer.booking_id,
        capture_id=capture_id,
        number=1 + (last or 0),
        amount_satang=amount_satang,
        fee_returned_satang=0,
        reason=reason,
        state=state,
        requested_at=now,
        requested_by=by,
        approved_at=now if state == RefundState.APPROVED else None,
        was_split=was_split,
    )
    session.add(refund)
    session.flush()
    if state == RefundState.APPROVED or reason != RefundReason.GOODWILL:
        _tell_coming(session, refund, payer, now)


def reserve(session: Session, capture_id: int, amount_satang: int) -> None:
    """Count some of a capture among what goes back. Raises RefundTooLarge, and then counts nothing. A step."""
    moved = session.scalar(
        update(CaptureBalance)
        .where(
            CaptureBalance.capture_id == capture_id,
            CaptureBalance.returning_satang + amount_satang <= CaptureBalance.amount_satang,
        )
        .values(returning_satang=CaptureBalance.returning_satang + amount_satang)
        .returning(CaptureBalance.capture_id)
    )
    if moved is None:
        raise RefundTooLarge(amount_satang=amount_satang)


def release(session: Session, capture_id: int, amount_satang: int) -> None:
    """Some of a capture does not go back after all. A step."""
    session.execute(
        update(CaptureBalance)
        .where(CaptureBalance.capture_id == capture_id)
        .values(returning_satang=CaptureBalance.returning_satang - amount_satang)
    )


def _tell_coming(session: Session, refund: Refund, payer: Payer, now: datetime) -> None:
    amount = {"amount_satang": refund.amount_satang, "reason": str(refund.reason)}
    key = f"refund_coming:{refund.capture_id}:{refund.number}"
    notify_guest(session, payer, "refund_coming", key, amount, now)


def return_money(
    session: Session, booking_id: int, amount_satang: int, reason: RefundReason, now: datetime
) -> None:
    """Give a guest back some of what bought a booking: the newest payments first. A step.

    What came out of a credit goes back into that credit's place, as a new one. Needs the booking's
    lock. Raises RefundTooLarge, as where a payer's bank has taken the money back.
    """
    payer = get_payer(session, booking_id)
    money = queries.get_money(session, booking_id)
    left = amount_satang
    for capture_id, free in returnable(session, booking_id):
        part = min(left, free)
        if part:
            whole = amount_satang
            request_refund(session, capture_id, part, reason, payer, now, whole_satang=whole)
            left -= part
    if left > max(0, money.from_credit_satang - money.credited_satang):
        raise RefundTooLarge(amount_satang=amount_satang)
    if left:
        issue_credit(session, booking_id, left, now)


def returnable(session: Session, booking_id: int) -> list[tuple[int, int]]:
    """(capture, satang that can still go back) of what bought a booking, the newest first."""
    rows = session.execute(
        select(Capture.id, CaptureBalance.amount_satang - CaptureBalance.returning_satang)
        .join(CaptureBalance, CaptureBalance.capture_id == Capture.id)
        .where(Capture.booking_id == booking_id, Capture.buys.is_(True))
        .order_by(Capture.id.desc())
    )
    return [(row[0], row[1]) for row in rows]


# --- a second pair of eyes -----------------------------------------------------------------------


def approve_refund(community_id: int, refund_id: int, person_id: int, now: datetime) -> None:
    """A person of the community agrees that money goes back; it is then sent.

    Raises NotFound for another community's refund, SecondPersonNeeded where who asked for goodwill
    approves it alone, StateForbids when it does not wait any more.
    """
    with transaction() as session:
        refund = _lock(session, refund_id, community_id)
        _require_move(refund, RefundState.APPROVED)
        if refund.reason == RefundReason.GOODWILL and refund.requested_by == person_id:
            raise SecondPersonNeeded
        refund.state = RefundState.APPROVED
        refund.approved_at, refund.approved_by = now, person_id
        if refund.reason == RefundReason.GOODWILL:
            _tell_coming(session, refund, get_payer(session, refund.booking_id), now)


def cancel_refund(community_id: int, refund_id: int, person_id: int) -> None:
    """Refuse goodwill that waits for approval: the money stays with the booking.

    Raises NotFound, StateForbids for what is owed by the terms or does not wait any more, and
    AlreadySettled once the departure's money was shared out without it.
    """
    with transaction() as session:
        refund = _lock(session, refund_id, community_id)
        _require_move(refund, RefundState.CANCELLED)
        if refund.reason != RefundReason.GOODWILL or refund.state != RefundState.REQUESTED:
            raise StateForbids(thing="refund", state=refund.state, wanted=RefundState.CANCELLED)
        if is_split(session, refund.booking_id) and not refund.was_split:
            raise AlreadySettled
        refund.state = RefundState.CANCELLED
        refund.done_by = f"person:{person_id}"
        release(session, refund.capture_id, refund.amount_satang)


def is_split(session: Session, booking_id: int) -> bool:
    """Whether a booking's departure is settled, so that its split stands in the books."""
    state = session.scalar(
        select(Departure.state)
        .join(Booking, Booking.departure_id == Departure.id)
        .where(Booking.id == booking_id)
    )
    return state == DepartureState.SETTLED


def _lock(session: Session, refund_id: int, community_id: int | None = None) -> Refund:
    """A refund as it stands once its booking is locked, under which all of its refunds are written."""
    row = session.execute(
        select(Refund.booking_id, Refund.community_id).where(Refund.id == refund_id)
    ).one_or_none()
    if row is None or community_id not in (None, row.community_id):
        raise NotFound(thing="refund")
    lock_booking(session, row.booking_id)
    return session.get_one(Refund, refund_id, populate_existing=True)


def _require_move(refund: Refund, wanted: RefundState) -> None:
    known = RefundState(refund.state)
    if not can_refund_move(known, wanted):
        raise StateForbids(thing="refund", state=known, wanted=wanted)


# --- by the provider -----------------------------------------------------------------------------


@dataclass(frozen=True)
class DueRefund:
    """A refund to ask a provider for, and when it was asked first (None: not yet)."""

    id: int
    provider: str
    asked_at: datetime | None
    asked: AskedRefund


def send_refunds(providers: Providers, now: datetime) -> int:
    """Ask providers that can to give back what is approved. Returns how many refunds succeeded.

    One that is not answered is looked up at the next run, and asked for again with the same key if it
    was not made; one that is refused for good a person must transfer. Where it cannot be told what was
    done, a person is shown it and it is looked up again. A provider that does not answer is left alone
    until the next run. Nothing of a payment is sent while its payer's bank disputes it, or it would go
    back twice.
    """
    due = list_due(Refund.state == RefundState.APPROVED, ~_is_disputed())
    done, round_ = 0, Round()
    for each in in_turn(due, now):
        provider = providers.get(each.provider)
        if provider is None or not provider.capabilities.refunds_itself:
            continue
        if round_.is_down(each.provider):
            continue
        try:
            done += _send(each, provider, now)
        except ProviderDown:
            round_.note_down(each.provider)
            log.warning("refund %s cannot be sent now", each.id)
        except AnswerUnknown as error:
            _note_wrong(each.id, str(error.facts.get("problem", "")), now)
        except AnswerWrong as error:  # asking again will not help
            refused = NormalisedRefund(
                RefundState.FAILED, failure=str(error.facts.get("problem", ""))
            )
            _take_in(each.id, refused, now)
        except Exception:  # one provider's trouble must not hold up another's guests
            log.exception("refund %s cannot be sent", each.id)
    return done


def _send(due: DueRefund, provider: Provider, now: datetime) -> bool:
    """Ask a provider for one refund, once; return whether it succeeded."""
    answer = provider.find_refund(due.asked, now) if due.asked_at else None
    if answer is None:
        if not _begin(due.id, now):
            return False
        answer = provider.refund(due.asked, now)
    return _take_in(due.id, answer, now) == RefundState.SUCCEEDED


def _begin(refund_id: int, now: datetime) -> bool:
    """Write down that a refund is asked for, before it is; return whether it is to be.

    One that was asked for and not made is paid by a dispute that was lost meanwhile.
    """
    with transaction() as session:
        refund = _lock(session, refund_id)
        if refund.state != RefundState.APPROVED or _has_open_dispute(session, refund.capture_id):
            return False
        first, refund.asked_at = refund.asked_at, None
        pay_by_lost(session, refund.capture_id, now)
        if refund.state != RefundState.APPROVED:
            return False
        refund.asked_at = first or now
        return True


def _is_disputed() -> Condition:
    return (
        select(Dispute.id)
        .where(Dispute.capture_id == Refund.capture_id, Dispute.state == DisputeState.OPEN)
        .exists()
    )


def list_due(*conditions: Condition) -> list[DueRefund]:
    """Some refunds, read before anybody outside is asked."""
    rows = db.session.execute(
        select(
            *(Refund.id, Refund.number, Refund.amount_satang, Refund.asked_at),
            *(Capture.provider, Capture.payment_id, Capture.method, PaymentAccount.receiver),
            *(Booking.reference, Booking.guest_email),
        )
        .join(Capture, Capture.id == Refund.capture_id)
        .join(Booking, Booking.id == Refund.booking_id)
        .join(
            PaymentAccount,
            (PaymentAccount.community_id == Refund.community_id)
            & (PaymentAccount.provider == Capture.provider),
        )
        .where(*conditions)
        .order_by(Refund.id)
    ).all()
    db.session.rollback()  # nothing stays open while somebody outside is asked
    return [
        DueRefund(
            row.id,
            row.provider,
            row.asked_at,
            AskedRefund(
                refund_key(row.reference, row.payment_id, row.number),
                row.payment_id,
                row.amount_satang,
                row.receiver,
                row.guest_email or "",
                PayMethod(row.method),
            ),
        )
        for row in rows
    ]


def take_in_refund(refund_id: int, providers: Providers, now: datetime) -> None:
    """Ask the provider how a refund stands and write what is new; safe to repeat, in any order.

    Raises NotFound, or ProviderDown when it does not answer.
    """
    row = db.session.execute(
        select(Refund.provider_ref, Capture.provider, PaymentAccount.receiver)
        .join(Capture, Capture.id == Refund.capture_id)
        .join(
            PaymentAccount,
            (PaymentAccount.community_id == Refund.community_id)
            & (PaymentAccount.provider == Capture.provider),
        )
        .where(Refund.id == refund_id)
    ).one_or_none()
    db.session.rollback()
    if row is None:
        raise NotFound(thing="refund")
    provider = providers.get(row.provider)
    if row.provider_ref is None or provider is None:
        return
    _take_in(refund_id, provider.fetch_refund(row.receiver, row.provider_ref, now), now)


def look_up_refunds(providers: Providers, now: datetime) -> int:
    """Ask providers about every refund that is on its way. Returns how many were asked about.

    A provider that does not answer is left alone until the next run.
    """
    waiting = db.session.execute(
        select(Refund.id, Capture.provider)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.state.in_(_ON_THEIR_WAY))
        .order_by(Refund.id)
    ).all()
    db.session.rollback()
    asked, round_ = 0, Round()
    for refund_id, name in in_turn(waiting, now):
        if round_.is_down(name):
            continue
        asked += 1
        try:
            take_in_refund(refund_id, providers, now)
        except ProviderDown:
            round_.note_down(name)
            log.warning("refund %s cannot be looked up now", refund_id)
        except AnswerWrong as error:
            _note_wrong(refund_id, str(error.facts.get("problem", "")), now)
        except Exception:  # one provider's trouble must not hide another's answer
            log.exception("refund %s cannot be looked up", refund_id)
    return asked


def _take_in(refund_id: int, answer: NormalisedRefund, now: datetime) -> RefundState:
    with transaction() as session:
        refund = _lock(session, refund_id)
        _follow(session, refund, answer, now)
        return RefundState(refund.state)


def _follow(session: Session, refund: Refund, answer: NormalisedRefund, now: datetime) -> None:
    """Let a refund follow its provider's answer, which may be late or repeated.

    Once a person has to transfer the money, or has done so, the provider says nothing about it any
    more: what it says all the same, a person must look at.
    """
    known = RefundState(refund.state)
    told = follow(known, answer.state)
    if _is_in_hands(refund):
        if told == RefundState.SUCCEEDED:
            _open_wrong(session, refund, "refund succeeded after it had failed", now)
        return
    refund.provider_ref = refund.provider_ref or answer.provider_ref
    if told == known == RefundState.ACTION_REQUIRED:
        refund.action_until = answer.action_until or refund.action_until
    if not can_refund_move(known, told):
        return
    if told in _ON_THEIR_WAY:
        refund.state = told
        refund.sent_at = refund.sent_at or now
        if told == RefundState.ACTION_REQUIRED:
            refund.action_until = answer.action_until
            _remind(session, refund, now)
    elif told == RefundState.SUCCEEDED:
        provider = session.get_one(Capture, refund.capture_id).provider
        refund.sent_at = refund.sent_at or now
        _complete(session, refund, provider, provider, None, now, answer.fee_returned_satang)
    elif told == RefundState.FAILED:
        if known == RefundState.SUCCEEDED:
            _undo(session, refund, now)
        fail(session, refund, answer.failure, now)


def _is_in_hands(refund: Refund) -> bool:
    """Whether a person transfers it, or has done so, or the guest has it otherwise, or not at all."""
    by_person = (refund.done_by or "").startswith("person:")
    return by_person or refund.state in _ENDED_HERE


def _undo(session: Session, refund: Refund, now: datetime) -> None:
    """A refund that was made is back on the account that it had left, and is owed again.

    What the provider gave back of its fee stays given back: a split may rest on it by now.
    """
    assert refund.paid_from
    assert refund.done_at
    assert refund.done_by
    came_back = _came_back(session, refund.id)
    returned = RefundReturn(
        refund_id=refund.id,
        number=1 + len(came_back),
        amount_satang=refund.amount_satang,
        fee_returned_satang=refund.fee_returned_satang
        - sum(each.fee_returned_satang for each in came_back),
        paid_from=refund.paid_from,
        made_at=refund.done_at,
        made_by=refund.done_by,
        returned_at=now,
    )
    session.add(returned)
    payer = get_payer(session, refund.booking_id)
    capture = session.get_one(Capture, refund.capture_id)
    facts = RefundReturnFacts(
        payer.reference,
        capture.provider,
        capture.payment_id,
        refund.number,
        returned.number,
        refund.amount_satang,
        refund.paid_from,
        village_day(now, payer.zone),
        refund.was_split or None,
    )
    ledger.post(session, payer.book_id, posting.refund_return_draft(facts, capture.provider), now)
    refund.done_at = refund.done_by = refund.proof = refund.paid_from = None


def _came_back(session: Session, refund_id: int) -> list[RefundReturn]:
    found = select(RefundReturn).where(RefundReturn.refund_id == refund_id)
    return list(session.scalars(found.order_by(RefundReturn.number)))


def _note_wrong(refund_id: int, problem: str, now: datetime) -> None:
    """A provider's answer that contradicts what we asked moves nothing; a person must look."""
    with transaction() as session:
        _open_wrong(session, session.get_one(Refund, refund_id), problem, now)


def _open_wrong(session: Session, refund: Refund, problem: str, now: datetime) -> None:
    payer = get_payer(session, refund.booking_id)
    facts = {"reference": payer.reference, "refund_id": refund.id, "problem": problem}
    key = f"answer:refund:{refund.id}"
    open_work(session, WorkKind.ANSWER_WRONG, key, payer.community_id, facts, now)


# --- the guest must act --------------------------------------------------------------------------


def remind_refunds(now: datetime) -> int:
    """Write again to guests who have not named a bank account yet. Returns how many."""
    waiting = db.session.scalars(
        select(Refund.id).where(Refund.state == RefundState.ACTION_REQUIRED).order_by(Refund.id)
    ).all()
    db.session.rollback()
    return sum(_remind_if_due(refund_id, now) for refund_id in waiting)


def _remind_if_due(refund_id: int, now: datetime) -> bool:
    with transaction() as session:
        refund = _lock(session, refund_id)
        asked, told = refund.sent_at, refund.reminded_at
        if refund.state != RefundState.ACTION_REQUIRED or not asked or not told:
            return False
        if not is_reminder_due(asked, refund.action_until, told, now):
            return False
        _remind(session, refund, now)
        return True


def _remind(session: Session, refund: Refund, now: datetime) -> None:
    refund.reminded_at = now
    payer = get_payer(session, refund.booking_id)
    until = refund.action_until.isoformat() if refund.action_until else ""
    values = {"amount_satang": refund.amount_satang, "reason": refund.reason, "until": until}
    key = f"refund_needs_bank:{refund.id}:{now.isoformat()}"
    notify_guest(session, payer, "refund_needs_bank", key, values, now)


# --- by a person ---------------------------------------------------------------------------------


def note_refund_made(
    community_id: int,
    refund_id: int,
    proof: str,
    person_id: int,
    providers: Providers,
    now: datetime,
    paid_from: str = "promptpay",
) -> None:
    """A person gave the money back; `proof` is the bank's reference, or the receipt for cash.

    It left the community's bank or its cash box (`paid_from`). Raises NoteMissing without a proof,
    NotFound for another community's refund, MethodClosed where the provider returns it by itself or
    the community has no such account, BalanceTooLow where the box holds less, StateForbids when it was made before or waits for approval,
    DisputeOpen while the payer's bank may take the money anyhow.
    """
    if not proof.strip():
        raise NoteMissing
    with transaction() as session:
        refund = _lock(session, refund_id, community_id)
        _require_move(refund, RefundState.SUCCEEDED)
        provider = session.get_one(Capture, refund.capture_id).provider
        if refund.state != RefundState.FAILED and _returns_itself(providers.get(provider)):
            raise MethodClosed(method=provider)
        if not _has_account(session, community_id, paid_from):
            raise MethodClosed(method=paid_from)
        payer = get_payer(session, refund.booking_id)
        if _has_open_dispute(session, refund.capture_id):
            raise DisputeOpen(reference=payer.reference)
        _complete(session, refund, f"person:{person_id}", paid_from, proof.strip(), now)
        close_work_about(session, refund_work_key(refund), proof.strip(), now)


def _returns_itself(provider: Provider | None) -> bool:
    return provider is not None and provider.capabilities.refunds_itself


def _has_account(session: Session, community_id: int, paid_from: str) -> bool:
    """Every community has a bank; a cash box only who takes cash."""
    return paid_from in list_by_hand_from(session, community_id)


def list_by_hand_from(session: Session, community_id: int) -> list[str]:
    """Where a community's people can take money from that they give back by hand."""
    opened = session.scalars(
        select(PaymentAccount.provider).where(PaymentAccount.community_id == community_id)
    ).all()
    return [each for each in BY_HAND_FROM if each == BY_HAND_FROM[0] or each in opened]


def _has_open_dispute(session: Session, capture_id: int) -> bool:
    found = select(Dispute.id).where(
        Dispute.capture_id == capture_id, Dispute.state == DisputeState.OPEN
    )
    return session.scalar(found.limit(1)) is not None


# --- done ----------------------------------------------------------------------------------------


def _complete(
    session: Session,
    refund: Refund,
    done_by: str,
    paid_from: str,
    proof: str | None,
    now: datetime,
    fee_returned: int = 0,
) -> None:
    """The money has left: in the books, in the record, and to the guest."""
    fee_returned = min(fee_returned, _fee_left(session, refund))
    refund.state = RefundState.SUCCEEDED
    refund.done_at, refund.done_by, refund.proof, refund.paid_from = now, done_by, proof, paid_from
    refund.fee_returned_satang += fee_returned
    payer = get_payer(session, refund.booking_id)
    capture = session.get_one(Capture, refund.capture_id)
    times = len(_came_back(session, refund.id))
    facts = refund_facts(
        (payer.reference, capture.provider, capture.payment_id),
        refund,
        (refund.amount_satang, fee_returned),
        village_day(now, payer.zone),
        paid_from,
        times,
    )
    ledger.post(session, payer.book_id, posting.refund_draft(facts, done_by), now)
    amount: dict[str, object] = {"amount_satang": refund.amount_satang, "reason": refund.reason}
    key = f"refund_done:{refund.id}:{times}" if times else f"refund_done:{refund.id}"
    notify_guest(session, payer, "refund_done", key, amount, now)


def _fee_left(session: Session, refund: Refund) -> int:
    """How much of a capture's fee can still come back: rounded parts must not exceed the whole, and
    a fee that a settled booking has borne is not undone.
    """
    buys = session.get_one(Capture, refund.capture_id).buys
    if buys and is_split(session, refund.booking_id):
        return 0
    fee = select(CaptureFee.amount_satang).where(CaptureFee.capture_id == refund.capture_id)
    returned = select(func.sum(Refund.fee_returned_satang)).where(
        Refund.capture_id == refund.capture_id
    )
    return (session.scalar(fee) or 0) - int(session.scalar(returned) or 0)
