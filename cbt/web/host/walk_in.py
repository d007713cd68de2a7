"""Guests at the pier or on the telephone: noted by a host, held by the same claim as everybody."""

from datetime import datetime
from hashlib import sha256

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField

from cbt.bookings import hold
from cbt.bookings import queries as bookings
from cbt.bookings.hold import Details, HoldRequest
from cbt.bookings.records import DepartureCard, TripCard
from cbt.bookings.states import DepartureState
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import CbtError, Invalid, Refused
from cbt.experiences.pricing import Quote, quote
from cbt.experiences.queries import find_discount, get_option
from cbt.experiences.records import OptionCard
from cbt.i18n import LANGUAGES, _l, language
from cbt.revenue.queries import get_policy_in_force
from cbt.web import contact
from cbt.web.access import only, the_community, the_reader
from cbt.web.choice import EXTRA, party_form
from cbt.web.errors import message_for
from cbt.web.forms import (
    REQUIRED,
    AskForm,
    Form,
    add_error,
    first_error,
    once,
    typed,
)
from cbt.web.host.calendar import OnForm, Spot, spots_of
from cbt.web.host.forms import required_text
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG


class WalkInForm(Form):
    """Who comes, and how to reach them; the party is a form of its own."""

    once = once()
    name = required_text(_l("Guest's name"), most=120)
    phone = contact.phone()
    language = SelectField(_l("Language of the guest"), choices=lambda: list(LANGUAGES.items()))


# --- choosing a departure ------------------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/book")
@only(*HOSTS)
def walk_in(slug: str) -> ResponseReturnValue:
    community = the_community()
    now = utc_now()
    form = OnForm(request.args)
    is_right = form.validate()
    on = form.on.data or village_day(now, community.zone)
    spots = spots_of(community.id, on, 1, now) if is_right else []
    page = render_template(
        "host/walk_in.html",
        community=community,
        form=form,
        on=on,
        spots=[each for each in spots if _can_note(each, now)],
    )
    return page, 200 if is_right else 422


def _can_note(spot: Spot, now: datetime) -> bool:
    return spot.departure.state == DepartureState.OPEN and spot.departure.ends_at > now


# --- noting the guests ---------------------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/departures/<int:departure_id>/book")
@only(*HOSTS)
def book(slug: str, departure_id: int) -> ResponseReturnValue:
    trip, departure, option = _load(departure_id)
    form = WalkInForm(formdata=None, language=language())
    return _show(trip, departure, option, party_form(option, None), form)


@bp.post(f"/{LANG}/host/<slug>/departures/<int:departure_id>/book")
@only(*HOSTS)
def book_guest(slug: str, departure_id: int) -> ResponseReturnValue:
    trip, departure, option = _load(departure_id)
    party, form = party_form(option, request.form), WalkInForm()
    if request.form.get("do") == "quote":
        return _show(trip, departure, option, party, form)
    if not request.form.get("once"):
        abort(400)  # not a form that we showed
    if not _are_right(party, form):
        return _show(trip, departure, option, party, form, first_error(party)), 422
    try:
        reference = _hold(departure, option, party, form)
    except (Invalid, Refused) as error:
        trip, departure, option = _load(departure_id)
        return _show(trip, departure, option, party, form, message_for(error)), error.status
    return redirect(url_for("host.booking", slug=slug, reference=reference), code=303)


def _load(departure_id: int) -> tuple[TripCard, DepartureCard, OptionCard]:
    trip = bookings.get_trip(db.session(), the_community().id, departure_id)
    departure = bookings.get_departure(db.session(), departure_id)
    return trip, departure, get_option(db.session(), trip.option_id)


def _are_right(party: AskForm, form: WalkInForm) -> bool:
    """Whether both forms can be right; a host must be able to call the guest."""
    checked = [party.validate(), form.validate()]
    if not typed(form.phone):
        add_error(form.phone, str(REQUIRED))
        return False
    return all(checked)


def _hold(departure: DepartureCard, option: OptionCard, party: AskForm, form: WalkInForm) -> str:
    """Hold the places, then write down who comes; sent twice, it is the same booking."""
    now = utc_now()
    community = the_community()
    policy = get_policy_in_force(db.session(), community.id, village_day(now, community.zone))
    counts, add_ons = _counts(party, option)
    reference = hold.hold(
        HoldRequest(
            departure_id=departure.id,
            party=counts,
            policy_version_id=policy.id,
            language=form.language.data,
            request_key=_request_key(departure.id, counts | add_ons, party, form),
            add_ons=add_ons,
            promo_code=typed(party["code"]),
            by_host=True,
        ),
        now,
    )
    details = Details(
        name=typed(form.name),
        email="",
        phone=typed(form.phone),
        food_needs="",
        access_needs="",
        consent=False,
    )
    hold.save_details(reference, details, now)
    return reference


def _counts(party: AskForm, option: OptionCard) -> tuple[dict[str, int], dict[str, int]]:
    """({unit: count}, {extra: count}) as typed, where they could be read."""
    counts = {str(price.unit): party[price.unit].data or 0 for price in option.prices}
    extras = {each.code: party[EXTRA + each.code].data or 0 for each in option.add_ons}
    return counts, extras


def _request_key(departure_id: int, asked: dict[str, int], party: AskForm, form: WalkInForm) -> str:
    """What makes a double submit one hold: the same host, the same form, all typed the same.

    Another family, typed into the form after going back, is a booking of its own.
    """
    wish = [f"{name}={count}" for name, count in sorted(asked.items()) if count]
    words = (party["code"], form.name, form.phone, form.language)
    sender = [f"host {the_reader().person_id}", typed(form.once), str(departure_id)]
    parts = [*sender, *wish, *(typed(field) for field in words)]
    return sha256("\n".join(parts).encode()).hexdigest()


def _show(
    trip: TripCard,
    departure: DepartureCard,
    option: OptionCard,
    party: AskForm,
    form: WalkInForm,
    problem: str = "",
) -> str:
    price, why_not = _price(departure, option, party)
    return render_template(
        "host/book.html",
        community=the_community(),
        trip=trip,
        departure=departure,
        option=option,
        party=party,
        extra=EXTRA,
        form=form,
        price=price,
        problem=problem or why_not,
    )


def _price(
    departure: DepartureCard, option: OptionCard, party: AskForm
) -> tuple[Quote | None, str]:
    """What the party would pay, or why it cannot be."""
    counts, add_ons = _counts(party, option)
    code = typed(party["code"])
    try:
        discount = (
            find_discount(db.session(), departure.community_id, code, departure.starts_on)
            if code.strip()
            else None
        )
        price_list = option.price_list_on(departure.starts_on)
        return quote(counts, price_list, add_ons, discount), ""
    except CbtError as error:
        return None, message_for(error)
