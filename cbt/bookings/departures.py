"""Opening departures by hand and by rule, keeping them ready, and changing one alone."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from cbt.bookings import queries
from cbt.bookings.claims import ensure_slots, follow_with_slots, lock_in_order
from cbt.bookings.models import Departure, Need, Slot, SlotClaim, Thing
from cbt.bookings.records import OptionHours
from cbt.bookings.states import DepartureState
from cbt.bookings.things import Hours, slots_of
from cbt.clock import to_instant, village_day
from cbt.communities.models import RestDay
from cbt.communities.services import lock_community
from cbt.db import Condition, db, transaction
from cbt.errors import CapacityBelowSold, DepartureUnknown, NotFound, ScheduleInvalid, StateForbids
from cbt.experiences import schedule
from cbt.experiences.models import Experience, Option, ScheduleException, ScheduleRule
from cbt.experiences.queries import get_rule, list_rules, list_rules_of
from cbt.experiences.records import RuleCard
from cbt.experiences.schedule import (
    Change,
    Rule,
    ScheduleProblem,
    Span,
    change_of,
    to_rrule_text,
)

READY_AHEAD = timedelta(days=365)
_AT_ONCE = 500


# --- opening -------------------------------------------------------------------------------------


def open_departures(option_id: int, days: Iterable[date]) -> int:
    """Offer an option on some days at its usual hour; days already open stay. Returns the count."""
    with transaction() as session:
        hours = queries.get_option_hours(session, option_id)
        return len(_open(session, hours, hours.starts_at, days, None))


def open_departure(community_id: int, option_id: int, on: date, starts_at: time) -> int:
    """Offer an option once, at an hour of its own; return the departure's id.

    Raises NotFound for another community's option, ScheduleInvalid where one stands already.
    """
    with transaction() as session:
        hours = queries.get_option_hours(session, option_id)
        if hours.community_id != community_id:
            raise NotFound(thing="option")
        opened = _open(session, hours, starts_at, [on], None)
        if not opened:
            raise ScheduleInvalid(problem=ScheduleProblem.STANDS)
        session.execute(update(Departure).where(Departure.id == opened[0]).values(is_edited=True))
        return opened[0]


def _open(
    session: Session,
    hours: OptionHours,
    starts_at: time,
    days: Iterable[date],
    rule_id: int | None,
) -> list[int]:
    at_hour = (Departure.option_id == hours.option_id, Departure.starts_at == starts_at)
    days = set(days)
    if rule_id is not None:  # planned again: nobody but a rule or a rest had closed it
        session.execute(
            update(Departure)
            .where(
                *at_hour,
                Departure.starts_on.in_(days),
                Departure.state == DepartureState.CLOSED,
                Departure.is_edited.is_(False),
            )
            .values(state=DepartureState.OPEN, rule_id=rule_id)
            .execution_options(synchronize_session=False)
        )
    known = set(session.scalars(select(Departure.starts_on).where(*at_hour)))
    rows = [_row(hours, starts_at, day, rule_id) for day in sorted(days - known)]
    if not rows:
        return []
    opened = session.scalars(
        insert(Departure).returning(Departure.id, sort_by_parameter_order=True), rows
    ).all()
    _foresee_slots(session, list(opened))
    return list(opened)


def _row(hours: OptionHours, starts_at: time, day: date, rule_id: int | None) -> dict[str, object]:
    begins_at = to_instant(day, starts_at, hours.zone)
    return {
        "option_id": hours.option_id,
        "community_id": hours.community_id,
        "rule_id": rule_id,
        "starts_on": day,
        "starts_at": starts_at,
        "begins_at": begins_at,
        "ends_at": begins_at + timedelta(minutes=hours.duration_minutes),
        "closes_at": begins_at - timedelta(minutes=hours.cutoff_minutes),
        "decide_at": begins_at - timedelta(hours=hours.decide_hours)
        if hours.decide_hours
        else None,
        "min_to_run": hours.min_to_run,
        "capacity": hours.capacity,
        "claimed": 0,
        "state": DepartureState.OPEN,
        "is_edited": False,
    }


def _foresee_slots(session: Session, departure_ids: list[int]) -> None:
    """Note which slots departures will need, taking nothing yet, so that one look tells their room."""
    rows = session.execute(
        select(
            Departure.id,
            Departure.begins_at,
            Departure.ends_at,
            Option.nights,
            Need.thing_id,
            Thing.per_day,
        )
        .join(Option, Option.id == Departure.option_id)
        .join(Need, Need.option_id == Option.id)
        .join(Thing, Thing.id == Need.thing_id)
        .where(Departure.id.in_(departure_ids), Need.add_on == "")
    ).all()
    if not rows:
        return
    zone = queries.get_zone_of_departure(session, departure_ids[0])
    wanted = {
        (row.id, (row.thing_id, day, part))
        for row in rows
        for day, part in slots_of(
            Hours(row.begins_at, row.ends_at, zone, row.nights), per_day=row.per_day
        )
    }
    slots = ensure_slots(session, {key for _id, key in wanted})
    held = set(
        session.execute(
            select(SlotClaim.departure_id, SlotClaim.slot_id).where(
                SlotClaim.departure_id.in_(departure_ids)
            )
        ).all()
    )
    claims = sorted({(departure_id, slots[key]) for departure_id, key in wanted} - held)
    if claims:
        session.execute(
            insert(SlotClaim),
            [{"departure_id": each[0], "slot_id": each[1], "units": 0} for each in claims],
        )


# --- rules ---------------------------------------------------------------------------------------


def keep_ready(
    now: datetime, community_id: int | None = None, ahead: timedelta = READY_AHEAD
) -> int:
    """Open what every rule, or one community's, plans for the time ahead. Returns how many."""
    session = db.session()
    wanted = Experience.community_id == community_id if community_id else ScheduleRule.id > 0
    rules = list_rules(session, wanted)
    session.rollback()
    return sum(_keep_rule_ready(rule, now, ahead) for rule in rules)


