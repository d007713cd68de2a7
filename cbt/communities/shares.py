"""The share register of what households own together. Pure; see docs/algorithms/shares.md.

A register is never stored: on any day it is the sum of the confirmed events up to that day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cbt.errors import ShareInvalid

MOST_SHARES = 1_000_000


class ShareKind(StrEnum):
    """What happened to shares: given out anew, passed on, taken back by the group."""

    ISSUE = "issue"
    TRANSFER = "transfer"
    REDEEM = "redeem"


class ShareProblem(StrEnum):
    """What a share event can be refused for."""

    PARTIES = "parties"
    SHARES = "shares"
    HELD = "held"
    INACTIVE = "inactive"
    BEFORE = "before"
    CLOSED = "closed"
    DOCUMENT = "document"


class AssetKind(StrEnum):
    """What households own together; an experience may be owned as such."""

    BOAT = "boat"
    BUILDING = "building"
    EQUIPMENT = "equipment"
    LAND = "land"
    EXPERIENCE = "experience"


class AssetProblem(StrEnum):
    """What a co-owned asset can be refused for."""

    NAME = "name"
    KIND = "kind"
    TAKEN = "taken"
    DAY = "day"
    CLOSED = "closed"


class Decision(StrEnum):
    """What the second person says to what the first one recorded."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True)
class ShareEvent:
    """Shares (> 0) that moved on a day: issued to, transferred between, redeemed from households."""

    kind: ShareKind
    from_household: str | None
    to_household: str | None
    shares: int
    effective_on: date


@dataclass(frozen=True)
class Membership:
    """The days of a household in the community: from the first on, until before the last."""

    active_from: date
    active_until: date | None

    def is_active(self, on: date) -> bool:
        return self.active_from <= on and (self.active_until is None or on < self.active_until)


def register_on(events: Iterable[ShareEvent], day: date) -> dict[str, int]:
    """What each household holds at the end of `day`, in the order of household codes, without zeros.

    Events of one day count together, in whatever order they were written down. Raises ShareInvalid
    where on some day up to `day` more was moved from a household than it held.
    """
    held: dict[str, int] = {}
    coming = sorted(
        (each for each in events if each.effective_on <= day), key=lambda each: each.effective_on
    )
    for number, event in enumerate(coming):
        _move(held, event)
        is_days_last = (
            number + 1 == len(coming) or coming[number + 1].effective_on > event.effective_on
        )
        if is_days_last:
            _require_none_below_zero(held, event.effective_on)
    return {code: held[code] for code in sorted(held) if held[code]}


def _move(held: dict[str, int], event: ShareEvent) -> None:
    if event.from_household is not None:
        held[event.from_household] = held.get(event.from_household, 0) - event.shares
    if event.to_household is not None:
        held[event.to_household] = held.get(event.to_household, 0) + event.shares


def _require_none_below_zero(held: dict[str, int], day: date) -> None:
    for code in sorted(held):
        if held[code] < 0:
            raise ShareInvalid(problem=ShareProblem.HELD, household=code, on=day)


def require_event(
    events: Iterable[ShareEvent],
    new: ShareEvent,
    members: dict[str, Membership],
    begins_on: date,
    closed_until: date | None,
) -> None:
    """Raise ShareInvalid unless `new` may join the confirmed `events` of an asset.

    It must be of the shape of its kind, move a whole number of shares above zero, lie on or after
    the asset's first day and after `closed_until` (the last day whose money was shared out), give to
    a household that is active on its day, and leave nobody below zero on its own day or any later
    one: a back-dated event breaks nothing that follows. Whoever gives shares away may have left
    since: that is how a leaver's shares come back.
    """
    _require_shape(new)
    if new.effective_on < begins_on:
        raise ShareInvalid(problem=ShareProblem.BEFORE, on=begins_on)
    if closed_until is not None and new.effective_on <= closed_until:
        raise ShareInvalid(problem=ShareProblem.CLOSED, on=closed_until)
    _require_members(new, members)
    every = [*events, new]
    register_on(every, max(each.effective_on for each in every))


def _require_shape(new: ShareEvent) -> None:
    gives = new.from_household is not None
    takes = new.to_household is not None
    shapes = {
        ShareKind.ISSUE: (False, True),
        ShareKind.TRANSFER: (True, True),
        ShareKind.REDEEM: (True, False),
    }
    if shapes[new.kind] != (gives, takes) or new.from_household == new.to_household:
        raise ShareInvalid(problem=ShareProblem.PARTIES)
    if not 0 < new.shares <= MOST_SHARES:
        raise ShareInvalid(problem=ShareProblem.SHARES)


def _require_members(new: ShareEvent, members: dict[str, Membership]) -> None:
    taker, giver = new.to_household, new.from_household
    if taker is not None and not (taker in members and members[taker].is_active(new.effective_on)):
        raise ShareInvalid(problem=ShareProblem.INACTIVE, household=taker, on=new.effective_on)
    if giver is not None and not (
        giver in members and members[giver].active_from <= new.effective_on
    ):
        raise ShareInvalid(problem=ShareProblem.INACTIVE, household=giver, on=new.effective_on)
