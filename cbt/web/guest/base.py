"""What the pages of a booking share: the blueprint, what is shown everywhere, and the money."""

from datetime import datetime, timedelta
from typing import cast

from flask import Blueprint, current_app, g, render_template
from flask.typing import ResponseReturnValue

from cbt.bookings.queries import get_booking_with_community, get_price_parts
from cbt.bookings.records import PriceParts
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import CostsExceedIncome, DiscountTooLarge
from cbt.experiences.queries import get_option
from cbt.i18n import Localized
from cbt.payments import queries
from cbt.payments.provider import Provider
from cbt.payments.records import Method, Money
from cbt.revenue.posting import split_booking
from cbt.revenue.queries import get_paid_facts, get_policy
from cbt.web.access import the_booking, the_community
from cbt.web.errors import show_page
from cbt.web.expected import Off, expected_flow
from cbt.web.flow import Flow, draw
from cbt.web.forms import Form
from cbt.web.labels import bearer_words

bp = Blueprint("guest", __name__)

ENDED = (BookingState.CANCELLED, BookingState.DECLINED)
_SOON = timedelta(minutes=5)
"""So long before its end a hold's page warns."""


def common(token: str) -> dict[str, object]:
    """What every page of a booking shows."""
    shown, now = the_booking(), utc_now()
    return {
        "token": token,
        "booking": shown,
        "community": the_community(),
        "price": price_parts(),
        "titles": extra_titles(),
        "bearer": bearer_words(shown.discount_bearer) if shown.discount_bearer else "",
        "now": now,
        "is_soon": shown.held_until - now < _SOON,
        "action": Form(),
    }


def price_parts() -> PriceParts:
    """What the booking's price is made of, read once a request."""
    if "price_parts" not in g:
        g.price_parts = get_price_parts(db.session(), the_booking().id)
    return cast(PriceParts, g.price_parts)


def extra_titles() -> dict[str, Localized]:
    """The names of the booking's extras, by code; nothing is read where it has none."""
    if not price_parts().add_ons:
        return {}
    option = get_option(db.session(), the_booking().trip.option_id)
    return {each.code: each.title for each in option.add_ons}


def reload_booking() -> None:
    """Read the booking anew after this request, or another tab, has changed it."""
    g.booking, g.community = get_booking_with_community(db.session(), the_booking().reference)
    g.pop("price_parts", None)
    g.pop("money", None)


def refuse(text: str) -> ResponseReturnValue:
    """A page that says why this is not possible any more."""
    return show_page(409, text)


# --- money ---------------------------------------------------------------------------------------


def money() -> Money:
    """What was taken for the booking, read once a request."""
    if "money" not in g:
        g.money = queries.get_money(db.session(), the_booking().id)
    return cast(Money, g.money)


def due_satang() -> int:
    """What is still to pay."""
    return max(0, the_booking().price_satang - money().paid_satang)


def providers() -> dict[str, Provider]:
    found: dict[str, Provider] = current_app.extensions["providers"]
    return found


def deposit_due_satang() -> int:
    """What is still missing before the places are the guest's: less than what is due, or as much."""
    shown = the_booking()
    needed = shown.needed_satang - money().paid_satang
    is_held = shown.state == BookingState.HELD
    return needed if is_held and 0 < needed < due_satang() else due_satang()


def open_methods() -> list[Method]:
    """The community's ways to be paid that this installation offers this booking's guest now."""
    methods = queries.list_methods(db.session(), the_community().id)
    return [method for method in methods if method.is_for_guests and _takes(method.provider)]


def _takes(name: str) -> bool:
    """Whether a provider takes what is due, or its deposit: cash on arrival comes too late for one."""
    provider = providers().get(name)
    if provider is None or (provider.capabilities.on_arrival and asks_deposit()):
        return False
    return deposit_due_satang() >= provider.capabilities.least_satang


def asks_deposit() -> bool:
    """Whether the booking's terms want a deposit before it is confirmed."""
    return deposit_due_satang() < due_satang()


def first_of(methods: list[Method]) -> Provider | None:
    """The way to pay that stands first: its fee is the estimate while none is chosen."""
    return providers()[methods[0].provider] if methods else None


def flow_if_paid(provider: Provider | None, amount_satang: int) -> Flow | None:
    """Where the money will go if so much is paid this way, beside what is there already.

    The fee is the provider's estimate. None where it is too little to be split as agreed.
    """
    shown = the_booking()
    fee = provider.estimate_fee(amount_satang) if provider else 0
    policy = get_policy(db.session(), shown.policy_version_id).policy
    total = money().kept_satang + amount_satang
    off = Off(shown.discount_satang, shown.discount_bearer)
    try:
        return expected_flow(total, fee + _fees_so_far(), price_parts().costs, policy, off)
    except (CostsExceedIncome, DiscountTooLarge):
        return None


def _fees_so_far() -> int:
    if not money().captured_satang:
        return 0
    captures = queries.list_captures(db.session(), [the_booking().id])
    return sum(each.fee_satang or 0 for each in captures if each.buys)


def flow_of_paid() -> Flow | None:
    """Where the money goes, from what was paid and the fee as the provider reported it.

    None while less is there than the trip costs outside.
    """
    own = get_paid_facts(db.session(), the_booking(), money(), price_parts().costs)
    try:
        return draw(split_booking(own))
    except (CostsExceedIncome, DiscountTooLarge):
        return None


def has_begun(now: datetime) -> bool:
    return the_booking().trip.begins_at <= now


def is_over() -> bool:
    """Whether the time to pay has passed: a code that is still open must not be paid any more."""
    shown = the_booking()
    has_lapsed = shown.state == BookingState.LAPSED or shown.held_until <= utc_now()
    return has_lapsed and not shown.is_paid


def show_lapsed(token: str) -> str:
    """That the hold is over, and what became of money that arrived all the same."""
    shown = the_booking()
    return render_template(
        "guest/lapsed.html",
        captures=queries.list_captures(db.session(), [shown.id]),
        refunds=queries.list_refunds(db.session(), shown.id),
        credits=queries.list_credits_of(db.session(), shown.id),
        money_taken=money(),
        **common(token),
    )
