"""The host's day: what is to do, arrivals, the newest bookings, transfers to confirm."""

from datetime import datetime, timedelta

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.audit.case_work import count_waiting
from cbt.bookings import queries as bookings
from cbt.bookings.feed_watch import list_stale_feeds
from cbt.bookings.records import TripCard
from cbt.bookings.states import DepartureState
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import (
    ReferenceDiffers,
    ReferenceUsed,
    SecondPersonNeeded,
    SlipUnreadable,
    StateForbids,
)
from cbt.payments import queries, take_in, transfers
from cbt.payments.money_rules import get_money_rules
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.host.forms import TransferForm
from cbt.web.layout import LANG

bp = Blueprint("host", __name__)
HOSTS = (Role.COORDINATOR, Role.TREASURER)
_AHEAD = timedelta(days=7)
_LATEST = 50
_RUNNING = (DepartureState.OPEN, DepartureState.CLOSED)


@bp.get(f"/{LANG}/host/<slug>")
@only(*HOSTS)
def today(slug: str) -> ResponseReturnValue:
    now = utc_now()
    community = the_community()
    day = village_day(now, community.zone)
    arriving, asking = bookings.list_agenda(db.session(), community.id, day, day + _AHEAD, now)
    trips = list({each.trip.id: each.trip for each in arriving}.values())
    open_transfers = queries.list_transfers_to_confirm(db.session(), community.id, now)
    return render_template(
        "host/today.html",
        community=community,
        today=day,
        trips_today=[trip for trip in trips if trip.starts_on == day],
        trips_later=[trip for trip in trips if trip.starts_on > day],
        by_trip={trip.id: [each for each in arriving if each.trip.id == trip.id] for trip in trips},
        lines=bookings.list_price_lines(db.session(), [each.id for each in arriving]),
        to_answer=asking,
        to_decide=[trip for trip in trips if _is_to_decide(trip, now)],
        to_settle=bookings.list_unsettled_trips(
            db.session(),
            community.id,
            now,
            queries.departures_with_retained_money(community.id),
        ),
        stale_feeds=list_stale_feeds(db.session(), community.id, now),
        to_confirm=[each for each in open_transfers if not each.is_of_paid_booking],
        to_give_back=queries.list_refunds_to_make(db.session(), community.id),
        to_agree=queries.list_waiting_proposals(db.session(), community.id),
        findings=count_waiting(db.session(), community.id, day),
    )


def _is_to_decide(trip: TripCard, now: datetime) -> bool:
    """Whether the day to decide has come while too few are booked, as `warn_of_too_few` counts."""
    has_come = trip.decide_at is not None and trip.decide_at <= now < trip.begins_at
    return has_come and trip.state in _RUNNING and trip.claimed < trip.min_to_run


@bp.get(f"/{LANG}/host/<slug>/bookings")
@only(*HOSTS)
def booking_list(slug: str) -> ResponseReturnValue:
    found = bookings.list_latest_bookings(db.session(), the_community().id, _LATEST)
    return render_template("host/bookings.html", community=the_community(), bookings=found)


# --- money that a person must look at ------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/transfers")
@only(*HOSTS)
def transfer_list(slug: str) -> ResponseReturnValue:
    return _show_transfers(TransferForm(), None)


@bp.post(f"/{LANG}/host/<slug>/transfers/<int:attempt_id>")
@only(*HOSTS)
def confirm_transfer(slug: str, attempt_id: int) -> ResponseReturnValue:
    form = TransferForm()
    if not form.validate():
        return _show_transfers(form, attempt_id), 422
    now = utc_now()
    try:
        transfers.confirm_transfer(
            the_community().id,
            attempt_id,
            typed(form.bank_reference),
            the_reader().person_id,
            now,
        )
    except (ReferenceDiffers, ReferenceUsed, SecondPersonNeeded, SlipUnreadable) as error:
        add_error(form.bank_reference, message_for(error))
        return _show_transfers(form, attempt_id), error.status
    except StateForbids:  # confirmed before, but perhaps cut off before it reached the books
        take_in.take_in(attempt_id, current_app.extensions["providers"], now)
        raise
    take_in.take_in(attempt_id, current_app.extensions["providers"], now)
    return redirect(url_for("host.transfer_list", slug=slug), code=303)


@bp.post(f"/{LANG}/host/<slug>/looks/<int:look_id>/dismiss")
@only(*HOSTS)
def dismiss_look(slug: str, look_id: int) -> ResponseReturnValue:
    """What the first of two people saw was something else."""
    transfers.dismiss_look(the_community().id, look_id, the_reader().person_id, utc_now())
    return redirect(url_for("host.transfer_list", slug=slug), code=303)


def _show_transfers(form: TransferForm, attempt_id: int | None) -> str:
    found = queries.list_transfers_to_confirm(db.session(), the_community().id, utc_now())
    looks = queries.list_looks(db.session(), [each.attempt.id for each in found])
    return render_template(
        "host/transfers.html",
        looks=looks,
        looked_by=list_names(db.session(), [each.looked_by for each in looks.values()]),
        own_id=the_reader().person_id,
        two_people_from=get_money_rules(
            db.session(), the_community().id, utc_now()
        ).two_people_from_satang,
        community=the_community(),
        to_confirm=[each for each in found if not each.is_of_paid_booking],
        paid_already=[each for each in found if each.is_of_paid_booking],
        trips=bookings.list_trips(db.session(), {each.departure_id for each in found}),
        to_give_back=queries.list_refunds_to_make(db.session(), the_community().id),
        form=form,
        form_for=attempt_id,
    )


# --- the rest of the pages -----------------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/more")
@only(*HOSTS)
def more(slug: str) -> ResponseReturnValue:
    """What is arranged now and then: rules, rest days, shared things, seasons and codes."""
    return render_template("host/more.html", community=the_community())
