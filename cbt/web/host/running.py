"""Whether and how a departure runs: its places, its sales, calling it off."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import departures, waitlist
from cbt.bookings import queries as bookings
from cbt.bookings.states import BookingState, DepartureState, EndReason
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import CapacityBelowSold, Invalid, StateForbids
from cbt.payments.call_off import CHOOSE_WITHIN, call_off
from cbt.payments.queries import list_money
from cbt.web.access import only, the_community
from cbt.web.errors import message_for
from cbt.web.forms import add_error
from cbt.web.host.departure_forms import CallOffForm, CapacityForm
from cbt.web.host.departures import Sheet, show_departure
from cbt.web.host.forms import the_number
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_AT = f"/{LANG}/host/<slug>/departures/<int:departure_id>"


@bp.post(f"{_AT}/capacity")
@only(*HOSTS)
def set_capacity(slug: str, departure_id: int) -> ResponseReturnValue:
    form = CapacityForm()
    if not form.validate():
        return show_departure(departure_id, Sheet(capacity=form)), 422
    try:
        departures.set_capacity(the_community().id, departure_id, the_number(form.capacity))
    except CapacityBelowSold as error:
        add_error(form.capacity, message_for(error))
        return show_departure(departure_id, Sheet(capacity=form)), error.status
    return _to_departure(slug, departure_id)


@bp.post(f"{_AT}/sales")
@only(*HOSTS)
def set_sales(slug: str, departure_id: int) -> ResponseReturnValue:
    wanted = request.form.get("do")
    if wanted not in ("stop", "resume"):
        raise Invalid
    departures.set_sales(the_community().id, departure_id, is_open=wanted == "resume")
    return _to_departure(slug, departure_id)


def _to_departure(slug: str, departure_id: int) -> ResponseReturnValue:
    address = url_for("host.departure", slug=slug, departure_id=departure_id, _anchor="running")
    return redirect(address, code=303)


# --- calling off ---------------------------------------------------------------------------------


@bp.get(f"{_AT}/call-off")
@only(*HOSTS)
def ask_call_off(slug: str, departure_id: int) -> ResponseReturnValue:
    return _show_call_off(departure_id, CallOffForm(request.args))


@bp.post(f"{_AT}/call-off")
@only(*HOSTS)
def confirm_call_off(slug: str, departure_id: int) -> ResponseReturnValue:
    form = CallOffForm()
    if not form.validate():
        return _show_call_off(departure_id, form), 422
    call_off(the_community().id, departure_id, EndReason(form.reason.data), utc_now())
    return redirect(url_for("host.departure", slug=slug, departure_id=departure_id), code=303)


def _show_call_off(departure_id: int, form: CallOffForm) -> str:
    """Who will be told, and what becomes of the money of each. Raises StateForbids when over."""
    community = the_community()
    trip = bookings.get_trip(db.session(), community.id, departure_id)
    if trip.state not in (DepartureState.OPEN, DepartureState.CLOSED):
        raise StateForbids(thing="departure", state=trip.state, wanted="called_off")
    parties = bookings.list_bookings(db.session(), community.id, [departure_id])
    return render_template(
        "host/call_off.html",
        community=community,
        trip=trip,
        form=form,
        paid=[each for each in parties if each.state == BookingState.CONFIRMED],
        unpaid=[each for each in parties if each.state != BookingState.CONFIRMED],
        money_of=list_money(db.session(), [each.id for each in parties]),
        line=waitlist.list_line(db.session(), departure_id),
        choose_days=CHOOSE_WITHIN.days,
    )
