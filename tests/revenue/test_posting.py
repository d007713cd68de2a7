"""From facts to entries: accounts, rules and texts, each as it stands in the books for ever."""

from dataclasses import replace
from datetime import date
from hashlib import sha256

import pytest

from cbt.errors import NobodyToShare, NoWorkRecorded
from cbt.ledger.entries import Draft, Leg
from cbt.revenue.frozen import shares_of
from cbt.revenue.policy import (
    DEFAULT,
    Bucket,
    DividendRule,
    Limits,
    ProviderRule,
    Task,
    canonical,
    identity,
)
from cbt.revenue.posting import (
    BookingFacts,
    SharingFacts,
    dividends_of,
    household_totals,
    of_what_is_left,
    pools_of,
    share_dividends,
    share_out,
    sharing_draft,
    sharing_input,
    split_booking,
    split_draft,
    split_input,
)
from cbt.revenue.sharing import Work
from cbt.revenue.split import Borne, Bound, Cost, PartKind

ON = date(2026, 11, 24)
RICH = replace(
    DEFAULT,
    version=2,
    intermediary_bp=1_000,
    shares={**DEFAULT.shares, Bucket.PROVIDER: 7_000, Bucket.DIVIDEND: 800},
    fixed={Bucket.WELFARE: 2_000},
    limits={Bucket.REVOLVE: Limits(cap_satang=1_000)},
    provider_rule=ProviderRule.RATES_FIRST,
    surplus=Bucket.DEVELOP,
    rates={Task.BOAT: 10_000, Task.GUIDE: 5_000},
    dividend_rule=DividendRule.BY_SHARES,
)
BOOKED = BookingFacts("B-1", ON, 100_000, 1_500, (Cost("insurance", 4_000),), RICH)
WORK = (Work("H01", Task.BOAT, 1, 90), Work("H02", Task.GUIDE, 2, 60))


def sharing(*booked, **changes):
    facts = SharingFacts(
        departure_id=7,
        service_on=ON,
        number=1,
        pools=pools_of(booked),
        work=WORK,
        register=("H01", "H02"),
        dividends=dividends_of(booked),
        shares=(("H02", 1), ("H03", 2), ("H04", 0)),
        members=("H01", "H02", "H03"),
    )
    return replace(facts, **changes)


def told(legs):
    return [(leg.source, leg.target, leg.amount_satang, leg.rule) for leg in legs]


# --- a booking's split ---------------------------------------------------------------------------


def test_a_split_is_this_entry_and_no_other():
    """1,000 baht: outside 40, fee 15, a tenth to the intermediary, 20 fixed; 825 by basis points."""
    draft = split_draft(BOOKED, "person:1")
    own = identity(canonical(RICH))
    assert draft == Draft(
        kind="split",
        subject="booking:B-1",
        effective_on=ON,
        legs=(
            Leg("guest_deposit", "outside:insurance", 4_000, "cost:insurance"),
            Leg("guest_deposit", "payment_fee", 1_500, "payment_fee:payment_fee"),
            Leg(
                "guest_deposit", "outside:intermediary", 10_000, "intermediary:intermediary:1000bp"
            ),
            Leg("guest_deposit", "fund:welfare", 2_000, "fixed:welfare"),
            Leg("guest_deposit", "pool:provider", 60_875, "bucket:provider:7000bp"),
            Leg("guest_deposit", "fund:mgmt", 5_775, "bucket:mgmt:700bp"),
            Leg("guest_deposit", "fund:welfare", 4_125, "bucket:welfare:500bp"),
            Leg("guest_deposit", "fund:conserve", 2_475, "bucket:conserve:300bp"),
            Leg("guest_deposit", "fund:develop", 1_650, "bucket:develop:200bp"),
            Leg("guest_deposit", "fund:revolve", 1_000, "bucket:revolve:500bp:cap"),
            Leg("guest_deposit", "pool:dividend", 6_600, "bucket:dividend:800bp"),
        ),
        key="split:B-1",
        actor="person:1",
        policy_hash=own,
        input_hash=sha256(split_input(BOOKED).encode()).hexdigest(),
    )


def test_the_facts_of_a_split_are_this_text():
    borne = replace(BOOKED, discount=Borne(300, Bucket.MGMT), preparation_satang=7)
    assert split_input(borne) == (
        "cbt-split/1\nbooking:B-1\nservice_on:2026-11-24\ncaptured:100000\npayment_fee:1500\n"
        "cost:insurance:4000\ndiscount:mgmt:300\npreparation:7\n"
        f"policy:{identity(canonical(RICH))}\n"
    )
    assert "discount" not in split_input(BOOKED)


def test_what_was_prepared_flows_into_the_households_pool():
    cancelled = replace(BOOKED, costs=(), preparation_satang=9_000)
    assert ("guest_deposit", "pool:provider", 9_000, "preparation:preparation") in told(
        split_draft(cancelled, "").legs
    )


