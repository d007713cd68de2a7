"""A trip as a calendar file, in the village's own zone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from icalendar import Calendar, Event

from cbt.bookings.records import BookingCard
from cbt.bookings.states import BookingState
from cbt.clock import to_village
from cbt.communities.records import CommunityCard
from cbt.i18n import pick

_ENDED = (BookingState.CANCELLED, BookingState.CHOOSING)


def write(booking: BookingCard, community: CommunityCard, address: str) -> bytes:
    """The booking's trip as .ics in the current language, linking back to its page.

    A booking has one uid for ever and its version as the sequence, so that a later file moves the
    trip in the guest's calendar, and takes it out again once it was cancelled or called off.
    """
    trip = booking.trip
    has_ended = booking.state in _ENDED
    event = timed_event(trip.begins_at, trip.ends_at, community.zone)
    event.add("uid", f"{booking.reference}@cbt")
    event.add("sequence", booking.version)
    event.add("status", "CANCELLED" if has_ended else "CONFIRMED")
    event.add("dtstamp", booking.ended_at or booking.confirmed_at or booking.created_at)
    event.add("summary", f"{pick(trip.experience_title)} · {pick(community.name)}")
    event.add("location", pick(trip.meeting_point))
    event.add("description", f"{booking.reference}\n{address}")
    event.add("url", address)
    event.add("organizer", address, parameters={"CN": pick(community.name)})
    return as_file([event], METHOD="CANCEL" if has_ended else "PUBLISH")


def timed_event(begins_at: datetime, ends_at: datetime, zone: str) -> Event:
    """An event whose hours are the village's."""
    event = Event()
    event.add("dtstart", to_village(begins_at, zone))
    event.add("dtend", to_village(ends_at, zone))
    return event


def as_file(events: Iterable[Event], **properties: Any) -> bytes:
    """Events, the zones that they use, and what else the calendar says of itself, as a file."""
    calendar = Calendar()
    calendar.add("prodid", "-//cbt//booking//TH")
    calendar.add("version", "2.0")
    for name, value in properties.items():
        calendar.add(name, value)
    for event in events:
        calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())
