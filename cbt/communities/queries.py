"""Reading communities and households."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.communities.models import Community, Household, Member
from cbt.communities.records import CommunityCard, HouseholdCard, Numbers
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.i18n import Localized

_CARD = columns(Community, CommunityCard)
_HOUSEHOLD = columns(Household, HouseholdCard)


def get_community(session: Session, slug: str) -> CommunityCard:
    return _one(session, Community.slug == slug)


def get_community_by_id(session: Session, community_id: int) -> CommunityCard:
    return _one(session, Community.id == community_id)


def _one(session: Session, condition: Condition) -> CommunityCard:
    row = session.execute(select(*_CARD).where(condition)).one_or_none()
    if row is None:
        raise NotFound(thing="community")
    return CommunityCard(*row)


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
