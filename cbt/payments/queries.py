"""Reading how communities are paid, attempts, captures and money to give back."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState
from cbt.db import Condition, Query, WholeNumber, columns, table_of
from cbt.errors import NotFound
from cbt.payments.account_rules import ProposalState
from cbt.payments.models import (
    AccountChange,
    AccountProposal,
    Attempt,
    Capture,
    CaptureFee,
    CashTaken,
    Credit,
    CreditUse,
    PaymentAccount,
    Refund,
    TransferConfirmation,
    TransferLook,
)
from cbt.payments.provider import (
    UNPAID_REFUNDS,
    AttemptState,
    DisputeState,
    Failure,
    PayMethod,
    RefundReason,
    RefundState,
)
from cbt.payments.records import (
    CASH,
    RECORDED_WITHIN,
    AccountCard,
    AttemptCard,
    CaptureCard,
    CreditCard,
    LastChange,
    LookCard,
    Method,
    Money,
    ProposalCard,
    RefundCard,
    RefundedCard,
    TransferCard,
)
from cbt.payments.reported import Dispute
from cbt.people.models import Person

LOOK_UP_FOR = timedelta(days=7)

_BOOKING, _ATTEMPT, _ACCOUNT = table_of(Booking), table_of(Attempt), table_of(PaymentAccount)
_CAPTURE, _FEE, _REFUND = table_of(Capture), table_of(CaptureFee), table_of(Refund)
_DISPUTE, _CREDIT, _USE = table_of(Dispute), table_of(Credit), table_of(CreditUse)
_IS_LIVE = _REFUND.c.state != RefundState.CANCELLED

_ATTEMPT_CARD: list[Any] = [
    _ATTEMPT.c.id,
    _ATTEMPT.c.booking_id,
    _BOOKING.c.reference,
    _ATTEMPT.c.number,
    _ATTEMPT.c.provider,
    _ATTEMPT.c.state,
    _ATTEMPT.c.amount_satang,
    _ATTEMPT.c.provider_ref,
    _ATTEMPT.c.qr_payload,
    _ATTEMPT.c.page_url,
    _ATTEMPT.c.failure,
    _ATTEMPT.c.created_at,
    _ATTEMPT.c.expires_at,
    _ATTEMPT.c.reported_at,
    _ACCOUNT.c.receiver,
    _ACCOUNT.c.receiver_name,
]
_CAPTURE_CARD: list[Any] = [
    _CAPTURE.c.id,
    _CAPTURE.c.booking_id,
    _CAPTURE.c.provider,
    _CAPTURE.c.payment_id,
    _CAPTURE.c.amount_satang,
    _FEE.c.amount_satang,
    _CAPTURE.c.method,
    _CAPTURE.c.paid_at,
    _CAPTURE.c.recorded_at,
    _CAPTURE.c.receipt_number,
    _CAPTURE.c.buys,
]
_METHODS = (
    select(*(_ACCOUNT.c[each.name] for each in fields(Method)))
    .where(_ACCOUNT.c.community_id == bindparam("community"))
    .order_by(_ACCOUNT.c.position)
)


def list_methods(session: Session, community_id: int) -> list[Method]:
    return [Method(*row) for row in session.execute(_METHODS, {"community": community_id})]


def list_accounts(session: Session, community_id: int) -> list[AccountCard]:
    """Every way in which the community can be paid, closed ones too."""
    rows = session.execute(
        select(*columns(PaymentAccount, AccountCard))
        .where(PaymentAccount.community_id == community_id)
        .order_by(PaymentAccount.position)
    )
    return [AccountCard(*row) for row in rows]


def list_open_attempts(
    session: Session, community_id: int, provider: str, now: datetime
) -> list[AttemptCard]:
    """Attempts that guests have before them and may pay as they were drawn."""
    return _list(
        session,
        PaymentAccount.community_id == community_id,
        PaymentAccount.provider == provider,
        Attempt.state.in_((AttemptState.PENDING, AttemptState.REPORTED)),
        Attempt.expires_at > now,
    )


def find_method(session: Session, community_id: int, provider: str) -> Method | None:
    methods = list_methods(session, community_id)
    return next((each for each in methods if each.provider == provider), None)


_ATTEMPTS = (
    select(*_ATTEMPT_CARD)
    .join(_BOOKING, _BOOKING.c.id == _ATTEMPT.c.booking_id)
    .join(_ACCOUNT, _ACCOUNT.c.id == _ATTEMPT.c.payment_account_id)
    .order_by(_ATTEMPT.c.id)
)
_BY_ID = _ATTEMPTS.where(_ATTEMPT.c.id == bindparam("wanted"))
_BY_NUMBER = _ATTEMPTS.where(
    _BOOKING.c.reference == bindparam("wanted"), _ATTEMPT.c.number == bindparam("numbered")
)
_OF_BOOKING = _ATTEMPTS.where(_ATTEMPT.c.booking_id == bindparam("wanted"))


def get_attempt(session: Session, attempt_id: int) -> AttemptCard:
    return _one(session.execute(_BY_ID, {"wanted": attempt_id}))


def get_attempt_of(session: Session, reference: str, number: int) -> AttemptCard:
    return _one(session.execute(_BY_NUMBER, {"wanted": reference, "numbered": number}))


def _one(rows: Iterable[Row[Any]]) -> AttemptCard:
    for row in rows:
        return _card(row)
    raise NotFound(thing="attempt")


def list_attempts(session: Session, booking_id: int) -> list[AttemptCard]:
    """All tries to pay a booking, the newest first."""
    rows = session.execute(_OF_BOOKING, {"wanted": booking_id})
    return [_card(row) for row in rows][::-1]


def list_transfers_to_confirm(
    session: Session, community_id: int, now: datetime
) -> list[TransferCard]:
    """PromptPay attempts that a person has not confirmed: those that guests reported come first.

    A code that was opened may be paid whatever the guest pressed, so every one is listed for some
    days, and a reported one until somebody has looked.
    """
    rows = session.execute(
        _ATTEMPTS.add_columns(
            _BOOKING.c.departure_id,
            _BOOKING.c.guest_name,
            _BOOKING.c.state,
            _BOOKING.c.confirmed_at,
        ).where(
            _ACCOUNT.c.community_id == community_id,
            _ATTEMPT.c.provider == "promptpay",
            _ATTEMPT.c.provider_ref.is_not(None),
            or_(
                _ATTEMPT.c.state == AttemptState.REPORTED,
                (_ATTEMPT.c.state != AttemptState.PAID)
                & (_ATTEMPT.c.created_at > now - LOOK_UP_FOR),
            ),
        )
    )
    own = len(_ATTEMPT_CARD)
    transfers = [
        TransferCard(
            _card(row[:own]), row[own], row[own + 1], BookingState(row[own + 2]), row[own + 3]
        )
        for row in rows
    ]
    return sorted(transfers, key=lambda each: each.attempt.state != AttemptState.REPORTED)


def list_looks(session: Session, attempt_ids: Iterable[int]) -> dict[int, LookCard]:
    """Transfers that the first of two people saw, by attempt; those set aside are left out."""
    rows = session.execute(
        select(*columns(TransferLook, LookCard)).where(
            TransferLook.attempt_id.in_(list(attempt_ids)), TransferLook.dismissed_at.is_(None)
        )
    )
    return {row.attempt_id: LookCard(*row) for row in rows}


def list_unpaid_attempts(session: Session, now: datetime) -> list[AttemptCard]:
    """Attempts that may still be paid, declined and given up ones included: money has its own mind.

    One whose transfer a person has confirmed, or whose cash a person has taken, is listed until it
    is captured, however old it is.
    """
    captured = select(Capture.attempt_id).where(Capture.attempt_id == Attempt.id).exists()
    return _list(
        session,
        Attempt.provider_ref.is_not(None),
        or_(
            (Attempt.state != AttemptState.PAID) & (Attempt.created_at > now - LOOK_UP_FOR),
            Attempt.id.in_(select(TransferConfirmation.attempt_id)) & ~captured,
            Attempt.id.in_(select(CashTaken.attempt_id)) & ~captured,
        ),
    )


def _list(session: Session, *conditions: Condition) -> list[AttemptCard]:
    return [_card(row) for row in session.execute(_ATTEMPTS.where(*conditions))]


def _card(row: Sequence[Any]) -> AttemptCard:
    card = AttemptCard(*row)
    failure = Failure(card.failure) if card.failure else None
    return replace(card, state=AttemptState(card.state), failure=failure)


_CAPTURES = (
    select(*_CAPTURE_CARD)
    .outerjoin(_FEE, _FEE.c.capture_id == _CAPTURE.c.id)
    .where(_CAPTURE.c.booking_id.in_(bindparam("bookings", expanding=True)))
    .order_by(_CAPTURE.c.id)
)


def list_captures(session: Session, booking_ids: Iterable[int]) -> list[CaptureCard]:
    rows = session.execute(_CAPTURES, {"bookings": list(booking_ids)})
    cards = [CaptureCard(*row) for row in rows]
    return [replace(card, method=PayMethod(card.method)) for card in cards]


_HELD_BY = (
    select(Dispute.state)
    .where(Dispute.capture_id == Refund.capture_id, Dispute.state != DisputeState.WON)
    .order_by(Dispute.state.desc())
    .limit(1)
    .correlate(Refund)
    .scalar_subquery()
)
"""The dispute over a refund's payment that is open, else one that was lost."""

