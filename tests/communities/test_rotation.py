"""Whose turn it is: the worked numbers of the page, and what holds for any village."""

import re
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.communities.rotation import (
    ALL_WEEK,
    Away,
    Member,
    NotNow,
    Served,
    Skipped,
    Swapped,
    Terms,
    TurnWhy,
    balance,
    claim,
    not_now,
    propose,
    queue,
)
from cbt.communities.shares import Membership
from cbt.config import ROOT

FIRST = date(2026, 1, 5)  # a Monday


def on(number):
    return FIRST + timedelta(days=number)


def member(code, capacity=1, *, since=FIRST, weekdays=ALL_WEEK, position=None, until=None):
    place = int(code[1:]) if position is None else position
    return Member(code, place, Membership(FIRST, until), (Terms(since, capacity, weekdays),))


def names(places):
    return [each.household for each in places]


def serve(members, days, wanted=1, events=()):
    """A village that follows its queue: `wanted` turns on each of so many days."""
    done = list(events)
    for number in range(days):
        for code, turns in propose(done, members, on(number), wanted).items():
            done.append(Served(code, on(number), turns))
    return done


# --- the page ------------------------------------------------------------------------------------


def tables():
    page = (ROOT / "docs" / "algorithms" / "rotation.md").read_text()
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        yield [
            [cell.strip() for cell in line.strip("|\n").split("|")]
            for line in block.splitlines()[2:]
        ]


QUEUE, BALANCE = tables()
BOATS = [member("H01"), member("H02"), member("H03", 2), member("H04", since=on(6))]
TRIPS = [
    Served("H01", on(0), 1),
    Served("H02", on(1), 1),
    Served("H03", on(2), 2),
    Served("H01", on(3), 1),
]


@pytest.mark.parametrize("row", QUEUE, ids=lambda row: row[0])
def test_the_queue_of_the_page(row):
    place, code, turns, claimed, last, why = row
    found = queue(TRIPS, BOATS, on(9))[int(place) - 1]
    assert (found.household, str(found.turns), str(found.claim), str(found.last_on), found.why) == (
        code,
        turns,
        claimed,
        last,
        why,
    )


def test_the_balance_of_the_page():
    served = [
        *(Served(code, on(number), 1) for number, code in enumerate(["H01", "H02", "H03"] * 2)),
        Served("H01", on(6), 1),
        Served("H01", on(7), 1),
        Served("H02", on(8), 1),
    ]
    found = balance(served, [member("H01"), member("H02"), member("H03")], on(9))
    assert [
        [each.household, str(each.turns), str(each.expected), str(each.level)]
        for each in found.shares
    ] == BALANCE
    assert (found.cycles, found.spread, found.is_fair) == (3, Fraction(2, 3), False)


# --- the order -----------------------------------------------------------------------------------

THREE = [member("H01"), member("H02"), member("H03")]


def test_at_first_the_register_decides():
    found = queue([], THREE, FIRST)
    assert names(found) == ["H01", "H02", "H03"]
    assert {each.why for each in found} == {TurnWhy.REGISTER}


def test_whoever_served_goes_behind_those_who_did_not():
    found = queue([Served("H01", FIRST, 1)], THREE, FIRST)
    assert names(found) == ["H02", "H03", "H01"]
    assert [each.why for each in found] == [TurnWhy.REGISTER, TurnWhy.FEWEST, TurnWhy.FEWEST]


def test_with_equal_turns_whoever_did_not_serve_for_longest_is_next():
    done = [Served("H02", on(0), 1), Served("H01", on(1), 1), Served("H03", on(2), 1)]
    found = queue(done, THREE, on(3))
    assert names(found) == ["H02", "H01", "H03"]
    assert {each.why for each in found} == {TurnWhy.LONGEST}


def test_what_is_yet_to_come_does_not_count():
    assert names(queue([Served("H01", on(5), 1)], THREE, on(4))) == ["H01", "H02", "H03"]


def test_a_household_with_two_boats_serves_twice_as_often():
    done = serve([member("H01"), member("H02", 2)], 30)
    assert Counter(each.household for each in done) == {"H01": 10, "H02": 20}


def test_one_departure_asks_nobody_for_more_than_it_has():
    few = [member("H01"), member("H02", 2)]
    assert propose([], few, FIRST, 3) == {"H01": 1, "H02": 2}
    assert propose([], few, FIRST, 9) == {"H01": 1, "H02": 2}
    assert propose([], few, FIRST, 0) == {}


