"""A dividend from the share register to the household's statement, and what the audit says of it.

Shares are issued; one household passes some of its own on. Two trips were sold before that, and one
departs the day before it, one on its day: income follows the share on the day of service.
"""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from sqlalchemy import select

from cbt.audit.drift import exact_shares
from cbt.audit.findings import Check, Fault
from cbt.audit.verify import verify
from cbt.communities.queries import get_household
from cbt.db import db
from cbt.errors import ShareInvalid
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances, list_entries_about
from cbt.revenue import period_queries, posting, queries
from cbt.revenue.statement_text import ItemKind
from cbt.revenue.statements import explain, get_statement
from cbt.revenue.templates import TEMPLATES
from tests import factories
from tests.revenue.closing import NOVEMBER, close_month, make_office
from tests.revenue.coop import DAY, Coop
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

AFTER = DAY + timedelta(days=1)
POOL = 84_411 * 800 // 10_000
"""Two adults at 450 baht: 900.00, insurance 40.00, fee 15.89; 8 per cent of 844.11 are the owners'."""
BEFORE_IT = {"H01": 2_701, "H02": 4_051}
SINCE_IT = {"H01": 2_701, "H02": 2_363, "H03": 1_688}
OWNED = "dividend:by_shares"


@pytest.fixture
def coop(app):
    """Both trips sold, then 25 of H02's 60 shares of 100 passed on to H03 from the second day on."""
    coop = Coop(TEMPLATES["dividend"])
    coop.use(coop.boat)
    coop.change("issue", None, "H01", 40)
    coop.change("issue", None, "H02", 60)
    departure = factories.make_departure(coop.village.option_id, AFTER)
    coop.trips = (coop.village, replace(coop.village, departure_id=departure))
    for each in coop.trips:
        factories.book(each)
    coop.change("transfer", "H02", "H03", 25, on=AFTER)
    for days, each in enumerate(coop.trips, start=2):
        factories.record_work(each, ("H01", "boat", 1))
        factories.settle(each, NOW + timedelta(days=days))
    return coop


def entry_of(village):
    subject = posting.departure_subject(village.departure_id)
    [entry] = list_entries_about(db.session(), village.card.book_id, subject)
    return entry


def owned(village):
    """{household: satang} that a trip's sharing-out posted by shares."""
    return {
        leg.target.removeprefix("household:"): leg.amount_satang
        for leg in entry_of(village).draft.legs
        if leg.rule == OWNED
    }


def faults(coop, check):
    db.session.rollback()
    outcomes = {each.check: each for each in verify(db.session(), coop.village.card)}
    return [(each.fault, each.subject) for each in outcomes[check].findings]


def test_income_follows_the_share_on_the_day_of_service(coop):
    first, second = coop.trips
    assert owned(first) == BEFORE_IT
    assert owned(second) == SINCE_IT
    assert sum(BEFORE_IT.values()) == sum(SINCE_IT.values()) == POOL
    assert balances(db.session(), coop.village.card.book_id)["pool:dividend"] == 0
    db.session.rollback()
    outcomes = verify(db.session(), coop.village.card)
    assert [each for outcome in outcomes for each in outcome.findings] == []


def test_an_owner_who_did_no_work_reads_both_trips_and_the_shares_behind_them(coop):
    household = get_household(db.session(), coop.id, "H02")
    statement = get_statement(db.session(), coop.village.card, household, NOVEMBER)
    assert [
        (line.item.kind, line.item.amount_satang, line.item.rule) for line in statement.lines
    ] == [
        (ItemKind.EARNED, BEFORE_IT["H02"], OWNED),
        (ItemKind.EARNED, SINCE_IT["H02"], OWNED),
    ]
    assert statement.earned_satang == BEFORE_IT["H02"] + SINCE_IT["H02"]
    for village, held in zip(coop.trips, (60, 35), strict=True):
        card = village.card
        why = explain(db.session(), card.id, card.book_id, "H02", village.departure_id)
        assert (why.owned[0].weight, why.owned[0].whole) == (held, 100)
        assert (why.owned[0].pool_satang, why.owned[0].is_by_shares) == (POOL, True)
        assert why.posted_satang == why.computed_satang == why.owned[0].amount_satang


