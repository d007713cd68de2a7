"""Writing what households own together: recorded by one person, confirmed by a second. Steps.

They run inside a use case of an upper room (`revenue/ownership.py`), which knows up to which day
money was shared out by these registers (`closed_until`): nothing may change at or before it.
"""

from datetime import date, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.communities import queries
from cbt.communities.models import Asset, AssetUse, OwnershipDecision, ShareChange
from cbt.communities.records import NewAsset, NewShareChange, ShareLine, UseLine
from cbt.communities.shares import (
    AssetKind,
    AssetProblem,
    Decision,
    ShareEvent,
    ShareProblem,
    require_event,
)
from cbt.errors import AssetInvalid, NotFound, SecondPersonNeeded, ShareInvalid, StateForbids

LONGEST_NAME = 80
LONGEST_DOCUMENT = 200
_HEX = frozenset("0123456789abcdef")


def add_asset(
    session: Session, community_id: int, new: NewAsset, person_id: int, now: datetime
) -> int:
    """Note something that households own together; return its id. Raises AssetInvalid."""
    name = " ".join(new.title.get("th", "").split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise AssetInvalid(problem=AssetProblem.NAME)
    if (new.kind == AssetKind.EXPERIENCE) != (new.experience_id is not None):
        raise AssetInvalid(problem=AssetProblem.KIND)
    for each in queries.list_assets(session, community_id):
        if each.code == name or (new.experience_id and each.experience_id == new.experience_id):
            raise AssetInvalid(problem=AssetProblem.TAKEN)
    asset = Asset(
        community_id=community_id,
        code=name,
        kind=new.kind,
        title=new.title,
        begins_on=new.begins_on,
        experience_id=new.experience_id,
        recorded_by=person_id,
        recorded_at=now,
    )
    session.add(asset)
    session.flush()
    return asset.id


def record_change(
    session: Session,
    community_id: int,
    new: NewShareChange,
    closed_until: date | None,
    person_id: int,
    now: datetime,
) -> int:
    """Write down a share event that does not count yet; return its id.

    Raises NotFound, or ShareInvalid for what could not be confirmed either.
    """
    asset = queries.get_asset(session, community_id, new.asset_id)
    document = " ".join(new.document.split())
    if not 0 < len(document) <= LONGEST_DOCUMENT or not _is_sha256(new.document_sha256):
        raise ShareInvalid(problem=ShareProblem.DOCUMENT)
    event = ShareEvent(new.kind, new.from_household, new.to_household, new.shares, new.effective_on)
    _require_fits(session, community_id, asset.id, asset.begins_on, event, closed_until)
    ids = _household_ids(session, community_id)
    return session.execute(
        insert(ShareChange).returning(ShareChange.id),
        {
            "asset_id": asset.id,
            "kind": new.kind,
            "from_household_id": ids.get(new.from_household or ""),
            "to_household_id": ids.get(new.to_household or ""),
            "shares": new.shares,
            "effective_on": new.effective_on,
            "document": document,
            "document_sha256": new.document_sha256,
            "recorded_by": person_id,
            "recorded_at": now,
        },
    ).scalar_one()


def decide_change(
    session: Session,
    community_id: int,
    event_id: int,
    decision: Decision,
    closed_until: date | None,
    person_id: int,
    now: datetime,
) -> None:
    """A second person confirms a share event, so that it counts, or refuses it.

    Raises NotFound, StateForbids when it was decided before, SecondPersonNeeded for who recorded it,
    or ShareInvalid when it does not fit any more.
    """
    asset_id = session.scalar(select(ShareChange.asset_id).where(ShareChange.id == event_id))
    if asset_id is None:
        raise NotFound(thing="share_event")
    asset = queries.get_asset(session, community_id, asset_id)
    [line] = [each for each in queries.list_share_lines(session, asset.id) if each.id == event_id]
    _require_second(line, person_id)
    if decision == Decision.CONFIRMED:
        _require_fits(session, community_id, asset.id, asset.begins_on, line.event, closed_until)
    _decide(session, decision, person_id, now, event_id=event_id)


def record_use(
    session: Session,
    community_id: int,
    experience_id: int,
    asset_id: int | None,
    effective_on: date,
    closed_until: date | None,
    person_id: int,
    now: datetime,
) -> int:
    """Write down that an experience earns by an asset's shares (by none); return its id.

    It does not count yet. Raises NotFound or AssetInvalid.
    """
    _require_usable(session, community_id, asset_id, effective_on, closed_until)
    return session.execute(
        insert(AssetUse).returning(AssetUse.id),
        {
            "community_id": community_id,
            "experience_id": experience_id,
            "asset_id": asset_id,
            "effective_on": effective_on,
            "recorded_by": person_id,
            "recorded_at": now,
        },
    ).scalar_one()


def decide_use(
    session: Session,
    community_id: int,
    use_id: int,
    decision: Decision,
    closed_until: date | None,
    person_id: int,
    now: datetime,
) -> None:
    """A second person confirms what an experience earns by, or refuses it.

    Raises NotFound, StateForbids, SecondPersonNeeded or AssetInvalid.
    """
    found = [each for each in queries.list_uses(session, community_id) if each.id == use_id]
    if not found:
        raise NotFound(thing="asset_use")
    _require_second(found[0], person_id)
    if decision == Decision.CONFIRMED:
        use = found[0]
        _require_usable(session, community_id, use.asset_id, use.effective_on, closed_until)
    _decide(session, decision, person_id, now, use_id=use_id)


def _require_usable(
    session: Session,
    community_id: int,
    asset_id: int | None,
    effective_on: date,
    closed_until: date | None,
) -> None:
    if closed_until is not None and effective_on <= closed_until:
        raise AssetInvalid(problem=AssetProblem.CLOSED)
    if asset_id is None:
        return
    asset = queries.get_asset(session, community_id, asset_id)
    if asset.kind == AssetKind.EXPERIENCE:
        raise AssetInvalid(problem=AssetProblem.KIND)
    if effective_on < asset.begins_on:
        raise AssetInvalid(problem=AssetProblem.DAY)


def _require_fits(
    session: Session,
    community_id: int,
    asset_id: int,
    begins_on: date,
    event: ShareEvent,
    closed_until: date | None,
) -> None:
    lines = queries.list_share_lines(session, asset_id)
    confirmed = [each.event for each in lines if each.decision == Decision.CONFIRMED]
    members = queries.list_memberships(session, community_id)
    require_event(confirmed, event, members, begins_on, closed_until)


def _require_second(line: ShareLine | UseLine, person_id: int) -> None:
    if line.decision is not None:
        raise StateForbids(thing="ownership", state=line.decision, wanted="decided")
    if line.recorded_by == person_id:
        raise SecondPersonNeeded


def _decide(
    session: Session,
    decision: Decision,
    person_id: int,
    now: datetime,
    *,
    event_id: int | None = None,
    use_id: int | None = None,
) -> None:
    session.execute(
        insert(OwnershipDecision),
        {
            "event_id": event_id,
            "use_id": use_id,
            "decision": decision,
            "decided_by": person_id,
            "decided_at": now,
        },
    )


def _household_ids(session: Session, community_id: int) -> dict[str, int]:
    return {each.code: each.id for each in queries.list_register(session, community_id)}


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and set(text) <= _HEX
