"""The community answers what its mentor found."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.audit import case_work
from cbt.audit.case_work import CaseCard
from cbt.audit.evidence import get_evidence
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import EvidenceInvalid, StateForbids
from cbt.i18n import _
from cbt.people.queries import list_names
from cbt.web.access import only, the_community, the_reader
from cbt.web.audit_forms import AnswerForm, handed_in
from cbt.web.errors import message_for
from cbt.web.evidence import let_evidence_in, send_file
from cbt.web.forms import add_error, typed
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_AT = f"/{LANG}/host/<slug>/money/findings"
_FINDING = f"{_AT}/<int:number>"


@bp.url_value_preprocessor
def let_answers_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    if endpoint == "host.answer_finding":
        let_evidence_in()


@bp.get(_AT)
@only(*HOSTS)
def finding_list(slug: str) -> ResponseReturnValue:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    return render_template(
        "host/findings.html",
        community=community,
        cases=case_work.list_cases(db.session(), community.id, today),
        today=today,
    )


@bp.get(_FINDING)
@only(*HOSTS)
def finding(slug: str, number: int) -> ResponseReturnValue:
    return _show(case_work.get_case(db.session(), the_community().id, number))


@bp.post(_FINDING)
@only(*HOSTS)
def answer_finding(slug: str, number: int) -> ResponseReturnValue:
    form = AnswerForm()
    case = case_work.get_case(db.session(), the_community().id, number)
    if not form.validate():
        return _show(case, form), 422
    try:
        case_work.answer_case(
            the_community().id,
            number,
            typed(form.words),
            handed_in(form.file),
            the_reader().person_id,
            utc_now(),
        )
    except EvidenceInvalid as error:
        add_error(form.file, message_for(error))
        return _show(case, form), error.status
    except StateForbids as error:
        return _show(case, form, _("The mentor has ended it by now.")), error.status
    return redirect(url_for("host.finding", slug=slug, number=number), code=303)


@bp.get(f"{_AT}/evidence/<int:evidence_id>")
@only(*HOSTS)
def finding_evidence(slug: str, evidence_id: int) -> ResponseReturnValue:
    found = get_evidence(db.session(), the_community().id, evidence_id, of_findings=True)
    return send_file(found.kind, found.body, f"evidence-{found.id}")


def _show(case: CaseCard, form: AnswerForm | None = None, problem: str = "") -> str:
    community = the_community()
    people = [each.done_by for each in case.steps] + ([case.accused] if case.accused else [])
    return render_template(
        "host/finding.html",
        community=community,
        case=case,
        today=village_day(utc_now(), community.zone),
        names=list_names(db.session(), people),
        form=form or AnswerForm(formdata=None),
        problem=problem,
    )
