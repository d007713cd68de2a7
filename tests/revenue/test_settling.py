"""Adopting policies, recording work and settling, on both databases."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking, get_departure, get_price_parts
from cbt.communities.queries import get_household
from cbt.db import db, transaction
from cbt.errors import (
    AlreadySettled,
    DepartureUnknown,
    FeeNotReported,
    NoPolicyInForce,
    NothingToSettle,
    NotYetDelivered,
    NoWorkRecorded,
    PolicyInvalid,
    PolicyTooEarly,
    PreviewOutdated,
    ResolutionInvalid,
    WorkInvalid,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances, list_entries_about
from cbt.payments import take_in
from cbt.payments.providers.demo import Act, DemoProvider, act
from cbt.payments.queries import list_captures, list_money
from cbt.revenue import queries, services
from cbt.revenue.models import PolicyVersion, ServiceRecord, Settlement
from cbt.revenue.policy import DEFAULT, Bucket, canonical, identity
from cbt.revenue.records import NewWork
from cbt.revenue.statements import explain, get_statement
from tests import factories
from tests.concurrency import run_together
from tests.site import NOW

EVENING = NOW + timedelta(days=2)
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


@pytest.fixture
def village(app):
    return factories.make_village()


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def delivered(village, *parties):
    for party in parties or ({"ADULT": 2}, {"ADULT": 1, "CHILD": 1}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1), ("H03", "guide", 1), ("H02", "cook", 2))
    return village


def test_settling_splits_every_booking_and_shares_the_pool_to_the_satang(village):
    delivered(village)
    assert factories.settle(village, EVENING) == 1
    books = balances(db.session(), village.card.book_id)
    gross = 90_000 + 45_000 + 22_550
    fees = sum(factories.PROVIDERS["demo"].estimate_fee(each) for each in (90_000, 67_550))
    households = {code: books[f"household:{code}"] for code in village.households}
    funds = sum(amount for account, amount in books.items() if account.startswith("fund:"))
    assert books["guest_deposit"] == 0
    assert books["pool:provider"] == 0
    assert books["payment_fee"] == 0
    assert books["outside:insurance"] == 4 * 2_000
    assert sum(households.values()) + funds + 8_000 + fees == gross
    assert books["payment:demo"] == gross - fees
    assert households["H04"] == households["H05"] == 0
    assert households["H01"] > households["H03"] > households["H02"] > 0
    outcomes = verify(db.session(), village.card)
    assert [finding for outcome in outcomes for finding in outcome.findings] == []


def test_the_entries_name_policy_and_facts(village):
    delivered(village, {"ADULT": 2})
    factories.settle(village, EVENING)
    reference = db.session.scalar(select(Entry.subject).where(Entry.kind == "split"))
    [capture, _fee, split] = list_entries_about(db.session(), village.card.book_id, reference)
    assert (capture.draft.kind, split.draft.kind) == ("capture", "split")
    assert split.draft.policy_hash == identity(canonical(DEFAULT))
    assert len(split.draft.input_hash) == 64
    assert split.draft.effective_on == factories.TOMORROW
    assert split.draft.actor == f"person:{village.person_id}"


def test_the_booking_and_the_departure_are_settled_and_closed(village):
    reference = factories.book(village)
    delivered(village)
    factories.settle(village, EVENING)
    assert get_booking(db.session(), reference).state == "settled"
    assert get_departure(db.session(), village.departure_id).state == "settled"


def test_settling_twice_is_refused_and_posts_nothing(village):
    delivered(village)
    factories.settle(village, EVENING)
    entries = count(Entry)
    with pytest.raises(AlreadySettled):
        factories.settle(village, EVENING)
    assert count(Entry) == entries


def test_two_people_settling_at_once_settle_once(app, village):
    delivered(village)
    factories.confirm_work(village, EVENING)
    results = run_together(app, lambda _number: factories.settle(village, EVENING), 5)
    assert sorted(map(str, results)) == ["", "", "", "", "1"]
    assert {type(each) for each in results} == {int, AlreadySettled}
    assert count(Settlement) == 1


def test_settlement_numbers_run_from_one_without_gap(app, village):
    for expected, days in enumerate((0, 2, 3), start=1):
        on = factories.TOMORROW + timedelta(days=days)
        other = replace(village, departure_id=factories.make_departure(village.option_id, on))
        delivered(other)
        assert factories.settle(other, NOW + timedelta(days=9)) == expected


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda v: factories.settle(v, NOW), NotYetDelivered),
        (lambda v: factories.settle(replace(v, departure_id=999), EVENING), DepartureUnknown),
    ],
    ids=["before-the-trip", "unknown"],
)
def test_a_refused_settlement_writes_nothing(village, spoil, error):
    delivered(village)
    entries = count(Entry)
    with pytest.raises(error):
        spoil(village)
    assert (count(Entry), count(Settlement)) == (entries, 0)
    assert village.card.settlements == 0


def test_without_service_records_the_pool_waits(village):
    factories.book(village)
    with pytest.raises(NoWorkRecorded):
        services.preview_settlement(village.id, village.departure_id)
    with pytest.raises(NoWorkRecorded):
        factories.settle(village, EVENING)
    assert get_departure(db.session(), village.departure_id).state == "open"
    assert village.card.settlements == 0


class _Silent(DemoProvider):
    """A provider that has not said yet what it keeps."""

    def fetch(self, receiver, provider_ref, now):
        payment = super().fetch(receiver, provider_ref, now)
        received = tuple(replace(each, fee_satang=None) for each in payment.received)
        return replace(payment, received=received)


def test_until_every_fee_is_known_nothing_is_settled(village):
    delivered(village)
    reference = factories.hold(village)
    attempt = factories.start(reference)
    act(attempt.provider_ref, Act.PAY, attempt.amount_satang, attempt.expires_at, NOW)
    take_in.take_in(attempt.id, {"demo": _Silent()}, NOW)
    factories.confirm_work(village, EVENING)
    entries = count(Entry)
    with pytest.raises(FeeNotReported) as refused:
        services.preview_settlement(village.id, village.departure_id)
    assert refused.value.facts == {"reference": reference}
    with pytest.raises(FeeNotReported):
        services.settle(village.id, village.departure_id, "", village.person_id, EVENING)
    assert (count(Entry), count(Settlement)) == (entries, 0)
    take_in.take_in(attempt.id, factories.PROVIDERS, NOW)
    assert factories.settle(village, EVENING) == 1
    outcomes = verify(db.session(), village.card)
    assert [finding for outcome in outcomes for finding in outcome.findings] == []


def test_without_paid_bookings_there_is_nothing_to_settle(village):
    factories.hold(village)
    factories.record_work(village, ("H01", "boat", 1))
    with pytest.raises(NothingToSettle):
        factories.settle(village, EVENING)
    assert get_departure(db.session(), village.departure_id).state == "open"


def test_another_community_cannot_settle_or_record(village):
    delivered(village)
    stranger = factories.make_village()
    intruder = replace(stranger, departure_id=village.departure_id)
    with pytest.raises(DepartureUnknown):
        factories.settle(intruder, EVENING)
    with pytest.raises(DepartureUnknown):
        factories.record_work(intruder, ("H01", "boat", 1))


def test_the_preview_is_what_settling_posts(village):
    delivered(village)
    preview = services.preview_settlement(village.id, village.departure_id)
    factories.settle(village, EVENING)
    books = balances(db.session(), village.card.book_id)
    assert {code: books[f"household:{code}"] for code in preview.households} == preview.households


def test_what_changed_since_the_preview_is_not_settled_unseen(village):
    delivered(village)
    seen = services.preview_settlement(village.id, village.departure_id).fingerprint
    factories.record_work(village, ("H05", "boat", 9))
    factories.confirm_work(village, EVENING)
    entries = count(Entry)
    with pytest.raises(PreviewOutdated):
        services.settle(village.id, village.departure_id, seen, village.person_id, EVENING)
    assert (count(Entry), count(Settlement)) == (entries, 0)
    assert get_departure(db.session(), village.departure_id).state == "open"


# --- work ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (NewWork("H99", "boat", 1, 60), "household"),
        (NewWork("", "boat", 1, 60), "household"),
        (NewWork("H01", "sleeping", 1, 60), "task"),
        (NewWork("H01", "boat", 0, 60), "units"),
        (NewWork("H01", "boat", -1, 60), "units"),
        (NewWork("H01", "boat", 1_001, 60), "units"),
        (NewWork("H01", "boat", 1, -1), "minutes"),
        (NewWork("H01", "boat", 1, 100_000), "minutes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_impossible_row_is_refused_by_name_and_keeps_what_was_written(village, row, problem):
    factories.record_work(village, ("H01", "boat", 1))
    with pytest.raises(WorkInvalid) as refused:
        services.record_work(
            village.id,
            village.departure_id,
            [NewWork("H02", "guide", 1, 60), row],
            village.person_id,
            NOW,
        )
    assert refused.value.facts == {"row": 2, "problem": problem}
    [kept] = queries.list_work(db.session(), [village.departure_id])[village.departure_id]
    assert (kept.household, kept.task) == ("H01", "boat")


def test_work_can_be_corrected_until_it_is_settled(village):
    delivered(village)
    factories.record_work(village, ("H05", "boat", 3))
    [row] = queries.list_work(db.session(), [village.departure_id])[village.departure_id]
    assert (row.household, row.units) == ("H05", 3)
    factories.settle(village, EVENING)
    with pytest.raises(AlreadySettled):
        factories.record_work(village, ("H01", "boat", 1))
    assert count(ServiceRecord) == 1


# --- policies ------------------------------------------------------------------------------------


def test_a_policy_that_breaks_a_rule_is_not_adopted(village):
    versions = count(PolicyVersion)
    shares = {**DEFAULT.shares, Bucket.WELFARE: 501}
    with pytest.raises(PolicyInvalid):
        factories.adopt(village.id, replace(DEFAULT, shares=shares))
    assert count(PolicyVersion) == versions


@pytest.mark.parametrize("days_after", [-1, 0])
def test_a_policy_never_reaches_back_to_what_could_be_sold_before_it(village, days_after):
    versions = count(PolicyVersion)
    effective_from = NOW.date() + timedelta(days=days_after)
    with pytest.raises(PolicyTooEarly) as refused:
        factories.adopt(village.id, effective_from=effective_from, recorded_at=NOW)
    assert refused.value.facts == {"earliest": NOW.date() + timedelta(days=1)}
    assert count(PolicyVersion) == versions


NO_MAJORITY = [
    {"present": 4, "voted_for": 2},
    {"present": 3, "voted_for": 4},
    {"present": 0, "voted_for": 0},
]


@pytest.mark.parametrize(
    "resolution",
    [
        *NO_MAJORITY,
        {"present": 6},
        {"present": -1, "voted_for": 1},
        {"effective_from": factories.SPRING - timedelta(days=1)},
    ],
)
def test_what_no_meeting_can_have_adopted_is_refused_and_writes_nothing(village, resolution):
    versions = count(PolicyVersion)
    with pytest.raises(ResolutionInvalid) as refused:
        factories.adopt(village.id, **{"effective_from": date(2026, 1, 2), **resolution})
    assert refused.value.facts["problem"]
    assert count(PolicyVersion) == versions


@pytest.mark.parametrize("votes", NO_MAJORITY)
def test_without_a_majority_of_those_present_the_database_refuses(village, votes):
    version = {
        "community_id": village.id,
        "number": 2,
        "text": canonical(DEFAULT),
        "sha256": identity(canonical(DEFAULT)),
        "recorded_at": NOW,
        "adopted_on": factories.SPRING,
        "effective_from": factories.SPRING,
        "meeting": factories.text("meeting"),
        "households": 5,
    }
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(insert(PolicyVersion), {**version, **votes})


def test_before_its_first_day_no_policy_is_in_force(village):
    with pytest.raises(NoPolicyInForce):
        queries.get_policy_in_force(db.session(), village.id, date(2025, 12, 31))


def test_a_new_policy_never_touches_what_was_sold_before_it(village):
    """Two bookings of one trip, sold under two policies, are each split and shared by their own."""
    old = factories.book(village, {"ADULT": 2})
    boats_only = replace(
        DEFAULT,
        name="New",
        shares={**DEFAULT.shares, Bucket.PROVIDER: 7_000, Bucket.WELFARE: 1_300},
        rates={task: rate for task, rate in DEFAULT.rates.items() if task == "boat"},
    )
    new_id = factories.adopt(village.id, boats_only, effective_from=date(2026, 11, 23))
    new = factories.book(replace(village, policy_id=new_id), {"ADULT": 2})
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(village, EVENING)
    book = village.card.book_id
    pools = {}
    for reference in (old, new):
        [_capture, _fee, split] = list_entries_about(db.session(), book, f"booking:{reference}")
        pools[reference] = next(
            leg.amount_satang for leg in split.draft.legs if leg.target == "pool:provider"
        )
    distributable = 90_000 - 4_000 - factories.PROVIDERS["demo"].estimate_fee(90_000)
    assert pools[old] > distributable * 78 // 100 >= pools[old] - 5
    assert pools[new] > distributable * 70 // 100 >= pools[new] - 5
    [entry] = list_entries_about(db.session(), book, f"departure:{village.departure_id}")
    got = {}
    for leg in entry.draft.legs:
        got[leg.target] = got.get(leg.target, 0) + leg.amount_satang
    boat_share_of_old = pools[old] * 60 // 100
    assert abs(got["household:H01"] - (boat_share_of_old + pools[new])) <= 1
    assert sum(got.values()) == sum(pools.values())
    outcomes = [each for each in verify(db.session(), village.card) if each.check != "policies"]
    assert [finding for outcome in outcomes for finding in outcome.findings] == []


# --- statements ----------------------------------------------------------------------------------


def statement_of(village, month):
    household = get_household(db.session(), village.id, "H01")
    return get_statement(db.session(), village.card, household, month)


def test_a_statement_sums_what_the_books_hold_and_each_line_explains_itself(village):
    delivered(village)
    factories.settle(village, EVENING)
    card = village.card
    statement = statement_of(village, NOVEMBER)
    balance = balances(db.session(), card.book_id)["household:H01"]
    assert (statement.opening_satang, statement.closing_satang) == (0, balance)
    [line] = statement.lines
    why = explain(db.session(), card.id, card.book_id, "H01", line.trip.id)
    assert why.posted_satang == why.computed_satang == line.amount_satang == balance
    [step] = why.steps
    assert (step.weight, step.whole) == (60_000, 130_000)
    assert step.rounded_down_satang + step.spare_satang == balance
    captured = sum(
        each.amount_satang
        for each in list_captures(
            db.session(), [get_booking(db.session(), f.reference).id for f, _parts in why.bookings]
        )
    )
    assert captured == sum(facts.captured_satang for facts, _parts in why.bookings) == 157_550


def test_the_next_month_begins_with_what_was_brought_forward(village):
    delivered(village)
    factories.settle(village, EVENING)
    november = statement_of(village, NOVEMBER)
    december = statement_of(village, DECEMBER)
    assert december.opening_satang == november.closing_satang > 0
    assert december.lines == ()


def test_a_booking_told_alone_is_split_as_among_all_of_its_departure(app):
    village = factories.make_village()
    references = [factories.book(village, {"ADULT": number}) for number in (1, 2)]
    every = queries.list_booking_facts(db.session(), [village.departure_id])[village.departure_id]
    for reference, among_all in zip(references, every, strict=True):
        booking = get_booking(db.session(), reference)
        money = list_money(db.session(), [booking.id])[booking.id]
        costs = get_price_parts(db.session(), booking.id).costs
        assert queries.get_paid_facts(db.session(), booking, money, costs) == among_all
        assert among_all.payment_fee_satang > 0
        assert among_all.costs != ()
