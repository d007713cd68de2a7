"""Recomputing every split and sharing-out from facts alone, and comparing with what was posted.

The facts are bookings, captures, costs, service records and adopted policies. The legs under
examination are never read to compute what they ought to be.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.communities.queries import CommunityCard
from cbt.errors import CbtError
from cbt.ledger import queries as ledger
from cbt.ledger.entries import Draft
from cbt.ledger.models import Entry
from cbt.revenue import posting, queries
from cbt.revenue.posting import BookingFacts, SharingFacts
from cbt.revenue.queries import SettlementCard

_AT_ONCE = 200  # settlements held in memory at a time
_ACTOR = "audit"


@dataclass(frozen=True)
class Row:
    """An account, what the books say flowed into it, and what the facts say ought to. In satang."""

    account: str
    posted_satang: int
    computed_satang: int

    @property
    def is_equal(self) -> bool:
        return self.posted_satang == self.computed_satang


def check_splits(session: Session, community: CommunityCard) -> Outcome:
    """Each settled booking's posted split is what the rule gives for its facts."""
    findings: list[Finding] = []
    known: set[str] = set()
    for settlements in _settlements(session, community.id):
        facts = _flat(
            queries.list_booking_facts(session, [each.departure_id for each in settlements])
        )
        subjects = [posting.booking_subject(each.reference) for each in facts]
        known.update(subjects)
        posted = _posted(session, community.book_id, "split", subjects)
        for each, subject in zip(facts, subjects, strict=True):
            findings += compare_split(each, posted.get(subject))
    for subject in _subjects(session, community.book_id, "split") - known:
        findings.append(Finding(Fault.SPLIT_UNEXPLAINED, subject, {}))
    return Outcome(Check.SPLITS, len(known), tuple(findings))


def compare_split(facts: BookingFacts, posted: Draft | None) -> list[Finding]:
    """What is wrong with a booking's posted split."""
    subject = posting.booking_subject(facts.reference)
    if posted is None:
        return [Finding(Fault.SPLIT_MISSING, subject, {})]
    try:
        computed = posting.split_draft(facts, _ACTOR)
    except CbtError as error:
        return [Finding(Fault.UNREADABLE, subject, {"error": type(error).__name__})]
    findings = []
    if posted.policy_hash != computed.policy_hash:
        values = {"posted": posted.policy_hash[:12], "sold_under": computed.policy_hash[:12]}
        findings.append(Finding(Fault.SPLIT_POLICY_DIFFERS, subject, values))
    findings += _differences(Fault.SPLIT_DIFFERS, subject, posted, computed)
    if not findings and posted.input_hash != computed.input_hash:
        findings.append(Finding(Fault.FACTS_UNFIT, subject, {}))
    return findings


def check_sharing(session: Session, community: CommunityCard) -> Outcome:
    """Each departure's sharing-out is what the rule gives for its pool and its service records."""
    findings: list[Finding] = []
    known: set[str] = set()
    for settlements in _settlements(session, community.id):
        facts = queries.list_sharing_facts(
            session, {each.departure_id: (each.number, each.service_on) for each in settlements}
        )
        subjects = [posting.departure_subject(each.departure_id) for each in settlements]
        known.update(subjects)
        posted = _posted(session, community.book_id, "sharing_out", subjects)
        for each, subject in zip(settlements, subjects, strict=True):
            findings += compare_sharing(each, facts[each.departure_id], posted.get(subject))
    for subject in _subjects(session, community.book_id, "sharing_out") - known:
        findings.append(Finding(Fault.SHARING_UNEXPLAINED, subject, {}))
    return Outcome(Check.SHARING, len(known), tuple(findings))


def compare_sharing(
    settlement: SettlementCard, facts: SharingFacts, posted: Draft | None
) -> list[Finding]:
    """What is wrong with a departure's posted sharing-out, and with the facts it was made from."""
    subject = posting.departure_subject(settlement.departure_id)
    findings = _changed_facts(subject, settlement.facts, posting.sharing_input(facts))
    if posted is None:
        return [*findings, Finding(Fault.SHARING_MISSING, subject, {})]
    try:
        computed = posting.sharing_draft(facts, _ACTOR)
    except CbtError as error:
        values = {"error": type(error).__name__}
        return [*findings, Finding(Fault.UNREADABLE, subject, values)]
    findings += _differences(Fault.SHARING_DIFFERS, subject, posted, computed)
    if not findings and posted.input_hash != computed.input_hash:
        findings.append(Finding(Fault.FACTS_UNFIT, subject, {}))
    return findings


def compare_accounts(posted: Draft | None, computed: Draft | None) -> list[Row]:
    """Posted beside computed, account by account, in the order of the computed legs."""
    left, right = _by_account(posted), _by_account(computed)
    return [
        Row(account, left.get(account, 0), right.get(account, 0)) for account in {**right, **left}
    ]


def find_posted(session: Session, book_id: int, kind: str, subject: str) -> Draft | None:
    return _posted(session, book_id, kind, [subject]).get(subject)


def _changed_facts(subject: str, settled: str, now: str) -> list[Finding]:
    before, after = Counter(settled.splitlines()), Counter(now.splitlines())
    if before == after:
        return []
    values = {"changed": ", ".join(before - after), "now": ", ".join(after - before)}
    return [Finding(Fault.FACTS_CHANGED, subject, values)]


def _differences(fault: Fault, subject: str, posted: Draft, computed: Draft) -> list[Finding]:
    return [
        Finding(
            fault,
            subject,
            {
                "account": row.account,
                "posted": row.posted_satang,
                "computed": row.computed_satang,
            },
        )
        for row in compare_accounts(posted, computed)
        if not row.is_equal
    ]


def _by_account(draft: Draft | None) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for leg in draft.legs if draft else ():
        amounts[leg.target] = amounts.get(leg.target, 0) + leg.amount_satang
    return amounts


def _settlements(session: Session, community_id: int) -> Iterator[list[SettlementCard]]:
    every = queries.list_settlements(session, community_id)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


def _flat(facts: dict[int, list[BookingFacts]]) -> list[BookingFacts]:
    return [each for group in facts.values() for each in group]


def _posted(session: Session, book_id: int, kind: str, subjects: Iterable[str]) -> dict[str, Draft]:
    return {
        entry.draft.subject: entry.draft
        for entry in ledger.list_entries_about(session, book_id, *subjects)
        if entry.draft.kind == kind
    }


def _subjects(session: Session, book_id: int, kind: str) -> set[str]:
    return set(
        session.scalars(select(Entry.subject).where(Entry.book_id == book_id, Entry.kind == kind))
    )
