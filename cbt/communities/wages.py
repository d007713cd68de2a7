"""The daily minimum wage of each province, as the platform's caretaker keeps it. Append-only.

Only a line to compare pay with (rule PRD-12): households work for themselves, and no law is claimed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.models import Community, MinimumWage
from cbt.db import columns, transaction
from cbt.errors import WageInvalid
from cbt.i18n import Localized

LEAST_SATANG, MOST_SATANG = 10_000, 500_000
"""A hundred to five thousand baht a day: anything else was typed wrongly."""
LONGEST_SOURCE = 200
_ZONE = "Asia/Bangkok"
_AHEAD = timedelta(days=366)


@dataclass(frozen=True)
class WageCard:
    """A province's daily wage from a day on; of two of one day the one recorded later counts."""

    id: int
    province_code: str
    daily_satang: int
    effective_on: date
    source: str
    recorded_by: int
    recorded_at: datetime


def list_wages(session: Session, province_code: str | None = None) -> list[WageCard]:
    """All wages ever recorded, of one province or of all, in the order of days, then of recording."""
    statement = select(*columns(MinimumWage, WageCard)).order_by(
        MinimumWage.province_code, MinimumWage.effective_on, MinimumWage.id
    )
    if province_code is not None:
        statement = statement.where(MinimumWage.province_code == province_code)
    return [WageCard(*row) for row in session.execute(statement)]


def wage_on(wages: Sequence[WageCard], day: date) -> int | None:
    """The daily wage in force on a day, of one province's wages in their order; None before the first."""
    begun = [each.daily_satang for each in wages if each.effective_on <= day]
    return begun[-1] if begun else None


def list_provinces(session: Session) -> list[tuple[str, Localized]]:
    """(code, name) of the provinces that have communities, in the order of codes."""
    rows = session.execute(
        select(Community.province_code, Community.province).order_by(
            Community.province_code, Community.id
        )
    )
    return list({row.province_code: row.province for row in rows}.items())


def record_wage(
    province_code: str,
    daily_satang: int,
    effective_on: date,
    source: str,
    person_id: int,
    now: datetime,
) -> int:
    """Write down a province's daily wage from a day on; return its id. What was before stays readable.

    A wrong one is put right by another of the same day. Raises WageInvalid for a province without
    communities, an amount or day that nobody can mean, or no source; and then writes nothing.
    """
    told = " ".join(source.split())
    today = village_day(now, _ZONE)
    if not LEAST_SATANG <= daily_satang <= MOST_SATANG:
        raise WageInvalid(problem="amount")
    if not date(2000, 1, 1) <= effective_on <= today + _AHEAD:
        raise WageInvalid(problem="day")
    if not told or len(told) > LONGEST_SOURCE or not told.isprintable():
        raise WageInvalid(problem="source")
    with transaction() as session:
        if province_code not in dict(list_provinces(session)):
            raise WageInvalid(problem="province")
        return session.execute(
            insert(MinimumWage).returning(MinimumWage.id),
            {
                "province_code": province_code,
                "daily_satang": daily_satang,
                "effective_on": effective_on,
                "source": told,
                "recorded_by": person_id,
                "recorded_at": now,
            },
        ).scalar_one()
