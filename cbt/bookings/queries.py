"""Reading departures and bookings."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Table, bindparam, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from cbt.bookings.availability import Limit
from cbt.bookings.models import (
    Booking,
    BookingAddOn,
    BookingCost,
    BookingLine,
    Departure,
    Need,
    Slot,
    SlotClaim,
    Thing,
)
from cbt.bookings.parts import Part
from cbt.bookings.records import (
    BookingCard,
    DepartureCard,
    Found,
    Guest,
    NeedCard,
    OptionHours,
    OptionName,
    PriceParts,
    RestCard,
    SlotCard,
    ThingCard,
    TripCard,
)
from cbt.bookings.states import LIVE, BookingState, DepartureState
from cbt.bookings.things import ThingKind
from cbt.communities.models import Community, RestDay
from cbt.communities.records import CommunityCard
from cbt.db import Condition, Query, columns, table_of
from cbt.errors import DepartureUnknown, NotFound
from cbt.experiences.models import Experience, Option
from cbt.experiences.pricing import AddOnLine, CostLine, OutsideCost, PriceLine, Unit
from cbt.experiences.queries import lowest_price
from cbt.experiences.records import Teaser
from cbt.experiences.schedule import Existing

# --- departures ----------------------------------------------------------------------------------

# Of tables instead of models: pages and bookings run through these, and models cost them twice.
_DEPARTURE, _OPTION, _EXPERIENCE = table_of(Departure), table_of(Option), table_of(Experience)
_BOOKING, _COMMUNITY = table_of(Booking), table_of(Community)
_SLOT, _CLAIMED, _NEED = table_of(Slot), table_of(SlotClaim), table_of(Need)
_DEPARTURE_CARD: list[Any] = [
    _DEPARTURE.c.id,
    _DEPARTURE.c.option_id,
    _DEPARTURE.c.community_id,
    _DEPARTURE.c.starts_on,
    _DEPARTURE.c.starts_at,
    _DEPARTURE.c.begins_at,
    _DEPARTURE.c.ends_at,
    _DEPARTURE.c.closes_at,
    _DEPARTURE.c.decide_at,
    _DEPARTURE.c.min_to_run,
    _DEPARTURE.c.capacity,
    _DEPARTURE.c.claimed,
    _DEPARTURE.c.state,
]
_SPARE = case(
    ((_SLOT.c.blocked == 0) & _SLOT.c.is_closed.is_(False), _SLOT.c.capacity - _SLOT.c.claimed),
    else_=0,
)


def list_departures(
    session: Session, option_ids: Iterable[int], starts_on: date, ends_before: date
) -> list[DepartureCard]:
    """Departures with the room that their shared things leave them. One statement."""
    values = {"options": list(option_ids), "first": starts_on, "end": ends_before}
    return _cards_of(session.execute(_ROOM_OF_OPTIONS, values))


_ROOM = (
    select(*_DEPARTURE_CARD, _CLAIMED.c.units, _SPARE, _NEED.c.per_places, _NEED.c.units)
    .outerjoin(_CLAIMED, _CLAIMED.c.departure_id == _DEPARTURE.c.id)
    .outerjoin(_SLOT, _SLOT.c.id == _CLAIMED.c.slot_id)
    .outerjoin(
        _NEED,
        (_NEED.c.option_id == _DEPARTURE.c.option_id)
        & (_NEED.c.thing_id == _SLOT.c.thing_id)
        & (_NEED.c.add_on == ""),
    )
    .order_by(_DEPARTURE.c.starts_on, _DEPARTURE.c.starts_at, _DEPARTURE.c.id)
)
_ROOM_OF_ONE = _ROOM.where(_DEPARTURE.c.id == bindparam("wanted"))
_ROOM_OF_OPTIONS = _ROOM.where(
    _DEPARTURE.c.option_id.in_(bindparam("options", expanding=True)),
    _DEPARTURE.c.starts_on >= bindparam("first"),
    _DEPARTURE.c.starts_on < bindparam("end"),
)


def get_departure(session: Session, departure_id: int) -> DepartureCard:
    for card in _cards_of(session.execute(_ROOM_OF_ONE, {"wanted": departure_id})):
        return card
    raise DepartureUnknown


def _departures(session: Session, *conditions: Condition) -> list[DepartureCard]:
    return _cards_of(session.execute(_ROOM.where(*conditions)))


def _cards_of(rows: Iterable[Row[Any]]) -> list[DepartureCard]:
    """One row a departure and slot, folded into a card with its limits."""
    own = len(_DEPARTURE_CARD)
    cards: dict[int, Row[Any]] = {}
    limits: dict[int, list[Limit]] = defaultdict(list)
    for row in rows:
        cards.setdefault(row[0], row)
        if row[-1] is not None:
            limits[row[0]].append(Limit(*row[own:]))
    return [
        replace(DepartureCard(*row[:own]), limits=tuple(limits[id_])) for id_, row in cards.items()
    ]


def get_option_hours(session: Session, option_id: int) -> OptionHours:
    """What departures of an option are made from; the strictest cut-off of what it needs counts."""
    strictest = (
        select(func.coalesce(func.max(Thing.cutoff_minutes), 0))
        .join(Need, Need.thing_id == Thing.id)
        .where(Need.option_id == option_id)
        .scalar_subquery()
    )
    row = session.execute(
        select(
            Option.id,
            Community.id,
            Community.zone,
            Option.starts_at,
            Option.duration_minutes,
            Option.capacity,
            case((Option.cutoff_minutes > strictest, Option.cutoff_minutes), else_=strictest),
            Option.min_to_run,
            Option.decide_hours,
        )
        .join(Experience, Experience.id == Option.experience_id)
        .join(Community, Community.id == Experience.community_id)
        .where(Option.id == option_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="option")
    return OptionHours(*row)


def get_zone_of_departure(session: Session, departure_id: int) -> str:
    return session.execute(
        select(Community.zone)
        .join(Departure, Departure.community_id == Community.id)
        .where(Departure.id == departure_id)
    ).scalar_one()


def list_planned(session: Session, rule_id: int, now: datetime) -> list[Existing]:
    """The departures that a rule opened and that lie ahead, as far as they are sold."""
    rows = session.execute(
        select(Departure.id, Departure.starts_on, Departure.claimed, Departure.is_edited)
        .where(
            Departure.rule_id == rule_id,
            Departure.begins_at > now,
            Departure.state == DepartureState.OPEN,
        )
        .order_by(Departure.starts_on)
    )
    return [Existing(*row) for row in rows]


_TRIP: list[Any] = [
    _DEPARTURE.c.id,
    _DEPARTURE.c.starts_on,
    _DEPARTURE.c.starts_at,
    _DEPARTURE.c.begins_at,
    _DEPARTURE.c.ends_at,
    _DEPARTURE.c.capacity,
    _DEPARTURE.c.claimed,
    _DEPARTURE.c.state,
    _DEPARTURE.c.min_to_run,
    _DEPARTURE.c.decide_at,
    _DEPARTURE.c.called_off_for,
    _DEPARTURE.c.option_id,
    _OPTION.c.nights,
    _OPTION.c.title,
    _EXPERIENCE.c.slug,
    _EXPERIENCE.c.title,
    _EXPERIENCE.c.meeting_point,
    _EXPERIENCE.c.picture,
]
_TRIPS = (
    select(*_TRIP)
    .select_from(_DEPARTURE)
    .join(_OPTION, _OPTION.c.id == _DEPARTURE.c.option_id)
    .join(_EXPERIENCE, _EXPERIENCE.c.id == _OPTION.c.experience_id)
)


def get_trip(session: Session, community_id: int, departure_id: int) -> TripCard:
    row = session.execute(
        _TRIPS.where(Departure.id == departure_id, Departure.community_id == community_id)
    ).one_or_none()
    if row is None:
        raise DepartureUnknown
    return TripCard(*row)


def list_trips(session: Session, departure_ids: Iterable[int]) -> dict[int, TripCard]:
    rows = session.execute(_TRIPS.where(Departure.id.in_(list(departure_ids))))
    return {row[0]: TripCard(*row) for row in rows}


def list_trips_with_bookings(
    session: Session, community_id: int, starts_on: date, ends_before: date
) -> list[TripCard]:
    """Departures in a span of days on which somebody is booked."""
    rows = session.execute(
        _TRIPS.where(
            Departure.community_id == community_id,
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
            Departure.claimed > 0,
        ).order_by(Departure.begins_at, Departure.id)
    )
    return [TripCard(*row) for row in rows]


def list_unsettled_trips(
    session: Session, community_id: int, now: datetime, retained: Query | None = None
) -> list[TripCard]:
    """Departures that are over, had paid guests, and whose money is not shared out yet.

    `retained` selects the ids of those where a cancellation left something to share out: what money
    there is, is known in an upper room.
    """
    paid = select(Booking.departure_id).where(
        Booking.community_id == community_id, Booking.state == BookingState.CONFIRMED
    )
    due: Condition = Departure.id.in_(paid)
    if retained is not None:
        due |= Departure.id.in_(retained)
    rows = session.execute(
        _TRIPS.where(
            due,
            Departure.community_id == community_id,
            Departure.state != DepartureState.SETTLED,
            Departure.ends_at <= now,
        ).order_by(Departure.begins_at, Departure.id)
    )
    return [TripCard(*row) for row in rows]


def _too_little_room(guests: int) -> Condition:
    """Whether a thing that a departure shares cannot bear so many more guests that day."""
    reach = (SlotClaim.units + _SPARE) // Need.units
    return (
        select(SlotClaim.slot_id)
        .join(Slot, Slot.id == SlotClaim.slot_id)
        .join(Need, (Need.thing_id == Slot.thing_id) & (Need.add_on == ""))
        .where(
            SlotClaim.departure_id == Departure.id,
            Need.option_id == Departure.option_id,
            case(
                (Need.per_places > 0, reach * Need.per_places < Departure.claimed + guests),
                else_=reach < 1,
            ),
        )
        .correlate(Departure)
        .exists()
    )


def search_experiences(
    session: Session,
    *,
    starts_on: date,
    ends_before: date,
    guests: int,
    province_code: str | None,
    now: datetime,
) -> list[Found]:
    """Experiences with room for a party in a span of days. One statement."""
    open_ = (
        select(
            Option.experience_id.label("experience_id"),
            func.count(Departure.id).label("departures"),
            func.min(Departure.starts_on).label("next_on"),
        )
        .join(Departure, Departure.option_id == Option.id)
        .where(
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
            Departure.closes_at > now,
            Departure.state == DepartureState.OPEN,
            Departure.capacity - Departure.claimed >= guests,
            ~_too_little_room(guests),
            Option.min_party <= guests,
            Option.max_party >= guests,
        )
        .group_by(Option.experience_id)
        .subquery()
    )
    card = columns(Community, CommunityCard)
    query = (
        select(
            *card,
            Experience.slug,
            Experience.picture,
            Experience.picture_text,
            Experience.title,
            Experience.summary,
            lowest_price(),
            open_.c.departures,
            open_.c.next_on,
        )
        .join(open_, open_.c.experience_id == Experience.id)
        .join(Community, Community.id == Experience.community_id)
        .order_by(Community.id, Experience.position)
    )
    if province_code:
        query = query.where(Community.province_code == province_code)
    size = len(card)
    return [
        Found(CommunityCard(*row[:size]), Teaser(*row[size : size + 6]), row[-2], row[-1])
        for row in session.execute(query)
    ]


# --- bookings ------------------------------------------------------------------------------------

_BOOKING_CARD: list[Any] = [
    _BOOKING.c.id,
    _BOOKING.c.reference,
    _BOOKING.c.state,
    _BOOKING.c.version,
    _BOOKING.c.revision,
    _BOOKING.c.held_until,
    _BOOKING.c.is_extended,
    _BOOKING.c.created_at,
    _BOOKING.c.confirmed_at,
    _BOOKING.c.ended_at,
    _BOOKING.c.ended_for,
    _BOOKING.c.language,
    _BOOKING.c.places,
    _BOOKING.c.price_satang,
    _BOOKING.c.discount_satang,
    _BOOKING.c.discount_bearer,
    _BOOKING.c.promo_code_id,
    _BOOKING.c.terms,
    _BOOKING.c.counts_from,
    _BOOKING.c.policy_version_id,
    _BOOKING.c.community_id,
]
_GUEST: list[Any] = [
    _BOOKING.c.guest_name,
    _BOOKING.c.guest_email,
    _BOOKING.c.guest_phone,
    _BOOKING.c.food_needs,
    _BOOKING.c.access_needs,
    _BOOKING.c.follow_up_agreed_at,
]
_BOOKINGS = (
    select(*_BOOKING_CARD, *_GUEST, *_TRIP)
    .select_from(_BOOKING)
    .join(_DEPARTURE, _DEPARTURE.c.id == _BOOKING.c.departure_id)
    .join(_OPTION, _OPTION.c.id == _DEPARTURE.c.option_id)
    .join(_EXPERIENCE, _EXPERIENCE.c.id == _OPTION.c.experience_id)
)
_BY_REFERENCE = _BOOKINGS.where(_BOOKING.c.reference == bindparam("wanted"))
_WITH_COMMUNITY = _BY_REFERENCE.join(
    _COMMUNITY, _COMMUNITY.c.id == _BOOKING.c.community_id
).add_columns(*(_COMMUNITY.c[each.name] for each in fields(CommunityCard)))


def _card(*row: Any) -> BookingCard:
    own, guest = len(_BOOKING_CARD), len(_BOOKING_CARD) + len(_GUEST)
    card = BookingCard(Guest(*row[own:guest]), TripCard(*row[guest:]), *row[:own])
    return replace(card, state=BookingState(card.state))


def get_booking_with_community(
    session: Session, reference: str
) -> tuple[BookingCard, CommunityCard]:
    """A booking and its community, in one statement."""
    own = len(_BOOKING_CARD) + len(_GUEST) + len(_TRIP)
    row = session.execute(_WITH_COMMUNITY, {"wanted": reference}).one_or_none()
    if row is None:
        raise NotFound(thing="booking")
    return _card(*row[:own]), CommunityCard(*row[own:])


def get_booking(session: Session, reference: str) -> BookingCard:
    row = session.execute(_BY_REFERENCE, {"wanted": reference}).one_or_none()
    if row is None:
        raise NotFound(thing="booking")
    return _card(*row)


def get_booking_of(session: Session, community_id: int, reference: str) -> BookingCard:
    """A booking of one community; another community's does not exist for it."""
    booking = get_booking(session, reference)
    if booking.community_id != community_id:
        raise NotFound(thing="booking")
    return booking


