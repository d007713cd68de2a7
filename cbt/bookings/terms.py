"""Cancellation terms as text that is frozen into a booking, and the refund they give. Pure.

Instants decide: "n days before" is n times 24 hours before the start, whatever the clocks of the
guest's country do in between.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from cbt.errors import AmountInvalid, TermsInvalid
from cbt.money import BP_WHOLE, bp_of

VERSION = "cbt-terms/1"
MOST_DAYS = 730  # nobody sells further ahead than two years
LONGEST_NAME = 80
_BAHT = 100


class TermsProblem(StrEnum):
    """What terms can be refused for."""

    TEXT = "text"  # not a canonical text
    NAME = "name"  # empty, too long, or more than one plain line
    DAYS = "days"  # outside 0 to MOST_DAYS
    REFUND = "refund"  # outside 0 to the whole
    ORDER = "order"  # days do not fall from tier to tier
    RISING = "rising"  # a later cancellation would get more back
    DEPOSIT = "deposit"  # not between nothing and the whole, or the rest due after the start


@dataclass(frozen=True)
class Tier:
    """Who cancels at least so many days before the start gets so many basis points back."""

    days_before: int
    refund_bp: int


@dataclass(frozen=True)
class Deposit:
    """What is paid to book, in basis points of the price; the rest is due so many days before the
    start (0: on arrival).
    """

    bp: int
    days_before: int


@dataclass(frozen=True)
class Terms:
    """Tiers from the earliest cancellation to the latest; later than the last, nothing comes back.

    Without a deposit the whole price is paid to book.
    """

    name: str
    tiers: tuple[Tier, ...]
    deposit: Deposit | None = None


@dataclass(frozen=True)
class RefundQuote:
    """What a cancellation at one instant gives back and what is retained, in satang.

    The quote holds up to and including `until` (UTC); None: for good.
    """

    refund_satang: int
    retained_satang: int
    refund_bp: int
    until: datetime | None


FLOOR = (Tier(30, BP_WHOLE), Tier(15, BP_WHOLE // 2))
"""The least that rule LST-10 asks of anybody's terms."""

DEFAULT = Terms("CBT-Terms-1", FLOOR)
"""The terms of a community that has not written its own."""


def canonical(terms: Terms) -> str:
    """The text that is stored and frozen. Raises TermsInvalid for terms that cannot be."""
    for problem in _problems(terms):
        raise TermsInvalid(problem=problem)
    lines = [
        VERSION,
        f"name: {terms.name}",
        *(f"tier: {tier.days_before} {tier.refund_bp}" for tier in terms.tiers),
    ]
    if terms.deposit:
        lines.append(f"deposit: {terms.deposit.bp} {terms.deposit.days_before}")
    return "".join(line + "\n" for line in lines)


@lru_cache(maxsize=256)
def parse(text: str) -> Terms:
    """Read a canonical text. Raises TermsInvalid if it is not exactly one."""
    try:
        terms = _read(text)
    except ValueError:
        raise TermsInvalid(problem=TermsProblem.TEXT) from None
    if canonical(terms) != text:
        raise TermsInvalid(problem=TermsProblem.TEXT)
    return terms


def _read(text: str) -> Terms:
    first, name, *rest = text.splitlines()
    if first != VERSION:
        raise ValueError(first)
    deposit = None
    if rest and rest[-1].startswith("deposit: "):
        bp, days = rest.pop().removeprefix("deposit: ").split(" ")
        deposit = Deposit(int(bp), int(days))
    pairs = [line.removeprefix("tier: ").split(" ") for line in rest]
    tiers = tuple(Tier(int(days), int(refund)) for days, refund in pairs)
    return Terms(name.removeprefix("name: "), tiers, deposit)


