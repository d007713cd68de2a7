"""Reading payouts: who stands where, batches with their lines, and what the books must hold of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased

from cbt.communities import chart
from cbt.communities.models import Household
from cbt.communities.queries import list_register
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.i18n import Localized
from cbt.ledger import queries as ledger
from cbt.revenue.disputed import list_frozen
from cbt.revenue.frozen import add_up
from cbt.revenue.paying_out import (
    BatchState,
    LineState,
    PayeeKind,
    PayeeState,
    PayoutFacts,
    Standing,
    Step,
)
from cbt.revenue.payout_models import (
    Payee,
    PayoutBatch,
    PayoutExport,
    PayoutLine,
    PayoutReceipt,
    PayoutStep,
)


def list_standings(session: Session, community_id: int, book_id: int) -> list[Standing]:
    """What each household earned and was not paid, what of it is held back, and what it owes."""
    balances = ledger.balances(session, book_id)
    held = add_up([each.shares for each in list_frozen(session, community_id)])
    return [
        Standing(
            each.code,
            balances.get(chart.household(each.code), 0),
            held.get(chart.household(each.code), 0),
            balances.get(chart.receivable(each.code), 0),
        )
        for each in list_register(session, community_id)
    ]


# --- payees --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PayeeCard:
    """How a household is paid, or shall be once a second person agreed."""

    id: int
    household_id: int
    kind: str
    bank: str
    number: str
    holder: str
    state: str
    named_by: int
    named_at: datetime
    agreed_by: int | None
    agreed_at: datetime | None

    @property
    def masked(self) -> str:
        """The number with all but its last four digits hidden."""
        return "•" * max(0, len(self.number) - 4) + self.number[-4:]


_PAYEE = columns(Payee, PayeeCard)


def list_payees(session: Session, community_id: int) -> dict[str, list[PayeeCard]]:
    """{household: payees in use or waiting for a second person}, the newest last."""
    rows = session.execute(
        select(Household.code, *_PAYEE)
        .join(Household, Household.id == Payee.household_id)
        .where(
            Household.community_id == community_id,
            Payee.state.in_((PayeeState.NAMED, PayeeState.AGREED)),
        )
        .order_by(Payee.id)
    )
    found: dict[str, list[PayeeCard]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(PayeeCard(*row[1:]))
    return found


# --- batches -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchCard:
    """A batch with what it amounts to and how many of its lines are where."""

    id: int
    community_id: int
    number: int
    least_satang: int
    state: str
    drafted_by: int
    drafted_at: datetime
    decided_by: int | None
    decided_at: datetime | None
    lines: int
    total_satang: int
    to_pay: int


@dataclass(frozen=True)
class LineCard:
    """A payout's line with its household, payee and what became of it."""

    id: int
    batch_id: int
    batch_number: int
    household: str
    household_name: Localized
    household_id: int
    amount_satang: int
    recovered_satang: int
    state: str
    kind: str | None
    bank: str | None
    number: str | None
    holder: str | None
    paid_on: date | None
    paid_from: str | None
    bank_reference: str | None
    paid_by: int | None
    confirmed_at: datetime | None
    returned_on: date | None
    returned_for: str | None

    @property
    def is_cash(self) -> bool:
        return self.kind in (None, PayeeKind.CASH)


_BATCH = (
    select(
        PayoutBatch.id,
        PayoutBatch.community_id,
        PayoutBatch.number,
        PayoutBatch.least_satang,
        PayoutBatch.state,
        PayoutBatch.drafted_by,
        PayoutBatch.drafted_at,
        PayoutBatch.decided_by,
        PayoutBatch.decided_at,
        func.count(PayoutLine.id),
        func.coalesce(func.sum(PayoutLine.amount_satang), 0),
        func.coalesce(func.sum(case((PayoutLine.state == LineState.ORDERED, 1), else_=0)), 0),
    )
    .outerjoin(PayoutLine, PayoutLine.batch_id == PayoutBatch.id)
    .group_by(PayoutBatch.id)
)