def find_reference_by_key(session: Session, request_key: str) -> str | None:
    return session.scalar(select(Booking.reference).where(Booking.request_key == request_key))


def list_bookings(
    session: Session, community_id: int, departure_ids: Iterable[int], states: Iterable[str] = LIVE
) -> list[BookingCard]:
    rows = session.execute(
        _BOOKINGS.where(
            Booking.community_id == community_id,
            Booking.departure_id.in_(list(departure_ids)),
            Booking.state.in_(list(states)),
        ).order_by(Booking.id)
    )
    return [_card(*row) for row in rows]


def list_latest_bookings(session: Session, community_id: int, limit: int) -> list[BookingCard]:
    """The newest bookings with a guest's name, whatever their state."""
    rows = session.execute(
        _BOOKINGS.where(Booking.community_id == community_id)
        .order_by(Booking.created_at.desc(), Booking.id.desc())
        .limit(limit)
    )
    return [_card(*row) for row in rows]


def get_price_parts(session: Session, booking_id: int) -> PriceParts:
    return list_price_parts(session, [booking_id]).get(booking_id, PriceParts((), ()))


def _parts(kind: str, table: Table, code: Any, quantity: Any, amount: Any, places: Any) -> Any:
    """The frozen rows of one kind as they stand now, in columns that all kinds share."""
    current = (_BOOKING.c.id == table.c.booking_id) & (_BOOKING.c.revision == table.c.revision)
    return (
        select(
            literal(kind).label("kind"),
            table.c.booking_id.label("booking_id"),
            table.c.line.label("line"),
            code.label("code"),
            quantity.label("quantity"),
            amount.label("amount"),
            places.label("places"),
        )
        .join(_BOOKING, current)
        .where(table.c.booking_id.in_(bindparam("bookings", expanding=True)))
    )


