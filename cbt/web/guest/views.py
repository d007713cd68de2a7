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
from cbt.errors import (
    CreditSpent,
    DetailsIncomplete,
    ExtensionUsed,
    HoldLapsed,
    NotFound,
    PromiseOpen,
)
from cbt.i18n import _
from cbt.payments import pay, queries, take_in
from cbt.payments.credits import use_credit
from cbt.payments.provider import AttemptState, Provider
from cbt.payments.providers.demo import Act, act
from cbt.payments.records import CASH, AttemptCard
from cbt.payments.take_in import MOST_EXTRA_SATANG
from cbt.people.roles import Role, is_allowed
from cbt.revenue.queries import get_policy
from cbt.web import qr
from cbt.web.access import by_link, public, reader, the_booking, the_community, vouchers
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.guest import cancel, change, waiting
from cbt.web.guest.base import (
    bp,
    common,
    due_satang,
    first_of,
    flow_if_paid,
    flow_of_paid,
    has_begun,
    money,
    open_methods,
    providers,
    refuse,
    reload_booking,
)
from cbt.web.guest.forms import CreditForm, DetailsForm, DisputeForm, MethodForm, ReportForm
from cbt.web.layout import LANG, public_address
from cbt.web.limits import limit_credit

__all__ = ["bp", "cancel", "change", "waiting"]  # the modules' routes hang in the same blueprint

_ENDED = (BookingState.CANCELLED, BookingState.DECLINED)


# --- the booking's page --------------------------------------------------------------------------


@bp.get(f"/{LANG}/b/<token>")
@by_link
def booking(token: str) -> ResponseReturnValue:
    shown = the_booking()
    if shown.is_paid:
        return _show_paid(token)
    if shown.state == BookingState.CHOOSING:
        return cancel.show_quote(token)
    if shown.state in _ENDED:
        return cancel.show_ended(token)
    if _is_over():
        return _show_lapsed(token)
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
    try:
        number = pay.start_attempt(
            the_booking().reference, form.method.data, providers(), utc_now()
        )
    except PromiseOpen as error:
        add_error(form.method, message_for(error))
        return _show_methods(token, form), error.status
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)


@bp.post(f"/{LANG}/b/<token>/credit")
@by_link
@limit_credit
def spend_credit(token: str) -> ResponseReturnValue:
    form = CreditForm()
    if form.validate():
        try:
            use_credit(the_booking().reference, typed(form.code), utc_now())
        except CreditSpent as error:
            add_error(form.code, message_for(error))
            return _show_methods(token, MethodForm(formdata=None), form), 409
        return redirect(url_for("guest.choose_method", token=token), code=303)
    return _show_methods(token, MethodForm(formdata=None), form), 422


def _show_methods(token: str, form: MethodForm, credit: CreditForm | None = None) -> str:
    open_, due = open_methods(), due_satang()
    if not form.method.data and open_:
        form.method.data = open_[0].provider
    return render_template(
        "guest/pay.html",
        form=form,
        credit=credit or CreditForm(formdata=None),
        methods=open_,
        fees={each.provider: providers()[each.provider].estimate_fee(due) for each in open_},
        due=due,
        money_there=money().paid_satang,
        attempts=queries.list_attempts(db.session(), the_booking().id),
        flow=flow_if_paid(first_of(open_), due),
        **common(token),
    )


@bp.get(f"/{LANG}/b/<token>/pay/<int:number>")
@by_link
def attempt(token: str, number: int) -> ResponseReturnValue:
    """One try to pay. Opening the page asks the provider anew: it is also the return page."""
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    take_in.take_in(shown.id, providers(), utc_now())
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    if shown.state == AttemptState.PAID:
        return redirect(url_for("guest.booking", token=token), code=303)
    if the_booking().state in _ENDED or _asks_for_another_amount(shown):
        return redirect(url_for("guest.booking", token=token), code=303)
    if shown.provider == CASH and not due_satang():  # it was paid in another way
        return redirect(url_for("guest.booking", token=token), code=303)
    if _is_over() and (shown.state != AttemptState.REPORTED or shown.provider == CASH):
        return _show_lapsed(token)
    provider = providers()[shown.provider]
    return render_template(
        _page_of(provider),
        attempt=shown,
        qr=qr.draw(shown.qr_payload) if shown.qr_payload else "",
        acts=list(Act),
        form=ReportForm(),
        is_over=_is_over(),
        extra_satang=max(0, shown.amount_satang - due_satang()),
        flow=flow_if_paid(provider, shown.amount_satang),
        **common(token),
    )


def _page_of(provider: Provider) -> str:
    """The page on which a guest goes on with an attempt."""
    if provider.capabilities.on_arrival:
        return "guest/attempt_cash.html"
    return (
        "guest/attempt_demo.html" if provider.capabilities.is_pretended else "guest/attempt_qr.html"
    )


def _asks_for_another_amount(attempt_: AttemptCard) -> bool:
    """Whether an open code asks for what was due before the booking was changed."""
    extra = attempt_.amount_satang - due_satang()
    return attempt_.state == AttemptState.PENDING and not 0 <= extra <= MOST_EXTRA_SATANG


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
    pretended = providers()[shown.provider].capabilities.is_pretended
    if not pretended or wanted not in set(Act) or shown.provider_ref is None:
        raise NotFound(thing="act")
    now = utc_now()
    act(shown.provider_ref, Act(wanted), shown.amount_satang, the_booking().held_until, now)
    take_in.take_in(shown.id, providers(), now)
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)


def _is_over() -> bool:
    """Whether the time to pay has passed: a code that is still open must not be paid any more."""
    shown = the_booking()
    has_lapsed = shown.state == BookingState.LAPSED or shown.held_until <= utc_now()
    return has_lapsed and not shown.is_paid


def _is_payable() -> bool:
    """A living hold, or a confirmed booking whose price rose since."""
    shown = the_booking()
    is_held = shown.state == BookingState.HELD and shown.held_until > utc_now()
    is_owing = shown.state == BookingState.CONFIRMED and due_satang() > 0
    return bool(shown.guest.name) and (is_held or is_owing)


# --- after paying --------------------------------------------------------------------------------


def _show_voucher(token: str, dispute: DisputeForm) -> str:
    shown = the_booking()
    trip = shown.trip
    code = vouchers().sign(Voucher(shown.reference, trip.id, trip.starts_on, shown.places))
    address = public_address("guest.voucher", code=code)
    return render_template(
        "guest/voucher.html",
        qr=qr.draw(address),
        captures=queries.list_captures(db.session(), [shown.id]),
        refunds=queries.list_refunds(db.session(), shown.id),
        credits=queries.list_credits_of(db.session(), shown.id) if money().credited_satang else [],
        due=due_satang() if shown.state == BookingState.CONFIRMED else 0,
        is_ahead=not has_begun(utc_now()),
        no_show=arrivals.list_no_shows(db.session(), [shown.id]).get(shown.id),
        dispute=dispute,
        flow=flow_of_paid(),
        **common(token),
    )


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
    shown = the_booking()
    captures = queries.list_captures(db.session(), [shown.id])
    bought = [each for each in captures if each.buys]
    if not bought or not shown.is_paid:
        raise NotFound(thing="receipt")
    return render_template(
        "guest/receipt.html",
        captures=bought,
        credit_satang=money().from_credit_satang,
        flow=flow_of_paid(),
        policy=get_policy(db.session(), shown.policy_version_id),
        **common(token),
    )


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


def _show_lapsed(token: str) -> str:
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
    return _show_lapsed(token), 409


bp.register_error_handler(HoldLapsed, lapsed_hold)
