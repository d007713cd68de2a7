"""What the lines of the bank's statement are: proposals by the rule, and a person's decision on each.

A line is a transfer that paid an attempt, a provider's payout, a refund that was made by hand, or cash
that was carried to the bank; a person accepts what it is, or sets it aside with a word on it. Only what
the bank shows twice over is certain, and even that a person accepts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import String, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.records import CommunityCard
from cbt.db import columns, db, transaction
from cbt.errors import (
    CbtError,
    LineAmountDiffers,
    NoteMissing,
    NotFound,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.payments import matching, transfers
from cbt.payments.bank_lines import BankLine
from cbt.payments.bank_statements import line_key, list_covered
from cbt.payments.matching import (
    Certainty,
    OpenPayment,
    OutgoingRefund,
    Payout,
    Proposal,
    Why,
)
from cbt.payments.models import (
    Attempt,
    Capture,
    CashBanked,
    PaymentAccount,
    Refund,
    TransferConfirmation,
    TransferLook,
)
from cbt.payments.payouts import payout_key
from cbt.payments.promptpay import IdKind
from cbt.payments.provider import PayoutState, RefundState
from cbt.payments.reported import (
    LineState,
    ProviderPayout,
    StatementLine,
    WorkItem,
    WorkKind,
)
from cbt.payments.work import close_work_about

BANK = "promptpay"
"""The provider whose money lies in the community's own bank account."""

PAYOUT_LATE_BY = timedelta(days=3)
"""How long after its day a payout may be missing in the bank's statement."""

WATCHED_FOR = timedelta(days=60)
"""How far back the bank's statements are searched for what they ought to show."""

_REACH = matching.AMOUNT_IS_OWN_FOR + matching.LATE_FOR + timedelta(days=2)
"""How long before a line the code may have been opened that it pays."""


class TargetKind(StrEnum):
    """What a line of the statement can be."""

    ATTEMPT = "attempt"
    PAYOUT = "payout"
    REFUND = "refund"
    CASH = "cash"


@dataclass(frozen=True)
class Target:
    """What a line is said to be: an attempt, payout, refund or cash brought to the bank, by its id."""

    kind: TargetKind
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def read_target(text: str) -> Target:
    """Read "attempt:7". Raises NotFound for what names nothing that a line can be."""
    kind, _colon, number = text.partition(":")
    if kind not in list(TargetKind) or not (number.isascii() and number.isdigit()):
        raise NotFound(thing="target")
    if len(number) > 18:
        raise NotFound(thing="target")
    return Target(TargetKind(kind), int(number))


@dataclass(frozen=True)
class TargetCard:
    """Something that a line can be, as a person reads it; `amount_satang` is above zero.

    `on` is the day on which it was opened, should arrive, was asked for or was brought. `seen_by`
    tells that the first of two people has accepted it.
    """

    target: Target
    amount_satang: int
    on: date
    reference: str = ""
    name: str = ""
    provider: str = ""
    seen_by: int | None = None


@dataclass(frozen=True)
class OpenLine:
    """A line that nobody has decided on, and what it probably is: the first card, if any."""

    id: int
    line: BankLine
    why: Why | None
    certainty: Certainty | None
    target: TargetCard | None
    others: tuple[TargetCard, ...]

    @property
    def is_certain(self) -> bool:
        return self.certainty == Certainty.CERTAIN and self.target is not None


# --- what the lines could be ---------------------------------------------------------------------


@dataclass
class _Known:
    """What lines can be, for the rule and for people."""

    payments: list[OpenPayment] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    refunds: list[OutgoingRefund] = field(default_factory=list)
    cash: list[Payout] = field(default_factory=list)
    cards: dict[Target, TargetCard] = field(default_factory=dict)


def list_open_lines(session: Session, community: CommunityCard) -> list[OpenLine]:
    """Every line that waits, the oldest first, with the rule's proposal. A handful of statements."""
    lines = _list_lines(session, community.id)
    if not lines:
        return []
    known = _list_known(session, community, min(line.booked_on for line in lines.values()))
    proposals = _propose(list(lines.values()), known, community.zone)
    return [_open_line(line_id, line, proposals, known) for line_id, line in lines.items()]