_LINE, _COST, _ADD_ON = table_of(BookingLine), table_of(BookingCost), table_of(BookingAddOn)
_PARTS = union_all(
    _parts(*("line", _LINE, _LINE.c.unit, _LINE.c.quantity, _LINE.c.price_satang, _LINE.c.places)),
    _parts("cost", _COST, _COST.c.code, literal(1), _COST.c.amount_satang, literal(0)),
    _parts(
        *("extra", _ADD_ON, _ADD_ON.c.code, _ADD_ON.c.quantity, _ADD_ON.c.price_satang),
        literal(0),
    ),
).order_by("booking_id", "kind", "line")


def list_price_parts(session: Session, booking_ids: Iterable[int]) -> dict[int, PriceParts]:
    """Frozen price lines, outside costs and extras of some bookings, in one statement."""
    ids = list(booking_ids)
    lines: dict[int, list[PriceLine]] = {booking_id: [] for booking_id in ids}
    costs: dict[int, list[CostLine]] = {booking_id: [] for booking_id in ids}
    extras: dict[int, list[AddOnLine]] = {booking_id: [] for booking_id in ids}
    for row in session.execute(_PARTS, {"bookings": ids}):
        if row.kind == "cost":
            costs[row.booking_id].append(CostLine(OutsideCost(row.code), row.amount))
        elif row.kind == "extra":
            extras[row.booking_id].append(AddOnLine(row.code, row.quantity, row.amount))
        else:
            line = PriceLine(Unit(row.code), row.quantity, row.amount, row.places)
            lines[row.booking_id].append(line)
    return {
        each: PriceParts(tuple(lines[each]), tuple(costs[each]), tuple(extras[each]))
        for each in ids
    }


