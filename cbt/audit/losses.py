"""What was taken back of shares, what households paid of it, and what people put right."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.audit.compare import compare_entry, compare_facts
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.bookings.models import Booking
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.entries import Draft
from cbt.ledger.models import Entry
from cbt.revenue import losses
from cbt.revenue.corrections import CorrectionState, correction_draft
from cbt.revenue.models import Correction, TakeBack
from cbt.revenue.queries import list_settlements
from cbt.revenue.taking_back import TakeBackFacts, recovery_draft, take_back_draft, take_back_input

KINDS = ("take_back", "recovery", "correction")
_ACTOR = "audit"


def check_losses(session: Session, community: CommunityCard) -> Outcome:
    """Each loss after the sharing-out is borne as the rule says, and each debt paid as recorded.

    What the books say guests got back of shared-out money is what nobody bears yet by the records.
    """
    taken = _list_taken(session, community)
    expected = _drafts(session, community, taken)
    entries = ledger.stream_entries(session, community.book_id, Entry.kind.in_(KINDS))
    posted = {entry.draft.key: entry.draft for entry in entries}
    findings = _unlike_their_facts(session, community, taken)
    for key, draft in expected.items():
        findings += compare_entry(posted.get(key), draft)
    open_losses = losses.list_open_losses(session, Booking.community_id == community.id)
    computed = sum(each.lost_satang + each.cost_satang for each in open_losses)
    booked = ledger.summed_balances(session, community.book_id).get(chart.GIVEN_BACK, 0)
    if booked != computed:
        values = {"posted_satang": booked, "computed_satang": computed}
        findings.append(Finding(Fault.LOSS_DIFFERS, f"account:{chart.GIVEN_BACK}", values))
    count = len(list_settlements(session, community.id)) + len(expected)
    return Outcome(Check.LOSSES, count, tuple(findings))


def list_loss_drafts(session: Session, community: CommunityCard) -> dict[str, Draft]:
    """The entries that losses, recoveries and agreed corrections call for, by key."""
    return _drafts(session, community, _list_taken(session, community))


def _list_taken(session: Session, community: CommunityCard) -> dict[int, list[TakeBackFacts]]:
    ids = session.scalars(
        select(TakeBack.booking_id).where(TakeBack.community_id == community.id).distinct()
    ).all()
    return losses.list_take_backs(session, ids, community.zone)


def _drafts(
    session: Session, community: CommunityCard, taken: dict[int, list[TakeBackFacts]]
) -> dict[str, Draft]:
    drafts = [take_back_draft(facts, _ACTOR) for group in taken.values() for facts in group]
    drafts += [
        recovery_draft(facts, _ACTOR)
        for facts in losses.list_recovery_facts(session, community.id, community.zone)
    ]
    agreed = session.scalars(
        select(Correction).where(
            Correction.community_id == community.id, Correction.state == CorrectionState.AGREED
        )
    )
    drafts += [
        correction_draft(losses.correction_facts(each, community.zone), _ACTOR) for each in agreed
    ]
    return {draft.key: draft for draft in drafts}


def _unlike_their_facts(
    session: Session, community: CommunityCard, taken: dict[int, list[TakeBackFacts]]
) -> list[Finding]:
    """Take-backs whose facts do not read any more as they did when they were posted."""
    rows = session.execute(
        select(TakeBack.booking_id, TakeBack.number, TakeBack.facts).where(
            TakeBack.community_id == community.id
        )
    )
    told = {(row.booking_id, row.number): row.facts for row in rows}
    findings: list[Finding] = []
    for booking_id, group in taken.items():
        for place, facts in enumerate(group, start=1):
            subject = f"booking:{facts.reference}"
            if facts.number != place:
                findings.append(Finding(Fault.CHAIN_GAP, subject, {"first": place, "last": place}))
            text = told[booking_id, facts.number]
            findings += compare_facts(subject, text, take_back_input(facts))
    return findings
