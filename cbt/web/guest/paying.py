"""Paying: the choice of a way, a try to pay until it has come to something, credits."""

from flask import Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.states import BookingState
from cbt.bookings.terms import balance_due_at, parse
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import CreditSpent, MethodClosed, NotFound, PromiseOpen, ProviderDown
from cbt.i18n import format_day, pick, use_language
from cbt.payments import pay, queries, take_in
from cbt.payments.credits import use_credit
from cbt.payments.pay import Errand
from cbt.payments.provider import AttemptState, PayMethod, Provider
from cbt.payments.providers.demo import PAYING, Act, act
from cbt.payments.records import AttemptCard, Method
from cbt.payments.take_in import MOST_EXTRA_SATANG
from cbt.web import qr
from cbt.web.access import by_link, the_booking
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.guest.base import (
    ENDED,
    bp,
    common,
    deposit_due_satang,
    due_satang,
    first_of,
    flow_if_paid,
    is_over,
    money,
    open_methods,
    providers,
    show_lapsed,
)
from cbt.web.guest.forms import CreditForm, MethodForm, ReportForm
from cbt.web.layout import LANG, public_address
from cbt.web.limits import limit_credit, limit_look

_WAITING = (AttemptState.PENDING, AttemptState.REPORTED)


# --- choosing ------------------------------------------------------------------------------------


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
            the_booking().reference,
            form.method.data,
            providers(),
            utc_now(),
            _errand(token),
            whole=form.part.data != "deposit",
        )
    except (MethodClosed, ProviderDown, PromiseOpen) as error:
        add_error(form.method, message_for(error))
        return _show_methods(token, form), error.status
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)


def _errand(token: str) -> Errand:
    """What is bought, in the booking's language, and where the provider sends the guest back."""
    shown = the_booking()
    with use_language(shown.language):
        title = f"{pick(shown.trip.experience_title)}, {format_day(shown.trip.starts_on)}"
    return Errand(title, public_address("guest.choose_method", token=token) + "/{number}")


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
    shown = the_booking()
    if not form.method.data and open_:
        form.method.data = open_[0].provider
    return render_template(
        "guest/pay.html",
        form=form,
        credit=credit or CreditForm(formdata=None),
        methods=open_,
        fees={each.provider: _estimates(each, due) for each in open_},
        due=due,
        deposit=deposit_due_satang(),
        balance_due_at=balance_due_at(parse(shown.terms), shown.trip.begins_at),
        money_there=money().paid_satang,
        attempts=queries.list_attempts(db.session(), shown.id),
        flow=flow_if_paid(first_of(open_), due),
        **common(token),
    )


def _estimates(method: Method, due: int) -> dict[PayMethod | None, int]:
    """What a provider would keep of the amount, by the way to pay where that matters there."""
    provider = providers()[method.provider]
    estimates = getattr(provider, "estimates", None)
    return estimates(due) if estimates else {None: provider.estimate_fee(due)}


def _is_payable() -> bool:
    """A living hold, or a confirmed booking whose price rose since or whose deposit is paid."""
    shown = the_booking()
    is_held = shown.state == BookingState.HELD and shown.held_until > utc_now()
    is_owing = shown.state == BookingState.CONFIRMED and due_satang() > 0
    return bool(shown.guest.name) and (is_held or is_owing)


# --- one try -------------------------------------------------------------------------------------


@bp.get(f"/{LANG}/b/<token>/pay/<int:number>")
@by_link
def attempt(token: str, number: int) -> ResponseReturnValue:
    """One try to pay. Opening the page asks the provider anew: it is also the return page."""
    shown = _ask_anew(number)
    if shown.state == AttemptState.PAID:
        return redirect(url_for("guest.booking", token=token), code=303)
    if the_booking().state in ENDED or _asks_for_another_amount(shown):
        return redirect(url_for("guest.booking", token=token), code=303)
    provider = providers().get(shown.provider)
    if provider is None:
        raise MethodClosed(method=shown.provider)
    is_promise = provider.capabilities.on_arrival
    if is_promise and not due_satang():  # it was paid in another way
        return redirect(url_for("guest.booking", token=token), code=303)
    if is_over() and (shown.state != AttemptState.REPORTED or is_promise):
        return show_lapsed(token)
    return render_template(
        _page_of(provider),
        attempt=shown,
        qr=qr.draw(shown.qr_payload) if shown.qr_payload else "",
        acts=list(Act),
        form=ReportForm(),
        is_over=is_over(),
        extra_satang=_extra_satang(shown),
        flow=flow_if_paid(provider, shown.amount_satang),
        **common(token),
    )


def _ask_anew(number: int) -> AttemptCard:
    """The attempt as its provider knows it now; where that does not answer, as we know it."""
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    try:
        is_new = take_in.ask_anew(shown, providers(), utc_now())
    except ProviderDown:
        return shown
    if not is_new:
        return shown
    return queries.get_attempt_of(db.session(), the_booking().reference, number)


def _page_of(provider: Provider) -> str:
    """The page on which a guest goes on with an attempt."""
    can = provider.capabilities
    if can.on_arrival:
        return "guest/attempt_cash.html"
    if can.is_pretended:
        return "guest/attempt_demo.html"
    return "guest/attempt_page.html" if can.tells_us else "guest/attempt_qr.html"


def _extra_satang(attempt_: AttemptCard) -> int | None:
    """How many satang a code asks for above what is due, or above the deposit; None: another amount."""
    extras = (attempt_.amount_satang - due for due in (due_satang(), deposit_due_satang()))
    return next((extra for extra in extras if 0 <= extra <= MOST_EXTRA_SATANG), None)


def _asks_for_another_amount(attempt_: AttemptCard) -> bool:
    """Whether an open code asks for what was due before the booking was changed."""
    return attempt_.state == AttemptState.PENDING and _extra_satang(attempt_) is None


@bp.get(f"/{LANG}/b/<token>/pay/<int:number>/state")
@by_link
@limit_look
def attempt_state(token: str, number: int) -> Response:
    """How a try stands, for a page that watches it. `?ask=1` asks the provider anew."""
    shown = queries.get_attempt_of(db.session(), the_booking().reference, number)
    if shown.state in _WAITING and request.args.get("ask"):
        shown = _ask_anew(number)
    return jsonify(state=shown.state, booking=the_booking().state)


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
    provider = providers().get(shown.provider)
    if (
        provider is None
        or not provider.capabilities.is_pretended
        or wanted not in set(Act)
        or shown.provider_ref is None
    ):
        raise NotFound(thing="act")
    now = utc_now()
    act(shown.provider_ref, Act(wanted), shown.amount_satang, the_booking().held_until, now)
    is_new = take_in.ask_anew(shown, providers(), now)
    if is_new and wanted in PAYING:
        return redirect(url_for("guest.booking", token=token), code=303)
    return redirect(url_for("guest.attempt", token=token, number=number), code=303)
