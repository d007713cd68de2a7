"""Households that agreed to be counted as vulnerable, until a day that they set. Sensitive: see 022.

A household says so itself and takes it back itself; nobody else can read it. What is taken back or over
is deleted, so that no history of it is left.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.models import Household, VulnerableHousehold
from cbt.communities.queries import get_zone
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import ConsentInvalid

LONGEST = timedelta(days=366)
_KEPT_OVER = timedelta(days=62)
"""So long after its end it still counts for the months that it held in, until those are closed."""


def list_vulnerable(session: Session, community_id: int, on: date) -> frozenset[str]:
    """The codes of households whose consent holds on a day. Only for sums over five and more."""
    rows = session.scalars(
        select(Household.code)
        .join(VulnerableHousehold, VulnerableHousehold.household_id == Household.id)
        .where(Household.community_id == community_id, VulnerableHousehold.ends_on >= on)
    )
    return frozenset(rows)


def find_consent(session: Session, household_id: int) -> date | None:
    """Until when a household agreed to be counted, or None where it does not. For its own page."""
    return session.scalar(
        select(VulnerableHousehold.ends_on).where(VulnerableHousehold.household_id == household_id)
    )


def agree(
    community_id: int, household_id: int, ends_on: date, person_id: int, now: datetime
) -> None:
    """A household agrees to be counted as vulnerable until a day, at most a year ahead.

    A new day takes the place of an earlier one. Raises ConsentInvalid, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        today = village_day(now, get_zone(session, community_id))
        if not today <= ends_on <= today + LONGEST:
            raise ConsentInvalid(earliest=today, latest=today + LONGEST)
        _forget(session, household_id)
        session.execute(
            insert(VulnerableHousehold),
            {
                "household_id": household_id,
                "ends_on": ends_on,
                "agreed_by": person_id,
                "agreed_at": now,
            },
        )


def take_back(community_id: int, household_id: int) -> None:
    """A household is no longer counted; nothing of it is left. Twice is once."""
    with transaction() as session:
        lock_community(session, community_id)
        _forget(session, household_id)


def forget_ended(now: datetime) -> int:
    """Delete what ended two months ago and more; return how many."""
    with transaction() as session:
        gone = session.scalars(
            delete(VulnerableHousehold)
            .where(VulnerableHousehold.ends_on < (now - _KEPT_OVER).date())
            .returning(VulnerableHousehold.household_id)
        )
        return len(gone.all())


def _forget(session: Session, household_id: int) -> None:
    session.execute(
        delete(VulnerableHousehold).where(VulnerableHousehold.household_id == household_id)
    )
