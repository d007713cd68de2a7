"""The host's calendar by week and by day: what departs, how full it is, what is to decide."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from flask import render_template, request
from flask.typing import ResponseReturnValue

from cbt.bookings import queries as bookings
from cbt.bookings.records import DepartureCard, RestCard, TripCard
from cbt.bookings.states import DepartureState
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.i18n import _l
from cbt.payments.box import list_promised
from cbt.payments.call_off import warn_of_too_few
from cbt.web.access import only, the_community
from cbt.web.forms import AskForm, DayField, first_error
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


class OnForm(AskForm):
    on = DayField(_l("Date"))


class Mark(StrEnum):
    """Whether somebody must decide if a departure runs with so few."""

    NONE = "none"
    LATER = "later"  # too few up to now; the day to decide is ahead
    NOW = "now"


@dataclass(frozen=True)
class Spot:
    """A departure in the calendar."""

    departure: DepartureCard
    trip: TripCard
    mark: Mark

    @property
    def state(self) -> DepartureState:
        return DepartureState(self.departure.state)


def spots_of(community_id: int, first: date, days: int, now: datetime) -> list[Spot]:
    """The departures of some days, in three statements."""
    before = first + timedelta(days=days)
    trips = bookings.list_trips_of(db.session(), community_id, first, before)
    too_few = set(warn_of_too_few(db.session(), community_id, now))
    return [
        Spot(each, trips[each.id], _mark(each, now, too_few))
        for each in bookings.list_departures_of(db.session(), community_id, first, before)
        if each.id in trips
    ]


def _mark(departure: DepartureCard, now: datetime, too_few: set[int]) -> Mark:
    if departure.id in too_few:
        return Mark.NOW
    runs = departure.state in (DepartureState.OPEN, DepartureState.CLOSED)
    is_ahead = departure.decide_at is not None and departure.decide_at > now
    is_short = departure.claimed < departure.min_to_run
    return Mark.LATER if runs and is_ahead and is_short else Mark.NONE


@bp.get(f"/{LANG}/host/<slug>/calendar")
@only(*HOSTS)
def week(slug: str) -> ResponseReturnValue:
    now = utc_now()
    community = the_community()
    form, on, status = _read_on(now)
    monday = on - timedelta(days=on.weekday())
    rest = bookings.list_rest_days(db.session(), community.id, monday, monday + 6 * _DAY)
    spots = spots_of(community.id, monday, 7, now)
    page = render_template(
        "host/week.html",
        community=community,
        form=form,
        problem=first_error(form),
        today=village_day(now, community.zone),
        monday=monday,
        earlier=monday - _WEEK,
        later=monday + _WEEK,
        days=[
            (day, rest_on(rest, day), [each for each in spots if each.departure.starts_on == day])
            for day in (monday + number * _DAY for number in range(7))
        ],
    )
    return page, status


@bp.get(f"/{LANG}/host/<slug>/day")
@only(*HOSTS)
def day(slug: str) -> ResponseReturnValue:
    now = utc_now()
    community = the_community()
    form, on, status = _read_on(now)
    rest = bookings.list_rest_days(db.session(), community.id, on, on)
    spots = spots_of(community.id, on, 1, now)
    booked = bookings.list_bookings(
        db.session(), community.id, [each.departure.id for each in spots]
    )
    page = render_template(
        "host/day.html",
        promised=list_promised(db.session(), [each.id for each in booked]),
        community=community,
        form=form,
        problem=first_error(form),
        on=on,
        today=village_day(now, community.zone),
        earlier=on - _DAY,
        later=on + _DAY,
        rest=rest_on(rest, on),
        spots=spots,
        by_departure={
            spot.departure.id: [each for each in booked if each.trip.id == spot.departure.id]
            for spot in spots
        },
    )
    return page, status


def _read_on(now: datetime) -> tuple[OnForm, date, int]:
    """The day that was asked for, else today, and the answer's status."""
    form = OnForm(request.args)
    is_right = form.validate()
    on = form.on.data if is_right and form.on.data else village_day(now, the_community().zone)
    return form, on, 200 if is_right else 422


def rest_on(rest: list[RestCard], day: date) -> RestCard | None:
    return next((each for each in rest if each.first_on <= day <= each.last_on), None)
