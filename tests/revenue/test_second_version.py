"""Trips sold under policies of the second version: settled, explained, audited."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from cbt.audit.findings import Fault
from cbt.audit.verify import verify
from cbt.communities import chart
from cbt.db import db, transaction
from cbt.errors import NobodyToShare
from cbt.ledger.queries import balances, list_entries_about
from cbt.revenue import posting, queries
from cbt.revenue import services as revenue
from cbt.revenue.frozen import shares_of
from cbt.revenue.policy import DEFAULT, Bucket, DividendRule, Limits, ProviderRule
from cbt.revenue.posting import SharingFacts, household_totals, share_dividends, sharing_legs
from cbt.revenue.sharing import Work
from cbt.revenue.statements import explain
from tests import factories
from tests.revenue.test_proposals import adopt, propose
from tests.site import NOW

EVENING = NOW + timedelta(days=2)
RICH = replace(
    DEFAULT,
    version=2,
    shares={**DEFAULT.shares, Bucket.PROVIDER: 7_000, Bucket.DIVIDEND: 800},
    fixed={Bucket.WELFARE: 2_000},
    limits={Bucket.REVOLVE: Limits(cap_satang=1_000)},
    provider_rule=ProviderRule.RATES_FIRST,
    surplus=Bucket.DEVELOP,
    rates={task: rate // 4 for task, rate in DEFAULT.rates.items()},
    dividend_rule=DividendRule.EQUAL,
)


@pytest.fixture
def village(app):
    return factories.make_village(policy=RICH)


def settle(village):
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 2))
    factories.settle(village, EVENING)


def legs(village):
    subject = posting.departure_subject(village.departure_id)
    entries = list_entries_about(db.session(), village.card.book_id, subject)
    return [(leg.source, leg.target, leg.amount_satang, leg.rule) for leg in entries[0].draft.legs]


def test_money_flows_as_the_text_says_and_the_audit_agrees(village):
    """Two adults at 450: 900.00, insurance 40.00, fee 15.89, fixed 20.00; 824.11 are shared out."""
    factories.book(village)
    settle(village)
    standing = balances(db.session(), village.card.book_id)
    assert standing[chart.fund("welfare")] == 2_000 + 82_411 * 500 // 10_000
    assert standing[chart.fund("revolve")] == 1_000
    assert standing[chart.PROVIDER_POOL] == standing[chart.DIVIDEND_POOL] == 0
    assert [amount for *_way, amount, rule in legs(village) if rule == "rates_first"] == [
        *(15_000, 10_000, 7_500),
    ]
    surplus = [amount for *_way, amount, rule in legs(village) if rule == "surplus"]
    dividend = [amount for *_way, amount, rule in legs(village) if rule == "dividend:equal"]
    assert sum(dividend) == 82_411 * 800 // 10_000
    assert len(dividend) == 5
    assert max(dividend) - min(dividend) <= 1
    assert standing[chart.fund("develop")] == 82_411 * 200 // 10_000 + surplus[0]
    findings = [each for outcome in verify(db.session(), village.card) for each in outcome.findings]
    assert findings == []


def test_what_is_shown_before_settling_is_what_is_posted(village):
    factories.book(village)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 2))
    shown = revenue.preview_settlement(village.id, village.departure_id)
    assert set(shown.surpluses) == {Bucket.DEVELOP}
    assert shown.dividend_satang == 82_411 * 800 // 10_000
    factories.settle(village, EVENING)
    posted = sum(amount for *_way, amount, _rule in legs(village))
    assert sum(shown.households.values()) + sum(shown.surpluses.values()) == posted


def test_every_household_can_read_why(village):
    factories.book(village)
    settle(village)
    book_id = village.card.book_id
    worked = explain(db.session(), village.id, book_id, "H01", village.departure_id)
    assert worked.posted_satang == worked.computed_satang
    assert (worked.steps[0].agreed_satang, worked.steps[0].surplus) == (15_000, Bucket.DEVELOP)
    assert worked.steps[0].divided_satang == 0
    owning = explain(db.session(), village.id, book_id, "H05", village.departure_id)
    assert owning.posted_satang == owning.owned[0].amount_satang > 0
    assert (owning.owned[0].weight, owning.owned[0].whole) == (1, 5)


def test_two_policies_on_one_trip_pay_no_work_twice(village):
    factories.book(village)
    boats = replace(
        RICH, name="other", surplus=Bucket.PROVIDER, dividend_rule=DividendRule.BY_SHARES
    )
    other = factories.adopt(
        village.id,
        boats,
        effective_from=NOW.date() - timedelta(days=1),
        recorded_at=NOW - timedelta(days=30),
    )
    factories.book(replace(village, policy_id=other), {"ADULT": 4})
    settle(village)
    facts = posting_facts(village)
    agreed = [shared.agreed for _policy, shared in posting.share_out(facts)]
    for code, whole in (("H01", 15_000), ("H02", 10_000), ("H03", 7_500)):
        assert whole - len(agreed) < sum(each[code] for each in agreed) <= whole
    outcomes = verify(db.session(), village.card)
    sharing = [
        each for outcome in outcomes if outcome.check == "sharing" for each in outcome.findings
    ]
    assert sharing == []


def posting_facts(village):
    settlement = queries.find_settlement(db.session(), village.departure_id)
    about = {village.departure_id: (settlement.number, settlement.service_on)}
    return queries.list_sharing_facts(db.session(), about)[village.departure_id]


def test_a_dispute_holds_back_every_part_that_its_money_became(village):
    reference = factories.book(village)
    settle(village)
    booking = queries.get_booking_facts(db.session(), village.departure_id, reference)
    shares = shares_of(booking, posting_facts(village))
    inside = booking.captured_satang - booking.payment_fee_satang - 4_000
    assert sum(shares.values()) == inside
    assert shares[chart.household("H05")] > 0
    assert shares[chart.fund("develop")] > 82_411 * 200 // 10_000


# --- dividends -------------------------------------------------------------------------------------


def facts_of(**changes):
    facts = SharingFacts(
        departure_id=1,
        service_on=NOW.date(),
        number=1,
        pools=((RICH, 10_000),),
        work=(Work("H01", "boat", 1, 60),),
        register=("H01",),
        dividends=((replace(RICH, dividend_rule=DividendRule.BY_SHARES), 1_001),),
        shares=(("H02", 3), ("H04", 1)),
        members=("H01", "H02", "H03", "H04"),
    )
    return replace(facts, **changes)


def test_a_dividend_follows_the_shares_held():
    [dividend] = share_dividends(facts_of())
    assert dividend.parts == {"H02": 751, "H04": 250}
    assert {leg.rule for leg in sharing_legs(facts_of())} == {"rates_first", "dividend:by_shares"}


def test_what_nobody_holds_shares_of_belongs_to_all_alike():
    [dividend] = share_dividends(facts_of(shares=(("H02", 0),)))
    assert not dividend.is_by_shares
    assert sum(dividend.parts.values()) == 1_001
    assert dividend.parts == {"H01": 250, "H02": 251, "H03": 250, "H04": 250}


def test_without_a_member_there_is_nobody_to_pay_a_dividend_to():
    with pytest.raises(NobodyToShare):
        household_totals(facts_of(shares=(), members=()))
    assert household_totals(facts_of(shares=(), members=(), dividends=((RICH, 0),))) == {
        "H01": 10_000
    }


def test_a_dividend_changes_the_facts_text_and_none_leaves_it_as_it_was():
    with_it = posting.sharing_input(facts_of())
    assert "share:H02:3\nshare:H04:1\nmembers:H01,H02,H03,H04\n" in with_it
    without = posting.sharing_input(facts_of(dividends=((RICH, 0),)))
    assert without == posting.sharing_input(facts_of(dividends=(), shares=(), members=()))


# --- the audit sees what is changed ---------------------------------------------------------------


def faults(village, check):
    db.session.rollback()
    outcomes = {outcome.check: outcome for outcome in verify(db.session(), village.card)}
    return {finding.fault for finding in outcomes[check].findings}


def without_triggers(*statements):
    """Change the records as somebody who owns the database could."""
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in ("leg", "minutes_file", "policy_proposal"):
                session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        else:
            for table in ("leg", "minutes_file", "policy_proposal"):
                session.execute(text(f"DROP TRIGGER {table}_refuses_update"))
        for statement in statements:
            session.execute(text(statement))


def test_a_satang_of_a_dividend_moved_between_two_households_is_seen(village):
    factories.book(village)
    settle(village)
    legs = "(SELECT {}(line) FROM leg WHERE rule = 'dividend:equal')"
    without_triggers(
        f"UPDATE leg SET amount_satang = amount_satang - 1 WHERE line = {legs.format('min')}"
        " AND rule = 'dividend:equal'",
        f"UPDATE leg SET amount_satang = amount_satang + 1 WHERE line = {legs.format('max')}"
        " AND rule = 'dividend:equal'",
    )
    assert Fault.AMOUNT_DIFFERS in faults(village, "sharing")


def test_a_household_put_off_the_register_of_that_day_is_seen(village):
    factories.book(village)
    settle(village)
    without_triggers("UPDATE household SET active_from = '2030-01-01' WHERE code = 'H05'")
    assert Fault.FACTS_CHANGED in faults(village, "sharing")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE minutes_file SET body = :body", Fault.MINUTES_CHANGED),
        ("UPDATE policy_proposal SET text = 'another'", Fault.PROPOSAL_DIFFERS),
    ],
    ids=["minutes", "proposal"],
)
def test_a_resolution_changed_afterwards_is_seen(village, statement, fault):
    adopt(village, propose(village))
    assert faults(village, "policies") == set()
    without_triggers(statement.replace(":body", "x'00'" if is_sqlite() else "'x'::bytea"))
    assert faults(village, "policies") == {fault}


def is_sqlite():
    return db.engine.dialect.name == "sqlite"
