"""Trying to pay: attempts are children of a booking, and any number may fail."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from cbt.bookings import hold as bookings
from cbt.bookings.hold import Locked
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import PAID, BookingState
from cbt.db import db, transaction
from cbt.errors import DetailsIncomplete, HoldLapsed, MethodClosed, NotFound, StateForbids
from cbt.payments import queries
from cbt.payments.models import Attempt, PaymentAccount
from cbt.payments.provider import Asked, AttemptState, Provider, Providers, Started
from cbt.payments.take_in import MOST_EXTRA_SATANG, move_attempt

REVIEW_FOR = timedelta(hours=24)
"""How long a hold lives while a host looks for a transfer that the guest reported."""

_AMOUNT_KEPT_FOR = timedelta(hours=24)
_OPEN = (AttemptState.PENDING, AttemptState.REPORTED)


def start_attempt(reference: str, method: str, providers: Providers, now: datetime) -> int:
    """Begin to pay a held booking by a method; return the attempt's number within the booking.

    An attempt that is still open is used again. Raises MethodClosed, HoldLapsed, DetailsIncomplete,
    or StateForbids when the booking is paid already.
    """
    if method not in providers:
        raise MethodClosed(method=method)
    provider = providers[method]
    with transaction() as session:
        prepared = _prepare(session, reference, provider, now)
    if not prepared.is_started:
        started = provider.start(prepared.asked, now)
        with transaction() as session:
            _note_started(session, prepared, started, now)
    _cancel_others(prepared, providers, now)
    return prepared.asked.number


@dataclass(frozen=True)
class _Prepared:
    """The attempt to start, made or found again."""

    asked: Asked
    booking_id: int
    is_started: bool
    is_held: bool


def _prepare(session: Session, reference: str, provider: Provider, now: datetime) -> _Prepared:
    booking = session.execute(
        select(
            Booking.id,
            Booking.community_id,
            Booking.guest_name,
            Departure.begins_at,
            Departure.ends_at,
        )
        .join(Departure, Departure.id == Booking.departure_id)
        .where(Booking.reference == reference)
    ).one_or_none()
    if booking is None:
        raise NotFound(thing="booking")
    locked = bookings.lock_booking(session, booking.id)
    due = locked.price_satang - queries.get_money(session, locked.id).kept_satang
    _require_payable(locked, due, now)
    if not booking.guest_name:
        raise DetailsIncomplete(missing=("name",))
    account = lock_account(session, booking.community_id, provider.name)
    attempt = _find_open_attempt(session, booking.id, account.id, due, now)
    if attempt is None:
        attempt = Attempt(
            booking_id=booking.id,
            payment_account_id=account.id,
            provider=provider.name,
            number=1 + (_last_number(session, booking.id) or 0),
            state=AttemptState.PENDING,
            amount_satang=_amount(session, account, provider, due, now),
            qr_payload="",
            created_at=now,
            expires_at=_payable_until(locked, booking.ends_at),
        )
        session.add(attempt)
        session.flush()
    asked = Asked(
        attempt_id=attempt.id,
        booking_reference=reference,
        number=attempt.number,
        amount_satang=attempt.amount_satang,
        receiver=account.receiver,
        hold_ends_at=_payable_until(locked, booking.ends_at),
        trip_begins_at=booking.ends_at if locked.state in PAID else booking.begins_at,
    )
    return _Prepared(
        asked, booking.id, attempt.provider_ref is not None, locked.state == BookingState.HELD
    )


def _payable_until(booking: Locked, trip_ends_at: datetime) -> datetime:
    """A hold is paid while it lives; what a change added, until the trip is over."""
    return trip_ends_at if booking.state in PAID else booking.held_until


def _require_payable(booking: Locked, due_satang: int, now: datetime) -> None:
    if booking.state in PAID and due_satang > 0:
        return
    if booking.state in PAID or booking.state == BookingState.REQUESTED:
        raise StateForbids(thing="booking", state=booking.state, wanted="paid")
    if booking.state != BookingState.HELD or booking.held_until <= now:
        raise HoldLapsed


def lock_account(session: Session, community_id: int, provider: str) -> PaymentAccount:
    """Lock the community's account at a provider: amounts of open attempts are chosen under it."""
    account = session.scalars(
        update(PaymentAccount)
        .where(PaymentAccount.community_id == community_id, PaymentAccount.provider == provider)
        .values(attempts=PaymentAccount.attempts + 1)
        .returning(PaymentAccount)
    ).one_or_none()
    if account is None:
        raise MethodClosed(method=provider)
    return account


