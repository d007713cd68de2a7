"""The experience page: a day, a party, its price, and where each baht of it goes."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import hold, waitlist
from cbt.bookings.hold import HoldRequest
from cbt.bookings.records import DepartureCard
from cbt.bookings.terms import DEFAULT, Terms, deposit_satang, parse
from cbt.bookings.waitlist import Joining
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import (
    CbtError,
    CodeNotValid,
    DepartureUnknown,
    DetailsIncomplete,
    DiscountTooLarge,
    Invalid,
    NoPolicyInForce,
    Refused,
)
from cbt.experiences.pricing import Discount, Quote, quote, require_pays_costs
from cbt.experiences.queries import find_discount, get_listing
from cbt.experiences.records import Listing
from cbt.i18n import _, language
from cbt.payments.queries import list_methods
from cbt.payments.records import Method
from cbt.revenue.queries import find_policy_in_force
from cbt.revenue.records import AdoptedPolicy
from cbt.web.access import booking_links, public
from cbt.web.choice import EXTRA, Choice, calendar_of, read_choice
from cbt.web.errors import message_for
from cbt.web.expected import Off, expected_flow
from cbt.web.flow import Flow
from cbt.web.forms import add_error, typed
from cbt.web.labels import bearer_words
from cbt.web.layout import LANG
from cbt.web.limits import limit_hold
from cbt.web.public.forms import HoldForm, WaitForm, request_key
from cbt.web.public.views import bp
from cbt.web.stages import Stage, dated


@bp.get(f"/{LANG}/c/<slug>/<experience>")
@public
def experience(slug: str, experience: str) -> ResponseReturnValue:
    listing = get_listing(db.session(), slug, experience)
    now = utc_now()
    choice = read_choice(listing, request.args, now)
    return _show(choice, _price(choice, now), now)


@bp.post(f"/{LANG}/c/<slug>/<experience>")
@public
@limit_hold
def hold_places(slug: str, experience: str) -> ResponseReturnValue:
    now = utc_now()
    listing = get_listing(db.session(), slug, experience)
    is_hold = request.form.get("do") == "hold"
    choice = read_choice(listing, request.form, now, is_exact=is_hold)
    form = HoldForm()
    if not is_hold:  # without script: only work the price out again
        return redirect(_address(choice), code=303)
    if not form.validate():
        abort(400)
    _require_our_form()
    priced = _price(choice, now)
    if choice.problem or choice.form["code"].errors:
        return _show(choice, priced, now)
    try:
        reference, departure = _hold(choice, priced, typed(form.once), now)
    except (Invalid, Refused, DepartureUnknown) as error:
        return _show_refused(listing, error, now)
    token = booking_links().sign(reference, departure.ends_at)
    return redirect(url_for("guest.booking", token=token), code=303)


def _require_our_form() -> None:
    """A form that never came from a page that we showed this visitor is a stale one."""
    if "once" not in request.form or "visitor" not in session:
        abort(400)


def _hold(choice: Choice, priced: "Priced", once_: str, now: datetime) -> tuple[str, DepartureCard]:
    if choice.departure is None:
        raise DepartureUnknown
    if priced.policy is None:
        raise NoPolicyInForce
    request_ = HoldRequest(
        departure_id=choice.departure.id,
        party=choice.party,
        policy_version_id=priced.policy.id,
        language=language(),
        request_key=_key(choice, choice.departure, once_, choice.option.code),
        add_ons=choice.add_ons,
        promo_code=choice.code,
    )
    return hold.hold(request_, now), choice.departure


def _key(
    choice: Choice, departure: DepartureCard, once_: str, kind: str, words: Sequence[str] = ()
) -> str:
    """The request key of a form: everything that was asked for is in it."""
    extras = {EXTRA + code: count for code, count in choice.add_ons.items()}
    asked = {**choice.party, **extras, f"code {choice.code}": len(choice.code)}
    return request_key(session["visitor"], once_, departure.id, kind, asked, words)


def _address(choice: Choice) -> str:
    return url_for(
        "public.experience",
        slug=choice.listing.community.slug,
        experience=choice.listing.texts.slug,
        on=choice.on.isoformat() if choice.on else None,
        _anchor="book",
        **choice.values(),
    )


def _show_refused(listing: Listing, error: CbtError, now: datetime) -> ResponseReturnValue:
    """The same choice with free places as they are now, after somebody was quicker."""
    choice = read_choice(listing, request.form, now, is_exact=True)
    priced = _price(choice, now)
    if isinstance(error, CodeNotValid):
        choice.problem = ""
        add_error(choice.form["code"], message_for(error))
    else:
        choice.problem = message_for(error)
    return _show(choice, priced, now, error.status)


# --- waiting for places --------------------------------------------------------------------------


@bp.post(f"/{LANG}/c/<slug>/<experience>/wait")
@public
@limit_hold
def join_line(slug: str, experience: str) -> ResponseReturnValue:
    now = utc_now()
    listing = get_listing(db.session(), slug, experience)
    form = WaitForm()
    choice = read_choice(listing, request.form, now, is_exact=True, beside=form.data)
    is_right = form.validate()
    if form.once.errors:
        abort(400)
    _require_our_form()
    if choice.departure and choice.places and not choice.problem and not choice.lacks_room:
        choice.problem = _("There is room for your party: you can hold the places now.")
    if choice.problem or not is_right:
        return _show(choice, _price(choice, now), now, form=form)
    try:
        party_id, departure = _join(choice, form, now)
    except DetailsIncomplete:
        add_error(form.email, _("Please give an e-mail address or a telephone number."))
        return _show(choice, _price(choice, now), now, form=form)
    except (Invalid, Refused, DepartureUnknown) as error:
        choice.problem = message_for(error)
        return _show(choice, _price(choice, now), now, error.status, form)
    token = booking_links().sign_waiting(party_id, departure.ends_at)
    return redirect(url_for("guest.waiting", token=token), code=303)


def _join(choice: Choice, form: WaitForm, now: datetime) -> tuple[int, DepartureCard]:
    if choice.departure is None:
        raise DepartureUnknown
    name, email, phone = typed(form.name), typed(form.email), typed(form.phone)
    least = form.least.data or choice.places
    kind, words = f"wait {choice.option.code}", (name, email, phone, str(least))
    joining = Joining(
        departure_id=choice.departure.id,
        party=choice.party,
        least=least,
        language=language(),
        request_key=_key(choice, choice.departure, typed(form.once), kind, words),
        name=name,
        email=email,
        phone=phone,
    )
    return waitlist.join(joining, now), choice.departure


# --- showing it ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Priced:
    """What the party costs and where it goes; None where something is wrong with the party."""

    price: Quote | None
    flow: Flow | None
    policy: AdoptedPolicy | None
    discount: Discount | None


def _price(choice: Choice, now: datetime) -> Priced:
    """Price a choice. What is wrong becomes the choice's problem, or the error of its code."""
    community = choice.listing.community
    policy = find_policy_in_force(db.session(), community.id, village_day(now, community.zone))
    discount = _find_discount(choice)
    try:
        price = quote(choice.party, choice.price_list, choice.add_ons, discount)
        require_pays_costs(price)
        flow = _flow(choice, price, discount, policy) if policy else None
        return Priced(price, flow, policy, discount)
    except DiscountTooLarge as error:
        add_error(choice.form["code"], message_for(error))
    except CbtError as error:
        choice.problem = choice.problem or message_for(error)
    return Priced(None, None, policy, None)


