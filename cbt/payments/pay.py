"""Trying to pay: attempts are children of a booking, and any number may fail."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from cbt.bookings import hold as bookings
from cbt.bookings.hold import Locked
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import PAID, BookingState
from cbt.db import db, table_of, transaction
from cbt.errors import (
    AnswerWrong,
    DetailsIncomplete,
    HoldLapsed,
    MethodClosed,
    ProviderDown,
    StateForbids,
)
from cbt.payments import promises, queries
from cbt.payments.matching import AMOUNT_IS_OWN_FOR
from cbt.payments.models import Attempt, PaymentAccount
from cbt.payments.provider import Asked, AttemptState, Provider, Providers, Started
from cbt.payments.records import Money
from cbt.payments.take_in import MOST_EXTRA_SATANG, move_attempt

REVIEW_FOR = timedelta(hours=24)
"""How long a hold lives while a host looks for a transfer that the guest reported."""

CODES_KEEP_FOR = timedelta(hours=2)
"""How long after it was made a hold can be kept by opening one payment code after another."""

_BEGUN_AGAIN_FOR = timedelta(minutes=1)
"""How long an attempt whose provider did not answer is begun again: later a new one is, since what
it asked for (a page that stays open so long) may no longer be given, nor a lost answer repeated."""

_OPEN = (AttemptState.PENDING, AttemptState.REPORTED)


@dataclass(frozen=True)
class Errand:
    """What a provider's own page shows and where it sends the guest back, as the door knows it.

    `return_to` is the address of the attempt's page, with {number} in place of its number.
    """

    title: str = ""
    return_to: str = ""


NO_ERRAND = Errand()


def start_attempt(
    reference: str,
    method: str,
    providers: Providers,
    now: datetime,
    errand: Errand = NO_ERRAND,
    *,
    whole: bool = True,
) -> int:
    """Begin to pay a held booking by a method; return the attempt's number within the booking.

    An attempt that is still open is used again. Unless the `whole` is wanted, only the deposit that
    the booking's terms ask for is. Raises MethodClosed, HoldLapsed, DetailsIncomplete, StateForbids
    when the booking is paid already, PromiseOpen for a second promise of cash, or ProviderDown when
    the provider does not answer: then nothing was charged, and the guest may try again.
    """
    if method not in providers:
        raise MethodClosed(method=method)
    provider = providers[method]
    with transaction() as session:
        prepared = _prepare(session, reference, provider, now, errand, whole=whole)
        if not prepared.is_started and provider.capabilities.starts_alone:
            started = provider.start(prepared.asked, now)
            _note_started(session, prepared, prepared.booking, started, now)
            if provider.capabilities.on_arrival:
                promises.promise(session, prepared.asked, prepared.booking, now)
    if not prepared.is_started and not provider.capabilities.starts_alone:
        _start_outside(provider, prepared, now)
    _cancel_others(prepared, providers, now)
    return prepared.asked.number


def _start_outside(provider: Provider, prepared: "_Prepared", now: datetime) -> None:
    """Ask the provider between two transactions, and write down its answer in the second.

    One that refuses this attempt for good gets a new one at the guest's next try.
    """
    try:
        started = provider.start(prepared.asked, now)
    except AnswerWrong:
        with transaction() as session:
            bookings.lock_booking(session, prepared.booking.id)
            move_attempt(session, prepared.asked.attempt_id, AttemptState.FAILED)
        raise ProviderDown(method=provider.name) from None
    with transaction() as session:
        booking = bookings.lock_booking(session, prepared.booking.id)
        _note_started(session, prepared, booking, started, now)


@dataclass(frozen=True)
class _Prepared:
    """The attempt to start, made or found again, and what else may still be paid."""

    asked: Asked
    booking: Locked
    is_started: bool
    others: tuple["_Try", ...]


@dataclass(frozen=True)
class _Try:
    """One of a booking's attempts, as far as another one depends on it."""

    id: int
    number: int
    payment_account_id: int
    provider: str
    state: str
    amount_satang: int
    provider_ref: str | None
    created_at: datetime
    expires_at: datetime
    receiver: dict[str, str]


