"""Assessment against CBT Thailand: the community of itself, the mentor for the committee, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from cbt.audit import assess
from cbt.audit.assess import Judged
from cbt.audit.assessment import CRITERIA, DOMAINS, MOST_SCORE, Assessor, gov_04, level
from cbt.audit.assessment_queries import (
    AssessmentCard,
    ItemCard,
    assessed,
    get_assessment,
    latest,
    list_actions,
    list_editions,
    list_items,
    list_results,
)
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import (
    EditionInvalid,
    EditionTaken,
    NoteMissing,
    NotFound,
    ScoresMissing,
    ScoreUnfounded,
    StateForbids,
)
from cbt.i18n import _, _l
from cbt.people.roles import Role, is_allowed
from cbt.web.access import only, the_community, the_reader
from cbt.web.assessment_words import (
    CRITERION_NAMES,
    DOMAIN_NAMES,
    RECORD_NAMES,
    RECORDS_FOR,
)
from cbt.web.errors import message_for
from cbt.web.fairness_words import decimal
from cbt.web.forms import REQUIRED, TOO_LONG, DayField, Form, add_error, text, trim, typed, whole
from cbt.web.host.forms import the_day
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.radar import ring, shape, spokes

READERS = (*HOSTS, Role.MENTOR)
_NOT_YOURS = _l("The community writes its own assessment, the mentor that of the committee.")
_MOST_EVIDENCE = 300
_MOST_COMMENT = 1_000
_ALL = f"/{LANG}/host/<slug>/assessments"
_ONE = f"{_ALL}/<int:assessment_id>"


class ActionForm(Form):
    criterion = SelectField(
        _l("Criterion"),
        choices=lambda: [(each, f"{each} {CRITERION_NAMES[each]}") for each in CRITERIA],
    )
    what = text(_l("What is to be done"), most=300, required=True)
    who = text(_l("Who sees to it"), most=120, required=True)
    due_on = DayField(_l("By which day"), [InputRequired(message=REQUIRED)])


class EditionForm(Form):
    name = text(_l("Name and year of the edition"), most=80, required=True)
    items = TextAreaField(
        _l("Items, one a line"),
        [DataRequired(message=REQUIRED), Length(max=200_000, message=TOO_LONG)],
        filters=[trim],
    )


@dataclass(frozen=True)
class Row:
    """A criterion or domain beside each other: the community's own mean, the committee's, the one before."""

    code: str
    name: str
    own: str
    committee: str
    before: str
    level: str


# --- all of them ---------------------------------------------------------------------------------


@bp.get(_ALL)
@only(*READERS)
def assessment_list(slug: str) -> ResponseReturnValue:
    return _show_all()


@bp.post(_ALL)
@only(*READERS)
def begin_assessment(slug: str) -> ResponseReturnValue:
    edition = whole(request.form.get("edition"))
    try:
        number = assess.begin(
            the_community().id, edition or 0, _own_kind(), the_reader().person_id, utc_now()
        )
    except NotFound:
        return _show_all(problem=_("Please choose an edition.")), 422
    except StateForbids as error:
        return _show_all(problem=_("One is open already; please finish it first.")), error.status
    return redirect(url_for("host.assessment", slug=slug, assessment_id=number), code=303)


@bp.post(f"{_ALL}/actions")
@only(*HOSTS)
def plan_action(slug: str) -> ResponseReturnValue:
    form = ActionForm()
    if not form.validate():
        return _show_all(form), 422
    try:
        assess.plan(
            the_community().id,
            typed(form.criterion),
            typed(form.what),
            typed(form.who),
            the_day(form.due_on),
            the_reader().person_id,
            utc_now(),
        )
    except NoteMissing as error:
        add_error(form.what, message_for(error))
        return _show_all(form), error.status
    return redirect(url_for("host.assessment_list", slug=slug, _anchor="plan"), code=303)


@bp.post(f"{_ALL}/actions/<int:action_id>/done")
@only(*HOSTS)
def action_done(slug: str, action_id: int) -> ResponseReturnValue:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    try:
        assess.mark_done(community.id, action_id, today, the_reader().person_id)
    except StateForbids as error:
        return _show_all(problem=_("It was marked as done before.")), error.status
    return redirect(url_for("host.assessment_list", slug=slug, _anchor="plan"), code=303)


def _show_all(form: ActionForm | None = None, problem: str = "") -> str:
    community, session = the_community(), db.session()
    results = list_results(session, community.id)
    own, committee = latest(results, Assessor.SELF), latest(results, Assessor.COMMITTEE)
    before = latest(results, Assessor.COMMITTEE, 1)
    by_domain = [each.domains if each else {} for each in (own, committee, before)]
    by_criterion = [each.criteria if each else {} for each in (own, committee, before)]
    today = village_day(utc_now(), community.zone)
    return render_template(
        "host/assessments.html",
        community=community,
        results=results,
        open_one=next(
            (each for each in results if each.card.is_open and each.card.assessor == _own_kind()),
            None,
        ),
        own=own,
        committee=committee,
        before=before,
        answer=gov_04(assessed(own, community.zone), assessed(committee, community.zone), today),
        domains=[
            _row(str(domain), DOMAIN_NAMES[domain], [each.get(domain) for each in by_domain])
            for domain in DOMAINS
        ],
        criteria=[
            _row(code, CRITERION_NAMES[code], [each.get(code) for each in by_criterion])
            for code in CRITERIA
        ],
        spokes=spokes(DOMAINS),
        rings=[ring(DOMAINS, Fraction(each, MOST_SCORE)) for each in range(1, MOST_SCORE + 1)],
        shapes=[
            (kind, shape(DOMAINS, one.domains, MOST_SCORE))
            for kind, one in (("own", own), ("committee", committee))
            if one
        ],
        editions=list_editions(session),
        kind=_own_kind(),
        actions=list_actions(session, community.id),
        criterion_names=CRITERION_NAMES,
        is_host=_is_host(),
        form=form or ActionForm(formdata=None),
        today=today,
        problem=problem,
    )


def _row(code: str, name: object, means: Sequence[Fraction | None]) -> Row:
    """`means`: the community's own, the committee's, and the committee's before that."""
    judged = means[1] if means[1] is not None else means[0]
    own, committee, before = (decimal(each, 2) for each in means)
    return Row(code, str(name), own, committee, before, level(judged) if judged is not None else "")


