"""Reading the funds: what stands in each, what was promised and lent, and what the books must hold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.communities.models import Household
from cbt.db import Condition
from cbt.errors import NotFound
from cbt.i18n import Localized
from cbt.ledger import queries as ledger
from cbt.revenue.fund_models import (
    Contribution,
    FundApproval,
    FundCeiling,
    FundClaim,
    FundEvidence,
    Loan,
    Repayment,
)
from cbt.revenue.fund_page import Line, Page, Sum, fold
from cbt.revenue.funds import (
    Ceiling,
    ClaimState,
    FileKind,
    FundEvent,
    FundFacts,
    Giver,
    LoanStanding,
    LoanState,
    Purpose,
    free_satang,
    schedule,
    standing,
)
from cbt.revenue.models import Settlement
from cbt.revenue.policy import Bucket


@dataclass(frozen=True)
class FundCard:
    """A fund: its balance, what of it was promised or is lent out, and what is free, in satang."""

    fund: Bucket
    balance_satang: int
    promised_satang: int
    lent_satang: int

    @property
    def free_satang(self) -> int:
        return free_satang(self.balance_satang, self.promised_satang, self.lent_satang)


def list_funds(session: Session, community_id: int, book_id: int) -> list[FundCard]:
    """A community's funds in the order of the chart."""
    balances = ledger.balances(session, book_id)
    promised: dict[str, int] = defaultdict(int)
    for fund, amount in session.execute(
        select(FundClaim.fund, func.sum(FundClaim.amount_satang))
        .where(FundClaim.community_id == community_id, FundClaim.state == ClaimState.APPROVED)
        .group_by(FundClaim.fund)
    ):
        promised[fund] += int(amount)
    approved = session.scalar(
        select(func.sum(Loan.amount_satang)).where(
            Loan.community_id == community_id, Loan.state == LoanState.APPROVED
        )
    )
    promised[Bucket.REVOLVE] += int(approved or 0)
    lent = balances.get(chart.LOANS, 0)
    return [
        FundCard(
            Bucket(code),
            balances.get(chart.fund(code), 0),
            promised[code],
            lent if code == Bucket.REVOLVE else 0,
        )
        for code in chart.FUNDS
    ]


def get_fund(session: Session, community_id: int, book_id: int, fund: str) -> FundCard:
    for card in list_funds(session, community_id, book_id):
        if card.fund == fund:
            return card
    raise NotFound(thing="fund")


def find_ceiling(session: Session, community_id: int, fund: str, purpose: str) -> Ceiling | None:
    """The ceiling that counts now, or None where the community set none."""
    row = session.execute(
        select(FundCeiling.once_satang, FundCeiling.yearly_satang)
        .where(
            FundCeiling.community_id == community_id,
            FundCeiling.fund == fund,
            FundCeiling.purpose == purpose,
        )
        .order_by(FundCeiling.id.desc())
        .limit(1)
    ).one_or_none()
    return Ceiling(*row) if row else None


def asked_this_year(
    session: Session, community_id: int, fund: str, purpose: str, household_id: int, since: datetime
) -> int:
    """What a household asked for or got for a purpose since a moment, in satang."""
    total = session.scalar(
        select(func.sum(FundClaim.amount_satang)).where(
            FundClaim.community_id == community_id,
            FundClaim.fund == fund,
            FundClaim.purpose == purpose,
            FundClaim.household_id == household_id,
            FundClaim.state != ClaimState.REFUSED,
            FundClaim.requested_at >= since,
        )
    )
    return int(total or 0)


# --- requests and loans --------------------------------------------------------------------------


@dataclass(frozen=True)
class ClaimCard:
    """A request with its household and the people who approved it."""

    id: int
    fund: str
    purpose: str
    household: str | None
    household_name: Localized | None
    payee: str
    what: str
    amount_satang: int
    evidence: str
    evidence_sha256: str
    state: str
    requested_by: int
    requested_at: datetime
    paid_on: date | None
    paid_from: str | None
    bank_reference: str | None
    confirmed_at: datetime | None
    refused_for: str | None
    approved_by: tuple[int, ...]


