"""Whose turn it is at a task. Pure; see docs/algorithms/rotation.md.

No place in a queue is ever stored: it follows from who may serve (terms, absences), who did serve,
and what was agreed (skips, swaps).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from cbt.communities.shares import Membership

ALL_WEEK = 0b1111111
"""Days of the week as bits, Monday first."""

MOST_CAPACITY = 50
MOST_SKIP_DAYS = 14
"""A skip with a reason keeps the place for so many days at most; a longer time is an absence."""

CYCLES_NEEDED = 2
MOST_SPREAD = Fraction(1, 2)
MOST_UNEXPLAINED = Fraction(1, 10)
"""Limits of rule PRD-08."""


class SkipReason(StrEnum):
    """TurnWhy a household passes a turn on and keeps its place."""

    SICK = "sick"
    FAMILY = "family"
    FAITH = "faith"
    BROKEN = "broken"
    BUSY = "busy"
    NONE = "none"


class TurnWhy(StrEnum):
    """TurnWhy a household stands before the next one in the queue."""

    FEWEST = "fewest"
    LONGEST = "longest"
    REGISTER = "register"
    SWAPPED = "swapped"


class NotNow(StrEnum):
    """TurnWhy a household that takes part is not in the queue of a day."""

    SKIPS = "skips"
    AWAY = "away"
    DAY_OFF = "day_off"


# --- what a queue is made from -------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """From a day on, a household serves up to `capacity` turns at once, on some days of the week.

    Capacity 0: it takes no part any more.
    """

    since: date
    capacity: int
    weekdays: int = ALL_WEEK


@dataclass(frozen=True)
class Member:
    """A household at a task: its place in the register, its days in the community, its terms."""

    household: str
    position: int
    membership: Membership
    terms: tuple[Terms, ...]

    def terms_on(self, day: date) -> Terms | None:
        """The newest terms by then, while the household is a member and takes part."""
        if not self.membership.is_active(day):
            return None
        begun = [each for each in self.terms if each.since <= day]
        newest = max(begun, key=lambda each: each.since, default=None)
        return newest if newest and newest.capacity else None


@dataclass(frozen=True)
class Served:
    """A household served so many turns of a departure on a day."""

    household: str
    on: date
    turns: int


@dataclass(frozen=True)
class Skipped:
    """A household passes on its turns of some days. With a reason it keeps its place."""

    household: str
    first_on: date
    last_on: date
    has_reason: bool


@dataclass(frozen=True)
class Away:
    """Days on which a household cannot serve; they count neither for nor against it."""

    household: str
    first_on: date
    last_on: date


@dataclass(frozen=True)
class Swapped:
    """Two households agreed to exchange their places in the queue of one day."""

    household: str
    other: str
    on: date


Event = Served | Skipped | Away | Swapped


# --- the queue -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A household in the queue: turns it had, its claim (capacity x available days), and why."""

    household: str
    turns: int
    claim: int
    last_on: date | None
    capacity: int
    position: int
    why: TurnWhy = TurnWhy.FEWEST

    @property
    def level(self) -> Fraction:
        return Fraction(self.turns, self.claim)


def queue(events: Iterable[Event], members: Iterable[Member], day: date) -> tuple[Place, ...]:
    """Who serves next on `day`, and why each stands before the next one.

    Fewest turns for the claim first (turns / (capacity x available days)), then whoever did not serve
    for longest, then the order of the register. Households that cannot or will not serve that day
    are left out; swaps of the day exchange two places. Events after `day` do not count.
    """
    known = [each for each in events if _begins(each) <= day]
    standing = [
        _place(member, known, day) for member in members if not_now(member, known, day) is None
    ]
    ordered = _explained(sorted(standing, key=_order))
    for each in known:
        if isinstance(each, Swapped) and each.on == day:
            ordered = _exchange(ordered, each)
    return tuple(ordered)


def not_now(member: Member, events: Iterable[Event], day: date) -> NotNow | None:
    """TurnWhy a member that takes part is not in the queue of a day; None where it is."""
    terms = member.terms_on(day)
    if terms is None or not terms.weekdays >> day.weekday() & 1:
        return NotNow.DAY_OFF
    for each in events:
        if not isinstance(each, Away | Skipped) or each.household != member.household:
            continue
        if each.first_on <= day <= each.last_on:
            return NotNow.AWAY if isinstance(each, Away) else NotNow.SKIPS
    return None


