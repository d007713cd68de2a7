"""Reading communities and households."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from cbt.communities.models import (
    Asset,
    AssetUse,
    Community,
    Household,
    Member,
    OwnershipDecision,
    ShareChange,
)
from cbt.communities.records import (
    AssetCard,
    CommunityCard,
    HouseholdCard,
    Numbers,
    ShareLine,
    UseLine,
)
from cbt.communities.shares import Decision, Membership, ShareKind, register_on
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.i18n import Localized

_CARD = columns(Community, CommunityCard)
_HOUSEHOLD = columns(Household, HouseholdCard)
_ASSET = columns(Asset, AssetCard)
_USES = (
    select(
        AssetUse.id,
        AssetUse.experience_id,
        AssetUse.asset_id,
        AssetUse.effective_on,
        AssetUse.recorded_by,
        AssetUse.recorded_at,
        OwnershipDecision.decision,
        OwnershipDecision.decided_by,
        OwnershipDecision.decided_at,
    )
    .outerjoin(OwnershipDecision, OwnershipDecision.use_id == AssetUse.id)
    .order_by(AssetUse.effective_on, AssetUse.id)
)


def get_community(session: Session, slug: str) -> CommunityCard:
    return _one(session, Community.slug == slug)


def get_community_by_id(session: Session, community_id: int) -> CommunityCard:
    return _one(session, Community.id == community_id)


def _one(session: Session, condition: Condition) -> CommunityCard:
    row = session.execute(select(*_CARD).where(condition)).one_or_none()
    if row is None:
        raise NotFound(thing="community")
    return CommunityCard(*row)


def get_zone(session: Session, community_id: int) -> str:
    """The zone by which a community reckons its days. Raises NotFound."""
    zone = session.scalar(select(Community.zone).where(Community.id == community_id))
    if zone is None:
        raise NotFound(thing="community")
    return zone


def list_communities(session: Session, ids: Iterable[int] | None = None) -> list[CommunityCard]:
    """All communities, or those of `ids`, in the order they joined."""
    query = select(*_CARD).order_by(Community.id)
    if ids is not None:
        query = query.where(Community.id.in_(list(ids)))
    return [CommunityCard(*row) for row in session.execute(query)]


def list_provinces(session: Session) -> list[tuple[str, Localized]]:
    """(code, name) of every province with a community, once each."""
    rows = session.execute(
        select(Community.province_code, Community.province).order_by(
            Community.province_code, Community.id
        )
    )
    return list({row.province_code: (row.province_code, row.province) for row in rows}.values())


def list_households(session: Session, community_id: int, on: date) -> list[HouseholdCard]:
    """The households active on a day, in register order."""
    rows = session.execute(
        select(*_HOUSEHOLD)
        .where(
            Household.community_id == community_id,
            Household.active_from <= on,
            Household.active_until.is_(None) | (Household.active_until > on),
        )
        .order_by(Household.position)
    )
    return [HouseholdCard(*row) for row in rows]


def list_register(session: Session, community_id: int) -> list[HouseholdCard]:
    """Every household that ever was in the register, in its order."""
    rows = session.execute(
        select(*_HOUSEHOLD)
        .where(Household.community_id == community_id)
        .order_by(Household.position)
    )
    return [HouseholdCard(*row) for row in rows]


def get_household(session: Session, community_id: int, code: str) -> HouseholdCard:
    row = session.execute(
        select(*_HOUSEHOLD).where(Household.community_id == community_id, Household.code == code)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="household")
    return HouseholdCard(*row)


def list_own_households(
    session: Session, household_ids: Iterable[int]
) -> list[tuple[str, HouseholdCard]]:
    """(community slug, household) of the given ids."""
    rows = session.execute(
        select(Community.slug, *_HOUSEHOLD)
        .join(Community, Community.id == Household.community_id)
        .where(Household.id.in_(list(household_ids)))
        .order_by(Household.id)
    )
    return [(row[0], HouseholdCard(*row[1:])) for row in rows]


def count_people(session: Session, community_id: int, on: date) -> Numbers:
    row = session.execute(
        select(func.count(func.distinct(Household.id)), func.count(Member.id))
        .select_from(Household)
        .outerjoin(
            Member,
            (Member.household_id == Household.id)
            & (Member.left_on.is_(None) | (Member.left_on > on)),
        )
        .where(
            Household.community_id == community_id,
            Household.active_until.is_(None) | (Household.active_until > on),
        )
    ).one()
    return Numbers(*row)


def list_memberships(session: Session, community_id: int) -> dict[str, Membership]:
    """The days of every household that ever was in the register, by code, in its order."""
    rows = session.execute(
        select(Household.code, Household.active_from, Household.active_until)
        .where(Household.community_id == community_id)
        .order_by(Household.position)
    )
    return {row.code: Membership(row.active_from, row.active_until) for row in rows}


# --- what households own together ----------------------------------------------------------------


def list_assets(session: Session, community_id: int) -> list[AssetCard]:
    """The co-owned assets of a community, in the order they were recorded."""
    rows = session.execute(
        select(*_ASSET).where(Asset.community_id == community_id).order_by(Asset.id)
    )
    return [AssetCard(*row) for row in rows]


def get_asset(session: Session, community_id: int, asset_id: int) -> AssetCard:
    row = session.execute(
        select(*_ASSET).where(Asset.community_id == community_id, Asset.id == asset_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="asset")
    return AssetCard(*row)


def list_share_lines(session: Session, asset_id: int) -> list[ShareLine]:
    """Every recorded event of an asset's register, in the order of its days, with its decision."""
    giver, taker = aliased(Household), aliased(Household)
    rows = session.execute(
        select(
            ShareChange.id,
            ShareChange.kind,
            giver.code.label("from_household"),
            taker.code.label("to_household"),
            ShareChange.shares,
            ShareChange.effective_on,
            ShareChange.document,
            ShareChange.document_sha256,
            ShareChange.recorded_by,
            ShareChange.recorded_at,
            OwnershipDecision.decision,
            OwnershipDecision.decided_by,
            OwnershipDecision.decided_at,
        )
        .outerjoin(giver, giver.id == ShareChange.from_household_id)
        .outerjoin(taker, taker.id == ShareChange.to_household_id)
        .outerjoin(OwnershipDecision, OwnershipDecision.event_id == ShareChange.id)
        .where(ShareChange.asset_id == asset_id)
        .order_by(ShareChange.effective_on, ShareChange.id)
    )
    return [_share_line(row) for row in rows]


