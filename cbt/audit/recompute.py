"""Recomputing every entry from facts alone, and comparing with what was posted.

The facts are bookings, payments, costs, service records and adopted policies. The entries under
examination are never read to compute what they ought to be.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from cbt.audit.clearing import list_unlike_their_lists
from cbt.audit.compare import Row, compare_accounts, compare_entry, compare_facts
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.audit.funds import list_fund_drafts
from cbt.audit.losses import list_loss_drafts
from cbt.audit.payouts import list_payout_drafts
from cbt.communities.records import CommunityCard
from cbt.db import Condition
from cbt.ledger import queries as ledger
from cbt.ledger.entries import Draft
from cbt.ledger.models import Entry
from cbt.payments.drafts import list_money_drafts
from cbt.revenue import posting, queries
from cbt.revenue.posting import BookingFacts, SharingFacts
from cbt.revenue.records import SettlementCard

log = logging.getLogger("cbt.audit")

Facts = TypeVar("Facts")

_AT_ONCE = 200  # settlements held in memory at a time
_ACTOR = "audit"
_MONEY = (
    *("capture", "fee", "refund", "refund_return", "refund_by_bank", "credit", "credit_use"),
    *("dispute", "dispute_fee", "dispute_won", "dispute_lost", "dispute_reinstated"),
    *("cash_count", "cash_banked", "cash_cleared"),
    *("payout", "payout_failed", "suspense", "suspense_cleared"),
)


# --- the checks ----------------------------------------------------------------------------------


def check_money(session: Session, community: CommunityCard) -> Outcome:
    """Each payment, fee, refund, dispute and credit stands in the books as its record calls for.

    And the books of each payment service are what it lists itself.
    """
    expected = list_money_drafts(session, community.id)
    posted = _posted(session, community, Entry.kind.in_(_MONEY))
    findings = [
        finding
        for key, draft in expected.items()
        for finding in compare_entry(posted.get(key), draft)
    ]
    findings += list_unlike_their_lists(session, community)
    return Outcome(Check.MONEY, len(expected), tuple(findings))


def check_splits(session: Session, community: CommunityCard) -> Outcome:
    """Each settled booking's posted split is what the rule gives for its facts."""
    findings: list[Finding] = []
    count = 0
    for settlements in _settlements(session, community.id):
        drafts = _splits(session, settlements)
        count += len(drafts)
        posted = _posted(session, community, Entry.key.in_(drafts))
        for key, draft in drafts.items():
            findings += compare_entry(posted.get(key), draft)
    return Outcome(Check.SPLITS, count, tuple(findings))


def check_sharing(session: Session, community: CommunityCard) -> Outcome:
    """Each departure's sharing-out is what the rule gives for its pool and its service records."""
    findings: list[Finding] = []
    count = 0
    for settlements in _settlements(session, community.id):
        count += len(settlements)
        facts = _sharing_facts(session, settlements)
        drafts = [posting.sharing_draft(facts[each.departure_id], _ACTOR) for each in settlements]
        posted = _posted(session, community, Entry.key.in_([draft.key for draft in drafts]))
        for each, draft in zip(settlements, drafts, strict=True):
            findings += _compare_record(each, facts[each.departure_id])
            findings += compare_entry(posted.get(draft.key), draft)
    return Outcome(Check.SHARING, count, tuple(findings))


def check_entries(session: Session, community: CommunityCard) -> Outcome:
    """Every entry is one that some fact calls for, and stands there once."""
    called_for = _called_for(session, community)
    findings = []
    count = 0
    times: Counter[str] = Counter()
    for entry in ledger.stream_entries(session, community.book_id):
        count += 1
        times[entry.draft.key] += 1
        values = {
            "kind": entry.draft.kind,
            "about": entry.draft.subject,
            "amount_satang": entry.amount_satang,
        }
        if entry.draft.key not in called_for:
            findings.append(Finding(Fault.ENTRY_UNEXPLAINED, f"entry:{entry.seq}", values))
        elif times[entry.draft.key] > 1:
            findings.append(Finding(Fault.ENTRY_DOUBLED, f"entry:{entry.seq}", values))
    return Outcome(Check.ENTRIES, count, tuple(findings))