def list_claims(session: Session, community_id: int, *conditions: Condition) -> list[ClaimCard]:
    """Requests that fit, those that wait for somebody first, then the newest."""
    rows = session.execute(
        select(FundClaim, Household.code, Household.name)
        .outerjoin(Household, Household.id == FundClaim.household_id)
        .where(FundClaim.community_id == community_id, *conditions)
        .order_by(
            FundClaim.state.in_((ClaimState.REQUESTED, ClaimState.APPROVED)).desc(),
            FundClaim.id.desc(),
        )
    ).all()
    approvals = _approvals(session, FundApproval.claim_id, [row[0].id for row in rows])
    return [_claim(claim, code, name, approvals) for claim, code, name in rows]


def _claim(
    claim: FundClaim,
    code: str | None,
    name: Localized | None,
    approvals: dict[int, tuple[int, ...]],
) -> ClaimCard:
    return ClaimCard(
        claim.id,
        claim.fund,
        claim.purpose,
        code,
        name,
        claim.payee,
        claim.what,
        claim.amount_satang,
        claim.evidence,
        claim.evidence_sha256,
        claim.state,
        claim.requested_by,
        claim.requested_at,
        claim.paid_on,
        claim.paid_from,
        claim.bank_reference,
        claim.confirmed_at,
        claim.refused_for,
        approvals.get(claim.id, ()),
    )


def _approvals(session: Session, column: Any, ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(column, FundApproval.person_id)
        .where(column.in_(ids), FundApproval.waives.is_(False))
        .order_by(FundApproval.id)
    )
    for about, person_id in rows:
        found[about].append(person_id)
    return {about: tuple(people) for about, people in found.items()}


def get_claim(session: Session, community_id: int, claim_id: int) -> ClaimCard:
    for card in list_claims(session, community_id, FundClaim.id == claim_id):
        return card
    raise NotFound(thing="claim")


@dataclass(frozen=True)
class EvidenceCard:
    """The file that a request shows."""

    name: str
    kind: FileKind
    body: bytes


def get_evidence(
    session: Session, community_id: int, claim_id: int, *conditions: Condition
) -> EvidenceCard:
    """The file behind a request of a community, byte for byte. Raises NotFound."""
    row = session.execute(
        select(FundEvidence.name, FundEvidence.kind, FundEvidence.body)
        .join(FundClaim, FundClaim.id == FundEvidence.claim_id)
        .where(FundClaim.community_id == community_id, FundClaim.id == claim_id, *conditions)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="evidence")
    return EvidenceCard(row.name, FileKind(row.kind), row.body)


@dataclass(frozen=True)
class ContributionCard:
    """Money that somebody put into a fund."""

    id: int
    giver: str
    household_name: Localized | None
    amount_satang: int
    account: str
    bank_reference: str | None
    note: str
    given_on: date
    recorded_by: int


def list_contributions(
    session: Session, community_id: int, fund: str, limit: int
) -> list[ContributionCard]:
    """The newest contributions to a fund first."""
    rows = session.execute(
        select(
            Contribution.id,
            Contribution.giver,
            Household.name,
            Contribution.amount_satang,
            Contribution.account,
            Contribution.bank_reference,
            Contribution.note,
            Contribution.given_on,
            Contribution.recorded_by,
        )
        .outerjoin(Household, Household.id == Contribution.household_id)
        .where(Contribution.community_id == community_id, Contribution.fund == fund)
        .order_by(Contribution.given_on.desc(), Contribution.id.desc())
        .limit(limit)
    )
    return [ContributionCard(*row) for row in rows]


@dataclass(frozen=True)
class CeilingCard:
    """A ceiling as it counts now, and what set it."""

    purpose: Purpose
    ceiling: Ceiling
    reason: str
    set_by: int
    set_at: datetime


