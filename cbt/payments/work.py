"""The work list: what about money a person must look at. Nothing that matches nothing passes in silence."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.db import columns, transaction
from cbt.errors import NotByNote, NoteMissing, NotFound
from cbt.payments.reported import WorkItem, WorkKind


@dataclass(frozen=True)
class WorkCard:
    """One thing to look at; `key` names what it is about, `facts` hold the values of its sentence."""

    id: int
    community_id: int | None
    kind: WorkKind
    key: str
    facts: Mapping[str, Any]
    opened_at: datetime


def open_work(
    session: Session,
    kind: WorkKind,
    key: str,
    community_id: int | None,
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """Put something on the work list, once: what was there before, open or done, stays as it is. A step."""
    if is_on_list(session, key):
        return
    values = {"community_id": community_id, "kind": kind, "key": key, "facts": dict(facts)}
    try:
        with session.begin_nested():
            session.execute(insert(WorkItem), {**values, "opened_at": now})
    except IntegrityError:  # somebody else put it there at the same moment
        return


def can_be_noted(kind: WorkKind, facts: Mapping[str, Any]) -> bool:
    """Whether a note takes it off the list; the rest leaves it once it is settled where it belongs.

    What nothing explains stands in suspense until it is cleared.
    """
    return kind not in _SETTLED_ELSEWHERE and "transaction" not in facts


_SETTLED_ELSEWHERE = (
    *(WorkKind.STATEMENT_LINE, WorkKind.DISPUTE_OPENED, WorkKind.REFUND_FAILED),
    WorkKind.CASH_ON_THE_WAY,
)


def is_on_list(session: Session, key: str) -> bool:
    """Whether this was put on the list before, open or done."""
    return session.scalar(select(WorkItem.id).where(WorkItem.key == key)) is not None


def close_work_about(
    session: Session, key: str, note: str, now: datetime, person_id: int | None = None
) -> None:
    """Take something off the list because what it was about is settled; none is fine. A step."""
    session.execute(
        update(WorkItem)
        .where(WorkItem.key == key, WorkItem.closed_at.is_(None))
        .values(closed_at=now, closed_by=person_id, note=note)
    )


def reopen_work_about(session: Session, key: str, now: datetime) -> None:
    """Put something on the list again whose settling was taken back. A step.

    Whoever takes it back keeps a record of what had been noted.
    """
    session.execute(
        update(WorkItem)
        .where(WorkItem.key == key)
        .values(opened_at=now, closed_at=None, closed_by=None, note=None)
    )


def close_work(
    community_id: int | None, item_id: int, note: str, person_id: int, now: datetime
) -> None:
    """A person has looked, and writes what was done. Items of no community are the installation's.

    Raises NoteMissing, NotFound for what is not on this list any more, or NotByNote for what is settled
    elsewhere.
    """
    if not note.strip():
        raise NoteMissing
    with transaction() as session:
        done = session.execute(
            update(WorkItem)
            .where(
                WorkItem.id == item_id,
                WorkItem.community_id.is_(None)
                if community_id is None
                else WorkItem.community_id == community_id,
                WorkItem.closed_at.is_(None),
            )
            .values(closed_at=now, closed_by=person_id, note=note.strip())
            .returning(WorkItem.kind, WorkItem.facts)
        ).one_or_none()
        if done is None:
            raise NotFound(thing="work item")
        if not can_be_noted(WorkKind(done.kind), done.facts):
            raise NotByNote


def list_open_work(
    session: Session, community_id: int | None, *, without: Collection[WorkKind] = ()
) -> list[WorkCard]:
    """What waits, the oldest first."""
    of = (
        WorkItem.community_id.is_(None)
        if community_id is None
        else WorkItem.community_id == community_id
    )
    rows = session.execute(
        select(*columns(WorkItem, WorkCard))
        .where(of, WorkItem.closed_at.is_(None), WorkItem.kind.not_in(without))
        .order_by(WorkItem.id)
    )
    return [WorkCard(row[0], row[1], WorkKind(row[2]), *row[3:]) for row in rows]


def count_open_work(session: Session, community_id: int) -> int:
    """How much waits; a period closes only when nothing does."""
    return sum(count_open_kinds(session, community_id).values())


def count_open_kinds(session: Session, community_id: int) -> dict[WorkKind, int]:
    """How much of each kind waits."""
    rows = session.execute(
        select(WorkItem.kind, func.count())
        .where(WorkItem.community_id == community_id, WorkItem.closed_at.is_(None))
        .group_by(WorkItem.kind)
    )
    return {WorkKind(kind): number for kind, number in rows}