def _list_lines(session: Session, community_id: int, *ids: int) -> dict[int, BankLine]:
    wanted = [StatementLine.id.in_(ids)] if ids else []
    rows = session.execute(
        select(StatementLine.id, *columns(StatementLine, BankLine))
        .where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.OPEN,
            *wanted,
        )
        .order_by(StatementLine.booked_on, StatementLine.id)
    )
    return {row[0]: BankLine(*row[1:]) for row in rows}


_Proposals = dict[str, tuple[TargetKind, Proposal]]
_BY_CERTAINTY = [Certainty.CERTAIN, Certainty.LIKELY, Certainty.UNSURE]


def _propose(lines: Sequence[BankLine], known: _Known, zone: str) -> _Proposals:
    """The surest proposal for each line; of two that are as sure, a guest's payment goes first."""
    found: _Proposals = {}
    for kind, matched in (
        (TargetKind.ATTEMPT, matching.match_payments(lines, known.payments, zone)),
        (TargetKind.PAYOUT, matching.match_payouts(lines, known.payouts, zone)),
        (TargetKind.CASH, matching.match_payouts(lines, known.cash, zone)),
        (TargetKind.REFUND, matching.match_outgoing(lines, known.refunds, zone)),
    ):
        for each in matched.proposals:
            before = found.get(each.line.bank_key)
            if before is None or _is_surer(each, before[1]):
                found[each.line.bank_key] = (kind, each)
    return found


def _is_surer(each: Proposal, other: Proposal) -> bool:
    return _BY_CERTAINTY.index(each.certainty) < _BY_CERTAINTY.index(other.certainty)


def _open_line(line_id: int, line: BankLine, proposals: _Proposals, known: _Known) -> OpenLine:
    found = proposals.get(line.bank_key)
    if found is None:
        return OpenLine(line_id, line, None, None, None, ())
    kind, proposal = found
    target = None
    if proposal.target_id is not None:
        target = known.cards.get(Target(kind, proposal.target_id))
    others = [
        known.cards[Target(kind, each)]
        for each in proposal.candidates
        if each != proposal.target_id and Target(kind, each) in known.cards
    ]
    return OpenLine(line_id, line, proposal.why, proposal.certainty, target, tuple(others))


def _list_known(session: Session, community: CommunityCard, first_on: date) -> _Known:
    """Everything that lines from some day on can be."""
    since = datetime.combine(first_on, datetime.min.time(), tzinfo=UTC) - _REACH
    seen = _list_seen(session, community.id, first_on - _REACH)
    known = _Known()
    _add_payments(session, community, since, seen, known)
    _add_payouts(session, community, since, seen, known)
    _add_refunds(session, community, since, seen, known)
    _add_cash(session, community, since, seen, known)
    return known


def _list_seen(session: Session, community_id: int, since: date) -> set[str]:
    """What matched lines are, from some day on."""
    rows = session.scalars(
        select(StatementLine.matched_to).where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.MATCHED,
            StatementLine.booked_on >= since,
        )
    )
    return {each for each in rows if each is not None}


def _add_payments(
    session: Session, community: CommunityCard, since: datetime, seen: set[str], known: _Known
) -> None:
    """Codes into the community's bank account: paid ones as well, for they can be paid twice."""
    first = (
        select(
            TransferConfirmation.attempt_id,
            func.min(TransferConfirmation.id).label("id"),
            func.max(TransferConfirmation.confirmed_at).label("last_at"),
        )
        .group_by(TransferConfirmation.attempt_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Attempt.id,
            Attempt.amount_satang,
            Attempt.created_at,
            Attempt.expires_at,
            Booking.reference,
            Booking.guest_name,
            PaymentAccount.receiver,
            TransferConfirmation.confirmed_at,
            TransferConfirmation.bank_reference,
            TransferConfirmation.amount_satang.label("confirmed_satang"),
            TransferLook.looked_by,
        )
        .join(Booking, Booking.id == Attempt.booking_id)
        .join(PaymentAccount, PaymentAccount.id == Attempt.payment_account_id)
        .outerjoin(first, first.c.attempt_id == Attempt.id)
        .outerjoin(TransferConfirmation, TransferConfirmation.id == first.c.id)
        .outerjoin(
            TransferLook,
            (TransferLook.attempt_id == Attempt.id)
            & TransferLook.dismissed_at.is_(None)
            & (first.c.last_at.is_(None) | (TransferLook.looked_at > first.c.last_at)),
        )
        .where(
            PaymentAccount.community_id == community.id,
            PaymentAccount.provider == BANK,
            Attempt.provider_ref.is_not(None),
            Attempt.created_at >= since,
        )
        .order_by(Attempt.id)
    )
    for row in rows:
        target = Target(TargetKind.ATTEMPT, row.id)
        has_reference = row.receiver.get("kind") == IdKind.BILLER
        known.payments.append(
            OpenPayment(
                attempt_id=row.id,
                reference=row.reference,
                amount_satang=row.confirmed_satang or row.amount_satang,
                opened_at=row.created_at,
                expires_at=row.expires_at,
                references=(row.reference, f"A{row.id}") if has_reference else (),
                guest_name=row.guest_name or "",
                needs_own_amount=not has_reference,
                confirmed_at=row.confirmed_at,
                bank_reference=row.bank_reference or "",
                is_seen=str(target) in seen,
            )
        )
        known.cards[target] = TargetCard(
            target,
            row.amount_satang,
            village_day(row.created_at, community.zone),
            row.reference,
            row.guest_name or "",
            seen_by=row.looked_by,
        )


