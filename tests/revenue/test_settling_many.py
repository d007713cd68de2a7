"""Settling several departures at once: the same entries as one by one, and all of them or none."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking, get_departure
from cbt.db import db
from cbt.errors import (
    AlreadySettled,
    DepartureUnknown,
    NothingToSettle,
    NotYetDelivered,
    NoWorkRecorded,
    PreviewOutdated,
    WorkUnconfirmed,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import stream_entries
from cbt.people.roles import Grant, Role
from cbt.revenue import services, settling
from cbt.revenue.models import Settlement
from tests import factories
from tests.concurrency import run_together
from tests.site import NOW
from tests.web.forms import a_browser

LATER = NOW + timedelta(days=12)
WORK = (("H01", "boat", 1), ("H03", "guide", 1), ("H02", "cook", 2))


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def trips_of(village, number=3):
    """As many departures of a village, the last one made first; guests came and work is recorded."""
    on = [factories.TOMORROW + timedelta(days=days) for days in range(number, 0, -1)]
    made = [
        replace(village, departure_id=factories.make_departure(village.option_id, each))
        for each in on
    ]
    for place, trip in enumerate(made):
        factories.book(trip, {"ADULT": 1 + place})
        factories.book(trip, {"ADULT": 1, "CHILD": 1})
        factories.record_work(trip, *WORK)
    return made


@pytest.fixture
def trips(app):
    return trips_of(factories.make_village())


def seen(trips, now=LATER):
    db.session.rollback()
    ids = [trip.departure_id for trip in trips]
    return settling.get_outlook(db.session(), trips[0].id, ids, now)


def prints(outlook):
    return {each: preview.fingerprint for each, preview in outlook.previews.items()}


def settle_all(trips, shown=None, now=LATER):
    shown = prints(seen(trips)) if shown is None else shown
    return services.settle_all(trips[0].id, shown, trips[0].person_id, now)


def posted(village, kinds=("split", "sharing_out")):
    """Kind, day, legs and what they were computed from of each entry, in their order."""
    db.session.rollback()
    return [
        (each.draft.kind, each.draft.effective_on, each.draft.legs, each.draft.policy_hash)
        for each in stream_entries(db.session(), village.card.book_id)
        if each.draft.kind in kinds
    ]


def test_many_are_numbered_by_the_hour_at_which_they_began(trips):
    first, second, third = (trip.departure_id for trip in reversed(trips))
    assert settle_all(trips) == {first: 1, second: 2, third: 3}
    assert trips[0].card.settlements == 3
    assert {get_departure(db.session(), each).state for each in (first, second, third)} == {
        "settled"
    }


def test_many_at_once_are_what_they_are_one_by_one_and_the_audit_agrees(app, trips):
    settle_all(trips)
    apart = trips_of(factories.make_village())
    for trip in reversed(apart):
        factories.settle(trip, LATER)
    assert posted(trips[0]) == posted(apart[0])
    assert len(posted(trips[0])) == 9
    outcomes = verify(db.session(), trips[0].card)
    assert [finding for outcome in outcomes for finding in outcome.findings] == []


def test_what_many_would_post_is_what_they_post(trips):
    outlook = seen(trips)
    assert outlook.obstacles == {}
    assert [each.sharing.number for each in outlook.previews.values()] == [1, 2, 3]
    settle_all(trips, prints(outlook))
    facts = dict(list(db.session.execute(select(Settlement.departure_id, Settlement.number))))
    assert facts == {each: view.sharing.number for each, view in outlook.previews.items()}


def test_one_that_cannot_be_settled_keeps_all_from_it(trips):
    shown = prints(seen(trips))
    empty = factories.make_departure(trips[0].option_id, factories.TOMORROW + timedelta(days=5))
    entries = count(Entry)
    for about, error in (
        (shown | {empty: "x"}, NothingToSettle),
        (shown | {9_999: "x"}, DepartureUnknown),
        (dict.fromkeys(shown, "x"), PreviewOutdated),
        (shown | {trips[1].departure_id: "x"}, PreviewOutdated),
    ):
        with pytest.raises(error):
            settle_all(trips, about)
    for days, error in ((0, NotYetDelivered), (3, WorkUnconfirmed)):  # what the first waits for
        with pytest.raises(error):
            settle_all(trips, shown, NOW + timedelta(days=days))
    assert (count(Entry), count(Settlement)) == (entries, 0)
    assert trips[0].card.settlements == 0
    assert {get_departure(db.session(), each).state for each in shown} == {"open"}


def test_those_that_wait_are_named_and_take_no_number(trips):
    """One is settled, one has no record, one nobody confirmed a day after it; the last can be settled."""
    last, unseen, first = trips
    settle_all([first], prints(seen([first])))
    bare = replace(
        first, departure_id=factories.make_departure(first.option_id, factories.TOMORROW)
    )
    factories.book(bare)
    factories.record_work(last, ("H04", "boat", 1))
    factories.confirm_work(last, LATER)
    others = [first, bare, unseen, last]
    outlook = seen(others, NOW + timedelta(days=4))
    assert {each: type(error) for each, error in outlook.obstacles.items()} == {
        first.departure_id: AlreadySettled,
        bare.departure_id: NoWorkRecorded,
        unseen.departure_id: WorkUnconfirmed,
    }
    assert {each: view.sharing.number for each, view in outlook.previews.items()} == {
        last.departure_id: 2
    }


def test_nothing_is_settled_where_nothing_was_shown(trips):
    assert settle_all(trips, {}) == {}
    assert count(Settlement) == 0


def test_of_two_people_who_settle_the_same_trips_one_does(app, trips):
    shown = prints(seen(trips))
    results = run_together(app, lambda _number: settle_all(trips, shown), 4)
    assert sorted(type(each).__name__ for each in results) == [*["AlreadySettled"] * 3, "dict"]
    assert count(Settlement) == 3


def test_money_that_waits_ends_with_all_its_departures_when_they_are_settled(trips):
    waiting = [factories.hold(trip) for trip in trips]
    settle_all(trips)
    states = [get_booking(db.session(), reference).state for reference in waiting]
    assert states == ["lapsed"] * 3


def test_the_page_settles_all_that_can_be_and_says_why_others_wait(sqlite_app):
    with time_machine.travel(LATER, tick=True):
        trips = trips_of(factories.make_village())
        village = trips[0]
        bare = factories.make_departure(village.option_id, factories.TOMORROW)
        factories.book(replace(village, departure_id=bare))
        browser = a_browser(sqlite_app, "treasurer", Grant(Role.TREASURER, village.id))
        page = f"/en/host/{village.slug}/money/close/trips"
        assert page in browser.get(f"/en/host/{village.slug}/money/close").text
        shown = browser.get(page).text
        assert "Settle these 3 trips" in shown
        assert "These wait for something" in shown
        fields = dict(_hidden(shown))
        assert len(fields) == 4
        factories.record_work(trips[2], ("H04", "boat", 1))
        changed = browser.post(page, data=fields)
        assert changed.status_code == 409
        assert count(Settlement) == 0
        again = browser.post(page, data=dict(_hidden(changed.text)))
        assert again.location == page
        assert count(Settlement) == 3
        rest = browser.get(page).text
        assert "Settle these" not in rest
        assert "None of them can be settled yet" in rest


def _hidden(page):
    import re

    return [
        (name, value)
        for name, value in re.findall(r'name="([^"]+)" value="([^"]+)"', page)
        if name.startswith("trip-") or name == "csrf_token"
    ]
