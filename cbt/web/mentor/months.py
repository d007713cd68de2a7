"""The mentor co-signs closed months, and decides over lines that households were not content with."""

from datetime import date

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField, TextAreaField
from wtforms.validators import DataRequired, Length

from cbt.audit.closing import latest_audit
from cbt.clock import month_of, utc_now
from cbt.db import db
from cbt.errors import KeyLocked, NoteMissing, NotFound, SignerInside, StateForbids
from cbt.i18n import _, _l
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
from cbt.web.bundle_file import send_bundle
from cbt.web.errors import message_for
from cbt.web.forms import REQUIRED, TOO_LONG, Form, add_error, trim, typed
from cbt.web.layout import LANG
from cbt.web.mentor.views import bp

_MONTH = f"/{LANG}/mentor/<slug>/months/<month>"
_LINES = f"/{LANG}/mentor/<slug>/lines"


class SignForm(Form):
    password = PasswordField(_l("Your password"), [DataRequired(message=REQUIRED)])


class DecisionForm(Form):
    decision = TextAreaField(
        _l("What you found, and what shall be done"),
        [DataRequired(message=REQUIRED), Length(max=MOST_WORDS, message=TOO_LONG)],
        filters=[trim],
    )


@bp.get(_MONTH)
@only(Role.MENTOR)
def month_page(slug: str, month: str) -> ResponseReturnValue:
    return _show(_read(month))


@bp.post(f"{_MONTH}/sign")
@only(Role.MENTOR)
def sign_month(slug: str, month: str) -> ResponseReturnValue:
    form = SignForm()
    if not form.validate():
        return _show(_read(month), form), 422
    shown = get_period(db.session(), the_community().id, _read(month))
    try:
        keys.sign_period(
            the_community().id,
            shown,
            SignerRole.MENTOR,
            str(form.password.data),
            current_app.extensions["period_key"],
            the_reader().person_id,
            utc_now(),
        )
    except KeyLocked as error:
        add_error(form.password, message_for(error))
        return _show(shown.month, form), error.status
    except SignerInside as error:
        return _show(shown.month, problem=message_for(error)), error.status
    except StateForbids as error:
        return _show(shown.month, problem=_("It was signed before.")), error.status
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
        return _show(_read(month), problem=message_for(error)), error.status
    return redirect(url_for("mentor.month_page", slug=slug, month=month), code=303)


@bp.get(f"{_MONTH}/bundle.zip")
@only(Role.MENTOR)
def bundle(slug: str, month: str) -> ResponseReturnValue:
    """Everything that is needed to recompute the month elsewhere."""
    return send_bundle(the_community(), _read(month))


def _show(month: date, form: SignForm | None = None, problem: str = "") -> str:
    community, session = the_community(), db.session()
    period = get_period(session, community.id, month)
    signatures = list_signatures(session, period.id)
    people = {period.prepared_by, period.approved_by}
    people |= {each.signed_by for each in signatures if each.signed_by is not None}
    return render_template(
        "mentor/month.html",
        community=community,
        period=period,
        code=short_code(period.record_digest),
        audited=latest_audit(community, utc_now()),
        snapshot=list_snapshot(session, period.id),
        statements=list_statements(session, period.id),
        answers=list_answers(session, period.id),
        signatures=signatures,
        roles={each.role for each in signatures},
        names=list_names(session, list(people)),
        key_id=key_id,
        own_key=find_key(session, community.id, SignerRole.MENTOR, the_reader().person_id),
        form=form or SignForm(formdata=None),
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


def _read(text: str) -> date:
    try:
        return month_of(text)
    except ValueError:
        raise NotFound(thing="period") from None
