"""What must be true after a process died: nothing acknowledged is lost, nothing torn, forked or gapped."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.audit.verify import verify
from cbt.bookings.models import Booking, Departure
from cbt.bookings.proof import prove_places, prove_slots
from cbt.communities.records import CommunityCard
from cbt.db import Base, is_append_only
from cbt.ledger.models import Entry
from cbt.payments.models import Attempt, Capture, Refund
from cbt.payments.reported import Dispute, InboxEvent, WorkItem
from cbt.revenue.fund_models import FundClaim, Loan
from cbt.revenue.models import Settlement
from cbt.revenue.payout_models import Payee, PayoutBatch, PayoutLine
from tests.simulation.world import Step

_NEVER_DELETED = [
    each.__tablename__
    for each in (
        *(Attempt, Booking, Departure, Dispute, FundClaim, InboxEvent, Loan, Payee),
        *(PayoutBatch, PayoutLine, Refund, WorkItem),
    )
]
_REMEMBERED = 12

Rows = dict[str, dict[Any, Any]]


@dataclass
class OutsideLog:
    """What was acknowledged, kept outside of the database that is to prove it."""

    recent: deque[Step] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    steps: list[Step] = field(default_factory=list)
    rows: Rows = field(default_factory=dict)

    def note(self, step: Step) -> None:
        """A step was acknowledged."""
        if step.effects is not None:
            self.recent.append(step)
            self.steps.append(step)

    def keep(self, session: Session) -> None:
        """Copy what stands in the database now: all of it was acknowledged."""
        self.rows = read_rows(session)

    def require_all_there(self, now: Rows) -> None:
        """Facts stand as they stood, and no row of a thing's life is gone."""
        for table in Base.metadata.sorted_tables:
            known, found = self.rows[table.name], now[table.name]
            if is_append_only(table):
                lost = {key: row for key, row in known.items() if found.get(key) != row}
                assert not lost, f"{table.name} lost or changed {lost}"
            elif table.name in _NEVER_DELETED:
                assert known.keys() <= found.keys(), table.name

    def require_untouched(self, now: Rows) -> None:
        """Every row of every table is as it was: what died had no effect, so it wrote nothing."""
        changed = [name for name, rows in self.rows.items() if now[name] != rows]
        assert not changed, f"written in part: {changed}"


def read_rows(session: Session) -> Rows:
    """{table: {key: row}} of the whole database."""
    rows: Rows = {}
    connection = session.connection()
    for table in Base.metadata.sorted_tables:
        keys = [column.name for column in table.primary_key.columns]
        asked = f"SELECT {', '.join(keys)}, {table.name}.* FROM {table.name}"
        found = connection.exec_driver_sql(asked).all()  # as the driver gives them: it is quicker
        rows[table.name] = {tuple(row[: len(keys)]): tuple(row[len(keys) :]) for row in found}
    return rows


def require_sound(session: Session, community: CommunityCard) -> None:
    """Chain, legs, captures, splits, payouts and all else that the audit computes anew."""
    faults = [each for outcome in verify(session, community) for each in outcome.findings]
    assert not faults, faults
    assert not (drift := prove_places(session)), drift
    assert not (wrong := prove_slots(session).wrong), wrong
    require_no_gap("entries", session.scalars(select(Entry.seq).order_by(Entry.seq)).all())
    captures = select(Capture.receipt_number).order_by(Capture.receipt_number)
    require_no_gap("receipts", session.scalars(captures).all())
    for of in (Settlement, PayoutBatch):
        numbers = session.scalars(select(of.number).order_by(of.number)).all()
        require_no_gap(of.__tablename__, numbers)


def require_no_gap(what: str, numbers: Sequence[int]) -> None:
    assert list(numbers) == list(range(1, 1 + len(numbers))), f"{what}: {numbers}"


def require_one_effect(session: Session, steps: Sequence[Step], expected: tuple[int, ...]) -> None:
    for step in steps:
        if step.effects is not None:
            seen = step.effects(session)
            assert seen in expected, f"{step.kind}: {seen} times, not {expected}"
