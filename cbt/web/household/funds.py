"""A household's own requests to the funds and its loans."""

from datetime import timedelta

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now, village_day
from cbt.communities.vulnerable import find_consent
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    CeilingExceeded,
    EvidenceInvalid,
    EvidenceMissing,
    FreeTooLow,
    FundUseInvalid,
    NoteMissing,
    StateForbids,
)
from cbt.people.roles import Role
from cbt.revenue import fund_queries, fund_use
from cbt.revenue.fund_models import FundClaim, Loan
from cbt.revenue.funds import OF_FUND, ClaimState, LoanState, Purpose, schedule
from cbt.revenue.policy import Bucket
from cbt.web.access import only, the_community, the_household, the_reader
from cbt.web.errors import message_for
from cbt.web.evidence import let_evidence_in, send_evidence
from cbt.web.forms import add_error, typed
from cbt.web.fund_forms import ClaimForm, ConsentForm
from cbt.web.household.views import READERS, bp
from cbt.web.layout import LANG
from cbt.web.money_fields import the_amount

_AT = f"/{LANG}/household/<slug>/<household>/funds"
_FIELDS = {
    AmountInvalid: "amount",
    CeilingExceeded: "amount",
    FreeTooLow: "amount",
    EvidenceMissing: "file",
    EvidenceInvalid: "file",
    FundUseInvalid: "purpose",
    NoteMissing: "what",
}


@bp.url_value_preprocessor
def let_requests_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    if endpoint == "household.ask_claim":
        let_evidence_in()


@bp.get(_AT)
@only(*READERS)
def funds(slug: str, household: str) -> ResponseReturnValue:
    return show_funds()


@bp.post(_AT)
@only(Role.HOUSEHOLD)
def ask_claim(slug: str, household: str) -> ResponseReturnValue:
    """A household asks for a benefit of the welfare fund; two people of the community decide."""
    form = ClaimForm()
    form.offer(OF_FUND[Bucket.WELFARE])
    if not form.validate():
        return show_funds(form), 422
    try:
        fund_use.request_claim(
            the_community().id,
            Bucket.WELFARE,
            form.purpose.data,
            the_household().code,
            typed(form.payee),
            typed(form.what),
            the_amount(form.amount),
            typed(form.evidence),
            form.handed_in(),
            the_reader().person_id,
            utc_now(),
        )
    except tuple(_FIELDS) as error:
        add_error(form[_FIELDS[type(error)]], message_for(error))
        return show_funds(form), error.status
    return _back()


@bp.post(f"{_AT}/<int:claim_id>/confirm")
@only(Role.HOUSEHOLD)
def confirm_claim(slug: str, household: str, claim_id: int) -> ResponseReturnValue:
    try:
        fund_use.confirm_claim(
            the_community().id, the_household().id, claim_id, the_reader().person_id, utc_now()
        )
    except StateForbids as error:
        return show_funds(problem=message_for(error)), error.status
    return _back()


@bp.get(f"{_AT}/<int:claim_id>/evidence")
@only(Role.HOUSEHOLD)
def claim_evidence(slug: str, household: str, claim_id: int) -> ResponseReturnValue:
    own = FundClaim.household_id == the_household().id
    found = fund_queries.get_evidence(db.session(), the_community().id, claim_id, own)
    return send_evidence(found, claim_id)


def _back() -> ResponseReturnValue:
    place = url_for("household.funds", slug=the_community().slug, household=the_household().code)
    return redirect(place, code=303)


def show_funds(
    form: ClaimForm | None = None, problem: str = "", consent: ConsentForm | None = None
) -> str:
    """The page of a household's requests, loans, and whether it agreed to be counted as vulnerable."""
    session, community, household = db.session(), the_community(), the_household()
    today = village_day(utc_now(), community.zone)
    form = form or ClaimForm(formdata=None)
    form.offer(OF_FUND[Bucket.WELFARE])
    loans = fund_queries.list_loans(session, community.id, today, Loan.household_id == household.id)
    is_own = any(each.household_id == household.id for each in the_reader().grants)
    a_year_on = today + timedelta(days=365)
    return render_template(
        "household/funds.html",
        community=community,
        household=household,
        claims=fund_queries.list_claims(
            session, community.id, FundClaim.household_id == household.id
        ),
        loans=[
            (each, schedule(each.amount_satang, each.instalments, each.first_due_on))
            for each in loans
        ],
        ceilings=fund_queries.list_ceilings(session, community.id, Bucket.WELFARE),
        purposes=Purpose,
        states=ClaimState,
        loan_states=LoanState,
        is_own=is_own,
        counted_until=find_consent(session, household.id) if is_own else None,
        today=today,
        consent=consent or ConsentForm(formdata=None, ends_on=a_year_on),
        form=form,
        problem=problem,
    )