def _add_payouts(
    session: Session, community: CommunityCard, since: datetime, seen: set[str], known: _Known
) -> None:
    rows = session.execute(
        select(
            ProviderPayout.id,
            ProviderPayout.payout_id,
            ProviderPayout.amount_satang,
            ProviderPayout.arrives_on,
            ProviderPayout.provider,
        )
        .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
        .where(
            PaymentAccount.community_id == community.id,
            ProviderPayout.state != PayoutState.FAILED,
            ProviderPayout.arrives_on >= since.date(),
        )
        .order_by(ProviderPayout.id)
    )
    for row in rows:
        target = Target(TargetKind.PAYOUT, row.id)
        is_seen = str(target) in seen
        known.payouts.append(
            Payout(row.id, row.payout_id, row.amount_satang, row.arrives_on, is_seen)
        )
        known.cards[target] = TargetCard(
            target, row.amount_satang, row.arrives_on, row.payout_id, provider=row.provider
        )


def _add_refunds(
    session: Session, community: CommunityCard, since: datetime, seen: set[str], known: _Known
) -> None:
    """Refunds that a person made from the bank account, as they noted."""
    rows = session.execute(
        select(
            Refund.id,
            Refund.amount_satang,
            Refund.requested_at,
            Refund.done_at,
            Refund.proof,
            Booking.reference,
            Booking.guest_name,
        )
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(
            Refund.community_id == community.id,
            Refund.state == RefundState.SUCCEEDED,
            func.coalesce(Refund.paid_from, Capture.provider) == BANK,
            Refund.done_at >= since,
        )
        .order_by(Refund.id)
    )
    for row in rows:
        target = Target(TargetKind.REFUND, row.id)
        known.refunds.append(
            OutgoingRefund(
                refund_id=row.id,
                amount_satang=row.amount_satang,
                requested_at=row.requested_at,
                done_at=row.done_at,
                proof=row.proof or "",
                guest_name=row.guest_name or "",
                is_seen=str(target) in seen,
            )
        )
        on = village_day(row.done_at, community.zone)
        known.cards[target] = TargetCard(
            target, row.amount_satang, on, row.reference, row.guest_name or ""
        )


def _add_cash(
    session: Session, community: CommunityCard, since: datetime, seen: set[str], known: _Known
) -> None:
    """Cash that was carried to the bank comes in there like a payout does."""
    rows = session.execute(
        select(
            CashBanked.id,
            CashBanked.amount_satang,
            CashBanked.bank_reference,
            CashBanked.banked_at,
        )
        .where(CashBanked.community_id == community.id, CashBanked.banked_at >= since)
        .order_by(CashBanked.id)
    )
    for row in rows:
        target = Target(TargetKind.CASH, row.id)
        on = village_day(row.banked_at, community.zone)
        is_seen = str(target) in seen
        known.cash.append(Payout(row.id, row.bank_reference, row.amount_satang, on, is_seen))
        known.cards[target] = TargetCard(target, row.amount_satang, on, row.bank_reference)


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


def accept_all_certain(community: CommunityCard, person_id: int, now: datetime) -> Accepted:
    """Accept every certain proposal, each by itself: one that is refused meanwhile leaves the others."""
    with transaction() as session:
        certain = [each for each in list_open_lines(session, community) if each.is_certain]
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


