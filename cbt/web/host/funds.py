"""The community's funds: what stands in each, money put in, requests that two people approve, loans."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field

from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    BalanceTooLow,
    CbtError,
    CeilingExceeded,
    EvidenceInvalid,
    EvidenceMissing,
    FreeTooLow,
    FundDayInvalid,
    FundUseInvalid,
    LoanInvalid,
    NoteMissing,
    NotFound,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.i18n import _, pick
from cbt.people.queries import list_names
from cbt.revenue import fund_queries, fund_use
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.funds import OF_FUND, ClaimState, Giver, LoanState, Purpose, schedule
from cbt.revenue.policy import Bucket
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.evidence import let_evidence_in, send_evidence
from cbt.web.forms import Form, add_error, typed
from cbt.web.fund_forms import (
    CeilingForm,
    ClaimForm,
    ContributionForm,
    LoanForm,
    MoneyOutForm,
    RefuseForm,
    RepayForm,
)
from cbt.web.host.forms import the_day, the_number
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.money_fields import the_amount

_AT = f"/{LANG}/host/<slug>/money/funds"
_FUND = f"{_AT}/<fund>"
_CLAIM = f"/{LANG}/host/<slug>/money/requests/<int:claim_id>"
_LOANS = f"/{LANG}/host/<slug>/money/loans"
_LOAN = f"{_LOANS}/<int:loan_id>"
_MOST_CONTRIBUTIONS = 50
_FUND_ERRORS = (
    AmountInvalid,
    CeilingExceeded,
    EvidenceInvalid,
    EvidenceMissing,
    FreeTooLow,
    FundDayInvalid,
    FundUseInvalid,
    LoanInvalid,
    NoteMissing,
    ReferenceUsed,
)


@bp.url_value_preprocessor
def let_requests_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    if endpoint == "host.ask_claim":
        let_evidence_in()


def _mark(form: Form, error: CbtError) -> None:
    """Show a refusal beside the field that it is about."""
    words = message_for(error)
    names = {
        AmountInvalid: ("amount", "once"),
        CeilingExceeded: ("amount",),
        FreeTooLow: ("amount",),
        EvidenceMissing: ("file",),
        EvidenceInvalid: ("file",),
        FundDayInvalid: ("given_on", "on", "repaid_on"),
        FundUseInvalid: ("purpose", "giver", "household"),
        LoanInvalid: ("instalments",),
        NoteMissing: ("bank_reference", "refused_for", "reason", "what"),
        ReferenceUsed: ("bank_reference",),
    }[type(error)]
    if isinstance(error, LoanInvalid) and error.facts["problem"] == "first_due_on":
        names = ("first_due_on",)
    if isinstance(error, NoteMissing) and "bank_reference" in form:
        words = _("Please enter the bank's reference.")
    field: Field = next(form[name] for name in names if name in form)
    add_error(field, words)


def _households() -> list[tuple[str, str]]:
    found = list_register(db.session(), the_community().id)
    return [("", "-"), *((each.code, pick(each.name)) for each in found)]


def _today_of() -> object:
    return village_day(utc_now(), the_community().zone)


# --- funds ---------------------------------------------------------------------------------------


@bp.get(_AT)
@only(*HOSTS)
def fund_list(slug: str) -> ResponseReturnValue:
    session, community = db.session(), the_community()
    waiting = fund_queries.list_claims(
        session, community.id, FundClaim.state.in_((ClaimState.REQUESTED, ClaimState.APPROVED))
    )
    today = village_day(utc_now(), community.zone)
    loans = fund_queries.list_loans(session, community.id, today)
    return render_template(
        "host/funds.html",
        community=community,
        funds=fund_queries.list_funds(session, community.id, community.book_id),
        waiting=waiting,
        loans=[each for each in loans if each.state in (LoanState.REQUESTED, LoanState.APPROVED)],
        overdue=[
            each for each in loans if each.state == LoanState.LENT and each.standing.overdue_satang
        ],
        states=ClaimState,
        loan_states=LoanState,
        purposes=Purpose,
        buckets=Bucket,
    )


@bp.get(_FUND)
@only(*HOSTS)
def fund(slug: str, fund: str) -> ResponseReturnValue:
    return _show_fund(fund)


@bp.post(f"{_FUND}/contributions")
@only(*HOSTS)
def contribute(slug: str, fund: str) -> ResponseReturnValue:
    form = ContributionForm()
    if not form.validate():
        return _show_fund(fund, giving=form), 422
    try:
        fund_use.contribute(
            the_community().id,
            fund,
            form.giver.data,
            typed(form.household) if form.giver.data == Giver.MEMBER else "",
            the_amount(form.amount),
            form.account.data,
            typed(form.bank_reference),
            typed(form.note),
            the_day(form.given_on),
            the_reader().person_id,
            utc_now(),
        )
    except _FUND_ERRORS as error:
        _mark(form, error)
        return _show_fund(fund, giving=form), error.status
    return redirect(url_for("host.fund", slug=slug, fund=fund, _anchor="given"), code=303)


@bp.post(f"{_FUND}/requests")
@only(*HOSTS)
def ask_claim(slug: str, fund: str) -> ResponseReturnValue:
    form = ClaimForm()
    form.offer(_purposes(fund))
    if not form.validate():
        return _show_fund(fund, asking=form), 422
    try:
        number = fund_use.request_claim(
            the_community().id,
            fund,
            form.purpose.data,
            typed(form.household),
            typed(form.payee),
            typed(form.what),
            the_amount(form.amount),
            typed(form.evidence),
            form.handed_in(),
            the_reader().person_id,
            utc_now(),
        )
    except _FUND_ERRORS as error:
        _mark(form, error)
        return _show_fund(fund, asking=form), error.status
    return redirect(url_for("host.claim", slug=slug, claim_id=number), code=303)


@bp.post(f"{_FUND}/ceilings")
@only(*HOSTS)
def set_ceiling(slug: str, fund: str) -> ResponseReturnValue:
    form = CeilingForm()
    form.offer(_purposes(fund))
    if not form.validate():
        return _show_fund(fund, ceiling=form), 422
    try:
        fund_use.set_ceiling(
            the_community().id,
            fund,
            form.for_purpose.data,
            the_amount(form.once),
            the_amount(form.yearly),
            typed(form.reason),
            the_reader().person_id,
            utc_now(),
        )
    except AmountInvalid as error:
        add_error(
            form.yearly, _("The most in a year cannot be less than the most for one request.")
        )
        return _show_fund(fund, ceiling=form), error.status
    except (FundUseInvalid, NoteMissing) as error:
        add_error(form.reason, message_for(error))
        return _show_fund(fund, ceiling=form), error.status
    return redirect(url_for("host.fund", slug=slug, fund=fund, _anchor="ceilings"), code=303)


def _purposes(fund: str) -> tuple[Purpose, ...]:
    """For what a fund may be used; nothing for the revolving fund. Raises NotFound for no fund."""
    if fund != Bucket.REVOLVE and fund not in OF_FUND:
        raise NotFound(thing="fund")
    return OF_FUND.get(Bucket(fund), ())


def _show_fund(
    fund: str,
    *,
    giving: ContributionForm | None = None,
    asking: ClaimForm | None = None,
    ceiling: CeilingForm | None = None,
) -> str:
    session, community = db.session(), the_community()
    card = fund_queries.get_fund(session, community.id, community.book_id, fund)
    purposes = _purposes(fund)
    giving = giving or ContributionForm(formdata=None, given_on=_today_of())
    asking, ceiling = asking or ClaimForm(formdata=None), ceiling or CeilingForm(formdata=None)
    giving.household.choices = asking.household.choices = _households()
    asking.offer(purposes)
    ceiling.offer(purposes)
    given = fund_queries.list_contributions(session, community.id, fund, _MOST_CONTRIBUTIONS)
    return render_template(
        "host/fund.html",
        community=community,
        card=card,
        purposes=purposes,
        givers=Giver,
        given=given,
        claims=fund_queries.list_claims(session, community.id, FundClaim.fund == fund),
        states=ClaimState,
        all_purposes=Purpose,
        ceilings=fund_queries.list_ceilings(session, community.id, fund),
        giving=giving,
        asking=asking,
        ceiling=ceiling,
    )


# --- what requests and loans share -----------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A request or a loan: its number, what shows it, and the address of that page."""

    number: int
    show: Callable[..., str]
    back: str


