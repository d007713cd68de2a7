"""A booking in its guest's hands: details, payment, voucher, receipt. Opened by a signed link."""

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import arrivals, calendar_file, hold
from cbt.bookings.hold import Details
from cbt.bookings.queries import get_booking_with_community
from cbt.bookings.states import WAITING, BookingState
from cbt.bookings.vouchers import Voucher
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import DetailsIncomplete, ExtensionUsed, HoldLapsed, NotFound
from cbt.i18n import _
from cbt.payments import queries
from cbt.payments.provider import AttemptState
from cbt.payments.records import CASH
from cbt.people.roles import Role, is_allowed
from cbt.revenue.follow_up import FollowUp
from cbt.revenue.follow_ups import find_follow_up
from cbt.revenue.receipts import list_receipts, one_of
from cbt.web import qr
from cbt.web.access import by_link, public, reader, the_booking, the_community, vouchers
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.guest import cancel, change, paying, waiting
from cbt.web.guest.base import (
    ENDED,
    bp,
    common,
    due_satang,
    first_of,
    flow_if_paid,
    flow_of_paid,
    has_begun,
    is_over,
    money,
    open_methods,
    refuse,
    reload_booking,
    show_lapsed,
)
from cbt.web.guest.forms import DetailsForm, DisputeForm
from cbt.web.layout import LANG, public_address
from cbt.web.pdf import send_receipt
from cbt.web.receipts import build_sheet

__all__ = [
    "bp",
    "cancel",
    "change",
    "paying",
    "waiting",
]  # the modules' routes hang in the same blueprint

# --- the booking's page --------------------------------------------------------------------------


@bp.get(f"/{LANG}/b/<token>")
@by_link
def booking(token: str) -> ResponseReturnValue:
    shown = the_booking()
    if shown.is_paid:
        return _show_paid(token)
    if shown.state == BookingState.CHOOSING:
        return cancel.show_quote(token)
    if shown.state in ENDED:
        return cancel.show_ended(token)
    if is_over():
        return show_lapsed(token)
    is_held = shown.state == BookingState.HELD
    if is_held and shown.guest.name and "change" not in request.args:
        return redirect(_where_to_pay(token), code=303)
    return _show_details(token, _filled_form())


def _where_to_pay(token: str) -> str:
    """The promise of cash that keeps the places, or the choice of ways to pay."""
    attempts = queries.list_attempts(db.session(), the_booking().id)
    for each in attempts:
        if each.provider == CASH and each.state == AttemptState.REPORTED:
            return url_for("guest.attempt", token=token, number=each.number)
    return url_for("guest.choose_method", token=token)


def _show_paid(token: str) -> ResponseReturnValue:
    """The voucher, or names and needs to change while the trip lies ahead."""
    if "change" not in request.args:
        return _show_voucher(token, DisputeForm(formdata=None))
    if has_begun(utc_now()):
        return _refuse_begun()
    return _show_details(token, _filled_form())


def _refuse_begun() -> ResponseReturnValue:
    return refuse(_("The trip has begun, so names and needs can no longer be changed here."))


def _filled_form() -> DetailsForm:
    guest = the_booking().guest
    return DetailsForm(
        name=guest.name,
        email=guest.email,
        phone=guest.phone,
        food_needs=guest.food_needs,
        access_needs=guest.access_needs,
        consent=bool(guest.food_needs or guest.access_needs),
        follow_up=guest.follow_up_agreed_at is not None,
    )


def _show_details(token: str, form: DetailsForm, problem: str = "") -> str:
    """Who comes: of places that are held or asked for, or of a trip that is paid."""
    return render_template(
        "guest/details.html",
        form=form,
        problem=problem,
        flow=flow_if_paid(first_of(open_methods()), due_satang()),
        **common(token),
    )


@bp.post(f"/{LANG}/b/<token>")
@by_link
def save_details(token: str) -> ResponseReturnValue:
    if the_booking().is_paid and has_begun(utc_now()):
        return _refuse_begun()
    form = DetailsForm()
    if form.validate():
        try:
            hold.save_details(the_booking().reference, _details(form), utc_now())
        except DetailsIncomplete as error:
            _mark_missing(form, error)
        else:
            return redirect(_after_details(token), code=303)
    return _show_details(token, form), 422


def _after_details(token: str) -> str:
    is_held = the_booking().state == BookingState.HELD
    return url_for("guest.choose_method" if is_held else "guest.booking", token=token)


def _details(form: DetailsForm) -> Details:
    return Details(
        name=typed(form.name),
        email=typed(form.email),
        phone=typed(form.phone),
        food_needs=typed(form.food_needs),
        access_needs=typed(form.access_needs),
        consent=form.consent.data,
        follow_up=form.follow_up.data,
    )


