"""The mentor's audit: how communities stand, every check, and anything recomputed beside its posting."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.audit import runs
from cbt.audit.case_work import list_cases
from cbt.audit.overview import list_standings
from cbt.audit.recompute import recompute_sharing, recompute_split
from cbt.audit.run_text import changes
from cbt.bookings import queries as bookings
from cbt.clock import utc_now, village_day
from cbt.db import db, snapshot
from cbt.errors import NotFound
from cbt.i18n import _
from cbt.ledger.queries import balances, get_book
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
    """How each community assigned stands, the riskiest first."""
    assigned = [
        grant.community_id
        for grant in the_reader().grants
        if grant.role == Role.MENTOR and grant.community_id
    ]
    standings = list_standings(db.session(), assigned, utc_now())
    return render_template("mentor/communities.html", standings=standings)


@bp.get(f"/{LANG}/mentor/<slug>")
@only(Role.MENTOR)
def audit(slug: str) -> ResponseReturnValue:
    return _show_audit()


@bp.post(f"/{LANG}/mentor/<slug>/runs")
@only(Role.MENTOR)
def run_audit(slug: str) -> ResponseReturnValue:
    """Run every check anew, and keep what it said."""
    runs.record_run(the_community().id, None, the_reader().person_id, utc_now())
    return redirect(url_for("mentor.audit", slug=slug), code=303)


def _show_audit(find: FindForm | None = None) -> str:
    community, now = the_community(), utc_now()
    kept = runs.list_latest_runs(db.session(), community.id)
    with snapshot() as session:  # what is sold meanwhile must not look like a fault
        run = kept[0].run if kept else runs.look(session, community, None, None, now)
        sums = balances(session, community.book_id)
        entries = get_book(session, community.book_id).head_seq
    told = list_cases(db.session(), community.id, village_day(now, community.zone))
    return render_template(
        "mentor/audit.html",
        community=community,
        run=run,
        kept=kept[0] if kept else None,
        changes=changes(kept[1].run, run) if len(kept) > 1 else None,
        before=kept[1].run if len(kept) > 1 else None,
        posted_since=entries - run.entries,
        names=list_names(db.session(), [run.by] if run.by else []),
        balances=sums,
        settled=list_settled_trips(
            db.session(), community.id, _AT_ONCE, whole(request.args.get("before"))
        ),
        policies=queries.list_policies(db.session(), community.id),
        closed=list_periods(db.session(), community.id),
        asked=[each for each in list_lines(db.session(), community.id) if each.is_open],
        open_cases=[each for each in told if not each.is_closed],
        today=village_day(now, community.zone),
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
