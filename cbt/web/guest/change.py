"""Changing a booking: another day or round, another party, other extras; quoted, agreed to, done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from cbt.bookings.change import CHANGEABLE, Wanted
from cbt.bookings.queries import get_departure
from cbt.bookings.states import BookingState
from cbt.bookings.terms import quote_refund
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    BookingChanged,
    DepartureFull,
    DepartureUnknown,
    Invalid,
    PreviewOutdated,
    Refused,
)
from cbt.experiences.pricing import Discount, Quote, Unit, quote
from cbt.experiences.queries import get_listing, list_promo_codes
from cbt.experiences.records import Listing
from cbt.i18n import _
from cbt.payments import change as changing
from cbt.payments.call_off import CHOOSE_WITHIN
from cbt.payments.change import ChangeQuote
from cbt.revenue.queries import get_policy
from cbt.web.access import booking_links, by_link, the_booking, the_community
from cbt.web.choice import EXTRA, Choice, calendar_of, read_choice
from cbt.web.errors import message_for
from cbt.web.expected import Off, expected_flow
from cbt.web.guest.base import (
    bp,
    common,
    first_of,
    open_methods,
    price_parts,
    refuse,
    reload_booking,
)
from cbt.web.guest.cancel import problem_words
from cbt.web.guest.forms import AgreedChangeForm, numbers
from cbt.web.layout import LANG


@bp.get(f"/{LANG}/b/<token>/change")
@by_link
def change(token: str) -> ResponseReturnValue:
    """A calendar and a party to choose, as the booking stands or as the address says."""
    if the_booking().state not in CHANGEABLE:
        return redirect(url_for("guest.booking", token=token), code=303)
    now = utc_now()
    if _is_too_late(now):
        return _refuse_late()
    listing = _listing()
    choice = _read(listing, request.args or _as_booked(listing), now)
    return _show_choice(token, choice, now, 422)


@bp.get(f"/{LANG}/b/<token>/change/quote")
@by_link
def quote_change(token: str) -> ResponseReturnValue:
    """What the chosen change costs. Nothing is written yet."""
    if the_booking().state not in CHANGEABLE:
        return redirect(url_for("guest.booking", token=token), code=303)
    now = utc_now()
    if _is_too_late(now):
        return _refuse_late()
    choice = _read(_listing(), request.args, now, is_exact=True)
    if not choice.problem and _is_as_booked(choice):
        choice.problem = _("This is your booking as it stands. Choose what shall be different.")
    try:
        _require_whole(choice)
        return _show_quote(token, choice, now)
    except (Invalid, Refused, DepartureUnknown) as error:
        choice.problem = choice.problem or message_for(error)
        return _show_choice(token, choice, now, error.status)


@bp.post(f"/{LANG}/b/<token>/change")
@by_link
def make_change(token: str) -> ResponseReturnValue:
    now = utc_now()
    form = AgreedChangeForm()
    choice = _read(_listing(), request.form, now, is_exact=True)
    try:
        _require_whole(choice)
        _price(choice)
        _change(choice, form, now)
    except (BookingChanged, PreviewOutdated) as error:
        reload_booking()
        return _show_quote(token, choice, now, error), 409
    except (Invalid, Refused, DepartureUnknown) as error:
        if the_booking().state not in CHANGEABLE or _is_too_late(now):
            raise
        fresh = _read(_listing(), request.form, now, is_exact=True)
        fresh.problem = choice.problem or message_for(error)
        return _show_choice(token, fresh, now, error.status)
    reload_booking()
    fresh_token = booking_links().sign(the_booking().reference, the_booking().trip.ends_at)
    return redirect(url_for("guest.booking", token=fresh_token), code=303)


def _change(choice: Choice, form: AgreedChangeForm, now: datetime) -> None:
    if not form.validate():
        raise PreviewOutdated
    agreed = ChangeQuote(**numbers(form))
    changing.change(the_booking().reference, _wanted(choice), agreed, now)


# --- what may be chosen --------------------------------------------------------------------------


def _is_too_late(now: datetime) -> bool:
    """Whether the hosts prepare the booked departure already, and it was not called off."""
    shown = the_booking()
    if shown.state == BookingState.CHOOSING:
        return False
    return get_departure(db.session(), shown.trip.id).closes_at <= now


def _refuse_late() -> ResponseReturnValue:
    return refuse(
        _("It is too late to change this booking here, since the hosts prepare for it already.")
    )


def _listing() -> Listing:
    return get_listing(db.session(), the_community().slug, the_booking().trip.experience_slug)


def _as_booked(listing: Listing) -> MultiDict[str, str]:
    """The booking as it stands, in the words of an address."""
    trip, parts = the_booking().trip, price_parts()
    option = next(each for each in listing.options if each.id == trip.option_id)
    given = MultiDict({"on": trip.starts_on.isoformat(), "option": option.code})
    given.update({price.unit.value: "0" for price in option.prices})
    for line in parts.lines:
        if line.unit != Unit.GROUP or line.places:  # a hired boat follows from the party
            given[line.unit.value] = str(line.quantity)
    per_guest = {each.code for each in option.add_ons if each.per_guest}
    for extra in parts.add_ons:
        given[EXTRA + extra.code] = "1" if extra.code in per_guest else str(extra.quantity)
    return given


def _is_as_booked(choice: Choice) -> bool:
    booked = _as_booked(choice.listing)
    extras = {EXTRA + code: count for code, count in choice.add_ons.items()}
    return (
        choice.departure is not None
        and choice.departure.id == the_booking().trip.id
        and all(str(n) == booked.get(name, "0") for name, n in (choice.party | extras).items())
    )


def _read(
    listing: Listing, given: Mapping[str, Any], now: datetime, *, is_exact: bool = False
) -> Choice:
    shown = the_booking()
    own = {shown.trip.id: shown.places} if shown.state == BookingState.CONFIRMED else {}
    beside = AgreedChangeForm(formdata=None).data
    return read_choice(listing, given, now, is_exact=is_exact, own=own, beside=beside)


def _require_whole(choice: Choice) -> None:
    """Raise unless a departure with room and another wish than the booked one is chosen."""
    if choice.problem:
        raise Invalid
    if choice.departure is None:
        raise DepartureUnknown
    if choice.lacks_room:
        raise DepartureFull(left=choice.departure.free, wanted=choice.places)


def _wanted(choice: Choice) -> Wanted:
    assert choice.departure is not None
    return Wanted(departure_id=choice.departure.id, party=choice.party, add_ons=choice.add_ons)


# --- the price -----------------------------------------------------------------------------------


def _price(choice: Choice) -> tuple[Quote, Discount | None]:
    """The new price in its lines. Raises what `quote` raises, or DiscountTooLarge."""
    discount = _own_discount()
    price = quote(choice.party, choice.price_list, choice.add_ons, discount)
    policy = get_policy(db.session(), the_booking().policy_version_id).policy
    provider = first_of(open_methods())
    fee = provider.estimate_fee(price.price_satang) if provider else 0
    off = Off(price.discount_satang, discount.bearer if discount else None)
    expected_flow(price.price_satang, fee, price.costs, policy, off)
    return price, discount


def _own_discount() -> Discount | None:
    """The discount that the party keeps."""
    promo_id = the_booking().promo_code_id
    if promo_id is None:
        return None
    promos = {each.id: each for each in list_promo_codes(db.session(), the_community().id)}
    promo = promos[promo_id]
    return Discount(promo.code, promo.bp, promo.amount_satang, promo.bearer)


def _until(now: datetime) -> datetime:
    """How long the quote holds: its share of the terms, and the time to change at all."""
    shown = the_booking()
    if shown.state == BookingState.CHOOSING and shown.ended_at:
        return shown.ended_at + CHOOSE_WITHIN
    closes_at = get_departure(db.session(), shown.trip.id).closes_at
    terms_until = quote_refund(shown.cancellation_terms, 0, shown.counts_from, now).until
    return min(closes_at, terms_until) if terms_until else closes_at


# --- showing it ----------------------------------------------------------------------------------


def _show_choice(token: str, choice: Choice, now: datetime, status: int) -> ResponseReturnValue:
    """The calendar and the party; with a problem it answers `status`."""
    page = render_template(
        "guest/change.html",
        listing=choice.listing,
        **common(token),
        **calendar_of(choice, now),
    )
    return page, status if choice.problem else 200


def _show_quote(token: str, choice: Choice, now: datetime, problem: Refused | None = None) -> str:
    price, discount = _price(choice)
    quoted = changing.quote_change(the_booking().reference, _wanted(choice), now)
    return render_template(
        "guest/change_quote.html",
        choice=choice,
        quote=quoted,
        new=price,
        discount=discount,
        form=AgreedChangeForm(formdata=None, data=vars(quoted)),
        until=_until(now),
        problem=problem_words(problem) if problem else "",
        **common(token),
    )
