"""What left the funds in a period, beside the requests that it goes back to: facts of rule PRD-10."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.clock import to_instant, village_day
from cbt.communities import chart
from cbt.communities.queries import get_zone
from cbt.ledger.entries import Draft
from cbt.ledger.queries import Posted
from cbt.revenue import funds
from cbt.revenue.fund_models import FundApproval, FundCeiling, FundClaim, FundEvidence, Loan
from cbt.revenue.fund_queries import list_repaid
from cbt.revenue.funds import OF_FUND, Ceiling, ClaimState, FundEvent
from cbt.revenue.policy import Bucket
from cbt.revenue.rulebook import FundUse

_FUND = chart.fund("")
_BY_REQUEST = (FundEvent.CLAIM_PAID, FundEvent.LOAN_PAID, FundEvent.LOAN_WAIVED)
_FITTING = {(str(fund), str(each)) for fund, purposes in OF_FUND.items() for each in purposes}
_BY_OTHER_RULES = ("take_back", "correction", "suspense_cleared")
"""Entries that may take from a fund without a request; the audit knows what calls for each."""


def list_fund_uses(
    session: Session, community_id: int, entries: Iterable[Posted]
) -> tuple[tuple[FundUse, ...], tuple[str, ...]]:
    """(each use of a fund among a period's entries, the keys of entries behind which no request stands)."""
    out = [each.draft for each in entries if _takes_from_fund(each.draft)]
    asked = [each for each in out if each.kind in _BY_REQUEST]
    claims = _claims(session, community_id, [_number(each) for each in asked if _is_claim(each)])
    loans = _loans(session, community_id, [_number(each) for each in asked if not _is_claim(each)])
    uses, unasked = [], []
    for draft in out:
        if draft.kind in _BY_OTHER_RULES:
            continue
        found = (claims if _is_claim(draft) else loans).get(_number(draft))
        if draft.kind not in _BY_REQUEST or found is None:
            unasked.append(draft.key)
        elif isinstance(found, FundClaim):
            uses.append(_use_of_claim(session, draft, found))
        else:
            uses.append(_use_of_loan(session, draft, found))
    return tuple(uses), tuple(unasked)


def _takes_from_fund(draft: Draft) -> bool:
    """Whether money leaves a fund, or is lent out of one."""
    if draft.kind == FundEvent.LOAN_PAID:
        return True
    return any(leg.source.startswith(_FUND) for leg in draft.legs)


def _is_claim(draft: Draft) -> bool:
    return draft.kind == FundEvent.CLAIM_PAID


def _number(draft: Draft) -> int:
    """The number of the request in an entry's key; 0 for a key that names none."""
    last = draft.key.rpartition(":")[2]
    return int(last) if last.isdecimal() else 0


def _claims(session: Session, community_id: int, ids: Sequence[int]) -> Mapping[int, FundClaim]:
    rows = session.scalars(
        select(FundClaim).where(FundClaim.community_id == community_id, FundClaim.id.in_(ids))
    )
    return {each.id: each for each in rows}


def _loans(session: Session, community_id: int, ids: Sequence[int]) -> Mapping[int, Loan]:
    rows = session.scalars(select(Loan).where(Loan.community_id == community_id, Loan.id.in_(ids)))
    return {each.id: each for each in rows}


def _use_of_claim(session: Session, draft: Draft, claim: FundClaim) -> FundUse:
    approvers = session.scalars(
        select(FundApproval.person_id).where(FundApproval.claim_id == claim.id)
    )
    return FundUse(
        key=draft.key,
        fund=claim.fund,
        booked_fund=_booked_fund(draft),
        booked_satang=_amount(draft),
        amount_satang=claim.amount_satang,
        is_loan=False,
        approvers=frozenset(approvers) - {claim.requested_by},
        payee=claim.payee,
        has_evidence=_has_evidence(session, claim),
        fits=(claim.fund, claim.purpose) in _FITTING,
        breaks=_broken_ceiling(session, claim),
    )


def _use_of_loan(session: Session, draft: Draft, loan: Loan) -> FundUse:
    approvers = session.scalars(
        select(FundApproval.person_id).where(
            FundApproval.loan_id == loan.id,
            FundApproval.waives.is_(draft.kind == FundEvent.LOAN_WAIVED),
        )
    )
    repaid = 0 if draft.kind == FundEvent.LOAN_PAID else _repaid(session, loan)
    return FundUse(
        key=draft.key,
        fund=Bucket.REVOLVE,
        booked_fund=_booked_fund(draft),
        booked_satang=_amount(draft),
        amount_satang=loan.amount_satang - repaid,
        is_loan=True,
        approvers=frozenset(approvers) - {loan.requested_by},
        payee=loan.borrower,
        has_evidence=False,
        fits=True,
        breaks=None,
    )


def _repaid(session: Session, loan: Loan) -> int:
    return list_repaid(session, [loan.id]).get(loan.id, 0)


def _booked_fund(draft: Draft) -> str:
    """The fund that an entry takes from; a loan, which leaves the fund what it was, by its subject."""
    taken = [leg.source.removeprefix(_FUND) for leg in draft.legs if leg.source.startswith(_FUND)]
    return taken[0] if taken else draft.subject.removeprefix(_FUND)


def _amount(draft: Draft) -> int:
    return sum(leg.amount_satang for leg in draft.legs)


def _has_evidence(session: Session, claim: FundClaim) -> bool:
    """Whether what the request shows is kept, byte for byte as it was handed in."""
    body = session.scalar(select(FundEvidence.body).where(FundEvidence.claim_id == claim.id))
    return bool(body) and sha256(body or b"").hexdigest() == claim.evidence_sha256


def _broken_ceiling(session: Session, claim: FundClaim) -> str | None:
    """The ceiling that a request was above, by the one in force when it was made."""
    row = session.execute(
        select(FundCeiling.once_satang, FundCeiling.yearly_satang)
        .where(
            FundCeiling.community_id == claim.community_id,
            FundCeiling.fund == claim.fund,
            FundCeiling.purpose == claim.purpose,
            FundCeiling.set_at <= claim.requested_at,
        )
        .order_by(FundCeiling.id.desc())
        .limit(1)
    ).one_or_none()
    ceiling = Ceiling(*row) if row else None
    return funds.exceeds(claim.amount_satang, _asked_before(session, claim), ceiling)


def _asked_before(session: Session, claim: FundClaim) -> int:
    """What the same household had asked for earlier in the year, and was not refused."""
    if claim.household_id is None:
        return 0
    amounts = session.scalars(
        select(FundClaim.amount_satang).where(
            FundClaim.community_id == claim.community_id,
            FundClaim.fund == claim.fund,
            FundClaim.purpose == claim.purpose,
            FundClaim.household_id == claim.household_id,
            FundClaim.state != ClaimState.REFUSED,
            FundClaim.requested_at >= _new_year(session, claim),
            FundClaim.id < claim.id,
        )
    )
    return sum(amounts)


def _new_year(session: Session, claim: FundClaim) -> datetime:
    zone = get_zone(session, claim.community_id)
    first = village_day(claim.requested_at, zone).replace(month=1, day=1)
    return to_instant(first, time(0), zone)