_BOOKING, _DEPARTURE, _ATTEMPT = table_of(Booking), table_of(Departure), table_of(Attempt)
_ACCOUNT = table_of(PaymentAccount)
_TRY: list[Any] = [_ATTEMPT.c[each.name] for each in fields(_Try)[:-1]] + [_ACCOUNT.c.receiver]
_BOOKED: list[Any] = [
    *(_BOOKING.c.guest_name, _BOOKING.c.guest_email, _BOOKING.c.language),
    *(_DEPARTURE.c.begins_at, _DEPARTURE.c.ends_at),
]
_TO_PAY = (  # a row for each of the booking's attempts, or one without
    select(*_BOOKED, *queries.MONEY, *_TRY)
    .join(_DEPARTURE, _DEPARTURE.c.id == _BOOKING.c.departure_id)
    .outerjoin(_ATTEMPT, _ATTEMPT.c.booking_id == _BOOKING.c.id)
    .outerjoin(_ACCOUNT, _ACCOUNT.c.id == _ATTEMPT.c.payment_account_id)
    .where(_BOOKING.c.id == bindparam("wanted"))
    .order_by(_ATTEMPT.c.id)
)
_INSERT = insert(_ATTEMPT).returning(_ATTEMPT.c.id)
_UPDATE = update(_ATTEMPT).where(_ATTEMPT.c.id == bindparam("wanted"))
_LOCK_ACCOUNT = (
    update(_ACCOUNT)
    .where(
        _ACCOUNT.c.community_id == bindparam("community"), _ACCOUNT.c.provider == bindparam("name")
    )
    .values(attempts=_ACCOUNT.c.attempts + 1)
    .returning(_ACCOUNT.c.id, _ACCOUNT.c.receiver, _ACCOUNT.c.is_open)
)


def _prepare(
    session: Session,
    reference: str,
    provider: Provider,
    now: datetime,
    errand: Errand,
    *,
    whole: bool,
) -> _Prepared:
    locked = bookings.lock_by_reference(session, reference)
    booking, tries = _look(session, locked)
    paid = booking.money.paid_satang
    _require_payable(locked, locked.price_satang - paid, now)
    due = (locked.price_satang if whole else locked.needed_satang) - paid
    if due <= 0:
        due = locked.price_satang - paid
    if not booking.guest_name:
        raise DetailsIncomplete(missing=("name",))
    account = lock_account(session, locked.community_id, provider.name)
    if not account.is_open or due < provider.capabilities.least_satang:
        raise MethodClosed(method=provider.name)
    until = _payable_until(locked, booking.ends_at)
    attempt = _find_open(tries, account.id, due, now)
    if attempt is None:
        number = 1 + max((each.number for each in tries), default=0)
        amount = _amount(session, account, provider, due, now)
        attempt = _add(session, locked.id, account, provider.name, number, amount, now, until)
    return_to = errand.return_to.replace("{number}", str(attempt.number))
    asked = Asked(
        attempt_id=attempt.id,
        booking_reference=reference,
        number=attempt.number,
        amount_satang=attempt.amount_satang,
        receiver=account.receiver,
        created_at=attempt.created_at,
        hold_ends_at=attempt.expires_at,
        trip_begins_at=booking.ends_at if locked.state in PAID else booking.begins_at,
        title=errand.title,
        language=booking.language,
        guest_email=booking.guest_email or "",
        return_to=return_to,
    )
    others = tuple(
        each for each in tries if each.id != attempt.id and each.state == AttemptState.PENDING
    )
    return _Prepared(asked, locked, attempt.provider_ref is not None, others)


@dataclass(frozen=True)
class _Booked:
    """A booking's guest, its trip and what was paid for it, as far as paying depends on them."""

    money: Money
    guest_name: str | None
    guest_email: str | None
    language: str
    begins_at: datetime
    ends_at: datetime


def _look(session: Session, locked: Locked) -> tuple[_Booked, list[_Try]]:
    """The booking as its payment depends on it, and its attempts, in one statement."""
    rows: Sequence[Row[Any]] = session.execute(_TO_PAY, {"wanted": locked.id}).all()
    first, own, tries = tuple(rows[0]), len(_BOOKED), len(_BOOKED) + len(queries.MONEY)
    booking = _Booked(Money(*first[own:tries]), *first[:own])
    return booking, [_Try(*row[tries:]) for row in rows if row[tries] is not None]


