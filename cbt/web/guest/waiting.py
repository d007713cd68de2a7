"""A party's place in the waiting list, opened by its own signed link."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import waitlist
from cbt.bookings.queries import list_bookings, list_trips
from cbt.bookings.records import TripCard, WaitingCard
from cbt.bookings.states import WAITING, WaitState
from cbt.clock import utc_now
from cbt.communities.queries import get_community_by_id
from cbt.db import db
from cbt.web.access import booking_links, public
from cbt.web.forms import Form
from cbt.web.guest.base import bp
from cbt.web.layout import LANG


@bp.get(f"/{LANG}/w/<token>")
@public
def waiting(token: str) -> ResponseReturnValue:
    """Its place in line, why it was passed, and what was offered to it."""
    party = _party(token)
    trip = list_trips(db.session(), [party.departure_id])[party.departure_id]
    return render_template(
        "guest/waiting.html",
        token=token,
        party=party,
        trip=trip,
        community=get_community_by_id(db.session(), party.community_id),
        left=_places_when_passed(party),
        offer=_offer_token(party, trip),
        action=Form(),
    )


@bp.post(f"/{LANG}/w/<token>/leave")
@public
def leave_line(token: str) -> ResponseReturnValue:
    """Leaving twice is leaving once."""
    waitlist.leave(_party(token).id, utc_now())
    return redirect(url_for("guest.waiting", token=token), code=303)


def _party(token: str) -> WaitingCard:
    party_id = booking_links().read_waiting(token, utc_now())
    return waitlist.get_waiting(db.session(), party_id)


def _places_when_passed(party: WaitingCard) -> int:
    """How many places there were when the party was passed for being too large, else 0."""
    kind, _colon, number = (party.passed_for or "").partition(":")
    return int(number) if kind == "too_few" and number.isdigit() else 0


def _offer_token(party: WaitingCard, trip: TripCard) -> str:
    """The link of the booking that was offered, while it can be taken up."""
    if party.state != WaitState.OFFERED:
        return ""
    held = list_bookings(db.session(), party.community_id, [party.departure_id], WAITING)
    offered = next((each for each in held if each.id == party.booking_id), None)
    return booking_links().sign(offered.reference, trip.ends_at) if offered else ""
