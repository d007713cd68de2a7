"""What guests got back after the sharing-out, what households owe of it, and corrections by two people."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.models import Booking
from cbt.clock import utc_now, village_day
from cbt.communities import chart
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import (
    AccountUnknown,
    AmountInvalid,
    BalanceTooLow,
    CorrectionInvalid,
    FreeTooLow,
    NoteMissing,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.i18n import _, pick
from cbt.ledger.queries import balances
from cbt.people.queries import list_names
from cbt.revenue import losses, take_back
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, typed
from cbt.web.host.money_forms import CorrectionForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.labels import account_words
from cbt.web.layout import LANG
from cbt.web.money_fields import the_amount

_AT = f"/{LANG}/host/<slug>/money/losses"
_ONE = f"{_AT}/<int:correction_id>"


@bp.get(_AT)
@only(*HOSTS)
def loss_page(slug: str) -> ResponseReturnValue:
    return _show()


@bp.post(_AT)
@only(*HOSTS)
def ask_correction(slug: str) -> ResponseReturnValue:
    form = _form()
    if not form.validate():
        return _show(form), 422
    community, now = the_community(), utc_now()
    try:
        take_back.ask_correction(
            community.id,
            form.source.data,
            form.target.data,
            the_amount(form.amount),
            typed(form.reason),
            form.concerns_on.data or village_day(now, community.zone),
            the_reader().person_id,
            now,
        )
    except (AccountUnknown, CorrectionInvalid) as error:
        day = isinstance(error, CorrectionInvalid) and error.facts["problem"] == "day"
        add_error(form.concerns_on if day else form.target, message_for(error))
        return _show(form), error.status
    except AmountInvalid as error:
        add_error(form.amount, message_for(error))
        return _show(form), error.status
    except NoteMissing as error:
        add_error(form.reason, _("Please write what was wrong, in a sentence."))
        return _show(form), error.status
    return redirect(url_for("host.loss_page", slug=slug, _anchor="waiting"), code=303)


@bp.post(f"{_ONE}/agree")
@only(*HOSTS)
def agree_correction(slug: str, correction_id: int) -> ResponseReturnValue:
    return _decide(slug, correction_id, agree=True)


@bp.post(f"{_ONE}/refuse")
@only(*HOSTS)
def refuse_correction(slug: str, correction_id: int) -> ResponseReturnValue:
    return _decide(slug, correction_id, agree=False)


def _decide(slug: str, correction_id: int, *, agree: bool) -> ResponseReturnValue:
    person_id = the_reader().person_id
    try:
        take_back.decide_correction(
            the_community().id, correction_id, person_id, utc_now(), agree=agree
        )
    except BalanceTooLow as error:
        words = account_words(str(error.facts["account"]))
        problem = _("%(account)s has too little for that. Nothing was moved.", account=words)
        return _show(problem=problem), error.status
    except (FreeTooLow, SecondPersonNeeded, StateForbids) as error:
        return _show(problem=message_for(error)), error.status
    return redirect(url_for("host.loss_page", slug=slug, _anchor="corrections"), code=303)


def _form(form: CorrectionForm | None = None) -> CorrectionForm:
    """The form, offering the accounts between which people may move money."""
    form = form or CorrectionForm()
    community = the_community()
    books = balances(db.session(), community.book_id)
    names = {
        chart.household(each.code): pick(each.name)
        for each in list_register(db.session(), community.id)
    }
    funds = [(chart.fund(each), account_words(chart.fund(each))) for each in chart.FUNDS]
    difference = (chart.CASH_DIFFERENCE, account_words(chart.CASH_DIFFERENCE))
    debts = [
        (each.account, _("Waive what %(name)s owes", name=names[chart.household(each.household)]))
        for each in losses.list_debts(db.session(), community.id, community.book_id)
    ]
    sources = [*names.items(), *funds, difference]
    nothing = ("", "–")  # nothing is chosen for people whose money it is
    form.source.choices = [nothing, *(each for each in sources if each[0] in books)]
    form.target.choices = [nothing, *(each for each in [*sources, *debts] if each[0] in books)]
    return form


def _show(form: CorrectionForm | None = None, problem: str = "") -> str:
    session, community = db.session(), the_community()
    corrections = losses.list_corrections(session, community.id)
    people = [each.asked_by for each in corrections]
    people += [each.decided_by for each in corrections if each.decided_by]
    return render_template(
        "host/losses.html",
        community=community,
        own_id=the_reader().person_id,
        losses=losses.list_open_losses(session, Booking.community_id == community.id),
        debts=losses.list_debts(session, community.id, community.book_id),
        waiting=[each for each in corrections if each.state == "asked"],
        decided=[each for each in corrections if each.state != "asked"],
        names=list_names(session, sorted(set(people))),
        household_names={each.code: each.name for each in list_register(session, community.id)},
        form=_form(form),
        action=Form(formdata=None),
        problem=problem,
    )
