"""The numbers in docs/algorithms are what the code gives."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cbt.audit.sampling import draw, lot, sample_size
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
from cbt.payments.bank_lines import BankLine, Movement, keyed
from cbt.payments.matching import (
    OpenPayment,
    OutgoingRefund,
    Payout,
    match_outgoing,
    match_payments,
    match_payouts,
    unseen,
)
from cbt.payments.providers.demo import DemoProvider
from cbt.revenue.fairness import gini, largest_share, lowest_share, participation
from cbt.revenue.periods import Close, concerns, period_of
from cbt.revenue.policy import ALWAYS, DEFAULT, Bucket, Limits, ProviderRule
from cbt.revenue.preparation import allot
from cbt.revenue.sharing import share, share_pool
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


BUCKETS, WHOLE, DISCOUNTS, LIMITED, PREPARED = tables("split.md")
SHARES, RATES, DIVIDENDS = tables("sharing.md")
SIZES, LOTS = tables("sampling.md")
[PERIODS] = tables("periods.md")
FAIRNESS = tables("fairness.md")
STEPS, BOATS, PARTIES, SEASONS = tables("pricing.md")
FILES, OPEN, LINES, PAYOUTS, REFUNDS, UNSEEN = (rows for _heading, rows in tables("matching.md"))

ADULT = UnitPrice(Unit.ADULT, 45_000, 1, 12, None)
STEPPED = UnitPrice(Unit.ADULT, 45_000, 1, 12, None, (), (Step(4, 40_000), Step(8, 35_000)))
CHILD = UnitPrice(Unit.CHILD, 22_550, 1, 4, 11)
INFANT = UnitPrice(Unit.INFANT, 0, 0, 0, 3)
FAMILY = UnitPrice(Unit.FAMILY, 120_000, 4, 0, None)
BOAT = GroupRate(6, 150_000, (Step(13, 140_000),))


@pytest.mark.parametrize("row", BUCKETS[1], ids=str)
def test_the_default_policy(row):
    assert BUCKETS[0] == ["distributable", *ALWAYS]
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


@pytest.mark.parametrize("row", LIMITED[1], ids=str)
def test_fixed_amounts_caps_and_floors(row):
    policy = replace(
        DEFAULT,
        version=2,
        fixed={Bucket.WELFARE: 2_000, Bucket.CONSERVE: 1_000},
        limits={
            Bucket.PROVIDER: Limits(floor_satang=20_000),
            Bucket.MGMT: Limits(floor_satang=3_000, cap_satang=10_000),
            Bucket.REVOLVE: Limits(cap_satang=4_000),
        },
    )
    parts = split(row[0], [], 0, policy)[2:]
    assert [part.amount_satang for part in parts] == row[1:]
    assert sum(row[1:]) == row[0]


@pytest.mark.parametrize("row", RATES[1], ids=str)
def test_agreed_rates_first(row):
    pool, whole, first, second, *parts, to_fund = row
    policy = replace(
        DEFAULT, version=2, provider_rule=ProviderRule.RATES_FIRST, surplus=Bucket.DEVELOP
    )
    shared = share_pool(pool, whole, policy, {"H01": first, "H02": second}, ["H01", "H02"], 1)
    assert [*shared.parts.values()] == parts
    assert shared.surplus_satang == to_fund
    assert sum(parts) + to_fund == pool


@pytest.mark.parametrize("row", DIVIDENDS[1], ids=str)
def test_a_dividend_by_shares(row):
    total, turn, first, second, *parts = row
    assert [*share(total, {"H02": first, "H04": second}, ["H02", "H04"], turn).values()] == parts


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


BANGKOK = "Asia/Bangkok"


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BANGKOK))


def bank_line(number, day, amount, text="", payer="", hour=""):
    booked_at = moment(f"{day} {hour}") if hour else None
    on = date.fromisoformat(day)
    return BankLine(number, on, int(amount), "", payer, text, f"{number:032}", booked_at)


def numbers(text):
    return [int(each) for each in str(text).split()]


def outcome_of(matching):
    """Why and how certain the only line is what it is, as the page says it."""
    if not matching.proposals:
        return ["none", "none"]
    [proposal] = matching.proposals
    return [proposal.why, proposal.certainty]


def test_files_that_overlap_bring_in_each_line_once():
    known = set()
    for _name, first, second, new in FILES:
        days = [date(2026, 11, 24)] * first + [date(2026, 11, 25)] * second
        found = {line.bank_key for line in keyed(Movement(1, day, 500_00) for day in days)}
        assert len(found - known) == new
        known |= found


PAYMENTS = [
    OpenPayment(
        *(number, reference, amount, moment(opened), moment(opened) + timedelta(hours=1)),
        references=() if own == "yes" else (reference, f"A{number}"),
        guest_name=guest,
        needs_own_amount=own == "yes",
        is_seen=seen == "yes",
    )
    for number, reference, amount, opened, own, guest, seen in OPEN
]
STATEMENT = [
    bank_line(number, day, amount, text, payer, hour)
    for number, (day, hour, amount, text, payer, *_) in enumerate(LINES)
]


@pytest.mark.parametrize("number", range(len(LINES)))
def test_a_line_of_a_statement(number):
    matching = match_payments(STATEMENT, PAYMENTS, BANGKOK)
    found = {each.line.number: each for each in matching.proposals}
    target, *outcome, candidates = LINES[number][5:]
    if outcome == ["none", "none"]:
        assert number in [line.number for line in matching.unmatched]
    else:
        proposal = found[number]
        assert proposal.target_id == (None if target == "none" else target)
        assert [proposal.why, proposal.certainty] == outcome
        assert list(proposal.candidates) == numbers(candidates)


@pytest.mark.parametrize("row", PAYOUTS, ids=str)
def test_a_payout(row):
    expected, amount, day, came, text, *outcome = row
    payout = Payout(1, "PO-7731", amount, date.fromisoformat(expected))
    matching = match_payouts([bank_line(1, day, came, text)], [payout], BANGKOK)
    assert outcome_of(matching) == outcome


@pytest.mark.parametrize("row", REFUNDS, ids=str)
def test_a_refund_made_by_hand(row):
    requested, done, proof, day, went, text, to, *outcome = row
    done_at = None if done == "none" else moment(f"{done} 15:00")
    refund = OutgoingRefund(
        1, 112_500, moment(f"{requested} 09:00"), done_at, str(proof), "Anna Schmidt"
    )
    matching = match_outgoing([bank_line(1, day, went, text, to)], [refund], BANGKOK)
    assert outcome_of(matching) == outcome


@pytest.mark.parametrize("row", UNSEEN, ids=str)
def test_what_was_confirmed_and_did_not_come(row):
    first, last, came, missing, perhaps = row
    opened, confirmed = moment("2026-11-24 09:00"), moment("2026-11-24 12:00")
    payments = [
        OpenPayment(
            number, f"B-{number}{number}{number}", amount, opened, opened, confirmed_at=confirmed
        )
        for number, amount in enumerate((150_007, 90_000, 90_000), start=1)
    ]
    lines = [bank_line(*each) for each in enumerate_lines(numbers(came))]
    days = date.fromisoformat(first), date.fromisoformat(last)
    found = unseen(payments, lines, *days, BANGKOK)
    assert [each.attempt_id for each in found] == numbers(missing)
    assert [each.attempt_id for each in found if each.maybe] == numbers(perhaps)


def enumerate_lines(amounts):
    return [(number, "2026-11-24", amount) for number, amount in enumerate(amounts)]


@pytest.mark.parametrize("row", PERIODS[1], ids=lambda row: f"entry {row[0]}")
def test_the_month_that_an_entry_belongs_to(row):
    seq, on, belongs, about = row
    day = datetime.strptime(f"{on} 2026", "%d %B %Y").date()
    closes = (Close(date(2026, 9, 1), 40), Close(date(2026, 10, 1), 90))
    period = period_of(day, seq, closes)
    late = concerns(day, period)
    assert (f"{period:%B}", f"{late:%B}" if late else "") == (belongs, about)


# --- sampling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", SIZES[1], ids=str)
def test_the_sizes_of_samples(row):
    population, size = row
    assert sample_size(population) == size


def test_the_sample_of_the_page_is_what_its_seed_draws():
    seed = "000102030405060708090a0b0c0d0e0f"
    assert seed in (ROOT / "docs" / "algorithms" / "sampling.md").read_text()
    codes = [row[0] for row in LOTS[1]]
    assert [lot(seed, code)[:16] for code in codes] == [str(row[1]) for row in LOTS[1]]
    assert list(draw(seed, reversed(codes))) == [row[0] for row in LOTS[1] if row[2] == "yes"]


def test_how_fairly_income_is_spread():
    incomes = [income for _household, income in FAIRNESS[0][1]]
    found = {
        "Gini coefficient": gini(incomes),
        "largest part": largest_share(incomes),
        "households that earned": participation(incomes),
        "part of the lowest two fifths": lowest_share(incomes),
    }
    shown = {measure: value for measure, value, _rule, _found in FAIRNESS[1][1]}
    assert shown == {name: f"{float(value):.4f}" for name, value in found.items()}
