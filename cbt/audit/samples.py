"""The sample of a closed month: drawn once by a kept seed, then looked at one by one."""

import secrets
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from cbt.audit import sampling
from cbt.audit.case_work import NewCase, add_case, get_actor
from cbt.audit.cases import MOST_WORDS, SubjectKind
from cbt.audit.evidence import keep_evidence
from cbt.audit.models import AuditCase, AuditLook, AuditSample, AuditSampleItem
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import NotAllowed, NotFound, SampleEmpty, StateForbids, WordsMissing
from cbt.ledger.models import Entry
from cbt.people.roles import Role
from cbt.revenue.funds import Evidence
from cbt.revenue.period_queries import PeriodCard, entries_of, get_period, list_closes
from cbt.revenue.periods import span_of
from cbt.revenue.policy_rules import Severity

_SEED_BYTES = 16
_BOOKING = f"{SubjectKind.BOOKING}:"


@dataclass(frozen=True)
class LookCard:
    """What a mentor saw of a booking; `case` is the number of the finding that came of it."""

    place: int
    note: str
    evidence_id: int | None
    case: int | None
    looked_by: int
    looked_at: datetime


@dataclass(frozen=True)
class ItemCard:
    """A booking of the sample, and what was seen of it last."""

    place: int
    reference: str
    look: LookCard | None


@dataclass(frozen=True)
class SampleCard:
    """A month's sample. `is_as_drawn`: its seed, used again on the month's books, gives the same."""

    id: int
    seed: str
    population: int
    drawn_by: int
    drawn_at: datetime
    items: tuple[ItemCard, ...]
    is_as_drawn: bool

    @property
    def done(self) -> int:
        return sum(1 for each in self.items if each.look)

    @property
    def next_place(self) -> int | None:
        """The first booking that nobody has looked at."""
        return next((each.place for each in self.items if not each.look), None)


def draw_sample(community_id: int, month: date, person_id: int, now: datetime) -> int:
    """Draw a closed month's sample by a fresh seed; return how many bookings it has.

    The seed is kept with the list, before anybody sees it, and for good. Raises NotAllowed for anybody
    but a mentor of the community, NotFound for a month that is not closed, SampleEmpty when nothing was
    split in it, StateForbids when it was drawn before; and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        _require_mentor(session, community_id, person_id)
        period = get_period(session, community_id, month)
        if _find_row(session, period.id) is not None:
            raise StateForbids(thing="sample", state="drawn", wanted="drawn")
        references = list_population(session, get_community_by_id(session, community_id), month)
        if not references:
            raise SampleEmpty
        seed = secrets.token_hex(_SEED_BYTES)
        drawn = sampling.draw(seed, references)
        sample_id = session.execute(
            insert(AuditSample).returning(AuditSample.id),
            {
                "period_id": period.id,
                "seed": seed,
                "population": len(references),
                "drawn_by": person_id,
                "drawn_at": now,
            },
        ).scalar_one()
        session.execute(
            insert(AuditSampleItem),
            [
                {"sample_id": sample_id, "place": place, "reference": reference}
                for place, reference in enumerate(drawn, start=1)
            ],
        )
        return len(drawn)


def look_at(
    community_id: int,
    month: date,
    place: int,
    note: str,
    file: Evidence | None,
    severity: Severity | None,
    person_id: int,
    now: datetime,
) -> int | None:
    """Write down what was seen of a booking of the sample; return the finding's number where one is told.

    With a `severity` a finding is told in the words of the note; without, it was well. Raises NotAllowed,
    NotFound, WordsMissing (a finding without words, or too many), EvidenceInvalid; and then writes nothing.
    """
    words = note.strip()
    if len(words) > MOST_WORDS or (severity and not words):
        raise WordsMissing
    with transaction() as session:
        lock_community(session, community_id)
        _require_mentor(session, community_id, person_id)
        item = get_item(session, community_id, month, place)
        number = None
        if severity is not None:
            new = NewCase(
                subject=f"{_BOOKING}{item.reference}",
                severity=severity,
                words=words,
                month=month,
                source="sample",
            )
            number = add_case(session, community_id, new, person_id, now)
        session.execute(
            insert(AuditLook),
            {
                "sample_id": item.sample_id,
                "place": place,
                "note": words,
                "evidence_id": keep_evidence(session, community_id, file, person_id, now),
                "case_id": _case_id(session, community_id, number),
                "looked_by": person_id,
                "looked_at": now,
            },
        )
        return number


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    sample_id: int
    place: int
    reference: str


def get_item(session: Session, community_id: int, month: date, place: int) -> Drawn:
    """A booking of a month's sample by its place. Raises NotFound."""
    period = get_period(session, community_id, month)
    row = session.execute(
        select(AuditSampleItem.sample_id, AuditSampleItem.place, AuditSampleItem.reference)
        .join(AuditSample, AuditSample.id == AuditSampleItem.sample_id)
        .where(AuditSample.period_id == period.id, AuditSampleItem.place == place)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="sample")
    return Drawn(*row)


