"""Paying households: drafted by one person, approved by another, paid, confirmed, or come back."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.models import Household
from cbt.communities.queries import get_household, get_zone, list_register
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import (
    AmountInvalid,
    BatchOpen,
    NoteMissing,
    NotFound,
    NothingToPay,
    PayeeInvalid,
    PayoutDayInvalid,
    PreviewOutdated,
    PromptPayIdInvalid,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.payments.promptpay import IdKind, Receiver, normalise
from cbt.revenue import paying_out, payout_queries
from cbt.revenue.bank_references import require_new
from cbt.revenue.paying_out import (
    BatchState,
    LineState,
    PayeeKind,
    PayeeState,
    PayoutFacts,
    Plan,
    PlannedLine,
    Standing,
    Step,
    payout_draft,
)
from cbt.revenue.payout_models import (
    Payee,
    PayoutBatch,
    PayoutExport,
    PayoutLine,
    PayoutReceipt,
    PayoutStep,
)
from cbt.revenue.take_back import recover
from cbt.revenue.taking_back import RecoveryKind

MOST_REFERENCE = 40
MOST_NOTE = 300
LEAST_MAY_BE = (1, 1_000_000)
"""Between which a batch's least payout lies, in satang."""


# --- where a household is paid -------------------------------------------------------------------


def name_payee(
    community_id: int,
    household: str,
    kind: str,
    bank: str,
    number: str,
    holder: str,
    person_id: int,
    now: datetime,
) -> int:
    """Say how a household is paid from now on; it counts once a second person agreed. Return its id.

    Raises NotFound, or PayeeInvalid for a number that cannot be one; and then writes nothing.
    """
    number = require_payee(kind, bank, number, holder)
    with transaction() as session:
        lock_community(session, community_id)
        household_id = get_household(session, community_id, household).id
        session.execute(
            update(Payee)
            .where(Payee.household_id == household_id, Payee.state == PayeeState.NAMED)
            .values(state=PayeeState.REPLACED)
        )
        return session.execute(
            insert(Payee).returning(Payee.id),
            {
                "household_id": household_id,
                "kind": kind,
                "bank": bank if kind == PayeeKind.BANK else "",
                "number": number,
                "holder": holder.strip(),
                "state": PayeeState.NAMED,
                "named_by": person_id,
                "named_at": now,
            },
        ).scalar_one()


def require_payee(kind: str, bank: str, number: str, holder: str) -> str:
    """The number as it is kept. Raises PayeeInvalid naming the field that cannot be right."""
    if kind not in set(PayeeKind):
        raise PayeeInvalid(field="kind")
    if not holder.strip() or len(holder) > 100 or not holder.isprintable():
        raise PayeeInvalid(field="holder")
    if kind == PayeeKind.CASH:
        return ""
    if kind == PayeeKind.BANK:
        digits = "".join(each for each in number if each not in " -")
        if not (digits.isascii() and digits.isdigit() and 10 <= len(digits) <= 15):
            raise PayeeInvalid(field="number")
        if not (bank.isascii() and bank.isdigit() and len(bank) == 3):
            raise PayeeInvalid(field="bank")
        return digits
    try:
        normalise(Receiver(IdKind(kind), number))
    except PromptPayIdInvalid:
        raise PayeeInvalid(field="number") from None
    return "".join(each for each in number if each not in " -")


def agree_payee(
    community_id: int,
    payee_id: int,
    person_id: int,
    now: datetime,
    *,
    agree: bool = True,
    household_id: int | None = None,
) -> None:
    """A second person, of the household or with a money role, looked at it with the household.

    Whoever acts for a household names it, and touches no other's. Raises NotFound, StateForbids once it was decided, SecondPersonNeeded.
    """
    with transaction() as session:
        lock_community(session, community_id)
        payee = session.get(Payee, payee_id, populate_existing=True)
        if payee is None or _community_of(session, payee.household_id) != community_id:
            raise NotFound(thing="payee")
        if household_id not in (None, payee.household_id):
            raise NotFound(thing="payee")
        wanted = PayeeState.AGREED if agree else PayeeState.REFUSED
        if payee.state != PayeeState.NAMED:
            raise StateForbids(thing="payee", state=payee.state, wanted=wanted)
        if agree and payee.named_by == person_id:
            raise SecondPersonNeeded
        if agree:
            session.execute(
                update(Payee)
                .where(Payee.household_id == payee.household_id, Payee.state == PayeeState.AGREED)
                .values(state=PayeeState.REPLACED)
            )
            payee.agreed_by, payee.agreed_at = person_id, now
        payee.state = wanted


