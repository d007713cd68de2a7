"""Days on which the village rests: added with a reason, listed with who is booked all the same, ended."""

from datetime import timedelta

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import departures
from cbt.bookings import queries as bookings
from cbt.bookings.records import RestCard, TripCard
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import ScheduleInvalid
from cbt.web.access import only, the_community
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error
from cbt.web.host.forms import the_day
from cbt.web.host.schedule_forms import RestForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_REST = f"/{LANG}/host/<slug>/rest"


@bp.get(_REST)
@only(*HOSTS)
def rest_list(slug: str) -> ResponseReturnValue:
    return _show(RestForm(formdata=None))


@bp.post(_REST)
@only(*HOSTS)
def add_rest(slug: str) -> ResponseReturnValue:
    """Let the village rest. The same days sent again are those that stand."""
    form = RestForm()
    now = utc_now()
    community = the_community()
    if not form.is_ahead(village_day(now, community.zone)):
        return _show(form), 422
    first_on, last_on = the_day(form.first_on), the_day(form.last_on)
    standing = bookings.list_rest_days(db.session(), community.id, first_on, last_on)
    if (first_on, last_on) not in {(each.first_on, each.last_on) for each in standing}:
        try:
            departures.add_rest_days(community.id, first_on, last_on, form.reason, now)
        except ScheduleInvalid as error:
            add_error(form.last_on, message_for(error))
            return _show(form), error.status
    return redirect(url_for("host.rest_list", slug=slug), code=303)


@bp.post(f"{_REST}/<int:rest_id>/end")
@only(*HOSTS)
def end_rest(slug: str, rest_id: int) -> ResponseReturnValue:
    departures.end_rest_days(the_community().id, rest_id, utc_now())
    return redirect(url_for("host.rest_list", slug=slug), code=303)


def _show(form: RestForm) -> str:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    rest = bookings.list_rest_days(db.session(), community.id, today)
    booked: list[TripCard] = []
    if rest:
        last_on = max(each.last_on for each in rest)
        booked = bookings.list_trips_with_bookings(
            db.session(), community.id, today, last_on + timedelta(days=1)
        )
    return render_template(
        "host/rest.html",
        community=community,
        rest=[(each, [trip for trip in booked if _falls_on(trip, each)]) for each in rest],
        form=form,
        action=Form(formdata=None),
    )


def _falls_on(trip: TripCard, rest: RestCard) -> bool:
    return rest.first_on <= trip.starts_on <= rest.last_on
