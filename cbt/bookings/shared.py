"""Things that departures share: adding them, changing how many there are, closing them for a day."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.bookings.claims import ensure_slots
from cbt.bookings.models import Slot, Thing
from cbt.bookings.parts import Part
from cbt.bookings.things import ThingKind, ThingProblem
from cbt.clock import village_day
from cbt.communities.queries import get_community_by_id
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import CapacityBelowSold, NotFound, ThingInvalid
from cbt.i18n import Localized

MOST_CAPACITY = 10_000


@dataclass(frozen=True, kw_only=True)
class NewThing:
    """A shared thing; `skills` may say languages, a licence, seats."""

    code: str
    kind: ThingKind
    title: Localized
    capacity: int
    per_day: bool = False
    cutoff_minutes: int = 0
    skills: dict[str, Any] = field(default_factory=dict)


def add_thing(community_id: int, new: NewThing) -> int:
    """Let departures share a thing; return its id. Raises ThingInvalid."""
    if not 0 <= new.capacity <= MOST_CAPACITY or new.cutoff_minutes < 0:
        raise ThingInvalid(problem=ThingProblem.CAPACITY)
    if not new.title.get("th") or not new.code:
        raise ThingInvalid(problem=ThingProblem.NAME)
    with transaction() as session:
        lock_community(session, community_id)
        codes = list(session.scalars(select(Thing.code).where(Thing.community_id == community_id)))
        if new.code in codes:
            raise ThingInvalid(problem=ThingProblem.CODE)
        thing = Thing(
            community_id=community_id,
            code=new.code,
            kind=new.kind,
            title=new.title,
            capacity=new.capacity,
            per_day=new.per_day,
            cutoff_minutes=new.cutoff_minutes,
            skills=new.skills,
            position=len(codes),
        )
        session.add(thing)
        session.flush()
        return thing.id


def set_thing_capacity(community_id: int, thing_id: int, capacity: int, now: datetime) -> None:
    """Have more or fewer of a thing from today on. Raises CapacityBelowSold, ThingInvalid, NotFound."""
    if not 0 <= capacity <= MOST_CAPACITY:
        raise ThingInvalid(problem=ThingProblem.CAPACITY)
    with transaction() as session:
        lock_community(session, community_id)
        usual = _require_own(session, community_id, thing_id).capacity
        today = village_day(now, get_community_by_id(session, community_id).zone)
        session.execute(update(Thing).where(Thing.id == thing_id).values(capacity=capacity))
        # a day that was given another number of its own keeps it
        ahead = (Slot.thing_id == thing_id, Slot.day >= today, Slot.capacity == usual)
        slots = session.scalars(
            select(Slot.id).where(*ahead).order_by(Slot.id).with_for_update()
        ).all()
        sold = session.scalar(
            select(Slot.claimed).where(*ahead).order_by(Slot.claimed.desc()).limit(1)
        )
        if sold is not None and sold > capacity:
            raise CapacityBelowSold(sold=sold)
        session.execute(update(Slot).where(Slot.id.in_(slots)).values(capacity=capacity))


def set_slot(
    community_id: int,
    thing_id: int,
    day: date,
    part: Part,
    *,
    is_closed: bool,
    capacity: int | None = None,
) -> None:
    """Close a thing for a part of a day, open it again, or change how many there are that day.

    Who has it already keeps it. Raises CapacityBelowSold, ThingInvalid, NotFound.
    """
    if capacity is not None and not 0 <= capacity <= MOST_CAPACITY:
        raise ThingInvalid(problem=ThingProblem.CAPACITY)
    with transaction() as session:
        _require_own(session, community_id, thing_id)
        slot_id = ensure_slots(session, {(thing_id, day, part)})[thing_id, day, part]
        values: dict[str, object] = {"is_closed": is_closed}
        conditions = [Slot.id == slot_id]
        if capacity is not None:
            values["capacity"] = capacity
            conditions.append(Slot.claimed <= capacity)
        statement = update(Slot).where(*conditions).values(**values).returning(Slot.id)
        if session.scalar(statement) is None:
            raise CapacityBelowSold(sold=session.get_one(Slot, slot_id).claimed)


def _require_own(session: Session, community_id: int, thing_id: int) -> Thing:
    thing = session.get(Thing, thing_id)
    if thing is None or thing.community_id != community_id:
        raise NotFound(thing="thing")
    return thing
