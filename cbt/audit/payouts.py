"""Payouts to households: each step of the records stands in the books, and two people stand for it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.audit.compare import compare_entry
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.entries import Draft
from cbt.ledger.models import Entry
from cbt.revenue.paying_out import BatchState, LineState, Step, payout_draft
from cbt.revenue.payout_models import PayoutBatch, PayoutLine, PayoutReceipt, PayoutStep
from cbt.revenue.payout_queries import list_payout_facts
from cbt.revenue.queries import list_settlements

_ACTOR = "audit"
_KINDS = tuple(f"payout_{step}" for step in Step)
_STEPS = {
    LineState.DRAFTED: set(),
    LineState.WITHDRAWN: set(),
    LineState.ORDERED: {Step.ORDERED},
    LineState.STOPPED: {Step.ORDERED, Step.STOPPED},
    LineState.PAID: {Step.ORDERED, Step.PAID},
    LineState.CONFIRMED: {Step.ORDERED, Step.PAID},
    LineState.RETURNED: {Step.ORDERED, Step.PAID, Step.RETURNED},
}


def check_payouts(session: Session, community: CommunityCard) -> Outcome:
    """Each step of each payout is in the books; what is under way is what was ordered and not paid."""
    expected = list_payout_drafts(session, community)
    entries = ledger.stream_entries(session, community.book_id, Entry.kind.in_(_KINDS))
    posted = {entry.draft.key: entry.draft for entry in entries}
    findings = [
        finding
        for key, draft in expected.items()
        for finding in compare_entry(posted.get(key), draft)
    ]
    lines, odd = _unlike_their_steps(session, community)
    findings += odd
    findings += _by_one_person(session, community)
    findings += _under_way(session, community)
    count = len(list_settlements(session, community.id)) + lines
    return Outcome(Check.PAYOUTS, count, tuple(findings))


def list_payout_drafts(session: Session, community: CommunityCard) -> dict[str, Draft]:
    """The entries that the steps of payouts call for, by key."""
    drafts = [payout_draft(facts, _ACTOR) for facts in list_payout_facts(session, community.id)]
    return {draft.key: draft for draft in drafts}


def _unlike_their_steps(session: Session, community: CommunityCard) -> tuple[int, list[Finding]]:
    """(lines looked at, lines that are said to be somewhere else than their steps took them)."""
    steps: dict[int, dict[str, int]] = {}
    for line_id, step, amount in session.execute(
        select(PayoutStep.line_id, PayoutStep.step, PayoutStep.amount_satang).where(
            PayoutStep.community_id == community.id
        )
    ):
        steps.setdefault(line_id, {})[step] = amount
    confirmed = set(session.scalars(select(PayoutReceipt.line_id)))
    rows = session.execute(
        select(PayoutLine.id, PayoutLine.state, PayoutLine.amount_satang)
        .join(PayoutBatch, PayoutBatch.id == PayoutLine.batch_id)
        .where(PayoutBatch.community_id == community.id)
        .order_by(PayoutLine.id)
    ).all()
    findings = []
    for line_id, state, amount in rows:
        own = steps.get(line_id, {})
        fits = set(own) == _STEPS[LineState(state)] and set(own.values()) <= {amount}
        if not fits or (state == LineState.CONFIRMED) > (line_id in confirmed):
            findings.append(Finding(Fault.PAYOUT_STATE, f"payout:{line_id}", {}))
    return len(rows), findings


def _by_one_person(session: Session, community: CommunityCard) -> list[Finding]:
    rows = session.scalars(
        select(PayoutBatch.number).where(
            PayoutBatch.community_id == community.id,
            PayoutBatch.state == BatchState.APPROVED,
            PayoutBatch.drafted_by == PayoutBatch.decided_by,
        )
    )
    return [Finding(Fault.PAYOUT_ONE_PERSON, f"batch:{number}", {}) for number in rows]


def _under_way(session: Session, community: CommunityCard) -> list[Finding]:
    ordered = session.scalars(
        select(PayoutLine.amount_satang)
        .join(PayoutBatch, PayoutBatch.id == PayoutLine.batch_id)
        .where(PayoutBatch.community_id == community.id, PayoutLine.state == LineState.ORDERED)
    )
    computed = sum(ordered)
    booked = ledger.summed_balances(session, community.book_id).get(chart.PAYOUT_TRANSIT, 0)
    if booked == computed:
        return []
    values = {"posted_satang": booked, "computed_satang": computed}
    return [Finding(Fault.TRANSIT_DIFFERS, f"account:{chart.PAYOUT_TRANSIT}", values)]