@pytest.mark.parametrize(
    ("captured", "costs", "fee", "prepared"),
    [
        # after the intermediary's tenth: what outside costs leave, then fees, then what was prepared
        pytest.param(100_000, [4_000, 3_000], 1_500, 700, id="enough"),
        pytest.param(5_000, [4_000, 500], 0, 0, id="a-cost-in-part-and-nothing-behind-it"),
        pytest.param(4_000, [3_600], 0, 0, id="a-cost-not-named-that-gets-nothing"),
        pytest.param(8_889, [4_000, 3_000], 1_001, 0, id="a-fee-in-part"),
        pytest.param(9_445, [4_000, 3_000], 1_500, 1, id="preparation-in-part"),
        pytest.param(0, [], 0, 0, id="nothing"),
    ],
)
def test_what_is_there_pays_what_it_can_in_this_order(captured, costs, fee, prepared):
    wanted = (Cost("insurance", 4_000), Cost("park", 3_000))
    facts = replace(BOOKED, captured_satang=captured, costs=wanted, payment_fee_satang=1_500)
    left = of_what_is_left(replace(facts, preparation_satang=700))
    assert [each.amount_satang for each in left.costs] == costs
    assert (left.payment_fee_satang, left.preparation_satang) == (fee, prepared)
    assert sum(part.amount_satang for part in split_booking(left)) == captured


def test_a_discount_that_its_bearer_cannot_give_is_left_out():
    small = replace(BOOKED, captured_satang=10_000, discount=Borne(5_000, Bucket.MGMT))
    assert of_what_is_left(small).discount is None
    able = replace(BOOKED, discount=Borne(300, Bucket.MGMT))
    assert of_what_is_left(able) == able


# --- a departure's sharing-out -------------------------------------------------------------------


def test_money_is_shared_out_by_each_policy_in_the_order_of_their_identities():
    plain = replace(BOOKED, reference="B-2", policy=DEFAULT)
    booked = [BOOKED, plain, replace(BOOKED, reference="B-3")]
    pools = {RICH.identity: (RICH, 121_750), DEFAULT.identity: (DEFAULT, 73_710)}
    assert pools_of(booked) == tuple(pools[each] for each in sorted(pools))
    assert dividends_of(booked) == ((RICH, 13_200),)
    assert RICH.identity == identity(canonical(RICH)) != DEFAULT.identity


def test_a_sharing_out_is_this_entry_and_no_other():
    facts = sharing(BOOKED, prepared=(("H05", 250),))
    assert sharing_draft(facts, "person:1") == Draft(
        kind="sharing_out",
        subject="departure:7",
        effective_on=ON,
        legs=(
            Leg("pool:provider", "household:H05", 250, "preparation"),
            Leg("pool:provider", "household:H01", 10_000, "rates_first"),
            Leg("pool:provider", "household:H02", 10_000, "rates_first"),
            Leg("pool:provider", "fund:develop", 40_875, "surplus"),
            Leg("pool:dividend", "household:H02", 2_200, "dividend:by_shares"),
            Leg("pool:dividend", "household:H03", 4_400, "dividend:by_shares"),
        ),
        key="sharing_out:7",
        actor="person:1",
        policy_hash=RICH.identity,
        input_hash=sha256(sharing_input(facts).encode()).hexdigest(),
    )
    assert household_totals(facts) == {"H05": 250, "H01": 10_000, "H02": 12_200, "H03": 4_400}


def test_two_policies_are_both_named():
    both = sharing(BOOKED, replace(BOOKED, reference="B-2", policy=DEFAULT))
    assert sharing_draft(both, "").policy_hash == ",".join(
        sorted([RICH.identity, DEFAULT.identity])
    )


def test_a_departure_owes_its_agreed_rates_once_whatever_the_number_of_policies():
    other = replace(RICH, name="Other")
    both = sharing(BOOKED, replace(BOOKED, reference="B-2", policy=other))
    assert [shared.surplus_satang for _policy, shared in share_out(both)] == [50_875, 50_875]
    assert household_totals(both)["H01"] == 10_000


def test_the_facts_of_a_sharing_out_are_this_text():
    assert sharing_input(sharing(BOOKED, prepared=(("H05", 250),))) == (
        "cbt-sharing/1\ndeparture:7\nservice_on:2026-11-24\nnumber:1\n"
        f"pool:{RICH.identity}:60875\nprepared:H05:250\n"
        "work:H01:boat:1:90\nwork:H02:guide:2:60\nregister:H01,H02\n"
        f"dividend:{RICH.identity}:6600\nshare:H02:1\nshare:H03:2\nshare:H04:0\n"
        "members:H01,H02,H03\n"
    )
    plain = sharing(replace(BOOKED, policy=DEFAULT))
    assert sharing_input(plain).endswith("register:H01,H02\n")


def test_households_get_theirs_in_the_order_of_the_register():
    facts = sharing(replace(BOOKED, policy=DEFAULT), register=("H02", "H01"), work=WORK)
    [(_policy, shared)] = share_out(replace(facts, work=(*WORK, Work("H02", Task.BOAT, 1, 1))))
    assert list(shared.parts) == ["H02", "H01"]
    assert share_out(replace(facts, pools=((DEFAULT, 0),), work=())) == []
    with pytest.raises(NoWorkRecorded):
        share_out(replace(facts, work=()))


