"""What a party pays. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cbt.errors import PartyEmpty, PartyTooLarge, PartyTooSmall, UnitNotSold


class Unit(StrEnum):
    """Kinds of guests that a price can be for (the trade's OCTO names)."""

    ADULT = "ADULT"
    CHILD = "CHILD"
    INFANT = "INFANT"


class OutsideCost(StrEnum):
    """What a price can pass on to somebody outside the community."""

    INSURANCE = "insurance"
    PARK_FEE = "park_fee"
    MATERIALS = "materials"


@dataclass(frozen=True)
class UnitPrice:
    """Price of one guest in satang, and how many places that guest takes (on a lap: none)."""

    unit: Unit
    price_satang: int
    places: int
    min_age: int
    max_age: int | None


@dataclass(frozen=True)
class CostRate:
    """An outside cost that the price passes on, such as insurance: satang per guest or booking."""

    code: OutsideCost
    per_guest: bool
    amount_satang: int


@dataclass(frozen=True)
class PriceLine:
    unit: Unit
    quantity: int
    price_satang: int
    places: int

    @property
    def amount_satang(self) -> int:
        return self.quantity * self.price_satang


@dataclass(frozen=True)
class CostLine:
    code: OutsideCost
    amount_satang: int


@dataclass(frozen=True)
class Quote:
    """The price of a party: lines, what it passes on, and the places it takes."""

    lines: tuple[PriceLine, ...]
    costs: tuple[CostLine, ...]

    @property
    def price_satang(self) -> int:
        return sum(line.amount_satang for line in self.lines)

    @property
    def places(self) -> int:
        return sum(line.quantity * line.places for line in self.lines)

    @property
    def guests(self) -> int:
        return sum(line.quantity for line in self.lines)


def quote(
    party: Mapping[str, int],
    prices: Sequence[UnitPrice],
    costs: Sequence[CostRate],
    *,
    least: int,
    most: int,
) -> Quote:
    """Price a party: {unit: count}. Sizes count places, so lap children do not fill a boat.

    Raises UnitNotSold, PartyEmpty, PartyTooSmall or PartyTooLarge.
    """
    sold = {price.unit: price for price in prices}
    for unit, count in party.items():
        if count and unit not in sold:
            raise UnitNotSold(unit=unit)
        if count < 0:
            raise PartyEmpty
    lines = tuple(
        PriceLine(price.unit, party[price.unit], price.price_satang, price.places)
        for price in prices
        if party.get(price.unit)
    )
    guests = sum(line.quantity for line in lines)
    passed_on = tuple(
        CostLine(cost.code, cost.amount_satang * (guests if cost.per_guest else 1))
        for cost in costs
    )
    result = Quote(lines, passed_on)
    if result.places == 0 or result.price_satang == 0:  # infants do not travel alone
        raise PartyEmpty
    if result.places < least:
        raise PartyTooSmall(least=least)
    if result.places > most or guests > 2 * most:
        raise PartyTooLarge(most=most)
    return result
