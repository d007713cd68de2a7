"""The platform's caretaker: communities, who mentors them, whether mails go out. No money."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField
from wtforms.validators import InputRequired

from cbt.clock import utc_now
from cbt.communities import wages
from cbt.communities.queries import get_community, list_communities
from cbt.db import db
from cbt.errors import NotFound, WageInvalid
from cbt.i18n import _, _l, pick
from cbt.notices.queries import count_by_state
from cbt.people.queries import find_sign_in, list_ever_holders, list_holders, list_names
from cbt.people.roles import Grant, Role
from cbt.people.services import end_role, grant_role
from cbt.pulse import last_beat
from cbt.web.access import only, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import REQUIRED, DayField, Form, add_error, text, typed
from cbt.web.health import WORKER
from cbt.web.layout import LANG
from cbt.web.money_fields import baht, the_amount

bp = Blueprint("admin", __name__)


class MentorForm(Form):
    person = SelectField(_l("Mentor"), coerce=int, validate_choice=False)


class ViewerForm(Form):
    sign_in_name = text(_l("Sign-in name of the person"), most=80, required=True)


class WageForm(Form):
    province = SelectField(_l("Province"))
    daily = baht(_l("Daily minimum wage in baht"))
    effective_on = DayField(_l("From this day on"), [InputRequired(message=REQUIRED)])
    source = text(_l("Where it stands"), most=wages.LONGEST_SOURCE, required=True)

    def offer(self) -> None:
        found = wages.list_provinces(db.session())
        self.province.choices = [(code, pick(name)) for code, name in found]


@bp.get(f"/{LANG}/admin")
@only(Role.ADMIN)
def overview() -> ResponseReturnValue:
    return _show_overview(ViewerForm(formdata=None))


def _show_overview(viewer: ViewerForm) -> str:
    mentors = list_holders(db.session(), Role.MENTOR)
    form = MentorForm(formdata=None)
    form.person.choices = list_ever_holders(db.session(), Role.MENTOR)
    return render_template(
        "admin/overview.html",
        communities=list_communities(db.session()),
        mentors=mentors,
        form=form,
        viewers=[(each[0], each[1]) for each in list_holders(db.session(), Role.VIEWER)],
        viewer=viewer,
        notices=count_by_state(db.session()),
        beat=last_beat(db.session(), WORKER),
    )


@bp.post(f"/{LANG}/admin/mentors/<community>")
@only(Role.ADMIN)
def assign_mentor(community: str) -> ResponseReturnValue:
    person_id, grant = _chosen(community)
    grant_role(person_id, grant, utc_now())
    return redirect(url_for("admin.overview"), code=303)


@bp.post(f"/{LANG}/admin/mentors/<community>/end")
@only(Role.ADMIN)
def end_mentor(community: str) -> ResponseReturnValue:
    person_id, grant = _chosen(community)
    end_role(person_id, grant, utc_now())
    return redirect(url_for("admin.overview"), code=303)


@bp.post(f"/{LANG}/admin/viewers")
@only(Role.ADMIN)
def appoint_viewer() -> ResponseReturnValue:
    """Let somebody of an agency read the totals over communities."""
    form = ViewerForm()
    found = find_sign_in(db.session(), typed(form.sign_in_name)) if form.validate() else None
    if found is None:
        if not form.errors:
            add_error(form.sign_in_name, _("Nobody signs in by this name."))
        return _show_overview(form), 422
    grant_role(found.person_id, Grant(Role.VIEWER, None), utc_now())
    return redirect(url_for("admin.overview"), code=303)


@bp.post(f"/{LANG}/admin/viewers/<int:person_id>/end")
@only(Role.ADMIN)
def end_viewer(person_id: int) -> ResponseReturnValue:
    if person_id not in {each[0] for each in list_holders(db.session(), Role.VIEWER)}:
        raise NotFound(thing="viewer")
    end_role(person_id, Grant(Role.VIEWER, None), utc_now())
    return redirect(url_for("admin.overview"), code=303)


def _chosen(community: str) -> tuple[int, Grant]:
    """Who the form names, among those who are or were mentors, and for which community."""
    form = MentorForm()
    known = {person_id for person_id, _name in list_ever_holders(db.session(), Role.MENTOR)}
    if not form.validate() or form.person.data not in known:
        raise NotFound(thing="mentor")
    found = get_community(db.session(), community)
    return form.person.data, Grant(Role.MENTOR, found.id)


# --- minimum wages -------------------------------------------------------------------------------


@bp.get(f"/{LANG}/admin/wages")
@only(Role.ADMIN)
def wage_list() -> ResponseReturnValue:
    """Each province's daily minimum wage, with its history: what an hour's pay is compared with."""
    return _show_wages(WageForm(formdata=None))


@bp.post(f"/{LANG}/admin/wages")
@only(Role.ADMIN)
def record_wage() -> ResponseReturnValue:
    form = WageForm()
    form.offer()
    if not form.validate():
        return _show_wages(form), 422
    day = form.effective_on.data
    assert day is not None
    try:
        wages.record_wage(
            form.province.data,
            the_amount(form.daily),
            day,
            typed(form.source),
            the_reader().person_id,
            utc_now(),
        )
    except WageInvalid as error:
        add_error(form.daily, message_for(error))
        return _show_wages(form), error.status
    return redirect(url_for("admin.wage_list"), code=303)


def _show_wages(form: WageForm) -> str:
    session = db.session()
    form.offer()
    kept = wages.list_wages(session)
    return render_template(
        "admin/wages.html",
        form=form,
        provinces=dict(wages.list_provinces(session)),
        wages=list(reversed(kept)),
        names=list_names(session, [each.recorded_by for each in kept]),
    )
