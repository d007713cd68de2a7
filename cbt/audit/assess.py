"""Entering an edition, assessing by it, finishing, and planning what is to be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from cbt.audit.assessment import CRITERIA, Assessor, read_edition, require_founded
from cbt.audit.assessment_models import (
    Assessment,
    AssessmentAction,
    AssessmentEvidence,
    AssessmentScore,
    StandardEdition,
    StandardItem,
)
from cbt.audit.assessment_queries import AssessmentCard, get_assessment, list_items
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import EditionTaken, NoteMissing, NotFound, ScoresMissing, StateForbids


@dataclass(frozen=True)
class Judged:
    """How an item was judged: its score, a comment, evidence as (where it is, is a record of ours)."""

    item_id: int
    score: int
    comment: str
    evidence: tuple[tuple[str, bool], ...]


def enter_edition(name: str, text: str, person_id: int, now: datetime) -> int:
    """Keep an edition; return its id. Raises EditionInvalid, EditionTaken."""
    items = read_edition(text)
    if not name.strip():
        raise NoteMissing
    with transaction() as session:
        taken = select(StandardEdition.id).where(StandardEdition.name == name)
        if session.scalar(taken) is not None:
            raise EditionTaken(name=name)
        edition_id = session.execute(
            insert(StandardEdition)
            .values(name=name, entered_by=person_id, entered_at=now)
            .returning(StandardEdition.id)
        ).scalar_one()
        session.execute(
            insert(StandardItem),
            [
                {
                    "edition_id": edition_id,
                    "criterion": each.criterion,
                    "number": each.number,
                    "wording": each.wording,
                    "indices": each.indices,
                }
                for each in items
            ],
        )
        return edition_id


def begin(
    community_id: int, edition_id: int, assessor: Assessor, person_id: int, now: datetime
) -> int:
    """Begin an assessment; return its id. Raises NotFound, and StateForbids while one is open."""
    with transaction() as session:
        lock_community(session, community_id)
        if session.get(StandardEdition, edition_id) is None:
            raise NotFound(thing="edition")
        still = select(Assessment.id).where(
            Assessment.community_id == community_id,
            Assessment.assessor == assessor,
            Assessment.finished_at.is_(None),
        )
        if session.scalar(still) is not None:
            raise StateForbids(thing="assessment", state="open", wanted="begin")
        return session.execute(
            insert(Assessment)
            .values(
                community_id=community_id,
                edition_id=edition_id,
                assessor=assessor,
                begun_by=person_id,
                begun_at=now,
            )
            .returning(Assessment.id)
        ).scalar_one()


def score(
    community_id: int,
    assessment_id: int,
    judged: Sequence[Judged],
    person_id: int,
    now: datetime,
) -> None:
    """Write down how items were judged, in place of what was there. All of them or none.

    Raises NotFound for an item of another edition, StateForbids once finished, ScoreUnfounded for a
    score above the evidence.
    """
    with transaction() as session:
        card = _open(session, community_id, assessment_id)
        indices = {each.id: each.indices for each in list_items(session, card)}
        for each in judged:
            if each.item_id not in indices:
                raise NotFound(thing="item")
            require_founded(each.score, indices[each.item_id], len(each.evidence))
        ids = [each.item_id for each in judged]
        for table in (AssessmentEvidence, AssessmentScore):
            session.execute(
                delete(table).where(table.assessment_id == assessment_id, table.item_id.in_(ids))
            )
        if not judged:
            return
        about = {"assessment_id": assessment_id}
        session.execute(
            insert(AssessmentScore),
            [
                about
                | {
                    "item_id": each.item_id,
                    "score": each.score,
                    "comment": each.comment,
                    "scored_by": person_id,
                    "scored_at": now,
                }
                for each in judged
            ],
        )
        evidence = [
            about | {"item_id": each.item_id, "line": line, "what": what, "is_record": is_record}
            for each in judged
            for line, (what, is_record) in enumerate(each.evidence, 1)
        ]
        if evidence:
            session.execute(insert(AssessmentEvidence), evidence)


def finish(community_id: int, assessment_id: int, person_id: int, now: datetime) -> None:
    """Finish an assessment: from now on it stays. Raises ScoresMissing, StateForbids."""
    with transaction() as session:
        card = _open(session, community_id, assessment_id)
        left = sum(each.score is None for each in list_items(session, card))
        if left:
            raise ScoresMissing(left=left)
        session.execute(
            update(Assessment)
            .where(Assessment.id == assessment_id)
            .values(finished_by=person_id, finished_at=now)
        )


def plan(
    community_id: int,
    criterion: str,
    what: str,
    who: str,
    due_on: date,
    person_id: int,
    now: datetime,
) -> int:
    """Write down what is to be done about a criterion; return its id. Raises NotFound, NoteMissing."""
    if criterion not in CRITERIA:
        raise NotFound(thing="criterion")
    if not what.strip() or not who.strip():
        raise NoteMissing
    with transaction() as session:
        return session.execute(
            insert(AssessmentAction)
            .values(
                community_id=community_id,
                criterion=criterion,
                what=what,
                who=who,
                due_on=due_on,
                recorded_by=person_id,
                recorded_at=now,
            )
            .returning(AssessmentAction.id)
        ).scalar_one()


def mark_done(community_id: int, action_id: int, day: date, person_id: int) -> None:
    """Say that a planned action was done. Raises NotFound, StateForbids the second time."""
    with transaction() as session:
        done = session.execute(
            update(AssessmentAction)
            .where(
                AssessmentAction.id == action_id,
                AssessmentAction.community_id == community_id,
                AssessmentAction.done_on.is_(None),
            )
            .values(done_on=day, done_by=person_id)
            .returning(AssessmentAction.id)
        ).scalar_one_or_none()
        if done is not None:
            return
        known = select(AssessmentAction.id).where(
            AssessmentAction.id == action_id, AssessmentAction.community_id == community_id
        )
        if session.scalar(known) is None:
            raise NotFound(thing="action")
        raise StateForbids(thing="action", state="done", wanted="done")


def _open(session: Session, community_id: int, assessment_id: int) -> AssessmentCard:
    """Lock the community and return the assessment, if it is still open."""
    lock_community(session, community_id)
    card = get_assessment(session, community_id, assessment_id)
    if not card.is_open:
        raise StateForbids(thing="assessment", state="finished", wanted="score")
    return card
