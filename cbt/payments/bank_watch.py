"""What the bank ought to show and does not, on days that a statement covers: both ways, in and out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.records import CommunityCard
from cbt.db import db, transaction
from cbt.payments import matching
from cbt.payments.bank_statements import Covered, list_covered
from cbt.payments.bank_targets import Known, Target, TargetCard, TargetKind, list_known
from cbt.payments.open_lines import list_rivals, propose
from cbt.payments.payouts import payout_key
from cbt.payments.reported import WorkItem, WorkKind

ARRIVES_WITHIN = timedelta(days=3)
"""How long after its day a payout, or cash that was brought, may be missing in the statement."""

LEAVES_WITHIN = timedelta(days=1)
"""How long after somebody noted it a refund may be missing there."""

WATCHED_FOR = timedelta(days=60)
"""How far back the bank's statements are searched for what they ought to show."""

_KINDS = {
    TargetKind.ATTEMPT: WorkKind.TRANSFER_NOT_SEEN,
    TargetKind.PAYOUT: WorkKind.PAYOUT_NOT_SEEN,
    TargetKind.REFUND: WorkKind.REFUND_NOT_SEEN,
    TargetKind.CASH: WorkKind.CASH_NOT_SEEN,
}


@dataclass(frozen=True)
class _Missing:
    """Something that the bank's statement does not show though it covers its days."""

    kind: WorkKind
    key: str
    facts: dict[str, object]


def watch(community: CommunityCard, now: datetime) -> int:
    """Open work for transfers, payouts, banked cash and refunds that the bank's statements do not show.

    Only days that a statement covers are held against it, and what an undecided line could be is not
    missed. Returns how many were new; where none is, nothing is written.
    """
    session = db.session()
    today = village_day(now, community.zone)
    covered = list_covered(session, community.id, today - WATCHED_FOR)
    if not covered:
        db.session.rollback()
        return 0
    missing = [_missing(each) for each in list_missing(session, community, covered)]
    keys = [each.key for each in missing]
    known = set(session.scalars(select(WorkItem.key).where(WorkItem.key.in_(keys))))
    db.session.rollback()
    new = [each for each in missing if each.key not in known]
    if new:
        with transaction() as writing:
            writing.execute(
                insert(WorkItem),
                [
                    {
                        "community_id": community.id,
                        "kind": each.kind,
                        "key": each.key,
                        "facts": each.facts,
                        "opened_at": now,
                    }
                    for each in new
                ],
            )
    return len(new)


def list_missing(
    session: Session, community: CommunityCard, spans: list[Covered]
) -> list[TargetCard]:
    """What statements of some days ought to show, no line of them is, and no open one could be."""
    zone = community.zone
    known = list_known(session, community, spans[0].first_on)
    due = {each for span in spans for each in _list_due(known, span, zone)}
    if not due:
        return []
    amounts = {known.cards[each].amount_satang for each in due}
    lines = list_rivals(session, community.id, known, due, amounts, most=None)
    possible = {
        Target(kind, each)
        for kind, proposal in propose(lines, known, zone).values()
        for each in (proposal.target_id, *proposal.candidates)
        if each is not None
    }
    confirmed = [each for each in known.payments if each.confirmed_at is not None]
    shown = {  # a line that open codes contend for may still be a confirmed one
        Target(TargetKind.ATTEMPT, each.target_id)
        for each in matching.match_payments(lines, confirmed, zone).proposals
        if each.target_id is not None
    }
    return [known.cards[each] for each in sorted(due - possible - shown, key=str)]


def _list_due(known: Known, span: Covered, zone: str) -> Iterator[Target]:
    """What must have been in the account within a span, and no line is known for."""
    for payment in known.payments:
        if payment.confirmed_at is not None and not payment.is_seen:
            confirmed_on = village_day(payment.confirmed_at, zone)
            if (
                span.first_on <= village_day(payment.opened_at, zone)
                and confirmed_on <= span.last_on
            ):
                yield Target(TargetKind.ATTEMPT, payment.attempt_id)
    for kind, arriving in ((TargetKind.PAYOUT, known.payouts), (TargetKind.CASH, known.cash)):
        for each in arriving:
            is_due = span.first_on <= each.expected_on <= span.last_on - ARRIVES_WITHIN
            if is_due and not each.is_seen:
                yield Target(kind, each.payout_id)
    for refund in known.refunds:
        asked_on = village_day(refund.requested_at, zone)
        made_on = village_day(refund.done_at or refund.requested_at, zone)
        is_due = span.first_on <= asked_on and made_on <= span.last_on - LEAVES_WITHIN
        if is_due and not refund.is_seen:
            yield Target(TargetKind.REFUND, refund.refund_id)


def not_seen_key(card: TargetCard) -> str:
    """What the work goes by that something missing in the bank is."""
    if card.target.kind == TargetKind.PAYOUT:
        return f"not_seen:{payout_key(card.provider, card.reference)}"
    return f"not_seen:{card.target}"


def _missing(card: TargetCard) -> _Missing:
    is_payout = card.target.kind == TargetKind.PAYOUT
    facts: dict[str, object] = {
        "amount_satang": card.amount_satang,
        "on": card.on.isoformat(),
        "name" if is_payout else "reference": card.reference,
    }
    if is_payout:
        facts["provider"] = card.provider
    return _Missing(_KINDS[card.target.kind], not_seen_key(card), facts)
