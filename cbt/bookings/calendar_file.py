"""A trip as a calendar file, in the village's own zone."""

from icalendar import Calendar, Event

from cbt.bookings.records import BookingCard
from cbt.clock import to_village
from cbt.communities.records import CommunityCard
from cbt.i18n import pick


def write(booking: BookingCard, community: CommunityCard, address: str) -> bytes:
    """The booking's trip as .ics in the current language, linking back to its page."""
    trip = booking.trip
    event = Event()
    event.add("uid", f"{booking.reference}@cbt")
    event.add("dtstamp", booking.confirmed_at or booking.created_at)
    event.add("dtstart", to_village(trip.begins_at, community.zone))
    event.add("dtend", to_village(trip.ends_at, community.zone))
    event.add("summary", f"{pick(trip.experience_title)} · {pick(community.name)}")
    event.add("location", pick(trip.meeting_point))
    event.add("description", f"{booking.reference}\n{address}")
    event.add("url", address)
    calendar = Calendar()
    calendar.add("prodid", "-//cbt//booking//TH")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())
