"""Rules of days: listed in words, added, changed after a look at what changes, ended."""

from dataclasses import dataclass
from datetime import date

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import departures
from cbt.bookings import queries as bookings
from cbt.bookings.records import TripCard
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import ScheduleInvalid, StateForbids
from cbt.experiences import services as experiences
from cbt.experiences.queries import get_rule, list_rules_of
from cbt.experiences.records import RuleCard
from cbt.experiences.schedule import Change, Rule, require_valid
from cbt.i18n import _
from cbt.web.access import only, the_community
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, first_error, whole
from cbt.web.host.forms import the_day, the_hour
from cbt.web.host.schedule_forms import (
    NewRuleForm,
    OneDepartureForm,
    RuleForm,
    SingleDayForm,
    option_choices,
    rule_values,
)
from cbt.web.host.views import HOSTS, bp
from cbt.web.host.words import rule_words
from cbt.web.layout import LANG

_RULES = f"/{LANG}/host/<slug>/rules"
_RULE = f"{_RULES}/<int:rule_id>"


# --- all of them ---------------------------------------------------------------------------------


@bp.get(_RULES)
@only(*HOSTS)
def rule_list(slug: str) -> ResponseReturnValue:
    return _show_rules()


@bp.post(_RULES)
@only(*HOSTS)
def add_rule(slug: str) -> ResponseReturnValue:
    """Add a rule and open its departures. The same rule sent again is the one that stands."""
    form = NewRuleForm()
    problem = _problem_of(form)
    if problem:
        return _show_rules(form, problem=problem), 422
    option_id = whole(form.option.data) or 0
    rule_id = _standing(option_id, form.rule)
    if rule_id is None:
        rule_id = experiences.add_rule(the_community().id, option_id, form.rule)
    departures.change_rule(the_community().id, rule_id, form.rule, utc_now())
    return redirect(url_for("host.rule", slug=slug, rule_id=rule_id), code=303)


def _problem_of(form: RuleForm) -> str:
    """What is wrong with a rule as typed, or nothing."""
    if isinstance(form, NewRuleForm):
        form.option.choices = _options()
    if not form.validate():
        return first_error(form)
    try:
        require_valid(form.rule)
    except ScheduleInvalid as error:
        return message_for(error)
    return ""


def _standing(option_id: int, rule: Rule) -> int | None:
    rules = list_rules_of(db.session(), the_community().id)
    return next(
        (each.id for each in rules if (each.option_id, each.rule) == (option_id, rule)), None
    )


def _options() -> list[tuple[str, str]]:
    return option_choices(bookings.list_option_names(db.session(), the_community().id))


@bp.post(f"{_RULES}/one-departure")
@only(*HOSTS)
def add_departure(slug: str) -> ResponseReturnValue:
    """Open one departure outside of every rule."""
    form = OneDepartureForm()
    form.option.choices = _options()
    if not form.is_ahead(_today()):
        return _show_rules(one=form), 422
    try:
        departure_id = departures.open_departure(
            the_community().id,
            whole(form.option.data) or 0,
            the_day(form.day),
            the_hour(form.starts_at),
        )
    except ScheduleInvalid as error:
        add_error(form.starts_at, message_for(error))
        return _show_rules(one=form), error.status
    return redirect(url_for("host.departure", slug=slug, departure_id=departure_id), code=303)


def _show_rules(
    form: NewRuleForm | None = None, one: OneDepartureForm | None = None, problem: str = ""
) -> str:
    form = form or NewRuleForm(formdata=None, data={"first_on": _today()})
    one = one or OneDepartureForm(formdata=None)
    form.offer()
    form.option.choices = one.option.choices = _options()
    return render_template(
        "host/rules.html",
        community=the_community(),
        rules=list_rules_of(db.session(), the_community().id),
        rule_words=rule_words,
        form=form,
        one=one,
        problem=problem,
    )


# --- one of them ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A change of a rule as a page lists it."""

    change: Change
    to_close: list[TripCard]
    kept: list[TripCard]