_REFUND_CARD: list[Any] = [
    Refund.id,
    Booking.reference,
    Capture.provider,
    Refund.amount_satang,
    Refund.reason,
    Refund.state,
    Refund.requested_at,
    Refund.requested_by,
    Refund.approved_by,
    Refund.action_until,
    Refund.failure,
    Refund.paid_from,
    Refund.done_at,
    Refund.done_by,
    Refund.proof,
    Booking.guest_name,
    Booking.guest_email,
    Booking.guest_phone,
    _HELD_BY,
]


def list_refunds_to_make(session: Session, community_id: int) -> list[RefundCard]:
    """Money that guests still wait for, the oldest first."""
    rows = session.execute(
        _refunds().where(Refund.community_id == community_id, Refund.state.in_(UNPAID_REFUNDS))
    )
    return [_refund(row) for row in rows]


def list_refunds_done(session: Session, community_id: int, limit: int) -> list[RefundCard]:
    """Money that was given back, or not given after all, the newest first."""
    rows = session.execute(
        _refunds()
        .where(Refund.community_id == community_id, Refund.state.not_in(UNPAID_REFUNDS))
        .order_by(None)
        .order_by(func.coalesce(Refund.done_at, Refund.requested_at).desc(), Refund.id.desc())
        .limit(limit)
    )
    return [_refund(row) for row in rows]


