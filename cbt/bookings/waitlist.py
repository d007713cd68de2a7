"""The waiting list: a party waits together, is offered places in line, and learns why it was passed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings import queries
from cbt.bookings.hold import (
    HoldRequest,
    end_booking,
    hold_places,
    lock_booking,
    require_bookable,
)
from cbt.bookings.line import fit
from cbt.bookings.models import Booking, Departure, WaitingParty
from cbt.bookings.records import WaitingCard
from cbt.bookings.states import (
    PAID,
    WAITING,
    BookingState,
    DepartureState,
    EndReason,
    WaitState,
)
from cbt.bookings.tell import tell_party
from cbt.db import db, transaction
from cbt.errors import CbtError, DetailsIncomplete, NotFound
from cbt.experiences.pricing import quote, require_pays_costs
from cbt.experiences.queries import get_option

OFFER_FOR = timedelta(hours=12)
MOST_OFFERS = 2

PolicyFor = Callable[[Session, int, datetime], int]
"""Gives the split policy in force of a community: handed in, since policies live in an upper room."""


@dataclass(frozen=True, kw_only=True)
class Joining:
    """A party that wants to wait; `least` places are enough for it if it agreed to a part."""

    departure_id: int
    party: Mapping[str, int]
    least: int
    language: str
    request_key: str
    name: str
    email: str
    phone: str


def join(joining: Joining, now: datetime) -> int:
    """Take a party into the line; return its id. Asking again returns the same.

    Raises DetailsIncomplete without a name and a way to reach it, DepartureGone, SalesClosed,
    DepartureCalledOff, or what `pricing.quote` raises.
    """
    if not joining.name or not (joining.email or joining.phone):
        raise DetailsIncomplete(missing=("name", "contact"))
    try:
        return _join_once(joining, now)
    except IntegrityError:  # another request with the same key was quicker
        return _join_once(joining, now)


def _join_once(joining: Joining, now: datetime) -> int:
    with transaction() as session:
        known = select(WaitingParty.id).where(WaitingParty.request_key == joining.request_key)
        earlier = session.scalar(known)
        if earlier is not None:
            return earlier
        departure = queries.get_departure(session, joining.departure_id)
        require_bookable(departure, now)
        option = get_option(session, departure.option_id)
        price = quote(joining.party, option.price_list_on(departure.starts_on))
        require_pays_costs(price)
        party = WaitingParty(
            request_key=joining.request_key,
            departure_id=departure.id,
            community_id=departure.community_id,
            party={unit: count for unit, count in joining.party.items() if count},
            places=price.places,
            least=min(price.places, max(1, joining.least)),
            state=WaitState.WAITING,
            language=joining.language,
            name=joining.name,
            email=joining.email or None,
            phone=joining.phone or None,
            joined_at=now,
        )
        session.add(party)
        session.flush()
        facts: dict[str, object] = {"departure_id": departure.id, "waiting_id": party.id}
        tell_party(session, party, "waiting_joined", f"waiting_joined:{party.id}", facts, now)
        return party.id


def leave(party_id: int, now: datetime) -> None:
    """A party does not want to wait any more; once it waits no longer, nothing changes.

    Places that were offered to it and are not paid for are free again at once. Raises NotFound.
    """
    with transaction() as session:
        party = session.get(WaitingParty, party_id)
        if party is None:
            raise NotFound(thing="waiting")
        if party.state == WaitState.OFFERED and party.booking_id is not None:
            offered = lock_booking(session, party.booking_id)
            if offered.state in WAITING:
                end_booking(session, offered, BookingState.CANCELLED, EndReason.GUEST, now)
        session.execute(
            update(WaitingParty)
            .where(
                WaitingParty.id == party_id,
                WaitingParty.state.in_((WaitState.WAITING, WaitState.OFFERED)),
            )
            .values(state=WaitState.LEFT)
        )


# --- offering ------------------------------------------------------------------------------------


def offer_places(policy_for: PolicyFor, now: datetime) -> int:
    """Offer free places to those in line, in its order. Returns how many offers were made."""
    session = db.session()
    _follow_offers(now)
    waiting = session.scalars(
        select(WaitingParty.departure_id)
        .join(Departure, Departure.id == WaitingParty.departure_id)
        .where(
            WaitingParty.state == WaitState.WAITING,
            Departure.state == DepartureState.OPEN,
            Departure.closes_at > now,
        )
        .distinct()
        .order_by(WaitingParty.departure_id)
    ).all()
    session.rollback()
    return sum(_offer_of(departure_id, policy_for, now) for departure_id in waiting)


def _follow_offers(now: datetime) -> None:
    """Let parties follow the bookings that were offered to them, and end lines that are over."""
    with transaction() as session:
        rows = session.execute(
            select(WaitingParty.id, Booking.state)
            .join(Booking, Booking.id == WaitingParty.booking_id)
            .where(
                or_(
                    (WaitingParty.state == WaitState.OFFERED) & Booking.state.not_in(WAITING),
                    # paid for late, when the party stood in line again
                    (WaitingParty.state == WaitState.WAITING) & Booking.state.in_(PAID),
                )
            )
            .order_by(WaitingParty.id)
        ).all()
        for party_id, state in rows:
            values: dict[str, object] = {"state": WaitState.BOOKED}
            if state not in PAID:
                values = {
                    "state": WaitState.WAITING,
                    "offers": WaitingParty.offers + 1,
                    "passed_at": now,
                    "passed_for": "not_taken",
                }
            session.execute(
                update(WaitingParty).where(WaitingParty.id == party_id).values(**values)
            )
        over = select(Departure.id).where(
            (Departure.closes_at <= now)
            | Departure.state.in_((DepartureState.CALLED_OFF, DepartureState.SETTLED))
        )
        session.execute(
            update(WaitingParty)
            .where(WaitingParty.state == WaitState.WAITING, WaitingParty.departure_id.in_(over))
            .values(state=WaitState.OVER)
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(WaitingParty)
            .where(WaitingParty.state == WaitState.WAITING, WaitingParty.offers >= MOST_OFFERS)
            .values(state=WaitState.LEFT)
        )


def _offer_of(departure_id: int, policy_for: PolicyFor, now: datetime) -> int:
    """Go down the line of one departure as long as anybody fits."""
    offers = 0
    for party in list_line(db.session(), departure_id):
        db.session.rollback()
        offers += _offer(party, policy_for, now)
    return offers


def _offer(party: WaitingCard, policy_for: PolicyFor, now: datetime) -> bool:
    """Offer places to one party, or note why it was passed."""
    try:
        with transaction() as session:
            return _hold_for(session, party, policy_for, now)
    except CbtError:  # somebody was quicker, a thing has no room, the prices are others by now
        return False


def _hold_for(session: Session, party: WaitingCard, policy_for: PolicyFor, now: datetime) -> bool:
    current = session.scalar(
        update(WaitingParty)
        .where(WaitingParty.id == party.id, WaitingParty.state == WaitState.WAITING)
        .values(state=WaitState.WAITING)
        .returning(WaitingParty.offers)
    )
    if current is None:
        return False
    departure = queries.get_departure(session, party.departure_id)
    option = get_option(session, departure.option_id)
    price_list = option.price_list_on(departure.starts_on)
    wanted = fit(party.party, price_list, departure.free, party.least)
    if wanted is None:
        _pass_over(session, party, departure.free, now)
        return False
    request = HoldRequest(
        departure_id=party.departure_id,
        party=wanted,
        policy_version_id=policy_for(session, party.community_id, now),
        language=party.language,
        request_key=f"waiting:{party.id}:{current}",
        hold_for=OFFER_FOR,
    )
    reference = hold_places(session, request, now)
    booking_id = session.scalar(select(Booking.id).where(Booking.reference == reference))
    session.execute(
        update(Booking)
        .where(Booking.id == booking_id)
        .values(guest_name=party.name, guest_email=party.email, guest_phone=party.phone)
    )
    session.execute(
        update(WaitingParty)
        .where(WaitingParty.id == party.id)
        .values(state=WaitState.OFFERED, booking_id=booking_id)
    )
    key = f"offer:{party.id}:{current}"
    tell_party(session, party, "places_offered", key, {"reference": reference}, now)
    return True


def _pass_over(session: Session, party: WaitingCard, free: int, now: datetime) -> None:
    """Note why others may come first: the party is told on its page."""
    if free > 0:
        session.execute(
            update(WaitingParty)
            .where(WaitingParty.id == party.id)
            .values(passed_at=now, passed_for=f"too_few:{free}")
        )


# --- reading -------------------------------------------------------------------------------------


def list_line(session: Session, departure_id: int) -> list[WaitingCard]:
    """Those who still wait for a departure, in line; who let an offer pass stands at its end."""
    parties = session.scalars(
        select(WaitingParty)
        .where(WaitingParty.departure_id == departure_id, WaitingParty.state == WaitState.WAITING)
        .order_by(WaitingParty.offers, WaitingParty.id)
    )
    return [_card(party, place) for place, party in enumerate(parties, start=1)]


def get_waiting(session: Session, party_id: int) -> WaitingCard:
    """A party with its place in line (0 once it waits no more). Raises NotFound."""
    party = session.get(WaitingParty, party_id)
    if party is None:
        raise NotFound(thing="waiting")
    ahead = 0
    if party.state == WaitState.WAITING:
        ahead = 1 + (
            session.scalar(
                select(func.count()).where(
                    WaitingParty.departure_id == party.departure_id,
                    WaitingParty.state == WaitState.WAITING,
                    (WaitingParty.offers < party.offers)
                    | ((WaitingParty.offers == party.offers) & (WaitingParty.id < party.id)),
                )
            )
            or 0
        )
    return _card(party, ahead)


def _card(party: WaitingParty, place: int) -> WaitingCard:
    return WaitingCard(
        party.id,
        party.departure_id,
        party.community_id,
        party.party,
        party.places,
        party.least,
        WaitState(party.state),
        party.language,
        party.name,
        party.email,
        party.phone,
        party.joined_at,
        party.booking_id,
        party.passed_at,
        party.passed_for,
        place,
    )


def end_line(session: Session, departure_id: int, now: datetime) -> None:
    """Nobody waits for a departure that does not run; those with an address are told. A step."""
    parties = session.scalars(
        select(WaitingParty).where(
            WaitingParty.departure_id == departure_id,
            WaitingParty.state.in_((WaitState.WAITING, WaitState.OFFERED)),
        )
    ).all()
    for party in parties:
        party.state = WaitState.OVER
        facts: dict[str, object] = {"departure_id": departure_id}
        tell_party(session, party, "waiting_over", f"waiting_over:{party.id}", facts, now)
    session.flush()