def _find_discount(choice: Choice) -> Discount | None:
    """What the typed code takes off on the chosen day; a wrong one becomes the field's error."""
    if not choice.code or choice.on is None or choice.form["code"].errors:
        return None
    try:
        return find_discount(db.session(), choice.listing.community.id, choice.code, choice.on)
    except CodeNotValid as error:
        add_error(choice.form["code"], message_for(error))
        return None


def _flow(choice: Choice, price: Quote, discount: Discount | None, policy: AdoptedPolicy) -> Flow:
    methods = _open_methods(choice.listing)
    fee = 0
    if methods:
        provider = current_app.extensions["providers"][methods[0].provider]
        fee = provider.estimate_fee(price.price_satang)
    off = Off(price.discount_satang, discount.bearer if discount else None)
    return expected_flow(price.price_satang, fee, price.costs, policy.policy, off)


def _open_methods(listing: Listing) -> list[Method]:
    """The community's ways to be paid that this installation offers to guests."""
    offered = current_app.extensions["providers"]
    methods = list_methods(db.session(), listing.community.id)
    return [each for each in methods if each.provider in offered and each.is_for_guests]


def _show(
    choice: Choice, priced: Priced, now: datetime, status: int = 422, form: WaitForm | None = None
) -> ResponseReturnValue:
    """The page; with something wrong in it, it answers `status`."""
    session.setdefault("visitor", secrets.token_urlsafe(12))  # see `request_key`
    is_wrong = bool(choice.problem or choice.form["code"].errors or (form and form.errors))
    page = render_template(
        "public/experience.html",
        listing=choice.listing,
        community=choice.listing.community,
        price=priced.price,
        flow=priced.flow,
        policy=priced.policy,
        discount=priced.discount,
        bearer=bearer_words(priced.discount.bearer) if priced.discount else "",
        stages=_stages(choice, now),
        deposit_satang=_deposit(choice, priced.price),
        hold_form=HoldForm(),
        wait_form=form or (WaitForm(formdata=None) if choice.lacks_room else None),
        **calendar_of(choice, now),
    )
    return page, status if is_wrong else 200


def _stages(choice: Choice, now: datetime) -> list[Stage]:
    """What a cancellation of the chosen departure would give back, and until when."""
    if choice.departure is None:
        return []
    return dated(_terms(choice), choice.departure.begins_at, now)


def _deposit(choice: Choice, price: Quote | None) -> int | None:
    """The part of the price that books the places, where the terms do not ask for the whole."""
    if price is None or _terms(choice).deposit is None:
        return None
    return deposit_satang(_terms(choice), price.price_satang)


def _terms(choice: Choice) -> Terms:
    return parse(choice.option.terms) if choice.option.terms else DEFAULT
