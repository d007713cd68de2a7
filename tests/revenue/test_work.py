"""Work records: what cannot be, who confirms them, what a dispute stops."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from cbt.bookings import queries as bookings
from cbt.bookings.models import Departure
from cbt.communities.models import Household
from cbt.db import db, transaction
from cbt.errors import (
    AlreadySettled,
    DepartureUnknown,
    NotFound,
    NotYetBegun,
    PeriodClosed,
    SecondPersonNeeded,
    StateForbids,
    WordsMissing,
    WorkChanged,
    WorkDisputed,
    WorkInvalid,
    WorkUnconfirmed,
)
from cbt.ledger.models import Entry
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue import services, work
from cbt.revenue.models import ServiceRecord, Settlement
from cbt.revenue.policy import Task
from cbt.revenue.records import NewWork
from cbt.revenue.sharing import Work
from cbt.revenue.work_models import WorkAnswer, WorkConfirmation, WorkDispute
from cbt.revenue.work_rules import (
    LastTime,
    Size,
    Worked,
    choose_answerer,
    find_excess,
    find_too_long,
    minutes_by_day,
    part_hash,
    record_hash,
    turns_needed,
)
from tests import factories
from tests.revenue.closing import close_month, make_office, worked_month
from tests.site import NOW

DAY = factories.TOMORROW
AFTER = NOW + timedelta(days=1)  # the evening of the trip: over for some hours
LATER = NOW + timedelta(days=4)


@pytest.fixture
def village(app):
    village = factories.make_village()
    factories.book(village)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "cook", 2))
    return village


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def record(village):
    db.session.rollback()
    return work.get_record(db.session(), village.departure_id)


def confirm(village, person, now=AFTER, household=None, shown=None):
    found = record(village)
    content = found.content_sha256
    if household is not None and found.part_of(household):
        content = found.part_of(household).content_sha256
    work.confirm(village.id, village.departure_id, shown or content, person, now, household)


def plain_settle(village, now):
    previewed = services.preview_settlement(village.id, village.departure_id).fingerprint
    return services.settle(village.id, village.departure_id, previewed, village.person_id, now)


def write(village, *rows, person=None, now=NOW):
    rows = [NewWork(*row) for row in rows]
    services.record_work(village.id, village.departure_id, rows, person or village.person_id, now)


# --- confirming ----------------------------------------------------------------------------------


def test_a_second_person_confirms_every_part(village):
    second = factories.make_person()
    confirm(village, second)
    assert [each.confirmed_by for each in record(village).parts] == [second, second]
    with pytest.raises(StateForbids):
        confirm(village, second)
    assert count(WorkConfirmation) == 2


def test_who_wrote_it_down_does_not_confirm_it(village):
    with pytest.raises(SecondPersonNeeded):
        confirm(village, village.person_id)
    with pytest.raises(SecondPersonNeeded):
        confirm(village, village.person_id, household="H01")
    assert count(WorkConfirmation) == 0


def test_a_household_confirms_its_own_part_alone(village):
    neighbour = factories.make_person()
    confirm(village, neighbour, household="H02")
    first, second = record(village).parts
    assert (first.is_confirmed, second.is_confirmed, second.is_own) == (False, True, True)
    with pytest.raises(NotFound):
        confirm(village, neighbour, household="H05")


def test_a_change_makes_a_confirmation_stale_and_leaves_the_others(village):
    confirm(village, factories.make_person())
    other = factories.make_person()
    write(village, ("H01", "boat", 1, 60), ("H02", "cook", 3, 60), person=other)
    first, second = record(village).parts
    assert (first.is_confirmed, first.recorded_by) == (True, village.person_id)
    assert (second.is_confirmed, second.was_changed, second.recorded_by) == (False, True, other)
    write(village, ("H02", "cook", 2, 60), ("H01", "boat", 1, 60), person=other)
    assert [each.is_confirmed for each in record(village).parts] == [True, True]


def test_saving_again_makes_nobody_the_recorder(village):
    """Else the first one could confirm what she wrote herself."""
    write(village, ("H01", "boat", 1, 60), ("H02", "cook", 2, 60), person=factories.make_person())
    assert {each.recorded_by for each in record(village).parts} == {village.person_id}
    with pytest.raises(SecondPersonNeeded):
        confirm(village, village.person_id)


def test_what_changed_since_it_was_read_is_not_confirmed(village):
    seen = record(village).content_sha256
    write(village, ("H01", "boat", 2, 60), ("H02", "cook", 2, 60))
    with pytest.raises(WorkChanged):
        confirm(village, factories.make_person(), shown=seen)
    assert count(WorkConfirmation) == 0


def test_a_trip_that_has_not_begun_is_neither_confirmed_nor_disputed(village):
    with pytest.raises(NotYetBegun):
        confirm(village, factories.make_person(), now=NOW)
    with pytest.raises(NotYetBegun):
        dispute(village, now=NOW)
    assert (count(WorkConfirmation), count(WorkDispute)) == (0, 0)


def test_another_community_neither_confirms_nor_disputes_nor_answers(village):
    stranger = factories.make_village()
    intruder = replace(stranger, departure_id=village.departure_id)
    with pytest.raises(DepartureUnknown):
        confirm(intruder, factories.make_person())
    with pytest.raises(DepartureUnknown):
        dispute(intruder)
    number = dispute(village)
    with pytest.raises(NotFound):
        work.answer(stranger.id, number, "No", factories.make_person(), AFTER)


# --- settling ------------------------------------------------------------------------------------


def test_what_is_confirmed_is_settled_at_once(village):
    confirm(village, factories.make_person())
    assert plain_settle(village, AFTER) == 1


def test_what_nobody_confirmed_lies_open_for_two_days(village):
    trip = bookings.get_trip(db.session(), village.id, village.departure_id)
    until = trip.ends_at + timedelta(days=2)
    entries = count(Entry)
    with pytest.raises(WorkUnconfirmed) as refused:
        plain_settle(village, until - timedelta(seconds=1))
    assert refused.value.facts == {"households": "H01, H02", "day": DAY + timedelta(days=2)}
    assert (count(Entry), count(Settlement)) == (entries, 0)
    assert plain_settle(village, until) == 1


def test_a_change_begins_the_two_days_anew(village):
    trip = bookings.get_trip(db.session(), village.id, village.departure_id)
    changed_at = trip.ends_at + timedelta(days=1)
    write(village, ("H01", "boat", 2, 60), ("H02", "cook", 2, 60), now=changed_at)
    with pytest.raises(WorkUnconfirmed) as refused:
        plain_settle(village, trip.ends_at + timedelta(days=2))
    assert refused.value.facts["households"] == "H01, H02"
    assert plain_settle(village, changed_at + timedelta(days=2)) == 1


def test_one_part_without_confirmation_is_enough_to_wait(village):
    confirm(village, factories.make_person(), household="H02")
    with pytest.raises(WorkUnconfirmed) as refused:
        plain_settle(village, AFTER)
    assert refused.value.facts["households"] == "H01"


# --- disputes ------------------------------------------------------------------------------------


def dispute(village, household="H02", reason="Two meals, not one", person=None, now=AFTER):
    raiser = person or factories.make_person()
    return work.dispute(village.id, village.departure_id, household, reason, raiser, now)


def treasurer_of(village):
    person = factories.make_person()
    people.grant_role(person, Grant(Role.TREASURER, village.id), NOW)
    return person


def test_an_open_dispute_stops_settlement_and_names_who_answers_by_when(village):
    treasurer = treasurer_of(village)
    confirm(village, factories.make_person())
    dispute(village)
    [line] = record(village).open_disputes
    assert (line.answerer_id, line.answer_by) == (treasurer, DAY + timedelta(days=7))
    with pytest.raises(WorkDisputed) as refused:
        plain_settle(village, LATER)
    assert refused.value.facts == {"household": "H02", "day": DAY + timedelta(days=7)}
    assert count(Settlement) == 0
    assert [each.id for each in work.list_open_disputes(db.session(), village.id)] == [line.id]


def test_an_answer_by_somebody_else_closes_it(village):
    treasurer = treasurer_of(village)
    raiser = factories.make_person()
    number = dispute(village, person=raiser)
    for person in (village.person_id, raiser):
        with pytest.raises(SecondPersonNeeded):
            work.answer(village.id, number, "It was one", person, AFTER)
    assert count(WorkAnswer) == 0
    work.answer(village.id, number, "You are right, I corrected it", treasurer, AFTER)
    assert record(village).open_disputes == []
    with pytest.raises(StateForbids):
        work.answer(village.id, number, "Again", treasurer, AFTER)
    assert plain_settle(village, LATER) == 1


def test_who_corrects_the_record_may_answer_for_it(village):
    treasurer = treasurer_of(village)
    number = dispute(village)
    write(village, ("H01", "boat", 1, 60), ("H02", "cook", 3, 60), person=treasurer, now=AFTER)
    work.answer(village.id, number, "Corrected", treasurer, AFTER)
    assert record(village).open_disputes == []


def test_a_household_that_was_left_out_may_say_so(village):
    number = dispute(village, "H05", "I cooked too")
    [line] = record(village).open_disputes
    assert (line.id, line.household, line.recorded_by) == (number, "H05", village.person_id)
    assert work.list_departures_of(db.session(), household_id(village, "H05"), DAY, DAY) == [
        village.departure_id
    ]


def test_one_open_dispute_of_a_household_at_a_time(village):
    dispute(village)
    with pytest.raises(StateForbids):
        dispute(village)
    assert count(WorkDispute) == 1


def test_a_disputed_part_is_confirmed_by_nobody_meanwhile(village):
    dispute(village)
    with pytest.raises(WorkDisputed):
        confirm(village, factories.make_person(), household="H02")
    confirm(village, factories.make_person())
    assert [each.is_confirmed for each in record(village).parts] == [True, False]


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 501])
def test_a_dispute_needs_words(village, reason):
    with pytest.raises(WordsMissing):
        dispute(village, reason=reason)
    assert count(WorkDispute) == 0


def test_after_settlement_nothing_is_confirmed_disputed_or_changed(village):
    factories.settle(village, LATER)
    said = count(WorkConfirmation)
    for refused in (
        lambda: confirm(village, factories.make_person(), now=LATER),
        lambda: dispute(village, now=LATER),
        lambda: write(village, ("H01", "boat", 9, 60)),
    ):
        with pytest.raises(AlreadySettled):
            refused()
    assert (count(WorkConfirmation), count(WorkDispute)) == (said, 0)


# --- what cannot be ------------------------------------------------------------------------------


def household_id(village, code):
    return db.session.scalar(
        select(Household.id).where(Household.community_id == village.id, Household.code == code)
    )


def test_after_the_month_was_closed_a_record_stays_as_it_is(app):
    office = make_office()
    worked_month(office)
    later = factories.make_departure(office.village.option_id, DAY + timedelta(days=2))
    nobody_came = replace(office.village, departure_id=later)
    write(nobody_came, ("H01", "boat", 1, 60))
    close_month(office)
    with pytest.raises(PeriodClosed) as refused:
        write(nobody_came, ("H03", "boat", 1, 60))
    assert refused.value.facts == {"on": date(2026, 11, 30)}
    with pytest.raises(PeriodClosed):
        factories.record_preparation(nobody_came, ("H01", 100))
    assert [each.household for each in record(nobody_came).parts] == ["H01"]


def test_money_that_came_in_after_the_close_still_finds_who_earned_it(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    december = factories.make_departure(office.village.option_id, date(2026, 12, 20))
    late = replace(office.village, departure_id=december)
    factories.book(late)
    with transaction() as session:  # as if the guest had come in November and paid only now
        session.execute(
            update(Departure).where(Departure.id == december).values(starts_on=date(2026, 11, 20))
        )
    write(late, ("H03", "boat", 1, 60))
    assert [each.household for each in record(late).parts] == ["H03"]


@pytest.mark.parametrize(
    "days",
    [{"active_until": DAY}, {"active_from": DAY + timedelta(days=1)}],
    ids=["left", "not-yet"],
)
def test_a_household_that_was_no_member_that_day_did_not_work(village, days):
    with transaction() as session:
        session.execute(
            update(Household)
            .where(Household.community_id == village.id, Household.code == "H03")
            .values(**days)
        )
    with pytest.raises(WorkInvalid) as refused:
        write(village, ("H01", "boat", 1, 60), ("H03", "boat", 1, 60))
    assert refused.value.facts == {"row": 2, "problem": "inactive"}
    assert count(ServiceRecord) == 2


def test_nobody_works_more_than_a_day_has_over_all_trips(village):
    other = factories.make_departure(village.option_id, DAY + timedelta(days=1))
    same_day = factories.make_option(village.id)
    evening = replace(village, departure_id=factories.make_departure(same_day, DAY))
    write(village, ("H01", "boat", 1, 1_000), ("H01", "guide", 1, 440), ("H02", "cook", 1, 1_440))
    write(replace(village, departure_id=other), ("H01", "boat", 1, 1_440))
    with pytest.raises(WorkInvalid) as refused:
        write(evening, ("H03", "boat", 1, 1_440), ("H01", "craft", 1, 1))
    assert refused.value.facts == {"row": 2, "problem": "day"}
    with pytest.raises(WorkInvalid) as refused:
        write(village, ("H01", "boat", 1, 1_000), ("H01", "guide", 1, 441))
    assert refused.value.facts == {"row": 2, "problem": "day"}
    assert count(ServiceRecord) == 4


def test_the_work_of_a_stay_spreads_over_its_days(app):
    village = factories.make_village(nights=1, duration_minutes=24 * 60)
    write(village, ("H01", "host", 2, 2_880))
    with pytest.raises(WorkInvalid):
        write(village, ("H01", "host", 2, 2_881))


def test_more_than_the_party_can_have_had_is_pointed_out(village):
    trip = bookings.get_trip(db.session(), village.id, village.departure_id)
    assert work.find_warnings(db.session(), trip) == {}
    write(village, ("H01", "boat", 3, 60), ("H02", "cook", 7, 60))
    assert work.find_warnings(db.session(), trip) == {Task.BOAT: (3, 2), Task.COOK: (7, 6)}


# --- rules ---------------------------------------------------------------------------------------

rows = st.builds(
    Work,
    st.just("H01"),
    st.sampled_from(list(Task)),
    st.integers(1, 20),
    st.integers(0, 500),
)


@given(st.lists(rows, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_hash(work_rows, random):
    shuffled = list(work_rows)
    random.shuffle(shuffled)
    assert part_hash(7, "H01", shuffled) == part_hash(7, "H01", work_rows)


@given(st.lists(rows, min_size=1, max_size=6), st.integers(0, 5), st.integers(1, 9))
def test_any_change_of_a_row_changes_the_hash(work_rows, number, more):
    place = number % len(work_rows)
    row = work_rows[place]
    for changed in (replace(row, units=row.units + more), replace(row, minutes=row.minutes + more)):
        other = [*work_rows[:place], changed, *work_rows[place + 1 :]]
        assert part_hash(7, "H01", other) != part_hash(7, "H01", work_rows)
    assert part_hash(8, "H01", work_rows) != part_hash(7, "H01", work_rows)
    assert part_hash(7, "H02", work_rows) != part_hash(7, "H01", work_rows)
    assert part_hash(7, "H01", work_rows[1:]) != part_hash(7, "H01", work_rows)


def test_a_records_hash_is_that_of_its_parts_in_any_order():
    assert record_hash(["b", "a"]) == record_hash(["a", "b"]) != record_hash(["a"])


@given(st.integers(0, 10_000), st.integers(0, 6))
def test_the_minutes_of_a_trip_sum_up_over_its_days(minutes, days):
    first = date(2026, 1, 30)
    spread = minutes_by_day([Worked("H01", first, first + timedelta(days=days), minutes)])
    assert sum(spread.values()) == minutes
    assert len(spread) == days + 1
    assert max(spread.values()) - min(spread.values()) <= 1


def test_the_first_row_that_is_too_much_is_named():
    day = [Worked("H01", DAY, DAY, 1_440), Worked("H02", DAY, DAY, 1)]
    assert find_too_long(day, []) is None
    assert find_too_long(day, [Worked("H02", DAY, DAY, 1_440)]) == 1
    assert find_too_long(day, [Worked("H02", DAY - timedelta(days=1), DAY, 2_880)]) == 1


@pytest.mark.parametrize(
    ("people", "recorder", "raiser", "chosen"),
    [([1, 2, 3], 1, 9, 2), ([1, 2, 3], 1, 2, 3), ([1], 1, 9, None), ([1, 2], None, 9, 1)],
)
def test_who_answers_neither_recorded_nor_disputes(people, recorder, raiser, chosen):
    assert choose_answerer(people, recorder, raiser) == chosen


def test_boats_are_measured_by_those_that_the_trip_holds():
    boats = [Work("H01", Task.BOAT, 2, 60)]
    assert find_excess(boats, Size(guests=6, nights=0, boats=1)) == {Task.BOAT: (2, 1)}
    assert find_excess(boats, Size(guests=6, nights=0, boats=2)) == {}
    nights = [Work("H01", Task.HOST, 4, 60), Work("H02", Task.COOK, 12, 60)]
    assert find_excess(nights, Size(guests=2, nights=2, boats=0)) == {}
    assert find_excess(nights, Size(guests=2, nights=1, boats=0)) == {Task.HOST: (4, 2)}


def test_what_a_trip_needs_follows_from_what_it_has_and_the_last_time():
    last = LastTime(4, {Task.COOK: 2, Task.CRAB_BANK: 1, Task.BOAT: 9})
    assert turns_needed({Task.BOAT: 2}, last, 6) == {
        Task.BOAT: 2,
        Task.COOK: 3,
        Task.CRAB_BANK: 1,
    }
    assert turns_needed({Task.GUIDE: 1, Task.BOAT: 0}, None, 6) == {Task.GUIDE: 1}
