"""The mentor's audit: every check, and any booking or departure recomputed beside what was posted."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from cbt.audit.findings import is_clean
from cbt.audit.recompute import compare_accounts, find_posted
from cbt.audit.verify import verify
from cbt.bookings import queries as bookings
from cbt.clock import utc_now
from cbt.communities.queries import list_communities
from cbt.db import db
from cbt.errors import NotFound
from cbt.ledger.queries import balances
from cbt.people.roles import Role
from cbt.revenue import posting, queries
from cbt.revenue.statements import list_settled_trips
from cbt.web.access import only, the_community, the_reader
from cbt.web.flow import draw
from cbt.web.layout import LANG

bp = Blueprint("mentor", __name__)
_AUDITOR = "audit"
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
    community = the_community()
    outcomes = verify(db.session(), community)
    return render_template(
        "mentor/audit.html",
        community=community,
        outcomes=outcomes,
        is_clean=is_clean(outcomes),
        checked_at=utc_now(),
        balances=balances(db.session(), community.book_id),
        settled=list_settled_trips(
            db.session(), community.id, _AT_ONCE, request.args.get("before", type=int)
        ),
        policies=queries.list_policies(db.session(), community.id),
    )


@bp.get(f"/{LANG}/mentor/<slug>/bookings/<reference>")
@only(Role.MENTOR)
def booking(slug: str, reference: str) -> ResponseReturnValue:
    community = the_community()
    shown = bookings.get_booking_of(db.session(), community.id, reference)
    facts = queries.list_booking_facts(db.session(), [shown.trip.id])[shown.trip.id]
    own = next((each for each in facts if each.reference == reference), None)
    if own is None:
        raise NotFound(thing="split")
    subject = posting.booking_subject(reference)
    posted = find_posted(db.session(), community.book_id, "split", subject)
    return render_template(
        "mentor/booking.html",
        community=community,
        booking=shown,
        facts=own,
        flow=draw(posting.split_booking(own)),
        rows=compare_accounts(posted, posting.split_draft(own, _AUDITOR)),
        posted=posted,
        policy=queries.get_policy(db.session(), shown.policy_version_id),
        facts_text=posting.split_input(own),
    )


@bp.get(f"/{LANG}/mentor/<slug>/departures/<int:departure_id>")
@only(Role.MENTOR)
def departure(slug: str, departure_id: int) -> ResponseReturnValue:
    community = the_community()
    trip = bookings.get_trip(db.session(), community.id, departure_id)
    settlement = queries.find_settlement(db.session(), departure_id)
    if settlement is None:
        raise NotFound(thing="settlement")
    facts = queries.list_sharing_facts(
        db.session(), {departure_id: (settlement.number, settlement.service_on)}
    )[departure_id]
    subject = posting.departure_subject(departure_id)
    posted = find_posted(db.session(), community.book_id, "sharing_out", subject)
    return render_template(
        "mentor/departure.html",
        community=community,
        trip=trip,
        settlement=settlement,
        facts=facts,
        work=queries.list_work(db.session(), [departure_id])[departure_id],
        bookings=bookings.list_bookings(db.session(), community.id, [departure_id]),
        rows=compare_accounts(posted, posting.sharing_draft(facts, _AUDITOR)),
        posted=posted,
    )
