"""What a guest's visit gave to the community's funds, and one thing that such a fund then paid for. Pure.

Nobody is named: a use is a line of the fund's public page, which folds kinds of few payments together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cbt.communities import chart
from cbt.ledger.entries import Draft
from cbt.revenue.fund_page import Line, Page, Sum
from cbt.revenue.policy import Bucket

_FUND = chart.fund("")


@dataclass(frozen=True)
class Use:
    """What a fund that a visit gave to was used for: one line of its public page."""

    fund: Bucket
    line: Sum


@dataclass(frozen=True)
class FollowUp:
    """What a visit gave to each fund, in satang, the most first; and a use of one of them since."""

    gifts: tuple[tuple[Bucket, int], ...]
    use: Use | None


def gifts_of(entries: Iterable[Draft]) -> tuple[tuple[Bucket, int], ...]:
    """What a booking's entries left in funds: its split, less what refunds took back afterwards."""
    given: dict[str, int] = {}
    for draft in entries:
        for leg in draft.legs:
            for account, amount in (
                (leg.target, leg.amount_satang),
                (leg.source, -leg.amount_satang),
            ):
                if account.startswith(_FUND):
                    fund = account.removeprefix(_FUND)
                    given[fund] = given.get(fund, 0) + amount
    order = list(chart.FUNDS)
    kept = [(Bucket(fund), amount) for fund, amount in given.items() if amount > 0]
    return tuple(sorted(kept, key=lambda each: (-each[1], order.index(each[0]))))


def use_of(gifts: Iterable[tuple[Bucket, int]], pages: Mapping[Bucket, Page]) -> Use | None:
    """The largest named use of the first fund, in the order of gifts, whose page shows one.

    `pages` are those of the funds that were used since the visit. What stands together as "other" is
    told only where no fund has a named use.
    """
    of_gifts = [
        Use(fund, line) for fund, _amount in gifts if fund in pages for line in _ranked(pages[fund])
    ]
    named = [each for each in of_gifts if each.line.kind not in _UNNAMED]
    others = [each for each in of_gifts if each.line.kind == Line.OTHER]
    found = named or others
    return found[0] if found else None


_UNNAMED = (Line.OTHER, Line.LOSSES, Line.LOANS_WAIVED)


def _ranked(page: Page) -> list[Sum]:
    return sorted(page.went_out, key=lambda each: (-each.amount_satang, str(each.kind)))
