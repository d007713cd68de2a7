"""The community's cash box: counted by two people, and carried to the bank."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import (
    AmountInvalid,
    MethodClosed,
    NotFound,
    PreviewOutdated,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.payments import posting, queries
from cbt.payments.models import CashBanked, CashCount
from cbt.payments.posting import CashBankedFacts, CashCountFacts
from cbt.payments.records import CASH
from cbt.payments.reported import WorkKind
from cbt.payments.work import open_work


def count_cash(
    community_id: int, counted_satang: int, note: str, person_id: int, now: datetime
) -> int:
    """The first of two people counted the box; return the count's id. The books do not move yet.

    Raises AmountInvalid for less than nothing, MethodClosed where there is no cash box.
    """
    if counted_satang < 0:
        raise AmountInvalid(amount=counted_satang)
    with transaction() as session:
        community = _community(session, community_id)
        count = CashCount(
            community_id=community_id,
            expected_satang=ledger.lock_balance(session, community.book_id, chart.CASH_BOX),
            counted_satang=counted_satang,
            note=_one_line(note),
            counted_by=person_id,
            counted_at=now,
        )
        session.add(count)
        session.flush()
        return count.id


def agree_count(community_id: int, count_id: int, person_id: int, now: datetime) -> None:
    """The second person counted the same: what differs from the books enters them, and must be told.

    What the books say is taken anew, with nothing posted meanwhile. Raises NotFound, StateForbids
    when the count was decided before, SecondPersonNeeded, or PreviewOutdated when cash came in or
    went out since it was counted; and then writes nothing.
    """
    with transaction() as session:
        community = _community(session, community_id)
        count = _decide(session, community_id, count_id, agreed_by=person_id, agreed_at=now)
        expected = ledger.lock_balance(session, community.book_id, chart.CASH_BOX)
        if expected != count.expected_satang:
            raise PreviewOutdated
        if count.counted_satang == expected:
            return
        on = village_day(now, community.zone)
        facts = CashCountFacts(count.id, expected, count.counted_satang, on)
        draft = posting.cash_count_draft(facts, f"person:{person_id}")
        ledger.post(session, community.book_id, draft, now)
        values = {
            "expected_satang": expected,
            "counted_satang": count.counted_satang,
            "difference_satang": count.counted_satang - expected,
            "note": count.note,
        }
        key = f"cash_count:{count.id}"
        open_work(session, WorkKind.CASH_DIFFERS, key, community_id, values, now)


def dismiss_count(community_id: int, count_id: int, now: datetime) -> None:
    """A count is set aside, as when it was counted wrong. Raises NotFound or StateForbids."""
    with transaction() as session:
        _decide(session, community_id, count_id, dismissed_at=now)


def bank_cash(
    community_id: int, amount_satang: int, bank_reference: str, person_id: int, now: datetime
) -> None:
    """Somebody brought cash from the box to the community's bank account.

    Raises AmountInvalid for nothing, MethodClosed where there is no cash box, ReferenceUsed when
    the bank's reference was noted before, BalanceTooLow when the box does not hold so much.
    """
    if amount_satang <= 0:
        raise AmountInvalid(amount=amount_satang)
    with transaction() as session:
        community = _community(session, community_id)
        lock_community(session, community_id)
        noted = select(CashBanked.id).where(
            CashBanked.community_id == community_id,
            CashBanked.bank_reference == _one_line(bank_reference),
        )
        if session.scalar(noted) is not None:
            raise ReferenceUsed(reference=bank_reference)
        banked = CashBanked(
            community_id=community_id,
            amount_satang=amount_satang,
            bank_reference=_one_line(bank_reference),
            banked_by=person_id,
            banked_at=now,
        )
        session.add(banked)
        session.flush()
        on = village_day(now, community.zone)
        facts = CashBankedFacts(banked.id, amount_satang, banked.bank_reference, on)
        draft = posting.cash_banked_draft(facts, f"person:{person_id}")
        ledger.post(session, community.book_id, draft, now)


def _community(session: Session, community_id: int) -> CommunityCard:
    """Raises MethodClosed for a community without a cash box."""
    if queries.find_method(session, community_id, CASH) is None:
        raise MethodClosed(method=CASH)
    return get_community_by_id(session, community_id)


def _decide(
    session: Session, community_id: int, count_id: int, **decided: datetime | int
) -> CashCount:
    """Lock a count by deciding it. Raises NotFound, StateForbids or SecondPersonNeeded."""
    count = session.get(CashCount, count_id)
    if count is None or count.community_id != community_id:
        raise NotFound(thing="count")
    if decided.get("agreed_by") == count.counted_by:
        raise SecondPersonNeeded
    is_open = (CashCount.agreed_at.is_(None), CashCount.dismissed_at.is_(None))
    done = session.scalar(
        update(CashCount)
        .where(CashCount.id == count_id, *is_open)
        .values(**decided)
        .returning(CashCount.id)
    )
    if done is None:
        raise StateForbids(thing="count", state="decided", wanted="decided")
    return count


def _one_line(text: str) -> str:
    return " ".join(text.split())