def list_batches(
    session: Session, community_id: int, limit: int | None = None, before: int | None = None
) -> list[BatchCard]:
    """A community's batches, the newest first, or only those numbered below `before`."""
    query = _BATCH.where(PayoutBatch.community_id == community_id)
    if before is not None:
        query = query.where(PayoutBatch.number < before)
    rows = session.execute(query.order_by(PayoutBatch.number.desc()).limit(limit))
    return [_batch(row) for row in rows]


def get_batch(session: Session, community_id: int, number: int) -> BatchCard:
    row = session.execute(
        _BATCH.where(PayoutBatch.community_id == community_id, PayoutBatch.number == number)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="payout batch")
    return _batch(row)


def _batch(row: Any) -> BatchCard:
    values = dict(zip(BatchCard.__dataclass_fields__, row, strict=True))
    sums = {"total_satang": int(values["total_satang"]), "to_pay": int(values["to_pay"])}
    return BatchCard(**{**values, **sums})


def list_lines(session: Session, *conditions: Condition) -> list[LineCard]:
    """Lines that fit, batch by batch, in register order."""
    paid = aliased(PayoutStep, name="paid")
    back = aliased(PayoutStep, name="back")
    rows = session.execute(
        select(
            PayoutLine.id,
            PayoutLine.batch_id,
            PayoutBatch.number,
            Household.code,
            Household.name,
            Household.id,
            PayoutLine.amount_satang,
            PayoutLine.recovered_satang,
            PayoutLine.state,
            Payee.kind,
            Payee.bank,
            Payee.number,
            Payee.holder,
            paid.on_day,
            paid.paid_from,
            paid.bank_reference,
            paid.done_by,
            PayoutReceipt.confirmed_at,
            back.on_day,
            back.note,
        )
        .join(PayoutBatch, PayoutBatch.id == PayoutLine.batch_id)
        .join(Household, Household.id == PayoutLine.household_id)
        .outerjoin(Payee, Payee.id == PayoutLine.payee_id)
        .outerjoin(paid, (paid.line_id == PayoutLine.id) & (paid.step == Step.PAID))
        .outerjoin(back, (back.line_id == PayoutLine.id) & (back.step == Step.RETURNED))
        .outerjoin(PayoutReceipt, PayoutReceipt.line_id == PayoutLine.id)
        .where(*conditions)
        .order_by(PayoutBatch.number.desc(), Household.position)
    )
    names = LineCard.__dataclass_fields__
    return [LineCard(**dict(zip(names, row, strict=True))) for row in rows]


def list_exports(session: Session, batch_id: int) -> list[tuple[str, int, datetime]]:
    """(kind, person, moment) of every file that was taken of a batch, in order."""
    rows = session.execute(
        select(PayoutExport.kind, PayoutExport.exported_by, PayoutExport.exported_at)
        .where(PayoutExport.batch_id == batch_id)
        .order_by(PayoutExport.id)
    )
    return [(kind, by, at) for kind, by, at in rows]


def find_drafted(session: Session, community_id: int) -> BatchCard | None:
    row = session.execute(
        _BATCH.where(
            PayoutBatch.community_id == community_id, PayoutBatch.state == BatchState.DRAFTED
        )
    ).one_or_none()
    return _batch(row) if row else None


# --- for the books -------------------------------------------------------------------------------


def list_payout_facts(session: Session, community_id: int) -> list[PayoutFacts]:
    """What the books must hold of a community's payouts."""
    rows = session.execute(
        select(
            PayoutStep.line_id,
            Household.code,
            PayoutStep.step,
            PayoutStep.amount_satang,
            PayoutStep.on_day,
            PayoutStep.paid_from,
        )
        .join(PayoutLine, PayoutLine.id == PayoutStep.line_id)
        .join(Household, Household.id == PayoutLine.household_id)
        .where(PayoutStep.community_id == community_id)
        .order_by(PayoutStep.line_id)
    )
    return [
        PayoutFacts(line_id, code, Step(step), amount, on, paid_from)
        for line_id, code, step, amount, on, paid_from in rows
    ]
