"""Every check over one community."""

import logging
from collections.abc import Callable

from sqlalchemy.orm import Session

from cbt.audit import (
    books,
    closed_periods,
    facts,
    funds,
    losses,
    payouts,
    recompute,
    rounding,
    work,
)
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.communities.records import CommunityCard

log = logging.getLogger("cbt.audit")

_CHECKS: dict[Check, Callable[[Session, CommunityCard], Outcome]] = {
    Check.CHAIN: lambda session, community: books.check_chain(session, community.book_id),
    Check.LEGS: lambda session, community: books.check_legs(session, community.book_id),
    Check.BALANCES: lambda session, community: books.check_balances(session, community.book_id),
    Check.MONEY: recompute.check_money,
    Check.DEPOSITS: facts.check_deposits,
    Check.SPLITS: recompute.check_splits,
    Check.SHARING: recompute.check_sharing,
    Check.DRIFT: rounding.check_drift,
    Check.LOSSES: losses.check_losses,
    Check.PAYOUTS: payouts.check_payouts,
    Check.FUNDS: funds.check_funds,
    Check.ENTRIES: recompute.check_entries,
    Check.POLICIES: facts.check_policies,
    Check.PLACES: facts.check_places,
    Check.SLOTS: facts.check_slots,
    Check.RECEIPTS: facts.check_receipts,
    Check.SHARES: work.check_shares,
    Check.WORK: work.check_work,
    Check.PERIODS: closed_periods.check_periods,
    Check.STATEMENTS: closed_periods.check_statements,
}


def verify(session: Session, community: CommunityCard) -> tuple[Outcome, ...]:
    """Run all checks, in their order. Reads only; never stops at the first fault."""
    return tuple(_run(check, session, community) for check in _CHECKS)


def _run(check: Check, session: Session, community: CommunityCard) -> Outcome:
    try:
        return _CHECKS[check](session, community)
    except Exception:  # a record so damaged that the check cannot read it is a finding as well
        log.exception("the check %s of %s cannot be made", check, community.slug)
        return Outcome(check, 0, (Finding(Fault.UNREADABLE, "book", {}),))
