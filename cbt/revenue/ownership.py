"""What households own together, recorded by one person and confirmed by a second. Use cases.

Income follows the share on the day of service. So nothing may change a register at or before the
last day whose money was shared out by it, nor in a closed month.
"""

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Departure
from cbt.communities import queries, register
from cbt.communities.models import AssetUse, ShareChange
from cbt.communities.records import NewAsset, NewShareChange
from cbt.communities.services import lock_community
from cbt.communities.shares import Decision
from cbt.db import transaction
from cbt.errors import NotFound
from cbt.experiences.models import Experience, Option
from cbt.revenue.models import Settlement
from cbt.revenue.period_queries import last_closed_day


def add_asset(community_id: int, new: NewAsset, person_id: int, now: datetime) -> int:
    """Note something that households own together; return its id.

    Raises NotFound for another community's experience, or AssetInvalid.
    """
    with transaction() as session:
        lock_community(session, community_id)
        if new.experience_id is not None:
            _require_own_experience(session, community_id, new.experience_id)
        return register.add_asset(session, community_id, new, person_id, now)


def record_change(
    community_id: int,
    new: NewShareChange,
    person_id: int,
    now: datetime,
) -> int:
    """Write down shares issued, transferred or redeemed; return the event's id.

    It counts once a second person confirmed it. Raises NotFound or ShareInvalid, and then writes
    nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        until = _latest(
            last_closed_day(session, community_id),
            last_shared_on(session, community_id, new.asset_id),
        )
        return register.record_change(session, community_id, new, until, person_id, now)


def decide_change(
    community_id: int,
    event_id: int,
    decision: Decision,
    person_id: int,
    now: datetime,
) -> None:
    """A second person confirms a share event, or refuses it.

    Raises NotFound, StateForbids, SecondPersonNeeded or ShareInvalid, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        asset_id = session.scalar(select(ShareChange.asset_id).where(ShareChange.id == event_id))
        until = _latest(
            last_closed_day(session, community_id),
            last_shared_on(session, community_id, asset_id or 0),
        )
        register.decide_change(session, community_id, event_id, decision, until, person_id, now)


def record_use(
    community_id: int,
    experience_id: int,
    asset_id: int | None,
    effective_on: date,
    person_id: int,
    now: datetime,
) -> int:
    """Write down that an experience earns by an asset's shares from a day on; return its id.

    Raises NotFound or AssetInvalid, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        _require_own_experience(session, community_id, experience_id)
        until = _latest(
            last_closed_day(session, community_id), _last_settled_on(session, [experience_id])
        )
        return register.record_use(
            session, community_id, experience_id, asset_id, effective_on, until, person_id, now
        )


def decide_use(
    community_id: int,
    use_id: int,
    decision: Decision,
    person_id: int,
    now: datetime,
) -> None:
    """A second person confirms what an experience earns by, or refuses it.

    Raises NotFound, StateForbids, SecondPersonNeeded or AssetInvalid, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        about = session.scalar(select(AssetUse.experience_id).where(AssetUse.id == use_id))
        until = _latest(
            last_closed_day(session, community_id), _last_settled_on(session, [about or 0])
        )
        register.decide_use(session, community_id, use_id, decision, until, person_id, now)


def last_shared_on(session: Session, community_id: int, asset_id: int) -> date | None:
    """The last day of service whose money was shared out while an asset's register may have counted.

    That is any settled day of an experience that the asset is, or that ever earned by it.
    """
    uses = queries.list_uses(session, community_id)
    experiences = {each.experience_id for each in uses if each.asset_id == asset_id}
    experiences |= {
        each.experience_id
        for each in queries.list_assets(session, community_id)
        if each.id == asset_id and each.experience_id is not None
    }
    return _last_settled_on(session, experiences)


def _last_settled_on(session: Session, experience_ids: Iterable[int]) -> date | None:
    return session.scalar(
        select(func.max(Settlement.service_on))
        .join(Departure, Departure.id == Settlement.departure_id)
        .join(Option, Option.id == Departure.option_id)
        .where(Option.experience_id.in_(list(experience_ids)))
    )


def _latest(*days: date | None) -> date | None:
    return max((day for day in days if day is not None), default=None)


def _require_own_experience(session: Session, community_id: int, experience_id: int) -> None:
    if (
        session.scalar(
            select(Experience.id).where(
                Experience.id == experience_id, Experience.community_id == community_id
            )
        )
        is None
    ):
        raise NotFound(thing="experience")
