"""Reading the funds: what stands in each, what was promised and lent, and what the books must hold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
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
    Loan,
    Repayment,
)
from cbt.revenue.funds import (
    Ceiling,
    ClaimState,
    FundEvent,
    FundFacts,
    LoanStanding,
    LoanState,
    free_satang,
    schedule,
    standing,
)
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
    session: Session, community_id: int, fund: str, purpose: str, household_id: int, year: date
) -> int:
    """What a household asked for or got for a purpose in the year that begins on a day, in satang."""
    total = session.scalar(
        select(func.sum(FundClaim.amount_satang)).where(
            FundClaim.community_id == community_id,
            FundClaim.fund == fund,
            FundClaim.purpose == purpose,
            FundClaim.household_id == household_id,
            FundClaim.state != ClaimState.REFUSED,
            FundClaim.requested_at >= _start(year),
        )
    )
    return int(total or 0)


def _start(day: date) -> datetime:
    return datetime(day.year, 1, 1, tzinfo=UTC)


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
