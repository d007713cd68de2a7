"""Turns at tasks: whose turn is next and why, for everybody; what hosts write down of them."""

from collections.abc import Callable
from datetime import date

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_households
from cbt.communities.rotation import SkipReason
from cbt.db import db
from cbt.errors import NotFound, TurnInvalid
from cbt.i18n import pick
from cbt.people.roles import Role, is_allowed
from cbt.revenue import turns
from cbt.revenue.policy import Task
from cbt.revenue.turns import NewTurn
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import DayField, Form, add_error, typed
from cbt.web.host.forms import the_day, the_number
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.turn_forms import AbsenceForm, SwapForm, TermsForm
from cbt.web.turn_views import list_turns, show_turns

READERS = (*HOSTS, Role.HOUSEHOLD, Role.MENTOR)
_TURNS = f"/{LANG}/host/<slug>/turns"
_TASK = f"{_TURNS}/<task>"
TurnForm = TermsForm | AbsenceForm | SwapForm


@bp.get(_TURNS)
@only(*READERS)
def turn_list(slug: str) -> ResponseReturnValue:
    """Every task: who is next, and whether turns are fairly spread."""
    community = the_community()
    shown = list_turns(db.session(), community.id, _today())
    return render_template(
        "host/turn_list.html",
        community=community,
        shown=shown,
        others=[task for task in Task if task not in {each.task for each in shown}],
        is_host=is_host(),
    )


@bp.get(_TASK)
@only(*READERS)
def task_turns(slug: str, task: str) -> ResponseReturnValue:
    return _show(_task(task))


@bp.post(f"{_TASK}/terms")
@only(*HOSTS)
def set_terms(slug: str, task: str) -> ResponseReturnValue:
    form = TermsForm()

    def write(new: NewTurn) -> None:
        person_id = the_reader().person_id
        capacity, weekdays = the_number(form.capacity), form.weekdays.data or []
        turns.set_terms(the_community().id, new, capacity, weekdays, person_id, utc_now())

    return _written(_task(task), form, write)


@bp.post(f"{_TASK}/absences")
@only(*HOSTS)
def note_absence(slug: str, task: str) -> ResponseReturnValue:
    """A skip, or, by its own button, days on which the household is away."""
    form = AbsenceForm()

    def write(new: NewTurn) -> None:
        community_id, person_id = the_community().id, the_reader().person_id
        if request.form.get("do") == "away":
            turns.note_away(community_id, new, person_id, utc_now())
        else:
            reason = SkipReason(form.reason.data)
            turns.skip(community_id, new, reason, person_id, utc_now())

    return _written(_task(task), form, write)


@bp.post(f"{_TASK}/swaps")
@only(*HOSTS)
def ask_swap(slug: str, task: str) -> ResponseReturnValue:
    form = SwapForm()

    def write(new: NewTurn) -> None:
        person_id = the_reader().person_id
        turns.ask_swap(the_community().id, new, form.other.data, person_id, utc_now())

    return _written(_task(task), form, write)


@bp.post(f"{_TURNS}/events/<int:event_id>/agree")
@only(*HOSTS)
def agree_swap(slug: str, event_id: int) -> ResponseReturnValue:
    """A second person notes that the other household agreed, where it cannot do so itself."""
    line = turns.find_turn(db.session(), the_community().id, event_id)
    turns.agree_swap(the_community().id, event_id, the_reader().person_id, utc_now())
    return redirect(url_for("host.task_turns", slug=slug, task=line.task), code=303)


@bp.post(f"{_TURNS}/events/<int:event_id>/withdraw")
@only(*HOSTS)
def withdraw_turn(slug: str, event_id: int) -> ResponseReturnValue:
    line = turns.find_turn(db.session(), the_community().id, event_id)
    turns.withdraw(the_community().id, event_id, the_reader().person_id, utc_now())
    return redirect(url_for("host.task_turns", slug=slug, task=line.task), code=303)


def is_host() -> bool:
    return is_allowed(the_reader(), HOSTS, the_community().id)


def _task(name: str) -> Task:
    if name not in set(Task):
        raise NotFound(thing="task")
    return Task(name)


def _written(task: Task, form: TurnForm, write: Callable[[NewTurn], None]) -> ResponseReturnValue:
    """Let a form be written down, or show it again with what is wrong."""
    _offer(form)
    if not form.validate():
        return _show(task, form), 422
    last: DayField | None = getattr(form, "last_on", None)
    new = NewTurn(
        task=task,
        household=form.household.data,
        first_on=the_day(form.first_on),
        last_on=last.data if last else None,
        words=typed(form.words) if isinstance(form, AbsenceForm) else "",
    )
    try:
        write(new)
    except TurnInvalid as error:
        add_error(form.first_on, message_for(error))
        return _show(task, form), error.status
    address = url_for("host.task_turns", slug=the_community().slug, task=task)
    return redirect(address, code=303)


def _offer(form: TurnForm) -> None:
    found = list_households(db.session(), the_community().id, _today())
    form.offer([(each.code, f"{each.code} {pick(each.name)}") for each in found])


def _show(task: Task, sent: Form | None = None) -> str:
    today = _today()
    forms: dict[type[TurnForm], TurnForm] = {
        TermsForm: TermsForm(formdata=None, first_on=today),
        AbsenceForm: AbsenceForm(formdata=None, first_on=today),
        SwapForm: SwapForm(formdata=None, first_on=today),
    }
    if isinstance(sent, TermsForm | AbsenceForm | SwapForm):
        forms[type(sent)] = sent
    for form in forms.values():
        _offer(form)
    return render_template(
        "host/task_turns.html",
        community=the_community(),
        turns=show_turns(db.session(), the_community().id, task, today),
        terms=forms[TermsForm],
        absence=forms[AbsenceForm],
        swap=forms[SwapForm],
        sent=type(sent).__name__,
        is_host=is_host(),
    )


def _today() -> date:
    return village_day(utc_now(), the_community().zone)
