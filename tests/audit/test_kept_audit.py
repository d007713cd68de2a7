"""An audit's outcome is shown again only while it still says something, and nothing is closed by it."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.audit.closing import KEPT_FOR, latest_audit, run_audit, sum_up
from cbt.audit.models import KeptAudit
from cbt.audit.verify import verify
from cbt.db import db
from cbt.people.roles import Grant, Role
from tests import factories
from tests.concurrency import run_together
from tests.revenue.closing import AFTER, close_month, make_office, worked_month
from tests.tamper import tamper
from tests.web.forms import a_browser, post

SOON = AFTER + timedelta(minutes=1)


@pytest.fixture
def office(app):
    office = make_office()
    worked_month(office)
    return office


def latest(office, now=SOON):
    db.session.rollback()
    return latest_audit(office.card, now)


def test_while_no_entry_came_the_kept_outcome_says_the_same(office):
    first = run_audit(office.card, AFTER)
    again = latest(office)
    assert again == first
    assert again.run_at == AFTER
    assert again.facts == sum_up(db.session(), office.card, verify(db.session(), office.card))
    assert [each.household for each in again.drifts] == ["H01", "H02", "H03"]
    assert all(isinstance(each.exact, Fraction) for each in again.drifts)


def test_without_a_kept_outcome_it_is_run(office):
    assert latest(office).run_at == SOON
    assert latest(office, SOON + timedelta(minutes=1)).run_at == SOON


def test_after_a_later_entry_nothing_kept_is_shown(office):
    run_audit(office.card, AFTER)
    departure = factories.make_departure(
        office.village.option_id, factories.TOMORROW + timedelta(days=1)
    )
    factories.book(replace(office.village, departure_id=departure))
    found = latest(office)
    assert found.run_at == SOON
    assert found.facts.audited_seq > 0


def test_a_fault_that_came_with_a_later_entry_is_never_behind_a_kept_clean(office):
    assert run_audit(office.card, AFTER).facts.is_clean
    tamper("UPDATE book SET head_seq = head_seq + 1")
    found = latest(office)
    assert (found.run_at, found.facts.is_clean) == (SOON, False)


def test_books_that_were_written_anew_have_another_head(office):
    """Whoever recomputes the chain changes its last hash, and so the kept outcome says nothing."""
    run_audit(office.card, AFTER)
    tamper(f"UPDATE book SET head_hash = '{'0' * 64}'")
    assert not latest(office).facts.is_clean


def test_an_old_outcome_is_run_anew(office):
    run_audit(office.card, AFTER)
    assert latest(office, AFTER + KEPT_FOR - timedelta(seconds=1)).run_at == AFTER
    assert latest(office, AFTER + KEPT_FOR).run_at == AFTER + KEPT_FOR


def test_one_of_a_clock_that_was_set_back_is_run_anew(office):
    run_audit(office.card, SOON)
    assert latest(office, AFTER).run_at == AFTER


def test_faults_are_looked_for_anew_each_time_so_that_mended_ones_go(office):
    tamper("UPDATE departure SET claimed = claimed + 1")
    assert not run_audit(office.card, AFTER).facts.is_clean
    assert latest(office).run_at == SOON
    tamper("UPDATE departure SET claimed = claimed - 1")
    assert latest(office).facts.is_clean


def test_one_outcome_is_kept_a_community_also_where_two_run_at_once(app, office):
    both = run_together(app, lambda _n: run_audit(office.card, AFTER), 2)
    assert [each.facts.is_clean for each in both] == [True, True]
    run_audit(make_office().card, AFTER)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(KeptAudit)) == 2


def test_a_month_is_prepared_by_a_new_run_whatever_a_page_showed(app, office):
    """A record changed behind the books, without an entry: the page may not know it for ten minutes."""
    with time_machine.travel(AFTER, tick=True):
        treasurer = a_browser(app, "of-the-audit", Grant(Role.TREASURER, office.id))
        at = f"/en/host/{office.village.slug}/money/close"
        page = treasurer.get(at).text
        assert "It is run anew when you prepare or confirm." in page
        assert "Rounding, household by household" in page
        previewed = page.split('name="previewed" value="')[1].split('"')[0]
        words = {f"why-PRD-{number:02}": "we know" for number in range(1, 16)}
        tamper("UPDATE departure SET claimed = claimed + 1")
        answer = post(treasurer, at, month="2026-11", previewed=previewed, **words)
        assert answer.status_code == 409
        tamper("UPDATE departure SET claimed = claimed - 1")
        answer = post(treasurer, at, month="2026-11", previewed=previewed, **words)
        assert answer.status_code == 303


def test_the_mentors_month_is_audited_anew_at_each_look(app, office):
    with time_machine.travel(AFTER, tick=False):
        close_month(office)
        run_audit(office.card, AFTER)
        mentor = a_browser(app, "mentor-of-runs", Grant(Role.MENTOR, office.id))
        at = f"/en/mentor/{office.village.slug}/months/2026-11"
        assert "The audit, run again just now, finds nothing wrong." in mentor.get(at).text
        tamper("UPDATE departure SET claimed = claimed + 1")
        assert "Do not sign before they are explained." in mentor.get(at).text
