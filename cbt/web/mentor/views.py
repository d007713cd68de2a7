"""The mentor's audit: every check, and any booking or departure recomputed beside what was posted."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.audit.findings import is_clean
from cbt.audit.recompute import recompute_sharing, recompute_split
from cbt.audit.verify import verify
from cbt.bookings import queries as bookings
from cbt.clock import utc_now
from cbt.communities.queries import list_communities
from cbt.db import db, snapshot
from cbt.errors import NotFound
from cbt.i18n import _
from cbt.ledger.queries import balances
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue import posting, queries
from cbt.revenue.line_disputes import list_lines
from cbt.revenue.period_queries import list_periods
from cbt.revenue.statements import list_settled_trips
from cbt.revenue.work import get_record
from cbt.web.access import only, the_community, the_reader
from cbt.web.flow import draw
from cbt.web.forms import FindForm, add_error, typed, whole
from cbt.web.layout import LANG

bp = Blueprint("mentor", __name__)
_AT_ONCE = 15


@bp.get(f"/{LANG}/mentor")
@only(Role.MENTOR)
def communities() -> ResponseReturnValue:
    assigned = [
        grant.community_id
        for grant in the_reader().grants
        if grant.role == Role.MENTOR and grant.community_id
    ]
    return render_template(
        "mentor/communities.html", communities=list_communities(db.session(), assigned)
    )


@bp.get(f"/{LANG}/mentor/<slug>")
@only(Role.MENTOR)
def audit(slug: str) -> ResponseReturnValue:
    return _show_audit()


def _show_audit(find: FindForm | None = None) -> str:
    community = the_community()
    with snapshot() as session:  # what is sold meanwhile must not look like a fault
        outcomes = verify(session, community)
        sums = balances(session, community.book_id)
    return render_template(
        "mentor/audit.html",
        community=community,
        outcomes=outcomes,
        is_clean=is_clean(outcomes),
        has_findings=any(outcome.findings for outcome in outcomes),
        checked_at=utc_now(),
        balances=sums,
        settled=list_settled_trips(
            db.session(), community.id, _AT_ONCE, whole(request.args.get("before"))
        ),
        policies=queries.list_policies(db.session(), community.id),
        closed=list_periods(db.session(), community.id),
        asked=[each for each in list_lines(db.session(), community.id) if each.is_open],
        find=find or FindForm(None),
    )


@bp.get(f"/{LANG}/mentor/<slug>/bookings")
@only(Role.MENTOR)
def find_booking(slug: str) -> ResponseReturnValue:
    """To any booking by its code, as it is printed on vouchers and in the books."""
    find = FindForm(request.args)
    reference = typed(find.code).upper()
    try:
        if find.validate():
            bookings.get_booking_of(db.session(), the_community().id, reference)
            return redirect(url_for("mentor.booking", slug=slug, reference=reference), code=303)
    except NotFound:
        add_error(find.code, _("No booking of this community has this code."))
    return _show_audit(find), 422


@bp.get(f"/{LANG}/mentor/<slug>/bookings/<reference>")
@only(Role.MENTOR)
def booking(slug: str, reference: str) -> ResponseReturnValue:
    community = the_community()
    shown = bookings.get_booking_of(db.session(), community.id, reference)
    recomputed = (
        recompute_split(db.session(), community, shown.trip.id, reference)
        if shown.is_paid
        else None
    )
    facts = recomputed.facts if recomputed else None
    return render_template(
        "mentor/booking.html",
        community=community,
        booking=shown,
        recomputed=recomputed,
        flow=draw(posting.split_booking(facts)) if facts else None,
        policy=queries.get_policy(db.session(), shown.policy_version_id),
        facts_text=posting.split_input(facts) if facts else "",
    )


@bp.get(f"/{LANG}/mentor/<slug>/departures/<int:departure_id>")
@only(Role.MENTOR)
def departure(slug: str, departure_id: int) -> ResponseReturnValue:
    community = the_community()
    trip = bookings.get_trip(db.session(), community.id, departure_id)
    settlement = queries.find_settlement(db.session(), departure_id)
    record = get_record(db.session(), departure_id)
    return render_template(
        "mentor/departure.html",
        community=community,
        trip=trip,
        settlement=settlement,
        recomputed=recompute_sharing(db.session(), community, settlement) if settlement else None,
        record=record,
        people=list_names(
            db.session(),
            [
                *(each.recorded_by for each in record.parts),
                *(each.confirmed_by for each in record.parts if each.confirmed_by),
                *(each.answered_by for each in record.disputes if each.answered_by),
            ],
        ),
        bookings=bookings.list_bookings(db.session(), community.id, [departure_id]),
    )
