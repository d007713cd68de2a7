"""Turns as they are written down, and the work record that is filled in from them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.bookings.queries import get_trip
from cbt.bookings.things import ThingKind
from cbt.communities.rotation import SkipReason, queue
from cbt.db import db
from cbt.errors import NotFound, SecondPersonNeeded, StateForbids, TurnInvalid
from cbt.revenue import turns
from cbt.revenue.policy import Task
from cbt.revenue.records import NewWork
from cbt.revenue.turns import NewTurn
from cbt.revenue.work_models import RotationEvent
from cbt.revenue.work_rules import TurnProblem
from tests import factories
from tests.site import NOW

DAY = NOW.date()
TOMORROW = factories.TOMORROW


class Boats:
    """A village of three households with a boat each, in turn since spring."""

    def __init__(self, village=None):
        self.village = village or factories.make_village(households=3)
        self.id, self.person = self.village.id, self.village.person_id
        for code in self.village.households[:3]:
            self.terms(code, first_on=factories.SPRING)

    def new(self, household, first_on=DAY, last_on=None, task=Task.BOAT):
        return NewTurn(task=task, household=household, first_on=first_on, last_on=last_on)

    def terms(self, household, capacity=1, first_on=DAY, weekdays=range(7), task=Task.BOAT):
        new = self.new(household, first_on, task=task)
        return turns.set_terms(self.id, new, capacity, weekdays, self.person, NOW)

    def skip(self, household, first_on=DAY, last_on=None, reason=SkipReason.SICK):
        new = self.new(household, first_on, last_on)
        return turns.skip(self.id, new, reason, self.person, NOW)

    def names(self, day=DAY):
        db.session.rollback()
        rota = turns.get_rota(db.session(), self.id, Task.BOAT)
        return [each.household for each in queue(rota.events, rota.members, day)]


@pytest.fixture
def boats(app):
    return Boats()


def count():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(RotationEvent))


def test_the_queue_follows_from_the_work_records_at_once(boats):
    assert boats.names() == ["H01", "H02", "H03"]
    factories.book(boats.village)
    factories.record_work(boats.village, ("H01", "boat", 1), ("H02", "cook", 1))
    assert boats.names(TOMORROW) == ["H02", "H03", "H01"]
    factories.record_work(boats.village, ("H02", "boat", 1))
    assert boats.names(TOMORROW) == ["H01", "H03", "H02"]


def test_many_units_of_one_trip_are_no_more_turns_than_the_household_can_take(boats):
    factories.book(boats.village)
    factories.record_work(boats.village, ("H01", "boat", 12))
    rota = turns.get_rota(db.session(), boats.id, Task.BOAT)
    places = queue(rota.events, rota.members, TOMORROW)
    assert {each.household: each.turns for each in places} == {"H01": 1, "H02": 0, "H03": 0}


def test_only_tasks_with_terms_have_turns(boats):
    boats.terms("H02", task=Task.COOK)
    assert turns.list_tasks(db.session(), boats.id) == [Task.BOAT, Task.COOK]


def test_terms_change_from_a_day_on_and_never_backwards(boats):
    boats.terms("H01", capacity=0, first_on=TOMORROW)
    assert boats.names() == ["H01", "H02", "H03"]
    assert boats.names(TOMORROW) == ["H02", "H03"]
    before = count()
    with pytest.raises(TurnInvalid) as refused:
        boats.terms("H02", first_on=DAY - timedelta(days=1))
    assert refused.value.facts == {"problem": TurnProblem.DAY}
    assert count() == before


@pytest.mark.parametrize(
    ("capacity", "weekdays"), [(-1, range(7)), (51, range(7)), (1, []), (1, [7, -1])]
)
def test_terms_that_cannot_be(boats, capacity, weekdays):
    before = count()
    with pytest.raises(TurnInvalid) as refused:
        boats.terms("H01", capacity=capacity, weekdays=weekdays)
    assert refused.value.facts == {"problem": TurnProblem.CAPACITY}
    assert count() == before


def test_a_skip_holds_for_its_days_and_is_taken_back(boats):
    number = boats.skip("H01", DAY, TOMORROW)
    assert boats.names() == boats.names(TOMORROW) == ["H02", "H03"]
    assert boats.names(TOMORROW + timedelta(days=1)) == ["H01", "H02", "H03"]
    turns.withdraw(boats.id, number, boats.person, NOW)
    assert boats.names() == ["H01", "H02", "H03"]
    with pytest.raises(StateForbids):
        turns.withdraw(boats.id, number, boats.person, NOW)


@pytest.mark.parametrize(
    ("first", "last", "reason", "problem"),
    [
        (0, 13, SkipReason.SICK, None),
        (0, 14, SkipReason.SICK, TurnProblem.LONG),
        (0, 0, SkipReason.NONE, None),
        (0, 1, SkipReason.NONE, TurnProblem.LONG),
        (-7, -7, SkipReason.SICK, None),
        (-8, -8, SkipReason.SICK, TurnProblem.DAY),
        (1, 0, SkipReason.SICK, TurnProblem.DAY),
    ],
)
def test_how_long_a_skip_may_last_and_how_late_it_is_noted(boats, first, last, reason, problem):
    days = [DAY + timedelta(days=first), DAY + timedelta(days=last)]
    before = count()
    if problem is None:
        boats.skip("H01", *days, reason)
        assert count() == before + 1
        return
    with pytest.raises(TurnInvalid) as refused:
        boats.skip("H01", *days, reason)
    assert refused.value.facts == {"problem": problem}
    assert count() == before


def test_whoever_is_away_is_not_in_the_queue(boats):
    turns.note_away(boats.id, boats.new("H02", DAY, TOMORROW), boats.person, NOW)
    assert boats.names(TOMORROW) == ["H01", "H03"]
    with pytest.raises(TurnInvalid):
        turns.note_away(boats.id, boats.new("H02", DAY - timedelta(days=1)), boats.person, NOW)


def test_a_swap_counts_once_somebody_else_agreed(boats):
    number = turns.ask_swap(boats.id, boats.new("H01"), "H03", boats.person, NOW)
    assert boats.names() == ["H01", "H02", "H03"]
    with pytest.raises(SecondPersonNeeded):
        turns.agree_swap(boats.id, number, boats.person, NOW)
    other = factories.make_person()
    turns.agree_swap(boats.id, number, other, NOW)
    assert boats.names() == ["H03", "H02", "H01"]
    assert boats.names(TOMORROW) == ["H01", "H02", "H03"]
    with pytest.raises(StateForbids):
        turns.agree_swap(boats.id, number, other, NOW)


def test_a_swap_that_was_taken_back_or_whose_day_is_over_is_not_agreed_to(boats):
    other = factories.make_person()
    number = turns.ask_swap(boats.id, boats.new("H01"), "H03", boats.person, NOW)
    with pytest.raises(TurnInvalid):
        turns.agree_swap(boats.id, number, other, NOW + timedelta(days=1))
    turns.withdraw(boats.id, number, boats.person, NOW)
    with pytest.raises(StateForbids):
        turns.agree_swap(boats.id, number, other, NOW)
    assert boats.names() == ["H01", "H02", "H03"]


@pytest.mark.parametrize("other", ["H01", "H09"])
def test_a_swap_needs_another_household_that_takes_part(boats, other):
    before = count()
    with pytest.raises(TurnInvalid) as refused:
        turns.ask_swap(boats.id, boats.new("H01"), other, boats.person, NOW)
    assert refused.value.facts == {"problem": TurnProblem.PARTNER}
    assert count() == before


def test_another_communitys_turns_are_not_found(boats):
    stranger = factories.make_village()
    number = boats.skip("H01")
    with pytest.raises(NotFound):
        turns.withdraw(stranger.id, number, stranger.person_id, NOW)
    with pytest.raises(NotFound):
        turns.find_turn(db.session(), stranger.id, number)
    with pytest.raises(NotFound):
        boats.skip("H09")


# --- filled in -----------------------------------------------------------------------------------


def filled_in(village):
    db.session.rollback()
    trip = get_trip(db.session(), village.id, village.departure_id)
    return turns.propose_work(db.session(), village.id, trip)


def test_a_record_is_filled_in_by_what_the_trip_holds_and_whose_turn_it_is(app):
    fleet = factories.make_fleet(seats=2)
    boats = Boats(fleet.mangrove)
    assert filled_in(fleet.mangrove) == []
    factories.book(fleet.mangrove, {"ADULT": 4})
    boats.skip("H01", TOMORROW)
    assert filled_in(fleet.mangrove) == [
        NewWork("H02", "boat", 1, 150),
        NewWork("H03", "boat", 1, 150),
        NewWork("", "guide", 1, 150),
    ]


def test_tasks_without_things_are_those_of_the_last_time(app):
    village = factories.make_village(households=3)
    boats = Boats(village)
    boats.terms("H03", task=Task.CRAFT, first_on=factories.SPRING)
    factories.book(village)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "craft", 2))
    later = factories.make_departure(village.option_id, TOMORROW + timedelta(days=1))
    next_time = replace(village, departure_id=later)
    factories.book(next_time, {"ADULT": 3})
    assert filled_in(next_time) == [
        NewWork("H02", "boat", 1, 150),
        NewWork("H03", "craft", 1, 150),
        NewWork("", "craft", 2, 150),
    ]


def test_a_kitchen_that_is_held_asks_for_a_cook(app):
    village = factories.make_village()
    kitchen = factories.make_thing(village.id, "kitchen", ThingKind.KITCHEN, 12)
    factories.set_needs(village, (kitchen, 1, 1, ""))
    factories.book(village)
    assert filled_in(village) == [NewWork("", "cook", 1, 150)]
