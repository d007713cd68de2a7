"""What a household was paid, how it is paid, and its word that the money arrived."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import PayeeInvalid, SecondPersonNeeded, StateForbids
from cbt.people.roles import Role
from cbt.revenue import pay_out, payout_queries
from cbt.revenue.paying_out import LineState, PayeeKind, end_to_end
from cbt.revenue.payout_models import PayoutBatch, PayoutLine
from cbt.revenue.payout_trace import payout_in, trace_payout
from cbt.web.access import only, the_community, the_household, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.household.views import READERS, bp
from cbt.web.layout import LANG
from cbt.web.payout_forms import PayeeForm, bank_words

_AT = f"/{LANG}/household/<slug>/<household>/payouts"
_MOST = 60


@bp.get(_AT)
@only(*READERS)
def payouts(slug: str, household: str) -> ResponseReturnValue:
    return _show()


@bp.get(f"{_AT}/<int:line_id>")
@only(*READERS)
def payout(slug: str, household: str, line_id: int) -> ResponseReturnValue:
    """What one payout paid, line by line: the way back to bookings, rule and work."""
    community = the_community()
    return render_template(
        "household/payout.html",
        community=community,
        household=the_household(),
        trace=trace_payout(db.session(), community, the_household(), line_id),
        reference=end_to_end(community.slug, line_id),
        payout_in=payout_in,
        states=LineState,
        kinds=PayeeKind,
    )


@bp.post(f"{_AT}/<int:line_id>/confirm")
@only(Role.HOUSEHOLD)
def confirm_payout(slug: str, household: str, line_id: int) -> ResponseReturnValue:
    try:
        pay_out.confirm_line(
            the_community().id, the_household().id, line_id, the_reader().person_id, utc_now()
        )
    except StateForbids as error:
        return _show(problem=message_for(error)), error.status
    return _back()


@bp.post(f"{_AT}/payee")
@only(Role.HOUSEHOLD)
def name_payee(slug: str, household: str) -> ResponseReturnValue:
    """The household itself says how it is paid; somebody with a money role agrees."""
    form = PayeeForm()
    if not form.validate():
        return _show(form), 422
    try:
        pay_out.name_payee(
            the_community().id,
            the_household().code,
            form.kind.data,
            form.bank.data,
            typed(form.number),
            typed(form.holder),
            the_reader().person_id,
            utc_now(),
        )
    except PayeeInvalid as error:
        add_error(getattr(form, str(error.facts["field"])), message_for(error))
        return _show(form), error.status
    return _back()


@bp.post(f"{_AT}/payee/<int:payee_id>/agree")
@only(Role.HOUSEHOLD)
def agree_payee(slug: str, household: str, payee_id: int) -> ResponseReturnValue:
    return _decide(payee_id, agree=True)


@bp.post(f"{_AT}/payee/<int:payee_id>/refuse")
@only(Role.HOUSEHOLD)
def refuse_payee(slug: str, household: str, payee_id: int) -> ResponseReturnValue:
    return _decide(payee_id, agree=False)


def _decide(payee_id: int, *, agree: bool) -> ResponseReturnValue:
    try:
        pay_out.agree_payee(
            the_community().id,
            payee_id,
            the_reader().person_id,
            utc_now(),
            agree=agree,
            household_id=the_household().id,
        )
    except (SecondPersonNeeded, StateForbids) as error:
        return _show(problem=message_for(error)), error.status
    return _back()


def _back() -> ResponseReturnValue:
    place = url_for("household.payouts", slug=the_community().slug, household=the_household().code)
    return redirect(place, code=303)


def _show(form: PayeeForm | None = None, problem: str = "") -> str:
    session, community, household = db.session(), the_community(), the_household()
    reader = the_reader()
    hidden = (LineState.DRAFTED, LineState.WITHDRAWN)
    lines = payout_queries.list_lines(
        session,
        PayoutBatch.community_id == community.id,
        PayoutLine.household_id == household.id,
        PayoutLine.state.not_in(hidden),
    )
    standings = payout_queries.list_standings(session, community.id, community.book_id)
    payees = payout_queries.list_payees(session, community.id).get(household.code, [])
    return render_template(
        "household/payouts.html",
        community=community,
        household=household,
        standing=next(each for each in standings if each.household == household.code),
        lines=lines[:_MOST],
        reference=lambda line: end_to_end(community.slug, line.id),
        states=LineState,
        kinds=PayeeKind,
        payees=payees,
        bank_words=bank_words,
        own_id=reader.person_id,
        is_own=any(each.household_id == household.id for each in reader.grants),
        form=form or PayeeForm(formdata=None),
        problem=problem,
    )
