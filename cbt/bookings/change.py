"""Moving a booking to another day, and changing its party and extras: one swap, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from cbt.bookings import queries
from cbt.bookings.claims import follow_with_slots, move_places, with_lapsed_holds_ended
from cbt.bookings.hold import Locked, require_bookable, write_lines
from cbt.bookings.models import Booking
from cbt.bookings.states import LIVE, BookingState, require_step
from cbt.errors import DepartureUnknown, OnRequestOnly, SalesClosed, StateForbids
from cbt.experiences.models import PromoCode
from cbt.experiences.pricing import Discount, Quote, quote, require_pays_costs
from cbt.experiences.queries import get_option

CHANGEABLE = (BookingState.CONFIRMED, BookingState.CHOOSING)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a booking shall be: its departure, {unit: count} and {extra: count}."""

    departure_id: int
    party: Mapping[str, int]
    add_ons: Mapping[str, int] = field(default_factory=dict)


def price_change(session: Session, booking: Locked, wanted: Wanted, now: datetime) -> Quote:
    """What the booking would cost. A step of whoever quotes or changes.

    The party keeps its promotion code. Raises StateForbids for a booking that cannot be changed,
    SalesClosed once its own departure is being prepared, DepartureUnknown for another community's
    departure, OnRequestOnly for another option that is booked on request, or what `hold` raises for the new one.
    """
    if booking.state not in CHANGEABLE:
        raise StateForbids(thing="booking", state=booking.state, wanted="changed")
    own = queries.get_departure(session, booking.departure_id)
    if booking.state == BookingState.CONFIRMED and own.closes_at <= now:
        raise SalesClosed
    departure = queries.get_departure(session, wanted.departure_id)
    if departure.community_id != booking.community_id:
        raise DepartureUnknown
    if wanted.departure_id != booking.departure_id or booking.state == BookingState.CHOOSING:
        require_bookable(departure, now)
    option = get_option(session, departure.option_id)
    if option.request_hours is not None and departure.option_id != own.option_id:
        raise OnRequestOnly
    price_list = option.price_list_on(departure.starts_on)
    price = quote(wanted.party, price_list, wanted.add_ons, _discount(session, booking))
    require_pays_costs(price)
    return price


def _discount(session: Session, booking: Locked) -> Discount | None:
    if booking.promo_code_id is None:
        return None
    promo = session.get_one(PromoCode, booking.promo_code_id)
    return Discount(promo.code, promo.bp, promo.amount_satang, promo.bearer)


def swap(
    session: Session,
    booking: Locked,
    wanted: Wanted,
    price: Quote,
    now: datetime,
    retained_satang: int = 0,
) -> None:
    """Let the booking be what is wanted: places and things of both days move in one change. A step.

    `retained_satang` is what the terms keep of a lower price, beside what they kept before.
    Raises DepartureFull, DepartureGone, DepartureCalledOff or SlotFull; then the transaction must be
    undone, and the booking stays as it was.
    """
    with_lapsed_holds_ended(
        session,
        booking.community_id,
        now,
        (booking.departure_id, wanted.departure_id),
        lambda: _swap(session, booking, wanted, price, retained_satang),
    )


def _swap(
    session: Session, booking: Locked, wanted: Wanted, price: Quote, retained_satang: int
) -> None:
    changes = {booking.departure_id: 0, wanted.departure_id: 0}
    if booking.state in LIVE:
        changes[booking.departure_id] -= booking.places
    changes[wanted.departure_id] += price.places
    departure = queries.get_departure(session, wanted.departure_id)
    move_places(session, changes)
    revision = booking.revision + 1
    write_lines(session, booking.id, revision, price)
    values: dict[str, object] = {
        "departure_id": wanted.departure_id,
        "places": price.places,
        "price_satang": price.price_satang,
        "discount_satang": price.discount_satang,
        "retained_satang": booking.retained_satang + retained_satang,
        "revision": revision,
        "version": booking.version + 1,
        "counts_from": min(booking.counts_from, departure.begins_at),
    }
    if booking.state == BookingState.CHOOSING:  # called off: what was before counts no more
        require_step(booking.state, BookingState.CONFIRMED)
        values |= {
            "state": BookingState.CONFIRMED,
            "counts_from": departure.begins_at,
            "retained_satang": 0,
            "ended_at": None,
            "ended_for": None,
        }
    session.execute(update(Booking).where(Booking.id == booking.id).values(**values))
    follow_with_slots(session, changes)
