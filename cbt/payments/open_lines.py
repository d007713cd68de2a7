"""Lines of the bank's statement that nobody has decided on, and what each probably is.

Proposals are made for the lines that are shown, not for all that wait: a page costs the same with ten
lines and with a hundred thousand. What else could be the same thing is looked at as well, or a line
would seem certain whose rival stands on another page.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cbt.communities.records import CommunityCard
from cbt.db import columns
from cbt.payments import matching
from cbt.payments.bank_lines import BankLine
from cbt.payments.bank_targets import REACH, Known, Target, TargetCard, TargetKind, list_known
from cbt.payments.matching import Certainty, Proposal, Why
from cbt.payments.reported import LineState, StatementLine

_RIVALS_WITHIN = REACH + timedelta(days=2)
_MOST_RIVALS = 2_000
_MOST_NAMES = 100
_SHORTEST_NAME = 5  # a shorter one names nothing (`matching.py`)


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


def count_open_lines(session: Session, community_id: int) -> int:
    found = session.scalar(
        select(func.count()).where(
            StatementLine.community_id == community_id, StatementLine.state == LineState.OPEN
        )
    )
    return found or 0


def find_place(session: Session, community_id: int, line_id: int) -> int | None:
    """How many lines wait before an open line in the order in which they are listed."""
    line = session.execute(
        select(StatementLine.booked_on, StatementLine.state).where(
            StatementLine.id == line_id, StatementLine.community_id == community_id
        )
    ).one_or_none()
    if line is None or line.state != LineState.OPEN:
        return None
    found = session.scalar(
        select(func.count()).where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.OPEN,
            or_(
                StatementLine.booked_on < line.booked_on,
                (StatementLine.booked_on == line.booked_on) & (StatementLine.id < line_id),
            ),
        )
    )
    return found or 0


def list_open_lines(
    session: Session, community: CommunityCard, first: int = 0, most: int | None = None
) -> list[OpenLine]:
    """The lines that wait, the oldest first, with the rule's proposal for each."""
    return _propose_for(session, community, list_lines(session, community.id, first, most))


def list_those(
    session: Session, community: CommunityCard, line_ids: Collection[int]
) -> list[OpenLine]:
    """Those of some lines that still wait, with the rule's proposal for each."""
    lines = list_lines(session, community.id, 0, None, StatementLine.id.in_(line_ids))
    return _propose_for(session, community, lines)


def list_lines(
    session: Session, community_id: int, first: int, most: int | None, *wanted: Any
) -> dict[int, BankLine]:
    """Open lines as the bank gave them, by id, the oldest first."""
    rows = session.execute(
        select(StatementLine.id, *columns(StatementLine, BankLine))
        .where(
            StatementLine.community_id == community_id,
            StatementLine.state == LineState.OPEN,
            *wanted,
        )
        .order_by(StatementLine.booked_on, StatementLine.id)
        .offset(first)
        .limit(most)
    )
    return {row[0]: BankLine(*row[1:]) for row in rows}


def _propose_for(
    session: Session, community: CommunityCard, lines: dict[int, BankLine]
) -> list[OpenLine]:
    if not lines:
        return []
    days = [line.booked_on for line in lines.values()]
    known = list_known(session, community, min(days) - _RIVALS_WITHIN, max(days) + _RIVALS_WITHIN)
    amounts = {abs(line.amount_satang) for line in lines.values()}
    wanted = {each for each, card in known.cards.items() if card.amount_satang in amounts}
    rivals = list_rivals(session, community.id, known, wanted, amounts)
    among = {line.bank_key: line for line in (*lines.values(), *rivals)}
    proposals = propose(list(among.values()), known, community.zone)
    return [_open_line(line_id, line, proposals, known) for line_id, line in lines.items()]


def list_rivals(
    session: Session,
    community_id: int,
    known: Known,
    wanted: Iterable[Target],
    amounts: Collection[int],
    most: int | None = _MOST_RIVALS,
) -> list[BankLine]:
    """Open lines that could be the `wanted` as well: of these amounts, or with their names.

    Only lines of days on which that could be, and no more than `most` of them.
    """
    cards = [known.cards[each] for each in wanted]
    names = sorted({card.reference for card in cards if len(card.reference) >= _SHORTEST_NAME})
    signed = [*amounts, *(-each for each in amounts)]
    days = [card.on for card in cards]
    if not days:
        return []
    named = [
        column.icontains(written, autoescape=True)
        for name in names[:_MOST_NAMES]
        for written in {name, name.replace("-", "")}
        for column in (StatementLine.reference, StatementLine.text)
    ]
    found = list_lines(
        session,
        community_id,
        0,
        most,
        StatementLine.booked_on >= min(days) - _RIVALS_WITHIN,
        StatementLine.booked_on <= max(days) + _RIVALS_WITHIN,
        or_(StatementLine.amount_satang.in_(signed), *named),
    )
    return list(found.values())


# --- proposals -----------------------------------------------------------------------------------


Proposals = dict[str, tuple[TargetKind, Proposal]]
_BY_CERTAINTY = [Certainty.CERTAIN, Certainty.LIKELY, Certainty.UNSURE]


def propose(lines: Sequence[BankLine], known: Known, zone: str) -> Proposals:
    """The surest proposal for each line; of two that are as sure, a guest's payment goes first."""
    found: Proposals = {}
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


def _open_line(line_id: int, line: BankLine, proposals: Proposals, known: Known) -> OpenLine:
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
