"""How the communities of a mentor stand, the riskiest first. A fixed number of statements for any number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.audit.case_work import CaseCard, list_open_cases
from cbt.audit.risks import Risk
from cbt.audit.runs import RunCard, list_last_runs
from cbt.audit.samples import count_samples
from cbt.clock import village_day
from cbt.communities.queries import list_communities
from cbt.communities.records import CommunityCard
from cbt.ledger.models import Book
from cbt.revenue.closed import LineDispute, Period, PeriodSignature
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.signing import SignerRole


@dataclass(frozen=True)
class LastMonth:
    """The last closed month of a community."""

    id: int
    month: date
    closed_at: datetime
    signed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one community stands, for its mentor. `entries` is how many its books hold by now."""

    community: CommunityCard
    today: date
    last: LastMonth | None
    cases: tuple[CaseCard, ...]
    run: RunCard | None
    entries: int
    sample: tuple[int, int] | None
    lines: int

    @property
    def days_since_close(self) -> int | None:
        if self.last is None:
            return None
        return (self.today - village_day(self.last.closed_at, self.community.zone)).days

    @property
    def errors(self) -> int:
        return sum(1 for each in self.cases if each.severity == Severity.ERROR)

    @property
    def overdue(self) -> int:
        return sum(1 for each in self.cases if each.is_overdue(self.today))

    @property
    def answered(self) -> int:
        """Findings that wait for the mentor's own word."""
        return sum(1 for each in self.cases if each.state == "answered")

    @property
    def problems(self) -> int:
        """What the last run found, and what it could not see; a text that was changed is one more."""
        if self.run is None:
            return 0
        run = self.run.run
        return run.faults + len(run.blind) + (not self.run.is_whole)

    @property
    def risks(self) -> tuple[Risk, ...]:
        """The numbers beyond their lines, riskiest first."""
        every = self.run.run.risks if self.run else ()
        return tuple(each for each in every if each.verdict == Verdict.FAIL)

    @property
    def posted_since(self) -> int:
        """Entries that the last run has not seen."""
        return self.entries - self.run.run.entries if self.run else self.entries

    @property
    def is_to_sign(self) -> bool:
        return self.last is not None and self.last.signed_at is None


def list_standings(session: Session, community_ids: Sequence[int], now: datetime) -> list[Standing]:
    """The communities of a mentor, riskiest first: what is wrong, then what is late, then what is odd."""
    ids = list(community_ids)
    communities = list_communities(session, ids)
    last = _last_months(session, ids)
    told = list_open_cases(session, ids)
    runs = list_last_runs(session, ids)
    books = [each.book_id for each in communities]
    heads = {
        row[0]: row[1]
        for row in session.execute(select(Book.id, Book.head_seq).where(Book.id.in_(books)))
    }
    samples = count_samples(session, [each.id for each in last.values()])
    lines = _lines(session, ids)
    found = [
        Standing(
            community=each,
            today=village_day(now, each.zone),
            last=(month := last.get(each.id)),
            cases=tuple(case for case in told if case.community_id == each.id),
            run=runs.get(each.id),
            entries=heads[each.book_id],
            sample=samples.get(month.id) if month else None,
            lines=lines.get(each.id, 0),
        )
        for each in communities
    ]
    return sorted(found, key=_urgency)


def _urgency(each: Standing) -> tuple[int, ...]:
    """What a mentor should see first comes first."""
    waiting = (each.days_since_close or 0) if each.is_to_sign else 0
    return (
        -each.problems,
        -each.errors,
        -each.overdue,
        -(each.lines + each.answered),
        -(each.run is None),
        -len(each.risks),
        -waiting,
        each.community.id,
    )


def _last_months(session: Session, ids: list[int]) -> dict[int, LastMonth]:
    newest = (
        select(Period.community_id, func.max(Period.number).label("number"))
        .where(Period.community_id.in_(ids))
        .group_by(Period.community_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Period.community_id,
            Period.id,
            Period.month,
            Period.closed_at,
            PeriodSignature.signed_at,
        )
        .join(
            newest,
            (newest.c.community_id == Period.community_id) & (newest.c.number == Period.number),
        )
        .outerjoin(
            PeriodSignature,
            (PeriodSignature.period_id == Period.id) & (PeriodSignature.role == SignerRole.MENTOR),
        )
    )
    return {row[0]: LastMonth(*row[1:]) for row in rows}


def _lines(session: Session, ids: list[int]) -> dict[int, int]:
    """{community: lines of statements that wait for the mentor's decision}."""
    rows = session.execute(
        select(LineDispute.community_id, func.count())
        .where(
            LineDispute.community_id.in_(ids),
            LineDispute.passed_at.is_not(None),
            LineDispute.accepted_at.is_(None),
            LineDispute.decided_at.is_(None),
        )
        .group_by(LineDispute.community_id)
    )
    return {row[0]: row[1] for row in rows}
