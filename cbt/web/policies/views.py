"""Policies: which is in force, what each says, how it is drafted, proposed and adopted.

Every member household and the mentor read them; coordinators and treasurers write.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_households, list_register
from cbt.db import db
from cbt.errors import (
    CbtError,
    NotFound,
    PolicyInvalid,
    PolicyOverlaps,
    PolicyTooEarly,
    ResolutionInvalid,
)
from cbt.i18n import Localized, _l
from cbt.people.roles import Role, is_allowed, is_of_household
from cbt.revenue import proposals, queries, resolutions
from cbt.revenue.adoption import MOST_BYTES, Minutes, UsesNature
from cbt.revenue.policy import Policy
from cbt.revenue.policy_rules import ALIGNED, Ruling, Situation, check
from cbt.revenue.records import AdoptedPolicy
from cbt.revenue.resolutions import Answered, DraftCard
from cbt.revenue.simulation import Simulation
from cbt.revenue.split import Part, split
from cbt.revenue.templates import TEMPLATES
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.flow import draw
from cbt.web.forms import typed
from cbt.web.layout import LANG
from cbt.web.policies.forms import STEPS, MeetingForm, NameForm, OutsideForm, StepForm
from cbt.web.policies.words import policy_sentences, ruling_words

bp = Blueprint("policies", __name__)
WRITERS = (Role.COORDINATOR, Role.TREASURER)
READERS = (*WRITERS, Role.HOUSEHOLD, Role.MENTOR)
EXAMPLE_SATANG = 100_000
REVIEW = "review"
_AT = f"/{LANG}/policies/<slug>"
_AROUND_THE_FILE = 64 * 1024  # what a form adds to the file that it carries
_TYPES = {"pdf": "application/pdf", "jpeg": "image/jpeg", "png": "image/png"}

_TEMPLATE_WORDS = {
    "default": (
        _l("The usual beginning"),
        _l("78 percent to the households that work, 22 percent to five funds"),
    ),
    "welfare": (
        _l("More for welfare"),
        _l("10 baht of each booking and 8 percent to the welfare fund, management limited"),
    ),
    "homestay": (
        _l("Homestay with agreed rates"),
        _l("Each night and each meal is paid at its rate, what is left goes to development"),
    ),
    "dividend": (
        _l("With a dividend to the owners"),
        _l("8 percent to those who hold shares of what the trip uses"),
    ),
}
STEP_WORDS = {
    "name": _l("Name"),
    "outside": _l("Middleman"),
    "fixed": _l("Fixed amounts"),
    "shares": _l("Percentages"),
    "work": _l("Work"),
    REVIEW: _l("Look it over"),
}


@bp.url_value_preprocessor
def let_minutes_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    """One route takes more than a form holds, and only from people who are signed in."""
    if endpoint == "policies.adopt" and "person_id" in session:
        request.max_content_length = MOST_BYTES + _AROUND_THE_FILE


# --- reading -------------------------------------------------------------------------------------


@bp.get(_AT)
@only(*READERS)
def policy_list(slug: str) -> ResponseReturnValue:
    community, today = the_community(), _today()
    adopted = queries.list_policies(db.session(), community.id)
    in_force = queries.find_policy_in_force(db.session(), community.id, today)
    return render_template(
        "policies/list.html",
        community=community,
        policies=[(policy, _standing(policy, in_force, today)) for policy in reversed(adopted)],
        review=_review(in_force, today),
        proposals=resolutions.list_proposals(db.session(), community.id),
        drafts=resolutions.list_drafts(db.session(), community.id) if _may_write() else [],
        templates=_TEMPLATE_WORDS,
        may_write=_may_write(),
    )


def _standing(policy: AdoptedPolicy, in_force: AdoptedPolicy | None, today: date) -> str:
    """Whether a policy is "in_force", "coming" or "past"."""
    if policy.effective_from > today:
        return "coming"
    return "in_force" if in_force and policy.id == in_force.id else "past"


def _review(in_force: AdoptedPolicy | None, today: date) -> Ruling | None:
    """What the yearly review says of the policy in force."""
    if in_force is None:
        return None
    situation = Situation(
        today, UsesNature.UNKNOWN, "", adopted_on=in_force.adopted_on, has_resolution=True
    )
    return next(each for each in check(in_force.policy, situation) if each.rule == "POL-09")


@bp.get(f"{_AT}/<int:number>")
@only(*READERS)
def policy(slug: str, number: int) -> ResponseReturnValue:
    community, today = the_community(), _today()
    shown = _adopted(number)
    in_force = queries.find_policy_in_force(db.session(), community.id, today)
    resolution = resolutions.find_resolution(db.session(), shown.id)
    return render_template(
        "policies/policy.html",
        community=community,
        policy=shown,
        standing=_standing(shown, in_force, today),
        resolution=resolution,
        rulings=resolution.rulings if resolution else (),
        **_about(shown.policy),
    )


def _adopted(number: int) -> AdoptedPolicy:
    for each in queries.list_policies(db.session(), the_community().id):
        if each.number == number:
            return each
    raise NotFound(thing="policy")


def _about(shown: Policy) -> dict[str, object]:
    """What every page that shows a policy says of it: sentences, and an example by the real rule."""
    parts = example(shown)
    return {
        "sentences": policy_sentences(shown),
        "flow": draw(parts),
        "example": [part for part in parts if part.amount_satang],
        "of_satang": EXAMPLE_SATANG,
        "aligned": ALIGNED,
        "ruling_words": ruling_words,
    }


def example(shown: Policy) -> tuple[Part, ...]:
    """Where 1,000 baht without outside costs go."""
    return split(EXAMPLE_SATANG, [], 0, shown)


@bp.get(f"{_AT}/<int:number>/minutes")
@only(*READERS)
def minutes(slug: str, number: int) -> ResponseReturnValue:
    """The file as it was handed in, to be saved and not opened within our pages."""
    kept = resolutions.get_minutes(db.session(), _adopted(number).id)
    answer = Response(kept.body, mimetype=_TYPES[kept.kind])
    plain = (
        f"minutes-{number}.{kept.kind}"  # a header is Latin; a name in Thai has to be written out
    )
    answer.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(kept.name, safe='')}"
    )
    return answer


def _today() -> date:
    return village_day(utc_now(), the_community().zone)


def _may_write() -> bool:
    return is_allowed(the_reader(), WRITERS, the_community().id)


# --- drafting ------------------------------------------------------------------------------------


@bp.post(f"{_AT}/drafts")
@only(*WRITERS)
def begin(slug: str) -> ResponseReturnValue:
    """Begin from a template."""
    wanted = request.form.get("template", "")
    if wanted not in TEMPLATES:
        raise NotFound(thing="template")
    person_id = the_reader().person_id
    draft_id = proposals.begin_draft(the_community().id, TEMPLATES[wanted], person_id, utc_now())
    return redirect(url_for("policies.draft", slug=slug, draft_id=draft_id, step="name"), code=303)


@bp.get(f"{_AT}/drafts/<int:draft_id>/<step>")
@only(*WRITERS)
def draft(slug: str, draft_id: int, step: str) -> ResponseReturnValue:
    shown = resolutions.get_draft(db.session(), the_community().id, draft_id)
    if step == REVIEW:
        return _show_review(shown)
    form = _step(step)(formdata=None)
    form.show(shown)
    return _show_step(shown, step, form)


@bp.post(f"{_AT}/drafts/<int:draft_id>/<step>")
@only(*WRITERS)
def save_draft(slug: str, draft_id: int, step: str) -> ResponseReturnValue:
    """Keep one step; go on to the next, or stay and look at the sum."""
    shown = resolutions.get_draft(db.session(), the_community().id, draft_id)
    form = _step(step)()
    changed = form.put(shown.policy) if form.validate() else None
    if changed is None:
        return _show_step(shown, step, form), 422
    nature, agreement = shown.uses_nature, shown.agreement
    if isinstance(form, NameForm):
        nature = str(form.uses_nature.data)
    if isinstance(form, OutsideForm):
        agreement = typed(form.agreement)
    proposals.change_draft(the_community().id, draft_id, changed, UsesNature(nature), agreement)
    steps = [*STEPS, REVIEW]
    then = step if "stay" in request.form else steps[steps.index(step) + 1]
    return redirect(url_for("policies.draft", slug=slug, draft_id=draft_id, step=then), code=303)


def _step(step: str) -> type[StepForm]:
    if step not in STEPS:
        raise NotFound(thing="step")
    return STEPS[step]


def _show_step(shown: DraftCard, step: str, form: StepForm) -> str:
    steps = [*STEPS, REVIEW]
    return render_template(
        "policies/step.html",
        community=the_community(),
        draft=shown,
        form=form,
        step=step,
        steps=STEP_WORDS,
        before=steps[steps.index(step) - 1] if step != steps[0] else None,
        sum_bp=sum(shown.policy.shares.values()),
    )


def _show_review(shown: DraftCard, refusal: str = "") -> str:
    return render_template(
        "policies/review.html",
        community=the_community(),
        draft=shown,
        step=REVIEW,
        steps=STEP_WORDS,
        refusal=refusal,
        **_proposed(shown.policy, shown),
    )


def _proposed(shown: Policy, answered: Answered) -> dict[str, object]:
    """What a draft and a proposal show: the rules' answers, an example, a past month again."""
    community, today = the_community(), _today()
    situation = resolutions.situation_of(db.session(), community.id, answered, today)
    rulings = check(shown, situation)
    broken = any(each.is_error and each.rule != "POL-07" for each in rulings)
    past = resolutions.find_past_month(db.session(), community.id, today)
    simulated = (
        resolutions.simulate(db.session(), community.id, shown, past.month)
        if past and not broken
        else None
    )
    about = {} if broken else _about(shown)
    return {
        "sentences": [],
        "flow": None,
        "example": [],
        "of_satang": EXAMPLE_SATANG,
        "aligned": ALIGNED,
        "ruling_words": ruling_words,
        **about,
        "rulings": rulings,
        "has_errors": any(each.is_error for each in rulings),
        "past": past,
        "simulated": simulated,
        "own_rows": _rows_to_show(simulated),
        "sees_all": _sees_all(),
        "names": _names(),
    }


