"""The host's day: arrivals, transfers to confirm, who worked, settling."""

from datetime import timedelta

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import queries as bookings
from cbt.bookings.records import TripCard
from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_households
from cbt.db import db
from cbt.errors import (
    FeeNotReported,
    NothingToSettle,
    NoWorkRecorded,
    PreviewOutdated,
    ReferenceUsed,
    StateForbids,
    WorkInvalid,
)
from cbt.i18n import _, pick
from cbt.payments import give_back, queries, take_in, transfers
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue import queries as revenue
from cbt.revenue import services as settlement
from cbt.revenue.posting import split_booking
from cbt.revenue.records import NewWork, Preview
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.flow import add_up, draw
from cbt.web.forms import Form, add_error, first_error, typed
from cbt.web.host.forms import RefundForm, SettleForm, TransferForm, WorkForm, work_rows
from cbt.web.layout import LANG

bp = Blueprint("host", __name__)
HOSTS = (Role.COORDINATOR, Role.TREASURER)
_AHEAD = timedelta(days=7)
_LATEST = 50


@bp.get(f"/{LANG}/host/<slug>")
@only(*HOSTS)
def today(slug: str) -> ResponseReturnValue:
    now = utc_now()
    community = the_community()
    day = village_day(now, community.zone)
    trips = bookings.list_trips_with_bookings(db.session(), community.id, day, day + _AHEAD)
    open_transfers = queries.list_transfers_to_confirm(db.session(), community.id, now)
    arriving = bookings.list_bookings(db.session(), community.id, [trip.id for trip in trips])
    return render_template(
        "host/today.html",
        community=community,
        today=day,
        trips_today=[trip for trip in trips if trip.starts_on == day],
        trips_later=[trip for trip in trips if trip.starts_on > day],
        by_trip={trip.id: [each for each in arriving if each.trip.id == trip.id] for trip in trips},
        lines=bookings.list_price_lines(db.session(), [each.id for each in arriving]),
        to_settle=bookings.list_unsettled_trips(db.session(), community.id, now),
        to_confirm=[each for each in open_transfers if not each.is_of_paid_booking],
        to_give_back=queries.list_refunds_to_make(db.session(), community.id),
    )


@bp.get(f"/{LANG}/host/<slug>/bookings")
@only(*HOSTS)
def booking_list(slug: str) -> ResponseReturnValue:
    found = bookings.list_latest_bookings(db.session(), the_community().id, _LATEST)
    return render_template("host/bookings.html", community=the_community(), bookings=found)


@bp.get(f"/{LANG}/host/<slug>/bookings/<reference>")
@only(*HOSTS)
def booking(slug: str, reference: str) -> ResponseReturnValue:
    shown = bookings.get_booking_of(db.session(), the_community().id, reference)
    flow = None
    if shown.is_paid:
        facts = revenue.list_booking_facts(db.session(), [shown.trip.id])[shown.trip.id]
        own = next(each for each in facts if each.reference == reference)
        flow = draw(split_booking(own))
    return render_template(
        "host/booking.html",
        community=the_community(),
        booking=shown,
        price=bookings.get_price_parts(db.session(), shown.id),
        attempts=queries.list_attempts(db.session(), shown.id),
        captures=queries.list_captures(db.session(), [shown.id]),
        flow=flow,
    )


# --- money that a person must look at ------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/transfers")
@only(*HOSTS)
def transfer_list(slug: str) -> ResponseReturnValue:
    return _show_transfers(TransferForm(), None)


@bp.post(f"/{LANG}/host/<slug>/transfers/<int:attempt_id>")
@only(*HOSTS)
def confirm_transfer(slug: str, attempt_id: int) -> ResponseReturnValue:
    form = TransferForm()
    if not form.validate():
        return _show_transfers(form, attempt_id), 422
    now = utc_now()
    try:
        transfers.confirm_transfer(
            the_community().id,
            attempt_id,
            typed(form.bank_reference),
            the_reader().person_id,
            now,
        )
    except ReferenceUsed as error:
        add_error(form.bank_reference, message_for(error))
        return _show_transfers(form, attempt_id), error.status
    except StateForbids:  # confirmed before, but perhaps cut off before it reached the books
        take_in.take_in(attempt_id, current_app.extensions["providers"], now)
        raise
    take_in.take_in(attempt_id, current_app.extensions["providers"], now)
    return redirect(url_for("host.transfer_list", slug=slug), code=303)


@bp.post(f"/{LANG}/host/<slug>/refunds/<int:refund_id>")
@only(*HOSTS)
def note_refund(slug: str, refund_id: int) -> ResponseReturnValue:
    form = RefundForm()
    if not form.validate():
        return _show_transfers(TransferForm(formdata=None), None, form, refund_id), 422
    give_back.note_refund_made(
        the_community().id,
        refund_id,
        typed(form.proof),
        the_reader().person_id,
        current_app.extensions["providers"],
        utc_now(),
    )
    return redirect(url_for("host.transfer_list", slug=slug), code=303)


