"""Seasons with prices of their own, and promotion codes with who pays for them."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.queries import count_promo_uses
from cbt.db import db
from cbt.errors import NameTaken
from cbt.experiences import services as experiences
from cbt.experiences.queries import list_promo_codes, list_seasons
from cbt.web.access import only, the_community
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.host.forms import the_day, the_number
from cbt.web.host.offer_forms import CodeForm, SeasonForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.host.words import bearer_words
from cbt.web.layout import LANG

_SEASONS = f"/{LANG}/host/<slug>/seasons"
_CODES = f"/{LANG}/host/<slug>/codes"


@bp.get(_SEASONS)
@only(*HOSTS)
def season_list(slug: str) -> ResponseReturnValue:
    return _show_seasons(SeasonForm(formdata=None))


@bp.post(_SEASONS)
@only(*HOSTS)
def add_season(slug: str) -> ResponseReturnValue:
    form = SeasonForm()
    if not form.validate() or not form.ends_after_start():
        return _show_seasons(form), 422
    days = (the_day(form.first_on), the_day(form.last_on))
    try:
        experiences.add_season(the_community().id, typed(form.code).lower(), form.title, *days)
    except NameTaken as error:
        add_error(form.code, message_for(error))
        return _show_seasons(form), error.status
    return redirect(url_for("host.season_list", slug=slug), code=303)


def _show_seasons(form: SeasonForm) -> str:
    return render_template(
        "host/seasons.html",
        community=the_community(),
        seasons=list_seasons(db.session(), the_community().id),
        form=form,
    )


@bp.get(_CODES)
@only(*HOSTS)
def code_list(slug: str) -> ResponseReturnValue:
    return _show_codes(CodeForm(formdata=None))


@bp.post(_CODES)
@only(*HOSTS)
def add_code(slug: str) -> ResponseReturnValue:
    form = CodeForm()
    form.offer()
    if not form.validate() or not form.ends_after_start():
        return _show_codes(form), 422
    discount = form.discount()
    if discount is None:
        return _show_codes(form), 422
    days = (the_day(form.first_on), the_day(form.last_on))
    try:
        experiences.add_promo_code(the_community().id, discount, *days, the_number(form.most_uses))
    except NameTaken as error:
        add_error(form.code, message_for(error))
        return _show_codes(form), error.status
    return redirect(url_for("host.code_list", slug=slug), code=303)


def _show_codes(form: CodeForm) -> str:
    form.offer()
    return render_template(
        "host/codes.html",
        community=the_community(),
        codes=list_promo_codes(db.session(), the_community().id),
        uses=count_promo_uses(db.session(), the_community().id),
        bearer_words=bearer_words,
        form=form,
    )
