"""Closing a month: the checklist, two people, signatures; and lines that households ask about."""

from datetime import date

from flask import Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField, TextAreaField
from wtforms.validators import DataRequired, Length

from cbt.audit.closing import latest_audit, run_audit
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    CbtError,
    CloseBlocked,
    ExplanationMissing,
    Invalid,
    KeyLocked,
    NoteMissing,
    PeriodNotNext,
    PeriodNotOver,
    PreviewOutdated,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.i18n import _, _l
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue import close, keys, line_disputes
from cbt.revenue.close_facts import StepCode
from cbt.revenue.line_disputes import MOST_WORDS
from cbt.revenue.period_queries import (
    find_key,
    get_period,
    list_answers,
    list_periods,
    list_signatures,
    list_snapshot,
    list_statements,
)
from cbt.revenue.signing import PlatformKey, SignerRole, key_id
from cbt.revenue.statement_text import short_code
from cbt.web.access import only, the_community, the_reader
from cbt.web.bundle_file import send_bundle
from cbt.web.errors import message_for
from cbt.web.forms import REQUIRED, TOO_LONG, Form, add_error, read_month, trim, typed, whole
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.statement_paper import build_notice, send_statement

_CLOSE = f"/{LANG}/host/<slug>/money/close"
_MONTH = f"/{LANG}/host/<slug>/money/months/<month>"
_LINES = f"/{LANG}/host/<slug>/money/lines"
_REFUSED = (
    *(CloseBlocked, ExplanationMissing, PeriodNotNext, PeriodNotOver),
    *(PreviewOutdated, SecondPersonNeeded, StateForbids),
)
WHERE = {
    StepCode.TRIPS_SETTLED: "host.settle_page",
    StepCode.FEES_KNOWN: "host.money_page",
    StepCode.NOTHING_OPEN: "host.work_list",
    StepCode.CASH_COUNTED: "host.cash_page",
    StepCode.DISPUTES_ANSWERED: "host.line_list",
    StepCode.LOSSES_BORNE: "host.loss_page",
}
"""Where each step of the checklist is done."""


class SignForm(Form):
    password = PasswordField(_l("Your password"), [DataRequired(message=REQUIRED)])


class AnswerForm(Form):
    answer = TextAreaField(
        _l("Your answer"),
        [DataRequired(message=REQUIRED), Length(max=MOST_WORDS, message=TOO_LONG)],
        filters=[trim],
    )


# --- the month that is next ----------------------------------------------------------------------


@bp.get(_CLOSE)
@only(*HOSTS)
def close_page(slug: str) -> ResponseReturnValue:
    return _show_close()


@bp.post(_CLOSE)
@only(Role.TREASURER)
def prepare_close(slug: str) -> ResponseReturnValue:
    """The treasurer says that the month can be closed; a second person confirms it."""
    month = read_month(request.form.get("month", ""))
    words = {
        name.removeprefix("why-"): text
        for name, text in request.form.items()
        if name.startswith("why-")
    }
    audit = run_audit(the_community(), utc_now()).facts
    try:
        close.prepare_close(
            the_community().id,
            month,
            request.form.get("previewed", ""),
            words,
            audit,
            _exemption(),
            the_reader().person_id,
            utc_now(),
        )
    except _REFUSED as error:
        return _show_close(problem=_why_not(error), words=words), error.status
    return redirect(url_for("host.close_page", slug=slug), code=303)


@bp.post(f"{_CLOSE}/confirm")
@only(*HOSTS)
def confirm_close(slug: str) -> ResponseReturnValue:
    draft_id = whole(request.form.get("draft"))
    if draft_id is None:
        raise Invalid
    audit = run_audit(the_community(), utc_now()).facts
    try:
        month = close.close_period(
            the_community().id,
            draft_id,
            audit,
            _exemption(),
            platform_key(),
            the_reader().person_id,
            utc_now(),
        )
    except _REFUSED as error:
        return _show_close(problem=_why_not(error)), error.status
    return redirect(url_for("host.period", slug=slug, month=f"{month:%Y-%m}"), code=303)


@bp.post(f"{_CLOSE}/withdraw")
@only(*HOSTS)
def withdraw_close(slug: str) -> ResponseReturnValue:
    close.withdraw_close(the_community().id, utc_now())
    return redirect(url_for("host.close_page", slug=slug), code=303)


def _why_not(error: CbtError) -> str:
    if isinstance(error, PreviewOutdated):
        return _("Something of the month changed since it was shown. Please look again.")
    if isinstance(error, SecondPersonNeeded):
        return _("Whoever prepared it cannot confirm it as well: another person does.")
    if isinstance(error, StateForbids):
        return _("This was decided before.")
    return message_for(error)


def _show_close(problem: str = "", words: dict[str, str] | None = None) -> str:
    community = the_community()
    session = db.session()
    month = close.next_month_to_close(session, community)
    seen = audited = None
    if month is not None:
        now = utc_now()
        audited = latest_audit(community, now)
        person_id = the_reader().person_id
        seen = close.look(session, community, month, audited.facts, person_id, _exemption(), now)
    closed = list_periods(session, community.id)
    people = [seen.draft.prepared_by] if seen and seen.draft else []
    return render_template(
        "host/close.html",
        community=community,
        month=month,
        seen=seen,
        audited=audited,
        closed=closed,
        problem=problem,
        words=words if words is not None else (seen.explained_before if seen else {}),
        where=WHERE,
        names=list_names(session, people),
        own_id=the_reader().person_id,
        is_treasurer=_is_treasurer(),
        short_code=short_code,
    )


