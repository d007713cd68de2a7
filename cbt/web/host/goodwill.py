"""Giving back more than the terms ask: chosen on the booking's page, looked at, then agreed to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import queries as bookings
from cbt.bookings.records import BookingCard
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.communities import chart
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import AmountInvalid, BookingChanged, Invalid, Refused
from cbt.i18n import _
from cbt.money import parse_baht
from cbt.payments import goodwill as giving
from cbt.payments.goodwill import Goodwill, GoodwillQuote
from cbt.revenue import queries as revenue
from cbt.revenue import take_back
from cbt.revenue.posting import of_what_is_left, split_booking
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.flow import Flow, draw
from cbt.web.forms import Form, whole
from cbt.web.host.booking import show_booking
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_AT = f"/{LANG}/host/<slug>/bookings/<reference>/goodwill"
_PERSON, _EXTRA = "person-", "extra-"


@bp.get(_AT)
@only(*HOSTS)
def goodwill(slug: str, reference: str) -> ResponseReturnValue:
    """What the chosen goodwill changes. Nothing is written yet."""
    try:
        wanted = _read(request.args)
        quoted = giving.quote_goodwill(the_community().id, reference, wanted, utc_now())
    except AmountInvalid as error:
        return show_booking(reference, _problem(error), request.args), error.status
    except Refused as error:
        return show_booking(reference, message_for(error), request.args), error.status
    return _show(reference, quoted)


@bp.post(_AT)
@only(*HOSTS)
def give_goodwill(slug: str, reference: str) -> ResponseReturnValue:
    form = Form()
    if not form.validate():
        raise Invalid
    wanted = _read(request.form)
    person_id = the_reader().person_id
    try:
        giving.ask_goodwill(
            the_community().id, reference, wanted, _agreed(request.form), person_id, utc_now()
        )
    except BookingChanged as error:
        return show_booking(reference, message_for(error)), error.status
    return redirect(url_for("host.refund_list", slug=slug), code=303)


def _read(given: Mapping[str, Any]) -> Goodwill:
    """What a person chose. Raises AmountInvalid for what is no number, or nothing at all."""
    if "amount" in given:
        chosen = whole(given.get("capture"))
        return Goodwill(amount_satang=parse_baht(given["amount"]), capture_id=chosen)
    return Goodwill(persons=_counts(given, _PERSON), extras=_counts(given, _EXTRA))


def _problem(error: AmountInvalid) -> str:
    if "amount" in request.args:
        return message_for(error)
    return _("Choose at least one person or extra, and at most as many as were booked.")


def _counts(given: Mapping[str, Any], prefix: str) -> dict[str, int]:
    counts = {}
    for name, typed in given.items():
        if name.startswith(prefix) and typed.strip():
            number = whole(typed.strip())
            if number is None:
                raise AmountInvalid(text=typed)
            counts[name.removeprefix(prefix)] = number
    return counts


def _agreed(given: Mapping[str, Any]) -> GoodwillQuote:
    """The quote that the page showed. What is missing or wrong in it agrees with nothing."""
    amount, kept = whole(given.get("agreed")), whole(given.get("kept"))
    return GoodwillQuote(amount or 0, kept or 0, waits=given.get("waits") == "yes")


def _show(reference: str, quoted: GoodwillQuote) -> str:
    shown = bookings.get_booking_of(db.session(), the_community().id, reference)
    flow, is_short = _flow_after(shown, quoted)
    return render_template(
        "host/goodwill.html",
        community=the_community(),
        booking=shown,
        quoted=quoted,
        chosen=[(name, value) for name, value in request.args.items() if _is_choice(name)],
        flow=flow,
        is_short=is_short,
        household_names={
            chart.household(each.code): each.name
            for each in list_register(db.session(), the_community().id)
        },
        borne=take_back.preview(
            db.session(), the_community().id, reference, quoted.amount_satang, utc_now()
        ),
    )


def _is_choice(name: str) -> bool:
    return name in ("amount", "capture") or name.startswith((_PERSON, _EXTRA))


def _flow_after(shown: BookingCard, quoted: GoodwillQuote) -> tuple[Flow | None, bool]:
    """Where the rest of the booking's money will go; whether it pays outside costs and fees no more."""
    if shown.state != BookingState.CONFIRMED:
        return None, False
    facts = revenue.list_booking_facts(db.session(), [shown.trip.id])[shown.trip.id]
    own = next(each for each in facts if each.reference == shown.reference)
    left = of_what_is_left(replace(own, captured_satang=quoted.left_satang))
    is_short = (left.costs, left.payment_fee_satang) != (own.costs, own.payment_fee_satang)
    return draw(split_booking(left)), is_short