def _show_transfers(
    form: TransferForm,
    attempt_id: int | None,
    refund_form: RefundForm | None = None,
    refund_id: int | None = None,
) -> str:
    found = queries.list_transfers_to_confirm(db.session(), the_community().id, utc_now())
    return render_template(
        "host/transfers.html",
        community=the_community(),
        to_confirm=[each for each in found if not each.is_of_paid_booking],
        paid_already=[each for each in found if each.is_of_paid_booking],
        trips=bookings.list_trips(db.session(), {each.departure_id for each in found}),
        to_give_back=queries.list_refunds_to_make(db.session(), the_community().id),
        form=form,
        form_for=attempt_id,
        refund_form=refund_form or RefundForm(formdata=None),
        refund_form_for=refund_id,
    )


# --- who worked, and settling --------------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/departures/<int:departure_id>")
@only(*HOSTS)
def departure(slug: str, departure_id: int) -> ResponseReturnValue:
    return _show_departure(departure_id, _recorded_work(departure_id))


def _recorded_work(departure_id: int) -> WorkForm:
    rows = revenue.list_work(db.session(), [departure_id])[departure_id]
    return WorkForm(formdata=None, data={"rows": work_rows(rows)})


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>")
@only(*HOSTS)
def record_work(slug: str, departure_id: int) -> ResponseReturnValue:
    form = WorkForm()
    if form.is_too_long(request.form):
        return _show_departure(departure_id, form, _too_long()), 422
    if request.form.get("do") == "more":
        if not form.add_lines(3):
            return _show_departure(departure_id, form, _too_long()), 422
        return _show_departure(departure_id, form)
    if not form.validate():
        return _show_departure(departure_id, form, first_error(form)), 422
    work = form.work()
    try:
        settlement.record_work(
            the_community().id,
            departure_id,
            list(work.values()),
            the_reader().person_id,
            utc_now(),
        )
    except WorkInvalid as error:
        error.facts["row"] = _row_in_form(work, error)
        return _show_departure(departure_id, form, message_for(error)), error.status
    address = url_for("host.departure", slug=slug, departure_id=departure_id, _anchor="settle")
    return redirect(address, code=303)


def _row_in_form(work: dict[int, NewWork], error: WorkInvalid) -> int:
    """The line that the person sees: unlike the rule, the form also counts its blank lines."""
    row = error.facts["row"]
    assert isinstance(row, int)
    return list(work)[row - 1]


def _too_long() -> str:
    return _(
        "A departure can hold at most %(most)s lines of work. Nothing was saved.",
        most=settlement.MOST_ROWS,
    )


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>/settle")
@only(*HOSTS)
def settle(slug: str, departure_id: int) -> ResponseReturnValue:
    form = SettleForm()
    try:
        settlement.settle(
            the_community().id,
            departure_id,
            typed(form.previewed),
            the_reader().person_id,
            utc_now(),
        )
    except PreviewOutdated as error:
        page = _show_departure(departure_id, _recorded_work(departure_id), message_for(error))
        return page, error.status
    return redirect(url_for("host.departure", slug=slug, departure_id=departure_id), code=303)


def _show_departure(departure_id: int, form: WorkForm, problem: str = "") -> str:
    community = the_community()
    now = utc_now()
    trip = bookings.get_trip(db.session(), community.id, departure_id)
    names = {
        household.code: pick(household.name)
        for household in list_households(db.session(), community.id, trip.starts_on)
    }
    form.offer([(code, f"{code} {name}") for code, name in names.items()])
    work = revenue.list_work(db.session(), [departure_id])[departure_id]
    preview, why_not = _preview(trip)
    return render_template(
        "host/departure.html",
        community=community,
        trip=trip,
        bookings=bookings.list_bookings(db.session(), community.id, [departure_id]),
        work=work,
        recorders=list_names(db.session(), [row.recorded_by for row in work]),
        form=form,
        problem=problem,
        preview=preview,
        flow=draw(add_up([part for each in preview.bookings for part in split_booking(each)]))
        if preview
        else None,
        why_not=why_not,
        settlement=revenue.find_settlement(db.session(), departure_id),
        household_names=names,
        is_over=trip.ends_at <= now,
        action=Form(),
    )


def _preview(trip: TripCard) -> tuple[Preview | None, str]:
    """What settling would post, or why it cannot be done yet."""
    try:
        return settlement.preview_settlement(the_community().id, trip.id), ""
    except (FeeNotReported, NoWorkRecorded, NothingToSettle) as error:
        return None, message_for(error)
