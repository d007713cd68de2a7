"""The sample of a closed month: drawn once, looked through booking by booking."""

from datetime import date

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.audit import samples
from cbt.audit.sampling import sample_size
from cbt.bookings.queries import get_booking_of
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import EvidenceInvalid, NotFound, SampleEmpty, StateForbids
from cbt.i18n import _
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue.period_queries import get_period
from cbt.revenue.policy_rules import Severity
from cbt.web.access import only, the_community, the_reader
from cbt.web.audit_forms import LookForm, handed_in
from cbt.web.errors import message_for
from cbt.web.evidence import let_evidence_in
from cbt.web.forms import add_error, read_month, typed
from cbt.web.layout import LANG
from cbt.web.mentor.views import bp

_AT = f"/{LANG}/mentor/<slug>/months/<month>/sample"
_ITEM = f"{_AT}/<int:place>"


@bp.url_value_preprocessor
def let_looks_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    if endpoint == "mentor.save_look":
        let_evidence_in()


@bp.get(_AT)
@only(Role.MENTOR)
def sample_page(slug: str, month: str) -> ResponseReturnValue:
    return _show_sample(read_month(month))


@bp.post(_AT)
@only(Role.MENTOR)
def draw_sample(slug: str, month: str) -> ResponseReturnValue:
    try:
        samples.draw_sample(
            the_community().id, read_month(month), the_reader().person_id, utc_now()
        )
    except SampleEmpty as error:
        return _show_sample(read_month(month), message_for(error)), error.status
    except StateForbids as error:
        return _show_sample(read_month(month), _("It was drawn before.")), error.status
    return redirect(url_for("mentor.sample_page", slug=slug, month=month), code=303)


def _show_sample(month: date, problem: str = "") -> str:
    community, session = the_community(), db.session()
    period = get_period(session, community.id, month)
    sample = samples.find_sample(session, community, period)
    population = len(samples.list_population(session, community, month))
    return render_template(
        "mentor/sample.html",
        community=community,
        period=period,
        sample=sample,
        population=population,
        size=sample_size(population),
        names=list_names(session, [sample.drawn_by] if sample else []),
        problem=problem,
    )


@bp.get(_ITEM)
@only(Role.MENTOR)
def look_page(slug: str, month: str, place: int) -> ResponseReturnValue:
    return _show_item(read_month(month), place)


@bp.post(_ITEM)
@only(Role.MENTOR)
def save_look(slug: str, month: str, place: int) -> ResponseReturnValue:
    """It was well, or a finding is told: which of the two buttons was pressed says which."""
    form, on = LookForm(), read_month(month)
    tells = request.form.get("do") == "tell"
    if not form.validate():
        return _show_item(on, place, form), 422
    if tells and not typed(form.note):
        add_error(form.note, _("Please write what you found; the community reads it."))
        return _show_item(on, place, form), 422
    try:
        samples.look_at(
            the_community().id,
            on,
            place,
            typed(form.note),
            handed_in(form.file),
            Severity(form.severity.data) if tells else None,
            the_reader().person_id,
            utc_now(),
        )
    except EvidenceInvalid as error:
        add_error(form.file, message_for(error))
        return _show_item(on, place, form), error.status
    return redirect(url_for("mentor.sample_page", slug=slug, month=month), code=303)


def _show_item(month: date, place: int, form: LookForm | None = None) -> str:
    community, session = the_community(), db.session()
    period = get_period(session, community.id, month)
    sample = samples.find_sample(session, community, period)
    item = next((each for each in sample.items if each.place == place), None) if sample else None
    if sample is None or item is None:
        raise NotFound(thing="sample")
    return render_template(
        "mentor/look.html",
        community=community,
        period=period,
        sample=sample,
        item=item,
        booking=get_booking_of(session, community.id, item.reference),
        names=list_names(session, [item.look.looked_by] if item.look else []),
        form=form or LookForm(formdata=None),
    )
