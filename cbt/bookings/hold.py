"""From hold to confirmation: the one verb by which every channel takes places."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import islice
from typing import NoReturn

from sqlalchemy import Executable, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings import queries, terms
from cbt.bookings.claims import (
    any_overdue,
    follow_with_slots,
    lapse,
    lapse_every,
    move_places,
    reclaim_places,
    with_lapsed_holds_ended,
)
from cbt.bookings.models import Booking, BookingAddOn, BookingCost, BookingLine, Departure
from cbt.bookings.records import DepartureCard
from cbt.bookings.references import references
from cbt.bookings.states import LIVE, WAITING, BookingState, DepartureState, EndReason, require_step
from cbt.bookings.tell import tell_guest
from cbt.db import table_of, transaction
from cbt.errors import (
    BookingChanged,
    CodeNotValid,
    DepartureCalledOff,
    DepartureFull,
    DepartureGone,
    DepartureUnknown,
    DetailsIncomplete,
    ExtensionUsed,
    HoldLapsed,
    NotFound,
    SalesClosed,
    SlotFull,
    StateForbids,
)
from cbt.experiences.models import PromoCode
from cbt.experiences.pricing import Discount, Quote, quote, require_pays_costs
from cbt.experiences.queries import OPTIONS, fold_options, get_promo
from cbt.experiences.records import OptionCard

HOLD_FOR = timedelta(minutes=30)
EXTEND_BY = timedelta(minutes=15)
AGREED_FOR = timedelta(hours=24)
"""How long a party may take to pay after the community agreed to its request, or a host noted it."""

_BOOKING, _DEPARTURE = table_of(Booking), table_of(Departure)
_DEPARTURE_FIELDS = [each.name for each in fields(DepartureCard) if each.name != "limits"]
_LOCK_BOOKINGS_OF = (
    select(_BOOKING.c.id)
    .where(_BOOKING.c.departure_id.in_(bindparam("departures", expanding=True)))
    .order_by(_BOOKING.c.id)
    .with_for_update()
)
_LOCK_DEPARTURES = (
    select(_DEPARTURE.c.id)
    .where(_DEPARTURE.c.id.in_(bindparam("departures", expanding=True)))
    .order_by(_DEPARTURE.c.id)
    .with_for_update()
)
_INSERT = insert(_BOOKING).returning(_BOOKING.c.id)
_INSERT_LINES = insert(table_of(BookingLine))
_INSERT_ADD_ONS = insert(table_of(BookingAddOn))
_INSERT_COSTS = insert(table_of(BookingCost))
_UPDATE = update(_BOOKING).where(_BOOKING.c.id == bindparam("wanted"))
_WANTED = (  # all that a hold looks at before it claims
    OPTIONS.join(_DEPARTURE, _DEPARTURE.c.option_id == OPTIONS.selected_columns.option_id)
    .add_columns(
        *(_DEPARTURE.c[each] for each in _DEPARTURE_FIELDS),
        select(_BOOKING.c.id)
        .where(
            (_BOOKING.c.request_key == bindparam("key"))
            | (_BOOKING.c.reference == bindparam("reference"))
        )
        .exists()
        .label("is_taken"),
        any_overdue(_DEPARTURE.c.community_id).label("is_overdue"),
    )
    .where(_DEPARTURE.c.id == bindparam("wanted"))
)
_TAKEN = select(_BOOKING.c.reference, _BOOKING.c.request_key).where(
    (_BOOKING.c.request_key == bindparam("key"))
    | _BOOKING.c.reference.in_(bindparam("tries", expanding=True))
)


# --- hold ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class HoldRequest:
    """What a guest asks for. `request_key` is made by the form, so that a double submit is one.

    `by_host` is a booking that a host notes down, at the pier or on the telephone: it may come after
    the cut-off. `hold_for` gives another time than usual, as an offer from the waiting list does.
    """

    departure_id: int
    party: Mapping[str, int]
    policy_version_id: int
    language: str
    request_key: str
    add_ons: Mapping[str, int] = field(default_factory=dict)
    promo_code: str = ""
    by_host: bool = False
    hold_for: timedelta | None = None


def hold(request: HoldRequest, now: datetime) -> str:
    """Hold places and return the booking's reference; asking again returns the same.

    The price, the terms and the split policy are frozen from here on. Where the option is booked on
    request, the places are claimed all the same until the community has answered. Raises
    DepartureUnknown, DepartureGone, DepartureCalledOff, SalesClosed, DepartureFull, SlotFull,
    CodeNotValid, or what `pricing.quote` raises, and then writes nothing.
    """
    try:
        return _hold_once(request, now)
    except IntegrityError:  # another won the race for this key, or for this reference
        return _hold_once(request, now)


def _hold_once(request: HoldRequest, now: datetime) -> str:
    with transaction() as session:
        return hold_places(session, request, now)


def hold_places(session: Session, request: HoldRequest, now: datetime) -> str:
    """The same inside somebody's transaction. A step."""
    reference = next(references(request.request_key))
    wanted = _look(session, request, reference, now)
    if wanted.is_taken:
        reference, is_known = _reference_for(session, request.request_key)
        if is_known:
            return reference
    departure, option = wanted.departure, wanted.option
    require_bookable(departure, now, by_host=request.by_host)
    promo_id, discount = _lock_promo(session, departure, request.promo_code)
    price = quote(
        request.party, option.price_list_on(departure.starts_on), request.add_ons, discount
    )
    require_pays_costs(price)
    new = _New(reference, departure, option, price, promo_id, discount)
    return with_lapsed_holds_ended(
        session,
        departure.community_id,
        now,
        [departure.id],
        lambda: _claim_and_write(session, request, new, now),
        is_overdue=wanted.is_overdue,
    )