def list_price_lines(
    session: Session, booking_ids: Iterable[int]
) -> dict[int, tuple[PriceLine, ...]]:
    """How many of which guests, by booking."""
    ids = list(booking_ids)
    lines: dict[int, list[PriceLine]] = {booking_id: [] for booking_id in ids}
    for line in session.scalars(_current(BookingLine, ids)):
        lines[line.booking_id].append(
            PriceLine(Unit(line.unit), line.quantity, line.price_satang, line.places)
        )
    return {each: tuple(lines[each]) for each in ids}


def _current(table: Any, booking_ids: list[int]) -> Any:
    """The frozen rows of some bookings as they stand now, by booking and line."""
    return (
        select(table)
        .join(Booking, (Booking.id == table.booking_id) & (Booking.revision == table.revision))
        .where(table.booking_id.in_(booking_ids))
        .order_by(table.booking_id, table.line)
    )


# --- what hosts see and arrange ------------------------------------------------------------------


def list_departures_of(
    session: Session, community_id: int, starts_on: date, ends_before: date
) -> list[DepartureCard]:
    """Every departure of a community in a span of days, with its room. One statement."""
    return _departures(
        session,
        Departure.community_id == community_id,
        Departure.starts_on >= starts_on,
        Departure.starts_on < ends_before,
    )


