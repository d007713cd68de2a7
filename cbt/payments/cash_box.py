"""The community's cash box: counted by two people, and carried to the bank."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import find_same, transaction
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
from cbt.payments.models import CashBanked, CashCleared, CashCount
from cbt.payments.posting import CashBankedFacts, CashClearedFacts, CashCountFacts
from cbt.payments.records import CASH
from cbt.payments.reported import WorkKind
from cbt.payments.work import close_work_about, open_work


def count_cash(
    community_id: int, counted_satang: int, note: str, person_id: int, now: datetime
) -> int:
    """The first of two people counted the box; return the count's id. The books do not move yet.

    The same form sent once more is the same count.
    Raises AmountInvalid for less than nothing, MethodClosed where there is no cash box.
    """
    if counted_satang < 0:
        raise AmountInvalid(amount=counted_satang)
    with transaction() as session:
        community = _community(session, community_id)
        said = {
            "community_id": community_id,
            "expected_satang": ledger.lock_balance(session, community.book_id, chart.CASH_BOX),
            "counted_satang": counted_satang,
            "note": _one_line(note),
            "counted_by": person_id,
        }
        undecided = {"agreed_at": None, "dismissed_at": None}
        same: int | None = find_same(session, CashCount, "counted_at", now, **said, **undecided)
        if same is not None:
            return same
        count = CashCount(**said, counted_at=now)
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

    It is on its way, and on the work list, until somebody else has seen it there, or a line of the
    bank's statement shows it (`bank_matching.py`). Raises AmountInvalid for nothing, MethodClosed where there is no cash box, ReferenceUsed when
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
        told = {"amount_satang": amount_satang, "reference": facts.bank_reference}
        values = {**told, "on": on.isoformat()}
        key = banked_key(banked.id)
        open_work(session, WorkKind.CASH_ON_THE_WAY, key, community_id, values, now)


def decide_banked(
    community_id: int, banked_id: int, person_id: int, now: datetime, *, is_back: bool
) -> None:
    """A second person saw banked cash in the bank account, or says that it `is_back` in the box.

    Raises NotFound, SecondPersonNeeded for whoever brought it, or StateForbids when it was cleared
    before; and then writes nothing.
    """
    with transaction() as session:
        banked = get_banked(session, community_id, banked_id)
        if banked.banked_by == person_id:
            raise SecondPersonNeeded
        clear_banked(session, banked, person_id, now, is_back=is_back)


def get_banked(session: Session, community_id: int, banked_id: int) -> CashBanked:
    """Raises NotFound for what another community brought to its bank."""
    banked = session.get(CashBanked, banked_id)
    if banked is None or banked.community_id != community_id:
        raise NotFound(thing="cash")
    return banked


def find_cleared(session: Session, banked_id: int) -> bool | None:
    """Whether banked cash went back into the box; None while it is on its way. A step."""
    found: bool | None = session.scalar(
        select(CashCleared.is_back).where(CashCleared.banked_id == banked_id)
    )
    return found


def clear_banked(
    session: Session,
    banked: CashBanked,
    person_id: int,
    now: datetime,
    *,
    line_id: int | None = None,
    is_back: bool = False,
) -> None:
    """Banked cash is not on its way any more: write it down once, post it, settle its work. A step.

    Raises StateForbids when it was cleared before.
    """
    values = {"banked_id": banked.id, "banked_by": banked.banked_by, "line_id": line_id}
    try:
        with session.begin_nested():
            session.execute(
                insert(CashCleared),
                {**values, "is_back": is_back, "cleared_by": person_id, "cleared_at": now},
            )
    except IntegrityError:
        raise StateForbids(thing="cash", state="cleared", wanted="cleared") from None
    community = get_community_by_id(session, banked.community_id)
    on = village_day(now, community.zone)
    facts = CashClearedFacts(banked.id, banked.amount_satang, is_back, on)
    draft = posting.cash_cleared_draft(facts, f"person:{person_id}")
    ledger.post(session, community.book_id, draft, now)
    note = f"line:{line_id}" if line_id else "back" if is_back else "seen"
    close_work_about(session, banked_key(banked.id), note, now, person_id)
    if is_back:
        close_work_about(session, f"not_seen:cash:{banked.id}", note, now, person_id)


def banked_key(banked_id: int) -> str:
    """What the work that cash on its way is goes by."""
    return f"cash:{banked_id}"


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