@dataclass(frozen=True)
class _Wanted:
    """What is asked for as it stands, without the room that shared things leave.

    `is_taken` says that this request, or another by chance, has the first reference to try.
    """

    departure: DepartureCard
    option: OptionCard
    is_taken: bool
    is_overdue: bool


def _look(session: Session, request: HoldRequest, reference: str, now: datetime) -> _Wanted:
    """Departure, option and prices, and what else decides how to hold, in one statement."""
    values = {
        "wanted": request.departure_id,
        "key": request.request_key,
        "reference": reference,
        "now": now,
    }
    rows = session.execute(_WANTED, values).all()
    if not rows:
        raise DepartureUnknown
    first = rows[0]
    departure = DepartureCard(*(getattr(first, each) for each in _DEPARTURE_FIELDS))
    return _Wanted(departure, fold_options(rows)[0], first.is_taken, first.is_overdue)


def require_bookable(departure: DepartureCard, now: datetime, *, by_host: bool = False) -> None:
    """Raise DepartureCalledOff, DepartureGone or SalesClosed unless guests can still be taken."""
    if departure.state == DepartureState.CALLED_OFF:
        raise DepartureCalledOff
    last = departure.ends_at if by_host else departure.begins_at
    if last <= now or departure.state != DepartureState.OPEN:
        raise DepartureGone
    if departure.closes_at <= now and not by_host:
        raise SalesClosed


@dataclass(frozen=True)
class _New:
    """What a new booking is made from."""

    reference: str
    departure: DepartureCard
    option: OptionCard
    price: Quote
    promo_id: int | None
    discount: Discount | None


def _lock_promo(
    session: Session, departure: DepartureCard, code: str
) -> tuple[int | None, Discount | None]:
    """Lock a code by writing it first, then count its uses, so that the last one is used once."""
    if not code.strip():
        return None, None
    promo = get_promo(session, departure.community_id, code, departure.starts_on)
    session.execute(
        update(PromoCode).where(PromoCode.id == promo.id).values(most_uses=PromoCode.most_uses)
    )
    uses = session.scalar(
        select(func.count()).where(Booking.promo_code_id == promo.id, Booking.state.in_(LIVE))
    )
    if (uses or 0) >= promo.most_uses:
        raise CodeNotValid(code=promo.code)
    return promo.id, Discount(promo.code, promo.bp, promo.amount_satang, promo.bearer)