def list_trips_of(
    session: Session, community_id: int, starts_on: date, ends_before: date
) -> dict[int, TripCard]:
    """The same departures with their names, by id."""
    rows = session.execute(
        _TRIPS.where(
            Departure.community_id == community_id,
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
        )
    )
    return {row[0]: TripCard(*row) for row in rows}


def list_arriving(
    session: Session, community_id: int, starts_on: date, ends_before: date
) -> list[BookingCard]:
    """The live bookings of a span of days with their trips, in the order of arrival."""
    rows = session.execute(
        _BOOKINGS.where(
            Departure.community_id == community_id,
            Departure.starts_on >= starts_on,
            Departure.starts_on < ends_before,
            Booking.state.in_(LIVE),
        ).order_by(Departure.begins_at, Departure.id, Booking.id)
    )
    return [_card(*row) for row in rows]


def list_agenda(
    session: Session, community_id: int, starts_on: date, ends_before: date, now: datetime
) -> tuple[list[BookingCard], list[BookingCard]]:
    """(who arrives in a span of days, whose requests wait for an answer, the most urgent first).

    One statement, since a host looks at both at once.
    """
    arrives = (Departure.starts_on >= starts_on) & (Departure.starts_on < ends_before)
    asks = (Booking.state == BookingState.REQUESTED) & (Booking.held_until > now)
    rows = session.execute(
        _BOOKINGS.where(
            Booking.community_id == community_id, arrives & Booking.state.in_(LIVE) | asks
        ).order_by(Departure.begins_at, Departure.id, Booking.id)
    )
    cards = [_card(*row) for row in rows]
    asking = [each for each in cards if each.waits_for_answer(now)]
    arriving = [each for each in cards if starts_on <= each.trip.starts_on < ends_before]
    return arriving, sorted(asking, key=lambda each: each.held_until)


