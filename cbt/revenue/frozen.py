"""Whose shares a dispute touches after the money was shared out: a part of each. Pure.

Nothing is taken back by this: payouts hold these parts until the dispute is decided.
"""

from collections.abc import Mapping, Sequence

from cbt.communities import chart
from cbt.revenue.posting import (
    BookingFacts,
    SharingFacts,
    account_of,
    share_dividends,
    share_out,
    split_booking,
)
from cbt.revenue.split import Part, PartKind

_HELD = (PartKind.FIXED, PartKind.BUCKET, PartKind.PREPARATION)


def frozen_parts(amount_satang: int, shares: Mapping[str, int]) -> dict[str, int]:
    """Divide `amount_satang` (>= 0) among ledger accounts in proportion to what each got (>= 0).

    Each exact part is rounded down and the satang left over go to the largest remainders, ties to
    the account named first. At most what all of them got, and from none more than it got.
    """
    whole = sum(shares.values())
    amount = min(amount_satang, whole)
    if not amount:
        return {}
    parts = {code: amount * share // whole for code, share in shares.items()}
    order = sorted(shares, key=lambda code: -(amount * shares[code] % whole))
    for code in order[: amount - sum(parts.values())]:
        parts[code] += 1
    return {code: part for code, part in parts.items() if part}


def shares_of(booking: BookingFacts, sharing: SharingFacts) -> dict[str, int]:
    """What a booking's split gave to each fund and, through the departure's pool, each household.

    Outside costs and fees are paid to others and can be held back from nobody here.
    """
    shares: dict[str, int] = {}
    for part in split_booking(booking):
        if part.kind not in _HELD or not part.amount_satang:
            continue
        account = account_of(part)
        for held, amount in _of(account, part, booking, sharing).items():
            shares[held] = shares.get(held, 0) + amount
    return shares


def _of(
    account: str, part: Part, booking: BookingFacts, sharing: SharingFacts
) -> Mapping[str, int]:
    """By account, what a part of the split became: as much in its fund, or parts of a pool."""
    if part.kind == PartKind.PREPARATION:
        return frozen_parts(part.amount_satang, _accounts(dict(sharing.prepared)))
    if account == chart.PROVIDER_POOL:
        return frozen_parts(part.amount_satang, _worked(booking, sharing))
    if account == chart.DIVIDEND_POOL:
        return frozen_parts(part.amount_satang, _owned(booking, sharing))
    return {account: part.amount_satang}


def _worked(booking: BookingFacts, sharing: SharingFacts) -> Mapping[str, int]:
    """By account, what the pool that this booking's money went into became."""
    for policy, shared in share_out(sharing):
        if policy == booking.policy:
            return {**_accounts(shared.parts), chart.fund(shared.surplus): shared.surplus_satang}
    return {}


def _owned(booking: BookingFacts, sharing: SharingFacts) -> Mapping[str, int]:
    """By account, what the dividend that this booking's money went into became."""
    for dividend in share_dividends(sharing):
        if dividend.policy == booking.policy:
            return _accounts(dividend.parts)
    return {}


def _accounts(parts: Mapping[str, int]) -> dict[str, int]:
    return {chart.household(code): amount for code, amount in parts.items()}


def add_up(frozen: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """What is held of each account altogether."""
    total: dict[str, int] = {}
    for each in frozen:
        for account, part in each.items():
            total[account] = total.get(account, 0) + part
    return total
