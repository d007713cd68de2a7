"""A mentor tells findings, by hand or from what the machine said, reads the answers, and ends them."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.audit import case_work, runs
from cbt.audit.case_work import CaseCard, NewCase
from cbt.audit.cases import SubjectKind
from cbt.audit.evidence import get_evidence
from cbt.audit.risks import RiskCode
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import CaseInvalid, CbtError, NotFound, Refused
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue.period_queries import get_period, list_answers
from cbt.revenue.policy_rules import Severity
from cbt.revenue.rulebook import Answer
from cbt.web.access import only, the_community, the_reader
from cbt.web.audit_forms import EndForm, NewCaseForm
from cbt.web.errors import message_for
from cbt.web.evidence import send_file
from cbt.web.forms import add_error, read_month, typed
from cbt.web.layout import LANG
from cbt.web.mentor.views import bp

_AT = f"/{LANG}/mentor/<slug>/findings"
_CASE = f"{_AT}/<int:number>"
_RUN = f"/{LANG}/mentor/<slug>/runs/<int:run_id>"


# --- the list, and telling one by hand -----------------------------------------------------------


@bp.get(_AT)
@only(Role.MENTOR)
def case_list(slug: str) -> ResponseReturnValue:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    return render_template(
        "mentor/cases.html",
        community=community,
        cases=case_work.list_cases(db.session(), community.id, today),
        today=today,
    )


@bp.get(f"{_AT}/new")
@only(Role.MENTOR)
def new_case(slug: str) -> ResponseReturnValue:
    """A form for a finding; an address may name already what it is about."""
    form = NewCaseForm(formdata=None)
    kind, _colon, name = request.args.get("about", "").partition(":")
    if kind in tuple(SubjectKind):
        form.kind.data, form.name.data = kind, name[:40]
    return _show_form(form)


@bp.post(_AT)
@only(Role.MENTOR)
def open_case(slug: str) -> ResponseReturnValue:
    form = NewCaseForm()
    if not form.validate():
        return _show_form(form), 422
    try:
        number = case_work.open_case(
            the_community().id,
            NewCase(
                subject=form.subject,
                severity=Severity(form.severity.data),
                words=typed(form.words),
                accused=form.accused.data or None,
                days=form.days.data or 0,
            ),
            the_reader().person_id,
            utc_now(),
        )
    except CaseInvalid as error:
        fields = {"subject": form.name, "days": form.days, "accused": form.accused}
        add_error(fields[str(error.facts["problem"])], message_for(error))
        return _show_form(form), error.status
    return redirect(url_for("mentor.case_page", slug=slug, number=number), code=303)


def _show_form(form: NewCaseForm) -> str:
    form.offer(case_work.list_people(db.session(), the_community().id))
    return render_template("mentor/case_new.html", community=the_community(), form=form)


# --- from what the machine said, with one tap ----------------------------------------------------


@bp.post(f"{_RUN}/findings/<int:nth>")
@only(Role.MENTOR)
def raise_finding(slug: str, run_id: int, nth: int) -> ResponseReturnValue:
    """What a check found, by its place in the run that is kept: nothing of it comes from the form."""
    run = runs.get_run(db.session(), the_community().id, run_id).run
    if nth >= len(run.findings):
        raise NotFound(thing="finding")
    return _raise(case_work.of_check(run_id, nth, *run.findings[nth], run.month))


@bp.post(f"{_RUN}/numbers/<risk>")
@only(Role.MENTOR)
def raise_risk(slug: str, run_id: int, risk: str) -> ResponseReturnValue:
    """A number that is beyond its line."""
    run = runs.get_run(db.session(), the_community().id, run_id).run
    found = [each for each in run.risks if each.code == risk and risk in tuple(RiskCode)]
    if not found:
        raise NotFound(thing="risk")
    return _raise(case_work.of_risk(run.risks_of, found[0]))


@bp.post(f"/{LANG}/mentor/<slug>/months/<month>/rules/<rule>")
@only(Role.MENTOR)
def raise_rule(slug: str, month: str, rule: str) -> ResponseReturnValue:
    """What a rule said at the close of a month."""
    period = get_period(db.session(), the_community().id, read_month(month))
    answers: dict[str, Answer] = {
        answer.rule: answer for answer, _why in list_answers(db.session(), period.id)
    }
    if rule not in answers:
        raise NotFound(thing="rule")
    return _raise(case_work.of_rule(period.month, answers[rule]))


def _raise(new: NewCase) -> ResponseReturnValue:
    community = the_community()
    number = case_work.open_case(community.id, new, the_reader().person_id, utc_now())
    return redirect(url_for("mentor.case_page", slug=community.slug, number=number), code=303)


# --- one finding ---------------------------------------------------------------------------------


@bp.get(_CASE)
@only(Role.MENTOR)
def case_page(slug: str, number: int) -> ResponseReturnValue:
    return _show_case(_find(number))


@bp.post(f"{_CASE}/close")
@only(Role.MENTOR)
def close_case(slug: str, number: int) -> ResponseReturnValue:
    form = EndForm()
    if not form.validate():
        return _show_case(_find(number), form, "close"), 422
    try:
        case_work.close_case(
            the_community().id, number, typed(form.words), the_reader().person_id, utc_now()
        )
    except Refused as error:
        return _show_case(_find(number), form, problem=error), error.status
    return redirect(url_for("mentor.case_page", slug=slug, number=number), code=303)


@bp.post(f"{_CASE}/reopen")
@only(Role.MENTOR)
def reopen_case(slug: str, number: int) -> ResponseReturnValue:
    form = EndForm()
    if not form.validate():
        return _show_case(_find(number), form, "reopen"), 422
    try:
        case_work.reopen_case(
            the_community().id, number, typed(form.words), the_reader().person_id, utc_now()
        )
    except Refused as error:
        return _show_case(_find(number), form, problem=error), error.status
    return redirect(url_for("mentor.case_page", slug=slug, number=number), code=303)


@bp.get(f"/{LANG}/mentor/<slug>/evidence/<int:evidence_id>")
@only(Role.MENTOR)
def case_evidence(slug: str, evidence_id: int) -> ResponseReturnValue:
    found = get_evidence(db.session(), the_community().id, evidence_id)
    return send_file(found.kind, found.body, f"evidence-{found.id}")


def _find(number: int) -> CaseCard:
    return case_work.get_case(db.session(), the_community().id, number)


def _show_case(
    case: CaseCard,
    form: EndForm | None = None,
    about: str = "",
    problem: CbtError | None = None,
) -> str:
    community = the_community()
    people = [each.done_by for each in case.steps] + ([case.accused] if case.accused else [])
    return render_template(
        "mentor/case.html",
        community=community,
        case=case,
        today=village_day(utc_now(), community.zone),
        names=list_names(db.session(), people),
        form=form or EndForm(formdata=None),
        about=about,
        problem=message_for(problem) if problem else "",
    )
