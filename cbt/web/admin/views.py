"""The platform's caretaker: communities, who mentors them, whether mails go out. No money."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField

from cbt.clock import utc_now
from cbt.communities.queries import get_community, list_communities
from cbt.db import db
from cbt.errors import NotFound
from cbt.i18n import _l
from cbt.notices.queries import count_by_state
from cbt.people.queries import list_ever_holders, list_holders
from cbt.people.roles import Grant, Role
from cbt.people.services import end_role, grant_role
from cbt.pulse import last_beat
from cbt.web.access import only
from cbt.web.forms import Form
from cbt.web.health import WORKER
from cbt.web.layout import LANG

bp = Blueprint("admin", __name__)


class MentorForm(Form):
    person = SelectField(_l("Mentor"), coerce=int, validate_choice=False)


@bp.get(f"/{LANG}/admin")
@only(Role.ADMIN)
def overview() -> ResponseReturnValue:
    mentors = list_holders(db.session(), Role.MENTOR)
    form = MentorForm(formdata=None)
    form.person.choices = list_ever_holders(db.session(), Role.MENTOR)
    return render_template(
        "admin/overview.html",
        communities=list_communities(db.session()),
        mentors=mentors,
        form=form,
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


def _chosen(community: str) -> tuple[int, Grant]:
    """Who the form names, among those who are or were mentors, and for which community."""
    form = MentorForm()
    known = {person_id for person_id, _name in list_ever_holders(db.session(), Role.MENTOR)}
    if not form.validate() or form.person.data not in known:
        raise NotFound(thing="mentor")
    found = get_community(db.session(), community)
    return form.person.data, Grant(Role.MENTOR, found.id)
