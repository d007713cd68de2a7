"""What the lines of the bank's statement are: a person's decision on each.

A line is a transfer that paid an attempt, a provider's payout, a refund that was made by hand, or cash
that was carried to the bank; a person accepts what it is, or sets it aside with a word on it, and may
take that word back. Only what the bank shows twice over is certain, and even that a person accepts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import String, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.records import CommunityCard
from cbt.db import columns, transaction
from cbt.errors import (
    CbtError,
    LineAmountDiffers,
    NoteMissing,
    NotFound,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.payments import cash_box, transfers
from cbt.payments.bank_lines import BankLine
from cbt.payments.bank_statements import line_key
from cbt.payments.bank_targets import BANK, Target, TargetCard, TargetKind
from cbt.payments.models import Attempt, Capture, PaymentAccount, Refund, TransferConfirmation
from cbt.payments.money_rules import get_money_rules
from cbt.payments.open_lines import list_lines, list_those
from cbt.payments.payouts import payout_key
from cbt.payments.provider import PayoutState, RefundState
from cbt.payments.reported import (
    LineState,
    ProviderPayout,
    StatementLine,
    StatementReopening,
)
from cbt.payments.work import close_work_about, reopen_work_about


def list_lines_of(session: Session, community_id: int, names: Sequence[str]) -> dict[str, date]:
    """On which day the bank shows some things ("payout:3"), of those that a line is matched to."""
    rows = session.execute(
        select(StatementLine.matched_to, StatementLine.booked_on).where(
            StatementLine.community_id == community_id, StatementLine.matched_to.in_(names)
        )
    )
    return {str(name): day for name, day in rows}


# --- deciding ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accepted:
    """What accepting did: whether the line is matched, or waits for a second person.

    `attempts` are to be taken in now.
    """

    lines: int = 0
    waiting: int = 0
    attempts: tuple[int, ...] = ()


def accept(
    community_id: int, line_id: int, target: Target, person_id: int, now: datetime
) -> Accepted:
    """A person says what a line is. The caller then lets `take_in` bring its attempt into the books.

    A line that pays an attempt confirms it; from the community's limit on a second person must accept
    it too, for a statement is a file that one person brought. A second line for an attempt is money
    to give back. Raises NotFound, StateForbids for a line or a target that is matched already,
    LineAmountDiffers, or SecondPersonNeeded; then nothing is written.
    """
    with transaction() as session:
        return _accept(session, community_id, line_id, target, person_id, now)


def accept_certain(
    community: CommunityCard, line_ids: Collection[int], person_id: int, now: datetime
) -> Accepted:
    """Accept what is certain of some lines, each by itself: one that is refused leaves the others."""
    with transaction() as session:
        certain = [each for each in list_those(session, community, line_ids) if each.is_certain]
        # guests' payments lock their account, banked cash the book, which comes after it
        certain.sort(key=lambda each: each.target is None or each.target.target.kind in _LAST)
        done: list[Accepted] = []
        for each in certain:
            assert each.target is not None
            try:
                with session.begin_nested():
                    target = each.target.target
                    done.append(_accept(session, community.id, each.id, target, person_id, now))
            except SecondPersonNeeded:
                done.append(Accepted(waiting=1))
            except CbtError:
                continue
        return Accepted(
            sum(each.lines for each in done),
            sum(each.waiting for each in done),
            tuple(attempt for each in done for attempt in each.attempts),
        )


_LAST = (TargetKind.CASH,)


def _accept(
    session: Session,
    community_id: int,
    line_id: int,
    target: Target,
    person_id: int,
    now: datetime,
) -> Accepted:
    line = list_lines(session, community_id, 0, 1, StatementLine.id == line_id).get(line_id)
    if line is None:
        raise _why_not(session, community_id, line_id, LineState.MATCHED)
    if target.kind == TargetKind.ATTEMPT:
        return _accept_payment(session, community_id, line_id, line, target, person_id, now)
    key = f"not_seen:{target}"
    if target.kind == TargetKind.CASH:
        _accept_cash(session, community_id, line_id, line, target, person_id, now)
    else:
        _require_amount(session, community_id, line, target)
    _decide(session, line_id, str(target), person_id, now)
    if target.kind == TargetKind.PAYOUT:
        payout = session.get_one(ProviderPayout, target.id)
        key = f"not_seen:{payout_key(payout.provider, payout.payout_id)}"
    close_work_about(session, key, str(target), now, person_id)
    return Accepted(lines=1)


def _accept_cash(
    session: Session,
    community_id: int,
    line_id: int,
    line: BankLine,
    target: Target,
    person_id: int,
    now: datetime,
) -> None:
    """The bank shows cash that was brought to it, so it is not on its way any more.

    From the community's limit on whoever brought it cannot be the one who accepts the line as well.
    """
    banked = cash_box.get_banked(session, community_id, target.id)
    is_back = cash_box.find_cleared(session, banked.id)
    if is_back:
        raise NotFound(thing="cash")
    if banked.amount_satang != line.amount_satang:
        known = banked.amount_satang
        raise LineAmountDiffers(line_satang=line.amount_satang, known_satang=known)
    if is_back is not None:
        return
    limit = get_money_rules(session, community_id, now).two_people_from_satang
    if banked.amount_satang >= limit and banked.banked_by == person_id:
        raise SecondPersonNeeded
    cash_box.clear_banked(session, banked, person_id, now, line_id=line_id)


def _why_not(session: Session, community_id: int, line_id: int, wanted: LineState) -> CbtError:
    state = session.scalar(
        select(StatementLine.state).where(
            StatementLine.id == line_id, StatementLine.community_id == community_id
        )
    )
    if state is None:
        return NotFound(thing="line")
    return StateForbids(thing="line", state=state, wanted=wanted)


def _accept_payment(
    session: Session,
    community_id: int,
    line_id: int,
    line: BankLine,
    target: Target,
    person_id: int,
    now: datetime,
) -> Accepted:
    if line.amount_satang <= 0 or line.is_reversal:
        raise LineAmountDiffers(line_satang=line.amount_satang, known_satang=0)
    time = 1 + _times_seen(session, target)
    is_confirmed = transfers.confirm_by_statement(
        session, community_id, target.id, line, time, person_id, now
    )
    if not is_confirmed:
        return Accepted(waiting=1)
    name = str(target) if time == 1 else f"{target}:{time}"
    _decide(session, line_id, name, person_id, now)
    close_work_about(session, f"not_seen:{target}", name, now, person_id)
    return Accepted(lines=1, attempts=(target.id,))


def _times_seen(session: Session, target: Target) -> int:
    """How many lines are matched to an attempt already."""
    found = session.scalar(
        select(func.count()).where(
            (StatementLine.matched_to == str(target))
            | StatementLine.matched_to.like(f"{target}:%"),
        )
    )
    return found or 0


def _require_amount(session: Session, community_id: int, line: BankLine, target: Target) -> None:
    """Raise NotFound for a target of another community, LineAmountDiffers for another amount."""
    wanted: dict[TargetKind, Any] = {
        TargetKind.PAYOUT: select(ProviderPayout.amount_satang)
        .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
        .where(
            ProviderPayout.id == target.id,
            PaymentAccount.community_id == community_id,
            ProviderPayout.state != PayoutState.FAILED,
        ),
        TargetKind.REFUND: select(-Refund.amount_satang)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(
            Refund.id == target.id,
            Refund.community_id == community_id,
            Refund.state == RefundState.SUCCEEDED,
            func.coalesce(Refund.paid_from, Capture.provider) == BANK,
        ),
    }
    amount = session.scalar(wanted[target.kind])
    if amount is None:
        raise NotFound(thing=str(target.kind))
    if amount != line.amount_satang:
        raise LineAmountDiffers(line_satang=line.amount_satang, known_satang=amount)


def _decide(session: Session, line_id: int, matched_to: str, person_id: int, now: datetime) -> None:
    """Write down what a line is, once, and take it off the work list. Raises StateForbids."""
    forbids = StateForbids(thing="line", state=LineState.MATCHED, wanted=LineState.MATCHED)
    try:
        with session.begin_nested():
            done = session.scalar(
                update(StatementLine)
                .where(StatementLine.id == line_id, StatementLine.state == LineState.OPEN)
                .values(
                    state=LineState.MATCHED,
                    matched_to=matched_to,
                    decided_by=person_id,
                    decided_at=now,
                )
                .returning(StatementLine.id)
            )
    except IntegrityError:  # another line is that already
        raise forbids from None
    if done is None:
        raise forbids
    close_work_about(session, line_key(line_id), matched_to, now, person_id)


def set_aside(
    community_id: int, line_ids: Sequence[int], note: str, person_id: int, now: datetime
) -> int:
    """Say of lines that they concern no booking, and what they are. Returns how many were still open.

    Raises NoteMissing.
    """
    note = " ".join(note.split())
    if not note:
        raise NoteMissing
    with transaction() as session:
        done = session.scalars(
            update(StatementLine)
            .where(
                StatementLine.id.in_(line_ids),
                StatementLine.community_id == community_id,
                StatementLine.state == LineState.OPEN,
            )
            .values(state=LineState.SET_ASIDE, note=note, decided_by=person_id, decided_at=now)
            .returning(StatementLine.id)
        ).all()
        for line_id in done:
            close_work_about(session, line_key(line_id), note, now, person_id)
        return len(done)


@dataclass(frozen=True)
class AsideLine:
    """A line that somebody set aside: it concerns no booking."""

    id: int
    booked_on: date
    amount_satang: int
    reference: str
    payer: str
    text: str
    note: str
    decided_by: int | None
    decided_at: datetime | None


def list_aside(session: Session, community_id: int, first: int, most: int) -> list[AsideLine]:
    """Lines that were set aside, the newest decision first."""
    rows = session.execute(
        select(*columns(StatementLine, AsideLine))
        .where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.SET_ASIDE,
        )
        .order_by(StatementLine.decided_at.desc(), StatementLine.id.desc())
        .offset(first)
        .limit(most)
    )
    return [AsideLine(*row) for row in rows]


def count_aside(session: Session, community_id: int) -> int:
    found = session.scalar(
        select(func.count()).where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.SET_ASIDE,
        )
    )
    return found or 0


def reopen(community_id: int, line_id: int, reason: str, person_id: int, now: datetime) -> None:
    """A line that was set aside is work again; what was said of it, and why no more, is kept.

    Raises NoteMissing without a reason, NotFound, or StateForbids for a line that is not set aside.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise NoteMissing
    with transaction() as session:
        said = session.execute(
            select(StatementLine.note, StatementLine.decided_by, StatementLine.decided_at).where(
                StatementLine.id == line_id, StatementLine.community_id == community_id
            )
        ).one_or_none()
        done = session.scalar(
            update(StatementLine)
            .where(
                StatementLine.id == line_id,
                StatementLine.community_id == community_id,
                StatementLine.state == LineState.SET_ASIDE,
            )
            .values(state=LineState.OPEN, note="", decided_by=None, decided_at=None)
            .returning(StatementLine.id)
        )
        if done is None or said is None:
            raise _why_not(session, community_id, line_id, LineState.OPEN)
        values = {"line_id": line_id, "reason": reason, "reopened_by": person_id}
        told = {"said": said.note, "said_by": said.decided_by, "said_at": said.decided_at}
        session.execute(insert(StatementReopening), {**values, **told, "reopened_at": now})
        reopen_work_about(session, line_key(line_id), now)


def find_payment(session: Session, community: CommunityCard, reference: str) -> TargetCard | None:
    """The newest code into the bank account of a booking, by the reference that a person typed."""
    row = session.execute(
        select(Attempt.id, Attempt.amount_satang, Attempt.created_at, Booking.guest_name)
        .join(Booking, Booking.id == Attempt.booking_id)
        .where(
            Booking.community_id == community.id,
            Booking.reference == reference.strip().upper(),
            Attempt.provider == BANK,
            Attempt.provider_ref.is_not(None),
        )
        .order_by(Attempt.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return TargetCard(
        Target(TargetKind.ATTEMPT, row.id),
        row.amount_satang,
        village_day(row.created_at, community.zone),
        reference.strip().upper(),
        row.guest_name or "",
    )


def list_confirmed_untaken(session: Session, since: datetime) -> list[int]:
    """Attempts with a confirmation that never reached the books, as when we were cut off between."""
    payment = "transfer-" + TransferConfirmation.id.cast(String)
    taken = exists().where(Capture.provider == BANK, Capture.payment_id == payment)
    rows = session.scalars(
        select(TransferConfirmation.attempt_id)
        .where(TransferConfirmation.confirmed_at >= since, ~taken)
        .distinct()
    )
    return list(rows)
