"""What households of a sample community own together, and in which tasks they take their turns."""

from datetime import date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from cbt.communities.records import NewAsset, NewShareChange
from cbt.communities.shares import AssetKind, Decision, ShareKind
from cbt.db import db
from cbt.experiences.models import Experience
from cbt.revenue import ownership, turns
from cbt.revenue.policy import Task
from cbt.revenue.turns import NewTurn

_DOCUMENT = "รายงานการประชุมสมาชิกครั้งที่ 1 (ตัวอย่าง)"
_SHARES = (40, 30, 20, 10)


def take_turns(
    community_id: int, households: list[dict[str, Any]], person_id: int, on: date, at: datetime
) -> None:
    """Each household takes part in the tasks that it is able to do, one turn at a time."""
    for each in households:
        for task in each["tasks"]:
            new = NewTurn(task=Task(task), household=each["code"], first_on=on)
            turns.set_terms(community_id, new, 1, range(7), person_id, at)


def own_together(
    community_id: int,
    households: list[dict[str, Any]],
    people: tuple[int, int],
    on: date,
    at: datetime,
) -> None:
    """Four households own a building by shares; the first activity earns by it."""
    first, second = people
    title = {"th": "ศาลาท่องเที่ยวของกลุ่ม", "en": "The group's visitor pavilion"}
    new = NewAsset(kind=AssetKind.BUILDING, title=title, begins_on=on)
    asset_id = ownership.add_asset(community_id, new, first, at)
    for each, shares in zip(households, _SHARES, strict=False):
        change = NewShareChange(
            asset_id=asset_id,
            kind=ShareKind.ISSUE,
            from_household=None,
            to_household=each["code"],
            shares=shares,
            effective_on=on,
            document=_DOCUMENT,
            document_sha256=sha256(_DOCUMENT.encode()).hexdigest(),
        )
        event_id = ownership.record_change(community_id, change, first, at)
        ownership.decide_change(community_id, event_id, Decision.CONFIRMED, second, at)
    experience_id = db.session.scalar(
        select(Experience.id)
        .where(Experience.community_id == community_id)
        .order_by(Experience.position)
        .limit(1)
    )
    if experience_id is not None:
        use_id = ownership.record_use(community_id, experience_id, asset_id, on, first, at)
        ownership.decide_use(community_id, use_id, Decision.CONFIRMED, second, at)
