"""The experience page: a day, a party, its price, and where each baht of it goes."""

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import hold
from cbt.bookings.hold import HoldRequest
from cbt.bookings.queries import list_departures
from cbt.bookings.records import DepartureCard
from cbt.clock import month_before, month_of, next_month, read_day, utc_now, village_day
from cbt.db import db
from cbt.errors import CbtError, DepartureUnknown, Invalid, Refused, UnitNotSold
from cbt.experiences.pricing import Quote, Unit, quote
from cbt.experiences.queries import get_listing
from cbt.experiences.records import Listing, OptionCard
from cbt.i18n import _, language
from cbt.payments.queries import list_methods
from cbt.payments.records import Method
from cbt.revenue.posting import BookingFacts, split_booking
from cbt.revenue.queries import find_policy_in_force, get_policy_in_force
from cbt.revenue.records import AdoptedPolicy
from cbt.revenue.split import Cost
from cbt.web.access import booking_links, public
from cbt.web.calendar import is_open, month_grid
from cbt.web.errors import message_for
from cbt.web.flow import Flow, draw
from cbt.web.forms import AskForm, Form, first_error, once
from cbt.web.layout import LANG
from cbt.web.limits import limit_hold
from cbt.web.public.forms import party_form, party_of, request_key
from cbt.web.public.views import bp

_FIELDS = {"csrf_token", "once", "on", "month", "option", "do"}
"""What a hold sends beside its party; anything else counts guests."""


class HoldForm(Form):
    once = once()


@dataclass
class Choice:
    """What the visitor chose so far, and what is wrong with it."""

    listing: Listing
    month: date
    departures: list[DepartureCard]
    on: date | None
    on_day: list[DepartureCard]
    departure: DepartureCard | None
    option: OptionCard
    form: AskForm
    problem: str = ""

    @property
    def places(self) -> int:
        """Places that the party typed so far would take, to mark days that are too full."""
        party = party_of(self.form, self.option)
        return sum(party[price.unit] * price.places for price in self.option.prices)


@bp.get(f"/{LANG}/c/<slug>/<experience>")
@public
def experience(slug: str, experience: str) -> ResponseReturnValue:
    listing = get_listing(db.session(), slug, experience)
    choice = _read_choice(listing, request.args, utc_now())
    return _show(choice)


@bp.post(f"/{LANG}/c/<slug>/<experience>")
@public
@limit_hold
def hold_places(slug: str, experience: str) -> ResponseReturnValue:
    now = utc_now()
    listing = get_listing(db.session(), slug, experience)
    is_hold = request.form.get("do") == "hold"
    choice = _read_choice(listing, request.form, now, is_hold=is_hold)
    form = HoldForm()
    if not is_hold:  # without script: only work the price out again
        party = party_of(choice.form, choice.option)
        return redirect(_address(listing, choice, party), code=303)
    if not form.validate() or "once" not in request.form or "visitor" not in session:
        abort(400)  # a stale form: it never came from a page that we showed this visitor
    if choice.problem:
        return _show(choice)
    try:
        reference, ends_at = _hold(choice, form.once.data or "", now)
    except (Invalid, Refused, DepartureUnknown) as error:
        choice.problem = message_for(error)
        return _show(_refreshed(choice, now), error.status)
    token = booking_links().sign(reference, ends_at)
    return redirect(url_for("guest.booking", token=token), code=303)


def _hold(choice: Choice, once_: str, now: datetime) -> tuple[str, datetime]:
    if choice.departure is None:
        raise DepartureUnknown
    community = choice.listing.community
    party = party_of(choice.form, choice.option)
    policy = get_policy_in_force(db.session(), community.id, village_day(now, community.zone))
    request_ = HoldRequest(
        departure_id=choice.departure.id,
        party=party,
        policy_version_id=policy.id,
        language=language(),
        request_key=request_key(
            session["visitor"], once_, choice.departure.id, choice.option.code, party
        ),
    )
    return hold.hold(request_, now), choice.departure.ends_at


def _address(listing: Listing, choice: Choice, party: dict[str, int]) -> str:
    values: dict[str, Any] = {
        "slug": listing.community.slug,
        "experience": listing.texts.slug,
        "on": choice.on.isoformat() if choice.on else None,
        "option": choice.option.code,
        **party,
    }
    return url_for("public.experience", _anchor="book", **values)


# --- reading what was chosen ---------------------------------------------------------------------


