"""What a bundle covers: which months, which stretch of the chain, and which facts belong to it.

A fact belongs to the stretch that its entry stands in. What the books hold later is left out, so that a
closed month's bundle stays what it is; what they do not hold at all comes along, for the verifier to find.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cbt.communities.records import CommunityCard
from cbt.errors import BundleSpanInvalid
from cbt.ledger.models import Entry
from cbt.ledger.queries import get_book
from cbt.revenue import period_queries
from cbt.revenue.period_queries import PeriodCard
from cbt.revenue.periods import last_day_of

_AT_ONCE = 400


@dataclass(frozen=True)
class Scope:
    """Whole months of a community: entries `first_seq` to `last_seq` of its chain.

    `periods` are the closed ones among them, `before` is the closed month ahead of them, `moment` when
    the last one was closed (None where the bundle ends with an open month).
    """

    community: CommunityCard
    founding: str
    book: str
    first_day: date
    last_day: date
    periods: tuple[PeriodCard, ...]
    before: PeriodCard | None
    first_seq: int
    last_seq: int
    head_before: str
    head_after: str
    moment: datetime | None

    def is_over(self, at: datetime) -> bool:
        """Whether something happened only after the last month was closed."""
        return self.moment is not None and at > self.moment

    def has(self, seq: int | None) -> bool:
        """Whether a fact whose entry has this number (None: the books lack it) belongs to the bundle."""
        return seq is None or self.first_seq <= seq <= self.last_seq

    def is_later(self, seq: int | None) -> bool:
        return seq is not None and seq > self.last_seq


def read_scope(
    session: Session, community: CommunityCard, first_day: date, last_day: date
) -> Scope:
    """Raises BundleSpanInvalid for anything but whole months."""
    month = last_day.replace(day=1)
    if first_day.day != 1 or last_day != last_day_of(month) or first_day > last_day:
        raise BundleSpanInvalid(first=first_day, last=last_day)
    book = get_book(session, community.book_id)
    closed = list(reversed(period_queries.list_periods(session, community.id)))
    within = tuple(each for each in closed if first_day <= each.month <= month)
    earlier = [each for each in closed if each.month < first_day]
    before = earlier[-1] if earlier else None
    is_closed = bool(within) and within[-1].month == month
    last_seq = within[-1].closing_seq if is_closed else book.head_seq
    first_seq = _first_seq(session, community.book_id, before)
    hashes = {
        row.seq: row.hash
        for row in session.execute(
            select(Entry.seq, Entry.hash).where(
                Entry.book_id == community.book_id, Entry.seq.in_((first_seq - 1, last_seq))
            )
        )
    }
    return Scope(
        community=community,
        founding=f"community:{community.slug}",
        book=book.code,
        first_day=first_day,
        last_day=last_day,
        periods=within,
        before=before,
        first_seq=first_seq,
        last_seq=last_seq,
        head_before=hashes.get(first_seq - 1, book.genesis_hash),
        head_after=hashes.get(last_seq, book.genesis_hash),
        moment=within[-1].closed_at if is_closed else None,
    )


def _first_seq(session: Session, book_id: int, before: PeriodCard | None) -> int:
    """The first entry that no closed month ahead took in: some may have come before its close."""
    if before is None:
        return 1
    found = session.scalar(
        select(func.min(Entry.seq)).where(
            Entry.book_id == book_id,
            or_(Entry.effective_on > last_day_of(before.month), Entry.seq > before.closing_seq),
        )
    )
    return min(found or before.closing_seq + 1, before.closing_seq + 1)


class Numbers:
    """The numbers of entries by their keys, looked up many at once."""

    def __init__(self, session: Session, book_id: int) -> None:
        self._session = session
        self._book_id = book_id
        self._known: dict[str, int] = {}

    def look(self, keys: Iterable[str]) -> None:
        """Forget what was looked up before, and look these up."""
        wanted = list(dict.fromkeys(keys))
        self._known = {}
        for start in range(0, len(wanted), _AT_ONCE):
            rows = self._session.execute(
                select(Entry.key, Entry.seq).where(
                    Entry.book_id == self._book_id, Entry.key.in_(wanted[start : start + _AT_ONCE])
                )
            )
            self._known.update({row.key: row.seq for row in rows})

    def of(self, key: str) -> int | None:
        """The number of the entry with a key that was looked up; None where the books lack it."""
        return self._known.get(key)