def propose(
    events: Iterable[Event], members: Iterable[Member], day: date, wanted: int
) -> dict[str, int]:
    """{household: turns} of the next ones for a departure that needs `wanted` turns (>= 0).

    Turn by turn the first of the queue, as if it had just served; nobody more often than its
    capacity. Fewer where all are at their capacity.
    """
    standing = list(queue(events, members, day))
    taken: dict[str, int] = {}
    for _turn in range(wanted):
        free = [each for each in standing if taken.get(each.household, 0) < each.capacity]
        if not free:
            break
        first = free[0]
        taken[first.household] = taken.get(first.household, 0) + 1
        standing.remove(first)
        served = replace(first, turns=first.turns + 1, last_on=day)
        # swapped places hold for the first turn only: whoever served goes by the rule again
        later = next(
            (n for n, each in enumerate(standing) if _order(each) > _order(served)), len(standing)
        )
        standing.insert(later, served)
    return taken


def _begins(event: Event) -> date:
    return event.first_on if isinstance(event, Skipped | Away) else event.on


def _order(place: Place) -> tuple[Fraction, date, int]:
    return place.level, place.last_on or date.min, place.position


def _place(member: Member, events: Sequence[Event], day: date) -> Place:
    terms = member.terms_on(day)
    assert terms is not None
    own = [each for each in events if each.household == member.household]
    served = [each for each in own if isinstance(each, Served)]
    lost = [each for each in own if isinstance(each, Skipped) and not each.has_reason]
    last = max([each.on for each in served] + [each.first_on for each in lost], default=None)
    return Place(
        household=member.household,
        turns=sum(each.turns for each in served) + len(lost),
        claim=claim(member, events, day),
        last_on=last,
        capacity=terms.capacity,
        position=member.position,
    )


def _explained(ordered: list[Place]) -> list[Place]:
    """Each with what sets it before the next one (the last: behind the one before)."""
    found = []
    for number, place in enumerate(ordered):
        other = ordered[number + 1] if number + 1 < len(ordered) else ordered[number - 1]
        found.append(replace(place, why=_difference(place, other)))
    return found


def _difference(place: Place, other: Place) -> TurnWhy:
    if place.level != other.level:
        return TurnWhy.FEWEST
    return TurnWhy.LONGEST if place.last_on != other.last_on else TurnWhy.REGISTER


def _exchange(ordered: list[Place], swap: Swapped) -> list[Place]:
    names = [each.household for each in ordered]
    if swap.household not in names or swap.other not in names:
        return ordered
    one, two = names.index(swap.household), names.index(swap.other)
    found = list(ordered)
    found[one] = replace(ordered[two], why=TurnWhy.SWAPPED)
    found[two] = replace(ordered[one], why=TurnWhy.SWAPPED)
    return found


# --- claims: capacity times available days -------------------------------------------------------


def claim(member: Member, events: Iterable[Event], day: date) -> int:
    """Capacity x available days, summed up to and including `day`."""
    absences = _merged(
        (each.first_on, each.last_on)
        for each in events
        if isinstance(each, Away) and each.household == member.household
    )
    terms = sorted(member.terms, key=lambda each: each.since)
    whole = 0
    for number, each in enumerate(terms):
        ends = terms[number + 1].since - _DAY if number + 1 < len(terms) else day
        span = _within(each.since, min(ends, day), member.membership)
        if span is None or not each.capacity:
            continue
        days = _count(*span, each.weekdays)
        for first, last in absences:
            if max(first, span[0]) <= min(last, span[1]):
                days -= _count(max(first, span[0]), min(last, span[1]), each.weekdays)
        whole += each.capacity * days
    return whole


_DAY = timedelta(days=1)


def _within(first: date, last: date, membership: Membership) -> tuple[date, date] | None:
    first = max(first, membership.active_from)
    if membership.active_until is not None:
        last = min(last, membership.active_until - _DAY)
    return (first, last) if first <= last else None


