"""A booking in its guest's hands: details, payment, voucher, receipt. Opened by a signed link."""

from typing import cast

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import calendar_file, hold
from cbt.bookings.hold import Details
from cbt.bookings.queries import get_booking_with_community, get_price_parts
from cbt.bookings.records import PriceParts
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import DetailsIncomplete, HoldLapsed, NotFound
from cbt.i18n import _
from cbt.payments import pay, queries, take_in
from cbt.payments.provider import AttemptState, Provider
from cbt.payments.providers.demo import Act, act
from cbt.payments.records import Method
from cbt.people.roles import Role, is_allowed
from cbt.revenue.posting import BookingFacts, split_booking
from cbt.revenue.queries import get_policy, list_booking_facts
from cbt.revenue.split import Cost
from cbt.web import qr
from cbt.web.access import booking_links, by_link, public, reader, the_booking, the_community
from cbt.web.flow import Flow, draw
from cbt.web.forms import Form, add_error, typed
from cbt.web.guest.forms import DetailsForm, MethodForm, ReportForm
from cbt.web.layout import LANG, public_address

bp = Blueprint("guest", __name__)


# --- the booking's page --------------------------------------------------------------------------


@bp.get(f"/{LANG}/b/<token>")
@by_link
def booking(token: str) -> ResponseReturnValue:
    shown = the_booking()
    if shown.is_paid:
        return _show_voucher(token)
    if _is_over():
        return _show_lapsed(token)
    if shown.guest.name and "change" not in request.args:
        return redirect(url_for("guest.choose_method", token=token), code=303)
    return _show_details(token, _filled_form())


def _filled_form() -> DetailsForm:
    guest = the_booking().guest
    return DetailsForm(
        name=guest.name,
        email=guest.email,
        phone=guest.phone,
        food_needs=guest.food_needs,
        access_needs=guest.access_needs,
        consent=bool(guest.food_needs or guest.access_needs),
    )


def _show_details(token: str, form: DetailsForm) -> str:
    return render_template(
        "guest/details.html",
        form=form,
        flow=_expected_flow(_first_of(_open_methods()), None),
        **_common(token),
    )


@bp.post(f"/{LANG}/b/<token>")
@by_link
def save_details(token: str) -> ResponseReturnValue:
    form = DetailsForm()
    if form.validate():
        details = Details(
            name=typed(form.name),
            email=typed(form.email),
            phone=typed(form.phone),
            food_needs=typed(form.food_needs),
            access_needs=typed(form.access_needs),
            consent=form.consent.data,
        )
        try:
            hold.save_details(the_booking().reference, details, utc_now())
        except DetailsIncomplete as error:
            _mark_missing(form, error)
        else:
            return redirect(url_for("guest.choose_method", token=token), code=303)
    return _show_details(token, form), 422


def _mark_missing(form: DetailsForm, error: DetailsIncomplete) -> None:
    missing = error.facts["missing"]
    assert isinstance(missing, tuple)
    if "contact" in missing:
        add_error(form.email, _("Please give an e-mail address or a telephone number."))
    if "consent" in missing:
        add_error(
            form.consent, _("Please allow the hosts to read these needs, or leave them empty.")
        )


# --- paying --------------------------------------------------------------------------------------


@bp.get(f"/{LANG}/b/<token>/pay")
@by_link
def choose_method(token: str) -> ResponseReturnValue:
    if not _is_payable():
        return redirect(url_for("guest.booking", token=token), code=303)
    return _show_methods(token, MethodForm())


@bp.post(f"/{LANG}/b/<token>/pay")
@by_link
def start_payment(token: str) -> ResponseReturnValue:
    form = MethodForm()
    if not form.validate():
        return _show_methods(token, form), 422
    number = pay.start_attempt(the_booking().reference, form.method.data, _providers(), utc_now())
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)


def _show_methods(token: str, form: MethodForm) -> str:
    open_ = _open_methods()
    price = the_booking().price_satang
    fees = {each.provider: _providers()[each.provider].estimate_fee(price) for each in open_}
    if not form.method.data and open_:
        form.method.data = open_[0].provider
    return render_template(
        "guest/pay.html",
        form=form,
        methods=open_,
        fees=fees,
        attempts=queries.list_attempts(db.session(), the_booking().id),
        flow=_expected_flow(_first_of(open_), None),
        **_common(token),
    )


@bp.get(f"/{LANG}/b/<token>/pay/<int:number>")
@by_link
def attempt(token: str, number: int) -> ResponseReturnValue:
    """One try to pay. Opening the page asks the provider anew: it is also the return page."""
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    take_in.take_in(shown.id, _providers(), utc_now())
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    if shown.state == AttemptState.PAID:
        return redirect(url_for("guest.booking", token=token), code=303)
    if _is_over() and shown.state != AttemptState.REPORTED:
        return _show_lapsed(token)
    provider = _providers()[shown.provider]
    return render_template(
        "guest/attempt_demo.html"
        if provider.capabilities.is_pretended
        else "guest/attempt_qr.html",
        attempt=shown,
        qr=qr.draw(shown.qr_payload) if shown.qr_payload else "",
        acts=list(Act),
        form=ReportForm(),
        is_over=_is_over(),
        flow=_expected_flow(provider, shown.amount_satang),
        **_common(token),
    )


@bp.post(f"/{LANG}/b/<token>/pay/<int:number>/report")
@by_link
def report_transfer(token: str, number: int) -> ResponseReturnValue:
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    pay.report_transfer(shown.id, utc_now())
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)