def _claim_and_write(session: Session, request: HoldRequest, new: _New, now: datetime) -> str:
    departure, option, price = new.departure, new.option, new.price
    move_places(session, {departure.id: price.places})
    is_offer = request.by_host or request.hold_for is not None  # the community's own doing
    is_request = option.request_hours is not None and not is_offer
    booking_id = session.execute(
        _INSERT,
        {
            "reference": new.reference,
            "request_key": request.request_key,
            "community_id": departure.community_id,
            "departure_id": departure.id,
            "policy_version_id": request.policy_version_id,
            "promo_code_id": new.promo_id,
            "state": BookingState.REQUESTED if is_request else BookingState.HELD,
            "revision": 1,
            "version": 1,
            "held_until": _held_until(request, new, now),
            "is_extended": False,
            "created_at": now,
            "language": request.language,
            "places": price.places,
            "price_satang": price.price_satang,
            "discount_satang": price.discount_satang,
            "discount_bearer": new.discount.bearer if new.discount else None,
            "counts_from": departure.begins_at,
            "terms": option.terms or terms.canonical(terms.DEFAULT),
        },
    ).scalar_one()
    write_lines(session, booking_id, 1, price)
    follow_with_slots(session, [departure.id])
    return new.reference


def _held_until(request: HoldRequest, new: _New, now: datetime) -> datetime:
    begins_at = new.departure.begins_at
    if request.by_host:
        return max(now + HOLD_FOR, min(now + AGREED_FOR, begins_at))
    if request.hold_for is not None:
        return min(now + request.hold_for, begins_at)
    if new.option.request_hours is not None:
        return min(now + timedelta(hours=new.option.request_hours), begins_at)
    return min(now + HOLD_FOR, begins_at)


def write_lines(session: Session, booking_id: int, revision: int, price: Quote) -> None:
    """Freeze a price into a booking's revision: its units, extras and outside costs. A step."""
    about = {"booking_id": booking_id, "revision": revision}
    session.execute(
        _INSERT_LINES,
        [
            {
                **about,
                "line": number,
                "unit": line.unit,
                "quantity": line.quantity,
                "price_satang": line.price_satang,
                "places": line.places,
            }
            for number, line in enumerate(price.lines, start=1)
        ],
    )
    if price.add_ons:
        session.execute(
            _INSERT_ADD_ONS,
            [
                {
                    **about,
                    "line": number,
                    "code": extra.code,
                    "quantity": extra.quantity,
                    "price_satang": extra.price_satang,
                }
                for number, extra in enumerate(price.add_ons, start=1)
            ],
        )
    if price.costs:
        session.execute(
            _INSERT_COSTS,
            [
                {**about, "line": number, "code": cost.code, "amount_satang": cost.amount_satang}
                for number, cost in enumerate(price.costs, start=1)
            ],
        )


def _reference_for(session: Session, request_key: str) -> tuple[str, bool]:
    """The reference of the booking that this key made before, or a free one; and whether it was."""
    tries = list(islice(references(request_key), 8))
    rows = session.execute(_TAKEN, {"key": request_key, "tries": tries}).all()
    for row in rows:
        if row.request_key == request_key:
            return str(row.reference), True
    taken = {row.reference for row in rows}
    return next(reference for reference in tries if reference not in taken), False


# --- a request, answered -------------------------------------------------------------------------


def agree_to_request(community_id: int, reference: str, now: datetime) -> None:
    """The community agrees: the places stay claimed while the party pays, and it is told.

    Raises NotFound, StateForbids when it was answered or withdrawn before, HoldLapsed when too late.
    """
    with transaction() as session:
        booking = _lock_own(session, community_id, reference)
        require_step(booking.state, BookingState.HELD)
        if booking.held_until <= now:
            raise HoldLapsed
        begins_at = queries.get_departure(session, booking.departure_id).begins_at
        session.execute(
            update(Booking)
            .where(Booking.id == booking.id)
            .values(
                state=BookingState.HELD,
                held_until=min(now + AGREED_FOR, begins_at),
                version=Booking.version + 1,
            )
        )
        tell_guest(session, booking.id, "request_agreed", f"request_agreed:{booking.id}", {}, now)