# --- one -----------------------------------------------------------------------------------------


@bp.get(_ONE)
@only(*READERS)
def assessment(slug: str, assessment_id: int) -> ResponseReturnValue:
    return _show_one(assessment_id)


@bp.post(f"{_ONE}/finish")
@only(*READERS)
def finish_assessment(slug: str, assessment_id: int) -> ResponseReturnValue:
    if _mine(assessment_id) is None:
        return _show_one(assessment_id, _NOT_YOURS), 409
    try:
        assess.finish(the_community().id, assessment_id, the_reader().person_id, utc_now())
    except ScoresMissing as error:
        return _show_one(assessment_id, message_for(error)), error.status
    except StateForbids as error:
        return _show_one(assessment_id, _("It was finished before.")), error.status
    return redirect(url_for("host.assessment_list", slug=slug), code=303)


def _show_one(assessment_id: int, problem: object = "") -> str:
    community, session = the_community(), db.session()
    card = get_assessment(session, community.id, assessment_id)
    items = list_items(session, card)
    groups = [
        (
            criterion,
            CRITERION_NAMES[criterion],
            [each for each in items if each.criterion == criterion],
        )
        for criterion in CRITERIA
    ]
    return render_template(
        "host/assessment.html",
        community=community,
        card=card,
        groups=[each for each in groups if each[2]],
        left=sum(each.score is None for each in items),
        may_write=card.is_open and card.assessor == _own_kind(),
        problem=problem,
    )


@bp.get(f"{_ONE}/<criterion>")
@only(*READERS)
def assessed_criterion(slug: str, assessment_id: int, criterion: str) -> ResponseReturnValue:
    return _show_criterion(assessment_id, criterion)


@bp.post(f"{_ONE}/<criterion>")
@only(*READERS)
def score_criterion(slug: str, assessment_id: int, criterion: str) -> ResponseReturnValue:
    card = _mine(assessment_id)
    if card is None:
        return _show_one(assessment_id, _NOT_YOURS), 409
    items = _items(card, criterion)
    problems = {each.id: _problem(each) for each in items if _problem(each)}
    if problems:
        return _show_criterion(assessment_id, criterion, problems), 422
    judged = [
        _read_judged(each) for each in items if request.form.get(f"score-{each.id}", "") != ""
    ]
    try:
        assess.score(the_community().id, assessment_id, judged, the_reader().person_id, utc_now())
    except ScoreUnfounded as error:
        return _show_criterion(assessment_id, criterion, {0: message_for(error)}), error.status
    except StateForbids as error:
        return _show_one(assessment_id, _("It was finished before.")), error.status
    return redirect(
        url_for("host.assessment", slug=slug, assessment_id=assessment_id, _anchor=f"c{criterion}"),
        code=303,
    )


