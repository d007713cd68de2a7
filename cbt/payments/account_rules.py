"""When a change of where a community's money goes needs a second person, and how long it waits. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

ALONE_AFTER = timedelta(hours=24)
"""How long the change of a person whom nobody can second waits: as long as a raised money rule."""

LAPSES_AFTER = timedelta(days=14)
"""What nobody agreed to by then is no longer what anybody wants."""


class ProposalState(StrEnum):
    """What became of a proposed change of where the money goes."""

    PROPOSED = "proposed"
    APPROVED = "approved"  # another person agreed
    ALONE = "alone"  # nobody else was there, and its time had passed
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"  # nobody agreed in time, or it cannot be done any more


def moves_money(before: Mapping[str, str] | None, after: Mapping[str, str], *, stays: bool) -> bool:
    """Whether guests' money would go elsewhere than `before` (None: a way to pay that is new).

    `stays`: cash goes into the community's own box, pretended money nowhere. A name moves nothing.
    """
    return not stays and before != after


def lapses_at(proposed_at: datetime) -> datetime:
    return proposed_at + LAPSES_AFTER


def is_waiting(state: str, proposed_at: datetime, now: datetime) -> bool:
    """Whether somebody can still agree to it."""
    return state == ProposalState.PROPOSED and now < lapses_at(proposed_at)


def takes_effect_alone_at(
    proposed_at: datetime, proposed_by: int, money_people: Collection[int]
) -> datetime | None:
    """When a change takes effect without a second person; None where somebody else can agree.

    Only who is the one person with a money role is not asked for the impossible: without any such
    role left, nobody is.
    """
    return proposed_at + ALONE_AFTER if set(money_people) == {proposed_by} else None