def test_only_households_that_take_part_that_day_stand_in_the_queue():
    friday = on(4)
    no_fridays = ALL_WEEK & ~(1 << friday.weekday())
    village = [
        member("H01", weekdays=no_fridays),
        member("H02", 0),
        member("H03", until=friday),
        member("H04", since=on(5)),
        member("H05"),
        member("H06"),
        member("H07"),
    ]
    events = [Away("H05", on(3), on(4)), Skipped("H06", on(4), on(4), has_reason=True)]
    assert names(queue(events, village, friday)) == ["H07"]
    reasons = {each.household: not_now(each, events, friday) for each in village}
    assert reasons["H01"] == NotNow.DAY_OFF
    assert reasons["H05"] == NotNow.AWAY
    assert reasons["H06"] == NotNow.SKIPS
    assert reasons["H07"] is None
    found = queue(events, village, on(5))
    assert sorted(names(found)) == ["H01", "H04", "H05", "H06", "H07"]


def test_a_newcomer_is_next_but_is_not_given_all_that_it_missed():
    """The others had fifteen turns each before it came; it gets a few more, and never two in a row."""
    old = [member("H01"), member("H02")]
    done = serve(old, 30)
    village = [*old, member("H03", since=on(30))]
    assert names(queue(done, village, on(30)))[0] == "H03"
    later = [each.household for each in serve_on(village, done, 30, 60)[30:]]
    assert Counter(later) == {"H01": 9, "H02": 9, "H03": 12}
    assert ("H03", "H03") not in set(pairwise(later))


def serve_on(members, events, first, last):
    done = list(events)
    for number in range(first, last):
        for code, turns in propose(done, members, on(number), 1).items():
            done.append(Served(code, on(number), turns))
    return done


def test_a_household_that_was_away_stands_like_a_newcomer():
    done = serve(THREE, 60, events=[Away("H02", on(0), on(29))])
    later = [each for each in done if isinstance(each, Served) and each.on >= on(30)]
    assert Counter(each.household for each in later) == {"H01": 9, "H02": 12, "H03": 9}


def test_a_swap_exchanges_two_places_of_one_day():
    swap = Swapped("H01", "H03", FIRST)
    found = queue([swap], THREE, FIRST)
    assert names(found) == ["H03", "H02", "H01"]
    assert [each.why for each in found] == [TurnWhy.SWAPPED, TurnWhy.REGISTER, TurnWhy.SWAPPED]
    assert propose([swap], THREE, FIRST, 2) == {"H03": 1, "H02": 1}
    assert names(queue([swap, Served("H03", FIRST, 1)], THREE, on(1)))[0] == "H01"


def test_a_swap_with_somebody_who_cannot_serve_changes_nothing():
    events = [Swapped("H01", "H03", FIRST), Away("H03", FIRST, FIRST)]
    assert names(queue(events, THREE, FIRST)) == ["H01", "H02"]


# --- skips ---------------------------------------------------------------------------------------

spans = st.tuples(st.integers(0, 20), st.integers(0, 13))


@given(spans, st.integers(0, 40), st.sampled_from(["H01", "H02", "H03"]), st.integers(1, 10))
def test_a_skip_with_a_reason_costs_no_place_for_longer_than_decided(span, days, code, later):
    first, length = span
    done = serve(THREE, days)
    skip = Skipped(code, on(first), on(first + length), has_reason=True)
    day = on(first + length + later)
    assert queue([*done, skip], THREE, day) == queue(done, THREE, day)


def test_a_skip_without_a_reason_costs_the_turn_and_is_counted():
    skip = Skipped("H01", FIRST, FIRST, has_reason=False)
    assert names(queue([skip], THREE, FIRST)) == ["H02", "H03"]
    assert names(queue([skip, Served("H02", FIRST, 1)], THREE, on(1)))[0] == "H03"
    found = balance([skip, Served("H02", FIRST, 1)], THREE, on(1))
    assert (found.unexplained, found.turns) == (1, 1)
    assert [each.turns for each in found.shares] == [0, 1, 0]


def test_more_than_a_tenth_of_unexplained_skips_is_unfair():
    done = serve(THREE, 30)
    skips = [
        Skipped("H01", on(40 + number), on(40 + number), has_reason=False) for number in range(4)
    ]
    assert balance([*done, *skips[:3]], THREE, on(50)).is_fair is True
    assert balance([*done, *skips], THREE, on(50)).is_fair is False


# --- claims --------------------------------------------------------------------------------------


def test_the_claim_counts_days_of_the_week_terms_and_absences():
    weekend = 0b1100000
    changed = Member(
        "H01",
        1,
        Membership(FIRST, on(21)),
        (Terms(on(14), 2, weekend), Terms(FIRST, 1, ALL_WEEK)),
    )
    assert claim(changed, [], on(13)) == 14
    assert claim(changed, [], on(20)) == 14 + 2 * 2
    assert claim(changed, [], on(40)) == 14 + 2 * 2
    away = [Away("H01", on(3), on(5)), Away("H01", on(5), on(6)), Away("H02", on(0), on(9))]
    assert claim(changed, away, on(13)) == 14 - 4