def list_option_names(session: Session, community_id: int) -> list[OptionName]:
    rows = session.execute(
        select(Option.id, Option.title, Experience.title, Option.starts_at)
        .join(Experience, Experience.id == Option.experience_id)
        .where(Experience.community_id == community_id)
        .order_by(Experience.position, Option.starts_at, Option.id)
    )
    return [OptionName(*row) for row in rows]


def list_rest_days(
    session: Session, community_id: int, since: date, until: date = date.max
) -> list[RestCard]:
    """Days of rest that touch a span of days, both ends included."""
    rows = session.execute(
        select(*columns(RestDay, RestCard))
        .where(
            RestDay.community_id == community_id,
            RestDay.last_on >= since,
            RestDay.first_on <= until,
        )
        .order_by(RestDay.first_on, RestDay.id)
    )
    return [RestCard(*row) for row in rows]


def list_things(session: Session, community_id: int) -> list[ThingCard]:
    """What departures of a community share, in its own order."""
    rows = session.execute(
        select(*columns(Thing, ThingCard))
        .where(Thing.community_id == community_id)
        .order_by(Thing.position, Thing.id)
    )
    return [replace(card, kind=ThingKind(card.kind)) for card in (ThingCard(*row) for row in rows)]


def list_needs(session: Session, community_id: int) -> list[NeedCard]:
    """What the options of a community take of its things."""
    rows = session.execute(
        select(*columns(Need, NeedCard))
        .join(Thing, Thing.id == Need.thing_id)
        .where(Thing.community_id == community_id)
        .order_by(Need.option_id, Thing.position, Need.thing_id, Need.add_on)
    )
    return [NeedCard(*row) for row in rows]


def list_slots(
    session: Session, thing_id: int, starts_on: date, ends_before: date
) -> dict[tuple[date, Part], SlotCard]:
    """The room of a thing in a span of days, as far as it was ever asked for."""
    rows = session.execute(
        select(*columns(Slot, SlotCard)).where(
            Slot.thing_id == thing_id, Slot.day >= starts_on, Slot.day < ends_before
        )
    )
    cards = [SlotCard(*row) for row in rows]
    return {(card.day, Part(card.part)): replace(card, part=Part(card.part)) for card in cards}


def count_promo_uses(session: Session, community_id: int) -> dict[int, int]:
    """How many live bookings use each promotion code."""
    rows = session.execute(
        select(Booking.promo_code_id, func.count())
        .where(
            Booking.community_id == community_id,
            Booking.promo_code_id.is_not(None),
            Booking.state.in_(LIVE),
        )
        .group_by(Booking.promo_code_id)
    )
    return {promo_id: uses for promo_id, uses in rows if promo_id is not None}
