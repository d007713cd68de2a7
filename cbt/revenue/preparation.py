"""Who had prepared for guests who then cancelled, and what is paid for it. Pure.

What households bought or prepared is paid first out of what the cancellations left, before any
fund: the cook who shopped at dawn does not bear a guest's change of mind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cbt.revenue.sharing import share


@dataclass(frozen=True)
class Allotment:
    """How much of each cancelled booking goes into preparation, and what each household gets."""

    by_booking: tuple[int, ...]
    by_household: dict[str, int]


def allot(
    costs: Mapping[str, int], available: Sequence[int], register: Sequence[str], turn: int
) -> Allotment:
    """Pay `costs` (household: satang) out of what cancelled bookings left (>= 0 satang each).

    The bookings are drawn on in their order. Where they leave too little, households get their
    costs' shares by the largest remainder, ties in the community's turn. Both sides sum to the same:
    all costs, or all that was left. Raises what `sharing.share` raises.
    """
    total = min(sum(costs.values()), sum(available))
    by_booking = []
    left = total
    for amount in available:
        part = min(left, amount)
        by_booking.append(part)
        left -= part
    if not total:
        return Allotment(tuple(by_booking), {})
    parts = share(total, costs, register, turn)
    return Allotment(tuple(by_booking), {code: parts[code] for code in register if parts.get(code)})
