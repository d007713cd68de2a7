"""Days on which the village rests: what they close, and what opens again when they end."""

from datetime import date, time, timedelta

import pytest
from sqlalchemy import select

from cbt.bookings import departures
from cbt.bookings.models import Departure
from cbt.communities.models import RestDay
from cbt.db import db
from cbt.experiences import services as experiences
from cbt.experiences.schedule import Rule
from tests import factories
from tests.factories import TOMORROW, text
from tests.site import NOW

LAST = TOMORROW + timedelta(days=3)


@pytest.fixture
def village(app):
    return factories.make_village()


def daily(starts_at):
    return Rule(frozenset(range(7)), frozenset(), starts_at, TOMORROW, LAST)


def rest(village, first_on, last_on):
    departures.add_rest_days(village.id, first_on, last_on, text("rest"), NOW)
    query = select(RestDay.id).order_by(RestDay.id.desc()).limit(1)
    return db.session.scalar(query)


def open_on(village, starts_at) -> list[date]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(Departure.starts_on)
            .where(Departure.option_id == village.option_id, Departure.starts_at == starts_at)
            .where(Departure.state == "open")
            .order_by(Departure.starts_on)
        )
    )


def test_what_a_rule_does_not_plan_any_more_stays_closed_when_a_rest_ends(village):
    rule = experiences.add_rule(village.id, village.option_id, daily(time(15)))
    departures.keep_ready(NOW)
    departures.change_rule(village.id, rule, daily(time(16)), NOW)
    assert (len(open_on(village, time(15))), len(open_on(village, time(16)))) == (0, 4)
    resting = rest(village, TOMORROW, LAST)
    assert open_on(village, time(16)) == []
    departures.end_rest_days(village.id, resting, NOW)
    assert (len(open_on(village, time(15))), len(open_on(village, time(16)))) == (0, 4)


def test_days_on_which_the_village_rests_for_another_reason_stay_closed(village):
    """A departure opened by hand, and two rests that share its day."""
    on, at = LAST, time(17)
    departures.open_departure(village.id, village.option_id, TOMORROW, at)
    departures.open_departures(village.option_id, [on])
    usual = db.session.scalar(select(Departure.starts_at).where(Departure.starts_on == on))
    first, second = rest(village, TOMORROW, LAST), rest(village, LAST, LAST)
    departures.end_rest_days(village.id, first, NOW)
    assert on not in open_on(village, usual)
    departures.end_rest_days(village.id, second, NOW)
    assert on in open_on(village, usual)