def _find_open_attempt(
    session: Session, booking_id: int, account_id: int, due_satang: int, now: datetime
) -> Attempt | None:
    """An attempt that still asks for what is due now."""
    return session.scalars(
        select(Attempt)
        .where(
            Attempt.amount_satang.between(due_satang, due_satang + MOST_EXTRA_SATANG),
            Attempt.booking_id == booking_id,
            Attempt.payment_account_id == account_id,
            Attempt.state.in_(_OPEN),
            Attempt.expires_at > now,
        )
        .order_by(Attempt.id.desc())
        .limit(1)
    ).one_or_none()


def _last_number(session: Session, booking_id: int) -> int | None:
    return session.scalar(select(func.max(Attempt.number)).where(Attempt.booking_id == booking_id))


def _amount(
    session: Session, account: PaymentAccount, provider: Provider, price: int, now: datetime
) -> int:
    """What to ask for: the price, or a few satang more while another open attempt asks the same.

    A transfer carries no booking number, so each amount must mean one booking. The extra satang
    belong to the booking's income like the rest. An amount stays taken for a day, and while a
    reported transfer waits for somebody to look.
    """
    if not provider.needs_own_amount(account.receiver):
        return price
    taken = set(
        session.scalars(
            select(Attempt.amount_satang).where(
                Attempt.payment_account_id == account.id,
                Attempt.amount_satang.between(price, price + MOST_EXTRA_SATANG),
                or_(
                    Attempt.created_at > now - _AMOUNT_KEPT_FOR,
                    Attempt.state == AttemptState.REPORTED,
                ),
            )
        )
    )
    for amount in range(price, price + MOST_EXTRA_SATANG + 1):
        if amount not in taken:
            return amount
    raise MethodClosed(method=provider.name)


def _note_started(session: Session, prepared: _Prepared, started: Started, now: datetime) -> None:
    if prepared.is_held:
        bookings.extend_hold(session, prepared.booking_id, started.expires_at, now)
    session.execute(
        update(Attempt)
        .where(Attempt.id == prepared.asked.attempt_id)
        .values(
            provider_ref=started.provider_ref,
            qr_payload=started.qr_payload,
            expires_at=started.expires_at,
        )
    )


def _cancel_others(prepared: _Prepared, providers: Providers, now: datetime) -> None:
    """Give up the booking's other open attempts, so that it is not paid in two ways by mistake."""
    others = [
        attempt
        for attempt in queries.list_attempts(db.session(), prepared.booking_id)
        if attempt.id != prepared.asked.attempt_id and attempt.state == AttemptState.PENDING
    ]
    db.session.rollback()  # nothing stays open while somebody outside is asked
    for attempt in others:
        if attempt.provider_ref and attempt.provider in providers:
            providers[attempt.provider].cancel(attempt.provider_ref, now)
    if others:
        with transaction() as session:
            bookings.lock_booking(session, prepared.booking_id)
            for attempt in others:
                move_attempt(session, attempt.id, AttemptState.CANCELLED)


def report_transfer(attempt_id: int, now: datetime) -> None:
    """The guest says that the transfer is made: the hold waits for a person to look.

    Only a PromptPay code that still waits can be reported, and only a booking's first report
    keeps its places longer: saying it again, or of another code, changes nothing about the hold.
    A hold that is over already stays over; the transfer can still be confirmed, like any late one.
    Raises MethodClosed for a way to pay that needs no person to look.
    """
    attempt = queries.get_attempt(db.session(), attempt_id)
    if attempt.provider != "promptpay":
        raise MethodClosed(method=attempt.provider)
    with transaction() as session:
        locked = bookings.lock_booking(session, attempt.booking_id)
        if queries.get_attempt(session, attempt_id).state != AttemptState.PENDING:
            return
        is_first = not _is_reported(session, attempt.booking_id)
        move_attempt(session, attempt_id, AttemptState.REPORTED, now)
        if is_first and locked.state == BookingState.HELD and locked.held_until > now:
            begins_at = session.scalar(
                select(Departure.begins_at).where(Departure.id == locked.departure_id)
            )
            assert begins_at is not None
            bookings.extend_hold(session, locked.id, min(now + REVIEW_FOR, begins_at), now)


def _is_reported(session: Session, booking_id: int) -> bool:
    """Whether a transfer for the booking was reported before, whatever became of it."""
    return bool(
        session.scalar(
            select(func.count()).where(
                Attempt.booking_id == booking_id, Attempt.reported_at.is_not(None)
            )
        )
    )