def list_uses(session: Session, community_id: int) -> list[UseLine]:
    """What was recorded of which experience earns by which asset, in the order of days."""
    rows = session.execute(_USES.where(AssetUse.community_id == community_id))
    return [_use(row) for row in rows]


def list_share_register(
    session: Session, experience_id: int, on: date
) -> tuple[tuple[str, int], ...]:
    """(household, shares) of a co-owned experience at the end of a day, in household code order.

    The experience's own register, else that of the asset that it earns by then; empty where none.
    Only what a second person confirmed counts. Raises ShareInvalid where the records contradict
    themselves.
    """
    own = session.scalar(select(Asset.id).where(Asset.experience_id == experience_id))
    held = _register_of(session, own, on) if own is not None else {}
    if not held:
        used = [
            use
            for use in map(
                _use, session.execute(_USES.where(AssetUse.experience_id == experience_id))
            )
            if use.decision == Decision.CONFIRMED and use.effective_on <= on
        ]
        asset_id = used[-1].asset_id if used else None
        held = _register_of(session, asset_id, on) if asset_id is not None else {}
    return tuple(held.items())


def _register_of(session: Session, asset_id: int, on: date) -> dict[str, int]:
    """An asset's confirmed register at the end of a day."""
    lines = list_share_lines(session, asset_id)
    return register_on((each.event for each in lines if each.decision == Decision.CONFIRMED), on)


def _share_line(row: Any) -> ShareLine:
    values = dict(row._mapping)
    kind, decision = ShareKind(values.pop("kind")), _decision(values.pop("decision"))
    return ShareLine(kind=kind, decision=decision, **values)


def _use(row: Any) -> UseLine:
    values = dict(row._mapping)
    return UseLine(decision=_decision(values.pop("decision")), **values)


def _decision(text: str | None) -> Decision | None:
    return Decision(text) if text else None
