"""A household says that a line of its statement is wrong, and somebody answers by a day.

Only that line's amount is held back from payouts until it ends: the household accepts the answer, or
the mentor, told when the answer does not satisfy or does not come, writes a decision. What must change
then is a new entry in the open month; nothing here moves money.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.models import Household
from cbt.communities.queries import get_community_by_id, get_household
from cbt.communities.services import lock_community
from cbt.db import Condition, transaction
from cbt.errors import NoteMissing, NotFound, SecondPersonNeeded, StateForbids
from cbt.i18n import Localized
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.revenue.closed import LineDispute

DAYS_TO_ANSWER = 7
MOST_WORDS = 1_000


class LineStage(StrEnum):
    """Where a disputed line stands."""

    ASKED = "asked"
    ANSWERED = "answered"
    WITH_MENTOR = "with_mentor"
    ACCEPTED = "accepted"
    DECIDED = "decided"


ENDED = (LineStage.ACCEPTED, LineStage.DECIDED)


@dataclass(frozen=True)
class LineCard:
    """A disputed line: what the household said, who answers by when, and what came of it."""

    id: int
    household: str
    household_name: Localized
    entry_seq: int
    leg: int
    amount_satang: int
    what: str
    opened_by: int
    opened_at: datetime
    answer_by: date
    answer: str | None
    answered_by: int | None
    answered_at: datetime | None
    accepted_at: datetime | None
    passed_at: datetime | None
    decision: str | None
    decided_by: int | None
    decided_at: datetime | None

    @property
    def stage(self) -> LineStage:
        if self.decided_at:
            return LineStage.DECIDED
        if self.accepted_at:
            return LineStage.ACCEPTED
        if self.passed_at:
            return LineStage.WITH_MENTOR
        return LineStage.ANSWERED if self.answered_at else LineStage.ASKED

    @property
    def is_open(self) -> bool:
        return self.stage not in ENDED

    def may_tell_mentor(self, today: date) -> bool:
        """Once an answer came, or did not come in time."""
        is_late = self.stage == LineStage.ASKED and today > self.answer_by
        return self.stage == LineStage.ANSWERED or is_late


def dispute_line(
    community_id: int,
    household: str,
    entry_seq: int,
    leg: int,
    what: str,
    person_id: int,
    now: datetime,
) -> int:
    """Say that a line is wrong; return the dispute's id. Its amount alone is held back from payouts.

    Raises NoteMissing without a word, NotFound for a line that is not this household's, or
    StateForbids for one that was disputed before; and then writes nothing.
    """
    words = _words(what)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        community = get_community_by_id(session, community_id)
        household_id = get_household(session, community_id, household).id
        amount = _amount_of(session, book_id, household, entry_seq, leg)
        values = {
            "community_id": community_id,
            "household_id": household_id,
            "entry_seq": entry_seq,
            "leg": leg,
            "amount_satang": max(0, amount),
            "what": words,
            "opened_by": person_id,
            "opened_at": now,
            "answer_by": village_day(now, community.zone) + timedelta(days=DAYS_TO_ANSWER),
        }
        try:
            return session.execute(
                insert(LineDispute).returning(LineDispute.id), values
            ).scalar_one()
        except IntegrityError:
            raise StateForbids(thing="line", state="disputed", wanted="disputed") from None


def answer_line(
    community_id: int, dispute_id: int, answer: str, person_id: int, now: datetime
) -> None:
    """The treasurer answers in words. Raises NoteMissing, NotFound, SecondPersonNeeded for whoever
    disputed it, or StateForbids once it was answered."""
    words = _words(answer)
    with transaction() as session:
        lock_community(session, community_id)
        if get_line(session, community_id, dispute_id).opened_by == person_id:
            raise SecondPersonNeeded
        is_open = (LineDispute.answered_at.is_(None), LineDispute.decided_at.is_(None))
        values = {"answer": words, "answered_by": person_id, "answered_at": now}
        _step(session, community_id, dispute_id, is_open, values)


def accept_answer(community_id: int, household: str, dispute_id: int, now: datetime) -> None:
    """The household is content: what was held back is free. Raises NotFound or StateForbids."""
    with transaction() as session:
        lock_community(session, community_id)
        card = _of_household(session, community_id, household, dispute_id)
        if card.stage not in (LineStage.ANSWERED, LineStage.WITH_MENTOR):
            raise StateForbids(thing="line", state=card.stage, wanted=LineStage.ACCEPTED)
        is_open = (LineDispute.accepted_at.is_(None), LineDispute.decided_at.is_(None))
        _step(session, community_id, dispute_id, is_open, {"accepted_at": now})


def tell_mentor(community_id: int, household: str, dispute_id: int, now: datetime) -> None:
    """The household is not content, or nobody answered in time. Raises NotFound or StateForbids."""
    with transaction() as session:
        lock_community(session, community_id)
        community = get_community_by_id(session, community_id)
        card = _of_household(session, community_id, household, dispute_id)
        if not card.may_tell_mentor(village_day(now, community.zone)):
            raise StateForbids(thing="line", state=card.stage, wanted=LineStage.WITH_MENTOR)
        _step(session, community_id, dispute_id, (), {"passed_at": now})


def decide_line(
    community_id: int, dispute_id: int, decision: str, person_id: int, now: datetime
) -> None:
    """The mentor ends a dispute by what they found. Raises NoteMissing, NotFound or StateForbids."""
    words = _words(decision)
    with transaction() as session:
        lock_community(session, community_id)
        card = get_line(session, community_id, dispute_id)
        if card.stage != LineStage.WITH_MENTOR:
            raise StateForbids(thing="line", state=card.stage, wanted=LineStage.DECIDED)
        values = {"decision": words, "decided_by": person_id, "decided_at": now}
        _step(session, community_id, dispute_id, (), values)


# --- reading -------------------------------------------------------------------------------------


def list_lines(
    session: Session, community_id: int, household_id: int | None = None
) -> list[LineCard]:
    """Disputed lines of a community, or of one household of it: the newest first."""
    conditions = [LineDispute.community_id == community_id]
    if household_id is not None:
        conditions.append(LineDispute.household_id == household_id)
    return _cards(session, *conditions)


def get_line(session: Session, community_id: int, dispute_id: int) -> LineCard:
    found = _cards(session, LineDispute.community_id == community_id, LineDispute.id == dispute_id)
    if not found:
        raise NotFound(thing="line")
    return found[0]


def list_held(session: Session, community_id: int) -> list[LineCard]:
    """Those whose amount payouts must hold back."""
    return [each for each in list_lines(session, community_id) if each.is_open]


_NAMED: dict[str, Any] = {"household": Household.code, "household_name": Household.name}
_CARD: list[Any] = [
    _NAMED[each.name] if each.name in _NAMED else getattr(LineDispute, each.name)
    for each in fields(LineCard)
]


def _cards(session: Session, *conditions: Condition) -> list[LineCard]:
    rows = session.execute(
        select(*_CARD)
        .join(Household, Household.id == LineDispute.household_id)
        .where(*conditions)
        .order_by(LineDispute.id.desc())
    )
    return [LineCard(*row) for row in rows]


def _amount_of(session: Session, book_id: int, household: str, entry_seq: int, leg: int) -> int:
    """What a line gave the household, in satang. Raises NotFound for a line that is not its own."""
    account = chart.household(household)
    for entry in ledger.stream_entries(session, book_id, Entry.seq == entry_seq):
        legs = entry.draft.legs
        if 1 <= leg <= len(legs) and account in (legs[leg - 1].source, legs[leg - 1].target):
            found = legs[leg - 1]
            return found.amount_satang if found.target == account else -found.amount_satang
    raise NotFound(thing="line")


def _of_household(session: Session, community_id: int, household: str, dispute_id: int) -> LineCard:
    card = get_line(session, community_id, dispute_id)
    if card.household != household:
        raise NotFound(thing="line")
    return card


def _step(
    session: Session,
    community_id: int,
    dispute_id: int,
    conditions: Iterable[Condition],
    values: dict[str, Any],
) -> None:
    done = session.scalar(
        update(LineDispute)
        .where(LineDispute.community_id == community_id, LineDispute.id == dispute_id, *conditions)
        .values(**values)
        .returning(LineDispute.id)
    )
    if done is None:
        get_line(session, community_id, dispute_id)
        raise StateForbids(thing="line", state="ended", wanted="changed")


def _words(text: str) -> str:
    words = text.strip()[:MOST_WORDS]
    if not words:
        raise NoteMissing
    return words
