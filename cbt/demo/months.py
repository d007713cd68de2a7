"""Closing a sample community's past months on their fifth day, as its people would."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from cbt.audit.closing import run_audit
from cbt.clock import month_before
from cbt.communities.queries import get_community_by_id
from cbt.db import db
from cbt.demo.scenes import Deed
from cbt.revenue import close, keys
from cbt.revenue.period_queries import get_period, list_periods
from cbt.revenue.periods import last_day_of
from cbt.revenue.signing import PlatformKey, SignerRole

_FIFTH, _HOUR = 5, time(3)


@dataclass(frozen=True)
class Office:
    """Who closes a community's months, with what they sign in with and say of warnings."""

    community_id: int
    treasurer_id: int
    host_id: int
    password: str
    words: str


def deeds(office: Office, key: PlatformKey, now: datetime) -> Iterator[tuple[datetime, Deed]]:
    """The treasurer prepares and signs, the coordinator confirms: a month before and this month."""
    for month in (month_before(now.date()), now.date().replace(day=1)):
        at = datetime.combine(month.replace(day=_FIFTH), _HOUR, UTC)
        yield at, partial(close_next, office, key)


def close_next(office: Office, key: PlatformKey, at: datetime) -> None:
    """Close the oldest open month, unless it lasts or something of it is still open."""
    community = get_community_by_id(db.session(), office.community_id)
    month = close.next_month_to_close(db.session(), community)
    if month is None or last_day_of(month) >= at.date():
        return
    audit = run_audit(community, at).facts
    seen = close.look(db.session(), community, month, audit, office.treasurer_id, None, at)
    if not seen.may_close:
        return
    words = {each.rule: office.words for each in seen.answers if each.asks}
    about = (office.community_id, month, seen.figures.fingerprint, words, audit, None)
    draft = close.prepare_close(*about, office.treasurer_id, at)
    later = at + timedelta(hours=2)
    close.close_period(office.community_id, draft, audit, None, key, office.host_id, later)
    by = (SignerRole.TREASURER, office.treasurer_id, office.password)
    sign(office.community_id, month, *by, key, later)


def sign(
    community_id: int,
    month: date,
    role: SignerRole,
    person_id: int,
    password: str,
    key: PlatformKey,
    at: datetime,
) -> None:
    period = get_period(db.session(), community_id, month)
    keys.sign_period(community_id, period, role, password, key, person_id, at)


def co_sign_all_but_last(
    community_id: int, mentor_id: int, password: str, key: PlatformKey, now: datetime
) -> None:
    """The mentor has signed the earlier months; the last one is left to them."""
    for period in list_periods(db.session(), community_id)[1:]:
        sign(community_id, period.month, SignerRole.MENTOR, mentor_id, password, key, now)
