"""Which shares are disputed after a departure was settled; payouts hold them back.

A payer's bank may dispute a payment, which touches everybody who got a part of it; and a household may
dispute a line of its own statement, which touches that line alone.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.errors import NotFound
from cbt.payments.disputes import DisputeCard, list_disputes
from cbt.payments.provider import DisputeState
from cbt.revenue import queries
from cbt.revenue.frozen import add_up, frozen_parts, shares_of
from cbt.revenue.line_disputes import LineCard, list_held


@dataclass(frozen=True)
class Frozen:
    """What one dispute touches: {ledger account of a fund or household: satang}."""

    dispute: DisputeCard | LineCard
    shares: dict[str, int]


def frozen_shares(session: Session, dispute: DisputeCard) -> dict[str, int]:
    """A dispute's part of each share that its booking's money became; none before the split."""
    settlement = queries.find_settlement(session, dispute.departure_id)
    if settlement is None or not dispute.was_split:
        return {}
    about = {dispute.departure_id: (settlement.number, settlement.service_on)}
    sharing = queries.list_sharing_facts(session, about)[dispute.departure_id]
    try:
        booking = queries.get_booking_facts(session, dispute.departure_id, dispute.reference)
    except NotFound:  # nothing of it was kept, so nobody got anything of it
        return {}
    return frozen_parts(dispute.loss_satang, shares_of(booking, sharing))


def list_frozen(session: Session, community_id: int) -> list[Frozen]:
    """What payouts must hold back, dispute by dispute: of payers' banks, then of households."""
    found = list_disputes(session, community_id)
    by_banks = [
        Frozen(each, frozen_shares(session, each))
        for each in found
        if each.state == DisputeState.OPEN and each.was_split
    ]
    by_households = [
        Frozen(each, {chart.household(each.household): each.amount_satang})
        for each in list_held(session, community_id)
        if each.amount_satang
    ]
    return [*by_banks, *by_households]


def held_back(session: Session, community_id: int) -> dict[str, int]:
    """What is held of each account altogether, in satang; it may be more than the account holds."""
    return add_up([each.shares for each in list_frozen(session, community_id)])
