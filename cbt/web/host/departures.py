"""A departure's page: its parties, who waits for it, who prepared and worked, settling."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import arrivals, waitlist
from cbt.bookings import queries as bookings
from cbt.bookings.records import TripCard
from cbt.bookings.states import LIVE, PAID, BookingState, DepartureState, EndReason
from cbt.clock import utc_now
from cbt.communities.queries import list_households
from cbt.db import db
from cbt.errors import (
    CostsExceedIncome,
    DiscountTooLarge,
    DisputeOpen,
    FeeNotReported,
    NothingToSettle,
    NoWorkRecorded,
    PreviewOutdated,
    WorkChanged,
    WorkDisputed,
    WorkInvalid,
)
from cbt.i18n import _, pick
from cbt.payments.queries import list_money
from cbt.people.queries import list_names
from cbt.revenue import queries as revenue
from cbt.revenue import services as settlement
from cbt.revenue import turns, work
from cbt.revenue.posting import split_booking
from cbt.revenue.records import NewPreparation, NewWork, Preview, WorkRow
from cbt.revenue.work import MOST_ROWS
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.flow import add_up, draw
from cbt.web.forms import Form, first_error, typed
from cbt.web.host.departure_forms import (
    CapacityForm,
    NoShowForm,
    PreparedForm,
    SettleForm,
    ShownForm,
    WordsForm,
    WorkForm,
    prepared_rows,
    reasons,
    work_rows,
)
from cbt.web.host.views import HOSTS, bp
from cbt.web.host.words import passed_words
from cbt.web.layout import LANG

_EDITABLE = (DepartureState.OPEN, DepartureState.CLOSED)
_SHOWN = (*LIVE, BookingState.CHOOSING)


@dataclass(kw_only=True)
class Sheet:
    """The forms of a departure's page that were sent and refused; they keep what was typed.

    `problems` says what is wrong, by the part of the page: work, prepared, running, parties.
    """

    work: WorkForm | None = None
    prepared: PreparedForm | None = None
    capacity: CapacityForm | None = None
    no_show: NoShowForm | None = None
    no_show_of: str = ""
    problems: dict[str, str] = field(default_factory=dict)


@bp.get(f"/{LANG}/host/<slug>/departures/<int:departure_id>")
@only(*HOSTS)
def departure(slug: str, departure_id: int) -> ResponseReturnValue:
    return show_departure(departure_id, Sheet())


# --- who worked ----------------------------------------------------------------------------------


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>")
@only(*HOSTS)
def record_work(slug: str, departure_id: int) -> ResponseReturnValue:
    form = WorkForm()
    do = request.form.get("do", "")
    if form.is_too_long(request.form) or (do == "more" and not form.add_lines(3)):
        return _refuse_work(departure_id, form, _too_long()), 422
    if do == "more" or form.step(do):
        return show_departure(departure_id, Sheet(work=form))
    if not form.validate():
        return _refuse_work(departure_id, form, first_error(form)), 422
    rows = form.work()
    try:
        settlement.record_work(
            the_community().id,
            departure_id,
            list(rows.values()),
            the_reader().person_id,
            utc_now(),
        )
    except WorkInvalid as error:
        error.facts["row"] = _row_in_form(rows, error)
        return _refuse_work(departure_id, form, message_for(error)), error.status
    address = url_for("host.departure", slug=slug, departure_id=departure_id, _anchor="confirm")
    return redirect(address, code=303)


def _refuse_work(departure_id: int, form: WorkForm, problem: str) -> str:
    return show_departure(departure_id, Sheet(work=form, problems={"work": problem}))


def _row_in_form(rows: dict[int, NewWork] | dict[int, NewPreparation], error: WorkInvalid) -> int:
    """The line that the person sees: unlike the rule, the form also counts its blank lines."""
    row = error.facts["row"]
    assert isinstance(row, int)
    return list(rows)[row - 1]


def _too_long() -> str:
    return _(
        "A departure can hold at most %(most)s lines of work. Nothing was saved.",
        most=MOST_ROWS,
    )


# --- a second look -------------------------------------------------------------------------------


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>/confirm")
@only(*HOSTS)
def confirm_work(slug: str, departure_id: int) -> ResponseReturnValue:
    """A second person says that what others wrote down is right."""
    form = ShownForm()
    try:
        work.confirm(
            the_community().id,
            departure_id,
            typed(form.shown),
            the_reader().person_id,
            utc_now(),
        )
    except WorkChanged as error:
        page = show_departure(departure_id, Sheet(problems={"confirm": message_for(error)}))
        return page, error.status
    address = url_for("host.departure", slug=slug, departure_id=departure_id, _anchor="settle")
    return redirect(address, code=303)


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>/disputes/<int:dispute_id>")
@only(*HOSTS)
def answer_work_dispute(slug: str, departure_id: int, dispute_id: int) -> ResponseReturnValue:
    form = WordsForm()
    if not form.validate():
        page = show_departure(departure_id, Sheet(problems={"confirm": first_error(form)}))
        return page, 422
    person_id = the_reader().person_id
    work.answer(the_community().id, dispute_id, typed(form.words), person_id, utc_now())
    address = url_for("host.departure", slug=slug, departure_id=departure_id, _anchor="confirm")
    return redirect(address, code=303)


# --- what was prepared ---------------------------------------------------------------------------


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>/prepared")
@only(*HOSTS)
def record_preparation(slug: str, departure_id: int) -> ResponseReturnValue:
    form = PreparedForm()
    if request.form.get("do") == "more":
        form.add_lines(2)
        return show_departure(departure_id, Sheet(prepared=form))
    if not form.validate():
        return _refuse_prepared(departure_id, form, first_error(form)), 422
    rows = form.rows()
    try:
        settlement.record_preparation(
            the_community().id,
            departure_id,
            list(rows.values()),
            the_reader().person_id,
            utc_now(),
        )
    except WorkInvalid as error:
        error.facts["row"] = _row_in_form(rows, error)
        return _refuse_prepared(departure_id, form, _prepared_words(error)), error.status
    address = url_for("host.departure", slug=slug, departure_id=departure_id, _anchor="prepared")
    return redirect(address, code=303)


def _refuse_prepared(departure_id: int, form: PreparedForm, problem: str) -> str:
    return show_departure(departure_id, Sheet(prepared=form, problems={"prepared": problem}))


def _prepared_words(error: WorkInvalid) -> str:
    return _(
        "Row %(row)s: please choose a household, say what it was, and give its cost in baht, above"
        " zero and at most 100,000.",
        row=error.facts["row"],
    )


# --- settling ------------------------------------------------------------------------------------


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
        page = show_departure(departure_id, Sheet(problems={"work": message_for(error)}))
        return page, error.status
    return redirect(url_for("host.departure", slug=slug, departure_id=departure_id), code=303)


# --- the page ------------------------------------------------------------------------------------


def show_departure(departure_id: int, sheet: Sheet) -> str:
    community = the_community()
    now = utc_now()
    trip = bookings.get_trip(db.session(), community.id, departure_id)
    names = {
        household.code: pick(household.name)
        for household in list_households(db.session(), community.id, trip.starts_on)
    }
    record = work.get_record(db.session(), departure_id)
    preview, why_not = _preview(trip)
    return render_template(
        "host/departure.html",
        community=community,
        trip=trip,
        card=bookings.get_departure(db.session(), departure_id),
        line=waitlist.list_line(db.session(), departure_id),
        passed_words=passed_words,
        work=[row for part in record.parts for row in part.rows],
        is_prefilled=sheet.work is None and not record.parts and bool(trip.claimed),
        **_looked_at(record, trip, now),
        sheet=_filled(sheet, trip, names),
        preview=preview,
        flow=draw(add_up([part for each in preview.bookings for part in split_booking(each)]))
        if preview
        else None,
        why_not=why_not,
        settlement=revenue.find_settlement(db.session(), departure_id),
        household_names=names,
        state_of_trip=DepartureState(trip.state),
        called_off_for=EndReason(trip.called_off_for) if trip.called_off_for else None,
        has_begun=trip.begins_at <= now,
        is_over=trip.ends_at <= now,
        is_editable=trip.state in _EDITABLE,
        reasons=reasons(),
        action=Form(formdata=None),
        **_parties(trip),
    )


def _looked_at(record: work.Record, trip: TripCard, now: datetime) -> dict[str, object]:
    """Who confirmed and who disputes the record, what looks odd in it, and from when it is settled."""
    person_id = the_reader().person_id
    wait = work.find_wait(record, trip.ends_at)
    ids = [each.recorded_by for each in record.parts]
    ids += [each.confirmed_by for each in record.parts if each.confirmed_by]
    ids += [id_ for each in record.disputes for id_ in (each.answerer_id, each.answered_by) if id_]
    return {
        "record": record,
        "people": list_names(db.session(), ids),
        "excess": work.find_warnings(db.session(), trip),
        "can_confirm": any(
            each.recorded_by != person_id and record.dispute_of(each.household) is None
            for each in record.unconfirmed
        ),
        "can_answer": {
            each.id
            for each in record.open_disputes
            if person_id not in (each.recorded_by, each.raised_by)
        },
        "wait_until": wait if wait and wait > now else None,
        "words": WordsForm(formdata=None),
    }


def _parties(trip: TripCard) -> dict[str, object]:
    """The parties of a departure: what each still has to pay, who came and who did not."""
    found = bookings.list_bookings(db.session(), the_community().id, [trip.id], _SHOWN)
    ids = [each.id for each in found]
    money = list_money(db.session(), ids)
    return {
        "bookings": found,
        "due": {each.id: each.price_satang - money[each.id].paid_satang for each in found},
        "arrived": arrivals.list_arrivals(db.session(), ids),
        "no_shows": arrivals.list_no_shows(db.session(), ids),
        "paid_states": PAID,
    }


def _filled(sheet: Sheet, trip: TripCard, names: dict[str, str]) -> Sheet:
    """The forms that were not sent, filled with what is written down."""
    if sheet.work is None:
        rows: Sequence[WorkRow | NewWork] = revenue.list_work(db.session(), [trip.id])[trip.id]
        if not rows:  # nothing is written yet: whose turn it is by the queues
            rows = turns.propose_work(db.session(), the_community().id, trip)
        sheet.work = WorkForm(formdata=None, data={"rows": work_rows(rows)})
    if sheet.prepared is None:
        prepared = revenue.list_preparation(db.session(), [trip.id])[trip.id]
        data = {"prepared": prepared_rows(prepared)}
        sheet.prepared = PreparedForm(formdata=None, data=data)
    sheet.capacity = sheet.capacity or CapacityForm(formdata=None, capacity=trip.capacity)
    sheet.no_show = sheet.no_show or NoShowForm(formdata=None)
    households = [(code, f"{code} {name}") for code, name in names.items()]
    sheet.work.offer(households)
    sheet.prepared.offer(households)
    return sheet


def _preview(trip: TripCard) -> tuple[Preview | None, str]:
    """What settling would post, or why it cannot be done yet."""
    try:
        return settlement.preview_settlement(the_community().id, trip.id), ""
    except (
        CostsExceedIncome,
        DiscountTooLarge,
        DisputeOpen,
        FeeNotReported,
        NoWorkRecorded,
        NothingToSettle,
        WorkDisputed,
    ) as error:
        return None, message_for(error)
