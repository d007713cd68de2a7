"""The guest's calendar file: one event for ever, in the village's hours, gone once it is cancelled."""

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from cbt.bookings import calendar_file
from cbt.bookings.queries import get_booking
from cbt.bookings.states import EndReason
from cbt.db import db
from cbt.i18n import use_language
from cbt.payments.call_off import call_off
from tests import factories
from tests.site import NOW

ADDRESS = "https://village.example/en/b/token"


@pytest.fixture
def village(app):
    return factories.make_village()


def read(village, reference, language="en"):
    """The calendar and its event, as a calendar program reads them."""
    db.session.rollback()
    with use_language(language):
        content = calendar_file.write(get_booking(db.session(), reference), village.card, ADDRESS)
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    calendar = Calendar.from_ical(content)
    assert not calendar.errors
    [event] = calendar.walk("VEVENT")
    assert not event.errors
    return calendar, event


def test_the_trip_stands_in_the_villages_hours_with_its_zone(village):
    calendar, event = read(village, factories.book(village))
    [zone] = calendar.walk("VTIMEZONE")
    assert zone["TZID"] == event["DTSTART"].params["TZID"] == "Asia/Bangkok"
    assert zone.to_tz().utcoffset(datetime(2026, 11, 24)) == timedelta(hours=7)
    assert event["DTSTART"].dt.astimezone(UTC) == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
    assert event["DTEND"].dt.astimezone(UTC) == datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    assert (calendar["METHOD"], event["STATUS"]) == ("PUBLISH", "CONFIRMED")
    assert event["URL"] == ADDRESS
    assert event["LOCATION"] == "English meeting_point"


@pytest.mark.parametrize(("language", "words"), [("th", "ไทย title"), ("en", "English title")])
def test_it_speaks_the_language_of_its_reader(village, language, words):
    assert str(read(village, factories.book(village), language)[1]["SUMMARY"]).startswith(words)


def test_a_change_keeps_the_event_and_raises_its_sequence(village):
    reference = factories.book(village)
    before = read(village, reference)[1]
    other = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=30))
    factories.change_booking(reference, NOW, departure_id=other)
    after = read(village, reference)[1]
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after["DTSTART"].dt - before["DTSTART"].dt == timedelta(days=30)


def test_two_bookings_are_two_events(village):
    first, second = factories.book(village), factories.book(village)
    assert read(village, first)[1]["UID"] != read(village, second)[1]["UID"]


@pytest.mark.parametrize("how", ["cancelled", "called_off"])
def test_what_is_over_is_taken_out_of_the_calendar(village, how):
    reference = factories.book(village)
    before = read(village, reference)[1]
    if how == "cancelled":
        factories.cancel_booking(reference)
    else:
        call_off(village.id, village.departure_id, EndReason.WEATHER, NOW)
    calendar, event = read(village, reference)
    assert (calendar["METHOD"], event["STATUS"]) == ("CANCEL", "CANCELLED")
    assert event["UID"] == before["UID"]
    assert event["SEQUENCE"] > before["SEQUENCE"]


def test_a_booking_that_moves_after_a_call_off_stands_again(village):
    reference = factories.book(village)
    other = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=30))
    call_off(village.id, village.departure_id, EndReason.WEATHER, NOW)
    gone = read(village, reference)[1]
    factories.change_booking(reference, NOW, departure_id=other)
    calendar, event = read(village, reference)
    assert (calendar["METHOD"], event["STATUS"]) == ("PUBLISH", "CONFIRMED")
    assert event["SEQUENCE"] > gone["SEQUENCE"]
