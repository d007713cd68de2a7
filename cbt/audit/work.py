"""Checks of who owns and who worked: share registers, work records, and that two people looked."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.bookings.models import Departure
from cbt.communities.models import Household
from cbt.communities.queries import (
    list_assets,
    list_memberships,
    list_share_lines,
    list_uses,
)
from cbt.communities.records import AssetCard, CommunityCard, ShareLine, UseLine
from cbt.communities.shares import Decision, Membership, require_event
from cbt.errors import ShareInvalid
from cbt.revenue.models import ServiceRecord
from cbt.revenue.queries import list_settlements
from cbt.revenue.records import SettlementCard
from cbt.revenue.work import Record, list_records, list_worked
from cbt.revenue.work_models import WorkConfirmation, WorkDispute
from cbt.revenue.work_rules import MINUTES_OF_DAY, minutes_by_day, settle_from

_AT_ONCE = 200


# --- who owns ------------------------------------------------------------------------------------


def check_shares(session: Session, community: CommunityCard) -> Outcome:
    """Each register, event by event, could be: nobody below zero, members only, two people each."""
    members = list_memberships(session, community.id)
    findings: list[Finding] = []
    looked_at = len(members)
    for asset in list_assets(session, community.id):
        lines = list_share_lines(session, asset.id)
        looked_at += len(lines)
        findings += _alone(lines, f"asset:{asset.id}")
        findings += _impossible(asset, lines, members)
    uses = list_uses(session, community.id)
    findings += _alone(uses, "asset_use")
    return Outcome(Check.SHARES, looked_at + len(uses), tuple(findings))


def _alone(lines: Iterable[ShareLine | UseLine], subject: str) -> list[Finding]:
    """What the same person recorded and decided."""
    return [
        Finding(Fault.SHARES_ALONE, subject, {"day": each.effective_on})
        for each in lines
        if each.decided_by is not None and each.decided_by == each.recorded_by
    ]


def _impossible(
    asset: AssetCard, lines: list[ShareLine], members: dict[str, Membership]
) -> list[Finding]:
    """The first confirmed event, in the order of days, that could not have been."""
    confirmed = [each.event for each in lines if each.decision == Decision.CONFIRMED]
    for day in sorted({each.effective_on for each in confirmed}):
        known = [each for each in confirmed if each.effective_on <= day]
        try:
            for number, event in enumerate(known):
                others = known[:number] + known[number + 1 :]
                if event.effective_on == day:
                    require_event(others, event, members, asset.begins_on, None)
        except ShareInvalid as error:
            values = {"household": error.facts.get("household", "-"), "day": day}
            return [Finding(Fault.SHARES_IMPOSSIBLE, f"asset:{asset.id}", values)]
    return []


# --- who worked ----------------------------------------------------------------------------------


def check_work(session: Session, community: CommunityCard) -> Outcome:
    """Each record names members of that day, fits into its days, and was looked at by two people.

    What is settled was undisputed then, and confirmed by somebody who did not record it or open to
    all for two days.
    """
    findings = _too_long(session, community)
    findings += _confirmed_alone(session, community)
    looked_at = 0
    members = list_memberships(session, community.id)
    settled = {each.departure_id: each for each in list_settlements(session, community.id)}
    for trips in _departures(session, community.id):
        for departure_id, record in list_records(session, trips).items():
            starts_on, ends_at = trips[departure_id]
            looked_at += len(record.parts)
            findings += _strangers(record, members, starts_on)
            findings += _answered_alone(record)
            if departure_id in settled:
                findings += _unseen(record, settled[departure_id], ends_at)
    return Outcome(Check.WORK, looked_at, tuple(findings))


def _departures(session: Session, community_id: int) -> Iterator[dict[int, tuple[date, datetime]]]:
    """{departure: (first day, end)} of those with records or disputes, some at a time."""
    told = select(ServiceRecord.departure_id).union(select(WorkDispute.departure_id))
    rows = session.execute(
        select(Departure.id, Departure.starts_on, Departure.ends_at)
        .where(Departure.community_id == community_id, Departure.id.in_(told))
        .order_by(Departure.id)
    ).all()
    for start in range(0, len(rows), _AT_ONCE):
        yield {row[0]: (row[1], row[2]) for row in rows[start : start + _AT_ONCE]}


def _subject(departure_id: int) -> str:
    return f"departure:{departure_id}"


def _too_long(session: Session, community: CommunityCard) -> list[Finding]:
    """Households that worked more than a day has, over all trips."""
    worked = list_worked(session, community.id, date.min, date.max, community.zone)
    return [
        Finding(Fault.WORK_TOO_LONG, f"household:{code}", {"day": day, "minutes": minutes})
        for (code, day), minutes in sorted(minutes_by_day(worked).items())
        if minutes > MINUTES_OF_DAY
    ]


def _confirmed_alone(session: Session, community: CommunityCard) -> list[Finding]:
    """Parts confirmed by the very person who, by the record as it stands, wrote them down."""
    rows = session.execute(
        select(WorkConfirmation.departure_id, Household.code)
        .join(Household, Household.id == WorkConfirmation.household_id)
        .join(
            ServiceRecord,
            (ServiceRecord.departure_id == WorkConfirmation.departure_id)
            & (ServiceRecord.household_id == WorkConfirmation.household_id),
        )
        .where(
            Household.community_id == community.id,
            (WorkConfirmation.confirmed_by == ServiceRecord.recorded_by)
            | (WorkConfirmation.confirmed_by == WorkConfirmation.recorded_by),
            WorkConfirmation.confirmed_at >= ServiceRecord.recorded_at,
        )
        .distinct()
        .order_by(WorkConfirmation.departure_id, Household.code)
    )
    return [
        Finding(Fault.WORK_ALONE, _subject(departure_id), {"household": code})
        for departure_id, code in rows
    ]


def _strangers(record: Record, members: dict[str, Membership], on: date) -> list[Finding]:
    return [
        Finding(Fault.WORK_STRANGER, _subject(record.departure_id), {"household": part.household})
        for part in record.parts
        if part.household not in members or not members[part.household].is_active(on)
    ]


def _answered_alone(record: Record) -> list[Finding]:
    return [
        Finding(Fault.ANSWER_ALONE, _subject(record.departure_id), {"household": each.household})
        for each in record.disputes
        if each.answered_by is not None and each.answered_by in (each.recorded_by, each.raised_by)
    ]


def _unseen(record: Record, settled: SettlementCard, ends_at: datetime) -> list[Finding]:
    """What was settled against a dispute, or before anybody could have looked."""
    found = [
        Finding(Fault.WORK_DISPUTED, _subject(record.departure_id), {"household": each.household})
        for each in record.disputes
        if each.raised_at <= settled.settled_at
        and (each.answered_at is None or each.answered_at > settled.settled_at)
    ]
    for part in record.parts:
        confirmed_at = part.confirmed_at
        in_time = confirmed_at is not None and confirmed_at <= settled.settled_at
        if not in_time and settle_from(part.recorded_at, ends_at) > settled.settled_at:
            values = {"household": part.household}
            found.append(Finding(Fault.WORK_UNSEEN, _subject(record.departure_id), values))
    return found