@given(st.integers(0, 60), st.integers(0, 127), st.lists(spans, max_size=4))
def test_the_claim_is_what_counting_day_by_day_gives(days, weekdays, absences):
    someone = member("H01", 3, weekdays=weekdays)
    away = [Away("H01", on(first), on(first + length)) for first, length in absences]
    slowly = sum(
        3
        for number in range(days + 1)
        if weekdays >> on(number).weekday() & 1
        and not any(each.first_on <= on(number) <= each.last_on for each in away)
    )
    assert claim(someone, away, on(days)) == slowly


# --- any village ---------------------------------------------------------------------------------

villages = st.integers(1, 8).map(lambda size: [member(f"H{n:02}") for n in range(1, size + 1)])


@given(villages, st.integers(1, 40), st.integers(1, 5))
def test_with_equal_capacity_turns_differ_by_at_most_one(village, days, wanted):
    done = serve(village, days, min(wanted, len(village)))
    turns = Counter({each.household: 0 for each in village})
    for each in done:
        turns[each.household] += each.turns
    assert max(turns.values()) - min(turns.values()) <= 1


@given(villages, st.integers(1, 40))
def test_over_complete_cycles_the_spread_of_a_village_that_follows_its_queue_is_zero(village, days):
    found = balance(serve(village, days), village, on(days))
    assert found.cycles == days // len(village)
    assert found.spread == (0 if found.cycles >= 2 else None)
    assert found.is_fair is (True if found.cycles >= 2 else None)


@given(st.lists(st.integers(1, 3), min_size=2, max_size=5), st.integers(1, 60))
def test_turns_follow_capacity_to_within_one_round(capacities, days):
    village = [member(f"H{n:02}", capacity) for n, capacity in enumerate(capacities, start=1)]
    done = serve(village, days)
    turns = Counter(each.household for each in done)
    for each, capacity in zip(village, capacities, strict=True):
        assert abs(turns[each.household] - Fraction(days * capacity, sum(capacities))) < max(
            2, *capacities
        )


@st.composite
def histories(draw):
    """Any events of a village of five, with some who are away, skip and swap."""
    codes = st.sampled_from([f"H{n:02}" for n in range(1, 6)])
    day = st.integers(0, 20).map(on)
    return draw(
        st.lists(
            st.one_of(
                st.builds(Served, codes, day, st.integers(1, 2)),
                st.builds(
                    lambda code, first, has: Skipped(code, first, first, has),
                    codes,
                    day,
                    st.booleans(),
                ),
                st.builds(
                    lambda code, first: Away(code, first, first + timedelta(days=3)), codes, day
                ),
            ),
            max_size=20,
        )
    )


@given(histories(), st.permutations(range(1, 6)))
def test_households_renamed_with_their_keys_stand_in_the_same_order(events, order):
    village = [member(f"H{n:02}", 1 + n % 2) for n in range(1, 6)]
    names_of = {f"H{n:02}": f"X{order[n - 1]}" for n in range(1, 6)}
    renamed = [
        Member(names_of[each.household], each.position, each.membership, each.terms)
        for each in reversed(village)
    ]
    moved = [type(each)(**{**vars(each), "household": names_of[each.household]}) for each in events]
    found = [names_of[code] for code in names(queue(events, village, on(21)))]
    assert names(queue(moved, renamed, on(21))) == found
    assert balance(moved, renamed, on(21)).spread == balance(events, village, on(21)).spread


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_writing_events_down_changes_no_place(events, random):
    village = [member(f"H{n:02}") for n in range(1, 6)]
    shuffled = list(events)
    random.shuffle(shuffled)
    assert queue(shuffled, village, on(21)) == queue(events, village, on(21))
    assert balance(shuffled, village, on(21)) == balance(events, village, on(21))


@given(histories())
def test_expected_turns_sum_to_the_turns_there_were(events):
    village = [member(f"H{n:02}", 1 + n % 2) for n in range(1, 6)]
    found = balance(events, village, on(21))
    assert sum(each.expected for each in found.shares) == found.turns
    assert sum(each.turns for each in found.shares) == found.turns


def test_a_village_where_nobody_takes_part_has_nothing_to_show():
    found = balance([Served("H01", FIRST, 1)], [member("H01", 0)], FIRST)
    assert (found.shares, found.turns, found.spread, found.is_fair) == ((), 0, None, None)
    assert queue([], [], FIRST) == ()
