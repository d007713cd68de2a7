"""The mentor co-signs closed months, and decides over lines that households were not content with."""

from datetime import date

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from cbt.audit import runs, sign_off
from cbt.audit.case_work import list_cases
from cbt.audit.sign_off_rules import find_obstacles, severity_of
from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_register
from cbt.db import db, snapshot
from cbt.errors import (
    KeyLocked,
    NoteMissing,
    SignerInside,
    SignOffBlocked,
    StateForbids,
)
from cbt.i18n import _, _l, pick
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue import keys, line_disputes
from cbt.revenue.line_disputes import MOST_WORDS
from cbt.revenue.period_queries import (
    find_key,
    get_period,
    list_answers,
    list_signatures,
    list_snapshot,
    list_statements,
)
from cbt.revenue.signing import SignerRole, key_id
from cbt.revenue.statement_text import short_code
from cbt.web.access import only, the_community, the_reader
from cbt.web.audit_forms import SignOffForm, TieForm
from cbt.web.audit_labels import obstacle_words, what_to_do
from cbt.web.bundle_file import send_bundle
from cbt.web.errors import message_for
from cbt.web.forms import REQUIRED, TOO_LONG, Form, add_error, read_month, trim, typed
from cbt.web.layout import LANG
from cbt.web.mentor.views import bp

_MONTH = f"/{LANG}/mentor/<slug>/months/<month>"
_LINES = f"/{LANG}/mentor/<slug>/lines"


class DecisionForm(Form):
    decision = TextAreaField(
        _l("What you found, and what shall be done"),
        [DataRequired(message=REQUIRED), Length(max=MOST_WORDS, message=TOO_LONG)],
        filters=[trim],
    )


@bp.get(_MONTH)
@only(Role.MENTOR)
def month_page(slug: str, month: str) -> ResponseReturnValue:
    return _show(read_month(month))


@bp.post(f"{_MONTH}/sign")
@only(Role.MENTOR)
def sign_month(slug: str, month: str) -> ResponseReturnValue:
    """Sign a month off: refused while an error stands or the mentor is not from outside."""
    form = SignOffForm()
    if not form.validate():
        return _show(read_month(month), form), 422
    shown = get_period(db.session(), the_community().id, read_month(month))
    try:
        sign_off.sign_month(
            the_community().id,
            shown,
            str(form.password.data),
            typed(form.explanation),
            current_app.extensions["period_key"],
            the_reader().person_id,
            utc_now(),
        )
    except KeyLocked as error:
        add_error(form.password, message_for(error))
        return _show(shown.month, form), error.status
    except NoteMissing as error:
        add_error(form.explanation, _("Please explain why you sign all the same: it is kept."))
        return _show(shown.month, form), error.status
    except (SignOffBlocked, SignerInside) as error:
        return _show(shown.month, form, message_for(error)), error.status
    except StateForbids as error:
        return _show(shown.month, problem=_("It was signed before.")), error.status
    return redirect(url_for("mentor.month_page", slug=slug, month=month), code=303)


@bp.post(f"{_MONTH}/tie")
@only(Role.MENTOR)
def declare_tie(slug: str, month: str) -> ResponseReturnValue:
    """The mentor says that they are related to a household, so that another one signs."""
    form = TieForm()
    if not form.validate():
        return _show(read_month(month), tie=form), 422
    try:
        sign_off.declare_tie(
            the_community().id,
            typed(form.household),
            typed(form.words),
            the_reader().person_id,
            utc_now(),
        )
    except StateForbids as error:
        return _show(read_month(month), problem=message_for(error)), error.status
    return redirect(url_for("mentor.month_page", slug=slug, month=month), code=303)


@bp.post(f"{_MONTH}/key")
@only(Role.MENTOR)
def replace_key(slug: str, month: str) -> ResponseReturnValue:
    try:
        keys.replace_key(
            the_community().id,
            SignerRole.MENTOR,
            request.form.get("password", ""),
            request.form.get("reason", ""),
            current_app.extensions["period_key"],
            the_reader().person_id,
            utc_now(),
        )
    except (KeyLocked, NoteMissing) as error:
        return _show(read_month(month), problem=message_for(error)), error.status
    return redirect(url_for("mentor.month_page", slug=slug, month=month), code=303)


@bp.get(f"{_MONTH}/bundle.zip")
@only(Role.MENTOR)
def bundle(slug: str, month: str) -> ResponseReturnValue:
    """Everything that is needed to recompute the month elsewhere."""
    return send_bundle(the_community(), read_month(month))


def _show(
    month: date,
    form: SignOffForm | None = None,
    problem: str = "",
    tie: TieForm | None = None,
) -> str:
    community, session, now = the_community(), db.session(), utc_now()
    person = the_reader().person_id
    period = get_period(session, community.id, month)
    signatures = list_signatures(session, period.id)
    people = {period.prepared_by, period.approved_by}
    people |= {each.signed_by for each in signatures if each.signed_by is not None}
    with snapshot() as reading:
        run = runs.look(reading, community, month, person, now)
        facts = sign_off.find_facts(reading, community, period, run, person, now)
    asked = tie or TieForm(formdata=None)
    asked.household.choices = [
        (each.code, f"{each.code} {pick(each.name)}")
        for each in list_register(session, community.id)
    ]
    return render_template(
        "mentor/month.html",
        community=community,
        period=period,
        code=short_code(period.record_digest),
        run=run,
        facts=facts,
        obstacles=find_obstacles(facts),
        severity_of=severity_of,
        obstacle_words=obstacle_words,
        what_to_do=what_to_do,
        sign_off=sign_off.find_sign_off(session, period.id),
        cases=list_cases(session, community.id, village_day(now, community.zone), month),
        today=village_day(now, community.zone),
        snapshot=list_snapshot(session, period.id),
        statements=list_statements(session, period.id),
        answers=list_answers(session, period.id),
        signatures=signatures,
        roles={each.role for each in signatures},
        names=list_names(session, list(people)),
        key_id=key_id,
        own_key=find_key(session, community.id, SignerRole.MENTOR, person),
        ties=sign_off.list_ties(session, community.id, person),
        form=form or SignOffForm(formdata=None),
        tie=asked,
        problem=problem,
    )


@bp.get(_LINES)
@only(Role.MENTOR)
def line_list(slug: str) -> ResponseReturnValue:
    return _show_lines()


@bp.post(f"{_LINES}/<int:dispute_id>")
@only(Role.MENTOR)
def decide_line(slug: str, dispute_id: int) -> ResponseReturnValue:
    form = DecisionForm()
    if not form.validate():
        return _show_lines(form, dispute_id), 422
    try:
        line_disputes.decide_line(
            the_community().id,
            dispute_id,
            typed(form.decision),
            the_reader().person_id,
            utc_now(),
        )
    except StateForbids as error:
        add_error(form.decision, _("It stands elsewhere by now."))
        return _show_lines(form, dispute_id), error.status
    return redirect(url_for("mentor.line_list", slug=slug), code=303)


def _show_lines(form: DecisionForm | None = None, about: int | None = None) -> str:
    found = line_disputes.list_lines(db.session(), the_community().id)
    people = {each.answered_by for each in found} | {each.decided_by for each in found}
    return render_template(
        "mentor/lines.html",
        community=the_community(),
        found=found,
        form=form or DecisionForm(formdata=None),
        about=about,
        names=list_names(db.session(), [each for each in people if each is not None]),
    )
