"""Outside calendars as blocks: adding them, and reading them again and again.

A feed can block, never confirm and never cancel: a blocked slot sells nothing more, and what was
sold there before is listed for a person to look at (`feed_watch.py`).

The order of locks: the thing, its feed, its slots by id. All that is written about one thing's
blocks queues at the thing, so that two feeds of it never count past each other. Slots that do not
exist yet are made before, by themselves, so that nobody who claims waits for a whole calendar.
"""

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from cbt.bookings import parts
from cbt.bookings.claims import ensure_slots
from cbt.bookings.feed_lines import Problem
from cbt.bookings.feeds import HORIZON, Block, read_blocks
from cbt.bookings.feeds import Feed as ReadFeed
from cbt.bookings.models import Feed, FeedBlock, Slot, Thing
from cbt.bookings.parts import HOURS, Part
from cbt.bookings.things import ThingProblem
from cbt.clock import to_village, village_day
from cbt.communities.models import Community
from cbt.db import Query, db, transaction
from cbt.errors import FeedInvalid, NotFound, ThingInvalid

log = logging.getLogger("cbt.bookings")

READ_EVERY = timedelta(minutes=15)
MOST_AT_ONCE = 8  # so that other duties get their turn while outside servers are slow
LONGEST_NAME = 80
LONGEST_ADDRESS = 2_000

_DAY = timedelta(days=1)

Fetch = Callable[[str], bytes]
"""Gets what lies behind an address, or raises FeedInvalid: `fetch_calendar`."""


# --- adding and removing -------------------------------------------------------------------------


def add_feed(community_id: int, thing_id: int, name: str, url: str, now: datetime) -> int:
    """Note an outside calendar, to be read by the worker soon; return its id.

    Raises NotFound for another community's thing, ThingInvalid without a name, FeedInvalid for
    what is not an address on the web.
    """
    with transaction() as session:
        _zone_of_thing(session, community_id, thing_id)
        return _add(session, thing_id, _require_name(name), web_address(url), now)


def connect_feed(
    community_id: int, thing_id: int, name: str, url: str, fetch: Fetch, now: datetime
) -> int:
    """Read an outside calendar, and only if it can be read add it with its blocks; return its id.

    Raises what `add_feed` raises, and FeedInvalid for a calendar that cannot be read; then nothing
    is written.
    """
    called, address = _require_name(name), web_address(url)
    zone = _zone_of_thing(db.session(), community_id, thing_id)
    db.session.rollback()  # nothing stays open while somebody outside is asked
    found = _read(fetch(address), zone, now)
    _make_slots(thing_id, found, now)
    with transaction() as session:
        feed_id = _add(session, thing_id, called, address, now)
        _write_blocks(session, feed_id, found, now)
        return feed_id


def _add(session: Session, thing_id: int, name: str, address: str, now: datetime) -> int:
    feed = Feed(thing_id=thing_id, name=name, url=address, added_at=now)
    session.add(feed)
    session.flush()
    return feed.id


def _require_name(name: str) -> str:
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ThingInvalid(problem=ThingProblem.NAME)
    return name.strip()


def web_address(url: str) -> str:
    """An address as we visit it: webcal:// is https://. Raises FeedInvalid for anything else."""
    scheme, _colon, rest = url.strip().partition("://")
    scheme = {"webcal": "https", "webcals": "https"}.get(scheme.lower(), scheme.lower())
    address = f"{scheme}://{rest}"
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if scheme not in ("http", "https") or not host or len(address) > LONGEST_ADDRESS:
        raise FeedInvalid(problem=Problem.ADDRESS)
    return address


def _zone_of_thing(session: Session, community_id: int, thing_id: int) -> str:
    zone = session.scalar(
        select(Community.zone)
        .join(Thing, Thing.community_id == Community.id)
        .where(Thing.id == thing_id, Community.id == community_id)
    )
    if zone is None:
        raise NotFound(thing="thing")
    return zone


