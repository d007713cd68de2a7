"""A bank's reference proves one movement of the community's money only, whatever it was for."""

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from cbt.errors import ReferenceUsed
from cbt.revenue.fund_models import Contribution, FundClaim, Loan, Repayment
from cbt.revenue.paying_out import Step
from cbt.revenue.payout_models import PayoutStep


def require_new(session: Session, community_id: int, reference: str | None) -> None:
    """Raise ReferenceUsed where a payout, a fund or a loan has this reference already. A step.

    Needs the community's lock. Cash has no reference.
    """
    if reference is None:
        return
    known = union_all(
        select(PayoutStep.line_id).where(
            PayoutStep.community_id == community_id,
            PayoutStep.step == Step.PAID,
            PayoutStep.bank_reference == reference,
        ),
        *(
            select(table.id).where(
                table.community_id == community_id, table.bank_reference == reference
            )
            for table in (Contribution, FundClaim, Loan)
        ),
        select(Repayment.id)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(Loan.community_id == community_id, Repayment.bank_reference == reference),
    )
    if session.execute(known.limit(1)).first() is not None:
        raise ReferenceUsed(reference=reference)
