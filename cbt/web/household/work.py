"""A household's own page of work and of turns: confirm, dispute, skip, swap."""

from collections.abc import Callable
from datetime import date, timedelta

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from cbt.bookings import queries as bookings
from cbt.clock import month_before, month_of, next_month, utc_now, village_day
from cbt.communities.queries import list_households
from cbt.communities.rotation import SkipReason
from cbt.db import db
from cbt.errors import NotFound, TurnInvalid, WorkChanged
from cbt.i18n import _l, pick
from cbt.people.queries import list_names
from cbt.people.roles import Role, is_of_household
from cbt.revenue import turns as rota
from cbt.revenue import work as records
from cbt.revenue.policy import Task
from cbt.revenue.turns import NewTurn
from cbt.web import labels
from cbt.web.access import only, the_community, the_household, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import REQUIRED, TOO_LONG, DayField, Form, first_error, trim, typed
from cbt.web.household.views import READERS, bp
from cbt.web.layout import LANG
from cbt.web.turn_views import list_turns

_HOME = f"/{LANG}/household/<slug>/<household>"
_WORK = f"{_HOME}/work"
_TURNS = f"{_HOME}/turns"


class SayForm(Form):
    """A household's word on its part of a record: the part as it read, or what is wrong with it."""

    shown = HiddenField()
    reason = StringField(
        _l("What is wrong?"),
        [Length(max=records.LONGEST_WORDS, message=TOO_LONG)],
        filters=[trim],
    )


class OwnTurnForm(Form):
    """A household skips its own turn of a day, or asks another one to swap."""

    first_on = DayField(_l("On this day"), [InputRequired(message=REQUIRED)])
    reason = SelectField(
        _l("Why"),
        choices=lambda: [(str(each), labels.label(each)) for each in SkipReason],
        default=SkipReason.SICK,
    )
    other = SelectField(_l("Swap with"), validate_choice=False)


# --- work ----------------------------------------------------------------------------------------


@bp.get(_WORK)
@only(*READERS)
def work(slug: str, household: str) -> ResponseReturnValue:
    return _show_work()


@bp.post(f"{_WORK}/<int:departure_id>/confirm")
@only(Role.HOUSEHOLD)
def confirm_work(slug: str, household: str, departure_id: int) -> ResponseReturnValue:
    form = SayForm()
    try:
        records.confirm(
            the_community().id,
            departure_id,
            typed(form.shown),
            the_reader().person_id,
            utc_now(),
            the_household().code,
        )
    except WorkChanged as error:
        return _show_work(message_for(error)), error.status
    return _back(departure_id)


@bp.post(f"{_WORK}/<int:departure_id>/dispute")
@only(Role.HOUSEHOLD)
def dispute_work(slug: str, household: str, departure_id: int) -> ResponseReturnValue:
    form = SayForm()
    if not form.validate():
        return _show_work(first_error(form)), 422
    records.dispute(
        the_community().id,
        departure_id,
        the_household().code,
        typed(form.reason),
        the_reader().person_id,
        utc_now(),
    )
    return _back(departure_id)


def _back(departure_id: int) -> ResponseReturnValue:
    address = url_for(
        "household.work",
        slug=the_community().slug,
        household=the_household().code,
        month=request.args.get("month"),
        _anchor=f"trip-{departure_id}",
    )
    return redirect(address, code=303)


