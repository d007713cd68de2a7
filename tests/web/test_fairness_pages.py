"""Minimum wages on the caretaker's page; a household's consent to be counted, on its own page alone."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.clock import utc_now
from cbt.communities.models import MinimumWage, VulnerableHousehold
from cbt.communities.queries import get_household
from cbt.db import db
from cbt.people.roles import Grant, Role
from tests import factories
from tests.web.forms import a_browser, post

AT = "/en/admin/wages"


@pytest.fixture
def village(app):
    return factories.make_village()


def counted(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def record(client, **changes):
    fields = {"province": "94", "daily": "352", "effective_on": "2026-01-01", "source": "notice 13"}
    return post(client, AT, **(fields | changes))


def test_the_caretaker_records_wages_and_reads_their_history(app, village):
    admin = a_browser(app, "caretaker", Grant(Role.ADMIN, None))
    assert AT in admin.get("/en/admin").text, "one tap from the platform's page"
    assert record(admin).status_code == 303
    assert record(admin, daily="355.50").status_code == 303
    page = admin.get(AT).text
    assert "352" in page
    assert "355.50" in page
    assert "notice 13" in page
    assert counted(MinimumWage) == 2
    assert '<html lang="th"' in admin.get("/th/admin/wages").text


@pytest.mark.parametrize(
    "changes",
    [{"daily": "99"}, {"daily": "many"}, {"source": ""}, {"province": "10"}, {"effective_on": "x"}],
)
def test_a_wage_that_nobody_can_mean_is_explained_and_not_kept(app, village, changes):
    admin = a_browser(app, "caretaker", Grant(Role.ADMIN, None))
    answer = record(admin, **changes)
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert counted(MinimumWage) == 0


def test_a_household_agrees_and_takes_it_back_and_nobody_else_sees_it(app, village):
    own_id = get_household(db.session(), village.id, "H01").id
    own = a_browser(app, "of-h01", Grant(Role.HOUSEHOLD, village.id, own_id))
    treasurer = a_browser(app, "treasurer", Grant(Role.TREASURER, village.id))
    at = f"/en/household/{village.slug}/H01/funds"
    until = (utc_now().date() + timedelta(days=90)).isoformat()
    assert post(own, f"{at.removesuffix('/funds')}/counted", at, ends_on=until).status_code == 303
    assert "Your household is counted until" in own.get(at).text
    assert "counted" not in treasurer.get(at).text
    far = (utc_now().date() + timedelta(days=400)).isoformat()
    answer = post(own, f"{at.removesuffix('/funds')}/counted", at, ends_on=far)
    assert answer.status_code == 422
    assert counted(VulnerableHousehold) == 1
    assert post(own, f"{at.removesuffix('/funds')}/counted/end", at).status_code == 303
    assert counted(VulnerableHousehold) == 0
