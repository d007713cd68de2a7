"""Cancellation terms as dated steps, for a trip whose start is known. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cbt.bookings.terms import Terms


@dataclass(frozen=True)
class Stage:
    """What cancelling gives back, up to and including `until` (UTC); None: after every other."""

    refund_bp: int
    until: datetime | None
    is_over: bool


def dated(terms: Terms, begins_at: datetime, now: datetime) -> list[Stage]:
    """The steps in order; the last says that nothing comes back any more."""
    steps = []
    for tier in terms.tiers:
        until = begins_at - timedelta(days=tier.days_before)
        steps.append(Stage(tier.refund_bp, until, until < now))
    return [*steps, Stage(0, None, is_over=False)]
