"""Cancellation terms and deposit of what is offered: shown, tried out on 1,000 baht, changed."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.offered_terms import set_terms
from cbt.bookings.terms import (
    DEFAULT,
    FLOOR,
    Terms,
    canonical,
    deposit_satang,
    meets_floor,
    parse,
    preview,
)
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import Invalid, NotFound, TermsInvalid
from cbt.experiences.queries import list_option_terms
from cbt.experiences.records import OptionTerms
from cbt.web.access import only, the_community
from cbt.web.errors import message_for
from cbt.web.host.terms_forms import TermsForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_TERMS = f"/{LANG}/host/<slug>/terms"
_TRIED_WITH_SATANG = 1_000_00


@bp.get(_TERMS)
@only(*HOSTS)
def terms_list(slug: str) -> ResponseReturnValue:
    offered = list_option_terms(db.session(), the_community().id)
    return render_template(
        "host/terms_list.html",
        community=the_community(),
        offered=[(each, _of(each)) for each in offered],
        meets_floor=meets_floor,
    )


@bp.get(f"{_TERMS}/<int:option_id>")
@only(*HOSTS)
def terms(slug: str, option_id: int) -> ResponseReturnValue:
    form, shown = TermsForm(formdata=None), _of(_option(option_id))
    form.fill(shown)
    return _show(option_id, form, shown)


@bp.post(f"{_TERMS}/<int:option_id>")
@only(*HOSTS)
def save_terms(slug: str, option_id: int) -> ResponseReturnValue:
    """Look at what was typed, keep it, or go back to the usual terms."""
    community, wanted, form = the_community(), request.form.get("do"), TermsForm()
    read = form.read(village_day(utc_now(), community.zone)) if wanted != "usual" else DEFAULT
    if wanted not in ("look", "save", "usual"):
        raise Invalid
    if read is None:
        return _show(option_id, form, None), 422
    options = [_option(option_id).option_id]
    if form.everywhere.data:
        offered = list_option_terms(db.session(), community.id)
        options = [each.option_id for each in offered]
    try:
        if wanted == "look":
            return _show(option_id, form, _checked(read))
        set_terms(community.id, options, read)
    except TermsInvalid as error:
        return _show(option_id, form, None, message_for(error)), error.status
    return redirect(url_for("host.terms_list", slug=slug, _anchor=f"o{option_id}"), code=303)


def _checked(read: Terms) -> Terms:
    """Raises TermsInvalid for what could not be kept either."""
    return parse(canonical(read))


def _of(option: OptionTerms) -> Terms:
    return parse(option.terms) if option.terms else DEFAULT


def _option(option_id: int) -> OptionTerms:
    """Raises NotFound for what this community does not offer."""
    for each in list_option_terms(db.session(), the_community().id):
        if each.option_id == option_id:
            return each
    raise NotFound(thing="option")


def _show(option_id: int, form: TermsForm, shown: Terms | None, problem: str = "") -> str:
    option = _option(option_id)
    return render_template(
        "host/terms.html",
        community=the_community(),
        option=option,
        form=form,
        shown=shown,
        is_kept=shown == _of(option),
        kept=preview(shown, _TRIED_WITH_SATANG) if shown else [],
        deposit=deposit_satang(shown, _TRIED_WITH_SATANG) if shown and shown.deposit else None,
        tried_with=_TRIED_WITH_SATANG,
        is_fair=shown is None or meets_floor(shown),
        floor=FLOOR,
        problem=problem,
    )
