"""Reading editions, assessments and plans of action."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.audit.assessment import Assessed, Assessor, Scored, criterion_means, domain_means
from cbt.audit.assessment_models import (
    Assessment,
    AssessmentAction,
    AssessmentEvidence,
    AssessmentScore,
    StandardEdition,
    StandardItem,
)
from cbt.clock import village_day
from cbt.db import columns
from cbt.errors import NotFound


@dataclass(frozen=True)
class EditionCard:
    id: int
    name: str
    entered_at: datetime
    items: int


@dataclass(frozen=True)
class AssessmentCard:
    """An assessment; not finished while `finished_at` is None."""

    id: int
    community_id: int
    edition_id: int
    assessor: Assessor
    begun_by: int
    begun_at: datetime
    finished_by: int | None
    finished_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.finished_at is None


@dataclass(frozen=True)
class ItemCard:
    """An item with its score in one assessment, and the evidence for it: (what, is a record of ours)."""

    id: int
    criterion: str
    number: int
    wording: str
    indices: int
    score: int | None
    comment: str
    evidence: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Result:
    """An assessment with its means."""

    card: AssessmentCard
    scores: tuple[Scored, ...]

    @property
    def criteria(self) -> dict[str, Fraction | None]:
        return criterion_means(self.scores)

    @property
    def domains(self) -> dict[int, Fraction | None]:
        return domain_means(self.criteria)

    @property
    def left(self) -> int:
        """How many items have no score yet."""
        return sum(each.score is None for each in self.scores)


@dataclass(frozen=True)
class ActionCard:
    id: int
    criterion: str
    what: str
    who: str
    due_on: date
    done_on: date | None


_CARD = columns(Assessment, AssessmentCard)


def list_editions(session: Session) -> list[EditionCard]:
    """The editions, the newest first."""
    rows = session.execute(
        select(
            StandardEdition.id,
            StandardEdition.name,
            StandardEdition.entered_at,
            func.count(StandardItem.id),
        )
        .join(StandardItem, StandardItem.edition_id == StandardEdition.id)
        .group_by(StandardEdition.id)
        .order_by(StandardEdition.id.desc())
    )
    return [EditionCard(*row) for row in rows]


def list_results(session: Session, community_id: int) -> list[Result]:
    """Every assessment of a community with its scores, the newest first."""
    cards = [
        _card(row)
        for row in session.execute(
            select(*_CARD)
            .where(Assessment.community_id == community_id)
            .order_by(Assessment.id.desc())
        )
    ]
    scores = _list_scores(session, cards)
    return [Result(card, tuple(scores[card.id])) for card in cards]


def get_assessment(session: Session, community_id: int, assessment_id: int) -> AssessmentCard:
    row = session.execute(
        select(*_CARD).where(
            Assessment.community_id == community_id, Assessment.id == assessment_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound(thing="assessment")
    return _card(row)


def list_items(session: Session, card: AssessmentCard, criterion: str = "") -> list[ItemCard]:
    """An assessment's items with their scores, of one criterion or of all, in their order."""
    evidence: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    for item_id, what, is_record in session.execute(
        select(AssessmentEvidence.item_id, AssessmentEvidence.what, AssessmentEvidence.is_record)
        .where(AssessmentEvidence.assessment_id == card.id)
        .order_by(AssessmentEvidence.line)
    ):
        evidence[item_id].append((what, is_record))
    wanted = [StandardItem.edition_id == card.edition_id]
    if criterion:
        wanted.append(StandardItem.criterion == criterion)
    rows = session.execute(
        select(
            StandardItem.id,
            StandardItem.criterion,
            StandardItem.number,
            StandardItem.wording,
            StandardItem.indices,
            AssessmentScore.score,
            func.coalesce(AssessmentScore.comment, ""),
        )
        .outerjoin(
            AssessmentScore,
            (AssessmentScore.item_id == StandardItem.id)
            & (AssessmentScore.assessment_id == card.id),
        )
        .where(*wanted)
        .order_by(StandardItem.id)
    )
    return [ItemCard(*row, tuple(evidence[row[0]])) for row in rows]


def list_actions(session: Session, community_id: int) -> list[ActionCard]:
    """The plan of action: what is open by its day, then what is done."""
    rows = session.execute(
        select(*columns(AssessmentAction, ActionCard))
        .where(AssessmentAction.community_id == community_id)
        .order_by(AssessmentAction.done_on.is_not(None), AssessmentAction.due_on)
    )
    return [ActionCard(*row) for row in rows]


def latest(results: list[Result], assessor: Assessor, place: int = 0) -> Result | None:
    """The newest finished assessment of a kind, or with `place` an earlier one."""
    found = [each for each in results if each.card.assessor == assessor and not each.card.is_open]
    return found[place] if place < len(found) else None


def assessed(result: Result | None, zone: str) -> Assessed | None:
    """A finished assessment as GOV-04 looks at it."""
    if result is None or result.card.finished_at is None:
        return None
    return Assessed(result.scores, village_day(result.card.finished_at, zone))


def _card(row: Sequence[Any]) -> AssessmentCard:
    return AssessmentCard(row[0], row[1], row[2], Assessor(row[3]), *row[4:])


def _list_scores(session: Session, cards: list[AssessmentCard]) -> Mapping[int, list[Scored]]:
    """{assessment: each item's score}, items of its edition without a score included."""
    ids = [card.id for card in cards]
    counted = (
        select(
            AssessmentEvidence.assessment_id,
            AssessmentEvidence.item_id,
            func.count().label("number"),
        )
        .where(AssessmentEvidence.assessment_id.in_(ids))
        .group_by(AssessmentEvidence.assessment_id, AssessmentEvidence.item_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Assessment.id,
            StandardItem.criterion,
            AssessmentScore.score,
            func.coalesce(counted.c.number, 0),
        )
        .join(StandardItem, StandardItem.edition_id == Assessment.edition_id)
        .outerjoin(
            AssessmentScore,
            (AssessmentScore.item_id == StandardItem.id)
            & (AssessmentScore.assessment_id == Assessment.id),
        )
        .outerjoin(
            counted,
            (counted.c.item_id == StandardItem.id) & (counted.c.assessment_id == Assessment.id),
        )
        .where(Assessment.id.in_(ids))
        .order_by(StandardItem.id)
    )
    found: dict[int, list[Scored]] = defaultdict(list)
    for assessment_id, criterion, score, evidenced in rows:
        found[assessment_id].append(Scored(criterion, score, int(evidenced)))
    return found
