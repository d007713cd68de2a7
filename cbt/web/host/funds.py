"""The community's funds: what stands in each, money put in, requests that two people approve."""

from functools import partial

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    FundUseInvalid,
    NoteMissing,
    NotFound,
)
from cbt.i18n import _
from cbt.people.queries import list_names
from cbt.revenue import fund_queries, fund_use
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.funds import OF_FUND, ClaimState, Giver, LoanState, Purpose
from cbt.revenue.policy import Bucket
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.evidence import let_evidence_in, send_evidence
from cbt.web.forms import add_error, typed
from cbt.web.fund_forms import (
    CeilingForm,
    ClaimForm,
    ContributionForm,
    MoneyOutForm,
    RefuseForm,
)
from cbt.web.host.forms import the_day
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

_AT = f"/{LANG}/host/<slug>/money/funds"
_FUND = f"{_AT}/<fund>"
_CLAIM = f"/{LANG}/host/<slug>/money/requests/<int:claim_id>"
_MOST_CONTRIBUTIONS = 50


@bp.url_value_preprocessor
def let_requests_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    if endpoint == "host.ask_claim":
        let_evidence_in()


# --- funds ---------------------------------------------------------------------------------------


@bp.get(_AT)
@only(*HOSTS)
def fund_list(slug: str) -> ResponseReturnValue:
    session, community = db.session(), the_community()
    waiting = fund_queries.list_claims(
        session, community.id, FundClaim.state.in_((ClaimState.REQUESTED, ClaimState.APPROVED))
    )
    today = the_today()
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
    except FUND_ERRORS as error:
        mark(form, error)
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
    except FUND_ERRORS as error:
        mark(form, error)
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
    giving = giving or ContributionForm(formdata=None, given_on=the_today())
    asking, ceiling = asking or ClaimForm(formdata=None), ceiling or CeilingForm(formdata=None)
    giving.household.choices = asking.household.choices = households()
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
    return agree(fund_use.approve_claim, _claim_at(slug, claim_id))


@bp.post(f"{_CLAIM}/refuse")
@only(*HOSTS)
def refuse_claim(slug: str, claim_id: int) -> ResponseReturnValue:
    return refuse(fund_use.refuse_claim, _claim_at(slug, claim_id))


@bp.post(f"{_CLAIM}/pay")
@only(*HOSTS)
def pay_claim(slug: str, claim_id: int) -> ResponseReturnValue:
    return pay(fund_use.pay_claim, _claim_at(slug, claim_id))


def _claim_at(slug: str, claim_id: int) -> Asked:
    back = url_for("host.claim", slug=slug, claim_id=claim_id)
    return Asked(claim_id, partial(_show_claim, claim_id), back)


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
        paying=paying or MoneyOutForm(formdata=None, on=the_today()),
        problem=problem,
    )