def decline_request(community_id: int, reference: str, now: datetime) -> None:
    """The community cannot take the party: its places come back, and it is told.

    Raises NotFound, or StateForbids when it was answered or withdrawn before.
    """
    with transaction() as session:
        booking = _lock_own(session, community_id, reference)
        require_step(booking.state, BookingState.DECLINED)
        end_booking(session, booking, BookingState.DECLINED, EndReason.COMMUNITY, now)
        key = f"request_declined:{booking.id}"
        tell_guest(session, booking.id, "request_declined", key, {}, now)


def _lock_own(session: Session, community_id: int, reference: str) -> "Locked":
    row = session.execute(
        select(Booking.id, Booking.community_id).where(Booking.reference == reference)
    ).one_or_none()
    if row is None or row.community_id != community_id:
        raise NotFound(thing="booking")
    return lock_booking(session, row.id)


# --- the end of a hold ---------------------------------------------------------------------------


def lapse_overdue_holds(now: datetime) -> int:
    """End every hold and request whose time is over and give its places back. Returns how many."""
    with transaction() as session:
        freed = lapse(session, now)
        for each in freed:
            if each.state == BookingState.REQUESTED:
                key = f"request_lapsed:{each.id}"
                tell_guest(session, each.id, "request_lapsed", key, {}, now)
        return len(freed)


def extend_hold(session: Session, booking_id: int, until: datetime, now: datetime) -> None:
    """Keep a living hold at least `until`. Raises HoldLapsed when it is over already. A step."""
    booking = lock_booking(session, booking_id)
    if booking.state != BookingState.HELD or booking.held_until <= now:
        raise HoldLapsed
    if until > booking.held_until:
        session.execute(update(Booking).where(Booking.id == booking_id).values(held_until=until))


def hold_again(session: Session, booking: "Locked", until: datetime, now: datetime) -> None:
    """Hold the places of a booking whose time was over once more, for money that is there. A step.

    Raises DepartureFull or SlotFull when others have them, DepartureGone or DepartureCalledOff.
    """
    values = {"state": BookingState.HELD, "held_until": until}
    if booking.state == BookingState.HELD:  # nobody has swept it yet
        session.execute(update(Booking).where(Booking.id == booking.id).values(values))
        return
    require_step(booking.state, BookingState.HELD)

    def claim() -> None:
        reclaim_places(session, booking.departure_id, booking.places)
        session.execute(update(Booking).where(Booking.id == booking.id).values(values))
        follow_with_slots(session, [booking.departure_id])

    with_lapsed_holds_ended(session, booking.community_id, now, [booking.departure_id], claim)


def extend_once(reference: str, now: datetime) -> None:
    """Give the guest EXTEND_BY more, once. Raises HoldLapsed, ExtensionUsed or NotFound."""
    with transaction() as session:
        booking = lock_by_reference(session, reference)
        if booking.state != BookingState.HELD or booking.held_until <= now:
            raise HoldLapsed
        if booking.is_extended:
            raise ExtensionUsed
        begins_at = queries.get_departure(session, booking.departure_id).begins_at
        until = min(booking.held_until + EXTEND_BY, begins_at)
        session.execute(
            update(Booking)
            .where(Booking.id == booking.id)
            .values(is_extended=True, held_until=max(booking.held_until, until))
        )


# --- the guest's details -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Details:
    """Who comes and how to reach them; needs only with consent to keep them until after the trip.

    `follow_up`: they want one mail about what their visit paid for.
    """

    name: str
    email: str
    phone: str
    food_needs: str
    access_needs: str
    consent: bool
    follow_up: bool = False


