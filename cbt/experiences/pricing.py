"""What a party pays. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cbt.errors import (
    Invalid,
    PartyEmpty,
    PartyTooLarge,
    PartyTooSmall,
    PriceListInvalid,
    UnitNotSold,
)


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
class PriceList:
    """What an option charges, and for parties of which size in places: lap children fill no boat."""

    prices: tuple[UnitPrice, ...]
    costs: tuple[CostRate, ...]
    least: int
    most: int


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


def quote(party: Mapping[str, int], price_list: PriceList) -> Quote:
    """Price a party: {unit: count}. Raises UnitNotSold, PartyEmpty, PartyTooSmall or PartyTooLarge."""
    sold = {price.unit: price for price in price_list.prices}
    for unit, count in party.items():
        if count and unit not in sold:
            raise UnitNotSold(unit=unit)
        if count < 0:
            raise PartyEmpty
    lines = tuple(
        PriceLine(price.unit, party[price.unit], price.price_satang, price.places)
        for price in price_list.prices
        if party.get(price.unit)
    )
    guests = sum(line.quantity for line in lines)
    passed_on = tuple(
        CostLine(cost.code, cost.amount_satang * (guests if cost.per_guest else 1))
        for cost in price_list.costs
    )
    result = Quote(lines, passed_on)
    if result.places == 0 or result.price_satang == 0:  # infants do not travel alone
        raise PartyEmpty
    if result.places < price_list.least:
        raise PartyTooSmall(least=price_list.least)
    if result.places > price_list.most or guests > 2 * price_list.most:
        raise PartyTooLarge(most=price_list.most)
    return result


def require_sellable(price_list: PriceList, option: str, *, capacity: int) -> None:
    """Raise PriceListInvalid unless the smallest party of adults can book and leaves an income."""
    for problem in _problems(price_list, capacity):
        raise PriceListInvalid(option=option, problem=problem)


def _problems(price_list: PriceList, capacity: int) -> Iterator[str]:
    units = [price.unit for price in price_list.prices]
    if Unit.ADULT not in units:
        yield "no price for adults"
    if len(units) != len(set(units)):
        yield "two prices for one kind of guest"
    if any(price.price_satang < 0 or price.places < 0 for price in price_list.prices):
        yield "a negative price"
    if any(cost.amount_satang <= 0 for cost in price_list.costs):
        yield "an outside cost that is not above zero"
    if not 1 <= price_list.least <= min(price_list.most, capacity):
        yield "no party fits"
    try:
        smallest = quote({Unit.ADULT: price_list.least}, price_list)
    except Invalid:
        yield "the smallest party cannot be priced"
    else:
        if smallest.price_satang <= sum(cost.amount_satang for cost in smallest.costs):
            yield "outside costs leave no income"
