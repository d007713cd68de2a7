"""Which part of a waiting party fits into the free places. Pure."""

from collections.abc import Mapping

from cbt.errors import Invalid
from cbt.experiences.pricing import PriceList, quote, require_pays_costs


def fit(
    party: Mapping[str, int], price_list: PriceList, free: int, least: int
) -> dict[str, int] | None:
    """The whole party where it fits, else the largest part of at least `least` places, else None.

    A part leaves out one guest after another of the kind of which most would come, so that a family
    keeps each kind as long as it can. A part that could not be booked on its own is no part.
    """
    wanted = {unit: count for unit, count in party.items() if count > 0}
    while wanted:
        places = _places(wanted, price_list)
        if places is None or places < least:
            return None
        if places <= free:
            return wanted
        largest = max(wanted, key=lambda unit: (wanted[unit], unit))
        wanted[largest] -= 1
        wanted = {unit: count for unit, count in wanted.items() if count}
    return None


def _places(party: Mapping[str, int], price_list: PriceList) -> int | None:
    try:
        price = quote(party, price_list)
        require_pays_costs(price)
        return price.places
    except Invalid:
        return None
