"""Cash: taking it from guests, the box that two people count, and bringing it to the bank."""

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    BalanceTooLow,
    DepartureFull,
    DepartureGone,
    HoldLapsed,
    Invalid,
    MethodClosed,
    PreviewOutdated,
    ReferenceUsed,
    SecondPersonNeeded,
    SlotFull,
    StateForbids,
)
from cbt.i18n import _, format_baht
from cbt.payments import cash, cash_box
from cbt.payments.box import get_box, list_late_promises
from cbt.payments.queries import find_method
from cbt.payments.records import CASH
from cbt.people.queries import list_names
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, typed, whole
from cbt.web.host.booking import show_booking
from cbt.web.host.money_forms import BankedForm, CountForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.money_fields import the_amount

_BOOKING = f"/{LANG}/host/<slug>/bookings/<reference>"
_BOX = f"/{LANG}/host/<slug>/money/cash"
_COUNT = f"{_BOX}/counts/<int:count_id>"


# --- a guest's cash ------------------------------------------------------------------------------


@bp.post(f"{_BOOKING}/cash")
@only(*HOSTS)
def take_cash(slug: str, reference: str) -> ResponseReturnValue:
    """Sent twice it is taken once: the page says what was due when it was shown."""
    amount, shown = whole(request.form.get("amount")), whole(request.form.get("shown"))
    if amount is None or shown is None:
        raise Invalid
    try:
        cash.take_cash(
            the_community().id,
            reference,
            the_reader().person_id,
            utc_now(),
            current_app.extensions["providers"],
            amount,
            shown_satang=shown,
        )
    except StateForbids as error:
        return show_booking(reference, _("Nothing is due for this booking any more.")), error.status
    except (DepartureFull, DepartureGone, SlotFull) as error:
        problem = _(
            "Others have its places by now. Nothing was written down; please ask your mentor."
        )
        return show_booking(reference, problem), error.status
    except HoldLapsed as error:
        problem = _("The places were given back before. Nothing was taken; please book again.")
        return show_booking(reference, problem), error.status
    except (PreviewOutdated, AmountInvalid):
        problem = _("Another amount is due by now. Nothing was taken; please look again.")
        return show_booking(reference, problem), PreviewOutdated.status
    except MethodClosed as error:
        return show_booking(reference, message_for(error)), error.status
    return redirect(
        url_for("host.booking", slug=slug, reference=reference, _anchor="money"), code=303
    )


@bp.post(f"{_BOOKING}/release")
@only(*HOSTS)
def release_promise(slug: str, reference: str) -> ResponseReturnValue:
    cash.release_promise(the_community().id, reference, utc_now())
    return redirect(url_for("host.booking", slug=slug, reference=reference), code=303)


# --- the box -------------------------------------------------------------------------------------


@bp.get(_BOX)
@only(*HOSTS)
def cash_page(slug: str) -> ResponseReturnValue:
    return _show()


@bp.post(f"{_BOX}/counts")
@only(*HOSTS)
def count_cash(slug: str) -> ResponseReturnValue:
    form = CountForm()
    if not form.validate():
        return _show(count=form), 422
    cash_box.count_cash(
        the_community().id,
        the_amount(form.counted),
        typed(form.note),
        the_reader().person_id,
        utc_now(),
    )
    return redirect(url_for("host.cash_page", slug=slug, _anchor="waiting"), code=303)


@bp.post(f"{_COUNT}/agree")
@only(*HOSTS)
def agree_count(slug: str, count_id: int) -> ResponseReturnValue:
    try:
        cash_box.agree_count(the_community().id, count_id, the_reader().person_id, utc_now())
    except PreviewOutdated as error:
        problem = _("Cash came in or went out since that count. Please count again.")
        return _show(problem=problem), error.status
    except SecondPersonNeeded as error:
        return _show(problem=message_for(error)), error.status
    return redirect(url_for("host.cash_page", slug=slug), code=303)


@bp.post(f"{_COUNT}/dismiss")
@only(*HOSTS)
def dismiss_count(slug: str, count_id: int) -> ResponseReturnValue:
    cash_box.dismiss_count(the_community().id, count_id, utc_now())
    return redirect(url_for("host.cash_page", slug=slug), code=303)


@bp.post(f"{_BOX}/banked")
@only(*HOSTS)
def bank_cash(slug: str) -> ResponseReturnValue:
    form = BankedForm()
    if not form.validate():
        return _show(banked=form), 422
    try:
        cash_box.bank_cash(
            the_community().id,
            the_amount(form.amount),
            typed(form.bank_reference),
            the_reader().person_id,
            utc_now(),
        )
    except AmountInvalid as error:
        add_error(form.amount, message_for(error))
        return _show(banked=form), error.status
    except ReferenceUsed as error:
        add_error(form.bank_reference, message_for(error))
        return _show(banked=form), error.status
    except BalanceTooLow as error:
        holds = get_box(db.session(), the_community()).holds_satang
        add_error(form.amount, _("The box holds only %(amount)s.", amount=format_baht(holds)))
        return _show(banked=form), error.status
    return redirect(url_for("host.cash_page", slug=slug, _anchor="on-the-way"), code=303)


@bp.post(f"{_BOX}/banked/<int:banked_id>")
@only(*HOSTS)
def decide_banked(slug: str, banked_id: int) -> ResponseReturnValue:
    """A second person saw the cash in the bank account, or knows that it is in the box again."""
    wanted = request.form.get("what", "")
    if wanted not in ("seen", "back"):
        raise Invalid
    person_id, is_back = the_reader().person_id, wanted == "back"
    try:
        cash_box.decide_banked(the_community().id, banked_id, person_id, utc_now(), is_back=is_back)
    except (SecondPersonNeeded, StateForbids) as error:
        return _show(problem=message_for(error)), error.status
    return redirect(url_for("host.cash_page", slug=slug, _anchor="history"), code=303)


def _show(
    *, count: CountForm | None = None, banked: BankedForm | None = None, problem: str = ""
) -> str:
    community = the_community()
    box = get_box(db.session(), community)
    return render_template(
        "host/cash.html",
        community=community,
        has_box=find_method(db.session(), community.id, CASH) is not None,
        box=box,
        late=list_late_promises(db.session(), community.id, utc_now()),
        names=list_names(db.session(), list(box.people)),
        own_id=the_reader().person_id,
        count=count or CountForm(formdata=None),
        banked=banked or BankedForm(formdata=None),
        problem=problem,
        action=Form(formdata=None),
    )
