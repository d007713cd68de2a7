"""Closing a month: one person prepares, a second one confirms, and then it is closed for good.

docs/algorithms/periods.md says what belongs to a period, docs/decisions/018-periods-and-signatures.md
why a close goes like this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import (
    CloseBlocked,
    ExplanationMissing,
    NotFound,
    PreviewOutdated,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import queries as ledger
from cbt.ledger import services as books
from cbt.ledger.models import Entry
from cbt.revenue import merkle, periods
from cbt.revenue.close_facts import (
    AuditFacts,
    Figures,
    People,
    Step,
    get_figures,
    list_steps,
)
from cbt.revenue.close_rules import answers_text
from cbt.revenue.closed import (
    CloseDraft,
    HouseholdStatement,
    Period,
    PeriodBalance,
    PeriodRule,
    PeriodSignature,
)
from cbt.revenue.keys import platform_key_row
from cbt.revenue.period_queries import (
    DraftCard,
    entries_of,
    find_draft,
    list_answers,
    list_closes,
    list_periods,
)
from cbt.revenue.rule_facts import get_answers
from cbt.revenue.rulebook import Answer
from cbt.revenue.signing import PlatformKey, SignerRole
from cbt.revenue.statement_text import (
    PeriodFacts,
    digest_of,
    leaf_of,
    record_text,
    seal_text,
    statement_text,
)

MOST_WORDS = 600
NONE_BEFORE = "-"


@dataclass(frozen=True)
class Look:
    """What a treasurer sees before a close: steps, figures, rules, and a draft that waits."""

    month: date
    steps: tuple[Step, ...]
    figures: Figures
    answers: tuple[Answer, ...]
    draft: DraftCard | None
    explained_before: Mapping[str, str]

    @property
    def may_close(self) -> bool:
        return all(step.is_done for step in self.steps) and not any(
            answer.stops for answer in self.answers
        )


def next_month_to_close(session: Session, community: CommunityCard) -> date | None:
    """The oldest open month, or None while the books hold nothing."""
    first_on = ledger.find_first_day(session, community.book_id)
    return periods.next_to_close(list_closes(session, community.id), first_on)


def look(
    session: Session,
    community: CommunityCard,
    month: date,
    audit: AuditFacts,
    person_id: int,
    exemption_until: date | None,
    now: datetime,
) -> Look:
    """How a month stands before it is closed; writes nothing."""
    figures = get_figures(session, community, month)
    draft = find_draft(session, community.id)
    people = People(draft.prepared_by if draft else person_id)
    answers = get_answers(session, community, figures, audit, people, exemption_until, now)
    return Look(
        month=month,
        steps=list_steps(session, community, month, audit, now),
        figures=figures,
        answers=answers,
        draft=draft,
        explained_before=_explained_before(session, community.id),
    )


def _explained_before(session: Session, community_id: int) -> dict[str, str]:
    """What was written for each rule at the last close, as a start for this one."""
    closed = list_periods(session, community_id)[:1]
    return {
        answer.rule: words
        for each in closed
        for answer, words in list_answers(session, each.id)
        if words
    }


def prepare_close(
    community_id: int,
    month: date,
    previewed: str,
    explanations: Mapping[str, str],
    audit: AuditFacts,
    exemption_until: date | None,
    person_id: int,
    now: datetime,
) -> int:
    """The first of two people says that a month can be closed; return the draft's id.

    `previewed` is the fingerprint of the figures that they saw; an earlier draft is withdrawn by a new
    one. Raises NothingToClose, PeriodNotNext, PeriodNotOver, CloseBlocked naming what is open,
    ExplanationMissing naming the rule, or PreviewOutdated; and then writes nothing.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        books.lock_book(session, book_id)
        community = get_community_by_id(session, community_id)
        figures, answers = _require_ready(
            session, community, month, audit, People(person_id), exemption_until, now
        )
        if figures.fingerprint != previewed:
            raise PreviewOutdated
        said = _require_explained(answers, explanations)
        _withdraw(session, community_id, now)
        return session.execute(
            insert(CloseDraft).returning(CloseDraft.id),
            {
                "community_id": community_id,
                "month": month,
                "fingerprint": figures.fingerprint,
                "explanations": said,
                "prepared_by": person_id,
                "prepared_at": now,
            },
        ).scalar_one()