def _agree(use_case: Callable[..., object], asked: _Asked) -> ResponseReturnValue:
    return _do(partial(use_case, *_who(asked), utc_now()), asked)


def _refuse(use_case: Callable[..., object], asked: _Asked) -> ResponseReturnValue:
    form = RefuseForm()
    if not form.validate():
        return asked.show(refusing=form), 422
    community_id, number, person_id = _who(asked)
    reason = typed(form.refused_for)
    return _do(
        partial(use_case, community_id, number, reason, person_id, utc_now()), asked, refusing=form
    )


def _pay(use_case: Callable[..., object], asked: _Asked) -> ResponseReturnValue:
    form = MoneyOutForm()
    if not form.validate():
        return asked.show(paying=form), 422
    community_id, number, person_id = _who(asked)
    proof = (form.paid_from.data, typed(form.bank_reference), the_day(form.on))
    return _do(
        partial(use_case, community_id, number, *proof, person_id, utc_now()), asked, paying=form
    )


def _who(asked: _Asked) -> tuple[int, int, int]:
    return the_community().id, asked.number, the_reader().person_id


def _do(act: Callable[[], object], asked: _Asked, **forms: Form) -> ResponseReturnValue:
    """Do it and show it; a refusal is told beside its field, or else above everything."""
    try:
        act()
    except (FundDayInvalid, NoteMissing, ReferenceUsed) as error:
        for form in forms.values():
            _mark(form, error)
        return asked.show(**forms), error.status
    except (BalanceTooLow, FreeTooLow, SecondPersonNeeded, StateForbids) as error:
        return asked.show(_too_little(error), **forms), error.status
    return redirect(asked.back, code=303)