def _keep_rule_ready(rule: RuleCard, now: datetime, ahead: timedelta) -> int:
    with transaction() as session:
        hours = queries.get_option_hours(session, rule.option_id)
        days = _planned(session, rule.rule, rule.exceptions, hours, now, ahead)
        return len(_open(session, hours, rule.rule.starts_at, days, rule.id))


def _planned(
    session: Session,
    rule: Rule,
    exceptions: dict[date, bool],
    hours: OptionHours,
    now: datetime,
    ahead: timedelta = READY_AHEAD,
) -> list[date]:
    """The days of a rule from today to the end of the time ahead, without rest days."""
    today = village_day(now, hours.zone)
    rest = _rest_since(session, hours.community_id, today)
    return schedule.days(rule, today, today + ahead, rest, exceptions)


def _rest_since(session: Session, community_id: int, day: date) -> list[Span]:
    """A community's days of rest that are not over before a day."""
    spans = select(RestDay.first_on, RestDay.last_on).where(
        RestDay.community_id == community_id, RestDay.last_on >= day
    )
    return [Span(*row) for row in session.execute(spans)]


def preview_rule(community_id: int, rule_id: int, new: Rule | None, now: datetime) -> Change:
    """What changing a rule, or ending it (None), would open, close and keep. Writes nothing."""
    if new:
        to_rrule_text(new)  # refuses what cannot be a rule
    session = db.session()
    return _change(session, get_rule(session, community_id, rule_id), new, now)


def change_rule(community_id: int, rule_id: int, new: Rule | None, now: datetime) -> Change:
    """Let a rule say something else, or end it; bookings are never dropped.

    Departures that it no longer plans are closed where nobody is booked and nobody edited them;
    the others are kept and returned, for a person to deal with. Raises ScheduleInvalid.
    """
    recurrence = to_rrule_text(new) if new else None
    with transaction() as session:
        lock_community(session, community_id)
        rule = get_rule(session, community_id, rule_id)
        change = _change(session, rule, new, now)
        values: dict[str, object] = {"ended": True}
        if new:
            values = {
                "recurrence": recurrence,
                "starts_at": new.starts_at,
                "first_on": new.first_on,
                "last_on": new.last_on,
            }
        session.execute(update(ScheduleRule).where(ScheduleRule.id == rule_id).values(**values))
        _close(session, change.to_close)
        if new:
            hours = queries.get_option_hours(session, rule.option_id)
            _open(session, hours, new.starts_at, change.to_open, rule_id)
        return change