def _add(
    session: Session,
    booking_id: int,
    account: "Account",
    provider: str,
    number: int,
    amount_satang: int,
    now: datetime,
    expires_at: datetime,
) -> _Try:
    values = {
        "booking_id": booking_id,
        "payment_account_id": account.id,
        "provider": provider,
        "number": number,
        "state": AttemptState.PENDING,
        "amount_satang": amount_satang,
        "qr_payload": "",
        "page_url": "",
        "created_at": now,
        "expires_at": expires_at,
    }
    attempt_id = session.execute(_INSERT, values).scalar_one()
    state = AttemptState.PENDING
    about = (attempt_id, number, account.id, provider, state, amount_satang, None)
    return _Try(*about, now, expires_at, account.receiver)


def _payable_until(booking: Locked, trip_ends_at: datetime) -> datetime:
    """A hold is paid while it lives; what a change added, until the trip is over."""
    return trip_ends_at if booking.state in PAID else booking.held_until


def _require_payable(booking: Locked, due_satang: int, now: datetime) -> None:
    if booking.state == BookingState.CONFIRMED and due_satang > 0:
        return
    if booking.state in PAID or booking.state == BookingState.REQUESTED:
        raise StateForbids(thing="booking", state=booking.state, wanted="paid")
    if booking.state != BookingState.HELD or booking.held_until <= now:
        raise HoldLapsed


@dataclass(frozen=True)
class Account:
    """A community's locked account at a provider."""

    id: int
    receiver: dict[str, str]
    is_open: bool


def lock_account(session: Session, community_id: int, provider: str) -> Account:
    """Lock the community's account at a provider: amounts of open attempts are chosen under it."""
    row = session.execute(
        _LOCK_ACCOUNT, {"community": community_id, "name": provider}
    ).one_or_none()
    if row is None:
        raise MethodClosed(method=provider)
    return Account(*row)


def _find_open(
    tries: Sequence[_Try], account_id: int, due_satang: int, now: datetime
) -> _Try | None:
    """The newest attempt that still asks for what is due now."""
    asking = [
        each
        for each in tries
        if 0 <= each.amount_satang - due_satang <= MOST_EXTRA_SATANG
        and each.payment_account_id == account_id
        and each.state in _OPEN
        and each.expires_at > now
        and (each.provider_ref is not None or each.created_at > now - _BEGUN_AGAIN_FOR)
    ]
    return asking[-1] if asking else None


def _amount(
    session: Session, account: Account, provider: Provider, price: int, now: datetime
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
                    Attempt.created_at > now - AMOUNT_IS_OWN_FOR,
                    Attempt.state == AttemptState.REPORTED,
                ),
            )
        )
    )
    for amount in range(price, price + MOST_EXTRA_SATANG + 1):
        if amount not in taken:
            return amount
    raise MethodClosed(method=provider.name)


def _note_started(
    session: Session, prepared: _Prepared, booking: Locked, started: Started, now: datetime
) -> None:
    """Write down how the guest goes on. A code keeps its hold, but no hold for ever."""
    expires_at = started.expires_at
    if prepared.booking.state == BookingState.HELD:
        longest = max(booking.held_until, booking.created_at + CODES_KEEP_FOR)
        expires_at = min(expires_at, longest)
        if booking.state != BookingState.HELD or booking.held_until <= now:
            raise HoldLapsed
        if expires_at > booking.held_until:
            bookings.extend_hold(session, booking.id, expires_at, now)
    session.execute(
        _UPDATE,
        {
            "wanted": prepared.asked.attempt_id,
            "provider_ref": started.provider_ref,
            "qr_payload": started.qr_payload,
            "page_url": started.page_url,
            "expires_at": expires_at,
        },
    )


def _cancel_others(prepared: _Prepared, providers: Providers, now: datetime) -> None:
    """Give up the booking's other open attempts, so that it is not paid in two ways by mistake."""
    for attempt in prepared.others:
        if attempt.provider_ref and attempt.provider in providers:
            providers[attempt.provider].cancel(attempt.receiver, attempt.provider_ref, now)
    if prepared.others:
        with transaction() as session:
            bookings.lock_booking(session, prepared.booking.id)
            for attempt in prepared.others:
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