@bp.post(f"/{LANG}/b/<token>/extend")
@by_link
def extend(token: str) -> ResponseReturnValue:
    """More time, once. The button may send the details along, so that nothing typed is lost."""
    problem = ""
    try:
        hold.extend_once(the_booking().reference, utc_now())
    except ExtensionUsed as error:
        problem = message_for(error)
    if not problem and "name" not in request.form:
        return redirect(url_for("guest.booking", token=token), code=303)
    reload_booking()
    form = DetailsForm() if "name" in request.form else _filled_form()
    return _show_details(token, form, problem), 409 if problem else 200


def _mark_missing(form: DetailsForm, error: DetailsIncomplete) -> None:
    missing = error.facts["missing"]
    assert isinstance(missing, tuple)
    if "contact" in missing:
        add_error(form.email, _("Please give an e-mail address or a telephone number."))
    if "consent" in missing:
        add_error(
            form.consent, _("Please allow the hosts to read these needs, or leave them empty.")
        )


# --- after paying --------------------------------------------------------------------------------


def _show_voucher(token: str, dispute: DisputeForm) -> str:
    shown = the_booking()
    trip = shown.trip
    code = vouchers().sign(Voucher(shown.reference, trip.id, trip.starts_on, shown.places))
    address = public_address("guest.voucher", code=code)
    captures = queries.list_captures(db.session(), [shown.id])
    back = money().returning_satang + money().given_later_satang
    has_refunds = back > 0 or not all(each.buys for each in captures)
    is_ahead = not has_begun(utc_now())
    is_settled = shown.state == BookingState.SETTLED
    return render_template(
        "guest/voucher.html",
        qr=qr.draw(address),
        captures=captures,
        refunds=queries.list_refunds(db.session(), shown.id) if has_refunds else [],
        credits=queries.list_credits_of(db.session(), shown.id) if money().credited_satang else [],
        due=due_satang() if shown.state == BookingState.CONFIRMED else 0,
        is_ahead=is_ahead,
        no_show=None if is_ahead else arrivals.find_no_show(db.session(), shown.id),
        dispute=dispute,
        flow=flow_of_paid(),
        gave=_follow_up() if is_settled else None,
        **common(token),
    )


def _follow_up() -> FollowUp | None:
    """What the visit gave to the funds, and what one of them was used for since."""
    shown = the_booking()
    return find_follow_up(db.session(), the_community(), shown.reference, shown.trip.starts_on)


@bp.post(f"/{LANG}/b/<token>/no-show")
@by_link
def dispute_no_show(token: str) -> ResponseReturnValue:
    form = DisputeForm()
    if not form.validate():
        return _show_voucher(token, form), 422
    arrivals.dispute_no_show(the_booking().reference, typed(form.words), utc_now())
    return redirect(url_for("guest.booking", token=token), code=303)


@bp.get(f"/{LANG}/b/<token>/receipt")
@by_link
def receipt(token: str) -> ResponseReturnValue:
    """A receipt for every payment, whatever became of the booking: the money was received."""
    receipts = list_receipts(db.session(), the_booking().reference)
    if not receipts:
        raise NotFound(thing="receipt")
    return render_template(
        "guest/receipt.html",
        token=token,
        reference=the_booking().reference,
        sheets=[build_sheet(each) for each in receipts],
    )


@bp.get(f"/{LANG}/b/<token>/receipt/<int:number>.pdf")
@by_link
def receipt_file(token: str, number: int) -> ResponseReturnValue:
    facts = one_of(list_receipts(db.session(), the_booking().reference), number)
    return send_receipt(facts)


@bp.get(f"/{LANG}/b/<token>/trip.ics")
@by_link
def trip_file(token: str) -> ResponseReturnValue:
    """The trip for a calendar; after a cancellation or a call-off, what takes it out again."""
    shown = the_booking()
    if shown.confirmed_at is None:
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
    shown_voucher = vouchers().read(code)
    shown, community = get_booking_with_community(db.session(), shown_voucher.reference)
    person = reader()
    is_host = person is not None and is_allowed(
        person, (Role.COORDINATOR, Role.TREASURER), community.id
    )
    return render_template(
        "guest/check.html",
        booking=shown,
        voucher=shown_voucher,
        community=community,
        is_host=is_host,
    )


def lapsed_hold(_error: HoldLapsed) -> ResponseReturnValue:
    """A hold that ended while the guest typed or paid: say so, and offer the same choice again.

    A booking that was confirmed or ended meanwhile, as in another tab, shows its own page instead.
    """
    token = (request.view_args or {}).get("token", "")
    reload_booking()
    shown = the_booking()
    is_overdue = shown.state in WAITING and shown.held_until <= utc_now()
    if shown.state != BookingState.LAPSED and not is_overdue:
        return redirect(url_for("guest.booking", token=token), code=303)
    return show_lapsed(token), 409


bp.register_error_handler(HoldLapsed, lapsed_hold)
