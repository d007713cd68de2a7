"""A booking as its hosts see it: what is to collect, the guest's link, answering a request."""

from collections.abc import Mapping
from datetime import datetime

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import arrivals, hold
from cbt.bookings import queries as bookings
from cbt.bookings.records import BookingCard
from cbt.bookings.states import WAITING, BookingState, DepartureState
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import CostsExceedIncome, DiscountTooLarge, HoldLapsed
from cbt.experiences.queries import get_option
from cbt.i18n import _
from cbt.payments import queries
from cbt.payments.box import find_late_promise, list_promised
from cbt.payments.records import CASH
from cbt.revenue import queries as revenue
from cbt.revenue.posting import split_booking
from cbt.web import qr
from cbt.web.access import booking_links, only, the_community, the_reader
from cbt.web.flow import Flow, draw
from cbt.web.forms import Form, first_error, typed
from cbt.web.host.departure_forms import NoShowForm
from cbt.web.host.departures import Sheet, show_departure
from cbt.web.host.views import HOSTS, bp
from cbt.web.host.words import bearer_words
from cbt.web.layout import LANG, public_address

_AT = f"/{LANG}/host/<slug>/bookings/<reference>"
_OPEN = (*WAITING, BookingState.CONFIRMED)
"""The states in which a guest may still have to pay."""


@bp.get(_AT)
@only(*HOSTS)
def booking(slug: str, reference: str) -> ResponseReturnValue:
    return show_booking(reference)


def show_booking(
    reference: str, problem: str = "", goodwill: Mapping[str, str] | None = None
) -> str:
    """A booking; with `problem`, what went wrong, and with `goodwill` what was typed to give some back."""
    now = utc_now()
    shown = bookings.get_booking_of(db.session(), the_community().id, reference)
    has_lapsed = _has_lapsed(shown, now)
    money = queries.get_money(db.session(), shown.id)
    return render_template(
        "host/booking.html",
        community=the_community(),
        booking=shown,
        problem=problem,
        goodwill=goodwill or {},
        now=now,
        has_lapsed=has_lapsed,
        price=bookings.get_price_parts(db.session(), shown.id),
        add_ons={
            each.code: each.title for each in get_option(db.session(), shown.trip.option_id).add_ons
        },
        attempts=queries.list_attempts(db.session(), shown.id),
        captures=queries.list_captures(db.session(), [shown.id]),
        **_cash(shown, money.paid_satang, now, has_lapsed=has_lapsed),
        refunds=queries.list_refunds(db.session(), shown.id),
        returnable_satang=money.returnable_satang if _may_give(shown) else 0,
        is_split=shown.trip.state == DepartureState.SETTLED,
        no_show=arrivals.list_no_shows(db.session(), [shown.id]).get(shown.id),
        bearer=bearer_words(shown.discount_bearer) if shown.discount_bearer else "",
        flow=_paid_flow(shown),
        action=Form(formdata=None),
        **_guest_link(shown, has_lapsed=has_lapsed),
    )


def _cash(
    shown: BookingCard, paid_satang: int, now: datetime, *, has_lapsed: bool
) -> dict[str, object]:
    """What is due, and the amounts that may be taken of it: the deposit, or all of it.

    Of a promise whose trip is over, until when it may be written down.
    """
    is_over = has_lapsed or shown.state == BookingState.LAPSED
    late = None
    if is_over:
        late = find_late_promise(db.session(), shown.community_id, shown.id, now)
    is_open = (shown.state in _OPEN and not has_lapsed) or late is not None
    due = shown.price_satang - paid_satang if is_open else 0
    deposit = shown.needed_satang - paid_satang
    asks_deposit = shown.state == BookingState.HELD and 0 < deposit < due
    has_box = queries.find_method(db.session(), shown.community_id, CASH) is not None
    can_take = has_box and due > 0 and shown.state != BookingState.REQUESTED
    return {
        "due_satang": due,
        "to_take": [*([deposit] if asks_deposit else []), due] if can_take else [],
        "is_promised": late is not None or bool(list_promised(db.session(), [shown.id])),
        "late_until": late.until if late else None,
    }


def _may_give(shown: BookingCard) -> bool:
    """Whether the community may give back more than its terms ask."""
    return shown.state in (BookingState.CONFIRMED, BookingState.SETTLED, BookingState.CANCELLED)


def _has_lapsed(shown: BookingCard, now: datetime) -> bool:
    return shown.state in WAITING and shown.held_until <= now


def _paid_flow(shown: BookingCard) -> Flow | None:
    """Where the money of a paid booking goes; None while less is there than the trip costs outside."""
    if not shown.is_paid:
        return None
    facts = revenue.list_booking_facts(db.session(), [shown.trip.id])[shown.trip.id]
    own = next(each for each in facts if each.reference == shown.reference)
    try:
        return draw(split_booking(own))
    except (CostsExceedIncome, DiscountTooLarge):
        return None


def _guest_link(shown: BookingCard, *, has_lapsed: bool) -> dict[str, object]:
    """The guest's own page of a booking that lives, to be shown as a QR or sent."""
    if has_lapsed or shown.state not in (*_OPEN, BookingState.CHOOSING):
        return {"guest_link": "", "guest_qr": ""}
    token = booking_links().sign(shown.reference, shown.trip.ends_at)
    address = public_address("guest.booking", token=token, lang=shown.language)
    return {"guest_link": address, "guest_qr": qr.draw(address)}


# --- answering a request -------------------------------------------------------------------------


@bp.post(f"{_AT}/agree")
@only(*HOSTS)
def agree(slug: str, reference: str) -> ResponseReturnValue:
    try:
        hold.agree_to_request(the_community().id, reference, utc_now())
    except HoldLapsed as error:
        problem = _("The time to answer is over: the request has lapsed, and its places are free.")
        return show_booking(reference, problem), error.status
    return redirect(url_for("host.booking", slug=slug, reference=reference), code=303)


@bp.post(f"{_AT}/decline")
@only(*HOSTS)
def decline(slug: str, reference: str) -> ResponseReturnValue:
    hold.decline_request(the_community().id, reference, utc_now())
    return redirect(url_for("host.booking", slug=slug, reference=reference), code=303)


# --- who did not come ----------------------------------------------------------------------------


@bp.post(f"{_AT}/no-show")
@only(*HOSTS)
def note_no_show(slug: str, reference: str) -> ResponseReturnValue:
    shown = bookings.get_booking_of(db.session(), the_community().id, reference)
    form = NoShowForm()
    if not form.validate():
        sheet = Sheet(no_show=form, no_show_of=reference, problems={"parties": first_error(form)})
        return show_departure(shown.trip.id, sheet), 422
    arrivals.note_no_show(
        the_community().id, reference, typed(form.reason), the_reader().person_id, utc_now()
    )
    address = url_for("host.departure", slug=slug, departure_id=shown.trip.id, _anchor="parties")
    return redirect(address, code=303)
