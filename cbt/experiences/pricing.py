"""What a party pays. Pure; worked numbers in docs/algorithms/pricing.md."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from cbt.errors import (
    AddOnTooMany,
    AddOnUnknown,
    AmountInvalid,
    Invalid,
    PartyBelowCosts,
    PartyEmpty,
    PartyTooLarge,
    PartyTooSmall,
    PriceListInvalid,
    UnitNeedsCompany,
    UnitNotSold,
)
from cbt.money import BP_WHOLE, bp_of


class Unit(StrEnum):
    """Kinds of guests that a price can be for (the trade's OCTO names)."""

    ADULT = "ADULT"
    YOUTH = "YOUTH"
    CHILD = "CHILD"
    INFANT = "INFANT"
    SENIOR = "SENIOR"
    STUDENT = "STUDENT"
    FAMILY = "FAMILY"
    GROUP = "GROUP"


MINORS = frozenset({Unit.YOUTH, Unit.CHILD, Unit.INFANT})
SEVERAL = frozenset({Unit.FAMILY, Unit.GROUP})  # one unit of these is as many guests as places


class OutsideCost(StrEnum):
    """What a price can pass on to somebody outside the community."""

    INSURANCE = "insurance"
    PARK_FEE = "park_fee"
    MATERIALS = "materials"


# who pays for a discount: everybody by a lower income, or one bucket of the split alone
BEARERS = ("group", "provider", "mgmt", "welfare", "conserve", "develop", "revolve")


# --- what is charged -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Another price in satang, once the whole party takes at least so many places."""

    from_places: int
    price_satang: int


@dataclass(frozen=True)
class UnitPrice:
    """Price of one guest in satang, and how many places that guest takes (on a lap: none).

    A family or group is a unit of several places. `needs`: comes only together with one of these.
    """

    unit: Unit
    price_satang: int
    places: int
    min_age: int
    max_age: int | None
    needs: tuple[Unit, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class GroupRate:
    """Price in satang of each boat or house of `seats` places that the party needs."""

    seats: int
    price_satang: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class AddOn:
    """Something extra: satang each, up to `most` a booking; or once for every guest of the party."""

    code: str
    price_satang: int
    per_guest: bool
    most: int

    @property
    def limit(self) -> int:
        return 1 if self.per_guest else self.most


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
    per_group: GroupRate | None = None
    add_ons: tuple[AddOn, ...] = ()


@dataclass(frozen=True)
class SeasonPrices:
    """Prices in satang from one day to another, both included; what is not named stays as it is."""

    code: str
    first_on: date
    last_on: date
    prices: Mapping[Unit, int]
    group_satang: int | None = None


@dataclass(frozen=True)
class Discount:
    """What a promotion code takes off, as a share or in satang, and who pays for it (BEARERS).

    Raises AmountInvalid unless exactly one of both is above zero and the share at most the whole.
    """

    code: str
    bp: int
    amount_satang: int
    bearer: str

    def __post_init__(self) -> None:
        if self.bearer not in BEARERS:
            raise ValueError(f"nobody bears this discount: {self.bearer}")
        low, high = sorted((self.bp, self.amount_satang))
        if low != 0 or high == 0:
            raise AmountInvalid(amount=self.amount_satang)
        if self.bp > BP_WHOLE:
            raise AmountInvalid(amount=self.bp)


# --- what a party is told ------------------------------------------------------------------------


@dataclass(frozen=True)
class PriceLine:
    unit: Unit
    quantity: int
    price_satang: int
    places: int

    @property
    def amount_satang(self) -> int:
        return self.quantity * self.price_satang

    @property
    def guests(self) -> int:
        """A family counts all its places; a hired boat takes no place and is nobody."""
        return self.quantity * (self.places if self.unit in SEVERAL else 1)


@dataclass(frozen=True)
class AddOnLine:
    code: str
    quantity: int
    price_satang: int

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
    add_ons: tuple[AddOnLine, ...] = ()
    discount_satang: int = 0

    @property
    def gross_satang(self) -> int:
        """Before the discount."""
        lines = sum(line.amount_satang for line in self.lines)
        return lines + sum(line.amount_satang for line in self.add_ons)

    @property
    def price_satang(self) -> int:
        return self.gross_satang - self.discount_satang

    @property
    def costs_satang(self) -> int:
        return sum(cost.amount_satang for cost in self.costs)

    @property
    def places(self) -> int:
        return sum(line.quantity * line.places for line in self.lines)

    @property
    def guests(self) -> int:
        return sum(line.guests for line in self.lines)


NO_ADD_ONS: Mapping[str, int] = MappingProxyType({})


def quote(
    party: Mapping[str, int],
    price_list: PriceList,
    add_ons: Mapping[str, int] = NO_ADD_ONS,
    discount: Discount | None = None,
) -> Quote:
    """Price a party {unit: count} with add-ons {code: count}, in any order of either.

    Raises UnitNotSold, PartyEmpty, UnitNeedsCompany, PartyTooSmall, PartyTooLarge, AddOnUnknown
    or AddOnTooMany. A discount never leaves less than the outside costs and a satang.
    """
    _require_sold(party, price_list)
    bare = Quote(_lines(party, price_list), ())
    _require_size(bare, price_list)
    full = Quote(
        bare.lines,
        tuple(
            CostLine(cost.code, cost.amount_satang * (bare.guests if cost.per_guest else 1))
            for cost in price_list.costs
        ),
        _add_on_lines(add_ons, price_list, bare.guests),
    )
    return replace(full, discount_satang=_discount_satang(discount, full)) if discount else full


def require_pays_costs(price: Quote) -> None:
    """Raise PartyBelowCosts for a party that would not even pay what goes outside for it."""
    if price.costs_satang >= price.price_satang:
        raise PartyBelowCosts(price_satang=price.price_satang, costs_satang=price.costs_satang)


def _require_sold(party: Mapping[str, int], price_list: PriceList) -> None:
    sold = {price.unit for price in price_list.prices}
    for unit in sorted(unit for unit, count in party.items() if count and unit not in sold):
        raise UnitNotSold(unit=unit)
    if any(count < 0 for count in party.values()):
        raise PartyEmpty
    for price in price_list.prices:
        if party.get(price.unit) and price.needs and not any(map(party.get, price.needs)):
            raise UnitNeedsCompany(unit=price.unit, needs=price.needs)


def _lines(party: Mapping[str, int], price_list: PriceList) -> tuple[PriceLine, ...]:
    places = sum(party.get(price.unit, 0) * price.places for price in price_list.prices)
    lines = [
        PriceLine(
            price.unit,
            party[price.unit],
            _at_size(price.price_satang, price.steps, places),
            price.places,
        )
        for price in price_list.prices
        if party.get(price.unit)
    ]
    if rate := price_list.per_group:
        number = -(-places // rate.seats)  # rounded up: the last boat need not be full
        each = _at_size(rate.price_satang, rate.steps, places)
        lines.append(PriceLine(Unit.GROUP, number, each, 0))
    return tuple(lines)


def _at_size(price_satang: int, steps: Sequence[Step], places: int) -> int:
    reached = [step for step in steps if step.from_places <= places]
    if not reached:
        return price_satang
    return max(reached, key=lambda step: step.from_places).price_satang


def _require_size(party: Quote, price_list: PriceList) -> None:
    if party.places == 0 or party.price_satang == 0:  # infants do not travel alone
        raise PartyEmpty
    if party.places < price_list.least:
        raise PartyTooSmall(least=price_list.least)
    if party.places > price_list.most or party.guests > 2 * price_list.most:
        raise PartyTooLarge(most=price_list.most)


def _add_on_lines(
    wanted: Mapping[str, int], price_list: PriceList, guests: int
) -> tuple[AddOnLine, ...]:
    sold = {add_on.code for add_on in price_list.add_ons}
    for code in sorted(code for code, count in wanted.items() if count and code not in sold):
        raise AddOnUnknown(add_on=code)
    lines = []
    for add_on in price_list.add_ons:
        count = wanted.get(add_on.code, 0)
        if not 0 <= count <= add_on.limit:
            raise AddOnTooMany(add_on=add_on.code, most=add_on.limit)
        if count:
            quantity = guests if add_on.per_guest else count
            lines.append(AddOnLine(add_on.code, quantity, add_on.price_satang))
    return tuple(lines)


def _discount_satang(discount: Discount, price: Quote) -> int:
    gross = price.gross_satang
    wanted = bp_of(gross, discount.bp) if discount.bp else discount.amount_satang
    return max(0, min(wanted, gross - price.costs_satang - 1))


# --- seasons -------------------------------------------------------------------------------------


def in_season(price_list: PriceList, seasons: Sequence[SeasonPrices], on: date) -> PriceList:
    """The price list of one day. The shortest season that covers it wins, of equals the last listed.

    A season's price holds for every size of party: the steps it replaces do not apply.
    """
    covering = [season for season in reversed(seasons) if season.first_on <= on <= season.last_on]
    if not covering:
        return price_list
    return _with_season(price_list, min(covering, key=lambda each: each.last_on - each.first_on))


def _with_season(price_list: PriceList, season: SeasonPrices) -> PriceList:
    prices = tuple(
        replace(price, price_satang=season.prices[price.unit], steps=())
        if price.unit in season.prices
        else price
        for price in price_list.prices
    )
    rate = price_list.per_group
    if rate and season.group_satang is not None:
        rate = replace(rate, price_satang=season.group_satang, steps=())
    return replace(price_list, prices=prices, per_group=rate)


# --- what may be sold ----------------------------------------------------------------------------


def require_sellable(price_list: PriceList, option: str, *, capacity: int) -> None:
    """Raise PriceListInvalid unless parties can book and leave an income, whatever their size.

    They are tried with adults, or with the first kind of guest that can come alone.
    """
    for problem in _problems(price_list, capacity):
        raise PriceListInvalid(option=option, problem=problem)


def require_seasons(seasons: Sequence[SeasonPrices], price_list: PriceList, option: str) -> None:
    """Raise PriceListInvalid unless each season can be, and the list can be sold in it."""
    codes = [season.code for season in seasons]
    if len(codes) != len(set(codes)):
        raise PriceListInvalid(option=option, problem="two seasons of one code")
    for season in seasons:
        for problem in _season_problems(season, price_list):
            raise PriceListInvalid(option=option, problem=f"{season.code}: {problem}")


def _season_problems(season: SeasonPrices, price_list: PriceList) -> Iterator[str]:
    if season.first_on > season.last_on:
        yield "the season ends before it begins"
    if not season.prices and season.group_satang is None:
        yield "a season without a price"
    if season.prices.keys() - {price.unit for price in price_list.prices}:
        yield "a price for somebody who is not sold"
    if season.group_satang is not None and price_list.per_group is None:
        yield "a price per group where none is sold"
    yield from _problems(_with_season(price_list, season), price_list.most)


def _problems(price_list: PriceList, capacity: int) -> Iterator[str]:
    yield from _unit_problems(price_list)
    yield from _needs_problems(price_list.prices)
    yield from _steps_problems(price.steps for price in price_list.prices)
    if price_list.per_group:
        yield from _group_problems(price_list.per_group)
    yield from _add_on_problems(price_list.add_ons)
    if any(cost.amount_satang <= 0 for cost in price_list.costs):
        yield "an outside cost that is not above zero"
    if not 1 <= price_list.least <= min(price_list.most, capacity):
        yield "no party fits"
    yield from _income_problems(price_list, min(price_list.most, capacity))


def _unit_problems(price_list: PriceList) -> Iterator[str]:
    units = [price.unit for price in price_list.prices]
    if not price_list.per_group and MINORS.issuperset(units):
        yield "no price for adults"
    if len(units) != len(set(units)):
        yield "two prices for one kind of guest"
    if price_list.per_group and Unit.GROUP in units:
        yield "two prices for a group"
    if any(price.price_satang < 0 or price.places < 0 for price in price_list.prices):
        yield "a negative price"
    if any(price.unit in SEVERAL and price.places == 0 for price in price_list.prices):
        yield "a family or group that takes no place"


def _needs_problems(prices: Sequence[UnitPrice]) -> Iterator[str]:
    sold = {price.unit for price in prices}
    if any(price.unit in price.needs for price in prices):
        yield "a kind of guest that needs itself"
    if any(sold.isdisjoint(price.needs) for price in prices if price.needs):
        yield "a kind of guest that needs somebody who is not sold"


def _steps_problems(ladders: Iterable[Sequence[Step]]) -> Iterator[str]:
    for steps in ladders:
        sizes = [step.from_places for step in steps]
        if sizes != sorted(set(sizes)) or any(size < 1 for size in sizes):
            yield "steps that do not rise"
        if any(step.price_satang < 0 for step in steps):
            yield "a negative price"


def _group_problems(rate: GroupRate) -> Iterator[str]:
    if rate.seats < 1:
        yield "a price per group without seats"
    if rate.price_satang <= 0 or any(step.price_satang <= 0 for step in rate.steps):
        yield "a price per group that is not above zero"
    yield from _steps_problems([rate.steps])


def _add_on_problems(add_ons: Sequence[AddOn]) -> Iterator[str]:
    if len(add_ons) != len({add_on.code for add_on in add_ons}):
        yield "two add-ons of one code"
    if any(add_on.most < 1 for add_on in add_ons):
        yield "an add-on that nobody can take"
    if any(add_on.price_satang < 0 for add_on in add_ons):
        yield "a negative price"


def _income_problems(price_list: PriceList, most: int) -> Iterator[str]:
    incomes = [_income_satang(party, price_list) for party in _lone_parties(price_list, most)]
    if not incomes or incomes[0] is None:
        yield "the smallest party cannot be priced"
    if None in incomes:
        yield "a larger party cannot be priced"
    if any(income is not None and income <= 0 for income in incomes):
        yield "outside costs leave no income"


def _lone_parties(price_list: PriceList, most: int) -> list[dict[str, int]]:
    """Every party of one kind of guest alone: adults, or the first kind that can make it up."""
    for price in sorted(price_list.prices, key=lambda price: price.unit != Unit.ADULT):
        if price.places and not price.needs:
            counts = range(-(-price_list.least // price.places), most // price.places + 1)
            if counts:
                return [{price.unit: count} for count in counts]
    return []


def _income_satang(party: Mapping[str, int], price_list: PriceList) -> int | None:
    try:
        priced = quote(party, price_list)
    except Invalid:
        return None
    return priced.price_satang - priced.costs_satang
