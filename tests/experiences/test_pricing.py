"""What a party pays, and which parties are refused."""

from dataclasses import replace

import pytest

from cbt.errors import PartyEmpty, PartyTooLarge, PartyTooSmall, PriceListInvalid, UnitNotSold
from cbt.experiences.pricing import (
    CostRate,
    OutsideCost,
    PriceList,
    Unit,
    UnitPrice,
    quote,
    require_sellable,
)

PRICES = (
    UnitPrice(Unit.ADULT, 45_000, 1, 12, None),
    UnitPrice(Unit.CHILD, 22_550, 1, 4, 11),
    UnitPrice(Unit.INFANT, 0, 0, 0, 3),
)
COSTS = (CostRate(OutsideCost.INSURANCE, True, 2_000), CostRate(OutsideCost.PARK_FEE, False, 500))


def price(**party):
    return quote(party, PriceList(PRICES, COSTS, 2, 10))


def test_a_family_pays_the_sum_of_its_lines():
    family = price(ADULT=2, CHILD=3, INFANT=1)
    assert family.price_satang == 2 * 45_000 + 3 * 22_550
    assert family.places == 5
    assert [(line.unit, line.amount_satang) for line in family.lines] == [
        ("ADULT", 90_000),
        ("CHILD", 67_650),
        ("INFANT", 0),
    ]


def test_outside_costs_count_every_guest_or_the_booking_once():
    family = price(ADULT=2, CHILD=3, INFANT=1)
    assert [(cost.code, cost.amount_satang) for cost in family.costs] == [
        ("insurance", 6 * 2_000),
        ("park_fee", 500),
    ]


@pytest.mark.parametrize(
    ("party", "error"),
    [
        ({}, PartyEmpty),
        ({"ADULT": 0}, PartyEmpty),
        ({"ADULT": -1}, PartyEmpty),
        ({"ADULT": 3, "CHILD": -1}, PartyEmpty),
        ({"INFANT": 2}, PartyEmpty),
        ({"ADULT": 1}, PartyTooSmall),
        ({"ADULT": 11}, PartyTooLarge),
        ({"ADULT": 10**9}, PartyTooLarge),
        ({"ADULT": 2, "INFANT": 100}, PartyTooLarge),
        ({"SENIOR": 2}, UnitNotSold),
    ],
    ids=[
        *("empty", "zero", "negative", "negative-child", "infants-alone", "too-small"),
        *("too-large", "huge", "a-bus-of-infants", "unit-not-sold"),
    ],
)
def test_an_impossible_party_is_refused(party, error):
    with pytest.raises(error):
        price(**party)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"prices": PRICES[1:]}, "no price for adults"),
        ({"prices": (*PRICES, PRICES[0])}, "two prices for one kind of guest"),
        ({"prices": (replace(PRICES[0], price_satang=-1),)}, "a negative price"),
        (
            {"costs": (replace(COSTS[0], amount_satang=0),)},
            "an outside cost that is not above zero",
        ),
        ({"least": 0}, "no party fits"),
        ({"least": 11}, "no party fits"),
        ({"most": 13, "least": 13}, "no party fits"),
        ({"prices": (replace(PRICES[0], price_satang=0),)}, "the smallest party cannot be priced"),
        ({"prices": (replace(PRICES[0], price_satang=2_000),)}, "outside costs leave no income"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_price_list_that_could_not_be_sold_is_refused_by_name(changes, problem):
    good = PriceList(PRICES, COSTS, 2, 10)
    require_sellable(good, "morning", capacity=12)
    with pytest.raises(PriceListInvalid) as refused:
        require_sellable(replace(good, **changes), "morning", capacity=12)
    assert refused.value.facts == {"option": "morning", "problem": problem}
