"""What households had prepared is paid first out of what cancellations left, to the satang."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db
from cbt.errors import AlreadySettled, DepartureUnknown, NothingToSettle, WorkInvalid
from cbt.ledger.queries import balances, stream_entries
from cbt.payments import give_back, queries
from cbt.revenue.models import Preparation
from cbt.revenue.preparation import allot
from cbt.revenue.queries import list_booking_facts
from tests import factories
from tests.factories import PROVIDERS
from tests.site import NOW
from tests.strategies import HOUSEHOLDS
from tests.twins import slow_allot

EVENING = NOW + timedelta(days=2)
HALF = canonical(Terms("Half", (Tier(0, 5_000),)))


# --- the rule ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("costs", "available", "by_booking", "by_household"),
    [
        pytest.param({"H01": 30, "H02": 20}, [100], [50], {"H01": 30, "H02": 20}, id="enough"),
        pytest.param(
            {"H01": 30, "H02": 20}, [10, 100], [10, 40], {"H01": 30, "H02": 20}, id="in order"
        ),
        pytest.param({"H01": 30, "H02": 20}, [5, 6], [5, 6], {"H01": 7, "H02": 4}, id="too little"),
        pytest.param({"H01": 1, "H02": 1}, [1], [1], {"H02": 1}, id="a tie goes by the turn"),
        pytest.param({"H01": 30}, [], [], {}, id="nothing left"),
        pytest.param({"H01": 30}, [0, 0], [0, 0], {}, id="nothing retained"),
        pytest.param({}, [10], [0], {}, id="nobody prepared"),
    ],
)
def test_preparation_is_paid_out_of_what_was_left(costs, available, by_booking, by_household):
    allotted = allot(costs, available, tuple(costs), 1)
    assert allotted.by_booking == tuple(by_booking)
    assert allotted.by_household == by_household


@given(
    costs=st.dictionaries(st.sampled_from(HOUSEHOLDS[:6]), st.integers(1, 300), max_size=6),
    available=st.lists(st.integers(0, 300), max_size=5),
    turn=st.integers(0, 50),
)
def test_both_sides_sum_to_the_same_and_equal_the_slow_twin(costs, available, turn):
    register = [code for code in HOUSEHOLDS if code in costs]
    allotted = allot(costs, available, register, turn)
    total = min(sum(costs.values()), sum(available))
    assert sum(allotted.by_booking) == sum(allotted.by_household.values()) == total
    assert all(0 <= part <= of for part, of in zip(allotted.by_booking, available, strict=True))
    assert all(amount <= costs[code] for code, amount in allotted.by_household.items())
    drawn, paid = slow_allot(costs, available, register, turn)
    assert list(allotted.by_booking) == drawn
    assert allotted.by_household == paid


# --- in the books --------------------------------------------------------------------------------


@pytest.fixture
def village(app):
    return factories.make_village(terms=HALF)


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for each in outcomes for finding in each.findings]


def earned(village):
    db.session.rollback()
    books = balances(db.session(), village.card.book_id)
    return {code: books[f"household:{code}"] for code in village.households[:3]}


def cancelled(village, party=None):
    reference = factories.book(village, party)
    factories.cancel_booking(reference)
    give_back.send_refunds(PROVIDERS, NOW)
    return reference


def test_the_cook_who_shopped_at_dawn_is_paid_first_and_to_the_satang(village):
    reference = cancelled(village)  # 900 baht, half of it retained
    factories.record_preparation(village, ("H02", 12_345), ("H03", 6_789))
    factories.record_work(village, ("H01", "boat", 1))
    [facts] = list_booking_facts(db.session(), [village.departure_id])[village.departure_id]
    assert (facts.captured_satang, facts.preparation_satang) == (45_000, 19_134)
    factories.settle(village, EVENING)
    rest = 45_000 - facts.payment_fee_satang - 19_134
    funds = sum(rest * bp // 10_000 for bp in (700, 500, 300, 200, 500))
    assert earned(village) == {"H01": rest - funds, "H02": 12_345, "H03": 6_789}
    assert (
        queries.get_money(db.session(), get_booking(db.session(), reference).id).kept_satang
        == 45_000
    )
    assert faults(village) == []


def test_where_too_little_was_left_households_share_it_by_their_costs(village):
    cancelled(village, {"ADULT": 1})  # 225 baht retained
    factories.record_preparation(village, ("H02", 60_000), ("H03", 30_000))
    factories.settle(village, EVENING)
    [facts] = list_booking_facts(db.session(), [village.departure_id])[village.departure_id]
    left = 22_500 - facts.payment_fee_satang
    paid = earned(village)
    assert paid["H02"] + paid["H03"] == left
    assert abs(paid["H02"] - 2 * paid["H03"]) <= 2
    assert faults(village) == []


def test_guests_who_came_pay_for_no_preparation(village):
    came = factories.book(village)
    cancelled(village, {"ADULT": 1})
    factories.record_preparation(village, ("H03", 999_999))
    factories.record_work(village, ("H01", "boat", 1))
    factories.settle(village, EVENING)
    facts = list_booking_facts(db.session(), [village.departure_id])[village.departure_id]
    assert [each.preparation_satang for each in facts if each.reference == came] == [0]
    kinds = {
        leg.rule
        for entry in stream_entries(db.session(), village.card.book_id)
        for leg in entry.draft.legs
        if leg.target == "household:H03"
    }
    assert kinds == {"preparation"}
    assert faults(village) == []


def test_several_cancelled_bookings_are_drawn_on_in_their_order(village):
    for adults in (1, 2, 3):
        cancelled(village, {"ADULT": adults})
    factories.record_preparation(village, ("H02", 50_000))
    factories.record_work(village, ("H01", "boat", 1))
    facts = list_booking_facts(db.session(), [village.departure_id])[village.departure_id]
    parts = [each.preparation_satang for each in facts]
    assert sum(parts) == 50_000
    assert parts[0] == 22_500 - facts[0].payment_fee_satang
    assert parts[2] == 0
    factories.settle(village, EVENING)
    assert faults(village) == []


def test_a_booking_that_got_everything_back_leaves_nothing_to_settle(app):
    village = factories.make_village(terms=canonical(Terms("Kind", (Tier(0, 10_000),))))
    cancelled(village)
    factories.record_preparation(village, ("H02", 100))
    with pytest.raises(NothingToSettle):
        factories.settle(village, EVENING)


@pytest.mark.parametrize(
    "rows",
    [[("H99", 100)], [("H01", 0)], [("H01", -5)], [("H01", 10**9)], [("H01", 5), ("H99", 5)]],
)
def test_a_row_that_cannot_be_is_refused_and_nothing_is_written(village, rows):
    with pytest.raises(WorkInvalid):
        factories.record_preparation(village, *rows)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Preparation)) == 0


def test_preparation_is_corrected_until_the_departure_is_settled(village):
    cancelled(village)
    factories.record_preparation(village, ("H02", 100), ("H03", 200))
    factories.record_preparation(village, ("H02", 150))
    factories.record_work(village, ("H01", "boat", 1))
    factories.settle(village, EVENING)
    assert earned(village)["H02"] == 150
    with pytest.raises(AlreadySettled):
        factories.record_preparation(village, ("H02", 1))
    stranger = factories.make_village()
    with pytest.raises(DepartureUnknown):
        factories.record_preparation(
            factories.replace(stranger, departure_id=village.departure_id), ("H02", 1)
        )