def _accept(
    session: Session,
    community_id: int,
    line_id: int,
    target: Target,
    person_id: int,
    now: datetime,
) -> Accepted:
    line = _list_lines(session, community_id, line_id).get(line_id)
    if line is None:
        raise _why_not_open(session, community_id, line_id)
    if target.kind == TargetKind.ATTEMPT:
        return _accept_payment(session, community_id, line_id, line, target, person_id, now)
    _require_amount(session, community_id, line, target)
    _decide(session, line_id, str(target), person_id, now)
    if target.kind == TargetKind.PAYOUT:
        payout = session.get_one(ProviderPayout, target.id)
        key = f"not_seen:{payout_key(payout.provider, payout.payout_id)}"
        close_work_about(session, key, str(target), now, person_id)
    return Accepted(lines=1)


def _why_not_open(session: Session, community_id: int, line_id: int) -> CbtError:
    state = session.scalar(
        select(StatementLine.state).where(
            StatementLine.id == line_id, StatementLine.community_id == community_id
        )
    )
    if state is None:
        return NotFound(thing="line")
    return StateForbids(thing="line", state=state, wanted=LineState.MATCHED)


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
        TargetKind.CASH: select(CashBanked.amount_satang).where(
            CashBanked.id == target.id, CashBanked.community_id == community_id
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


# --- what the bank ought to show -----------------------------------------------------------------


@dataclass(frozen=True)
class _Missing:
    """Something that the bank's statement does not show though it covers its days."""

    kind: WorkKind
    key: str
    facts: dict[str, object]


def watch(community: CommunityCard, now: datetime) -> int:
    """Open work for confirmed transfers and payouts that the bank's statements do not show.

    Only days that a statement covers are held against it, and what an undecided line could be is not
    missed. Returns how many were new; where none is, nothing is written.
    """
    session = db.session()
    today = village_day(now, community.zone)
    covered = list_covered(session, community.id, today - WATCHED_FOR)
    if not covered:
        db.session.rollback()
        return 0
    missing = _list_missing(session, community, covered)
    keys = [each.key for each in missing]
    known = set(session.scalars(select(WorkItem.key).where(WorkItem.key.in_(keys))))
    db.session.rollback()
    new = [each for each in missing if each.key not in known]
    if new:
        with transaction() as writing:
            writing.execute(
                insert(WorkItem),
                [
                    {
                        "community_id": community.id,
                        "kind": each.kind,
                        "key": each.key,
                        "facts": each.facts,
                        "opened_at": now,
                    }
                    for each in new
                ],
            )
    return len(new)


def _list_missing(
    session: Session, community: CommunityCard, covered: Iterable[Any]
) -> list[_Missing]:
    spans = list(covered)
    lines = list(_list_lines(session, community.id).values())
    known = _list_known(session, community, spans[0].first_on)
    confirmed = [each for each in known.payments if each.confirmed_at is not None]
    possible = _propose(lines, known, community.zone)
    maybe = {
        Target(kind, each)
        for kind, proposal in possible.values()
        for each in (proposal.target_id, *proposal.candidates)
        if each is not None
    }
    found = []
    for span in spans:
        within = [each for each in lines if span.first_on <= each.booked_on <= span.last_on]
        zone = community.zone
        for each in matching.unseen(confirmed, within, span.first_on, span.last_on, zone):
            target = Target(TargetKind.ATTEMPT, each.attempt_id)
            if target not in maybe:
                card = known.cards[target]
                found.append(_missing(WorkKind.TRANSFER_NOT_SEEN, f"not_seen:{target}", card))
        for payout in known.payouts:
            target = Target(TargetKind.PAYOUT, payout.payout_id)
            is_due = payout.expected_on + PAYOUT_LATE_BY <= span.last_on
            if payout.is_seen or target in maybe or not is_due:
                continue
            if payout.expected_on >= span.first_on:
                card = known.cards[target]
                key = f"not_seen:{payout_key(card.provider, card.reference)}"
                found.append(_missing(WorkKind.PAYOUT_NOT_SEEN, key, card))
    return found


def _missing(kind: WorkKind, key: str, card: TargetCard) -> _Missing:
    is_payout = kind == WorkKind.PAYOUT_NOT_SEEN
    facts: dict[str, object] = {
        "amount_satang": card.amount_satang,
        "on": card.on.isoformat(),
        "name" if is_payout else "reference": card.reference,
    }
    return _Missing(kind, key, {**facts, "provider": card.provider} if is_payout else facts)
