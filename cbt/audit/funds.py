"""The funds: what came in and went out beside tourism's shares is in the books, and people stand for it."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.audit.compare import compare_entry
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.entries import Draft
from cbt.ledger.models import Entry
from cbt.revenue.fund_models import FundApproval, FundClaim, Loan
from cbt.revenue.fund_queries import list_fund_facts, list_repaid
from cbt.revenue.funds import APPROVERS, ClaimState, FundEvent, LoanState, fund_draft
from cbt.revenue.queries import list_settlements

_ACTOR = "audit"
_KINDS = tuple(str(event) for event in FundEvent)
_APPROVED_CLAIMS = (ClaimState.APPROVED, ClaimState.PAID, ClaimState.CONFIRMED)
_APPROVED_LOANS = (LoanState.APPROVED, LoanState.LENT, LoanState.REPAID, LoanState.WAIVED)


def check_funds(session: Session, community: CommunityCard) -> Outcome:
    """Contributions, requests, loans: each in the books as recorded, two people for each that went out."""
    expected = list_fund_drafts(session, community)
    entries = ledger.stream_entries(session, community.book_id, Entry.kind.in_(_KINDS))
    posted = {entry.draft.key: entry.draft for entry in entries}
    findings = [
        finding
        for key, draft in expected.items()
        for finding in compare_entry(posted.get(key), draft)
    ]
    findings += _without_two_people(session, community)
    findings += _lent(session, community)
    count = len(list_settlements(session, community.id)) + len(expected)
    return Outcome(Check.FUNDS, count, tuple(findings))


def list_fund_drafts(session: Session, community: CommunityCard) -> dict[str, Draft]:
    """The entries that the records of the funds call for, by key."""
    drafts = [fund_draft(facts, _ACTOR) for facts in list_fund_facts(session, community.id)]
    return {draft.key: draft for draft in drafts}


def _without_two_people(session: Session, community: CommunityCard) -> list[Finding]:
    findings = []
    for table, column, states, name in (
        (FundClaim, FundApproval.claim_id, _APPROVED_CLAIMS, "claim"),
        (Loan, FundApproval.loan_id, _APPROVED_LOANS, "loan"),
    ):
        approvals = (
            select(func.count(func.distinct(FundApproval.person_id)))
            .where(
                column == table.id,
                FundApproval.waives.is_(False),
                FundApproval.person_id != table.requested_by,
            )
            .correlate(table)
            .scalar_subquery()
        )
        rows = session.scalars(
            select(table.id).where(
                table.community_id == community.id,
                table.state.in_(states),
                approvals < APPROVERS,
            )
        )
        findings += [Finding(Fault.APPROVALS_MISSING, f"{name}:{each}", {}) for each in rows]
    waivers = (
        select(func.count(func.distinct(FundApproval.person_id)))
        .where(
            FundApproval.loan_id == Loan.id,
            FundApproval.waives.is_(True),
            FundApproval.person_id != Loan.requested_by,
        )
        .correlate(Loan)
        .scalar_subquery()
    )
    waived = session.scalars(
        select(Loan.id).where(
            Loan.community_id == community.id,
            Loan.state == LoanState.WAIVED,
            waivers < APPROVERS,
        )
    )
    return findings + [Finding(Fault.APPROVALS_MISSING, f"loan:{each}", {}) for each in waived]


def _lent(session: Session, community: CommunityCard) -> list[Finding]:
    rows = session.execute(
        select(Loan.id, Loan.amount_satang).where(
            Loan.community_id == community.id,
            Loan.lent_on.is_not(None),
            Loan.state != LoanState.WAIVED,
        )
    ).all()
    repaid = list_repaid(session, [row.id for row in rows])
    computed = sum(row.amount_satang - repaid.get(row.id, 0) for row in rows)
    booked = ledger.summed_balances(session, community.book_id).get(chart.LOANS, 0)
    if booked == computed:
        return []
    values = {"posted_satang": booked, "computed_satang": computed}
    return [Finding(Fault.LOANS_DIFFER, f"account:{chart.LOANS}", values)]
