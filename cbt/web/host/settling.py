"""Settling the trips of the month that is closed next, all that can be at once."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.queries import list_trips
from cbt.clock import utc_now
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import Refused
from cbt.i18n import pick
from cbt.revenue import close, services
from cbt.revenue.close_facts import list_unsettled
from cbt.revenue.settling import MOST_AT_ONCE, Outlook, get_outlook
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import whole
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_TRIPS = f"/{LANG}/host/<slug>/money/close/trips"


@bp.get(_TRIPS)
@only(*HOSTS)
def settle_page(slug: str) -> ResponseReturnValue:
    return _show()


@bp.post(_TRIPS)
@only(*HOSTS)
def settle_all(slug: str) -> ResponseReturnValue:
    """Each field `trip-<id>` holds the fingerprint of what was shown of that trip."""
    fields = {
        whole(name.removeprefix("trip-")): shown
        for name, shown in request.form.items()
        if name.startswith("trip-")
    }
    previewed = {number: shown for number, shown in fields.items() if number is not None}
    try:
        services.settle_all(the_community().id, previewed, the_reader().person_id, utc_now())
    except Refused as error:
        return _show(message_for(error)), error.status
    return redirect(url_for("host.settle_page", slug=slug), code=303)


def _show(problem: str = "") -> str:
    community, session = the_community(), db.session()
    month = close.next_month_to_close(session, community)
    ids = list_unsettled(session, community, month) if month else []
    outlook = Outlook({}, {})
    if ids:
        outlook = get_outlook(session, community.id, ids[:MOST_AT_ONCE], utc_now())
    return render_template(
        "host/settle_all.html",
        community=community,
        month=month,
        outlook=outlook,
        waits={each: message_for(error) for each, error in outlook.obstacles.items()},
        trips=list_trips(session, ids[:MOST_AT_ONCE]),
        later=len(ids[MOST_AT_ONCE:]),
        household_names={
            each.code: pick(each.name) for each in list_register(session, community.id)
        },
        totals=_add_up(outlook),
        problem=problem,
    )


def _add_up(outlook: Outlook) -> dict[str, int]:
    """What each household would get of all trips together."""
    totals: dict[str, int] = {}
    for preview in outlook.previews.values():
        for code, amount in preview.households.items():
            totals[code] = totals.get(code, 0) + amount
    return dict(sorted(totals.items()))