def _count(first: date, last: date, weekdays: int) -> int:
    """How many days from `first` to `last` fall on one of some weekdays."""
    weeks, rest = divmod((last - first).days + 1, 7)
    return weeks * weekdays.bit_count() + sum(
        weekdays >> (first.weekday() + number) % 7 & 1 for number in range(rest)
    )


def _merged(spans: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans without overlap."""
    found: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


# --- the balance: rule PRD-08 --------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """A household's turns beside those expected of its claim. `level` is 1 where all are equal."""

    household: str
    turns: int
    expected: Fraction
    level: Fraction | None


@dataclass(frozen=True)
class Balance:
    """The turns of those who take part. `spread` is None before two complete cycles."""

    shares: tuple[Share, ...]
    turns: int
    cycles: int
    spread: Fraction | None
    unexplained: int

    @property
    def is_fair(self) -> bool | None:
        """Whether rule PRD-08 holds; None while there is too little to say."""
        if self.spread is None:
            return None
        return self.spread <= MOST_SPREAD and self.unexplained <= MOST_UNEXPLAINED * self.turns


def balance(events: Iterable[Event], members: Iterable[Member], day: date) -> Balance:
    """The balance of turns at the end of `day`, of those who take part then.

    Expected of a household: all turns, by its claim. The spread is that of rule PRD-08: over the
    complete cycles (a cycle is as many turns as all capacities together), turns / claim, scaled so
    that their mean is 1: the largest less the smallest. Whoever less than one whole turn was expected
    of is left out of it.
    """
    known = [each for each in events if _begins(each) <= day]
    taking = [member for member in members if member.terms_on(day)]
    names = {member.household: member.position for member in taking}
    served = sorted(
        (each for each in known if isinstance(each, Served) and each.household in names),
        key=lambda each: (each.on, names[each.household]),
    )
    turns = _sum_turns(served)
    whole = sum(turns.values())
    capacity = sum(terms.capacity for member in taking if (terms := member.terms_on(day)))
    cycles = whole // capacity if capacity else 0
    counted, until = _first_turns(served, cycles * capacity)
    expected = _expected(taking, known, until or day, sum(counted.values()))
    levels = _levels(counted, taking, known, until or day, expected)
    ahead = _expected(taking, known, day, whole)
    return Balance(
        shares=tuple(
            Share(
                member.household,
                turns.get(member.household, 0),
                ahead[member.household],
                levels.get(member.household),
            )
            for member in sorted(taking, key=lambda each: each.position)
        ),
        turns=whole,
        cycles=cycles,
        spread=max(levels.values()) - min(levels.values())
        if cycles >= CYCLES_NEEDED and levels
        else None,
        unexplained=sum(
            isinstance(each, Skipped) and not each.has_reason and each.household in names
            for each in known
        ),
    )


def _sum_turns(served: Iterable[Served]) -> dict[str, int]:
    turns: dict[str, int] = {}
    for each in served:
        turns[each.household] = turns.get(each.household, 0) + each.turns
    return turns


def _first_turns(served: Iterable[Served], most: int) -> tuple[dict[str, int], date | None]:
    """The first `most` turns by household, and the day of the last of them."""
    counted: dict[str, int] = {}
    left, until = most, None
    for each in served:
        part = min(left, each.turns)
        if not part:
            break
        counted[each.household] = counted.get(each.household, 0) + part
        left, until = left - part, each.on
    return counted, until


def _expected(
    members: Iterable[Member], events: Sequence[Event], day: date, turns: int
) -> dict[str, Fraction]:
    claims = {member.household: claim(member, events, day) for member in members}
    whole = sum(claims.values())
    return {
        name: Fraction(turns * part, whole) if whole else Fraction(0)
        for name, part in claims.items()
    }


def _levels(
    counted: Mapping[str, int],
    members: Iterable[Member],
    events: Sequence[Event],
    day: date,
    expected: Mapping[str, Fraction],
) -> dict[str, Fraction]:
    """turns / claim of those of whom a whole turn was expected, scaled to a mean of 1."""
    plain = {
        member.household: Fraction(counted.get(member.household, 0), claim(member, events, day))
        for member in members
        if expected[member.household] >= 1
    }
    mean = sum(plain.values(), Fraction(0)) / len(plain) if plain else Fraction(0)
    return {name: value / mean for name, value in plain.items()} if mean else {}
