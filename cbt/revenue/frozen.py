"""Whose shares a dispute touches after the money was shared out: a part of each. Pure.

Nothing is taken back by this: payouts hold these parts until the dispute is decided.
"""

from collections.abc import Mapping, Sequence

from cbt.communities import chart
from cbt.revenue.posting import BookingFacts, SharingFacts, account_of, share_out, split_booking
from cbt.revenue.split import PartKind

_HELD = (PartKind.BUCKET, PartKind.PREPARATION)


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
        if account != chart.PROVIDER_POOL:
            shares[account] = shares.get(account, 0) + part.amount_satang
            continue
        of = _prepared(sharing) if part.kind == PartKind.PREPARATION else _worked(booking, sharing)
        for code, share in frozen_parts(part.amount_satang, of).items():
            account = chart.household(code)
            shares[account] = shares.get(account, 0) + share
    return shares


def _worked(booking: BookingFacts, sharing: SharingFacts) -> Mapping[str, int]:
    """What each household got out of the pool that this booking's money went into."""
    pools = [parts for policy, parts in share_out(sharing) if policy == booking.policy]
    return pools[0] if pools else {}


def _prepared(sharing: SharingFacts) -> dict[str, int]:
    return dict(sharing.prepared)


def add_up(frozen: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """What is held of each account altogether."""
    total: dict[str, int] = {}
    for each in frozen:
        for account, part in each.items():
            total[account] = total.get(account, 0) + part
    return total