@pytest.mark.parametrize(
    ("rule", "shares", "is_by_shares", "parts"),
    [
        (DividendRule.BY_SHARES, {"H02": 1, "H03": 2}, True, {"H02": 2_200, "H03": 4_400}),
        (DividendRule.BY_SHARES, {}, False, {"H01": 2_200, "H02": 2_200, "H03": 2_200}),
        (DividendRule.BY_SHARES, {"H09": 0}, False, {"H01": 2_200, "H02": 2_200, "H03": 2_200}),
        (DividendRule.EQUAL, {"H02": 1}, False, {"H01": 2_200, "H02": 2_200, "H03": 2_200}),
    ],
)
def test_a_dividend_goes_to_those_who_hold_shares_or_else_to_all_alike(
    rule, shares, is_by_shares, parts
):
    own = replace(RICH, dividend_rule=rule)
    facts = sharing(replace(BOOKED, policy=own), shares=tuple(shares.items()))
    [dividend] = share_dividends(facts)
    assert (dividend.is_by_shares, dividend.parts) == (is_by_shares, parts)
    assert (dividend.policy, dividend.pool_satang) == (own, 6_600)
    assert dividend.weights == ({"H02": 1, "H03": 2} if is_by_shares else dict.fromkeys(parts, 1))


def test_a_spare_satang_of_a_dividend_goes_round_by_the_settlement_number():
    one = ((RICH, 1),)
    owned = [
        share_dividends(sharing(BOOKED, dividends=one, shares=(), number=number))[0].parts
        for number in (3, 4, 5)
    ]
    assert [max(parts, key=parts.__getitem__) for parts in owned] == ["H01", "H02", "H03"]


def test_a_dividend_without_anybody_is_refused_and_no_dividend_asks_nobody():
    nobody = sharing(BOOKED, shares=(), members=())
    with pytest.raises(NobodyToShare):
        share_dividends(nobody)
    assert share_dividends(replace(nobody, dividends=((RICH, 0),))) == []


# --- what a booking's money became ---------------------------------------------------------------


def test_a_bookings_money_is_found_again_in_every_fund_and_household():
    """The pool's parts in proportion: 60,875 of it went 10,000, 10,000 and 40,875 to a fund."""
    assert shares_of(BOOKED, sharing(BOOKED)) == {
        "fund:welfare": 6_125,
        "household:H01": 10_000,
        "household:H02": 12_200,
        "fund:develop": 42_525,
        "fund:mgmt": 5_775,
        "fund:conserve": 2_475,
        "fund:revolve": 1_000,
        "household:H03": 4_400,
    }


def test_of_two_bookings_each_finds_its_own_part():
    other = replace(BOOKED, reference="B-2", captured_satang=50_000)
    found = [shares_of(each, sharing(BOOKED, other)) for each in (BOOKED, other)]
    # of 10,000: 60,875 and 27,125 in 88,000, each rounded for itself
    assert [each["household:H01"] for each in found] == [6_918, 3_083]


def test_what_was_prepared_is_found_with_those_who_prepared():
    cancelled = replace(BOOKED, costs=(), preparation_satang=9_000)
    facts = sharing(cancelled, prepared=(("H04", 3_000), ("H05", 6_000)))
    found = shares_of(cancelled, facts)
    assert (found["household:H04"], found["household:H05"]) == (3_000, 6_000)


def test_money_of_another_policy_is_not_looked_for_among_this_ones():
    plain = replace(BOOKED, reference="B-2", policy=DEFAULT)
    found = shares_of(plain, sharing(BOOKED, plain))
    assert found["household:H01"] + found["household:H02"] == 73_710
    assert found["fund:develop"] == 1_890
    assert "household:H03" not in found
    assert shares_of(plain, sharing(BOOKED)).keys() == {
        f"fund:{each}" for each in ("mgmt", "welfare", "conserve", "develop", "revolve")
    }


def test_outside_money_is_held_by_nobody_here():
    found = shares_of(BOOKED, sharing(BOOKED))
    kept = [
        part
        for part in split_booking(BOOKED)
        if part.kind not in (PartKind.COST, PartKind.PAYMENT_FEE, PartKind.INTERMEDIARY)
    ]
    assert sum(found.values()) == sum(part.amount_satang for part in kept) == 84_500
    assert [part.bound for part in kept if part.bound] == [Bound.CAP]


def test_a_pool_without_money_keeps_no_other_from_being_shared_out():
    both = sharing(BOOKED, pools=((DEFAULT, 0), (RICH, 60_875)))
    assert [policy for policy, _shared in share_out(both)] == [RICH]


def test_a_dividend_that_is_shared_alike_says_so():
    alike = sharing(BOOKED, shares=())
    rules = {leg.rule for leg in sharing_draft(alike, "").legs if leg.source == "pool:dividend"}
    assert rules == {"dividend:equal"}
