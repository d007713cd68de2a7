"""Adopting policies, recording work, settling departures."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from cbt.bookings import queries as bookings
from cbt.bookings.records import TripCard
from cbt.clock import village_day
from cbt.communities.queries import get_community_by_id, list_memberships, list_register
from cbt.communities.services import lock_community
from cbt.db import db, transaction
from cbt.errors import (
    PolicyOverlaps,
    PolicyTooEarly,
    ResolutionInvalid,
    WorkInvalid,
)
from cbt.revenue import queries, settling, work
from cbt.revenue.adoption import ResolutionProblem
from cbt.revenue.models import PolicyVersion, Preparation
from cbt.revenue.period_queries import last_closed_day
from cbt.revenue.policy import identity, parse
from cbt.revenue.records import AdoptedPolicy, NewPreparation, NewWork, Preview, Resolution
from cbt.revenue.work_rules import WorkProblem

MOST_COST_SATANG = 10_000_000


# --- policy --------------------------------------------------------------------------------------


def adopt_policy(community_id: int, text: str, resolution: Resolution, now: datetime) -> int:
    """Record a policy that the members adopted; return the version's id.

    It applies to what is sold from its first day on. That day must lie after the day on which it
    is recorded, unless nothing could be sold before: no sale changes its policy afterwards.
    Raises PolicyInvalid, ResolutionInvalid, PolicyTooEarly or PolicyOverlaps, and then writes nothing.
    """
    parse(text)
    require_adopted(resolution)
    with transaction() as session:
        lock_community(session, community_id)
        return add_version(session, community_id, text, resolution, now)


def add_version(
    session: Session, community_id: int, text: str, resolution: Resolution, now: datetime
) -> int:
    """Add a policy to those of a locked community; return the version's id.

    Raises PolicyTooEarly where something may have been sold since its first day, or PolicyOverlaps
    where another starts on that day or later.
    """
    today = village_day(now, get_community_by_id(session, community_id).zone)
    last = last_version(session, community_id)
    earliest = today + timedelta(days=1) if last else today
    if resolution.effective_from < earliest:
        raise PolicyTooEarly(earliest=earliest)
    if last and resolution.effective_from <= last.effective_from:
        raise PolicyOverlaps(earliest=last.effective_from + timedelta(days=1))
    return session.execute(
        insert(PolicyVersion).returning(PolicyVersion.id),
        {
            "community_id": community_id,
            "number": (last.number if last else 0) + 1,
            "text": text,
            "sha256": identity(text),
            "recorded_at": now,
            "adopted_on": resolution.adopted_on,
            "effective_from": resolution.effective_from,
            "meeting": resolution.meeting,
            "households": resolution.households,
            "present": resolution.present,
            "voted_for": resolution.voted_for,
        },
    ).scalar_one()


def last_version(session: Session, community_id: int) -> AdoptedPolicy | None:
    """The policy that was adopted last, whether it has begun or not."""
    adopted = queries.list_policies(session, community_id)
    return max(adopted, key=lambda policy: policy.number, default=None)


def require_adopted(resolution: Resolution) -> None:
    """Raise ResolutionInvalid unless more than half of the households that came agreed."""
    if not 0 < resolution.present <= resolution.households:
        raise ResolutionInvalid(problem=ResolutionProblem.PRESENT)
    if not resolution.present < 2 * resolution.voted_for <= 2 * resolution.present:
        raise ResolutionInvalid(problem=ResolutionProblem.VOTED_FOR)
    if resolution.effective_from < resolution.adopted_on:
        raise ResolutionInvalid(problem=ResolutionProblem.EFFECTIVE_FROM)


# --- work ----------------------------------------------------------------------------------------


def record_work(
    community_id: int,
    departure_id: int,
    rows: Sequence[NewWork],
    person_id: int,
    now: datetime,
) -> None:
    """Write down who worked on a departure, in place of what was written before.

    Raises DepartureUnknown, AlreadySettled, PeriodClosed, or WorkInvalid naming the row, and then
    writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        trip = bookings.get_trip(session, community_id, departure_id)
        _require_open(session, community_id, trip)
        work.replace_rows(session, community_id, trip, rows, person_id, now)


def record_preparation(
    community_id: int,
    departure_id: int,
    rows: Sequence[NewPreparation],
    person_id: int,
    now: datetime,
) -> None:
    """Write down what households bought or prepared for a departure, in place of what stood before.

    It is paid first out of what cancellations leave. Raises DepartureUnknown, AlreadySettled,
    PeriodClosed, or WorkInvalid naming the row, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        trip = bookings.get_trip(session, community_id, departure_id)
        _require_open(session, community_id, trip)
        members = list_memberships(session, community_id)
        register = {
            household.code: household.id for household in list_register(session, community_id)
        }
        for number, row in enumerate(rows, start=1):
            work.require_member(members, row.household, trip.starts_on, number)
            if not 0 < row.cost_satang <= MOST_COST_SATANG or not row.what.strip():
                raise WorkInvalid(row=number, problem=WorkProblem.COST)
        session.execute(delete(Preparation).where(Preparation.departure_id == departure_id))
        if rows:
            session.execute(
                insert(Preparation),
                [
                    {
                        "departure_id": departure_id,
                        "line": number,
                        "household_id": register[row.household],
                        "what": row.what.strip(),
                        "cost_satang": row.cost_satang,
                        "recorded_by": person_id,
                        "recorded_at": now,
                    }
                    for number, row in enumerate(rows, start=1)
                ],
            )


def _require_open(session: Session, community_id: int, trip: TripCard) -> None:
    """Raise AlreadySettled, or PeriodClosed for a trip of a closed month.

    Where money still waits to be shared out, as when it came in after the close, its record stays
    open: the money lands in the open month, and somebody must have earned it.
    """
    waits = queries.list_booking_facts(session, [trip.id]).get(trip.id)
    work.require_open(trip, None if waits else last_closed_day(session, community_id))


# --- settlement ----------------------------------------------------------------------------------


def preview_settlement(community_id: int, departure_id: int) -> Preview:
    """Compute a settlement without posting it.

    Raises DepartureUnknown, NothingToSettle, NoWorkRecorded, WorkDisputed, ChoiceWaits, GoodwillWaits,
    DisputeOpen, FeeNotReported, CostsExceedIncome or DiscountTooLarge.
    """
    outlook = settling.get_outlook(db.session(), community_id, [departure_id])
    for obstacle in outlook.obstacles.values():
        raise obstacle
    return outlook.previews[departure_id]


def settle(
    community_id: int, departure_id: int, previewed: str, person_id: int, now: datetime
) -> int:
    """Split a delivered departure's bookings and share its pool out; return the settlement number.

    One transaction: one entry for each booking, one for the sharing-out. `previewed` is the
    fingerprint of the preview that the person agreed to. Raises AlreadySettled, NotYetDelivered,
    WorkUnconfirmed, PromiseWaits, what `preview_settlement` raises, or PreviewOutdated when something
    changed since; and then writes nothing.
    """
    with transaction() as session:
        numbers = settling.settle_departures(
            session, community_id, {departure_id: previewed}, person_id, now
        )
        return numbers[departure_id]


def settle_all(
    community_id: int, previewed: Mapping[int, str], person_id: int, now: datetime
) -> dict[int, int]:
    """Settle several departures at once, all or none; return the settlement number of each.

    `previewed` is {departure: fingerprint of its preview}; they are numbered by the hour at which they
    began. One transaction. Raises what `settle` raises of the first that cannot be settled.
    """
    if not previewed:
        return {}
    with transaction() as session:
        return settling.settle_departures(session, community_id, previewed, person_id, now)
