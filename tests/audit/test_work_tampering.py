"""The audit names what was done to share registers and work records behind the triggers."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from cbt.audit.findings import Check, Fault, is_clean
from cbt.audit.verify import verify
from cbt.db import db, transaction
from cbt.revenue import work
from cbt.revenue.models import Settlement
from tests import factories
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

EVENING = NOW + timedelta(days=2)
TABLES = ("share_event", "ownership_decision", "work_confirmation", "work_answer", "work_dispute")
TABLES = (*TABLES, "settlement", "asset")


@pytest.fixture
def village(app):
    """A settled departure, one of its households' disputes answered, and a boat owned by two."""
    village = factories.make_village()
    factories.book(village)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    second = factories.make_person()
    number = work.dispute(village.id, village.departure_id, "H02", "Two", second, EVENING)
    work.answer(village.id, number, "One", factories.make_person(), EVENING)
    factories.settle(village, EVENING)
    factories.own_boat(village, second)
    db.session.rollback()
    assert is_clean(verify(db.session(), village.card))
    drop_triggers(*TABLES)
    return village


def found(village, check):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [
        (finding.fault, finding.subject)
        for outcome in outcomes
        if outcome.check == check
        for finding in outcome.findings
    ]


def departure(village):
    return f"departure:{village.departure_id}"


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE share_event SET shares = 11 WHERE kind = 'transfer'", id="more"),
        pytest.param("UPDATE share_event SET shares = 3 WHERE kind = 'issue'", id="fewer-issued"),
        pytest.param("UPDATE share_event SET effective_on = '2025-12-31'", id="before-it-began"),
        pytest.param(
            "UPDATE household SET active_from = '2026-06-01' WHERE code = 'H02'", id="no-member"
        ),
        pytest.param("DELETE FROM ownership_decision WHERE event_id = 1", id="decision-gone"),
    ],
)
def test_a_share_register_that_cannot_be(village, statement):
    tamper(statement)
    assert found(village, Check.SHARES) == [(Fault.SHARES_IMPOSSIBLE, "asset:1")]


def test_a_change_of_shares_by_one_person_alone(village):
    tamper(
        "UPDATE ownership_decision SET decided_by = :id WHERE event_id = 2", id=village.person_id
    )
    assert found(village, Check.SHARES) == [(Fault.SHARES_ALONE, "asset:1")]


def test_work_confirmed_by_who_wrote_it_down(village):
    tamper(
        "UPDATE service_record SET recorded_by = (SELECT MIN(confirmed_by) FROM work_confirmation)"
        " WHERE line = 1"
    )
    assert found(village, Check.WORK) == [(Fault.WORK_ALONE, departure(village))]


def test_a_confirmation_taken_away_after_settling_at_once(village):
    tamper("DELETE FROM work_confirmation WHERE household_id = 1")
    assert found(village, Check.WORK) == [(Fault.WORK_UNSEEN, departure(village))]


def test_a_confirmation_of_other_content(village):
    tamper(f"UPDATE work_confirmation SET content_sha256 = '{'0' * 64}' WHERE household_id = 2")
    assert found(village, Check.WORK) == [(Fault.WORK_UNSEEN, departure(village))]


def test_a_record_changed_after_it_was_confirmed_and_settled(village):
    tamper("UPDATE service_record SET units = 9 WHERE line = 1")
    assert found(village, Check.WORK) == [(Fault.WORK_UNSEEN, departure(village))]
    assert (Fault.FACTS_CHANGED, departure(village)) in found(village, Check.SHARING)


def test_an_answer_taken_away_from_a_settled_trip(village):
    tamper("DELETE FROM work_answer")
    assert found(village, Check.WORK) == [(Fault.WORK_DISPUTED, departure(village))]


def test_an_answer_by_who_wrote_the_work_down(village):
    tamper("UPDATE work_answer SET answered_by = :id", id=village.person_id)
    assert found(village, Check.WORK) == [(Fault.ANSWER_ALONE, departure(village))]


def test_work_of_a_household_that_was_no_member(village):
    tamper("UPDATE household SET active_from = '2026-11-25' WHERE code = 'H02'")
    assert found(village, Check.WORK) == [(Fault.WORK_STRANGER, departure(village))]


def test_more_work_than_a_day_has(village):
    tamper("UPDATE service_record SET minutes = 1441 WHERE line = 2")
    assert (Fault.WORK_TOO_LONG, "household:H02") in found(village, Check.WORK)


def test_a_trip_settled_earlier_than_anybody_could_look(village):
    """The settlement's own instant is put back to before the confirmation."""
    at = db.session.scalar(select(Settlement.settled_at)) - timedelta(hours=20)
    with transaction() as session:
        session.execute(Settlement.__table__.update().values(settled_at=at))
    assert set(found(village, Check.WORK)) == {
        (Fault.WORK_UNSEEN, departure(village)),
    }
