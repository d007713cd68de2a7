"""Which shares open disputes touch after a departure was settled; payouts hold them back."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cbt.payments.disputes import DisputeCard, list_disputes
from cbt.payments.provider import DisputeState
from cbt.revenue import queries
from cbt.revenue.frozen import frozen_parts, shares_of


@dataclass(frozen=True)
class Frozen:
    """What one dispute touches: {ledger account of a fund or household: satang}."""

    dispute: DisputeCard
    shares: dict[str, int]


def frozen_shares(session: Session, dispute: DisputeCard) -> dict[str, int]:
    """A dispute's part of each share that its booking's money became; none before the split."""
    settlement = queries.find_settlement(session, dispute.departure_id)
    if settlement is None or not dispute.was_split:
        return {}
    about = {dispute.departure_id: (settlement.number, settlement.service_on)}
    sharing = queries.list_sharing_facts(session, about)[dispute.departure_id]
    booking = queries.get_booking_facts(session, dispute.departure_id, dispute.reference)
    return frozen_parts(dispute.amount_satang, shares_of(booking, sharing))


def list_frozen(session: Session, community_id: int) -> list[Frozen]:
    """What payouts must hold back: the shares that open disputes touch, dispute by dispute."""
    found = list_disputes(session, community_id)
    return [
        Frozen(each, frozen_shares(session, each))
        for each in found
        if each.state == DisputeState.OPEN and each.was_split
    ]