# --- drafting and approving ----------------------------------------------------------------------


def plan_now(session: Session, community_id: int, book_id: int, least_satang: int) -> Plan:
    """Who would be paid how much now."""
    return paying_out.plan(
        payout_queries.list_standings(session, community_id, book_id), least_satang
    )


def draft_batch(community_id: int, least_satang: int, person_id: int, now: datetime) -> int:
    """Plan a payout of everything that is free; return the batch's number. The books do not move.

    Raises AmountInvalid for a least amount out of bounds, BatchOpen while another is not decided,
    NothingToPay; and then writes nothing.
    """
    if not LEAST_MAY_BE[0] <= least_satang <= LEAST_MAY_BE[1]:
        raise AmountInvalid(amount=least_satang)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        found = payout_queries.find_drafted(session, community_id)
        if found is not None:
            raise BatchOpen(number=found.number)
        planned = plan_now(session, community_id, book_id, least_satang)
        if not planned.lines:
            raise NothingToPay
        last = session.scalar(
            select(func.max(PayoutBatch.number)).where(PayoutBatch.community_id == community_id)
        )
        batch = PayoutBatch(
            community_id=community_id,
            number=1 + (last or 0),
            least_satang=least_satang,
            state=BatchState.DRAFTED,
            drafted_by=person_id,
            drafted_at=now,
        )
        session.add(batch)
        session.flush()
        _write_lines(session, community_id, batch.id, planned.lines)
        return batch.number


def _write_lines(
    session: Session, community_id: int, batch_id: int, lines: tuple[PlannedLine, ...]
) -> None:
    payees = payout_queries.list_payees(session, community_id)
    ids = {each.code: each.id for each in list_register(session, community_id)}
    session.execute(
        insert(PayoutLine),
        [
            {
                "batch_id": batch_id,
                "household_id": ids[line.household],
                "payee_id": _agreed(payees, line.household),
                "amount_satang": line.amount_satang,
                "recovered_satang": line.recovered_satang,
                "state": LineState.DRAFTED,
            }
            for line in lines
        ],
    )


def _agreed(payees: Mapping[str, list[payout_queries.PayeeCard]], household: str) -> int | None:
    agreed = [each.id for each in payees.get(household, []) if each.state == PayeeState.AGREED]
    return agreed[-1] if agreed else None


