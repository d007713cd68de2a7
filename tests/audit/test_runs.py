"""Runs of the audit are kept: by the worker each night and by mentors, and nobody changes one."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from cbt.audit import run_text, runs
from cbt.audit.findings import Check, Outcome
from cbt.audit.models import AuditRun
from cbt.audit.risks import RiskCode
from cbt.db import db, transaction
from cbt.errors import NotFound
from cbt.revenue.policy_rules import Verdict
from tests import factories
from tests.revenue.closing import (
    AFTER,
    DECEMBER,
    NOVEMBER,
    close_month,
    make_office,
    worked_month,
)
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

VILLAGE = ZoneInfo("Asia/Bangkok")


@pytest.fixture
def office(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    return office


def count():
    db.session.rollback()
    return db.session.scalar(select(func.count(AuditRun.id)))


def latest(office, nth=0):
    db.session.rollback()
    return runs.list_latest_runs(db.session(), office.id)[nth]


def test_a_run_is_kept_with_what_each_check_looked_at_and_up_to_which_entry(office):
    run_id = runs.record_run(office.id, NOVEMBER, office.mentor, AFTER)
    kept = latest(office)
    assert (kept.id, kept.is_whole) == (run_id, True)
    run = kept.run
    assert (run.month, run.by, run.at) == (NOVEMBER, office.mentor, AFTER)
    assert run.is_clean
    by_check = {outcome.check: outcome.looked_at for outcome in run.outcomes}
    assert set(by_check) == set(Check)
    assert by_check[Check.CHAIN] == run.entries == run.least[Check.CHAIN]
    assert by_check[Check.SPLITS] == run.least[Check.SPLITS] == 3
    assert all(by_check[check] >= least for check, least in run.least.items())
    row = db.session.get(AuditRun, run_id)
    assert (row.head_seq, row.problems, row.looked_at) == (run.entries, 0, run.looked_at)
    assert run_text.digest(row.text) == row.digest


def test_a_run_of_a_month_that_is_not_closed_is_refused_and_nothing_is_kept(office):
    with pytest.raises(NotFound):
        runs.record_run(office.id, DECEMBER, office.mentor, AFTER)
    assert count() == 0


def test_a_kept_run_cannot_be_changed_and_a_changed_one_is_seen(office):
    runs.record_run(office.id, None, office.mentor, AFTER)
    for statement in ("UPDATE audit_run SET problems = 1", "DELETE FROM audit_run"):
        with pytest.raises(DBAPIError), transaction() as session:
            session.execute(text(statement))
    assert count() == 1
    drop_triggers("audit_run")
    tamper("UPDATE audit_run SET text = replace(text, 'entries:', 'entries:1')")
    assert not latest(office).is_whole


@pytest.mark.parametrize("wrong", ["nothing", "cbt-audit-run/1\ncheck:{}\n", ""])
def test_a_kept_run_that_cannot_be_read_any_more_is_no_pass(office, wrong):
    runs.record_run(office.id, None, office.mentor, AFTER)
    drop_triggers("audit_run")
    tamper("UPDATE audit_run SET text = :wrong", wrong=wrong)
    kept = latest(office)
    assert not kept.is_whole
    assert not kept.run.is_clean


def test_the_database_refuses_a_run_that_saw_nothing_and_counts_as_clean(office):
    values = {
        "community_id": office.id,
        "made_at": AFTER,
        "head_seq": 0,
        "looked_at": 0,
        "problems": 0,
        "text": "",
        "digest": "",
    }
    with pytest.raises(DBAPIError), transaction() as session:
        session.execute(insert(AuditRun), values)
    assert count() == 0


def test_a_run_that_saw_nothing_is_kept_as_one_that_found_a_fault_in_each_check(app, monkeypatch):
    """Whatever makes every check see nothing, it is no pass."""
    village = factories.make_village()
    empty = tuple(Outcome(check, 0, ()) for check in Check)
    monkeypatch.setattr(runs, "verify", lambda _session, _community: empty)
    run_id = runs.record_run(village.id, None, None, NOW)
    row = db.session.get(AuditRun, run_id)
    assert (row.looked_at, row.problems) == (0, len(Check))
    assert not runs.get_run(db.session(), village.id, run_id).run.is_clean


def test_a_run_of_another_community_does_not_exist_for_this_one(office):
    run_id = runs.record_run(office.id, None, office.mentor, AFTER)
    other = factories.make_community()
    with pytest.raises(NotFound):
        runs.get_run(db.session(), other, run_id)


def test_what_was_found_and_what_is_gone_is_told_against_the_run_before(office):
    runs.record_run(office.id, None, office.mentor, AFTER)
    tamper("UPDATE service_record SET units = units + 1")
    runs.record_run(office.id, None, office.mentor, AFTER + timedelta(hours=1))
    told = run_text.changes(latest(office, 1).run, latest(office).run)
    assert {check for check, _found in told.found} >= {Check.SHARING}
    assert told.gone == ()
    assert latest(office).run.faults == len(told.found)
    tamper("UPDATE service_record SET units = units - 1")
    runs.record_run(office.id, None, office.mentor, AFTER + timedelta(hours=2))
    back = run_text.changes(latest(office, 1).run, latest(office).run)
    assert back.found == ()
    assert len(back.gone) == len(told.found)
    assert latest(office).run.is_clean


# --- each night ----------------------------------------------------------------------------------


def test_the_worker_audits_each_community_once_a_night(app):
    first, second = factories.make_village(), factories.make_village()
    evening = datetime(2026, 11, 24, 23, 0, tzinfo=VILLAGE)
    assert runs.audit_due(evening) == [first.slug, second.slug]
    assert runs.audit_due(evening + timedelta(minutes=5)) == []
    assert runs.audit_due(datetime(2026, 11, 25, 1, 59, tzinfo=VILLAGE)) == []
    night = datetime(2026, 11, 25, 2, 0, tzinfo=VILLAGE)
    assert runs.audit_due(night) == [first.slug, second.slug]
    assert runs.audit_due(night + timedelta(hours=20)) == []
    assert count() == 4
    made_by = set(db.session.scalars(select(AuditRun.made_by)))
    assert made_by == {None}


def test_a_mentors_run_does_not_replace_that_of_the_night(app):
    village = factories.make_village()
    runs.record_run(village.id, None, village.person_id, NOW)
    assert runs.audit_due(NOW) == [village.slug]


def test_the_worker_takes_a_few_at_a_time_those_first_that_wait_longest(app, monkeypatch):
    monkeypatch.setattr(runs, "MOST_AT_ONCE", 2)
    slugs = [factories.make_village().slug for _each in range(3)]
    assert runs.audit_due(NOW) == slugs[:2]
    assert runs.audit_due(NOW) == slugs[2:]
    assert runs.audit_due(NOW + timedelta(days=1)) == slugs[:2]


# --- what to look at first -----------------------------------------------------------------------


def risks(office):
    return {each.code: each for each in latest(office).run.risks}


def test_the_numbers_of_the_last_closed_month_are_kept_with_the_run(office):
    runs.record_run(office.id, None, office.mentor, AFTER)
    assert latest(office).run.risks_of == NOVEMBER
    found = risks(office)
    assert set(found) == set(RiskCode)
    assert found[RiskCode.REFUNDS_AFTER].values["looked_at"] == 3
    assert found[RiskCode.CASH].verdict == Verdict.PASS  # paid by the pretended provider
    assert found[RiskCode.CASH].values["cash_satang"] == 0
    assert found[RiskCode.DUTIES].values == {"looked_at": 1, "same_person": 0, "two_offices": 0}
    assert found[RiskCode.WORK_ALONE].values == {"looked_at": 1, "alone": 0}
    earned = dict(
        db.session.execute(
            text(
                "SELECT h.code, s.earned_satang FROM household_statement s"
                " JOIN household h ON h.id = s.household_id"
            )
        ).all()
    )
    largest = found[RiskCode.ONE_HOUSEHOLD].values["largest_satang"]
    assert largest == max(earned.values()) > 0


def test_who_holds_both_offices_is_counted(office):
    from cbt.people import services as people
    from cbt.people.roles import Grant, Role

    people.grant_role(office.treasurer, Grant(Role.COORDINATOR, office.id), NOW)
    runs.record_run(office.id, None, office.mentor, AFTER)
    assert risks(office)[RiskCode.DUTIES].verdict == Verdict.FAIL
    assert latest(office).run.risks[0].code == RiskCode.DUTIES


def test_work_that_nobody_confirmed_is_counted(office):
    drop_triggers("work_confirmation")
    tamper("DELETE FROM work_confirmation")
    runs.record_run(office.id, None, office.mentor, AFTER)
    assert risks(office)[RiskCode.WORK_ALONE].values == {"looked_at": 1, "alone": 1}