def test_who_works_and_owns_gets_a_line_for_each(coop):
    household = get_household(db.session(), coop.id, "H01")
    statement = get_statement(db.session(), coop.village.card, household, NOVEMBER)
    assert [line.item.rule for line in statement.lines] == ["by_work", OWNED] * 2


def test_a_closed_statement_holds_the_dividend_for_good(coop):
    office = make_office(coop.village)
    close_month(office)
    [period] = period_queries.list_periods(db.session(), coop.id)
    sealed = {
        each.household: each for each in period_queries.list_statements(db.session(), period.id)
    }
    assert sealed["H03"].earned_satang == SINCE_IT["H03"]
    assert OWNED in sealed["H03"].text
    db.session.rollback()
    outcomes = verify(db.session(), coop.village.card)
    assert [each for outcome in outcomes for each in outcome.findings] == []


def test_what_was_shared_out_is_not_changed_by_a_later_transfer(coop):
    with pytest.raises(ShareInvalid):
        coop.record("transfer", "H01", "H03", 40, on=AFTER)
    coop.change("transfer", "H01", "H03", 40, on=AFTER + timedelta(days=1))
    assert (owned(coop.trips[0]), owned(coop.trips[1])) == (BEFORE_IT, SINCE_IT)
    assert faults(coop, Check.SHARING) == []


def test_the_exact_shares_of_the_owners_are_those_of_the_day(coop):
    trip = coop.trips[1].departure_id
    settlement = queries.find_settlement(db.session(), trip)
    facts = queries.list_sharing_facts(
        db.session(), {trip: (settlement.number, settlement.service_on)}
    )[trip]
    exact = exact_shares(facts)
    assert (exact["H02"], exact["H03"]) == (Fraction(POOL * 35, 100), Fraction(POOL * 25, 100))


# --- what somebody alters behind our back --------------------------------------------------------


def test_a_transfer_that_was_dated_back_is_seen_at_the_trip_that_it_would_have_changed(coop):
    drop_triggers("share_event")
    tamper(
        "UPDATE share_event SET effective_on = :day WHERE kind = 'transfer'",
        day=DAY if db.engine.dialect.name == "postgresql" else DAY.isoformat(),
    )
    first = posting.departure_subject(coop.trips[0].departure_id)
    found = faults(coop, Check.SHARING)
    assert (Fault.FACTS_CHANGED, first) in found
    assert (Fault.AMOUNT_DIFFERS, first) in found
    assert {subject for _fault, subject in found} == {first}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE share_event SET shares = 24 WHERE kind = 'transfer'",
        "DELETE FROM ownership_decision WHERE event_id ="
        " (SELECT id FROM share_event WHERE kind = 'transfer')",
    ],
    ids=["fewer-shares", "never-confirmed"],
)
def test_a_register_that_was_altered_is_seen_at_the_trip_that_it_shared_out(coop, statement):
    drop_triggers("share_event", "ownership_decision")
    tamper(statement)
    second = posting.departure_subject(coop.trips[1].departure_id)
    assert {subject for _fault, subject in faults(coop, Check.SHARING)} == {second}


def test_a_satang_moved_from_one_owner_to_another_is_seen(coop):
    posted = db.session.scalar(
        select(Entry.id).where(
            Entry.kind == "sharing_out",
            Entry.subject == posting.departure_subject(coop.trips[1].departure_id),
        )
    )
    drop_triggers("leg")
    lines = "(SELECT {}(line) FROM leg WHERE entry_id = :id AND rule = 'dividend:by_shares')"
    tamper(
        f"UPDATE leg SET amount_satang = amount_satang - 1 WHERE entry_id = :id AND line = {lines.format('min')}",
        f"UPDATE leg SET amount_satang = amount_satang + 1 WHERE entry_id = :id AND line = {lines.format('max')}",
        id=posted,
    )
    second = posting.departure_subject(coop.trips[1].departure_id)
    assert faults(coop, Check.SHARING) == [(Fault.AMOUNT_DIFFERS, second)] * 2