def _show_work(problem: str = "") -> str:
    """The trips of a month on which the household worked or says it did, the newest first.

    Trips of that month that other households worked on follow: it may have been left out.
    """
    community, household, now = the_community(), the_household(), utc_now()
    month = _month()
    first, last = month, next_month(month) - timedelta(days=1)
    own = records.list_departures_of(db.session(), household.id, first, last)
    others = [
        each
        for each in records.list_open_departures(db.session(), community.id, first, last)
        if each not in own
    ]
    found = records.list_records(db.session(), [*own, *others])
    trips = bookings.list_trips(db.session(), found)
    others = [number for number in others if trips[number].begins_at <= now]
    said = [each for record in found.values() for each in record.disputes]
    ids = [each.recorded_by for record in found.values() for each in record.parts]
    ids += [each.confirmed_by for rec in found.values() for each in rec.parts if each.confirmed_by]
    ids += [number for each in said for number in (each.answerer_id, each.answered_by) if number]
    return render_template(
        "household/work.html",
        community=community,
        household=household,
        month=month,
        earlier=month_before(month),
        later=next_month(month) if next_month(month) <= _today() else None,
        own=[(trips[number], found[number]) for number in own],
        others=[(trips[number], found[number]) for number in others],
        people=list_names(db.session(), ids),
        reader_id=the_reader().person_id,
        is_own=is_of_household(the_reader(), household.id),
        now=now,
        problem=problem,
    )


def _month() -> date:
    try:
        return month_of(request.args.get("month", ""))
    except ValueError:
        return _today().replace(day=1)


def _today() -> date:
    return village_day(utc_now(), the_community().zone)


# --- turns ---------------------------------------------------------------------------------------


@bp.get(_TURNS)
@only(*READERS)
def turns(slug: str, household: str) -> ResponseReturnValue:
    return _show_turns()


@bp.post(f"{_TURNS}/<task>/skip")
@only(Role.HOUSEHOLD)
def skip_turn(slug: str, household: str, task: str) -> ResponseReturnValue:
    form = OwnTurnForm()

    def write(new: NewTurn) -> None:
        reason = SkipReason(form.reason.data)
        rota.skip(the_community().id, new, reason, the_reader().person_id, utc_now())

    return _written(form, task, write)


@bp.post(f"{_TURNS}/<task>/swap")
@only(Role.HOUSEHOLD)
def ask_swap(slug: str, household: str, task: str) -> ResponseReturnValue:
    form = OwnTurnForm()

    def write(new: NewTurn) -> None:
        other, person_id = str(form.other.data or ""), the_reader().person_id
        rota.ask_swap(the_community().id, new, other, person_id, utc_now())

    return _written(form, task, write)


@bp.post(f"{_TURNS}/swaps/<int:event_id>/agree")
@only(Role.HOUSEHOLD)
def agree_swap(slug: str, household: str, event_id: int) -> ResponseReturnValue:
    """Only the household that was asked says yes here."""
    line = rota.find_turn(db.session(), the_community().id, event_id)
    if line.other != the_household().code:
        raise NotFound(thing="swap")
    rota.agree_swap(the_community().id, event_id, the_reader().person_id, utc_now())
    return redirect(url_for("household.turns", slug=slug, household=household), code=303)


def _written(form: OwnTurnForm, task: str, write: Callable[[NewTurn], None]) -> ResponseReturnValue:
    if task not in set(Task):
        raise NotFound(thing="task")
    if not form.validate() or form.first_on.data is None:
        return _show_turns(first_error(form)), 422
    code = the_household().code
    try:
        write(NewTurn(task=Task(task), household=code, first_on=form.first_on.data))
    except TurnInvalid as error:
        return _show_turns(message_for(error)), error.status
    address = url_for("household.turns", slug=the_community().slug, household=code)
    return redirect(address, code=303)


def _show_turns(problem: str = "") -> str:
    """The queues of the tasks in which the household takes part, and the swaps that it is asked for."""
    community, household, today = the_community(), the_household(), _today()
    shown = [
        each
        for each in list_turns(db.session(), community.id, today)
        if household.code in {share.household for share in each.balance.shares}
    ]
    others = [
        (each.code, f"{each.code} {pick(each.name)}")
        for each in list_households(db.session(), community.id, today)
        if each.code != household.code
    ]
    return render_template(
        "household/turns.html",
        community=community,
        household=household,
        shown=shown,
        reasons=[(str(each), labels.label(each)) for each in SkipReason],
        others=others,
        today=today,
        is_own=is_of_household(the_reader(), household.id),
        problem=problem,
    )