# --- a closed month ------------------------------------------------------------------------------


@bp.get(_MONTH)
@only(*HOSTS)
def period(slug: str, month: str) -> ResponseReturnValue:
    return _show_period(read_month(month))


@bp.post(f"{_MONTH}/sign")
@only(Role.TREASURER)
def sign_month(slug: str, month: str) -> ResponseReturnValue:
    form = SignForm()
    if not form.validate():
        return _show_period(read_month(month), form), 422
    shown = get_period(db.session(), the_community().id, read_month(month))
    try:
        keys.sign_period(
            the_community().id,
            shown,
            SignerRole.TREASURER,
            str(form.password.data),
            platform_key(),
            the_reader().person_id,
            utc_now(),
        )
    except KeyLocked as error:
        add_error(form.password, message_for(error))
        return _show_period(shown.month, form), error.status
    except StateForbids as error:
        return _show_period(shown.month, problem=_("It was signed before.")), error.status
    return redirect(url_for("host.period", slug=slug, month=month, _anchor="signed"), code=303)


@bp.post(f"{_MONTH}/key")
@only(Role.TREASURER)
def replace_key(slug: str, month: str) -> ResponseReturnValue:
    """A new key in the place of one that is lost or that somebody else may know."""
    shown = read_month(month)
    reason = request.form.get("reason", "")
    try:
        keys.replace_key(
            the_community().id,
            SignerRole.TREASURER,
            request.form.get("password", ""),
            reason,
            platform_key(),
            the_reader().person_id,
            utc_now(),
        )
    except (KeyLocked, NoteMissing) as error:
        return _show_period(shown, problem=message_for(error)), error.status
    return redirect(url_for("host.period", slug=slug, month=month, _anchor="signed"), code=303)


@bp.get(f"{_MONTH}/notice.pdf")
@only(*HOSTS)
def period_notice(slug: str, month: str) -> Response:
    """The paper for the notice board."""
    community, session = the_community(), db.session()
    shown = get_period(session, community.id, read_month(month))
    signatures = list_signatures(session, shown.id)
    statements = list_statements(session, shown.id)
    people = [each.signed_by for each in signatures if each.signed_by is not None]
    paper = build_notice(
        community,
        shown,
        list_snapshot(session, shown.id),
        signatures,
        list_names(session, people),
        sum(each.earned_satang for each in statements),
        sum(each.earned_satang > 0 for each in statements),
    )
    return send_statement(paper)


@bp.get(f"{_MONTH}/bundle.zip")
@only(Role.TREASURER)
def bundle(slug: str, month: str) -> Response:
    """Everything that is needed to recompute the month elsewhere."""
    return send_bundle(the_community(), read_month(month))


def _show_period(month: date, form: SignForm | None = None, problem: str = "") -> str:
    community, session = the_community(), db.session()
    shown = get_period(session, community.id, month)
    signatures = list_signatures(session, shown.id)
    people = {shown.prepared_by, shown.approved_by}
    people |= {each.signed_by for each in signatures if each.signed_by is not None}
    own = find_key(session, community.id, SignerRole.TREASURER, the_reader().person_id)
    return render_template(
        "host/period.html",
        community=community,
        period=shown,
        code=short_code(shown.record_digest),
        snapshot=list_snapshot(session, shown.id),
        statements=list_statements(session, shown.id),
        answers=list_answers(session, shown.id),
        signatures=signatures,
        roles={each.role for each in signatures},
        names=list_names(session, list(people)),
        key_id=key_id,
        own_key=own,
        form=form or SignForm(formdata=None),
        problem=problem,
        is_treasurer=_is_treasurer(),
    )


# --- lines that households ask about -------------------------------------------------------------


@bp.get(_LINES)
@only(*HOSTS)
def line_list(slug: str) -> ResponseReturnValue:
    return _show_lines()


@bp.post(f"{_LINES}/<int:dispute_id>")
@only(*HOSTS)
def answer_line(slug: str, dispute_id: int) -> ResponseReturnValue:
    form = AnswerForm()
    if not form.validate():
        return _show_lines(form, dispute_id), 422
    try:
        line_disputes.answer_line(
            the_community().id,
            dispute_id,
            typed(form.answer),
            the_reader().person_id,
            utc_now(),
        )
    except SecondPersonNeeded as error:
        add_error(form.answer, _("You asked about this line yourself: another person answers."))
        return _show_lines(form, dispute_id), error.status
    except StateForbids as error:
        add_error(form.answer, _("It was answered before."))
        return _show_lines(form, dispute_id), error.status
    return redirect(url_for("host.line_list", slug=slug), code=303)


def _show_lines(form: AnswerForm | None = None, about: int | None = None) -> str:
    found = line_disputes.list_lines(db.session(), the_community().id)
    people = {each.answered_by for each in found} | {each.decided_by for each in found}
    return render_template(
        "host/lines.html",
        community=the_community(),
        found=found,
        form=form or AnswerForm(formdata=None),
        about=about,
        names=list_names(db.session(), [each for each in people if each is not None]),
    )


# --- shared --------------------------------------------------------------------------------------


def platform_key() -> PlatformKey:
    found = current_app.extensions["period_key"]
    assert isinstance(found, PlatformKey)
    return found


def _exemption() -> date:
    until = current_app.extensions["settings"].tax_exemption_until
    assert isinstance(until, date)
    return until


def _is_treasurer() -> bool:
    return any(
        grant.role == Role.TREASURER and grant.community_id == the_community().id
        for grant in the_reader().grants
    )
