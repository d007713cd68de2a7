"""Losses after the sharing-out: in proportion to what is left of each share, exact to the satang."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg, total
from cbt.revenue.corrections import may_be_corrected
from cbt.revenue.taking_back import (
    BEARER,
    Borne,
    RecoveryFacts,
    RecoveryKind,
    TakeBackFacts,
    Why,
    bear,
    recovered_from_payout,
    recovered_from_unpaid,
    recovery_draft,
    take_back_draft,
    take_back_input,
)
from tests.revenue.model.paper import apportion
from tests.strategies import thorough

PAGE = Path(__file__).parents[2] / "docs" / "algorithms" / "taking-back.md"

ON = date(2026, 11, 24)
SHARES = {
    "fund:mgmt": 7_000,
    "fund:welfare": 5_000,
    "fund:conserve": 3_000,
    "fund:develop": 2_000,
    "fund:revolve": 5_000,
    "household:H01": 46_800,
    "household:H02": 31_200,
}


def facts(lost=0, cost=0, shares=SHARES, earlier=(), turn=0, number=1):
    return TakeBackFacts("B-1", number, lost, cost, shares, tuple(earlier), turn, ON)


def amounts(borne):
    return {(each.account, each.why): each.amount_satang for each in borne}


def test_the_worked_numbers_of_the_page_hold():
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines()]
    told = {row[0]: [int(cell) for cell in row[1:]] for row in rows if row[0] in SHARES}
    assert {account: cells[0] for account, cells in told.items()} == SHARES
    borne = []
    for number, lost in enumerate((50_000, 33_333, 16_667), start=1):
        new = bear(facts(lost, earlier=borne, number=number))
        assert {each.account: each.amount_satang for each in new} == {
            account: cells[number] for account, cells in told.items()
        }
        borne += new


def test_a_whole_refund_ends_every_share_at_zero():
    borne = amounts(bear(facts(100_000)))
    assert borne == {(account, Why.SHARE): share for account, share in SHARES.items()}


def test_what_no_share_covers_the_group_bears():
    borne = amounts(bear(facts(105_000)))
    assert borne[BEARER, Why.UNCOVERED] == 5_000
    assert borne[BEARER, Why.SHARE] == 7_000


def test_what_a_dispute_cost_the_group_bears_alone():
    assert bear(facts(0, 53_500)) == (Borne(BEARER, Why.COST, 53_500),)


def test_of_a_booking_without_shares_the_group_bears_all():
    assert bear(facts(700, shares={})) == (Borne(BEARER, Why.UNCOVERED, 700),)


def test_ties_go_round_the_circle():
    shares = {"household:A": 10, "household:B": 10, "household:C": 10}
    spare = [bear(facts(1, shares=shares, turn=turn))[0].account for turn in range(3)]
    assert spare == ["household:A", "household:B", "household:C"]


def test_a_household_owes_its_part_and_a_fund_gives_it():
    draft = take_back_draft(facts(50_000), "revenue")
    sources = {leg.source for leg in draft.legs}
    assert chart.receivable("H01") in sources
    assert "fund:welfare" in sources
    assert not any(source.startswith("household:") for source in sources)
    assert {leg.target for leg in draft.legs} == {chart.GIVEN_BACK}
    assert total(draft.legs) == 50_000


def test_a_taking_back_is_this_entry_and_no_other():
    asked = facts(2, 1, shares={"fund:welfare": 1, "household:H01": 1}, number=4)
    assert take_back_draft(asked, "revenue") == Draft(
        kind="take_back",
        subject="booking:B-1",
        effective_on=ON,
        legs=(
            Leg("fund:welfare", chart.GIVEN_BACK, 1, "taken_back:share"),
            Leg("receivable:H01", chart.GIVEN_BACK, 1, "taken_back:share"),
            Leg("fund:mgmt", chart.GIVEN_BACK, 1, "taken_back:cost"),
        ),
        key="take_back:B-1:4",
        actor="revenue",
        input_hash=sha256(take_back_input(asked).encode()).hexdigest(),
    )
    undone = facts(-2, -1, earlier=bear(asked), number=5)
    assert take_back_draft(undone, "").legs == (
        Leg(chart.GIVEN_BACK, "fund:welfare", 1, "taken_back:share"),
        Leg(chart.GIVEN_BACK, "household:H01", 1, "taken_back:share"),
        Leg(chart.GIVEN_BACK, "fund:mgmt", 1, "taken_back:cost"),
    )


def test_the_facts_of_a_taking_back_are_this_text():
    asked = facts(10, 3, {"fund:mgmt": 7, "household:H01": 9}, [Borne("fund:mgmt", Why.SHARE, 3)])
    assert take_back_input(replace(asked, turn=2, number=4)) == (
        "cbt-take-back/1\nbooking:B-1\nnumber:4\nlost:10\ncost:3\nshare:fund:mgmt:7\n"
        "share:household:H01:9\nearlier:fund:mgmt:share:3\nturn:2\nfound_on:2026-11-24\n"
    )


def test_a_recovery_takes_out_of_what_was_earned_into_what_is_owed():
    paid = RecoveryFacts(5, "H01", RecoveryKind.PAYOUT, 250, ON)
    assert recovery_draft(paid, "person:1") == Draft(
        kind="recovery",
        subject="household:H01",
        effective_on=ON,
        legs=(Leg("household:H01", "receivable:H01", 250, "recovered:payout"),),
        key="recovery:5",
        actor="person:1",
    )


def test_an_undone_loss_comes_back_to_who_bore_it():
    first = bear(facts(105_000, 300))
    undone = facts(-105_000, -300, earlier=first, number=2)
    assert sum_up([*first, *bear(undone)]) == {}
    assert {leg.source for leg in take_back_draft(undone, "").legs} == {chart.GIVEN_BACK}


def sum_up(borne):
    sums = {}
    for each in borne:
        key = (each.account, each.why)
        sums[key] = sums.get(key, 0) + each.amount_satang
    return {key: amount for key, amount in sums.items() if amount}


satang = st.integers(0, 10**9)
shares_of = st.dictionaries(
    st.sampled_from([*SHARES, "household:H03", "household:H04"]), satang, min_size=1
)


@thorough
@given(shares=shares_of, parts=st.lists(st.integers(1, 10**9), max_size=6), turn=satang)
def test_any_sequence_of_refunds_sums_up_and_takes_from_none_more_than_its_share(
    shares, parts, turn
):
    borne = []
    for number, lost in enumerate(parts, start=1):
        new = bear(facts(lost, shares=shares, earlier=borne, turn=turn, number=number))
        assert sum(each.amount_satang for each in new) == lost
        assert all(each.amount_satang > 0 for each in new)
        borne += new
        for (account, why), amount in sum_up(borne).items():
            assert why != Why.SHARE or amount <= shares[account]
    lost, whole = sum(parts), sum(shares.values())
    if lost >= whole:
        taken = {a: n for (a, why), n in sum_up(borne).items() if why == Why.SHARE}
        assert taken == {account: share for account, share in shares.items() if share}


@thorough
@given(shares=shares_of, parts=st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
def test_however_it_is_cut_no_share_is_further_from_its_exact_part_than_the_number_of_cuts(
    shares, parts
):
    whole = sum(shares.values())
    if sum(parts) > whole:
        return
    borne = []
    for number, lost in enumerate(parts, start=1):
        borne += bear(facts(lost, shares=shares, earlier=borne, number=number))
    for account, share in shares.items():
        taken = sum_up(borne).get((account, Why.SHARE), 0)
        exact = Fraction(sum(parts) * share, whole)
        assert abs(taken - exact) <= len(parts) + 1


@thorough
@given(shares=shares_of, cuts=st.lists(st.integers(0, 10**9), max_size=12), turn=satang)
def test_random_partial_refunds_stay_within_a_satang_a_step_and_the_whole_leaves_zero(
    shares, cuts, turn
):
    whole = sum(shares.values())
    marks = sorted({each % (whole + 1) for each in cuts} | {whole})
    borne, before = [], 0
    for number, mark in enumerate(marks, start=1):
        if mark == before:
            continue
        borne += bear(facts(mark - before, shares=shares, earlier=borne, turn=turn, number=number))
        before = mark
        taken = sum_up(borne)
        for account, share in shares.items():
            part = taken.get((account, Why.SHARE), 0)
            assert 0 <= part <= share
            assert abs(part - Fraction(mark * share, whole)) < number
    assert {account: taken for (account, _why), taken in sum_up(borne).items()} == {
        account: share for account, share in shares.items() if share
    }


@thorough
@given(shares=shares_of, lost=st.integers(1, 10**10), turn=satang)
def test_equal_to_the_slow_exact_twin(shares, lost, turn):
    names = list(shares)
    start = turn % len(names)
    twin = apportion(lost, {name: shares[name] for name in names[start:] + names[:start]})
    found = bear(facts(lost, shares=shares, turn=turn))
    assert {each.account: each.amount_satang for each in found if each.why == Why.SHARE} == twin
    uncovered = max(0, lost - sum(shares.values()))
    assert sum(each.amount_satang for each in found if each.why == Why.UNCOVERED) == uncovered


@thorough
@given(shares=shares_of, lost=st.integers(1, 10**9), back=st.integers(1, 10**9))
def test_what_is_undone_in_steps_ends_at_nothing(shares, lost, back):
    borne = list(bear(facts(lost, shares=shares)))
    first = min(back, lost)
    for number, part in ((2, first), (3, lost - first)):
        if part:
            borne += bear(facts(-part, shares=shares, earlier=borne, number=number))
    assert sum_up(borne) == {}


@pytest.mark.parametrize(
    ("payout", "owed", "taken"),
    [(100_000, 90_000, 25_000), (100_000, 10_000, 10_000), (3, 90, 0), (0, 90, 0)],
)
def test_a_payout_loses_at_most_a_quarter_to_a_debt(payout, owed, taken):
    assert recovered_from_payout(payout, owed) == taken


@pytest.mark.parametrize(("payable", "owed", "taken"), [(5, 9, 5), (9, 5, 5), (0, 9, 0)])
def test_what_was_not_paid_yet_pays_a_debt_first(payable, owed, taken):
    assert recovered_from_unpaid(payable, owed) == taken


@pytest.mark.parametrize(
    ("source", "target", "may"),
    [
        ("fund:mgmt", "household:H01", True),
        ("household:H01", "household:H02", True),
        ("household:H01", "fund:welfare", True),
        ("fund:mgmt", "receivable:H01", True),
        ("cash_difference", "fund:mgmt", True),
        ("fund:mgmt", "cash_difference", True),
        ("household:H01", "receivable:H01", False),
        ("household:H01", "cash_difference", False),
        ("cash_difference", "household:H01", False),
        ("fund:mgmt", "fund:mgmt", False),
        ("guest_deposit", "fund:mgmt", False),
        ("fund:mgmt", "payment:promptpay", False),
        ("payment:cash", "household:H01", False),
        ("receivable:H01", "fund:mgmt", False),
        ("given_back", "fund:mgmt", False),
        ("suspense", "fund:mgmt", False),
    ],
)
def test_people_move_money_only_where_it_is_theirs_to_move(source, target, may):
    assert may_be_corrected(source, target) is may
