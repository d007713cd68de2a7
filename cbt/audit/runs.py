"""Recorded runs of every check: by the worker each night, and whenever a mentor asks."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from cbt.audit import run_text
from cbt.audit.findings import Check
from cbt.audit.models import AuditRun
from cbt.audit.risk_facts import get_risk_facts
from cbt.audit.risks import Risk, judge
from cbt.audit.run_text import Run
from cbt.audit.verify import verify
from cbt.bookings.models import Booking, Departure
from cbt.clock import to_instant, village_day
from cbt.communities.queries import get_community_by_id, list_communities
from cbt.communities.records import CommunityCard
from cbt.db import db, snapshot, transaction
from cbt.errors import NotFound
from cbt.ledger.models import Entry
from cbt.ledger.queries import find_first_day, get_book
from cbt.payments.models import Capture
from cbt.revenue.models import Settlement
from cbt.revenue.period_queries import find_period, list_closes
from cbt.revenue.periods import next_to_close

log = logging.getLogger("cbt.audit")

NIGHT = time(2)
"""From this hour of the village on, the run of the night is due."""
MOST_AT_ONCE = 5


@dataclass(frozen=True)
class RunCard:
    """A recorded run, and whether its text is still the one that was recorded."""

    id: int
    run: Run
    digest: str
    is_whole: bool


# --- making a run --------------------------------------------------------------------------------


def record_run(community_id: int, month: date | None, person_id: int | None, now: datetime) -> int:
    """Run every check on one state of the books and keep what it said; return the run's number.

    `month` names the closed month that it is made for; without `person_id` the worker made it.
    Raises NotFound for a month that is not closed, and then writes nothing.
    """
    with snapshot() as reading:
        run = look(reading, get_community_by_id(reading, community_id), month, person_id, now)
    with transaction() as session:
        return keep_run(session, community_id, run)


def look(
    session: Session,
    community: CommunityCard,
    month: date | None,
    person_id: int | None,
    now: datetime,
) -> Run:
    """What every check says of one state of the books. Reads only."""
    outcomes = verify(session, community)
    book = get_book(session, community.book_id)
    risks_of = month or _month_to_look_at(session, community)
    return Run(
        community=community.slug,
        month=month,
        at=now,
        by=person_id,
        entries=book.head_seq,
        head=book.head_hash,
        outcomes=outcomes,
        least=_count(session, community),
        risks=_risks(session, community, risks_of),
        risks_of=risks_of,
    )


def keep_run(session: Session, community_id: int, run: Run) -> int:
    """Write a run down. A step. Raises NotFound for a month that is not closed."""
    period = find_period(session, community_id, run.month) if run.month else None
    if run.month and period is None:
        raise NotFound(thing="period")
    text = run_text.write(run)
    return session.execute(
        insert(AuditRun).returning(AuditRun.id),
        {
            "community_id": community_id,
            "period_id": period.id if period else None,
            "made_at": run.at,
            "made_by": run.by,
            "head_seq": run.entries,
            "looked_at": run.looked_at,
            "problems": run.faults + len(run.blind),
            "text": text,
            "digest": run_text.digest(text),
        },
    ).scalar_one()


def _month_to_look_at(session: Session, community: CommunityCard) -> date | None:
    """The last closed month, or while there is none the one that is next; None without books."""
    closes = list_closes(session, community.id)
    if closes:
        return closes[-1].month
    return next_to_close(closes, find_first_day(session, community.book_id))


def _risks(session: Session, community: CommunityCard, month: date | None) -> tuple[Risk, ...]:
    """The riskiest-first list; what a damaged record keeps from being counted is not guessed."""
    if month is None:
        return ()
    try:
        return judge(get_risk_facts(session, community, month))
    except Exception:  # the checks name the damage; a list of numbers must not hide it
        log.exception("the numbers of %s cannot be counted", community.slug)
        return ()


def _count(session: Session, community: CommunityCard) -> Mapping[Check, int]:
    """How many things some checks must have looked at, counted apart from them. One statement."""
    entries = select(func.count()).where(Entry.book_id == community.book_id)
    counted = {
        Check.CHAIN: entries,
        Check.LEGS: entries,
        Check.ENTRIES: entries,
        Check.SPLITS: entries.where(Entry.kind == "split"),
        Check.SHARING: select(func.count()).where(Settlement.community_id == community.id),
        Check.DEPOSITS: select(func.count()).where(Booking.community_id == community.id),
        Check.PLACES: select(func.count()).where(Departure.community_id == community.id),
        Check.RECEIPTS: select(func.count()).where(Capture.community_id == community.id),
    }
    row = session.execute(select(*(each.scalar_subquery() for each in counted.values()))).one()
    return dict(zip(counted, row, strict=True))


# --- each night ----------------------------------------------------------------------------------


def audit_due(now: datetime) -> list[str]:
    """Audit the communities that wait longest for the run of their night; return which.

    A few at a time, so that the worker's other duties get their turn.
    """
    due = _list_due(db.session(), now)[:MOST_AT_ONCE]
    db.session.rollback()
    for community in due:
        record_run(community.id, None, None, now)
    return [community.slug for community in due]


def _list_due(session: Session, now: datetime) -> list[CommunityCard]:
    """The communities whose night has no run yet, those first whose last one is the oldest."""
    rows = session.execute(
        select(AuditRun.community_id, func.max(AuditRun.made_at))
        .where(AuditRun.made_by.is_(None))
        .group_by(AuditRun.community_id)
    )
    made: dict[int, datetime] = {row[0]: row[1] for row in rows}
    never = datetime.min.replace(tzinfo=now.tzinfo)
    due = [
        each
        for each in list_communities(session)
        if made.get(each.id, never) < _last_night(now, each.zone)
    ]
    return sorted(due, key=lambda each: (made.get(each.id, never), each.id))


def _last_night(now: datetime, zone: str) -> datetime:
    """When the night of a village began that is over or under way."""
    begun = to_instant(village_day(now, zone), NIGHT, zone)
    return begun if begun <= now else begun - timedelta(days=1)


# --- reading -------------------------------------------------------------------------------------


def list_latest_runs(session: Session, community_id: int, limit: int = 2) -> list[RunCard]:
    """The newest runs of a community, the newest first."""
    rows = session.execute(
        select(AuditRun.id, AuditRun.text, AuditRun.digest, AuditRun.made_at)
        .where(AuditRun.community_id == community_id)
        .order_by(AuditRun.id.desc())
        .limit(limit)
    )
    return [_card(*row) for row in rows]


def get_run(session: Session, community_id: int, run_id: int) -> RunCard:
    row = session.execute(
        select(AuditRun.id, AuditRun.text, AuditRun.digest, AuditRun.made_at).where(
            AuditRun.community_id == community_id, AuditRun.id == run_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound(thing="run")
    return _card(*row)


def list_last_runs(session: Session, community_ids: list[int]) -> dict[int, RunCard]:
    """{community: its newest run}. One statement."""
    newest = (
        select(func.max(AuditRun.id))
        .where(AuditRun.community_id.in_(community_ids))
        .group_by(AuditRun.community_id)
    )
    rows = session.execute(
        select(
            AuditRun.community_id, AuditRun.id, AuditRun.text, AuditRun.digest, AuditRun.made_at
        ).where(AuditRun.id.in_(newest))
    )
    return {row[0]: _card(*row[1:]) for row in rows}


def _card(run_id: int, text: str, digest: str, made_at: datetime) -> RunCard:
    """A text that was changed until it is none still gives a card: it says that it is not whole."""
    is_whole = run_text.digest(text) == digest
    try:
        run = run_text.read(text)
    except (ValueError, LookupError, TypeError):
        run, is_whole = run_text.unreadable(made_at), False
    return RunCard(run_id, run, digest, is_whole)