# --- one thing, for a page -----------------------------------------------------------------------


@dataclass(frozen=True)
class Recomputed(Generic[Facts]):
    """An entry beside its recomputation. Facts and what they give are None where damaged."""

    facts: Facts | None
    posted: Draft | None
    computed: Draft | None
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> list[Row]:
        return compare_accounts(self.posted, self.computed)


def recompute_split(
    session: Session, community: CommunityCard, departure_id: int, reference: str
) -> Recomputed[BookingFacts]:
    """The split of a paid booking, whether posted yet or not."""
    posted = _find_posted(session, community, posting.split_key(reference))

    def read() -> tuple[BookingFacts, Draft]:
        facts = queries.get_booking_facts(session, departure_id, reference)
        return facts, posting.split_draft(facts, _ACTOR)

    return _recompute(posting.booking_subject(reference), posted, read)


def recompute_sharing(
    session: Session, community: CommunityCard, settlement: SettlementCard
) -> Recomputed[SharingFacts]:
    posted = _find_posted(session, community, posting.sharing_key(settlement.departure_id))

    def read() -> tuple[SharingFacts, Draft]:
        facts = _sharing_facts(session, [settlement])[settlement.departure_id]
        return facts, posting.sharing_draft(facts, _ACTOR)

    subject = posting.departure_subject(settlement.departure_id)
    recomputed = _recompute(subject, posted, read)
    if recomputed.facts is None:
        return recomputed
    changed = _compare_record(settlement, recomputed.facts)
    return Recomputed(
        recomputed.facts, posted, recomputed.computed, (*changed, *recomputed.findings)
    )


def _recompute(
    subject: str, posted: Draft | None, read: Callable[[], tuple[Facts, Draft]]
) -> Recomputed[Facts]:
    try:
        facts, computed = read()
    except Exception:  # whatever a damaged record makes of it, the reader sees the damage
        log.exception("%s cannot be recomputed", subject)
        return Recomputed(None, posted, None, (Finding(Fault.UNREADABLE, subject, {}),))
    return Recomputed(facts, posted, computed, tuple(compare_entry(posted, computed)))


# --- reading -------------------------------------------------------------------------------------


def _splits(session: Session, settlements: list[SettlementCard]) -> dict[str, Draft]:
    """The splits that some settlements call for, by key."""
    facts = queries.list_booking_facts(session, [each.departure_id for each in settlements])
    drafts = [posting.split_draft(each, _ACTOR) for group in facts.values() for each in group]
    return {draft.key: draft for draft in drafts}


def _called_for(session: Session, community: CommunityCard) -> set[str]:
    """The keys of all entries that the records call for."""
    keys = {*list_money_drafts(session, community.id), *list_loss_drafts(session, community)}
    keys.update(list_payout_drafts(session, community))
    keys.update(list_fund_drafts(session, community))
    for settlements in _settlements(session, community.id):
        ids = [each.departure_id for each in settlements]
        keys.update(posting.sharing_key(departure_id) for departure_id in ids)
        for group in queries.list_booking_facts(session, ids).values():
            keys.update(posting.split_key(facts.reference) for facts in group)
    return keys


def _sharing_facts(session: Session, settlements: list[SettlementCard]) -> dict[int, SharingFacts]:
    return queries.list_sharing_facts(
        session, {each.departure_id: (each.number, each.service_on) for each in settlements}
    )


def _compare_record(settlement: SettlementCard, facts: SharingFacts) -> list[Finding]:
    subject = posting.departure_subject(settlement.departure_id)
    return compare_facts(subject, settlement.facts, posting.sharing_input(facts))


def _settlements(session: Session, community_id: int) -> Iterator[list[SettlementCard]]:
    every = queries.list_settlements(session, community_id)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


def _posted(session: Session, community: CommunityCard, condition: Condition) -> dict[str, Draft]:
    entries = ledger.stream_entries(session, community.book_id, condition)
    return {entry.draft.key: entry.draft for entry in entries}


def _find_posted(session: Session, community: CommunityCard, key: str) -> Draft | None:
    return _posted(session, community, Entry.key == key).get(key)
