"""What a payout paid: the lines of the household's account since the payout before."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cbt.bookings.queries import list_trips
from cbt.communities import chart
from cbt.communities.records import CommunityCard, HouseholdCard
from cbt.errors import NotFound
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.revenue import payout_queries
from cbt.revenue.line_disputes import list_lines
from cbt.revenue.paying_out import ORDERED_KEY, LineState
from cbt.revenue.payout_models import PayoutBatch, PayoutLine
from cbt.revenue.payout_queries import LineCard
from cbt.revenue.period_queries import items_of
from cbt.revenue.statements import StatementLine, departure_in

_NOT_ORDERED = (LineState.DRAFTED, LineState.WITHDRAWN)


@dataclass(frozen=True)
class PayoutTrace:
    """A payout with what stood before and what came and went since the payout before it, in satang.

    `before_satang`, the lines together, and the payout taken off leave `left_satang`.
    """

    payout: LineCard
    before_satang: int
    lines: tuple[StatementLine, ...]
    left_satang: int


def trace_payout(
    session: Session, community: CommunityCard, household: HouseholdCard, line_id: int
) -> PayoutTrace:
    """An approved payout of a household. Raises NotFound for any other."""
    found = payout_queries.list_lines(
        session,
        PayoutBatch.community_id == community.id,
        PayoutLine.household_id == household.id,
        PayoutLine.id == line_id,
        PayoutLine.state.not_in(_NOT_ORDERED),
    )
    if not found:
        raise NotFound(thing="payout")
    book_id, account = community.book_id, chart.household(household.code)
    about = ledger.list_entries_about(session, book_id, f"household:{household.code}")
    ordered = [each for each in about if each.draft.key.startswith(ORDERED_KEY)]
    own = next(each for each in ordered if each.draft.key == f"{ORDERED_KEY}{line_id}")
    after = max((each.seq for each in ordered if each.seq < own.seq), default=0)
    before = ledger.account_movement(session, book_id, account, Entry.seq <= after)
    lines = _lines(session, community, household, after, own.seq)
    moved = sum(each.amount_satang for each in lines)
    return PayoutTrace(found[0], before, lines, before + moved - found[0].amount_satang)


def _lines(
    session: Session, community: CommunityCard, household: HouseholdCard, after: int, until: int
) -> tuple[StatementLine, ...]:
    """The household's lines of the entries between two numbers, neither of them counted in."""
    touching = ledger.is_touching(community.book_id, chart.household(household.code))
    between = ledger.stream_entries(
        session, community.book_id, touching, Entry.seq > after, Entry.seq < until
    )
    items = [
        item
        for entry in between
        for code, item in items_of(entry, entry.draft.effective_on.replace(day=1))
        if code == household.code
    ]
    trips = list_trips(session, {found for item in items if (found := departure_in(item.subject))})
    asked = {
        (each.entry_seq, each.leg): each for each in list_lines(session, community.id, household.id)
    }
    return tuple(
        StatementLine(
            item,
            trips.get(departure_in(item.subject) or 0),
            asked.get((item.entry_seq, item.leg)),
        )
        for item in items
    )


def payout_in(rule: str) -> int | None:
    """The payout that a line of the books moved, or None for any other line."""
    about, _colon, number = rule.partition(":")
    return int(number) if about == "payout" and number.isdigit() else None
