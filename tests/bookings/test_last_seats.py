"""Sixty rivals for the last three seats: exactly three are sold, on both databases.

The control takes the guard away and must see overselling, or the race proves nothing.
"""

import threading
import time

import pytest
from sqlalchemy import func, select, update

from cbt.bookings import claims
from cbt.bookings import hold as services
from cbt.bookings.hold import HoldRequest
from cbt.bookings.models import Booking, Departure
from cbt.db import db
from cbt.errors import DepartureFull
from tests import factories
from tests.concurrency import run_together
from tests.conftest import DEEP
from tests.site import NOW

RIVALS, SEATS = 60, 3
RUNS = 20 if DEEP else 4


def rush(app, village, before=lambda: None):
    """All rivals ask for one seat at once; who got one, and what the rest met."""

    def attempt(number):
        before()
        request = HoldRequest(
            departure_id=village.departure_id,
            party={"ADULT": 1},
            policy_version_id=village.policy_id,
            language="th",
            request_key=f"{village.slug} rival {number}",
        )
        return services.hold(request, NOW)

    results = run_together(app, attempt, RIVALS)
    return [each for each in results if isinstance(each, str)], [
        each for each in results if not isinstance(each, str)
    ]


def count_bookings(village):
    db.session.rollback()
    return db.session.scalar(
        select(func.count()).where(Booking.departure_id == village.departure_id)
    )


def test_sixty_rivals_for_the_last_three_seats_get_exactly_three(app):
    for _run in range(RUNS):
        village = factories.make_village(capacity=SEATS)
        sold, refused = rush(app, village)
        assert len(sold) == SEATS
        assert {type(error) for error in refused} == {DepartureFull}
        assert count_bookings(village) == SEATS
        claimed = select(Departure.claimed).where(Departure.id == village.departure_id)
        assert db.session.scalar(claimed) == SEATS


def test_without_the_guard_seats_are_oversold(app, monkeypatch):
    """Looking first and writing what was seen afterwards, as many booking systems do."""
    seen = threading.local()
    village = factories.make_village(capacity=SEATS)

    def look():
        row = select(Departure.claimed).where(Departure.id == village.departure_id)
        seen.claimed = db.session.scalar(row)
        db.session.rollback()
        time.sleep(0.05)

    def claim_what_was_seen(session, departure_id, wanted):
        if seen.claimed + wanted > SEATS:
            raise DepartureFull(left=SEATS - seen.claimed, wanted=wanted)
        values = {"claimed": seen.claimed + wanted}
        session.execute(update(Departure).where(Departure.id == departure_id).values(values))

    monkeypatch.setattr(claims, "claim_places", claim_what_was_seen)
    sold, _refused = rush(app, village, before=look)
    assert len(sold) > SEATS
    assert count_bookings(village) > SEATS


def test_the_database_itself_refuses_more_than_the_capacity(app):
    village = factories.make_village(capacity=SEATS)
    with pytest.raises(Exception, match="never_oversold"):
        db.session.execute(
            update(Departure).where(Departure.id == village.departure_id).values(claimed=SEATS + 1)
        )
    db.session.rollback()
