"""A household agrees to be counted as vulnerable, or takes it back. Nobody else sees which ones do."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.communities import vulnerable
from cbt.errors import ConsentInvalid
from cbt.people.roles import Role
from cbt.web.access import only, the_community, the_household, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import add_error
from cbt.web.fund_forms import ConsentForm
from cbt.web.household.funds import show_funds
from cbt.web.household.views import bp
from cbt.web.layout import LANG

_AT = f"/{LANG}/household/<slug>/<household>/counted"


@bp.post(_AT)
@only(Role.HOUSEHOLD)
def agree_counted(slug: str, household: str) -> ResponseReturnValue:
    form = ConsentForm()
    if not form.validate():
        return show_funds(consent=form), 422
    day = form.ends_on.data
    assert day is not None
    try:
        vulnerable.agree(
            the_community().id, the_household().id, day, the_reader().person_id, utc_now()
        )
    except ConsentInvalid as error:
        add_error(form.ends_on, message_for(error))
        return show_funds(consent=form), error.status
    return _back()


@bp.post(f"{_AT}/end")
@only(Role.HOUSEHOLD)
def take_back_counted(slug: str, household: str) -> ResponseReturnValue:
    vulnerable.take_back(the_community().id, the_household().id)
    return _back()


def _back() -> ResponseReturnValue:
    place = url_for(
        "household.funds",
        slug=the_community().slug,
        household=the_household().code,
        _anchor="counted",
    )
    return redirect(place, code=303)
