"""What a party pays, and which parties are refused."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import (
    AddOnTooMany,
    AddOnUnknown,
    AmountInvalid,
    PartyBelowCosts,
    PartyEmpty,
    PartyTooLarge,
    PartyTooSmall,
    PriceListInvalid,
    UnitNeedsCompany,
    UnitNotSold,
)
from cbt.experiences.pricing import (
    BEARERS,
    AddOn,
    CostRate,
    Discount,
    GroupRate,
    OutsideCost,
    PriceList,
    SeasonPrices,
    Step,
    Unit,
    UnitPrice,
    in_season,
    quote,
    require_pays_costs,
    require_seasons,
    require_sellable,
)
from cbt.revenue.policy import ALWAYS

PRICES = (
    UnitPrice(Unit.ADULT, 45_000, 1, 12, None),
    UnitPrice(Unit.CHILD, 22_550, 1, 4, 11),
    UnitPrice(Unit.INFANT, 0, 0, 0, 3),
)
COSTS = (CostRate(OutsideCost.INSURANCE, True, 2_000), CostRate(OutsideCost.PARK_FEE, False, 500))
LUNCH = AddOn("lunch", 12_000, True, 9)
KAYAK = AddOn("kayak", 30_000, False, 3)
TOGETHER = (
    PRICES[0],
    replace(PRICES[1], needs=(Unit.ADULT, Unit.SENIOR)),
    UnitPrice(Unit.SENIOR, 40_000, 1, 60, None),
)
STEPPED = (
    replace(PRICES[0], steps=(Step(4, 40_000), Step(8, 35_000))),
    *PRICES[1:],
)
FAMILY = UnitPrice(Unit.FAMILY, 120_000, 4, 0, None)
CHARTER = UnitPrice(Unit.GROUP, 300_000, 8, 0, None)
FREE = tuple(replace(each, price_satang=0) for each in PRICES)
BOAT = GroupRate(6, 150_000, (Step(13, 140_000),))
HIRED = PriceList(FREE, COSTS, 2, 20, per_group=BOAT)
EXTRAS = PriceList(PRICES, COSTS, 2, 10, add_ons=(LUNCH, KAYAK))


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
        ({"prices": (*PRICES, CHARTER), "per_group": BOAT}, "two prices for a group"),
        ({"prices": (replace(FAMILY, places=0),)}, "a family or group that takes no place"),
        (
            {"prices": (replace(PRICES[0], needs=(Unit.ADULT,)),)},
            "a kind of guest that needs itself",
        ),
        (
            {"prices": (PRICES[0], replace(PRICES[1], needs=(Unit.SENIOR,)))},
            "a kind of guest that needs somebody who is not sold",
        ),
        (
            {"prices": (replace(PRICES[0], steps=(Step(4, 40_000), Step(4, 30_000))),)},
            "steps that do not rise",
        ),
        (
            {"prices": (replace(PRICES[0], steps=(Step(8, 40_000), Step(4, 30_000))),)},
            "steps that do not rise",
        ),
        ({"prices": (replace(PRICES[0], steps=(Step(0, 40_000),)),)}, "steps that do not rise"),
        ({"prices": (replace(PRICES[0], steps=(Step(4, -1),)),)}, "a negative price"),
        ({"per_group": replace(BOAT, seats=0)}, "a price per group without seats"),
        (
            {"per_group": replace(BOAT, price_satang=0)},
            "a price per group that is not above zero",
        ),
        (
            {"per_group": replace(BOAT, steps=(Step(4, 0),))},
            "a price per group that is not above zero",
        ),
        ({"per_group": replace(BOAT, steps=(Step(-1, 1),))}, "steps that do not rise"),
        ({"add_ons": (LUNCH, replace(KAYAK, code="lunch"))}, "two add-ons of one code"),
        ({"add_ons": (replace(KAYAK, most=0),)}, "an add-on that nobody can take"),
        ({"add_ons": (replace(KAYAK, price_satang=-1),)}, "a negative price"),
        ({"prices": (replace(PRICES[0], price_satang=-1),)}, "a negative price"),
        (
            {"costs": (replace(COSTS[0], amount_satang=0),)},
            "an outside cost that is not above zero",
        ),
        ({"least": 0}, "no party fits"),
        ({"least": 11}, "no party fits"),
        ({"most": 13, "least": 13}, "no party fits"),
        ({"prices": (replace(PRICES[0], price_satang=0),)}, "the smallest party cannot be priced"),
        (
            {"prices": (CHARTER,), "least": 2, "most": 7},
            "the smallest party cannot be priced",
        ),
        (
            {"prices": (replace(PRICES[0], steps=(Step(9, 0),)),)},
            "a larger party cannot be priced",
        ),
        ({"prices": (replace(PRICES[0], price_satang=2_000),)}, "outside costs leave no income"),
        (
            {"prices": (replace(PRICES[0], steps=(Step(10, 2_000),)),)},
            "outside costs leave no income",
        ),
        (
            {"prices": FREE, "per_group": GroupRate(10, 20_500)},
            "outside costs leave no income",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_price_list_that_could_not_be_sold_is_refused_by_name(changes, problem):
    good = PriceList(PRICES, COSTS, 2, 10)
    require_sellable(good, "morning", capacity=12)
    with pytest.raises(PriceListInvalid) as refused:
        require_sellable(replace(good, **changes), "morning", capacity=12)
    assert refused.value.facts == {"option": "morning", "problem": problem}


@pytest.mark.parametrize(
    "changes",
    [
        {"prices": (FAMILY,)},
        {"prices": (CHARTER,)},
        {"prices": (PRICES[1], FAMILY)},
        {"prices": (UnitPrice(Unit.STUDENT, 30_000, 1, 12, None),)},
        {"prices": FREE, "per_group": BOAT},
        {"prices": FREE[1:], "per_group": BOAT},
        {"prices": TOGETHER},
        {"prices": (replace(PRICES[0], needs=(Unit.SENIOR,)), *TOGETHER[1:])},
        {"prices": STEPPED, "add_ons": (LUNCH, KAYAK)},
    ],
    ids=[
        *("family", "charter", "family-and-child", "students", "boat", "boat-for-children"),
        *("together", "adults-with-seniors", "stepped-with-extras"),
    ],
)
def test_a_list_can_be_sold_without_a_price_for_adults_alone(changes):
    require_sellable(replace(PriceList(PRICES, COSTS, 2, 10), **changes), "morning", capacity=12)


# --- kinds of guests -----------------------------------------------------------------------------


def test_a_family_counts_as_its_places_in_seats_and_in_outside_costs():
    together = quote({"FAMILY": 2, "ADULT": 1}, PriceList((*PRICES, FAMILY), COSTS, 2, 10))
    assert together.price_satang == 2 * 120_000 + 45_000
    assert together.places == together.guests == 9
    assert together.costs[0].amount_satang == 9 * 2_000


@pytest.mark.parametrize("company", [{"ADULT": 1}, {"SENIOR": 1}, {"ADULT": 1, "SENIOR": 1}])
def test_a_child_comes_with_any_one_of_those_it_needs(company):
    assert quote({"CHILD": 1, **company}, PriceList(TOGETHER, (), 2, 10)).guests >= 2


@pytest.mark.parametrize("company", [{}, {"ADULT": 0}, {"ADULT": 0, "SENIOR": 0}])
def test_a_child_alone_is_refused_where_it_needs_company(company):
    with pytest.raises(UnitNeedsCompany) as refused:
        quote({"CHILD": 2, **company}, PriceList(TOGETHER, (), 2, 10))
    assert refused.value.facts == {"unit": Unit.CHILD, "needs": (Unit.ADULT, Unit.SENIOR)}


# --- steps and groups ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("party", "each"),
    [
        pytest.param({"ADULT": 3}, 45_000, id="below"),
        pytest.param({"ADULT": 4}, 40_000, id="reached"),
        pytest.param({"ADULT": 2, "CHILD": 2}, 40_000, id="children-count"),
        pytest.param({"ADULT": 3, "INFANT": 3}, 45_000, id="laps-do-not"),
        pytest.param({"ADULT": 7}, 40_000, id="before-the-next"),
        pytest.param({"ADULT": 8}, 35_000, id="the-largest-reached"),
    ],
)
def test_a_step_is_reached_by_the_places_of_the_whole_party(party, each):
    assert quote(party, PriceList(STEPPED, (), 2, 10)).lines[0].price_satang == each


@pytest.mark.parametrize(
    ("party", "boats", "price"),
    [
        pytest.param({"ADULT": 2}, 1, 150_000, id="one-boat-half-empty"),
        pytest.param({"ADULT": 4, "CHILD": 2, "INFANT": 2}, 1, 150_000, id="laps-need-no-seat"),
        pytest.param({"ADULT": 7}, 2, 300_000, id="one-more-guest-one-more-boat"),
        pytest.param({"ADULT": 12}, 2, 300_000, id="full"),
        pytest.param({"ADULT": 13}, 3, 420_000, id="stepped"),
    ],
)
def test_a_party_hires_as_many_boats_as_it_needs(party, boats, price):
    hired = quote(party, HIRED)
    assert (hired.lines[-1].unit, hired.lines[-1].quantity) == (Unit.GROUP, boats)
    assert hired.price_satang == price


def test_a_hired_boat_is_no_guest_and_takes_no_place():
    hired = quote({"ADULT": 7, "INFANT": 1}, HIRED)
    assert (hired.places, hired.guests) == (7, 8)
    assert hired.costs[0].amount_satang == 8 * 2_000


def test_a_boat_and_a_price_a_head_add_up():
    both = quote({"ADULT": 3}, replace(HIRED, prices=PRICES))
    assert both.price_satang == 3 * 45_000 + 150_000


@pytest.mark.parametrize(
    ("party", "error"),
    [
        ({}, PartyEmpty),
        ({"INFANT": 3}, PartyEmpty),
        ({"ADULT": 1}, PartyTooSmall),
        ({"ADULT": 10**9}, PartyTooLarge),
        ({"GROUP": 1}, UnitNotSold),
    ],
    ids=["empty", "infants-alone", "too-small", "huge", "a-boat-without-guests"],
)
def test_a_hired_boat_does_not_let_an_impossible_party_in(party, error):
    with pytest.raises(error):
        quote(party, HIRED)


# --- add-ons -------------------------------------------------------------------------------------


def test_add_ons_are_charged_each_or_for_every_guest():
    extras = quote({"ADULT": 2, "INFANT": 1}, EXTRAS, {"lunch": 1, "kayak": 2})
    assert [(line.code, line.quantity, line.amount_satang) for line in extras.add_ons] == [
        ("lunch", 3, 36_000),
        ("kayak", 2, 60_000),
    ]
    assert extras.gross_satang == extras.price_satang == 90_000 + 36_000 + 60_000


def test_an_add_on_not_taken_has_no_line():
    assert quote({"ADULT": 2}, EXTRAS, {"lunch": 0, "gone": 0}) == quote({"ADULT": 2}, EXTRAS)


@pytest.mark.parametrize(
    ("add_ons", "error", "facts"),
    [
        ({"sauna": 1}, AddOnUnknown, {"add_on": "sauna"}),
        ({"sauna": -1}, AddOnUnknown, {"add_on": "sauna"}),
        ({"kayak": 4}, AddOnTooMany, {"add_on": "kayak", "most": 3}),
        ({"kayak": -1}, AddOnTooMany, {"add_on": "kayak", "most": 3}),
        ({"lunch": 2}, AddOnTooMany, {"add_on": "lunch", "most": 1}),
    ],
    ids=["unknown", "unknown-negative", "too-many", "negative", "twice-for-everybody"],
)
def test_an_impossible_add_on_is_refused(add_ons, error, facts):
    with pytest.raises(error) as refused:
        quote({"ADULT": 2}, EXTRAS, add_ons)
    assert refused.value.facts == facts


def test_an_add_on_does_not_make_a_party():
    with pytest.raises(PartyEmpty):
        quote({"INFANT": 2}, EXTRAS, {"kayak": 1})


# --- discounts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("discount", "amount"),
    [
        pytest.param(Discount("TEN", 1_000, 0, "group"), 10_200, id="share"),
        pytest.param(Discount("ODD", 333, 0, "welfare"), 3_396, id="rounded-down"),
        pytest.param(Discount("FIFTY", 0, 5_000, "mgmt"), 5_000, id="amount"),
        pytest.param(Discount("ALL", 10_000, 0, "group"), 97_499, id="whole-capped"),
        pytest.param(Discount("HUGE", 0, 10**9, "develop"), 97_499, id="amount-capped"),
    ],
)
def test_a_discount_leaves_the_outside_costs_and_a_satang(discount, amount):
    extras = replace(EXTRAS, add_ons=(replace(LUNCH, price_satang=6_000),))
    cheaper = quote({"ADULT": 2}, extras, {"lunch": 1}, discount)
    assert cheaper.gross_satang == 102_000
    assert cheaper.discount_satang == amount
    assert cheaper.price_satang == 102_000 - amount >= cheaper.costs_satang + 1


def test_a_price_below_its_outside_costs_is_not_discounted():
    dear = replace(EXTRAS, costs=(replace(COSTS[0], amount_satang=50_000),))
    assert quote({"ADULT": 2}, dear, {}, Discount("TEN", 1_000, 0, "group")).discount_satang == 0


@pytest.mark.parametrize(
    ("bp", "amount"),
    [(0, 0), (1, 1), (-1, 0), (0, -1), (-1, 1), (10_001, 0)],
    ids=["neither", "both", "negative-share", "negative-amount", "mixed", "over-the-whole"],
)
def test_a_discount_is_a_share_or_an_amount(bp, amount):
    with pytest.raises(AmountInvalid):
        Discount("CODE", bp, amount, "group")


def test_a_discount_is_paid_by_everybody_or_by_a_bucket_of_the_split():
    assert list(BEARERS) == ["group", *ALWAYS]
    with pytest.raises(ValueError, match="nobody"):
        Discount("CODE", 100, 0, "guest")


# --- seasons -------------------------------------------------------------------------------------

COOL = SeasonPrices("cool", date(2026, 11, 1), date(2027, 2, 28), {Unit.ADULT: 50_000}, 180_000)
NEW_YEAR = SeasonPrices("new-year", date(2026, 12, 30), date(2027, 1, 2), {Unit.ADULT: 60_000})
COUNTDOWN = SeasonPrices("countdown", date(2026, 12, 31), date(2027, 1, 3), {Unit.CHILD: 30_000})
YEAR = PriceList(STEPPED, COSTS, 2, 10, per_group=BOAT)


@pytest.mark.parametrize(
    ("on", "adult", "child", "boat"),
    [
        pytest.param(date(2026, 10, 31), 40_000, 22_550, 150_000, id="before"),
        pytest.param(date(2026, 11, 1), 50_000, 22_550, 180_000, id="first-day"),
        pytest.param(date(2027, 2, 28), 50_000, 22_550, 180_000, id="last-day"),
        pytest.param(date(2027, 3, 1), 40_000, 22_550, 150_000, id="after"),
        pytest.param(date(2026, 12, 30), 60_000, 22_550, 150_000, id="the-shorter-wins"),
        pytest.param(date(2026, 12, 31), 40_000, 30_000, 150_000, id="of-equals-the-later"),
    ],
)
def test_a_day_has_the_prices_of_its_shortest_season(on, adult, child, boat):
    priced = quote({"ADULT": 3, "CHILD": 1}, in_season(YEAR, [COOL, NEW_YEAR, COUNTDOWN], on))
    assert [line.price_satang for line in priced.lines] == [adult, child, boat]


def test_in_season_the_steps_of_a_replaced_price_do_not_apply():
    day = in_season(replace(YEAR, most=20), [COOL], date(2026, 12, 1))
    assert [line.price_satang for line in quote({"ADULT": 14}, day).lines] == [50_000, 180_000]


def test_without_a_season_the_list_is_the_same():
    assert in_season(YEAR, [], date(2026, 12, 1)) is YEAR


@pytest.mark.parametrize(
    ("seasons", "problem"),
    [
        ([COOL, replace(NEW_YEAR, code="cool")], "two seasons of one code"),
        ([replace(COOL, last_on=date(2026, 10, 31))], "cool: the season ends before it begins"),
        ([replace(COOL, prices={}, group_satang=None)], "cool: a season without a price"),
        (
            [COOL, replace(NEW_YEAR, prices={Unit.SENIOR: 1})],
            "new-year: a price for somebody who is not sold",
        ),
        ([replace(COOL, prices={Unit.ADULT: -1})], "cool: a negative price"),
        ([replace(COOL, group_satang=0)], "cool: a price per group that is not above zero"),
        (
            [replace(COOL, prices={Unit.ADULT: 0}, group_satang=4_500)],
            "cool: outside costs leave no income",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_season_that_could_not_be_sold_is_refused_by_name(seasons, problem):
    require_seasons([COOL, NEW_YEAR, COUNTDOWN], YEAR, "morning")
    with pytest.raises(PriceListInvalid) as refused:
        require_seasons(seasons, YEAR, "morning")
    assert refused.value.facts == {"option": "morning", "problem": problem}


def test_a_season_cannot_price_a_boat_that_is_not_hired_out():
    with pytest.raises(PriceListInvalid, match="per group"):
        require_seasons([COOL], replace(YEAR, per_group=None), "morning")


# --- whatever is sold ----------------------------------------------------------------------------

prices = st.integers(0, 500_000)


@st.composite
def ladders(draw, smallest=0):
    """Steps in rising order."""
    sizes = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    return tuple(Step(size, draw(st.integers(smallest, 500_000))) for size in sizes)


@st.composite
def price_lists(draw):
    """Lists that can price any party with an adult."""
    others = draw(st.lists(st.sampled_from(list(Unit)[1:-1]), unique=True, max_size=4))
    units = [UnitPrice(Unit.ADULT, draw(st.integers(1, 500_000)), 1, 12, None)]
    for unit in others:
        needs = draw(st.sampled_from([(), (Unit.ADULT,)]))
        places = draw(st.integers(unit == Unit.FAMILY, 5))
        units.append(UnitPrice(unit, draw(prices), places, 0, None, needs, draw(ladders())))
    add_ons = [
        AddOn(f"add-on-{number}", draw(prices), draw(st.booleans()), draw(st.integers(1, 5)))
        for number in range(draw(st.integers(0, 3)))
    ]
    rates = st.builds(GroupRate, st.integers(1, 12), st.integers(1, 500_000), ladders(1))
    costs = draw(st.lists(st.builds(CostRate, st.sampled_from(OutsideCost), st.booleans(), prices)))
    return PriceList(tuple(units), tuple(costs), 1, 10_000, draw(st.none() | rates), tuple(add_ons))


@st.composite
def wishes(draw):
    """A price list, a party that it sells to, and add-ons that it offers."""
    sold = draw(price_lists())
    party = {price.unit: draw(st.integers(0, 12)) for price in sold.prices}
    party[Unit.ADULT] += 1
    add_ons = {
        add_on.code: draw(st.integers(0, 1 if add_on.per_guest else add_on.most))
        for add_on in sold.add_ons
    }
    return party, sold, add_ons


shares = st.builds(Discount, st.just("C"), st.integers(1, 10_000), st.just(0), st.just("group"))
amounts = st.builds(Discount, st.just("C"), st.just(0), st.integers(1, 10**8), st.just("group"))


@given(wish=wishes(), discount=st.none() | shares | amounts)
def test_the_price_is_the_sum_of_its_lines_less_the_discount(wish, discount):
    priced = quote(*wish, discount)
    lines = [line.quantity * line.price_satang for line in (*priced.lines, *priced.add_ons)]
    assert priced.price_satang == sum(lines) - priced.discount_satang
    assert 0 <= priced.discount_satang <= sum(lines)
    if priced.discount_satang:
        assert priced.price_satang > sum(cost.amount_satang for cost in priced.costs)


@given(wish=wishes())
def test_a_step_is_reached_by_the_size_of_the_party_and_by_nothing_else(wish):
    party, sold, _add_ons = wish
    priced = quote(party, sold)
    for line in priced.lines:
        rates = [sold.per_group] if line.places == 0 and line.unit == Unit.GROUP else sold.prices
        [rate] = [each for each in rates if getattr(each, "unit", Unit.GROUP) == line.unit]
        expected = rate.price_satang
        for step in rate.steps:  # in rising order
            if priced.places >= step.from_places:
                expected = step.price_satang
        assert line.price_satang == expected


@given(wish=wishes())
def test_boats_carry_every_place_and_one_boat_fewer_would_not(wish):
    party, sold, _add_ons = wish
    priced = quote(party, sold)
    boats = [line for line in priced.lines if line.unit == Unit.GROUP]
    assert len(boats) == (sold.per_group is not None)
    for line in boats:
        assert (line.quantity - 1) * sold.per_group.seats < priced.places
        assert priced.places <= line.quantity * sold.per_group.seats


@given(wish=wishes(), bp=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)))
def test_a_larger_share_off_never_costs_more(wish, bp):
    small, large = (quote(*wish, Discount("C", each, 0, "group")) for each in sorted(bp))
    assert large.price_satang <= small.price_satang <= small.gross_satang


@given(wish=wishes(), amounts=st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)))
def test_a_larger_amount_off_never_costs_more(wish, amounts):
    small, large = (quote(*wish, Discount("C", 0, each, "group")) for each in sorted(amounts))
    assert large.price_satang <= small.price_satang <= small.gross_satang


@given(wish=wishes(), data=st.data())
def test_the_order_in_which_a_party_is_told_changes_nothing(wish, data):
    party, sold, add_ons = wish
    others = dict(data.draw(st.permutations(list(party.items()))))
    extras = dict(data.draw(st.permutations(list(add_ons.items()))))
    assert quote(others, sold, extras) == quote(party, sold, add_ons)
    for unknown in ({"ZOMBIE": 1, "GHOST": 1}, {"GHOST": 1, "ZOMBIE": 1}):
        with pytest.raises(UnitNotSold, match="GHOST"):
            quote({**unknown, **others}, sold)
        with pytest.raises(AddOnUnknown, match="GHOST"):
            quote(party, sold, {**extras, **unknown})


def test_a_party_that_would_not_pay_its_outside_costs_is_refused():
    """One adult with many babies, each of them insured, would leave less than nothing to share."""
    prices = (UnitPrice(Unit.ADULT, 45_000, 1, 12, None), UnitPrice(Unit.INFANT, 0, 0, 0, 3))
    price_list = PriceList(prices, (CostRate(OutsideCost.INSURANCE, True, 4_500),), 1, 10)
    require_pays_costs(quote({"ADULT": 1, "INFANT": 8}, price_list))
    with pytest.raises(PartyBelowCosts) as refused:
        require_pays_costs(quote({"ADULT": 1, "INFANT": 9}, price_list))
    assert refused.value.facts == {"price_satang": 45_000, "costs_satang": 45_000}
