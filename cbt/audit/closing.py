"""What the audit says, as the plain values that the close of a month is handed.

Where months are closed (cbt/revenue) nothing is known of the audit above it: a door brings this down.
Each run's outcome is kept; a page may show it again while the books have no newer entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy.orm import Session

from cbt.audit.drift import Drift
from cbt.audit.findings import Check, Outcome
from cbt.audit.models import KeptAudit
from cbt.audit.verify import verify
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import snapshot, transaction
from cbt.ledger.queries import get_book
from cbt.revenue.close_facts import AuditFacts

_RECOMPUTED = (Check.SPLITS, Check.SHARING)
KEPT_FOR = timedelta(minutes=10)
"""Facts can change without an entry, so that an outcome is shown again for so long at most."""


@dataclass(frozen=True)
class Audited:
    """What a run said: the values for a close, each household's drift, and when it was made."""

    facts: AuditFacts
    drifts: tuple[Drift, ...]
    run_at: datetime


def run_audit(community: CommunityCard, now: datetime) -> Audited:
    """Run every check on one state of the database, before the close opens its transaction; keep it."""
    with snapshot() as session:
        outcomes = verify(session, community)
        book = get_book(session, community.book_id)
        audited = Audited(sum_up(session, community, outcomes), _drifts_of(outcomes), now)
    with transaction() as session:
        lock_community(session, community.id)  # two runs at once keep one row
        session.merge(
            KeptAudit(
                community_id=community.id,
                entry_seq=book.head_seq,
                entry_hash=book.head_hash,
                run_at=now,
                outcomes=[_kept(each) for each in outcomes],
            )
        )
    return audited


def latest_audit(community: CommunityCard, now: datetime) -> Audited:
    """The kept outcome of a clean run, or, where an entry came since or it is too old, a new run.

    What found a fault is never shown again unseen: it is run anew, since the fault may be mended.
    """
    with snapshot() as session:
        kept = session.get(KeptAudit, community.id)
        book = get_book(session, community.book_id)
        if kept is not None and _still_says(kept, book.head_seq, book.head_hash, now):
            outcomes = [_read(each) for each in kept.outcomes]
            facts = _facts(outcomes, kept.entry_seq)
            if facts.is_clean:
                return Audited(facts, _drifts_of(outcomes), kept.run_at)
    return run_audit(community, now)


def _still_says(kept: KeptAudit, head_seq: int, head_hash: str, now: datetime) -> bool:
    is_of_head = (kept.entry_seq, kept.entry_hash) == (head_seq, head_hash)
    return is_of_head and timedelta(0) <= now - kept.run_at < KEPT_FOR


def sum_up(session: Session, community: CommunityCard, outcomes: Sequence[Outcome]) -> AuditFacts:
    """What a close needs of the audit. A check that had nothing to look at stops nothing here."""
    counted = [_Counted(each.check, each.looked_at, len(each.findings)) for each in outcomes]
    return _facts(counted, get_book(session, community.book_id).head_seq)


# --- what is kept of a check ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Counted:
    """A check's counts. What it found is read from a new run, never from here."""

    check: Check
    looked_at: int
    faults: int
    drifts: tuple[Drift, ...] = ()


def _facts(counted: Sequence[_Counted], entry_seq: int) -> AuditFacts:
    recomputed = [each for each in counted if each.check in _RECOMPUTED]
    return AuditFacts(
        is_clean=not any(each.faults for each in counted),
        audited_seq=entry_seq,
        faults=sum(each.faults for each in counted),
        recomputed=sum(each.looked_at for each in recomputed),
        differing=sum(each.faults for each in recomputed),
        changed=sum(each.faults for each in counted if each.check == Check.CHAIN),
    )


def _drifts_of(outcomes: Sequence[Outcome | _Counted]) -> tuple[Drift, ...]:
    return tuple(drift for outcome in outcomes for drift in outcome.drifts)


def _kept(outcome: Outcome) -> dict[str, Any]:
    return {
        "check": str(outcome.check),
        "looked_at": outcome.looked_at,
        "faults": len(outcome.findings),
        "drifts": [
            [each.household, str(each.exact), each.booked_satang] for each in outcome.drifts
        ],
    }


def _read(kept: dict[str, Any]) -> _Counted:
    return _Counted(
        Check(kept["check"]),
        kept["looked_at"],
        kept["faults"],
        tuple(
            Drift(household, Fraction(exact), booked) for household, exact, booked in kept["drifts"]
        ),
    )