def get_refund(session: Session, community_id: int, refund_id: int) -> RefundCard:
    row = session.execute(
        _refunds().where(Refund.community_id == community_id, Refund.id == refund_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="refund")
    return _refund(row)


def _refunds() -> Query:
    return (
        select(*_REFUND_CARD)
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .order_by(Refund.id)
    )


def _refund(row: Row[Any]) -> RefundCard:
    card = RefundCard(*tuple(row))
    return replace(
        card,
        reason=RefundReason(card.reason),
        state=RefundState(card.state),
        dispute=DisputeState(card.dispute) if card.dispute else None,
    )


def list_last_changes(session: Session, community_id: int) -> dict[str, LastChange]:
    """Who changed each of a community's accounts last, and when, by provider."""
    agreed = aliased(Person)
    rows = session.execute(
        select(PaymentAccount.provider, Person.name, agreed.name, AccountChange.changed_at)
        .join(PaymentAccount, PaymentAccount.id == AccountChange.payment_account_id)
        .join(Person, Person.id == AccountChange.changed_by)
        .outerjoin(agreed, agreed.id == AccountChange.agreed_by)
        .where(PaymentAccount.community_id == community_id)
        .order_by(AccountChange.id)
    )
    return {row[0]: LastChange(*row[1:]) for row in rows}


def list_waiting_proposals(session: Session, community_id: int) -> list[ProposalCard]:
    """Changes of where the money goes that nobody decided yet, the oldest first."""
    waiting = AccountProposal.state == ProposalState.PROPOSED
    rows = session.execute(
        _proposals()
        .where(AccountProposal.community_id == community_id, waiting)
        .order_by(AccountProposal.id)
    )
    return [ProposalCard(*row) for row in rows]


def list_decided_proposals(session: Session, community_id: int, limit: int) -> list[ProposalCard]:
    """The latest changes of where the money goes that were decided, the newest first."""
    decided = AccountProposal.state != ProposalState.PROPOSED
    rows = session.execute(
        _proposals()
        .where(AccountProposal.community_id == community_id, decided)
        .order_by(AccountProposal.decided_at.desc(), AccountProposal.id.desc())
        .limit(limit)
    )
    return [ProposalCard(*row) for row in rows]


def get_proposal(session: Session, proposal_id: int) -> ProposalCard:
    row = session.execute(_proposals().where(AccountProposal.id == proposal_id)).one_or_none()
    if row is None:
        raise NotFound(thing="proposal")
    return ProposalCard(*row)


def _proposals() -> Query:
    return select(*columns(AccountProposal, ProposalCard))


def find_refund_by_ref(session: Session, provider: str, provider_ref: str) -> int | None:
    """The refund that a provider knows by its own id, as its events name it."""
    return session.scalar(
        select(Refund.id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(Refund.provider_ref == provider_ref, Capture.provider == provider)
    )


def list_waiting_goodwill(session: Session, departure_ids: Collection[int]) -> dict[int, str]:
    """{departure: reference of its first booking for whose goodwill a second person has not decided}."""
    return _first_by_departure(
        session,
        select(Booking.departure_id, Booking.reference)
        .join(Refund, Refund.booking_id == Booking.id)
        .where(
            Booking.departure_id.in_(departure_ids),
            Refund.reason == RefundReason.GOODWILL,
            Refund.state == RefundState.REQUESTED,
        ),
    )


def list_open_promises(
    session: Session, departure_ids: Collection[int], now: datetime
) -> dict[int, str]:
    """{departure: reference of its first booking whose guest promised cash that may still be written down}.

    Whether it was paid must be said before its departure is split.
    """
    return _first_by_departure(
        session,
        select(Booking.departure_id, Booking.reference)
        .join(Attempt, Attempt.booking_id == Booking.id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Booking.departure_id.in_(departure_ids),
            Booking.state.in_((BookingState.HELD, BookingState.LAPSED)),
            Departure.ends_at > now - RECORDED_WITHIN,
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
        ),
    )


def list_choosing(session: Session, departure_ids: Collection[int]) -> dict[int, str]:
    """{departure: reference of its first booking whose party still chooses what becomes of its money}."""
    return _first_by_departure(
        session,
        select(Booking.departure_id, Booking.reference).where(
            Booking.departure_id.in_(departure_ids), Booking.state == BookingState.CHOOSING
        ),
    )


def list_open_disputes(session: Session, departure_ids: Collection[int]) -> dict[int, str]:
    """{departure: reference of its first booking whose payment a bank disputes}.

    Its split waits for the decision.
    """
    return _first_by_departure(
        session,
        select(Booking.departure_id, Booking.reference)
        .join(Dispute, Dispute.booking_id == Booking.id)
        .join(Capture, Capture.id == Dispute.capture_id)
        .where(
            Booking.departure_id.in_(departure_ids),
            Dispute.state == DisputeState.OPEN,
            Capture.buys.is_(True),
        ),
    )


def list_unreported_fees(session: Session, departure_ids: Collection[int]) -> dict[int, str]:
    """{departure: reference of its first booking whose payment's fee is not known yet}."""
    return _first_by_departure(
        session,
        select(Booking.departure_id, Booking.reference)
        .join(Capture, Capture.booking_id == Booking.id)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(
            Booking.departure_id.in_(departure_ids),
            Capture.buys.is_(True),
            CaptureFee.capture_id.is_(None),
        ),
    )


def _first_by_departure(session: Session, wanted: Query) -> dict[int, str]:
    first: dict[int, str] = {}
    for departure_id, reference in session.execute(wanted.order_by(Booking.id)):
        first.setdefault(departure_id, reference)
    return first


_REFUNDS_OF = (
    select(_REFUND.c.amount_satang, _REFUND.c.reason, _REFUND.c.state)
    .where(_REFUND.c.booking_id == bindparam("wanted"), _IS_LIVE)
    .order_by(_REFUND.c.id)
)


def list_refunds(session: Session, booking_id: int) -> list[RefundedCard]:
    """Money of a booking that goes or went back."""
    rows = session.execute(_REFUNDS_OF, {"wanted": booking_id})
    return [
        RefundedCard(row.amount_satang, RefundReason(row.reason), RefundState(row.state))
        for row in rows
    ]


def get_money(session: Session, booking_id: int) -> Money:
    return list_money(session, [booking_id])[booking_id]


def _sum(amount: Any, *which: Condition) -> ColumnElement[int]:
    """The sum of a booking's amounts of one kind, as a column beside the table of bookings."""
    total = cast(func.coalesce(func.sum(amount), literal_column("0")), WholeNumber)
    return select(total).where(*which).correlate(_BOOKING).scalar_subquery()


def _sum_of_captures(table: Table, amount: Any, *which: Condition) -> ColumnElement[int]:
    """The same of what followed from payments that bought their booking."""
    bought = (_CAPTURE.c.id == table.c.capture_id) & _CAPTURE.c.buys.is_(True)
    return _sum(amount, table.c.booking_id == _BOOKING.c.id, bought, *which)


_UNSPLIT = _DISPUTE.c.was_split.is_(False)
_BEFORE_SPLIT = _REFUND.c.was_split.is_(False)
_TAKEN: ColumnElement[int] = case(
    (_DISPUTE.c.state == DisputeState.WON, _DISPUTE.c.fund_satang),
    else_=_DISPUTE.c.reserved_satang,
)
"""What a dispute takes out of its booking's money; of one won after all, what came too late for it."""

MONEY: tuple[ColumnElement[int], ...] = (
    _sum(
        _CAPTURE.c.amount_satang,
        *(_CAPTURE.c.booking_id == _BOOKING.c.id, _CAPTURE.c.buys.is_(True)),
    ),
    _sum(_USE.c.amount_satang, _USE.c.booking_id == _BOOKING.c.id),
    _sum_of_captures(_REFUND, _REFUND.c.amount_satang, _IS_LIVE, _BEFORE_SPLIT),
    _sum(_CREDIT.c.amount_satang, _CREDIT.c.booking_id == _BOOKING.c.id),
    _BOOKING.c.retained_satang,
    _sum(
        _REFUND.c.amount_satang,
        *(
            _REFUND.c.booking_id == _BOOKING.c.id,
            _REFUND.c.reason == RefundReason.GOODWILL,
            _IS_LIVE,
            _BEFORE_SPLIT,
        ),
    ),
    _sum_of_captures(_DISPUTE, _TAKEN, _DISPUTE.c.state != DisputeState.OPEN, _UNSPLIT),
    _sum_of_captures(_DISPUTE, _TAKEN, _DISPUTE.c.state == DisputeState.OPEN, _UNSPLIT),
    _sum(
        _REFUND.c.amount_satang,
        *(_REFUND.c.booking_id == _BOOKING.c.id, _REFUND.c.was_split.is_(True), _IS_LIVE),
    ),
    _sum_of_captures(
        _DISPUTE,
        _DISPUTE.c.reserved_satang,
        *(_DISPUTE.c.was_split.is_(True), _DISPUTE.c.state != DisputeState.WON),
    ),
)
"""The fields of `Money`, as columns beside the table of bookings."""

_MONEY = select(_BOOKING.c.id, *MONEY).where(
    _BOOKING.c.id.in_(bindparam("bookings", expanding=True))
)


_MONEY_OF_DEPARTURES = select(_BOOKING.c.id, *MONEY).where(
    _BOOKING.c.departure_id.in_(bindparam("departures", expanding=True))
)


def list_money(session: Session, booking_ids: Iterable[int]) -> dict[int, Money]:
    """What was taken for some bookings and is still there for the trip. One statement."""
    rows = session.execute(_MONEY, {"bookings": list(booking_ids)})
    return {booking_id: Money(*sums) for booking_id, *sums in rows}


def list_money_of_departures(session: Session, departure_ids: Iterable[int]) -> dict[int, Money]:
    """The same for all bookings of some departures."""
    rows = session.execute(_MONEY_OF_DEPARTURES, {"departures": list(departure_ids)})
    return {booking_id: Money(*sums) for booking_id, *sums in rows}


def departures_with_retained_money(community_id: int) -> Query:
    """Selects the ids of departures of which a cancelled booking left something to share out."""
    kept = (
        _total(Capture.amount_satang, Capture.booking_id)
        + _total(CreditUse.amount_satang, CreditUse.booking_id)
        - _total(Refund.amount_satang, Refund.booking_id, _IS_LIVE, Refund.was_split.is_(False))
        - _total(Credit.amount_satang, Credit.booking_id)
        - _total(
            _TAKEN,
            Dispute.booking_id,
            (Dispute.state != DisputeState.OPEN) & Dispute.was_split.is_(False),
        )
    )
    return select(Booking.departure_id).where(
        Booking.community_id == community_id,
        Booking.state == BookingState.CANCELLED,
        Booking.confirmed_at.is_not(None),
        kept > 0,
    )


def _total(
    amount: ColumnElement[int] | InstrumentedAttribute[int],
    booking_id: InstrumentedAttribute[int],
    *which: Condition,
) -> ColumnElement[int]:
    """The sum of a booking's amounts of one kind, as a column beside Booking."""
    return (
        select(func.coalesce(func.sum(amount), 0))
        .where(booking_id == Booking.id, *which)
        .correlate(Booking)
        .scalar_subquery()
    )


def find_credit(session: Session, community_id: int, code: str) -> CreditCard | None:
    row = session.execute(
        select(*columns(Credit, CreditCard)).where(
            Credit.community_id == community_id, Credit.code == code.strip().upper()
        )
    ).one_or_none()
    return CreditCard(*row) if row else None


def list_credits_of(session: Session, booking_id: int) -> list[CreditCard]:
    rows = session.execute(
        select(*columns(Credit, CreditCard))
        .where(Credit.booking_id == booking_id)
        .order_by(Credit.id)
    )
    return [CreditCard(*row) for row in rows]