def remove_feed(community_id: int, feed_id: int) -> None:
    """Forget an outside calendar; what it blocked can be sold again. Raises NotFound."""
    with transaction() as session:
        thing_id = session.scalar(
            select(Feed.thing_id)
            .join(Thing, Thing.id == Feed.thing_id)
            .where(Feed.id == feed_id, Thing.community_id == community_id)
        )
        if thing_id is None:
            raise NotFound(thing="feed")
        _lock_thing(session, thing_id)
        session.execute(delete(FeedBlock).where(FeedBlock.feed_id == feed_id))
        session.execute(delete(Feed).where(Feed.id == feed_id))
        _count_blocks(session, thing_id)


# --- reading again -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Due:
    """A feed that is to be read."""

    feed_id: int
    thing_id: int
    url: str
    zone: str


def refresh_feed(feed_id: int, fetch: Fetch, now: datetime) -> bool:
    """Read an outside calendar again and let its blocks follow; whether it could be read.

    One that cannot be read keeps its old blocks, and why is noted. Raises NotFound.
    """
    session = db.session()
    row = session.execute(_due().where(Feed.id == feed_id)).one_or_none()
    if row is None:
        raise NotFound(thing="feed")
    session.rollback()  # nothing stays open while somebody outside is asked
    due = _Due(*row)
    return _store(due, _outcome(due, fetch, now), now)


def refresh_all(fetch: Fetch, now: datetime) -> int:
    """Read every outside calendar whose time has come, the longest unread first, some at once.

    Each comes again after READ_EVERY. Returns how many could be read.
    """
    due = _take_due(now)
    if not due:
        return 0
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        outcomes = list(pool.map(lambda each: _outcome(each, fetch, now), due))
    read = 0
    for each, outcome in zip(due, outcomes, strict=True):
        try:
            read += _store(each, outcome, now)
        except NotFound:
            log.info("feed %s was removed meanwhile", each.feed_id)
    return read


def _due() -> Query:
    return (
        select(Feed.id, Feed.thing_id, Feed.url, Community.zone)
        .join(Thing, Thing.id == Feed.thing_id)
        .join(Community, Community.id == Thing.community_id)
    )


def _take_due(now: datetime) -> list[_Due]:
    """Take the next feeds: each is noted as tried first, so that no other worker reads it as well."""
    with transaction() as session:
        rows = session.execute(
            _due()
            .where(or_(Feed.tried_at.is_(None), Feed.tried_at <= now - READ_EVERY))
            .order_by(Feed.tried_at.is_not(None), Feed.tried_at, Feed.id)
            .limit(MOST_AT_ONCE)
            .with_for_update(of=Feed, skip_locked=True)
        ).all()
        ids = [row.id for row in rows]
        session.execute(update(Feed).where(Feed.id.in_(ids)).values(tried_at=now))
        return [_Due(*row) for row in rows]


def _outcome(due: _Due, fetch: Fetch, now: datetime) -> ReadFeed | Problem:
    """What was read, or why nothing was. Touches no database."""
    try:
        return _read(fetch(due.url), due.zone, now)
    except FeedInvalid as refused:
        return Problem(str(refused.facts["problem"]))
    except Exception:  # whatever is wrong with one calendar, the next ones are read
        log.exception("feed %s cannot be read", due.feed_id)
        return Problem.UNREADABLE


def _read(content: bytes, zone: str, now: datetime) -> ReadFeed:
    """The blocks from yesterday on, since its night lasts until this morning."""
    today = village_day(now, zone)
    return read_blocks(content, zone, today - _DAY, today + HORIZON)


def _store(due: _Due, outcome: ReadFeed | Problem, now: datetime) -> bool:
    if isinstance(outcome, ReadFeed):
        _make_slots(due.thing_id, outcome, now)
    with transaction() as session:
        if isinstance(outcome, ReadFeed):
            _write_blocks(session, due.feed_id, outcome, now)
            return True
        session.execute(
            update(Feed).where(Feed.id == due.feed_id).values(tried_at=now, failure=outcome)
        )
        return False