def list_ceilings(session: Session, community_id: int, fund: str) -> dict[str, CeilingCard]:
    """{purpose: the ceiling that counts now}; purposes without one have none."""
    rows = session.scalars(
        select(FundCeiling)
        .where(FundCeiling.community_id == community_id, FundCeiling.fund == fund)
        .order_by(FundCeiling.id)
    )
    return {
        each.purpose: CeilingCard(
            Purpose(each.purpose),
            Ceiling(each.once_satang, each.yearly_satang),
            each.reason,
            each.set_by,
            each.set_at,
        )
        for each in rows
    }


@dataclass(frozen=True)
class LoanCard:
    """A loan, what was repaid of it, and where it stands on the day that was asked for."""

    id: int
    household: str | None
    household_name: Localized | None
    borrower: str
    what: str
    amount_satang: int
    instalments: int
    first_due_on: date
    state: str
    requested_by: int
    requested_at: datetime
    lent_on: date | None
    repaid_satang: int
    standing: LoanStanding
    approved_by: tuple[int, ...]
    waived_by: tuple[int, ...]


def list_loans(
    session: Session, community_id: int, on: date, *conditions: Condition
) -> list[LoanCard]:
    """Loans that fit, the newest first, as they stand on a day."""
    rows = session.execute(
        select(Loan, Household.code, Household.name)
        .outerjoin(Household, Household.id == Loan.household_id)
        .where(Loan.community_id == community_id, *conditions)
        .order_by(Loan.id.desc())
    ).all()
    ids = [row[0].id for row in rows]
    repaid = list_repaid(session, ids)
    approvals = _approvals(session, FundApproval.loan_id, ids)
    waivers = _waivers(session, ids)
    return [
        LoanCard(
            loan.id,
            code,
            name,
            loan.borrower,
            loan.what,
            loan.amount_satang,
            loan.instalments,
            loan.first_due_on,
            loan.state,
            loan.requested_by,
            loan.requested_at,
            loan.lent_on,
            repaid.get(loan.id, 0),
            standing(
                schedule(loan.amount_satang, loan.instalments, loan.first_due_on),
                repaid.get(loan.id, 0),
                on,
            ),
            approvals.get(loan.id, ()),
            waivers.get(loan.id, ()),
        )
        for loan, code, name in rows
    ]


def get_loan(session: Session, community_id: int, loan_id: int, on: date) -> LoanCard:
    for card in list_loans(session, community_id, on, Loan.id == loan_id):
        return card
    raise NotFound(thing="loan")


def list_repayments(session: Session, loan_id: int) -> list[tuple[date, int, str, str | None]]:
    """(day, satang, account, bank reference) of what was paid back of a loan, in order."""
    rows = session.execute(
        select(
            Repayment.repaid_on,
            Repayment.amount_satang,
            Repayment.account,
            Repayment.bank_reference,
        )
        .where(Repayment.loan_id == loan_id)
        .order_by(Repayment.repaid_on, Repayment.id)
    )
    return [(on, amount, account, reference) for on, amount, account, reference in rows]


def list_repaid(session: Session, loan_ids: Sequence[int]) -> dict[int, int]:
    """What was paid back of each loan, in satang."""
    rows = session.execute(
        select(Repayment.loan_id, func.sum(Repayment.amount_satang))
        .where(Repayment.loan_id.in_(list(loan_ids)))
        .group_by(Repayment.loan_id)
    )
    return {loan_id: int(total) for loan_id, total in rows}


def _waivers(session: Session, loan_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(FundApproval.loan_id, FundApproval.person_id)
        .where(FundApproval.loan_id.in_(loan_ids), FundApproval.waives.is_(True))
        .order_by(FundApproval.id)
    )
    for loan_id, person_id in rows:
        found[int(loan_id or 0)].append(person_id)
    return {loan_id: tuple(people) for loan_id, people in found.items()}


# --- for everybody -------------------------------------------------------------------------------


