"""Taking a guest's cash, on arrival or at the pier: it enters the books like any other money."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.bookings import hold as bookings
from cbt.bookings.hold import Locked
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState, EndReason
from cbt.bookings.tell import tell_guest
from cbt.db import transaction
from cbt.errors import (
    AmountInvalid,
    DetailsIncomplete,
    HoldLapsed,
    NotFound,
    PreviewOutdated,
    StateForbids,
)
from cbt.payments import promises, queries
from cbt.payments.cancel import give_back
from cbt.payments.models import Attempt, CashTaken
from cbt.payments.pay import lock_account
from cbt.payments.provider import AttemptState, Providers
from cbt.payments.providers.cash import cash_ref
from cbt.payments.records import CASH
from cbt.payments.take_in import take_in

_TO_THE_BOOKS = timedelta(minutes=15)
"""How long places are kept at least while money that was taken goes into the books."""


def take_cash(
    community_id: int,
    reference: str,
    person_id: int,
    now: datetime,
    providers: Providers,
    amount_satang: int | None = None,
    *,
    shown_satang: int | None = None,
) -> None:
    """A person of the community took what is due in cash: all of it, or what the deposit lacks.

    What was promised may be written down some days after the trip as well (`promises.py`).
    `shown_satang` is what was due on the page that the person had before them. Raises NotFound,
    MethodClosed where the community has no cash box, StateForbids when nothing is due any more,
    HoldLapsed, DepartureFull or SlotFull when others have its places by now, DetailsIncomplete, PreviewOutdated when another sum is due by now, AmountInvalid; and
    then writes nothing.
    """
    attempt_id, is_first = _write_down(
        community_id, reference, person_id, now, amount_satang, shown_satang
    )
    take_in(attempt_id, providers, now)
    if not is_first:  # taken before, but perhaps cut off before it reached the books
        raise StateForbids(thing="booking", state=BookingState.CONFIRMED, wanted="paid")


def _write_down(
    community_id: int,
    reference: str,
    person_id: int,
    now: datetime,
    amount_satang: int | None,
    shown_satang: int | None,
) -> tuple[int, bool]:
    """Write down what was taken; the attempt, and whether it was not there before."""
    with transaction() as session:
        locked = _lock(session, community_id, reference)
        account = lock_account(session, community_id, CASH)
        unfinished = _find_unfinished(session, locked.id)
        if unfinished is not None:
            return unfinished, False
        paid = queries.get_money(session, locked.id).paid_satang
        due = locked.price_satang - paid
        is_late = _require_due(session, locked, due, now)
        if shown_satang is not None and shown_satang != due:
            raise PreviewOutdated
        amount = due if amount_satang is None else amount_satang
        if amount <= 0 or amount not in (due, locked.needed_satang - paid):
            raise AmountInvalid(amount=amount)
        attempt_id = _attempt(session, locked, account.id, amount, now)
        session.add(
            CashTaken(
                payment_account_id=account.id,
                attempt_id=attempt_id,
                amount_satang=amount,
                taken_by=person_id,
                taken_at=now,
            )
        )
        if is_late:
            bookings.hold_again(session, locked, now + _TO_THE_BOOKS, now)
        elif locked.state == BookingState.HELD:
            bookings.extend_hold(session, locked.id, now + _TO_THE_BOOKS, now)
        return attempt_id, True


def _find_unfinished(session: Session, booking_id: int) -> int | None:
    """An attempt whose cash was taken but has not reached the books."""
    return session.scalar(
        select(Attempt.id)
        .join(CashTaken, CashTaken.attempt_id == Attempt.id)
        .where(Attempt.booking_id == booking_id, Attempt.state != AttemptState.PAID)
    )


def _lock(session: Session, community_id: int, reference: str) -> Locked:
    booking = session.execute(
        select(Booking.id, Booking.community_id).where(Booking.reference == reference)
    ).one_or_none()
    if booking is None or booking.community_id != community_id:
        raise NotFound(thing="booking")
    return bookings.lock_booking(session, booking.id)


def _require_due(session: Session, booking: Locked, due_satang: int, now: datetime) -> bool:
    """Refuse what cannot be paid in cash; whether the hold is over and only its promise counts."""
    is_alive = booking.state == BookingState.HELD and booking.held_until > now
    is_late = not is_alive and _is_late(session, booking, now)
    if booking.state in (BookingState.HELD, BookingState.LAPSED) and not (is_alive or is_late):
        raise HoldLapsed
    if not (is_alive or is_late or booking.state == BookingState.CONFIRMED) or due_satang <= 0:
        raise StateForbids(thing="booking", state=booking.state, wanted="paid")
    if not bookings.has_details(session, booking.id):
        raise DetailsIncomplete(missing=("name",))
    return is_late


def _is_late(session: Session, booking: Locked, now: datetime) -> bool:
    """Whether a hold that is over has a promise that people may still write down."""
    until = promises.recordable_until(session, booking)
    return until is not None and now < until


def _attempt(session: Session, booking: Locked, account_id: int, amount: int, now: datetime) -> int:
    """The guest's own promise of this amount, or an attempt made for it; other promises are over."""
    own = (Attempt.booking_id == booking.id, Attempt.provider == CASH)
    promised = session.scalar(
        select(Attempt.id)
        .where(*own, Attempt.state == AttemptState.REPORTED, Attempt.amount_satang == amount)
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    if promised is not None:
        return promised
    promises.drop_promises(session, booking.id)
    numbers = session.scalars(select(Attempt.number).where(Attempt.booking_id == booking.id))
    ends_at = session.scalar(select(Departure.ends_at).where(Departure.id == booking.departure_id))
    attempt = Attempt(
        booking_id=booking.id,
        payment_account_id=account_id,
        provider=CASH,
        number=1 + max(numbers, default=0),
        state=AttemptState.PENDING,
        amount_satang=amount,
        qr_payload="",
        created_at=now,
        expires_at=ends_at,
    )
    session.add(attempt)
    session.flush()
    attempt.provider_ref = cash_ref(attempt.id)
    return attempt.id


def release_promise(community_id: int, reference: str, now: datetime) -> None:
    """The community gives promised places back, as when the party says that it does not come.

    The guest is told. After the trip, when the places are free already, the party did not come or did
    not pay: the promise is over, and nobody is told. Raises NotFound, or StateForbids where nothing is promised any more.
    """
    with transaction() as session:
        booking = _lock(session, community_id, reference)
        is_waiting = booking.state == BookingState.HELD and booking.held_until > now
        is_promised = promises.is_promised(session, booking.id)
        is_over = booking.state in (BookingState.HELD, BookingState.LAPSED) and not is_waiting
        is_open = is_promised and (is_waiting or is_over)
        if not is_open or _find_unfinished(session, booking.id) is not None:
            raise StateForbids(thing="booking", state=booking.state, wanted="cancelled")
        promises.drop_promises(session, booking.id)
        if is_over:
            return
        bookings.end_booking(session, booking, BookingState.CANCELLED, EndReason.COMMUNITY, now)
        credit = queries.get_money(session, booking.id).paid_satang
        if credit:  # what the guest had put in of a credit comes back as one
            give_back(session, booking, credit, now, as_credit=True)
        key = f"cancelled:{booking.reference}"
        tell_guest(session, booking.id, "booking_cancelled", key, {"amount_satang": credit}, now)