@bp.post(f"/{LANG}/b/<token>/pay/<int:number>/act")
@by_link
def act_as_bank(token: str, number: int) -> ResponseReturnValue:
    """The pretended bank's buttons; other providers have none."""
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    wanted = request.form.get("act", "")
    pretended = _providers()[shown.provider].capabilities.is_pretended
    if not pretended or wanted not in set(Act) or shown.provider_ref is None:
        raise NotFound(thing="act")
    now = utc_now()
    act(shown.provider_ref, Act(wanted), shown.amount_satang, the_booking().held_until, now)
    take_in.take_in(shown.id, _providers(), now)
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)


def _is_over() -> bool:
    """Whether the time to pay has passed: a code that is still open must not be paid any more."""
    shown = the_booking()
    has_lapsed = shown.state == BookingState.LAPSED or shown.held_until <= utc_now()
    return has_lapsed and not shown.is_paid


def _is_payable() -> bool:
    shown = the_booking()
    is_held = shown.state == BookingState.HELD and shown.held_until > utc_now()
    return is_held and bool(shown.guest.name)


# --- after paying --------------------------------------------------------------------------------


def _show_voucher(token: str) -> str:
    shown = the_booking()
    code = booking_links().sign_voucher(shown.reference)
    address = public_address("guest.voucher", code=code)
    return render_template(
        "guest/voucher.html",
        qr=qr.draw(address),
        captures=queries.list_captures(db.session(), [shown.id]),
        refunds=queries.list_refunds(db.session(), shown.id),
        flow=_paid_flow(),
        **_common(token),
    )


@bp.get(f"/{LANG}/b/<token>/receipt")
@by_link
def receipt(token: str) -> ResponseReturnValue:
    shown = the_booking()
    captures = queries.list_captures(db.session(), [shown.id])
    bought = next((each for each in captures if each.buys), None)
    if bought is None:
        raise NotFound(thing="receipt")
    return render_template(
        "guest/receipt.html",
        capture=bought,
        flow=_paid_flow(),
        policy=get_policy(db.session(), shown.policy_version_id),
        **_common(token),
    )


@bp.get(f"/{LANG}/b/<token>/trip.ics")
@by_link
def trip_file(token: str) -> ResponseReturnValue:
    shown = the_booking()
    if not shown.is_paid:
        raise NotFound(thing="voucher")
    address = public_address("guest.booking", token=token)
    answer = Response(
        calendar_file.write(shown, the_community(), address), mimetype="text/calendar"
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="{shown.reference}.ics"'
    return answer


@bp.get(f"/{LANG}/v/<code>")
@public
def voucher(code: str) -> ResponseReturnValue:
    """What the voucher's QR opens: whether it is good, and nothing private."""
    reference = booking_links().read_voucher(code)
    shown, community = get_booking_with_community(db.session(), reference)
    person = reader()
    is_host = person is not None and is_allowed(
        person, (Role.COORDINATOR, Role.TREASURER), community.id
    )
    return render_template("guest/check.html", booking=shown, community=community, is_host=is_host)


def _show_lapsed(token: str) -> str:
    """That the hold is over, and what became of money that arrived all the same."""
    shown = the_booking()
    return render_template(
        "guest/lapsed.html",
        captures=queries.list_captures(db.session(), [shown.id]),
        refunds=queries.list_refunds(db.session(), shown.id),
        **_common(token),
    )


# --- shared --------------------------------------------------------------------------------------


def _providers() -> dict[str, Provider]:
    providers: dict[str, Provider] = current_app.extensions["providers"]
    return providers


def _open_methods() -> list[Method]:
    """The community's ways to be paid that this installation offers."""
    methods = queries.list_methods(db.session(), the_community().id)
    return [method for method in methods if method.provider in _providers()]


def _first_of(methods: list[Method]) -> Provider | None:
    """The way to pay that stands first: its fee is the estimate while none is chosen."""
    return _providers()[methods[0].provider] if methods else None


def _common(token: str) -> dict[str, object]:
    """What every page of a booking shows."""
    shown = the_booking()
    return {
        "token": token,
        "booking": shown,
        "community": the_community(),
        "price": _price_parts(),
        "now": utc_now(),
        "action": Form(),
    }


def _price_parts() -> PriceParts:
    """What the booking's price is made of, read once a request."""
    if "price_parts" not in g:
        g.price_parts = get_price_parts(db.session(), the_booking().id)
    return cast(PriceParts, g.price_parts)


def _expected_flow(provider: Provider | None, amount_satang: int | None) -> Flow:
    """Where the money will go if it is paid this way; the fee is the provider's estimate."""
    shown = the_booking()
    amount = amount_satang or shown.price_satang
    facts = BookingFacts(
        reference=shown.reference,
        service_on=shown.trip.starts_on,
        captured_satang=amount,
        payment_fee_satang=provider.estimate_fee(amount) if provider else 0,
        costs=tuple(Cost(cost.code, cost.amount_satang) for cost in _price_parts().costs),
        policy=get_policy(db.session(), shown.policy_version_id).policy,
    )
    return draw(split_booking(facts))


def _paid_flow() -> Flow:
    """Where the money goes, from what was paid and the fee as the provider reported it."""
    shown = the_booking()
    facts = list_booking_facts(db.session(), [shown.trip.id])[shown.trip.id]
    own = next(each for each in facts if each.reference == shown.reference)
    return draw(split_booking(own))


def lapsed_hold(_error: HoldLapsed) -> ResponseReturnValue:
    """A hold that ended while the guest typed or paid: say so, and offer the same choice again."""
    token = (request.view_args or {}).get("token", "")
    return _show_lapsed(token), 409


bp.register_error_handler(HoldLapsed, lapsed_hold)
