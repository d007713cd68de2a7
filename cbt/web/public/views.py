"""Finding an experience, and signing in."""

from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.queries import search_experiences
from cbt.bookings.records import Found
from cbt.clock import utc_now, village_day
from cbt.communities.queries import (
    count_people,
    get_community,
    list_communities,
    list_own_households,
    list_provinces,
)
from cbt.db import db
from cbt.demo import load
from cbt.errors import SignInFailed
from cbt.experiences.queries import list_teasers
from cbt.i18n import LANGUAGES, _
from cbt.people import services as people
from cbt.people.queries import find_sign_in
from cbt.people.roles import Role
from cbt.revenue.queries import find_policy_in_force
from cbt.web.access import public, signed_in, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, typed
from cbt.web.layout import LANG
from cbt.web.limits import limit_sign_in, limit_sign_in_name
from cbt.web.public.forms import SearchForm, SignInForm
from cbt.web.public.pieces import sample_pieces

bp = Blueprint("public", __name__)
_ZONE = "Asia/Bangkok"
_SPAN = timedelta(days=30)


@bp.get("/")
@public
def root() -> ResponseReturnValue:
    best = request.accept_languages.best_match(list(LANGUAGES)) or "th"
    return redirect(url_for("public.home", lang=best), code=302)


@bp.get(f"/{LANG}/")
@public
def home() -> ResponseReturnValue:
    now = utc_now()
    today = village_day(now, _ZONE)
    form = SearchForm(request.args if request.args else None)
    form.offer(list_provinces(db.session()))
    is_valid = form.validate() if request.args else True
    if form.on.data and form.on.data < today:
        add_error(form.on, _("This day has passed. Please choose a later one."))
        is_valid = False
    found: list[Found] = []
    nearby: list[Found] = []
    if is_valid:
        day = form.on.data
        found = _search(form, day or today, timedelta(days=1) if day else _SPAN, now)
        nearby = _search(form, today, _SPAN, now) if day and not found else []
    page = render_template(
        "public/home.html",
        form=form,
        found=found,
        nearby=nearby,
        today=today,
        is_searching=bool(request.args),
        communities=list_communities(db.session()),
    )
    return page, 200 if is_valid else 422


def _search(form: SearchForm, starts_on: date, span: timedelta, now: datetime) -> list[Found]:
    return search_experiences(
        db.session(),
        starts_on=starts_on,
        ends_before=starts_on + span,
        guests=form.guests.data or 1,
        province_code=form.province.data or None,
        now=now,
    )


@bp.get(f"/{LANG}/c/<slug>")
@public
def community(slug: str) -> ResponseReturnValue:
    now = utc_now()
    shown = get_community(db.session(), slug)
    today = village_day(now, shown.zone)
    return render_template(
        "public/community.html",
        community=shown,
        teasers=list_teasers(db.session(), shown.id),
        numbers=count_people(db.session(), shown.id, today),
        policy=find_policy_in_force(db.session(), shown.id, today),
    )


@bp.get(f"/{LANG}/privacy")
@public
def privacy() -> ResponseReturnValue:
    return render_template("public/privacy.html")


@bp.get(f"/{LANG}/pieces")
@public
def pieces() -> ResponseReturnValue:
    """The living page of every shared piece, for those who build and judge pages."""
    return render_template("public/pieces.html", **sample_pieces())


# --- signing in and out --------------------------------------------------------------------------


@bp.route(f"/{LANG}/sign-in", methods=["GET", "POST"])
@public
@limit_sign_in
@limit_sign_in_name
def sign_in() -> ResponseReturnValue:
    form = SignInForm()
    if form.validate_on_submit():
        try:
            person_id, epoch = people.sign_in(typed(form.sign_in_name), typed(form.password))
        except SignInFailed as error:
            add_error(form.password, message_for(error))
        else:
            session.clear()
            session.permanent = True
            session.update(person_id=person_id, epoch=epoch)
            return redirect(_local(request.args.get("next")) or url_for("public.places"), code=303)
    page = render_template("public/sign_in.html", form=form, sample_sign_ins=_sample_sign_ins())
    return page, 422 if form.errors else 200


def _local(address: str | None) -> str | None:
    """An address of ours, or None: nobody is sent elsewhere after signing in."""
    parts = urlsplit(address or "")
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    return address if address and is_ours and "\\" not in address and address[:2] != "//" else None


def _sample_sign_ins() -> list[str]:
    """Where the sample communities are loaded, visitors may look around as their people."""
    names = [name for name, _what in load.list_sign_ins()]
    if "demo" in current_app.extensions["providers"] and find_sign_in(db.session(), names[0]):
        return names
    return []


@bp.post(f"/{LANG}/sign-out")
@signed_in
def sign_out() -> ResponseReturnValue:
    if Form().validate_on_submit():
        people.sign_out_everywhere(the_reader().person_id)
        session.clear()
    return redirect(url_for("public.home"), code=303)


@bp.get(f"/{LANG}/places")
@signed_in
def places() -> ResponseReturnValue:
    """Where a signed-in person works; with one place only, straight to it."""
    grants = the_reader().grants
    staffed = {
        grant.community_id
        for grant in grants
        if grant.role in (Role.COORDINATOR, Role.TREASURER) and grant.community_id
    }
    hosts = list_communities(db.session(), staffed)
    households = list_own_households(
        db.session(), [grant.household_id for grant in grants if grant.household_id]
    )
    addresses = [url_for("host.today", slug=each.slug) for each in hosts]
    addresses += [
        url_for("household.statement", slug=slug, household=each.code) for slug, each in households
    ]
    is_mentor, is_admin = the_reader().has(Role.MENTOR), the_reader().has(Role.ADMIN)
    is_viewer = the_reader().has(Role.VIEWER)
    addresses += [url_for("mentor.communities")] if is_mentor else []
    addresses += [url_for("admin.overview")] if is_admin else []
    addresses += [url_for("agency.totals")] if is_viewer else []
    if len(addresses) == 1:
        return redirect(addresses[0], code=303)
    return render_template(
        "public/places.html",
        hosts=hosts,
        households=households,
        is_mentor=is_mentor,
        is_admin=is_admin,
        is_viewer=is_viewer,
    )