def _sees_all() -> bool:
    """Whether the reader may see every household's income; a household sees its own."""
    return is_allowed(the_reader(), (*WRITERS, Role.MENTOR), the_community().id)


def _rows_to_show(simulated: Simulation | None) -> Sequence[object]:
    if simulated is None:
        return ()
    if _sees_all():
        return simulated.households
    own = {
        f"household:{each.code}"
        for each in list_register(db.session(), the_community().id)
        if is_of_household(the_reader(), each.id)
    }
    return [each for each in simulated.households if each.account in own]


def _names() -> dict[str, Localized]:
    return {
        f"household:{each.code}": each.name
        for each in list_register(db.session(), the_community().id)
    }


@bp.post(f"{_AT}/drafts/<int:draft_id>/propose")
@only(*WRITERS)
def propose(slug: str, draft_id: int) -> ResponseReturnValue:
    shown = resolutions.get_draft(db.session(), the_community().id, draft_id)
    try:
        proposal_id = proposals.propose(
            the_community().id, draft_id, the_reader().person_id, utc_now()
        )
    except PolicyInvalid as error:
        return _show_review(shown, message_for(error)), error.status
    return redirect(url_for("policies.proposal", slug=slug, proposal_id=proposal_id), code=303)


@bp.post(f"{_AT}/drafts/<int:draft_id>/drop")
@only(*WRITERS)
def drop(slug: str, draft_id: int) -> ResponseReturnValue:
    proposals.drop_draft(the_community().id, draft_id)
    return redirect(url_for("policies.policy_list", slug=slug), code=303)


