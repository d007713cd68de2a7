"""The worker: what must happen on time although nobody looks at a page."""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from cbt.bookings import calendar_file
from cbt.bookings.departures import keep_ready
from cbt.bookings.forget import forget_guests
from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.queries import get_booking
from cbt.bookings.references import BookingLinks
from cbt.bookings.waitlist import offer_places
from cbt.clock import utc_now, village_day
from cbt.communities.queries import get_community_by_id
from cbt.config import Settings
from cbt.db import db
from cbt.i18n import _, format_day, format_hour, other_era, use_language
from cbt.ledger.selftest import require_protected_books
from cbt.notices.services import forget_old, send_due, smtp_sender
from cbt.payments.call_off import refund_undecided
from cbt.payments.give_back import send_refunds
from cbt.payments.provider import Providers, RefundReason
from cbt.payments.take_in import look_up_unpaid_attempts
from cbt.pulse import beat
from cbt.revenue.queries import get_policy_in_force
from cbt.web.health import WORKER
from cbt.web.labels import label

log = logging.getLogger("cbt.worker")


@dataclass(frozen=True)
class Duty:
    """A use case that is due again and again."""

    name: str
    every: timedelta
    perform: Callable[[datetime], object]


def duties(app: Flask) -> list[Duty]:
    """What the worker does for an application, and how often."""
    settings: Settings = app.extensions["settings"]
    providers: Providers = app.extensions["providers"]
    list_ = [
        Duty("beat", timedelta(seconds=20), partial(beat, WORKER)),
        Duty("end overdue holds", timedelta(seconds=5), lapse_overdue_holds),
        Duty(
            "look up payments", timedelta(seconds=10), partial(look_up_unpaid_attempts, providers)
        ),
        Duty("offer free places", timedelta(seconds=30), partial(offer_places, policy_for)),
        Duty("refund the undecided", timedelta(hours=1), refund_undecided),
        Duty("keep departures ready", timedelta(hours=6), keep_ready),
        Duty("give money back", timedelta(seconds=30), partial(send_refunds, providers)),
        Duty("forget guests", timedelta(hours=6), forget_guests),
        Duty("forget mails", timedelta(hours=6), forget_old),
    ]
    if settings.mail_url:  # without a mail server, mails wait in the outbox
        send = smtp_sender(settings.mail_url)
        post = partial(send_due, send, letter_facts(app), settings.mail_from)
        list_.append(Duty("send mail", timedelta(seconds=5), post))
    return list_


def policy_for(session: Session, community_id: int, now: datetime) -> int:
    """The split policy that a booking made now is frozen to."""
    community = get_community_by_id(session, community_id)
    return get_policy_in_force(session, community_id, village_day(now, community.zone)).id


def letter_facts(app: Flask) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that adds to a notice's facts what its mail says: trip, link, calendar file."""
    links: BookingLinks = app.extensions["booking_links"]
    settings: Settings = app.extensions["settings"]

    def complete(facts: dict[str, Any]) -> dict[str, Any]:
        booking = get_booking(db.session(), facts["reference"])
        community = get_community_by_id(db.session(), booking.community_id)
        token = links.sign(booking.reference, booking.trip.ends_at)
        address = f"{settings.public_url}/{booking.language}/b/{token}"
        trip = booking.trip
        with use_language(booking.language):
            hour = format_hour(trip.begins_at, community.zone)
            full = {
                **facts,
                "community": community,
                "booking": booking,
                "trip": trip,
                "address": address,
                "day_and_hour": f"{format_day(trip.starts_on, 'full')} ({other_era(trip.starts_on)}) "
                + _("%(hour)s (Thailand time)", hour=hour),
            }
            if "reason" in facts:
                full["reason_words"] = label(RefundReason(facts["reason"]))
            if booking.is_paid:
                full["calendar"] = calendar_file.write(booking, community, address).decode()
        return full

    return complete


def run_due(app: Flask, due: dict[str, datetime], now: datetime) -> None:
    """Perform each duty whose time has come; one that fails is logged and tried at its next time."""
    for duty in duties(app):
        if due.get(duty.name, now) > now:
            continue
        due[duty.name] = now + duty.every
        with app.app_context():
            try:
                duty.perform(now)
            except Exception:  # the worker outlives whatever a duty meets
                log.exception("duty failed: %s", duty.name)


def run_for_ever(app: Flask) -> None:
    """Work until told to stop (SIGTERM or Ctrl-C); a duty that has begun is finished first."""
    with app.app_context():
        require_protected_books()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    due: dict[str, datetime] = {}
    while not stop.is_set():
        run_due(app, due, utc_now())
        stop.wait(1)
