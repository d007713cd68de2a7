"""The numbers in docs/algorithms are what the code gives."""

import re
from datetime import date

import pytest

from cbt.config import ROOT
from cbt.experiences.pricing import (
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
)
from cbt.payments.providers.demo import DemoProvider
from cbt.revenue.policy import DEFAULT, Bucket
from cbt.revenue.preparation import allot
from cbt.revenue.sharing import share
from cbt.revenue.split import Borne, Cost, split


def tables(name):
    """Every table of a page, as [heading, ...] and rows: whole numbers as ints, words as text."""
    page = (ROOT / "docs" / "algorithms" / name).read_text()
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        heading, _line, *rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()
        ]
        found.append((heading, [[_read(cell) for cell in row] for row in rows]))
    return found


def _read(cell):
    return int(cell) if cell.isdigit() else cell


BUCKETS, WHOLE, DISCOUNTS, PREPARED = tables("split.md")
[SHARES] = tables("sharing.md")
STEPS, BOATS, PARTIES, SEASONS = tables("pricing.md")

ADULT = UnitPrice(Unit.ADULT, 45_000, 1, 12, None)
STEPPED = UnitPrice(Unit.ADULT, 45_000, 1, 12, None, (), (Step(4, 40_000), Step(8, 35_000)))
CHILD = UnitPrice(Unit.CHILD, 22_550, 1, 4, 11)
INFANT = UnitPrice(Unit.INFANT, 0, 0, 0, 3)
FAMILY = UnitPrice(Unit.FAMILY, 120_000, 4, 0, None)
BOAT = GroupRate(6, 150_000, (Step(13, 140_000),))


@pytest.mark.parametrize("row", BUCKETS[1], ids=str)
def test_the_default_policy(row):
    assert BUCKETS[0] == ["distributable", *Bucket]
    assert [part.amount_satang for part in split(row[0], [], 0, DEFAULT)[2:]] == row[1:]


@pytest.mark.parametrize("row", DISCOUNTS[1], ids=str)
def test_a_discount_that_one_bucket_bears(row):
    received, amount, bearer, *parts = row
    borne = Borne(amount, Bucket(bearer))
    got = split(received, [], 0, DEFAULT, discount=borne)[2:]
    assert [part.amount_satang for part in got] == parts
    assert sum(parts) == received


@pytest.mark.parametrize("row", PREPARED[1], ids=str)
def test_preparation_is_paid_first(row):
    first, second, left, paid, *households = row
    available = [int(amount) for amount in str(left).split(", ")]
    allotment = allot({"H01": first, "H02": second}, available, ("H01", "H02"), 0)
    assert list(allotment.by_booking) == [int(amount) for amount in str(paid).split(", ")]
    assert list(allotment.by_household.values()) == households


@pytest.mark.parametrize("row", WHOLE[1], ids=str)
def test_a_whole_booking(row):
    net, insurance = row[:2]
    fee = DemoProvider().estimate_fee(net)
    parts = split(net, [Cost("insurance", insurance)], fee, DEFAULT)
    assert [part.code.replace("_", " ") for part in parts] == WHOLE[0][1:]
    assert [part.amount_satang for part in parts] == row[1:]
    assert sum(row[1:]) == net


@pytest.mark.parametrize("row", SHARES[1], ids=str)
def test_a_sharing_out(row):
    households = ["H01", "H02", "H03"]
    weights = dict(zip(households, row[2:5], strict=True))
    assert list(share(row[0], weights, households, row[1]).values()) == row[5:]
    assert sum(row[5:]) == row[0]


@pytest.mark.parametrize("row", STEPS[1], ids=str)
def test_a_stepped_price(row):
    adults, infants, places, each, price = row
    party = quote({"ADULT": adults, "INFANT": infants}, PriceList((STEPPED, INFANT), (), 1, 20))
    assert [party.places, party.lines[0].price_satang, party.price_satang] == [places, each, price]


@pytest.mark.parametrize("row", BOATS[1], ids=str)
def test_hired_boats(row):
    free = UnitPrice(Unit.ADULT, 0, 1, 12, None)
    boats = PriceList((free, INFANT), (), 1, 20, per_group=BOAT)
    party = quote({"ADULT": row[0], "INFANT": row[1]}, boats)
    line = party.lines[-1]
    assert [party.places, line.quantity, line.price_satang, party.price_satang] == row[2:]


@pytest.mark.parametrize("row", PARTIES[1], ids=str)
def test_a_whole_party(row):
    costs = (
        CostRate(OutsideCost.INSURANCE, True, 2_000),
        CostRate(OutsideCost.PARK_FEE, False, 500),
    )
    add_ons = (AddOn("lunch", 12_000, True, 1), AddOn("kayak", 30_000, False, 3))
    sold = PriceList((ADULT, CHILD, INFANT, FAMILY), costs, 2, 20, add_ons=add_ons)
    units = dict(zip(("ADULT", "CHILD", "INFANT", "FAMILY"), row[:4], strict=True))
    extras = dict(zip(("lunch", "kayak"), row[4:6], strict=True))
    discount = Discount("CODE", row[6], row[7], "group") if any(row[6:8]) else None
    party = quote(units, sold, extras, discount)
    before = [party.gross_satang, party.costs_satang]
    assert [*before, party.discount_satang, party.price_satang] == row[8:]


@pytest.mark.parametrize("row", SEASONS[1], ids=str)
def test_a_day_of_a_season(row):
    cool = SeasonPrices("cool", date(2026, 11, 1), date(2027, 2, 28), {Unit.ADULT: 50_000}, 180_000)
    new_year = SeasonPrices("new-year", date(2026, 12, 30), date(2027, 1, 2), {Unit.ADULT: 60_000})
    countdown = SeasonPrices("countdown", date(2026, 12, 31), date(2027, 1, 3), {}, 200_000)
    year = PriceList((STEPPED,), (), 1, 20, per_group=BOAT)
    day = in_season(year, [cool, new_year, countdown], date(2026, 12, row[0]))
    party = quote({"ADULT": 4}, day)
    assert [*(line.price_satang for line in party.lines), party.price_satang] == row[1:]