def _shown(change: Change) -> Shown:
    """The change with its departures by name."""
    trips = bookings.list_trips(db.session(), [*change.to_close, *change.kept])
    return Shown(
        change,
        [trips[each] for each in change.to_close],
        [trips[each] for each in change.kept],
    )


@bp.get(_RULE)
@only(*HOSTS)
def rule(slug: str, rule_id: int) -> ResponseReturnValue:
    return _show_rule(rule_id)


@bp.post(_RULE)
@only(*HOSTS)
def change_rule(slug: str, rule_id: int) -> ResponseReturnValue:
    """First show what would change; only the button on that page changes it."""
    form = RuleForm()
    card = get_rule(db.session(), the_community().id, rule_id)
    if problem := _problem_of(form):
        return _show_rule(rule_id, form, problem=problem), 422
    if request.form.get("do") == "edit":
        return _show_rule(rule_id, form)
    if request.form.get("do") == "change":
        departures.change_rule(the_community().id, rule_id, form.rule, utc_now())
        return redirect(url_for("host.rule", slug=slug, rule_id=rule_id), code=303)
    return _show_preview(card, form.rule)


@bp.get(f"{_RULE}/end")
@only(*HOSTS)
def ask_end_rule(slug: str, rule_id: int) -> ResponseReturnValue:
    return _show_preview(get_rule(db.session(), the_community().id, rule_id), None)


@bp.post(f"{_RULE}/end")
@only(*HOSTS)
def end_rule(slug: str, rule_id: int) -> ResponseReturnValue:
    departures.change_rule(the_community().id, rule_id, None, utc_now())
    return redirect(url_for("host.rule_list", slug=slug), code=303)


def _show_preview(card: RuleCard, new: Rule | None) -> str:
    change = departures.preview_rule(the_community().id, card.id, new, utc_now())
    form = RuleForm(formdata=None, data=rule_values(new)) if new else None
    if form:
        form.offer()
    return render_template(
        "host/rule_preview.html",
        community=the_community(),
        card=card,
        old_words=rule_words(card.rule),
        new_words=rule_words(new) if new else "",
        shown=_shown(change),
        form=form,
        action=Form(formdata=None),
    )


# --- single days of a rule -----------------------------------------------------------------------


@bp.post(f"{_RULE}/days")
@only(*HOSTS)
def set_day(slug: str, rule_id: int) -> ResponseReturnValue:
    """Leave one day out, or add one."""
    form = SingleDayForm()
    departs = request.form.get("do") == "add"
    get_rule(db.session(), the_community().id, rule_id)
    if not form.is_ahead(_today()):
        return _show_rule(rule_id, day=form), 422
    try:
        departures.set_exception(
            the_community().id, rule_id, the_day(form.day), departs=departs, now=utc_now()
        )
    except StateForbids as error:
        add_error(form.day, _booked_words())
        return _show_rule(rule_id, day=form), error.status
    return redirect(url_for("host.rule", slug=slug, rule_id=rule_id, _anchor="days"), code=303)


def _booked_words() -> str:
    return _("Guests are booked on this day, so it stays. Call their departure off first.")


def _show_rule(
    rule_id: int,
    form: RuleForm | None = None,
    day: SingleDayForm | None = None,
    problem: str = "",
) -> str:
    card = get_rule(db.session(), the_community().id, rule_id)
    form = form or RuleForm(formdata=None, data=rule_values(card.rule))
    form.offer()
    against = departures.preview_rule(the_community().id, rule_id, card.rule, utc_now())
    today = _today()
    return render_template(
        "host/rule.html",
        community=the_community(),
        card=card,
        words=rule_words(card.rule),
        shown=_shown(Change((), (), against.kept)),
        exceptions=[(on, card.exceptions[on]) for on in sorted(card.exceptions) if on >= today],
        form=form,
        day=day or SingleDayForm(formdata=None),
        problem=problem,
    )


def _today() -> date:
    return village_day(utc_now(), the_community().zone)