def _too_little(error: CbtError) -> str:
    if isinstance(error, BalanceTooLow):
        return _("By the books there is less money than that. Nothing was written down.")
    return message_for(error)


# --- a request -----------------------------------------------------------------------------------


@bp.get(_CLAIM)
@only(*HOSTS)
def claim(slug: str, claim_id: int) -> ResponseReturnValue:
    return _show_claim(claim_id)


@bp.get(f"{_CLAIM}/evidence")
@only(*HOSTS)
def claim_evidence(slug: str, claim_id: int) -> ResponseReturnValue:
    found = fund_queries.get_evidence(db.session(), the_community().id, claim_id)
    return send_evidence(found, claim_id)


@bp.post(f"{_CLAIM}/approve")
@only(*HOSTS)
def approve_claim(slug: str, claim_id: int) -> ResponseReturnValue:
    return _agree(fund_use.approve_claim, _claim_at(slug, claim_id))


@bp.post(f"{_CLAIM}/refuse")
@only(*HOSTS)
def refuse_claim(slug: str, claim_id: int) -> ResponseReturnValue:
    return _refuse(fund_use.refuse_claim, _claim_at(slug, claim_id))


@bp.post(f"{_CLAIM}/pay")
@only(*HOSTS)
def pay_claim(slug: str, claim_id: int) -> ResponseReturnValue:
    return _pay(fund_use.pay_claim, _claim_at(slug, claim_id))


def _claim_at(slug: str, claim_id: int) -> _Asked:
    back = url_for("host.claim", slug=slug, claim_id=claim_id)
    return _Asked(claim_id, partial(_show_claim, claim_id), back)


def _show_claim(
    claim_id: int,
    problem: str = "",
    *,
    refusing: RefuseForm | None = None,
    paying: MoneyOutForm | None = None,
) -> str:
    session, community = db.session(), the_community()
    shown = fund_queries.get_claim(session, community.id, claim_id)
    people = {shown.requested_by, *shown.approved_by}
    return render_template(
        "host/claim.html",
        community=community,
        claim=shown,
        state=ClaimState(shown.state),
        states=ClaimState,
        purpose=Purpose(shown.purpose),
        bucket=Bucket(shown.fund),
        own_id=the_reader().person_id,
        names=list_names(session, sorted(people)),
        refusing=refusing or RefuseForm(formdata=None),
        paying=paying or MoneyOutForm(formdata=None, on=_today_of()),
        problem=problem,
    )


# --- loans ---------------------------------------------------------------------------------------


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
    except _FUND_ERRORS as error:
        _mark(form, error)
        return _show_loans(form), error.status
    return redirect(url_for("host.loan", slug=slug, loan_id=number), code=303)


def _show_loans(form: LoanForm | None = None) -> str:
    session, community = db.session(), the_community()
    today = village_day(utc_now(), community.zone)
    form = form or LoanForm(formdata=None)
    form.household.choices = _households()
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
    return _agree(fund_use.approve_loan, _loan_at(slug, loan_id))


@bp.post(f"{_LOAN}/refuse")
@only(*HOSTS)
def refuse_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return _refuse(fund_use.refuse_loan, _loan_at(slug, loan_id))


@bp.post(f"{_LOAN}/pay")
@only(*HOSTS)
def pay_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return _pay(fund_use.pay_loan, _loan_at(slug, loan_id))


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
        _mark(form, error)
        return _show_loan(loan_id, repaying=form), error.status
    except StateForbids as error:
        return _show_loan(loan_id, message_for(error), repaying=form), error.status
    return redirect(url_for("host.loan", slug=slug, loan_id=loan_id), code=303)


@bp.post(f"{_LOAN}/waive")
@only(*HOSTS)
def waive_loan(slug: str, loan_id: int) -> ResponseReturnValue:
    return _agree(fund_use.waive_loan, _loan_at(slug, loan_id))


def _loan_at(slug: str, loan_id: int) -> _Asked:
    back = url_for("host.loan", slug=slug, loan_id=loan_id)
    return _Asked(loan_id, partial(_show_loan, loan_id), back)


def _show_loan(
    loan_id: int,
    problem: str = "",
    *,
    refusing: RefuseForm | None = None,
    paying: MoneyOutForm | None = None,
    repaying: RepayForm | None = None,
) -> str:
    session, community = db.session(), the_community()
    today = village_day(utc_now(), community.zone)
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