def _change(session: Session, rule: RuleCard, new: Rule | None, now: datetime) -> Change:
    existing = queries.list_planned(session, rule.id, now)
    if new is None:
        return change_of([], existing)
    hours = queries.get_option_hours(session, rule.option_id)
    planned = _planned(session, new, rule.exceptions, hours, now)
    if new.starts_at == rule.rule.starts_at:
        return change_of(planned, existing)
    old = change_of([], existing)  # a new hour: those at the old one go where nobody is booked
    return Change(tuple(planned), old.to_close, old.kept)


def _close(session: Session, departure_ids: Iterable[int]) -> None:
    """Stop selling departures on which nobody is booked: the guard looks again under the lock."""
    session.execute(
        update(Departure)
        .where(
            Departure.id.in_(list(departure_ids)),
            Departure.claimed == 0,
            Departure.state == DepartureState.OPEN,
        )
        .values(state=DepartureState.CLOSED)
    )


def set_exception(
    community_id: int, rule_id: int, day: date, *, departs: bool, now: datetime
) -> None:
    """Add a day to a rule, or leave one out. Raises StateForbids where guests are booked that day."""
    with transaction() as session:
        lock_community(session, community_id)
        rule = get_rule(session, community_id, rule_id)
        session.merge(ScheduleException(rule_id=rule_id, day=day, departs=departs))
        if departs:
            hours = queries.get_option_hours(session, rule.option_id)
            _open(session, hours, rule.rule.starts_at, [day], rule_id)
            return
        ids = [
            each.departure_id
            for each in queries.list_planned(session, rule_id, now)
            if each.on == day
        ]
        _close(session, ids)
        _require_closed(session, ids)


def _require_closed(session: Session, departure_ids: list[int]) -> None:
    left = session.scalar(
        select(Departure.id).where(
            Departure.id.in_(departure_ids), Departure.state == DepartureState.OPEN
        )
    )
    if left is not None:
        raise StateForbids(thing="departure", state="booked", wanted="closed")


def add_rest_days(
    community_id: int, first_on: date, last_on: date, reason: dict[str, str], now: datetime
) -> list[int]:
    """Let the village rest on some days: empty departures close, the booked ones are returned.

    Raises ScheduleInvalid for days that end before they begin, or for more than a year of them.
    """
    if last_on < first_on:
        raise ScheduleInvalid(problem=ScheduleProblem.ENDS_BEFORE_START)
    if last_on - first_on > timedelta(days=366):
        raise ScheduleInvalid(problem=ScheduleProblem.REST_TOO_LONG)
    with transaction() as session:
        lock_community(session, community_id)
        session.add(
            RestDay(community_id=community_id, first_on=first_on, last_on=last_on, reason=reason)
        )
        session.flush()
        rows = session.execute(
            select(Departure.id, Departure.claimed).where(
                Departure.community_id == community_id,
                Departure.starts_on.between(first_on, last_on),
                Departure.begins_at > now,
                Departure.state == DepartureState.OPEN,
            )
        ).all()
        _close(session, [row.id for row in rows if not row.claimed])
        return [row.id for row in rows if row.claimed]


def end_rest_days(community_id: int, rest_id: int, now: datetime) -> None:
    """Take guests again on days that were to be days of rest; what rules plan is opened again."""
    with transaction() as session:
        lock_community(session, community_id)
        rest = session.get(RestDay, rest_id)
        if rest is None or rest.community_id != community_id:
            raise NotFound(thing="rest")
        span = Span(rest.first_on, rest.last_on)
        length = (span.last_on - span.first_on).days + 1
        every = [span.first_on + timedelta(days=number) for number in range(length)]
        session.delete(rest)
        session.flush()
        for rule in list_rules_of(session, community_id):
            hours = queries.get_option_hours(session, rule.option_id)
            days = _planned(session, rule.rule, rule.exceptions, hours, now)
            days = [day for day in days if schedule.is_rest(day, [span])]
            _open(session, hours, rule.rule.starts_at, days, rule.id)
        still = _rest_since(session, community_id, span.first_on)
        every = [day for day in every if not schedule.is_rest(day, still)]
        by_hand = Departure.rule_id.is_(None) & (Departure.community_id == community_id)
        _reopen(session, every, now, by_hand)