def list_population(session: Session, community: CommunityCard, month: date) -> list[str]:
    """The bookings that were split in a period, by what its books say, in the order of their codes."""
    span = span_of(month, list_closes(session, community.id))
    subjects = session.scalars(
        select(Entry.subject)
        .where(Entry.book_id == community.book_id, Entry.kind == "split", *entries_of(span))
        .distinct()
    )
    return sorted(each.removeprefix(_BOOKING) for each in subjects)


def find_sample(
    session: Session, community: CommunityCard, period: PeriodCard
) -> SampleCard | None:
    """A closed month's sample with what was seen of it; None while it is not drawn."""
    row = _find_row(session, period.id)
    if row is None:
        return None
    looks = _last_looks(session, row.id)
    items = tuple(
        ItemCard(place, reference, looks.get(place))
        for place, reference in session.execute(
            select(AuditSampleItem.place, AuditSampleItem.reference)
            .where(AuditSampleItem.sample_id == row.id)
            .order_by(AuditSampleItem.place)
        )
    )
    again = sampling.draw(row.seed, list_population(session, community, period.month))
    return SampleCard(
        id=row.id,
        seed=row.seed,
        population=row.population,
        drawn_by=row.drawn_by,
        drawn_at=row.drawn_at,
        items=items,
        is_as_drawn=again == tuple(each.reference for each in items),
    )


def count_samples(session: Session, period_ids: list[int]) -> dict[int, tuple[int, int]]:
    """{period: (bookings of its sample, of them looked at)} of those that were drawn. One statement."""
    seen = (
        select(AuditLook.sample_id, func.count(AuditLook.place.distinct()).label("seen"))
        .group_by(AuditLook.sample_id)
        .subquery()
    )
    rows = session.execute(
        select(AuditSample.period_id, func.count(), func.coalesce(func.max(seen.c.seen), 0))
        .join(AuditSampleItem, AuditSampleItem.sample_id == AuditSample.id)
        .outerjoin(seen, seen.c.sample_id == AuditSample.id)
        .where(AuditSample.period_id.in_(period_ids))
        .group_by(AuditSample.period_id)
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def _find_row(session: Session, period_id: int) -> AuditSample | None:
    return session.scalar(select(AuditSample).where(AuditSample.period_id == period_id))


def _last_looks(session: Session, sample_id: int) -> dict[int, LookCard]:
    """{place: what was seen last}."""
    rows = session.execute(
        select(
            AuditLook.place,
            AuditLook.note,
            AuditLook.evidence_id,
            AuditCase.number,
            AuditLook.looked_by,
            AuditLook.looked_at,
        )
        .outerjoin(AuditCase, AuditCase.id == AuditLook.case_id)
        .where(AuditLook.sample_id == sample_id)
        .order_by(AuditLook.id)
    )
    return {row[0]: LookCard(*row) for row in rows}


def _case_id(session: Session, community_id: int, number: int | None) -> int | None:
    return session.scalar(
        select(AuditCase.id).where(
            AuditCase.community_id == community_id, AuditCase.number == number
        )
    )


def _require_mentor(session: Session, community_id: int, person_id: int) -> None:
    if Role.MENTOR not in get_actor(session, community_id, person_id).roles:
        raise NotAllowed
