"""Loans of the revolving fund: asked for, agreed to by two people, paid out, paid back, waived."""

from functools import partial

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    FundDayInvalid,
    NoteMissing,
    ReferenceUsed,
    StateForbids,
)
from cbt.i18n import _
from cbt.people.queries import list_names
from cbt.revenue import fund_queries, fund_use
from cbt.revenue.funds import LoanState, schedule
from cbt.revenue.policy import Bucket
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.fund_forms import (
    LoanForm,
    MoneyOutForm,
    RefuseForm,
    RepayForm,
)
from cbt.web.host.forms import the_day, the_number
from cbt.web.host.fund_money import (
    FUND_ERRORS,
    Asked,
    agree,
    households,
    mark,
    pay,
    refuse,
    the_today,
)
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.money_fields import the_amount

_LOANS = f"/{LANG}/host/<slug>/money/loans"
_LOAN = f"{_LOANS}/<int:loan_id>"


@bp.get(_LOANS)
@only(*HOSTS)
def loan_list(slug: str) -> ResponseReturnValue:
    return _show_loans()


@bp.post(_LOANS)
@only(*HOSTS)
def ask_loan(slug: str) -> ResponseReturnValue:
    form = LoanForm()
    if not form.validate():
        return _show_loans(form), 422
    try:
        number = fund_use.request_loan(
            the_community().id,
            typed(form.household),
            typed(form.borrower),
            typed(form.what),
            the_amount(form.amount),
            the_number(form.instalments),
            the_day(form.first_due_on),
            the_reader().person_id,
            utc_now(),
        )
    except FUND_ERRORS as error:
        mark(form, error)
        return _show_loans(form), error.status
    return redirect(url_for("host.loan", slug=slug, loan_id=number), code=303)


def _show_loans(form: LoanForm | None = None) -> str:
    session, community = db.session(), the_community()
    today = the_today()
    form = form or LoanForm(formdata=None)
    form.household.choices = households()
    return render_template(
        "host/loans.html",
        community=community,
        card=fund_queries.get_fund(session, community.id, community.book_id, Bucket.REVOLVE),
        loans=fund_queries.list_loans(session, community.id, today),
        states=LoanState,
        form=form,
    )


@bp.get(_LOAN)
@only(*HOSTS)
def loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return _show_loan(loan_id)


@bp.post(f"{_LOAN}/approve")
@only(*HOSTS)
def approve_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return agree(fund_use.approve_loan, _loan_at(slug, loan_id))


@bp.post(f"{_LOAN}/refuse")
@only(*HOSTS)
def refuse_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return refuse(fund_use.refuse_loan, _loan_at(slug, loan_id))


@bp.post(f"{_LOAN}/pay")
@only(*HOSTS)
def pay_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return pay(fund_use.pay_loan, _loan_at(slug, loan_id))


@bp.post(f"{_LOAN}/repay")
@only(*HOSTS)
def repay_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    form = RepayForm()
    if not form.validate():
        return _show_loan(loan_id, repaying=form), 422
    try:
        fund_use.repay_loan(
            the_community().id,
            loan_id,
            the_amount(form.amount),
            form.account.data,
            typed(form.bank_reference),
            the_day(form.repaid_on),
            the_reader().person_id,
            utc_now(),
        )
    except AmountInvalid as error:
        add_error(form.amount, _("Please enter an amount above zero, at most what is left."))
        return _show_loan(loan_id, repaying=form), error.status
    except (FundDayInvalid, NoteMissing, ReferenceUsed) as error:
        mark(form, error)
        return _show_loan(loan_id, repaying=form), error.status
    except StateForbids as error:
        return _show_loan(loan_id, message_for(error), repaying=form), error.status
    return redirect(url_for("host.loan", slug=slug, loan_id=loan_id), code=303)


@bp.post(f"{_LOAN}/waive")
@only(*HOSTS)
def waive_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return agree(fund_use.waive_loan, _loan_at(slug, loan_id))


def _loan_at(slug: str, loan_id: int) -> Asked:
    back = url_for("host.loan", slug=slug, loan_id=loan_id)
    return Asked(loan_id, partial(_show_loan, loan_id), back)


def _show_loan(
    loan_id: int,
    problem: str = "",
    *,
    refusing: RefuseForm | None = None,
    paying: MoneyOutForm | None = None,
    repaying: RepayForm | None = None,
) -> str:
    session, community = db.session(), the_community()
    today = the_today()
    shown = fund_queries.get_loan(session, community.id, loan_id, today)
    people = {shown.requested_by, *shown.approved_by, *shown.waived_by}
    return render_template(
        "host/loan.html",
        community=community,
        loan=shown,
        plan=schedule(shown.amount_satang, shown.instalments, shown.first_due_on),
        repayments=fund_queries.list_repayments(session, loan_id),
        state=LoanState(shown.state),
        states=LoanState,
        own_id=the_reader().person_id,
        names=list_names(session, sorted(people)),
        refusing=refusing or RefuseForm(formdata=None),
        paying=paying or MoneyOutForm(formdata=None, on=today),
        repaying=repaying or RepayForm(formdata=None, repaid_on=today),
        problem=problem,
    )
