"""Taking money in: the one door into the books.

Return page, scheduled look-up and a host's confirmation all lead to `take_in`: it asks the provider
for the present state and writes what is new, however often it is called and in whatever order.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from cbt.bookings import hold as bookings
from cbt.bookings.hold import Locked
from cbt.bookings.models import Booking
from cbt.bookings.states import PAID, BookingState
from cbt.clock import village_day
from cbt.db import db, table_of, transaction
from cbt.errors import AnswerWrong, ProviderDown
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft
from cbt.payments import posting, queries
from cbt.payments.give_back import request_refund
from cbt.payments.models import Attempt, Capture, CaptureBalance, CaptureFee
from cbt.payments.payer import PAYERS, Payer, get_payer, notify_guest
from cbt.payments.posting import CaptureFacts, FeeFacts
from cbt.payments.provider import (
    AttemptState,
    Failure,
    NormalisedPayment,
    Provider,
    Providers,
    Received,
    RefundReason,
    advance,
)
from cbt.payments.records import CASH, AttemptCard, Money
from cbt.payments.reported import WorkKind
from cbt.payments.rounds import Round, in_turn
from cbt.payments.work import open_work

log = logging.getLogger("cbt.payments")
_ACTOR = "payments"
TOLD_WITHIN = timedelta(minutes=5)
"""How long a provider that tells us has to do so before it is asked."""

MOST_EXTRA_SATANG = 99
"""How many satang a transfer may ask for above the price, to be told apart from others."""


def take_in(attempt_id: int, providers: Providers, now: datetime) -> None:
    """The same as `ask_anew` of an attempt that is known by its number alone."""
    ask_anew(queries.get_attempt(db.session(), attempt_id), providers, now)


def ask_anew(attempt: AttemptCard, providers: Providers, now: datetime) -> bool:
    """Ask the provider how an attempt stands and write what is new: captures, books, booking, mail.

    Money that does not buy the booking (late with no place left, paid twice, another amount) is
    captured all the same and noted as money to give back, never passed over in silence. An answer
    that contradicts what was asked books nothing and goes to the work list. Returns whether
    anything was new. Raises ProviderDown.
    """
    provider = providers.get(attempt.provider)
    if attempt.provider_ref is None or provider is None:
        return False
    db.session.rollback()  # nothing stays open while somebody outside is asked
    try:
        payment = provider.fetch(attempt.receiver, attempt.provider_ref, now)
        _require_as_asked(provider, attempt, payment)
    except AnswerWrong as error:
        _note_wrong(attempt, error, now)
        return False
    if not _has_news(attempt, payment):
        return False
    with transaction() as session:
        for received in payment.received:
            _write_down(session, attempt, received, now)
        move_attempt(session, attempt.id, payment.state, failure=payment.failure)
    return True


def _require_as_asked(provider: Provider, attempt: AttemptCard, payment: NormalisedPayment) -> None:
    """Raise AnswerWrong where a provider that takes what it was asked for says another amount."""
    if provider.capabilities.fixes_amount and any(
        each.amount_satang != attempt.amount_satang for each in payment.received
    ):
        raise AnswerWrong(problem="amount")


def look_up_unpaid_attempts(providers: Providers, now: datetime, *, old: bool = False) -> int:
    """Ask every provider about attempts that may still be paid. Returns how many were asked.

    Providers that tell us are asked in the `old` round alone, about attempts that have had time to
    be told of. An attempt that cannot be looked up is logged, and the next ones go on; but a provider
    that does not answer is left alone until the next round.
    """
    asked, round_ = 0, Round()
    for attempt in in_turn(queries.list_unpaid_attempts(db.session(), now), now):
        provider = providers.get(attempt.provider)
        if provider is None or provider.capabilities.tells_us != old:
            continue
        if old and attempt.created_at > now - TOLD_WITHIN:
            continue
        if round_.is_down(attempt.provider):
            continue
        asked += 1
        try:
            ask_anew(attempt, providers, now)
        except ProviderDown:
            round_.note_down(attempt.provider)
            log.warning("attempt %s cannot be looked up now", attempt.id)
        except Exception:  # one provider's trouble must not hide another's money
            log.exception("attempt %s cannot be looked up", attempt.id)
    return asked


def _note_wrong(attempt: AttemptCard, error: AnswerWrong, now: datetime) -> None:
    """A provider's answer that contradicts what we asked books nothing; a person must look."""
    with transaction() as session:
        payer = get_payer(session, attempt.booking_id)
        facts = {"reference": payer.reference, "problem": str(error.facts.get("problem", ""))}
        key = f"answer:{attempt.id}"
        open_work(session, WorkKind.ANSWER_WRONG, key, payer.community_id, facts, now)