def _read_choice(listing: Listing, typed: Any, now: datetime, *, is_hold: bool = False) -> Choice:
    """Read day, option and party from the address or form; what is wrong becomes a problem.

    Who looks around is shown a usual party and the first round. A hold gets neither: it books what
    was sent or nothing.
    """
    today = village_day(now, listing.community.zone)
    on, problem = _read_day(typed.get("on", ""), today)
    month = _read_month(typed.get("month", ""), on or today)
    departures = list_departures(
        db.session(), [option.id for option in listing.options], month, next_month(month)
    )
    on_day = [each for each in departures if each.starts_on == on and is_open(each, now)]
    option = _option(listing, typed.get("option", ""), on_day)
    departure = next((each for each in on_day if each.option_id == option.id), None)
    if on and not problem and departure is None:
        problem = _("Nothing departs on this day. Please choose another.")
    if is_hold and departure is not None:
        problem = problem or _option_problem(option, typed.get("option", ""), len(on_day))
    units = {price.unit.value for price in option.prices}
    is_given = is_hold or bool(units & set(typed))
    form = party_form(option, typed if is_given else None)
    if is_given and not form.validate():
        problem = problem or first_error(form)
    unknown = (set(typed) - _FIELDS if is_hold else set(Unit) & set(typed)) - units
    if any(typed.get(unit) not in ("", "0") for unit in unknown):
        problem = problem or message_for(UnitNotSold())
    return Choice(listing, month, departures, on, on_day, departure, option, form, problem)


def _read_day(text: str, today: date) -> tuple[date | None, str]:
    if not text:
        return None, ""
    try:
        day = read_day(text)
    except ValueError:
        return None, _("Please choose a day from the calendar.")
    if day < today:
        return None, _("This day has passed. Please choose a later one.")
    return day, ""


def _read_month(text: str, otherwise: date) -> date:
    try:
        return month_of(text)
    except ValueError:
        return otherwise.replace(day=1)


def _option(listing: Listing, code: str, on_day: list[DepartureCard]) -> OptionCard:
    """The option asked for, else the first that departs on the day, else the first."""
    by_id = {option.id: option for option in listing.options}
    departing = [by_id[each.option_id] for each in on_day]
    for option in departing or listing.options:
        if option.code == code:
            return option
    return departing[0] if departing else listing.options[0]


def _option_problem(option: OptionCard, asked: str, rounds: int) -> str:
    """What is wrong when `option` would be booked though `asked` was; nothing is ever swapped."""
    if asked and asked != option.code:
        return _("This round does not depart on this day. Please choose another.")
    return _("Please choose a round.") if not asked and rounds > 1 else ""


def _refreshed(choice: Choice, now: datetime) -> Choice:
    """The same choice with free places as they are now, after somebody was quicker."""
    problem = choice.problem
    fresh = _read_choice(choice.listing, request.form, now, is_hold=True)
    fresh.problem = problem
    return fresh


# --- showing it ----------------------------------------------------------------------------------


def _show(choice: Choice, status: int = 422) -> ResponseReturnValue:
    """The page; with a problem it answers `status`."""
    session.setdefault("visitor", secrets.token_urlsafe(12))  # see `request_key`
    now = utc_now()
    listing = choice.listing
    today = village_day(now, listing.community.zone)
    policy = find_policy_in_force(db.session(), listing.community.id, today)
    methods = _open_methods(listing)
    price, flow = _price(choice, policy, methods)
    page = render_template(
        "public/experience.html",
        listing=listing,
        community=listing.community,
        choice=choice,
        options_on_day=[(each, _by_id(listing, each)) for each in choice.on_day],
        weeks=month_grid(choice.month, choice.departures, max(1, choice.places), today, now),
        today=today,
        earlier=month_before(choice.month) if choice.month > today.replace(day=1) else None,
        later=next_month(choice.month),
        price=price,
        flow=flow,
        fee_method=methods[0] if methods else None,
        policy=policy,
        hold_form=HoldForm(),
    )
    return page, status if choice.problem else 200


def _by_id(listing: Listing, departure: DepartureCard) -> OptionCard:
    return next(option for option in listing.options if option.id == departure.option_id)


def _open_methods(listing: Listing) -> list[Method]:
    """The community's ways to be paid that this installation offers."""
    offered = current_app.extensions["providers"]
    methods = list_methods(db.session(), listing.community.id)
    return [method for method in methods if method.provider in offered]


def _price(
    choice: Choice, policy: AdoptedPolicy | None, methods: list[Method]
) -> tuple[Quote | None, Flow | None]:
    """The party's price and where it goes, or what is wrong with the party as the problem."""
    option = choice.option
    try:
        price = quote(party_of(choice.form, option), option.price_list)
        if policy is None:
            return price, None
        fee = 0
        if methods:
            provider = current_app.extensions["providers"][methods[0].provider]
            fee = provider.estimate_fee(price.price_satang)
        return price, draw(split_booking(expected_facts(price, fee, policy)))
    except CbtError as error:
        choice.problem = choice.problem or message_for(error)
        return None, None


def expected_facts(price: Quote, fee_satang: int, policy: AdoptedPolicy) -> BookingFacts:
    """What a booking at this price would be split from, with the provider's fee as an estimate."""
    return BookingFacts(
        reference="",
        service_on=date.min,
        captured_satang=price.price_satang,
        payment_fee_satang=fee_satang,
        costs=tuple(Cost(cost.code, cost.amount_satang) for cost in price.costs),
        policy=policy.policy,
    )