_SAVE_DETAILS = (
    update(_BOOKING)
    .where(
        _BOOKING.c.reference == bindparam("wanted"),
        (_BOOKING.c.state == BookingState.CONFIRMED)
        | or_(*(_BOOKING.c.state == state for state in WAITING))
        & (_BOOKING.c.held_until > bindparam("now")),
    )
    .values(
        {
            each: bindparam(each)
            for each in (
                *("guest_name", "guest_email", "guest_phone"),
                *("food_needs", "access_needs", "needs_consent_at", "follow_up_agreed_at"),
            )
        }
    )
    .returning(_BOOKING.c.id)
)


def save_details(reference: str, details: Details, now: datetime) -> None:
    """Write the guest's details into a booking that is held, requested or confirmed.

    Raises DetailsIncomplete, HoldLapsed, or StateForbids once the trip is over or called off.
    """
    _require_complete(details)
    values = {
        "wanted": reference,
        "now": now,
        "guest_name": details.name,
        "guest_email": details.email or None,
        "guest_phone": details.phone or None,
        "food_needs": details.food_needs or None,
        "access_needs": details.access_needs or None,
        "needs_consent_at": now if details.consent else None,
        "follow_up_agreed_at": now if details.follow_up and details.email else None,
    }
    with transaction() as session:
        if session.scalar(_SAVE_DETAILS, values) is None:
            _refuse_details(lock_by_reference(session, reference))


def _refuse_details(booking: "Locked") -> NoReturn:
    if booking.state in (BookingState.LAPSED, *WAITING):  # it is not waiting any more
        raise HoldLapsed
    raise StateForbids(thing="booking", state=booking.state, wanted="details")


def _require_complete(details: Details) -> None:
    missing = []
    if not details.name:
        missing.append("name")
    if not details.email and not details.phone:
        missing.append("contact")
    if (details.food_needs or details.access_needs) and not details.consent:
        missing.append("consent")
    if missing:
        raise DetailsIncomplete(missing=tuple(missing))


# --- locking, confirming, ending (steps of upper rooms) ------------------------------------------


@dataclass(frozen=True)
class Locked:
    """A booking as it stands once its row was locked."""

    id: int
    reference: str
    state: BookingState
    held_until: datetime
    created_at: datetime
    departure_id: int
    community_id: int
    places: int
    price_satang: int
    retained_satang: int
    revision: int
    version: int
    is_extended: bool
    terms: str
    counts_from: datetime
    promo_code_id: int | None

    @property
    def needed_satang(self) -> int:
        """What must be paid before it is confirmed: its price, or the deposit that its terms ask."""
        return terms.deposit_satang(terms.parse(self.terms), self.price_satang)


_LOCK = (
    update(_BOOKING)
    .values(state=_BOOKING.c.state)
    .returning(*(_BOOKING.c[each.name] for each in fields(Locked)))
)
_LOCK_BY_ID = _LOCK.where(_BOOKING.c.id == bindparam("wanted"))
_LOCK_BY_REFERENCE = _LOCK.where(_BOOKING.c.reference == bindparam("wanted"))
_CONFIRM = _UPDATE.values(
    state=BookingState.CONFIRMED, confirmed_at=bindparam("at"), version=_BOOKING.c.version + 1
)


def lock_booking(session: Session, booking_id: int) -> Locked:
    """Lock a booking by writing it first, then tell how it stands."""
    return _lock(session, _LOCK_BY_ID, booking_id)


def _lock(session: Session, statement: Executable, wanted: int | str) -> Locked:
    row = session.execute(statement, {"wanted": wanted}).one_or_none()
    if row is None:
        raise NotFound(thing="booking")
    return Locked(row[0], row[1], BookingState(row[2]), *row[3:])


def lock_by_reference(session: Session, reference: str, version: int | None = None) -> Locked:
    """The same by what stands on the voucher.

    With the `version` that a page showed, raises BookingChanged when it is another by now.
    """
    booking = _lock(session, _LOCK_BY_REFERENCE, reference)
    if version is not None and booking.version != version:
        raise BookingChanged
    return booking