def withdraw_close(community_id: int, now: datetime) -> None:
    """Set a prepared close aside. Raises NotFound when none waits."""
    with transaction() as session:
        lock_community(session, community_id)
        if not _withdraw(session, community_id, now):
            raise NotFound(thing="close")


def _withdraw(session: Session, community_id: int, now: datetime) -> int:
    waiting = (
        CloseDraft.community_id == community_id,
        CloseDraft.used_at.is_(None),
        CloseDraft.withdrawn_at.is_(None),
    )
    done = session.execute(
        update(CloseDraft).where(*waiting).values(withdrawn_at=now).returning(CloseDraft.id)
    )
    return len(done.all())


def close_period(
    community_id: int,
    draft_id: int,
    audit: AuditFacts,
    exemption_until: date | None,
    key: PlatformKey,
    person_id: int,
    now: datetime,
) -> date:
    """The second person confirms, and the month is closed for good; return its first day.

    One transaction under the community's lock: everything is looked at again, then the snapshot, all
    statements, what the rules found, the record and the platform's signature are written. Raises
    NotFound, StateForbids for a draft that was used or withdrawn, SecondPersonNeeded, CloseBlocked,
    PreviewOutdated when a figure changed since it was prepared; and then writes nothing.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        _code, closing_seq, head_hash = books.lock_book(session, book_id)
        community = get_community_by_id(session, community_id)
        draft = _take_draft(session, community_id, draft_id, person_id, now)
        people = People(draft.prepared_by, person_id)
        figures, answers = _require_ready(
            session, community, draft.month, audit, people, exemption_until, now
        )
        if figures.fingerprint != draft.fingerprint:
            raise PreviewOutdated
        explanations = _require_explained(answers, draft.explanations)
        facts = _facts(
            session, community, figures, people, closing_seq, head_hash, answers, explanations
        )
        period_id = _write_period(session, community_id, facts, draft, person_id, now)
        _write_details(session, period_id, figures, answers, explanations)
        _sign(session, period_id, facts, key, now)
        return draft.month


# --- looking again under the lock -----------------------------------------------------------------


def _take_draft(
    session: Session, community_id: int, draft_id: int, person_id: int, now: datetime
) -> CloseDraft:
    """Lock a draft by using it. Raises NotFound, SecondPersonNeeded or StateForbids."""
    draft = session.get(CloseDraft, draft_id)
    if draft is None or draft.community_id != community_id:
        raise NotFound(thing="close")
    if draft.prepared_by == person_id:
        raise SecondPersonNeeded
    taken = session.scalar(
        update(CloseDraft)
        .where(
            CloseDraft.id == draft_id,
            CloseDraft.used_at.is_(None),
            CloseDraft.withdrawn_at.is_(None),
        )
        .values(used_at=now)
        .returning(CloseDraft.id)
    )
    if taken is None:
        raise StateForbids(thing="close", state="decided", wanted="closed")
    return draft


def _require_ready(
    session: Session,
    community: CommunityCard,
    month: date,
    audit: AuditFacts,
    people: People,
    exemption_until: date | None,
    now: datetime,
) -> tuple[Figures, tuple[Answer, ...]]:
    """The figures and answers of a month that may be closed now, or raise what stands in the way."""
    today = village_day(now, community.zone)
    first_on = ledger.find_first_day(session, community.book_id)
    periods.require_closable(month, list_closes(session, community.id), first_on, today)
    for step in list_steps(session, community, month, audit, now):
        if not step.is_done:
            raise CloseBlocked(step=step.code)
    figures = get_figures(session, community, month)
    answers = get_answers(session, community, figures, audit, people, exemption_until, now)
    for answer in answers:
        if answer.stops:
            raise CloseBlocked(step=answer.rule)
    return figures, answers


def _require_explained(
    answers: Sequence[Answer], explanations: Mapping[str, str]
) -> dict[str, str]:
    """The explanation of each warning, trimmed. Raises ExplanationMissing."""
    said = {}
    for answer in answers:
        if not answer.asks:
            continue
        words = " ".join(explanations.get(answer.rule, "").split())[:MOST_WORDS]
        if not words:
            raise ExplanationMissing(rule=answer.rule)
        said[answer.rule] = words
    return said


# --- writing -------------------------------------------------------------------------------------


def _facts(
    session: Session,
    community: CommunityCard,
    figures: Figures,
    people: People,
    closing_seq: int,
    head_hash: str,
    answers: Sequence[Answer],
    explanations: Mapping[str, str],
) -> PeriodFacts:
    closed = list_periods(session, community.id)
    applied = session.scalars(
        select(Entry.policy_hash)
        .where(Entry.book_id == community.book_id, *entries_of(figures.span))
        .distinct()
    )
    policies = {each for hashes in applied for each in hashes.split(",") if each}
    assert people.approver is not None
    return PeriodFacts(
        community=community.slug,
        month=figures.span.month,
        number=len(closed) + 1,
        closing_seq=closing_seq,
        head_hash=head_hash,
        previous=closed[0].record_digest if closed else NONE_BEFORE,
        policies=tuple(sorted(policies)),
        funds=figures.funds,
        balances=figures.balances,
        statement_root=merkle.root_of([leaf_of(head) for head in figures.heads]).hex(),
        statement_count=len(figures.heads),
        rules_digest=digest_of(answers_text(answers, explanations)),
        prepared_by=people.preparer,
        approved_by=people.approver,
    )


def _write_period(
    session: Session,
    community_id: int,
    facts: PeriodFacts,
    draft: CloseDraft,
    person_id: int,
    now: datetime,
) -> int:
    record = record_text(facts)
    return session.execute(
        insert(Period).returning(Period.id),
        {
            "community_id": community_id,
            "number": facts.number,
            "month": facts.month,
            "closing_seq": facts.closing_seq,
            "head_hash": facts.head_hash,
            "statement_root": facts.statement_root,
            "record": record,
            "seal": _seal(facts),
            "prepared_by": draft.prepared_by,
            "prepared_at": draft.prepared_at,
            "approved_by": person_id,
            "closed_at": now,
        },
    ).scalar_one()


def _seal(facts: PeriodFacts) -> str:
    digest = digest_of(record_text(facts))
    return seal_text(
        facts.community, facts.month, digest, facts.statement_root, facts.statement_count
    )


def _write_details(
    session: Session,
    period_id: int,
    figures: Figures,
    answers: Sequence[Answer],
    explanations: Mapping[str, str],
) -> None:
    session.execute(
        insert(PeriodBalance),
        [
            {
                "period_id": period_id,
                "account_id": figures.account_ids[each.account],
                "opening_satang": each.opening_satang,
                "debits_satang": each.debits_satang,
                "credits_satang": each.credits_satang,
                "closing_satang": each.closing_satang,
            }
            for each in figures.balances
        ],
    )
    statements = [
        {
            "period_id": period_id,
            "place": place,
            "household_id": figures.household_ids[head.household],
            "text": statement_text(head, figures.items.get(head.household, ())),
            "leaf_hash": leaf_of(head).hex(),
            "earned_satang": head.earned_satang,
        }
        for place, head in enumerate(figures.heads)
    ]
    if statements:
        session.execute(insert(HouseholdStatement), statements)
    session.execute(
        insert(PeriodRule),
        [
            {
                "period_id": period_id,
                "rule": each.rule,
                "verdict": each.verdict,
                "severity": each.severity,
                "threshold": each.threshold,
                "inputs": dict(each.values),
                "explanation": explanations.get(each.rule, ""),
            }
            for each in answers
        ],
    )


def _sign(
    session: Session, period_id: int, facts: PeriodFacts, key: PlatformKey, now: datetime
) -> None:
    session.execute(
        insert(PeriodSignature),
        {
            "period_id": period_id,
            "role": SignerRole.PLATFORM,
            "key_id": platform_key_row(session, key, now),
            "signed_by": None,
            "signature": key.sign(_seal(facts)),
            "signed_at": now,
        },
    )
