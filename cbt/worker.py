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

from cbt.audit.case_work import get_case_by_id
from cbt.audit.runs import audit_due
from cbt.bookings import calendar_file
from cbt.bookings.departures import keep_ready
from cbt.bookings.feed_sync import refresh_all
from cbt.bookings.fetch import fetch_calendar
from cbt.bookings.forget import forget_guests
from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.queries import (
    get_booking_with_community,
    get_departure,
    get_trip,
    list_price_lines,
)
from cbt.bookings.records import BookingCard
from cbt.bookings.references import BookingLinks
from cbt.bookings.states import BookingState, EndReason
from cbt.bookings.waitlist import offer_places
from cbt.clock import utc_now, village_day
from cbt.communities.queries import get_community_by_id
from cbt.communities.vulnerable import forget_ended
from cbt.config import Settings
from cbt.db import db
from cbt.i18n import _, format_day, language, pick, use_language
from cbt.ledger.selftest import require_protected_books
from cbt.notices.mail import subject_line
from cbt.notices.services import forget_old, send_due, smtp_sender
from cbt.payments.account_changes import settle_proposals
from cbt.payments.account_rules import ProposalState, takes_effect_alone_at
from cbt.payments.balances import remind_of_balances
from cbt.payments.call_off import CHOOSE_WITHIN, refund_undecided
from cbt.payments.credits import return_stranded_credit
from cbt.payments.give_back import look_up_refunds, remind_refunds, send_refunds
from cbt.payments.inbox import forget_bodies, work_off
from cbt.payments.provider import Providers, RefundReason
from cbt.payments.queries import get_money, get_proposal, list_credits_of
from cbt.payments.reconcile import reconcile
from cbt.payments.take_in import look_up_unpaid_attempts
from cbt.people.queries import list_money_people, list_names
from cbt.pulse import beat
from cbt.revenue.follow_ups import tell_what_visits_paid_for
from cbt.revenue.queries import get_policy_in_force
from cbt.revenue.take_back import take_back_losses
from cbt.web import follow_words
from cbt.web.case_words import case_words
from cbt.web.health import WORKER
from cbt.web.labels import LABELS, label, provider_words, receiver_words, subject_words

log = logging.getLogger("cbt.worker")