# --- proposals and their adoption ----------------------------------------------------------------


@bp.get(f"{_AT}/proposals/<int:proposal_id>")
@only(*READERS)
def proposal(slug: str, proposal_id: int) -> ResponseReturnValue:
    shown = resolutions.get_proposal(db.session(), the_community().id, proposal_id)
    return render_template(
        "policies/proposal.html",
        community=the_community(),
        proposal=shown,
        may_write=_may_write(),
        **_proposed(shown.policy, shown),
    )


@bp.get(f"{_AT}/proposals/<int:proposal_id>/adopt")
@only(*WRITERS)
def adoption(slug: str, proposal_id: int) -> ResponseReturnValue:
    form = MeetingForm(formdata=None, met_on=_today(), effective_from=_today() + timedelta(days=1))
    return _show_adoption(proposal_id, form)


@bp.post(f"{_AT}/proposals/<int:proposal_id>/adopt")
@only(*WRITERS)
def adopt(slug: str, proposal_id: int) -> ResponseReturnValue:
    form = MeetingForm()
    if not form.validate():
        return _show_adoption(proposal_id, form), 422
    file = request.files.get("minutes")
    handed_in = Minutes(file.filename or "" if file else "", file.read() if file else b"")
    try:
        number = proposals.adopt(
            the_community().id,
            proposal_id,
            form.read(),
            handed_in,
            _explanations(),
            the_reader().person_id,
            utc_now(),
        )
    except (ResolutionInvalid, PolicyTooEarly, PolicyOverlaps, PolicyInvalid) as error:
        return _show_adoption(proposal_id, form, error), error.status
    return redirect(url_for("policies.policy", slug=slug, number=number), code=303)


def _explanations() -> dict[str, str]:
    return {
        name.removeprefix("why_"): value.strip()
        for name, value in request.form.items()
        if name.startswith("why_")
    }


def _show_adoption(proposal_id: int, form: MeetingForm, refusal: CbtError | None = None) -> str:
    community = the_community()
    shown = resolutions.get_proposal(db.session(), community.id, proposal_id)
    situation = resolutions.situation_of(db.session(), community.id, shown, _today())
    return render_template(
        "policies/adopt.html",
        community=community,
        proposal=shown,
        form=form,
        refusal=message_for(refusal) if refusal else "",
        warnings=[each for each in check(shown.policy, situation) if each.is_warning],
        said=_explanations(),
        households=len(list_households(db.session(), community.id, _today())),
        ruling_words=ruling_words,
    )