def _show_criterion(
    assessment_id: int, criterion: str, problems: dict[int, str] | None = None
) -> str:
    card = get_assessment(db.session(), the_community().id, assessment_id)
    items = _items(card, criterion)
    return render_template(
        "host/assessment_criterion.html",
        community=the_community(),
        card=card,
        criterion=criterion,
        name=CRITERION_NAMES[criterion],
        items=items,
        records=[(each, RECORD_NAMES[each]) for each in RECORDS_FOR.get(criterion, ())],
        record_names=RECORD_NAMES,
        typed=request.form if problems else None,
        problems=problems or {},
        scores=range(MOST_SCORE + 1),
        may_write=card.is_open and card.assessor == _own_kind(),
        most_evidence=_MOST_EVIDENCE,
        most_comment=_MOST_COMMENT,
    )


def _items(card: AssessmentCard, criterion: str) -> list[ItemCard]:
    if criterion not in CRITERION_NAMES:
        raise NotFound(thing="criterion")
    items = list_items(db.session(), card, criterion)
    if not items:
        raise NotFound(thing="criterion")
    return items


def _read_judged(item: ItemCard) -> Judged:
    own = [(line, False) for line in _lines(item)]
    records = [
        (each, True)
        for each in request.form.getlist(f"record-{item.id}")
        if each in RECORDS_FOR.get(item.criterion, ())
    ]
    score = whole(request.form.get(f"score-{item.id}"))
    comment = trim(request.form.get(f"comment-{item.id}"))
    return Judged(item.id, -1 if score is None else score, comment, (*records, *own))


def _lines(item: ItemCard) -> list[str]:
    typed_in = request.form.get(f"evidence-{item.id}", "")
    return [line.strip() for line in typed_in.splitlines() if line.strip()]


def _problem(item: ItemCard) -> str:
    """What is wrong with what was entered for an item, or ""."""
    if request.form.get(f"score-{item.id}", "") == "":
        return ""
    judged = _read_judged(item)
    if len(judged.evidence) > item.indices:
        return _(
            "This item has %(number)s indices: one line of evidence for each.", number=item.indices
        )
    if any(len(what) > _MOST_EVIDENCE for what, _is_record in judged.evidence):
        return str(TOO_LONG)
    if len(judged.comment) > _MOST_COMMENT:
        return str(TOO_LONG)
    if not 0 <= judged.score <= len(judged.evidence) or judged.score > MOST_SCORE:
        return message_for(ScoreUnfounded(score=judged.score, evidenced=len(judged.evidence)))
    return ""


# --- editions ------------------------------------------------------------------------------------


@bp.get(f"{_ALL}/editions")
@only(Role.MENTOR)
def edition_list(slug: str) -> ResponseReturnValue:
    return _show_editions()


@bp.post(f"{_ALL}/editions")
@only(Role.MENTOR)
def enter_edition(slug: str) -> ResponseReturnValue:
    form = EditionForm()
    if not form.validate():
        return _show_editions(form), 422
    try:
        assess.enter_edition(typed(form.name), typed(form.items), the_reader().person_id, utc_now())
    except EditionInvalid as error:
        add_error(form.items, message_for(error))
        return _show_editions(form), error.status
    except EditionTaken as error:
        add_error(form.name, message_for(error))
        return _show_editions(form), error.status
    return redirect(url_for("host.assessment_list", slug=slug), code=303)


def _show_editions(form: EditionForm | None = None) -> str:
    return render_template(
        "host/editions.html",
        community=the_community(),
        editions=list_editions(db.session()),
        form=form or EditionForm(formdata=None),
    )


# --- who -----------------------------------------------------------------------------------------


def _is_host() -> bool:
    return is_allowed(the_reader(), HOSTS, the_community().id)


def _own_kind() -> Assessor:
    """What the reader may write: hosts assess themselves, the mentor for the committee."""
    return Assessor.SELF if _is_host() else Assessor.COMMITTEE


def _mine(assessment_id: int) -> AssessmentCard | None:
    """The assessment, or None where it is the other side's to write."""
    card = get_assessment(db.session(), the_community().id, assessment_id)
    return card if card.assessor == _own_kind() else None