def _has_news(attempt: AttemptCard, payment: NormalisedPayment) -> bool:
    """Whether a provider's answer says more than is written down already."""
    if advance(attempt.state, payment.state) != attempt.state:
        return True
    if payment.state == attempt.state and payment.failure not in (None, attempt.failure):
        return True
    if not payment.received:
        return False
    captures = queries.list_captures(db.session(), [attempt.booking_id])
    fees = {
        each.payment_id: each.fee_satang for each in captures if each.provider == attempt.provider
    }
    return any(
        received.payment_id not in fees
        or (fees[received.payment_id] is None and received.fee_satang is not None)
        for received in payment.received
    )


def move_attempt(
    session: Session,
    attempt_id: int,
    reported: AttemptState,
    at: datetime | None = None,
    failure: Failure | None = None,
) -> None:
    """Let an attempt's state follow a report; it never goes backwards. A step.

    Needs the booking's lock, under which all its attempts are written.
    """
    values: dict[str, object] = {"state": reported}
    if at is not None:
        values["reported_at"] = at
    if failure is not None:
        values["failure"] = failure
    earlier = [each for each in AttemptState if advance(each, reported) == reported]
    session.execute(_MOVE, {"wanted": attempt_id, "earlier": earlier, **values})


_ATTEMPT = table_of(Attempt)
_MOVE = update(_ATTEMPT).where(
    _ATTEMPT.c.id == bindparam("wanted"), _ATTEMPT.c.state.in_(bindparam("earlier", expanding=True))
)


def _write_down(session: Session, attempt: AttemptCard, received: Received, now: datetime) -> None:
    """Record money that arrived, and its fee, each once."""
    locked = bookings.lock_booking(session, attempt.booking_id)
    known = _look(session, attempt, received)
    if known.capture_id is None:
        _capture(session, attempt, locked, known, received, now)
    elif not known.has_fee and received.fee_satang is not None:
        _insert_fee(session, known.capture_id, received, now)
        drafts = _fee_drafts(attempt.provider, known.payer, received, now)
        ledger.post_all(session, known.payer.book_id, drafts, now)


@dataclass(frozen=True)
class _Known:
    """Who pays, what was paid before, and what is written down of this payment already."""

    payer: Payer
    money: Money
    capture_id: int | None
    has_fee: bool


def _look(session: Session, attempt: AttemptCard, received: Received) -> _Known:
    """All that decides what becomes of a payment, in one statement. Needs the booking's lock."""
    row = session.execute(
        _KNOWN,
        {
            "wanted": attempt.booking_id,
            "provider_name": attempt.provider,
            "payment": received.payment_id,
        },
    ).one()
    return _Known(Payer(*row[:_PAYERS]), Money(*row[_PAYERS:-2]), row[-2], row[-1] is not None)


_CAPTURE, _FEE = table_of(Capture), table_of(CaptureFee)
_BOOKING = table_of(Booking)
_PAYERS = len(PAYERS.selected_columns)
_KNOWN = (
    PAYERS.outerjoin(
        _CAPTURE,
        (_CAPTURE.c.provider == bindparam("provider_name"))
        & (_CAPTURE.c.payment_id == bindparam("payment")),
    )
    .outerjoin(_FEE, _FEE.c.capture_id == _CAPTURE.c.id)
    .add_columns(*queries.MONEY, _CAPTURE.c.id, _FEE.c.capture_id)
    .where(_BOOKING.c.id == bindparam("wanted"))
)
_INSERT_FEE = insert(_FEE)
_INSERT_BALANCE = insert(table_of(CaptureBalance))
_INSERT_CAPTURE = (  # under the book's lock, so receipts are numbered without gap or double
    insert(_CAPTURE)
    .values(
        receipt_number=select(func.coalesce(func.max(_CAPTURE.c.receipt_number), 0) + 1)
        .where(_CAPTURE.c.community_id == bindparam("of_community"))
        .scalar_subquery()
    )
    .returning(_CAPTURE.c.id)
)