def has_details(session: Session, booking_id: int) -> bool:
    """Whether the guest has said who comes, without which nothing is paid."""
    return bool(session.scalar(select(Booking.guest_name).where(Booking.id == booking_id)))


def confirm(
    session: Session,
    booking: Locked,
    now: datetime,
    paid_at: datetime | None = None,
    *,
    was_promised: bool = False,
) -> bool:
    """Confirm a paid booking; a lapsed one claims its places again, if it was paid before the start.

    Cash that `was_promised` before the start is paid on the trip, so for it that does not count.
    False when there is no place for it. Raises StateForbids for one that is confirmed already, or
    that the community has not agreed to. A step.
    """
    require_step(booking.state, BookingState.CONFIRMED)
    if booking.state == BookingState.LAPSED:
        begins_at = queries.get_departure(session, booking.departure_id).begins_at
        is_in_time = was_promised or begins_at > (paid_at or now)
        return is_in_time and _claim_again(session, booking, now, was_promised=was_promised)
    _mark_confirmed(session, booking, now)
    return True


def _mark_confirmed(session: Session, booking: Locked, now: datetime) -> None:
    session.execute(_CONFIRM, {"wanted": booking.id, "at": now})


def _claim_again(session: Session, booking: Locked, now: datetime, *, was_promised: bool) -> bool:
    """Claim for a lapsed booking and confirm it, or leave everything as it was."""

    def claim() -> None:
        if was_promised:
            reclaim_places(session, booking.departure_id, booking.places)
        else:
            move_places(session, {booking.departure_id: booking.places})
        _mark_confirmed(session, booking, now)  # first: slots follow live bookings' extras
        follow_with_slots(session, [booking.departure_id])

    try:
        with session.begin_nested():
            with_lapsed_holds_ended(
                session, booking.community_id, now, [booking.departure_id], claim
            )
    except (DepartureFull, SlotFull, DepartureGone, DepartureCalledOff):
        return False
    return True


def claim_with_slots(session: Session, changes: Mapping[int, int]) -> None:
    """Move places, and the slots with them. A step."""
    move_places(session, changes)
    follow_with_slots(session, changes)


def end_booking(
    session: Session, booking: Locked, state: BookingState, reason: EndReason, now: datetime
) -> None:
    """End a live booking and give back exactly what it took, in one change. A step."""
    mark_ended(session, booking, state, reason, now)
    if booking.state in LIVE:
        claim_with_slots(session, {booking.departure_id: -booking.places})


def mark_ended(
    session: Session, booking: Locked, state: BookingState, reason: EndReason, now: datetime
) -> None:
    """End a booking whose places the caller gives back in the same change. A step.

    A guest who chooses after a call-off does not change why it was called off.
    """
    why = Booking.ended_for if booking.state == BookingState.CHOOSING else reason
    session.execute(
        update(Booking)
        .where(Booking.id == booking.id)
        .values(state=state, ended_at=now, ended_for=why, version=Booking.version + 1)
    )


def close_departures(session: Session, departure_ids: Collection[int]) -> None:
    """Mark departures and their confirmed bookings as settled. Raises StateForbids. A step.

    Their bookings are locked first, as whoever takes in their money does, and whatever is still held
    ends: a payment is either in before the split, or too late and goes back.
    """
    for statement in (_LOCK_BOOKINGS_OF, _LOCK_DEPARTURES):
        session.execute(statement, {"departures": departure_ids})
    lapse_every(session, departure_ids)
    closed = session.execute(
        update(_DEPARTURE)
        .where(_DEPARTURE.c.id.in_(departure_ids), _DEPARTURE.c.state != DepartureState.SETTLED)
        .values(state=DepartureState.SETTLED)
        .returning(_DEPARTURE.c.id)
    ).all()
    if len(closed) < len(departure_ids):
        raise StateForbids(thing="departure", state="settled", wanted="settled")
    session.execute(
        update(_BOOKING)
        .where(
            _BOOKING.c.departure_id.in_(departure_ids), _BOOKING.c.state == BookingState.CONFIRMED
        )
        .values(state=BookingState.SETTLED)
    )