def approve_batch(
    community_id: int, number: int, total_satang: int, person_id: int, now: datetime
) -> None:
    """Another person approves a batch that they saw to amount to `total_satang`: it is ordered.

    What is ordered leaves the households' earnings at once, so that it cannot be paid twice. Raises
    NotFound, StateForbids once it was decided, SecondPersonNeeded for who drafted it, PreviewOutdated
    where a balance or what is held back changed; and then writes nothing.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        batch = _batch(session, community_id, number)
        _require_drafted(batch, BatchState.APPROVED)
        if batch.drafted_by == person_id:
            raise SecondPersonNeeded
        lines = _lines(session, batch.id)
        standings = payout_queries.list_standings(session, community_id, book_id)
        if not _fits(lines, standings, total_satang):
            raise PreviewOutdated
        payees = payout_queries.list_payees(session, community_id)
        if any(line.payee_id != _agreed(payees, code) for line, code in lines):
            raise PreviewOutdated  # somebody is paid otherwise by now
        batch.state, batch.decided_by, batch.decided_at = BatchState.APPROVED, person_id, now
        for line, code in lines:
            if line.recovered_satang:
                kind, about = RecoveryKind.PAYOUT, f"payout:{line.id}"
                owed = line.recovered_satang
                recover(session, community_id, book_id, code, kind, owed, about, now)
            _step(session, community_id, book_id, line, Step.ORDERED, person_id, now)
            line.state = LineState.ORDERED


def _fits(
    lines: list[tuple[PayoutLine, str]], standings: list[Standing], total_satang: int
) -> bool:
    planned = [PlannedLine(code, line.amount_satang, line.recovered_satang) for line, code in lines]
    now = {each.household: each for each in standings}
    is_seen = total_satang == sum(each.amount_satang for each in planned)
    return is_seen and paying_out.still_fits(planned, now)


def withdraw_batch(community_id: int, number: int, person_id: int, now: datetime) -> None:
    """Give a drafted batch up, by whoever; what was planned can be planned anew."""
    with transaction() as session:
        lock_community(session, community_id)
        batch = _batch(session, community_id, number)
        _require_drafted(batch, BatchState.WITHDRAWN)
        batch.state, batch.decided_by, batch.decided_at = BatchState.WITHDRAWN, person_id, now
        for line, _code in _lines(session, batch.id):
            line.state = LineState.WITHDRAWN


# --- what becomes of a line ----------------------------------------------------------------------


def note_paid(
    community_id: int,
    line_id: int,
    paid_from: str,
    bank_reference: str,
    on: date,
    person_id: int,
    now: datetime,
) -> None:
    """A line was paid: by transfer with the bank's reference, or in cash out of the box.

    Raises NotFound, StateForbids, ReferenceMissing (a transfer has one), ReferenceUsed, PayoutDayInvalid
    for a day before it was approved or that has not come, BalanceTooLow where the box holds less.
    """
    reference = " ".join(bank_reference.split())
    if paid_from not in ("promptpay", "cash"):
        raise PayeeInvalid(field="kind")
    if (paid_from == "promptpay" and not reference) or len(reference) > MOST_REFERENCE:
        raise NoteMissing
    with transaction() as session:
        book_id = lock_community(session, community_id)
        line, batch = _line(session, community_id, line_id)
        _move(line, LineState.PAID)
        zone = get_zone(session, community_id)
        approved_on = village_day(batch.decided_at or batch.drafted_at, zone)
        if not approved_on <= on <= village_day(now, zone):
            raise PayoutDayInvalid(earliest=approved_on)
        require_new(session, community_id, reference or None)
        _step(
            session,
            community_id,
            book_id,
            line,
            Step.PAID,
            person_id,
            now,
            on=on,
            paid_from=paid_from,
            reference=reference or None,
        )


def stop_line(community_id: int, line_id: int, note: str, person_id: int, now: datetime) -> None:
    """An approved line is not paid after all: what was ordered is owed to the household again.

    What went into its debt stays there. Whoever took a file for the bank cannot stop a line of it
    alone, since the bank may pay it. Raises NotFound, StateForbids, NoteMissing, SecondPersonNeeded.
    """
    note = _one_line(note)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        line, batch = _line(session, community_id, line_id)
        took = {by for _kind, by, _at in payout_queries.list_exports(session, batch.id)}
        if person_id in took:
            raise SecondPersonNeeded
        _move(line, LineState.STOPPED)
        _step(session, community_id, book_id, line, Step.STOPPED, person_id, now, note=note)


def note_returned(
    community_id: int, line_id: int, note: str, on: date, person_id: int, now: datetime
) -> None:
    """The bank sent a payout back: it is owed to the household again, and the next batch pays it.

    Raises NotFound, StateForbids, NoteMissing, PayoutDayInvalid for a day before it was paid.
    """
    note = _one_line(note)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        line, _of = _line(session, community_id, line_id)
        _move(line, LineState.RETURNED)
        paid = session.get_one(PayoutStep, (line_id, Step.PAID))
        zone = get_zone(session, community_id)
        if not paid.on_day <= on <= village_day(now, zone):
            raise PayoutDayInvalid(earliest=paid.on_day)
        _step(
            session,
            community_id,
            book_id,
            line,
            Step.RETURNED,
            person_id,
            now,
            on=on,
            paid_from=paid.paid_from,
            note=note,
        )


def confirm_line(
    community_id: int, household_id: int, line_id: int, person_id: int, now: datetime
) -> None:
    """The household says that the money arrived. Said twice is said once. Raises NotFound, StateForbids."""
    with transaction() as session:
        lock_community(session, community_id)
        line, _of = _line(session, community_id, line_id)
        if line.household_id != household_id:
            raise NotFound(thing="payout line")
        if line.state == LineState.CONFIRMED:
            return
        _move(line, LineState.CONFIRMED)
        session.execute(
            insert(PayoutReceipt),
            {"line_id": line_id, "confirmed_by": person_id, "confirmed_at": now},
        )


def note_export(community_id: int, number: int, kind: str, person_id: int, now: datetime) -> int:
    """Write down that a file of an approved batch was taken; return which copy it is, 1 the original.

    Raises NotFound, or StateForbids for a batch that nobody approved.
    """
    with transaction() as session:
        lock_community(session, community_id)
        batch = _batch(session, community_id, number)
        if batch.state != BatchState.APPROVED:
            raise StateForbids(thing="batch", state=batch.state, wanted="exported")
        session.execute(
            insert(PayoutExport),
            {"batch_id": batch.id, "kind": kind, "exported_by": person_id, "exported_at": now},
        )
        return len(payout_queries.list_exports(session, batch.id))


# --- steps ---------------------------------------------------------------------------------------


def _step(
    session: Session,
    community_id: int,
    book_id: int,
    line: PayoutLine,
    step: Step,
    person_id: int,
    now: datetime,
    *,
    on: date | None = None,
    paid_from: str = "",
    reference: str | None = None,
    note: str = "",
) -> None:
    """Write a step of a line down and post its entry."""
    day = on or village_day(now, get_zone(session, community_id))
    session.execute(
        insert(PayoutStep),
        {
            "line_id": line.id,
            "step": step,
            "community_id": community_id,
            "amount_satang": line.amount_satang,
            "paid_from": paid_from,
            "bank_reference": reference,
            "note": note,
            "on_day": day,
            "done_by": person_id,
            "done_at": now,
        },
    )
    code = _code(session, line.household_id)
    facts = PayoutFacts(line.id, code, step, line.amount_satang, day, paid_from)
    ledger.post(session, book_id, payout_draft(facts, f"person:{person_id}"), now)


def _move(line: PayoutLine, wanted: LineState) -> None:
    if not paying_out.can_move(line.state, wanted):
        raise StateForbids(thing="payout", state=line.state, wanted=wanted)
    line.state = wanted


def _batch(session: Session, community_id: int, number: int) -> PayoutBatch:
    batch = session.scalar(
        select(PayoutBatch)
        .where(PayoutBatch.community_id == community_id, PayoutBatch.number == number)
        .execution_options(populate_existing=True)
    )
    if batch is None:
        raise NotFound(thing="payout batch")
    return batch


def _require_drafted(batch: PayoutBatch, wanted: BatchState) -> None:
    if batch.state != BatchState.DRAFTED:
        raise StateForbids(thing="batch", state=batch.state, wanted=wanted)


def _lines(session: Session, batch_id: int) -> list[tuple[PayoutLine, str]]:
    """A batch's lines, each with its household's code."""
    rows = session.execute(
        select(PayoutLine, Household.code)
        .join(Household, Household.id == PayoutLine.household_id)
        .where(PayoutLine.batch_id == batch_id)
        .order_by(PayoutLine.id)
    )
    return [(line, code) for line, code in rows]


def _line(session: Session, community_id: int, line_id: int) -> tuple[PayoutLine, PayoutBatch]:
    row = session.execute(
        select(PayoutLine, PayoutBatch)
        .join(PayoutBatch, PayoutBatch.id == PayoutLine.batch_id)
        .where(PayoutLine.id == line_id, PayoutBatch.community_id == community_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="payout line")
    return row[0], row[1]


def _community_of(session: Session, household_id: int) -> int | None:
    return session.scalar(select(Household.community_id).where(Household.id == household_id))


def _code(session: Session, household_id: int) -> str:
    return session.scalar(select(Household.code).where(Household.id == household_id)) or ""


def _one_line(text: str) -> str:
    told = " ".join(text.split())
    if not told or len(told) > MOST_NOTE or not told.isprintable():
        raise NoteMissing
    return told