def _capture(
    session: Session,
    attempt: AttemptCard,
    locked: Locked,
    known: _Known,
    received: Received,
    now: datetime,
) -> None:
    """Post the money and its fee, and confirm the booking with it or note it to be given back."""
    payer, paid = known.payer, known.money.paid_satang
    reason = _confirm(session, locked, attempt, paid, received, now)
    facts = CaptureFacts(
        payer.reference,
        attempt.provider,
        received.payment_id,
        received.amount_satang,
        village_day(received.paid_at, payer.zone),
    )
    drafts = [
        posting.capture_draft(facts, _ACTOR),
        *_fee_drafts(attempt.provider, payer, received, now),
    ]
    ledger.post_all(session, payer.book_id, drafts, now)
    amount_satang = received.amount_satang
    capture_id = session.execute(
        _INSERT_CAPTURE,
        {
            "of_community": payer.community_id,
            "community_id": payer.community_id,
            "booking_id": locked.id,
            "attempt_id": attempt.id,
            "provider": attempt.provider,
            "payment_id": received.payment_id,
            "method": received.method,
            "amount_satang": amount_satang,
            "paid_at": received.paid_at,
            "recorded_at": now,
            "buys": reason is None,
        },
    ).scalar_one()
    if received.fee_satang is not None:
        _insert_fee(session, capture_id, received, now)
    session.execute(
        _INSERT_BALANCE,
        {"capture_id": capture_id, "amount_satang": amount_satang, "returning_satang": 0},
    )
    if reason is not None:
        request_refund(session, capture_id, amount_satang, reason, payer, now)
    elif locked.state in PAID:
        amount: dict[str, object] = {"amount_satang": amount_satang}
        notify_guest(session, payer, "balance_paid", f"balance:{capture_id}", amount, now)
    else:
        notify_guest(session, payer, "booking_confirmed", f"confirmed:{payer.reference}", {}, now)


def _confirm(
    session: Session,
    locked: Locked,
    attempt: AttemptCard,
    paid: int,
    received: Received,
    now: datetime,
) -> RefundReason | None:
    """Confirm the booking with this money, or say why it cannot buy it.

    A confirmed booking whose price rose since takes what is still due, until its money is split.
    """
    if locked.state in (BookingState.CANCELLED, BookingState.CHOOSING, BookingState.DECLINED):
        return RefundReason.CANCELLED
    asked_satang = attempt.amount_satang
    due = locked.price_satang - paid
    if due <= 0 or locked.state == BookingState.SETTLED:
        return RefundReason.PAID_TWICE
    if received.amount_satang != asked_satang or not _is_asked_for(locked, asked_satang, paid):
        return RefundReason.AMOUNT_DIFFERS
    if locked.state in PAID:
        return None
    was_promised = attempt.provider == CASH and attempt.reported_at is not None
    is_confirmed = bookings.confirm(
        session, locked, now, received.paid_at, was_promised=was_promised
    )
    return None if is_confirmed else RefundReason.NO_PLACE_LEFT


def _is_asked_for(booking: Locked, asked_satang: int, paid_satang: int) -> bool:
    """Whether an amount is what is still due, or what is still missing of the deposit."""
    wanted = (booking.price_satang, booking.needed_satang)
    return any(
        whole > paid_satang and 0 <= asked_satang - (whole - paid_satang) <= MOST_EXTRA_SATANG
        for whole in wanted
    )


def _fee_drafts(provider: str, payer: Payer, received: Received, now: datetime) -> list[Draft]:
    """The entry of what the provider kept, once it has said so and kept anything."""
    if not received.fee_satang:
        return []
    on = village_day(now, payer.zone)
    facts = FeeFacts(payer.reference, provider, received.payment_id, received.fee_satang, on)
    return [posting.fee_draft(facts, _ACTOR)]


def _insert_fee(session: Session, capture_id: int, received: Received, now: datetime) -> None:
    values = {"amount_satang": received.fee_satang, "vat_satang": received.vat_satang}
    session.execute(_INSERT_FEE, {"capture_id": capture_id, **values, "reported_at": now})