def _write_blocks(session: Session, feed_id: int, found: ReadFeed, now: datetime) -> None:
    """Replace a feed's blocks, and let the slots of its thing follow. A step."""
    thing_id = session.scalar(select(Feed.thing_id).where(Feed.id == feed_id))
    if thing_id is None:
        raise NotFound(thing="feed")
    _lock_thing(session, thing_id)
    values = {"tried_at": now, "fetched_at": now, "failure": None, "rolling": found.rolling}
    kept = session.scalar(
        update(Feed).where(Feed.id == feed_id).values(**values).returning(Feed.id)
    )
    if kept is None:
        raise NotFound(thing="feed")
    session.execute(delete(FeedBlock).where(FeedBlock.feed_id == feed_id))
    rows = [
        {
            "feed_id": feed_id,
            "line": line,
            "uid": block.uid,
            "first_on": block.first_on,
            "last_on": block.last_on,
            "begins": block.begins,
            "ends": block.ends,
            "summary": block.summary,
        }
        for line, block in enumerate(found.blocks, start=1)
    ]
    if rows:
        session.execute(insert(FeedBlock), rows)
    _count_blocks(session, thing_id)


def _lock_thing(session: Session, thing_id: int) -> None:
    session.execute(
        update(Thing).where(Thing.id == thing_id).values(cutoff_minutes=Thing.cutoff_minutes)
    )


# --- from blocks to slots ------------------------------------------------------------------------


def _make_slots(thing_id: int, found: ReadFeed, now: datetime) -> None:
    """Make the slots ahead that blocks cover, so that whoever comes first meets the block."""
    with transaction() as session:
        per_day, zone = _measure(session, thing_id)
        since = village_day(now, zone) - _DAY
        keys = {
            (thing_id, day, part)
            for block in found.blocks
            for day, part in covered(block, zone, per_day=per_day)
            if day >= since
        }
        ensure_slots(session, keys)


def _measure(session: Session, thing_id: int) -> tuple[bool, str]:
    """Whether a thing is counted by whole days, and the zone of its village."""
    row = session.execute(
        select(Thing.per_day, Community.zone)
        .join(Community, Community.id == Thing.community_id)
        .where(Thing.id == thing_id)
    ).one()
    return row[0], row[1]


def _count_blocks(session: Session, thing_id: int) -> None:
    """Let every slot of a thing say how many blocks cover it now. Needs the thing's lock. A step."""
    per_day, zone = _measure(session, thing_id)
    covering = Counter(
        (day, part)
        for block in _list_blocks(session, thing_id)
        for day, part in covered(block, zone, per_day=per_day)
    )
    slots = session.execute(
        select(Slot.id, Slot.day, Slot.part, Slot.blocked).where(
            Slot.thing_id == thing_id,
            or_(Slot.blocked > 0, Slot.day.in_({day for day, _part in covering})),
        )
    ).all()
    changes = {
        slot.id: wanted
        for slot in slots
        if (wanted := covering[slot.day, Part(slot.part)]) != slot.blocked
    }
    _set_blocked(session, changes)


def _set_blocked(session: Session, changes: dict[int, int]) -> None:
    """Write {slot: blocks}; the slots are locked in the order of their ids, as a claim does."""
    session.execute(
        select(Slot.id).where(Slot.id.in_(changes)).order_by(Slot.id).with_for_update()
    ).all()
    for number in sorted(set(changes.values())):
        ids = [slot_id for slot_id, wanted in changes.items() if wanted == number]
        session.execute(
            update(Slot)
            .where(Slot.id.in_(ids))
            .values(blocked=number)
            .execution_options(synchronize_session=False)
        )


def _list_blocks(session: Session, thing_id: int) -> list[Block]:
    rows = session.execute(
        select(
            FeedBlock.uid,
            FeedBlock.first_on,
            FeedBlock.last_on,
            FeedBlock.summary,
            FeedBlock.begins,
            FeedBlock.ends,
        )
        .join(Feed, Feed.id == FeedBlock.feed_id)
        .where(Feed.thing_id == thing_id)
    )
    return [Block(*row) for row in rows]


def covered(block: Block, zone: str, *, per_day: bool) -> list[tuple[date, Part]]:
    """The dates and parts of day that a block covers: whole days unless it has hours."""
    if block.begins is None or block.ends is None:
        days = parts.dates(_midnight(block.first_on), _midnight(block.last_on + _DAY))
        return [(day, part) for day in days for part in ((Part.DAY,) if per_day else HOURS)]
    begins, ends = to_village(block.begins, zone), to_village(block.ends, zone)
    if per_day:
        return [(day, Part.DAY) for day in parts.dates(begins, ends)]
    return parts.occupied(begins, ends)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
