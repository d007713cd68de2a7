"""Looking at outside calendars: how fresh they are, what they block, and what they get in the way of."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Departure, Feed, FeedBlock, Slot, SlotClaim, Thing
from cbt.bookings.records import FeedCard
from cbt.clock import village_day
from cbt.communities.queries import get_zone
from cbt.db import columns
from cbt.experiences.models import Experience, Option
from cbt.i18n import Localized

STALE_AFTER = timedelta(hours=6)


@dataclass(frozen=True)
class FeedStanding:
    """A feed as its host sees it: `blocked_days` from today on; `host` is where it comes from."""

    feed: FeedCard
    thing: Localized
    host: str
    blocked_days: int
    is_stale: bool


@dataclass(frozen=True)
class FeedConflict:
    """A departure that took a thing before an outside calendar blocked it, and keeps it."""

    departure_id: int
    starts_on: date
    begins_at: datetime
    claimed: int
    experience: Localized
    things: tuple[Localized, ...]


def list_feeds(session: Session, community_id: int, now: datetime) -> list[FeedStanding]:
    """A community's outside calendars, by thing. Two statements."""
    zone = get_zone(session, community_id)
    today = village_day(now, zone)
    feeds = session.execute(
        select(Thing.title, *columns(Feed, FeedCard))
        .join(Feed, Feed.thing_id == Thing.id)
        .where(Thing.community_id == community_id)
        .order_by(Thing.position, Feed.id)
    ).all()
    days: dict[int, set[date]] = {row.id: set() for row in feeds}
    blocks = session.execute(
        select(FeedBlock.feed_id, FeedBlock.first_on, FeedBlock.last_on).where(
            FeedBlock.feed_id.in_(days), FeedBlock.last_on >= today
        )
    )
    for feed_id, first_on, last_on in blocks:
        days[feed_id] |= _days(max(first_on, today), last_on)
    return [_standing(row[0], FeedCard(*row[1:]), len(days[row.id]), now) for row in feeds]


def _days(first_on: date, last_on: date) -> set[date]:
    return {first_on + timedelta(days=number) for number in range((last_on - first_on).days + 1)}


def _standing(thing: Localized, feed: FeedCard, days: int, now: datetime) -> FeedStanding:
    is_stale = (feed.fetched_at or feed.added_at) <= now - STALE_AFTER
    return FeedStanding(feed, thing, urlsplit(feed.url).hostname or "", days, is_stale)


def list_stale_feeds(session: Session, community_id: int, now: datetime) -> list[FeedCard]:
    """Outside calendars that nobody could read for STALE_AFTER: what they block may be outdated."""
    rows = session.execute(
        select(*columns(Feed, FeedCard))
        .join(Thing, Thing.id == Feed.thing_id)
        .where(
            Thing.community_id == community_id,
            func.coalesce(Feed.fetched_at, Feed.added_at) <= now - STALE_AFTER,
        )
        .order_by(Feed.id)
    )
    return [FeedCard(*row) for row in rows]


def list_conflicts(session: Session, community_id: int, now: datetime) -> list[FeedConflict]:
    """Departures ahead that hold a thing which an outside calendar blocks by now. Nothing is undone."""
    rows = session.execute(
        select(
            Departure.id,
            Departure.starts_on,
            Departure.begins_at,
            Departure.claimed,
            Experience.title.label("experience"),
            Thing.id.label("thing_id"),
            Thing.title.label("thing"),
        )
        .join(SlotClaim, SlotClaim.departure_id == Departure.id)
        .join(Slot, Slot.id == SlotClaim.slot_id)
        .join(Thing, Thing.id == Slot.thing_id)
        .join(Option, Option.id == Departure.option_id)
        .join(Experience, Experience.id == Option.experience_id)
        .where(
            Departure.community_id == community_id,
            Departure.ends_at > now,
            SlotClaim.units > 0,
            Slot.blocked > 0,
        )
        .order_by(Departure.begins_at, Departure.id, Thing.position)
    )
    return [_conflict(list(alike)) for _id, alike in groupby(rows, key=lambda row: row.id)]


def _conflict(rows: list[Any]) -> FeedConflict:
    first = rows[0]
    things = {row.thing_id: row.thing for row in rows}
    return FeedConflict(
        first.id,
        first.starts_on,
        first.begins_at,
        first.claimed,
        first.experience,
        tuple(things.values()),
    )
