"""The host's private calendar: counts and hours, no guest, at an address that can be ended."""

from datetime import timedelta

import pytest
from icalendar import Calendar
from sqlalchemy import select

from cbt.bookings import departures
from cbt.bookings.host_feed import (
    AHEAD,
    HostFeedLinks,
    end_host_feed,
    find_host_feed,
    get_feed_reader,
    make_host_feed,
    write_host_feed,
)
from cbt.bookings.models import HostFeedKey
from cbt.bookings.states import EndReason
from cbt.db import db
from cbt.errors import LinkInvalid
from cbt.payments.call_off import call_off
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from tests import factories
from tests.concurrency import run_together
from tests.factories import TOMORROW
from tests.site import NOW, SECRET

LINKS = HostFeedLinks(SECRET)


@pytest.fixture
def village(app):
    return factories.make_village()


def make(village, person_id=None, now=NOW):
    return make_host_feed(village.id, person_id or village.person_id, LINKS, now)


def read(token, now=NOW):
    db.session.rollback()
    return write_host_feed(db.session(), get_feed_reader(db.session(), token), now)


def events(token, now=NOW):
    calendar = Calendar.from_ical(read(token, now))
    found = calendar.walk("VEVENT")
    assert not calendar.errors
    assert not any(event.errors for event in found)
    return found


def test_departures_are_listed_with_their_counts_and_hours_and_without_guests(village):
    factories.book(village, {"ADULT": 3})
    token = make(village)
    [event] = events(token)
    assert event["SUMMARY"] == "3/12 · ไทย title"  # the person's own language
    assert event["DTSTART"].params["TZID"] == "Asia/Bangkok"
    assert event["DTSTART"].dt.isoformat() == "2026-11-24T08:30:00+07:00"
    content = read(token).decode()
    assert "Guest" not in content
    assert "guest@example.org" not in content
    assert "B-" not in content


def test_it_reaches_from_today_to_ninety_days_ahead(village):
    token = make(village)
    last = TOMORROW - timedelta(days=2) + AHEAD
    factories.make_departure(village.option_id, last)
    factories.make_departure(village.option_id, last + timedelta(days=1))
    assert [event["DTSTART"].dt.date() for event in events(token)] == [TOMORROW, last]
    assert events(token, NOW + timedelta(days=2))[0]["DTSTART"].dt.date() == last


def test_what_does_not_run_is_not_listed(village):
    token = make(village)
    departures.set_sales(village.id, village.departure_id, is_open=False)
    assert events(token) == []
    departures.set_sales(village.id, village.departure_id, is_open=True)
    factories.book(village)
    departures.set_sales(village.id, village.departure_id, is_open=False)
    assert len(events(token)) == 1
    call_off(village.id, village.departure_id, EndReason.WEATHER, NOW)
    assert events(token) == []


def test_nothing_new_reads_the_same_to_the_byte(village):
    token = make(village)
    first = read(token)
    assert read(token, NOW + timedelta(hours=1)) == first
    factories.book(village)
    assert read(token, NOW + timedelta(hours=1)) != first


def test_another_communitys_departures_are_not_in_it(village):
    other = factories.make_village()
    assert len(events(make(village))) == 1
    assert len(events(make(other))) == 1
    assert events(make(village))[0]["UID"] != events(make(other))[0]["UID"]


# --- the address ---------------------------------------------------------------------------------


def test_the_address_stays_the_same_until_it_is_ended(village):
    token = make(village)
    assert make(village, now=NOW + timedelta(days=1)) == token
    assert find_host_feed(db.session(), village.id, village.person_id, LINKS) == token
    end_host_feed(village.id, village.person_id, NOW)
    assert find_host_feed(db.session(), village.id, village.person_id, LINKS) is None
    with pytest.raises(LinkInvalid):
        read(token)
    again = make(village, now=NOW + timedelta(days=1))
    assert again != token
    assert events(again)
    with pytest.raises(LinkInvalid):
        read(token)


def test_only_a_fingerprint_is_stored(village):
    token = make(village)
    stored = db.session.scalars(select(HostFeedKey.token_hash)).one()
    assert token not in stored
    assert len(stored) == 64


@pytest.mark.parametrize("token", ["", "x", "WzEsMV0.forged", "ก"])
def test_a_forged_address_opens_nothing(village, token):
    make(village)
    with pytest.raises(LinkInvalid):
        read(token)


def test_who_is_no_host_any_more_reads_nothing_and_the_other_host_still_does(village):
    other = factories.make_person()
    people.grant_role(other, Grant(Role.TREASURER, village.id), NOW)
    mine, theirs = make(village), make(village, other)
    assert mine != theirs
    people.end_role(village.person_id, Grant(Role.COORDINATOR, village.id), NOW)
    with pytest.raises(LinkInvalid):
        read(mine)
    assert events(theirs)


def test_two_clicks_make_one_address(app, village):
    results = run_together(
        app, lambda number: make(village, now=NOW + timedelta(seconds=number)), 4
    )
    assert len(set(results)) == 1
    db.session.rollback()
    assert len(db.session.scalars(select(HostFeedKey.id)).all()) == 1