_UNUSABLE = (RefundReason.NO_PLACE_LEFT, RefundReason.PAID_TWICE, RefundReason.AMOUNT_DIFFERS)
"""Why money goes back that never bought anything."""


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
    fetch = partial(fetch_calendar, allow_private=settings.feeds_from_private_addresses)
    list_ = [
        Duty("beat", timedelta(seconds=20), partial(beat, WORKER)),
        Duty("end overdue holds", timedelta(seconds=5), lapse_overdue_holds),
        Duty(
            "look up payments", timedelta(seconds=10), partial(look_up_unpaid_attempts, providers)
        ),
        Duty("work off events", timedelta(seconds=3), partial(work_off, providers)),
        Duty("offer free places", timedelta(seconds=30), partial(offer_places, policy_for)),
        Duty("refund the undecided", timedelta(hours=1), refund_undecided),
        Duty("return stranded credit", timedelta(minutes=1), return_stranded_credit),
        Duty("keep departures ready", timedelta(hours=6), keep_ready),
        Duty("give money back", timedelta(seconds=30), partial(send_refunds, providers)),
        Duty("let shares bear losses", timedelta(minutes=1), take_back_losses),
        Duty("look up refunds", timedelta(minutes=5), partial(look_up_refunds, providers)),
        Duty("remind of balances", timedelta(hours=1), remind_of_balances),
        Duty("tell what visits paid for", timedelta(hours=1), tell_what_visits_paid_for),
        Duty("remind of refunds", timedelta(hours=1), remind_refunds),
        Duty("change accounts", timedelta(minutes=10), partial(settle_proposals, providers)),
        Duty("reconcile", timedelta(minutes=10), partial(reconcile, providers)),
        Duty("reconcile fully", timedelta(days=1), partial(reconcile, providers, full=True)),
        Duty("read outside calendars", timedelta(seconds=30), partial(refresh_all, fetch)),
        Duty("audit the books", timedelta(seconds=10), audit_due),
        Duty("forget guests", timedelta(hours=6), forget_guests),
        Duty("forget consents", timedelta(hours=6), forget_ended),
        Duty("forget events", timedelta(hours=6), forget_bodies),
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
    """A function that adds to a notice's facts what its mail says: trip, money, link, calendar file."""
    links: BookingLinks = app.extensions["booking_links"]
    settings: Settings = app.extensions["settings"]

    def complete(facts: dict[str, Any]) -> dict[str, Any]:
        session = db.session()
        if "proposal_id" in facts:
            with use_language(facts["in_language"]):
                return {**facts, **_account_facts(session, facts, settings)}
        if "case_id" in facts:
            with use_language(facts["in_language"]):
                return {**facts, **_finding_facts(session, facts, settings)}
        if "reference" not in facts:
            full = {**facts, **_trip_facts(session, facts["departure_id"], settings)}
            if "waiting_id" in facts:
                full["token"] = links.sign_waiting(facts["waiting_id"], full["trip"].ends_at)
            return full
        booking, community = get_booking_with_community(session, facts["reference"])
        token = links.sign(booking.reference, booking.trip.ends_at)
        address = f"{settings.public_url}/{booking.language}/b/{token}"
        with use_language(booking.language):
            full = {
                **facts,
                **_words(facts),
                **_money_facts(session, booking, facts),
                "community": community,
                "booking": booking,
                "trip": booking.trip,
                "party": _party_words(session, booking),
                "public_url": settings.public_url,
                "address": address,
                **_follow_up_words(facts, settings, community.slug),
                "choose_until": _choose_until(booking),
            }
            if booking.confirmed_at:
                full["calendar"] = calendar_file.write(booking, community, address).decode()
        return full

    return complete


def _trip_facts(session: Session, departure_id: int, settings: Settings) -> dict[str, Any]:
    """What is said of a departure to those who only waited for it, in the language of the letter."""
    community_id = get_departure(session, departure_id).community_id
    trip = get_trip(session, community_id, departure_id)
    why = trip.called_off_for
    return {
        "community": get_community_by_id(session, community_id),
        "trip": trip,
        "why_words": LABELS[EndReason][why] if why else "",
        "public_url": settings.public_url,
    }


def _account_facts(session: Session, facts: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What is said of a change of where a community's money goes, to one of its people."""
    proposal = get_proposal(session, facts["proposal_id"])
    community = get_community_by_id(session, proposal.community_id)
    people = [each.id for each in list_money_people(session, community.id)]
    names = list_names(session, [proposal.proposed_by, proposal.decided_by or 0])
    page = f"/{facts['in_language']}/host/{community.slug}/money/accounts"
    return {
        "community": community,
        "way": provider_words(proposal.provider),
        "before": _account_words(proposal.provider, proposal.before) or _("nowhere: it is new"),
        "after": _account_words(proposal.provider, proposal.after),
        "who": names[proposal.proposed_by],
        "decider": names.get(proposal.decided_by or 0),
        "how": label(ProposalState(proposal.state)),
        "reason": proposal.reason,
        "alone_at": takes_effect_alone_at(proposal.proposed_at, proposal.proposed_by, people),
        "address": settings.public_url + page,
    }


def _finding_facts(session: Session, facts: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What is said of a step of a finding, to those whom it concerns."""
    case = get_case_by_id(session, facts["case_id"])
    step = case.steps[facts["step"] - 1]
    community = get_community_by_id(session, case.community_id)
    of = f"/{facts['in_language']}"
    page = (
        f"{of}/mentor/{community.slug}/findings/{case.number}"
        if facts["to_mentor"]
        else f"{of}/host/{community.slug}/money/findings/{case.number}"
    )
    return {
        "community": community,
        "title": subject_line(f"finding_{step.step}"),
        "number": case.number,
        "severity": label(case.severity),
        "about": subject_words(case.subject),
        "machine_words": case_words(case),
        "said": step.words,
        "who": list_names(session, [step.done_by])[step.done_by],
        "answer_by": format_day(step.answer_by, "full") if step.answer_by else "",
        "address": settings.public_url + page,
    }


def _account_words(provider: str, told: dict[str, Any]) -> str:
    if not told:
        return ""
    return f"{receiver_words(provider, told['receiver'])} ({pick(told['receiver_name'])})"


def _follow_up_words(facts: dict[str, Any], settings: Settings, slug: str) -> dict[str, Any]:
    """What a visit gave and what a fund was used for, where the notice tells it."""
    if "gifts" not in facts:
        return {}
    words = follow_words.told(facts)
    page = f"/{language()}/funds/{slug}/{words['fund']}"
    return {**words, "fund_address": settings.public_url + page}


def _words(facts: dict[str, Any]) -> dict[str, Any]:
    """The words for the reasons that a notice carries."""
    words: dict[str, Any] = {}
    if "why" in facts:
        words["why_words"] = label(EndReason(facts["why"]))
    if "reason" in facts:
        words["reason_words"] = label(RefundReason(facts["reason"]))
        words["is_unusable"] = facts["reason"] in _UNUSABLE
    if "until" in facts:
        words["needs_until"] = datetime.fromisoformat(facts["until"]) if facts["until"] else None
    return words


def _money_facts(session: Session, booking: BookingCard, facts: dict[str, Any]) -> dict[str, int]:
    """How a booking's money stands, in satang; of what a cancellation gave back, in which form."""
    money = get_money(session, booking.id)
    issued = list_credits_of(session, booking.id)
    as_credit = sum(each.amount_satang for each in issued if each.issued_at == booking.ended_at)
    return {
        "paid_satang": money.captured_satang + money.from_credit_satang,
        "back_satang": money.returning_satang + money.credited_satang,
        "kept_satang": money.kept_satang,
        "due_satang": max(0, booking.price_satang - money.paid_satang),
        "over_satang": max(0, money.kept_satang - booking.price_satang),
        "as_credit_satang": as_credit,
        "as_money_satang": facts.get("amount_satang", 0) - as_credit,
    }


def _party_words(session: Session, booking: BookingCard) -> str:
    lines = list_price_lines(session, [booking.id])[booking.id]
    return ", ".join(f"{label(line.unit)} {line.quantity}" for line in lines)


def _choose_until(booking: BookingCard) -> datetime | None:
    """Until when the guest of a trip that was called off may choose; None once it is chosen."""
    if booking.state != BookingState.CHOOSING or booking.ended_at is None:
        return None
    return booking.ended_at + CHOOSE_WITHIN


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
