"""The host's private calendar: departures with their counts and hours, at a secret address.

The address is signed and has no end of its own, since a telephone reads it for years; whoever made
it ends it. Only a fingerprint of it is stored. It names no guest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from typing import Any

from icalendar import Event
from itsdangerous import URLSafeSerializer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.bookings.calendar_file import as_file, timed_event
from cbt.bookings.models import Departure, HostFeedKey
from cbt.bookings.states import DepartureState
from cbt.clock import to_instant, village_day
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import LinkInvalid
from cbt.experiences.models import Experience, Option
from cbt.i18n import pick, use_language
from cbt.people.models import Person, RoleGrant
from cbt.people.roles import Role

AHEAD = timedelta(days=90)
READERS = (Role.COORDINATOR, Role.TREASURER)


class HostFeedLinks:
    """Makes the secret part of the addresses. The same key always gives the same address."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="host-feed")

    def sign(self, community_id: int, person_id: int, made_at: datetime) -> str:
        made = made_at.astimezone(UTC).isoformat()
        return str(self._serializer.dumps([community_id, person_id, made]))


def _fingerprint(token: str) -> str:
    return sha256(token.encode()).hexdigest()


# --- making and ending the address ---------------------------------------------------------------


def make_host_feed(community_id: int, person_id: int, links: HostFeedLinks, now: datetime) -> str:
    """Give a person a secret address; return its token. Who has one keeps it."""
    with transaction() as session:
        lock_community(session, community_id)
        existing = find_host_feed(session, community_id, person_id, links)
        if existing is not None:
            return existing
        token = links.sign(community_id, person_id, now)
        session.add(
            HostFeedKey(
                community_id=community_id,
                person_id=person_id,
                token_hash=_fingerprint(token),
                made_at=now,
            )
        )
        return token


def end_host_feed(community_id: int, person_id: int, now: datetime) -> None:
    """End a person's address: whoever knows it reads nothing any more."""
    with transaction() as session:
        lock_community(session, community_id)
        session.execute(
            update(HostFeedKey)
            .where(
                HostFeedKey.community_id == community_id,
                HostFeedKey.person_id == person_id,
                HostFeedKey.ended_at.is_(None),
            )
            .values(ended_at=now)
        )


def find_host_feed(
    session: Session, community_id: int, person_id: int, links: HostFeedLinks
) -> str | None:
    """The token of a person's address, if there is one."""
    made_at = session.scalar(
        select(HostFeedKey.made_at).where(
            HostFeedKey.community_id == community_id,
            HostFeedKey.person_id == person_id,
            HostFeedKey.ended_at.is_(None),
        )
    )
    return None if made_at is None else links.sign(community_id, person_id, made_at)


# --- reading it ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class FeedReader:
    """Whom an address belongs to, as far as writing the calendar needs it."""

    community: CommunityCard
    language: str


def get_feed_reader(session: Session, token: str) -> FeedReader:
    """Whom a token belongs to. Raises LinkInvalid, also once it or the person's role was ended."""
    row = session.execute(
        select(HostFeedKey.community_id, Person.language)
        .join(Person, Person.id == HostFeedKey.person_id)
        .where(
            HostFeedKey.token_hash == _fingerprint(token),
            HostFeedKey.ended_at.is_(None),
            select(RoleGrant.id)
            .where(
                RoleGrant.person_id == HostFeedKey.person_id,
                RoleGrant.community_id == HostFeedKey.community_id,
                RoleGrant.role.in_(READERS),
                RoleGrant.ended_at.is_(None),
            )
            .exists(),
        )
    ).one_or_none()
    if row is None:
        raise LinkInvalid
    return FeedReader(get_community_by_id(session, row.community_id), row.language)


def write_host_feed(session: Session, reader: FeedReader, now: datetime) -> bytes:
    """The community's departures of the days ahead as .ics, in the reader's language.

    It changes only with them and with the day, so that a calendar that asks again is soon told
    that there is nothing new.
    """
    community = reader.community
    today = village_day(now, community.zone)
    rows = session.execute(
        select(
            Departure.id,
            Departure.begins_at,
            Departure.ends_at,
            Departure.claimed,
            Departure.capacity,
            Experience.title,
            Option.title.label("option_title"),
        )
        .join(Option, Option.id == Departure.option_id)
        .join(Experience, Experience.id == Option.experience_id)
        .where(
            Departure.community_id == community.id,
            Departure.starts_on >= today,
            Departure.starts_on < today + AHEAD,
            (Departure.state == DepartureState.OPEN)
            | ((Departure.state == DepartureState.CLOSED) & (Departure.claimed > 0)),
        )
        .order_by(Departure.begins_at, Departure.id)
    ).all()
    stamp = to_instant(today, time.min, community.zone)
    with use_language(reader.language):
        return as_file(_events(rows, community, stamp), METHOD="PUBLISH", NAME=pick(community.name))


def _events(rows: Iterable[Any], community: CommunityCard, stamp: datetime) -> list[Event]:
    events = []
    for row in rows:
        event = timed_event(row.begins_at, row.ends_at, community.zone)
        event.add("uid", f"departure-{row.id}@cbt")
        event.add("dtstamp", stamp)
        event.add("summary", f"{row.claimed}/{row.capacity} · {pick(row.title)}")
        event.add("description", pick(row.option_title))
        events.append(event)
    return events
