"""What the audit says, as the plain values that the close of a month is handed.

Where months are closed (cbt/revenue) nothing is known of the audit above it: a door brings this down.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Outcome, Result
from cbt.audit.verify import verify
from cbt.communities.records import CommunityCard
from cbt.db import snapshot
from cbt.ledger.queries import get_book
from cbt.revenue.close_facts import AuditFacts

_RECOMPUTED = (Check.SPLITS, Check.SHARING)


def run_audit(community: CommunityCard) -> AuditFacts:
    """Run every check on one state of the database, before the close opens its transaction."""
    with snapshot() as session:
        return sum_up(session, community, verify(session, community))


def sum_up(session: Session, community: CommunityCard, outcomes: Sequence[Outcome]) -> AuditFacts:
    """What a close needs of the audit. A check that had nothing to look at stops nothing here."""
    by_check = {outcome.check: outcome for outcome in outcomes}
    recomputed = [by_check[check] for check in _RECOMPUTED]
    return AuditFacts(
        is_clean=all(outcome.result != Result.FAIL for outcome in outcomes),
        audited_seq=get_book(session, community.book_id).head_seq,
        faults=sum(len(outcome.findings) for outcome in outcomes),
        recomputed=sum(outcome.looked_at for outcome in recomputed),
        differing=sum(len(outcome.findings) for outcome in recomputed),
        changed=len(by_check[Check.CHAIN].findings),
    )