def public_page(session: Session, community_id: int, book_id: int, fund: str) -> Page:
    """What came into a fund and went out of it, by kind; the two sides differ by its balance."""
    flows = {each.kind: each for each in ledger.account_flows(session, book_id, chart.fund(fund))}
    split = flows.pop("split", None)
    came_in = [Sum(Line.TRIPS, split.came_satang, split.entries)] if split else []
    came_in += _by_giver(session, community_id, fund)
    went_out = _by_purpose(session, community_id, fund)
    flows.pop("contribution", None)
    flows.pop("claim_paid", None)
    for kind, flow in flows.items():
        line = {"take_back": Line.LOSSES, "loan_waived": Line.LOANS_WAIVED}.get(kind, Line.OTHER)
        if flow.came_satang:
            came_in.append(Sum(Line.OTHER, flow.came_satang, flow.entries))
        if flow.left_satang:
            went_out.append(Sum(line, flow.left_satang, flow.entries))
    balance = sum(e.amount_satang for e in came_in) - sum(e.amount_satang for e in went_out)
    return Page(_count_trips(session, community_id), fold(came_in), fold(went_out), balance)


def _count_trips(session: Session, community_id: int) -> int:
    """Departures whose income was split; each of them gave every fund its share."""
    query = select(func.count()).where(Settlement.community_id == community_id)
    return session.scalar(query) or 0


def _by_giver(session: Session, community_id: int, fund: str) -> list[Sum]:
    rows = session.execute(
        select(Contribution.giver, func.sum(Contribution.amount_satang), func.count())
        .where(Contribution.community_id == community_id, Contribution.fund == fund)
        .group_by(Contribution.giver)
    )
    return [Sum(Giver(giver), int(amount), count) for giver, amount, count in rows]


def _by_purpose(session: Session, community_id: int, fund: str) -> list[Sum]:
    rows = session.execute(
        select(FundClaim.purpose, func.sum(FundClaim.amount_satang), func.count())
        .where(
            FundClaim.community_id == community_id,
            FundClaim.fund == fund,
            FundClaim.paid_on.is_not(None),
        )
        .group_by(FundClaim.purpose)
    )
    return [Sum(Purpose(purpose), int(amount), count) for purpose, amount, count in rows]


# --- for the books -------------------------------------------------------------------------------


def list_fund_facts(session: Session, community_id: int) -> list[FundFacts]:
    """What the books must hold of the funds beside tourism's shares."""
    facts = [
        FundFacts(
            FundEvent.CONTRIBUTION,
            each.id,
            Bucket(each.fund),
            each.amount_satang,
            each.account,
            each.given_on,
        )
        for each in session.scalars(
            select(Contribution).where(Contribution.community_id == community_id)
        )
    ]
    facts += [
        FundFacts(
            FundEvent.CLAIM_PAID,
            each.id,
            Bucket(each.fund),
            each.amount_satang,
            each.paid_from or "",
            each.paid_on,
        )
        for each in session.scalars(
            select(FundClaim).where(
                FundClaim.community_id == community_id, FundClaim.paid_on.is_not(None)
            )
        )
        if each.paid_on
    ]
    return [*facts, *_loan_facts(session, community_id)]


def _loan_facts(session: Session, community_id: int) -> list[FundFacts]:
    loans = session.scalars(
        select(Loan).where(Loan.community_id == community_id, Loan.lent_on.is_not(None))
    ).all()
    repaid = list_repaid(session, [loan.id for loan in loans])
    facts = []
    for loan in loans:
        amount, account = loan.amount_satang, loan.paid_from or ""
        if loan.lent_on:
            event = FundEvent.LOAN_PAID
            facts.append(FundFacts(event, loan.id, Bucket.REVOLVE, amount, account, loan.lent_on))
        if loan.waived_on:
            event, rest = FundEvent.LOAN_WAIVED, amount - repaid.get(loan.id, 0)
            facts.append(FundFacts(event, loan.id, Bucket.REVOLVE, rest, "", loan.waived_on))
    rows = session.scalars(
        select(Repayment)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(Loan.community_id == community_id)
    )
    facts += [
        FundFacts(
            FundEvent.LOAN_REPAID,
            each.id,
            Bucket.REVOLVE,
            each.amount_satang,
            each.account,
            each.repaid_on,
        )
        for each in rows
    ]
    return facts