def _problems(terms: Terms) -> Iterator[TermsProblem]:
    name, tiers = terms.name, terms.tiers
    if not 0 < len(name) <= LONGEST_NAME or name != name.strip() or not name.isprintable():
        yield TermsProblem.NAME
    if any(not 0 <= tier.days_before <= MOST_DAYS for tier in tiers):
        yield TermsProblem.DAYS
    if any(not 0 <= tier.refund_bp <= BP_WHOLE for tier in tiers):
        yield TermsProblem.REFUND
    if any(earlier.days_before <= later.days_before for earlier, later in pairwise(tiers)):
        yield TermsProblem.ORDER
    if any(earlier.refund_bp < later.refund_bp for earlier, later in pairwise(tiers)):
        yield TermsProblem.RISING
    if terms.deposit and not (
        0 < terms.deposit.bp < BP_WHOLE and 0 <= terms.deposit.days_before <= MOST_DAYS
    ):
        yield TermsProblem.DEPOSIT


def deposit_satang(terms: Terms, price_satang: int) -> int:
    """What is paid to book: the deposit, rounded up to whole baht, never above the price."""
    if terms.deposit is None:
        return price_satang
    parts = price_satang * terms.deposit.bp
    return min(price_satang, -(-parts // (BP_WHOLE * _BAHT)) * _BAHT)


def balance_due_at(terms: Terms, begins_at: datetime) -> datetime:
    """Until when the rest is to be paid, where a deposit was."""
    days = terms.deposit.days_before if terms.deposit else 0
    return begins_at - timedelta(days=days)


def meets_floor(terms: Terms) -> bool:
    """Whether no guest gets less back than rule LST-10 asks."""
    return all(_refund_bp(terms, least.days_before) >= least.refund_bp for least in FLOOR)


@dataclass(frozen=True)
class Kept:
    """What a cancellation exactly so many days before the start keeps of what was paid."""

    days_before: int
    refund_bp: int
    kept_satang: int


_LOOKED_AT = (30, 15, 10, 7, 3, 1, 0)


def preview(terms: Terms, paid_satang: int) -> list[Kept]:
    """What these terms keep of `paid_satang`, on the days that people ask about and at each step.

    The day after a step's last stands beside it, since that is where more is kept.
    """
    steps = {tier.days_before for tier in terms.tiers}
    days = {*_LOOKED_AT, *steps, *(each - 1 for each in steps if each)}
    begins_at = datetime(2000, 1, 1, tzinfo=UTC)  # whatever day: only the distance counts
    kept = []
    for each in sorted(days, reverse=True):
        quote = quote_refund(terms, paid_satang, begins_at, begins_at - timedelta(days=each))
        kept.append(Kept(each, quote.refund_bp, quote.retained_satang))
    return kept


def _refund_bp(terms: Terms, days_before: int) -> int:
    """What comes back for a cancellation exactly so many days before the start."""
    return next((tier.refund_bp for tier in terms.tiers if tier.days_before <= days_before), 0)


def quote_refund(
    terms: Terms,
    paid_satang: int,
    begins_at: datetime,
    now: datetime,
    *,
    by_community: bool = False,
) -> RefundQuote:
    """What a guest who paid `paid_satang` (>= 0) gets back for cancelling `now`.

    Exactly at a tier's boundary the tier still counts; once the departure has begun nothing comes
    back. Called off by the community (weather, too few guests) everything does, at any time. The
    refund rounds down to the satang and the rest is retained, so the two sum to what was paid.
    Both instants are aware. Raises AmountInvalid for less than nothing paid.
    """
    if paid_satang < 0:
        raise AmountInvalid(amount=paid_satang)
    if by_community:
        return RefundQuote(paid_satang, 0, BP_WHOLE, None)
    refund_bp, until = _tier_at(terms, _in_utc(begins_at), _in_utc(now))
    refund = bp_of(paid_satang, refund_bp)
    return RefundQuote(refund, paid_satang - refund, refund_bp, until)


def _tier_at(terms: Terms, begins_at: datetime, now: datetime) -> tuple[int, datetime | None]:
    """The refund in force, and the last instant at which it still is."""
    for tier in (*terms.tiers, Tier(0, 0)):
        until = begins_at - timedelta(days=tier.days_before)
        if now <= until:
            return tier.refund_bp, until
    return 0, None


def _in_utc(instant: datetime) -> datetime:
    """Two datetimes of one zone would be compared by their clocks, which repeat an hour a year."""
    assert instant.tzinfo is not None
    return instant.astimezone(UTC)