def _reopen(session: Session, days: list[date], now: datetime, condition: Condition) -> None:
    """Sell departures again that nobody closed or edited alone."""
    session.execute(
        update(Departure)
        .where(
            condition,
            Departure.starts_on.in_(days),
            Departure.begins_at > now,
            Departure.state == DepartureState.CLOSED,
            Departure.is_edited.is_(False),
        )
        .values(state=DepartureState.OPEN)
    )


# --- one departure alone -------------------------------------------------------------------------


def set_capacity(community_id: int, departure_id: int, capacity: int) -> None:
    """Let one departure take more or fewer guests. Raises CapacityBelowSold."""
    with transaction() as session:
        _edit(session, community_id, departure_id, {"capacity": capacity}, capacity)


def set_sales(community_id: int, departure_id: int, *, is_open: bool) -> None:
    """Stop or resume selling one departure; who is booked stays booked."""
    state = DepartureState.OPEN if is_open else DepartureState.CLOSED
    with transaction() as session:
        _edit(session, community_id, departure_id, {"state": state}, None)


def _edit(
    session: Session,
    community_id: int,
    departure_id: int,
    values: dict[str, object],
    capacity: int | None,
) -> None:
    editable = (DepartureState.OPEN, DepartureState.CLOSED)
    conditions = [
        Departure.id == departure_id,
        Departure.community_id == community_id,
        Departure.state.in_(editable),
    ]
    if capacity is not None:
        conditions.append(Departure.claimed <= capacity)
    done = session.scalar(
        update(Departure)
        .where(*conditions)
        .values(**values, is_edited=True)
        .returning(Departure.id)
    )
    if done is not None:
        return
    departure = session.get(Departure, departure_id)
    if departure is None or departure.community_id != community_id:
        raise DepartureUnknown
    if departure.state not in editable:
        raise StateForbids(thing="departure", state=departure.state, wanted="edited")
    raise CapacityBelowSold(sold=departure.claimed)


# --- what options need ---------------------------------------------------------------------------


def set_needs(
    community_id: int, option_id: int, needs: Iterable[tuple[int, int, int, str]], now: datetime
) -> None:
    """Say what an option takes of things: (thing, per places, units, extra or ""), in full.

    Departures that are not settled follow at once. Raises NotFound for another community's option or
    thing, SlotFull when what is sold already would not fit.
    """
    wanted = list(needs)
    with transaction() as session:
        lock_community(session, community_id)
        hours = queries.get_option_hours(session, option_id)
        things = set(session.scalars(select(Thing.id).where(Thing.community_id == community_id)))
        if hours.community_id != community_id or not {need[0] for need in wanted} <= things:
            raise NotFound(thing="option")
        for row in session.scalars(select(Need).where(Need.option_id == option_id)):
            session.delete(row)
        session.flush()
        for thing_id, per_places, units, add_on in wanted:
            session.add(
                Need(
                    option_id=option_id,
                    thing_id=thing_id,
                    add_on=add_on,
                    per_places=per_places,
                    units=units,
                )
            )
        session.flush()
        _follow(session, option_id, now)


def _follow(session: Session, option_id: int, now: datetime) -> None:
    """Let departures take what their option needs now: those ahead, and what is not settled yet."""
    ids = list(
        session.scalars(
            select(Departure.id)
            .where(
                Departure.option_id == option_id,
                Departure.state != DepartureState.SETTLED,
                (Departure.ends_at > now) | (Departure.claimed > 0),
            )
            .order_by(Departure.id)
            .with_for_update()
        )
    )
    batches = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
    for batch in batches:
        _foresee_slots(session, batch)
    lock_in_order(session, ids)
    for batch in batches:
        follow_with_slots(session, batch)
        _forget_unneeded(session, batch)


def _forget_unneeded(session: Session, departure_ids: list[int]) -> None:
    """Drop claims of nothing on things that the option does not need any more."""
    needed = (
        select(Need.thing_id)
        .join(Slot, Slot.thing_id == Need.thing_id)
        .join(Departure, Departure.option_id == Need.option_id)
        .where(Slot.id == SlotClaim.slot_id, Departure.id == SlotClaim.departure_id)
        .exists()
    )
    session.execute(
        delete(SlotClaim)
        .where(SlotClaim.departure_id.in_(departure_ids), SlotClaim.units == 0, ~needed)
        .execution_options(synchronize_session=False)
    )
