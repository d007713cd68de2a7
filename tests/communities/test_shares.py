"""The share register: the sum of events, and nobody below zero on any day."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.communities.shares import (
    MOST_SHARES,
    Membership,
    ShareEvent,
    ShareKind,
    ShareProblem,
    register_on,
    require_event,
)
from cbt.config import ROOT
from cbt.errors import ShareInvalid

FIRST = date(2026, 1, 1)
CODES = ["H01", "H02", "H03"]
MEMBERS = {code: Membership(FIRST, None) for code in CODES}


def issue(to, shares, on=FIRST):
    return ShareEvent(ShareKind.ISSUE, None, to, shares, on)


def transfer(giver, taker, shares, on=FIRST):
    return ShareEvent(ShareKind.TRANSFER, giver, taker, shares, on)


def redeem(giver, shares, on=FIRST):
    return ShareEvent(ShareKind.REDEEM, giver, None, shares, on)


def tables():
    page = (ROOT / "docs" / "algorithms" / "shares.md").read_text()
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        yield [
            [cell.strip() for cell in line.strip("|\n").split("|")]
            for line in block.splitlines()[2:]
        ]


EVENTS, DAYS = tables()
WORKED = [
    ShareEvent(
        ShareKind(kind),
        None if giver == "-" else giver,
        None if taker == "-" else taker,
        int(shares),
        date.fromisoformat(day),
    )
    for day, kind, giver, taker, shares in EVENTS
]


@pytest.mark.parametrize("row", DAYS, ids=lambda row: row[0])
def test_the_register_of_the_page(row):
    held = register_on(WORKED, date.fromisoformat(row[0]))
    assert [str(held.get(code, 0)) for code in CODES] == row[1:4]
    assert str(sum(held.values())) == row[4]


def test_households_stand_in_the_order_of_their_codes_and_nobody_with_nothing():
    held = register_on([issue("H03", 1), issue("H01", 2), issue("H02", 1), redeem("H02", 1)], FIRST)
    assert list(held.items()) == [("H01", 2), ("H03", 1)]


def require(new, events=WORKED, members=MEMBERS, begins_on=FIRST, closed_until=None):
    require_event(events, new, members, begins_on, closed_until)


APRIL = date(2026, 4, 1)


def test_the_refusal_and_the_most_of_the_page():
    with pytest.raises(ShareInvalid) as refused:
        require(redeem("H02", 1, APRIL))
    assert refused.value.facts == {
        "problem": ShareProblem.HELD,
        "household": "H02",
        "on": date(2026, 7, 1),
    }
    require(redeem("H01", 25, APRIL))
    with pytest.raises(ShareInvalid):
        require(redeem("H01", 26, APRIL))


LEAVER = {**MEMBERS, "H03": Membership(FIRST, date(2026, 6, 1))}
LATER = date(2026, 8, 1)


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        pytest.param(issue("H01", 0, LATER), ShareProblem.SHARES, id="nothing"),
        pytest.param(issue("H01", -1, LATER), ShareProblem.SHARES, id="below-zero"),
        pytest.param(issue("H01", MOST_SHARES + 1, LATER), ShareProblem.SHARES, id="too-many"),
        pytest.param(transfer("H01", "H01", 1, LATER), ShareProblem.PARTIES, id="to-itself"),
        pytest.param(
            ShareEvent(ShareKind.ISSUE, "H01", "H02", 1, LATER),
            ShareProblem.PARTIES,
            id="issued-from",
        ),
        pytest.param(
            ShareEvent(ShareKind.REDEEM, None, "H02", 1, LATER),
            ShareProblem.PARTIES,
            id="redeemed-to",
        ),
        pytest.param(
            ShareEvent(ShareKind.TRANSFER, "H01", None, 1, LATER),
            ShareProblem.PARTIES,
            id="to-nobody",
        ),
        pytest.param(redeem("H01", 66, LATER), ShareProblem.HELD, id="more-than-held"),
        pytest.param(redeem("H02", 1, LATER), ShareProblem.HELD, id="nothing-held"),
        pytest.param(issue("H09", 1, LATER), ShareProblem.INACTIVE, id="stranger"),
        pytest.param(issue("H03", 1, LATER), ShareProblem.INACTIVE, id="left"),
        pytest.param(redeem("H09", 1, LATER), ShareProblem.INACTIVE, id="stranger-gives"),
        pytest.param(
            issue("H01", 1, FIRST - timedelta(days=1)), ShareProblem.BEFORE, id="before-founding"
        ),
        pytest.param(issue("H01", 1, date(2026, 7, 31)), ShareProblem.CLOSED, id="shared-out"),
    ],
)
def test_what_a_register_refuses(new, problem):
    with pytest.raises(ShareInvalid) as refused:
        require(new, members=LEAVER, closed_until=date(2026, 7, 31))
    assert refused.value.facts["problem"] == problem


def test_a_leavers_shares_come_back():
    require(redeem("H03", 25, LATER), members=LEAVER)
    require(transfer("H03", "H01", 25, LATER), members=LEAVER)


def test_a_household_takes_no_shares_on_the_day_it_leaves():
    require(issue("H03", 1, date(2026, 5, 31)), members=LEAVER)
    with pytest.raises(ShareInvalid):
        require(issue("H03", 1, date(2026, 6, 1)), members=LEAVER)


def test_in_and_out_on_one_day_count_together():
    events = [transfer("H01", "H02", 5), issue("H01", 5)]
    assert register_on(events, FIRST) == {"H02": 5}


def test_records_that_contradict_themselves_are_named_not_shown():
    with pytest.raises(ShareInvalid) as refused:
        register_on([issue("H01", 5), redeem("H01", 6, APRIL)], LATER)
    assert refused.value.facts["household"] == "H01"
    assert refused.value.facts["on"] == APRIL


# --- any history ---------------------------------------------------------------------------------

days = st.integers(0, 40).map(lambda number: FIRST + timedelta(days=number))
codes = st.sampled_from(CODES)
amounts = st.integers(1, 50)
any_event = st.one_of(
    st.builds(issue, codes, amounts, days),
    st.builds(redeem, codes, amounts, days),
    st.builds(transfer, codes, codes, amounts, days),
)


def accepted(wanted):
    """The events of some wishes that a register takes in, one after the other."""
    events = []
    for new in wanted:
        try:
            require(new, events=events)
        except ShareInvalid:
            continue
        events.append(new)
    return events


@given(st.lists(any_event, max_size=30))
def test_what_was_taken_in_never_leaves_anybody_below_zero(wanted):
    events = accepted(wanted)
    for number in range(42):
        held = register_on(events, FIRST + timedelta(days=number))
        assert all(shares > 0 for shares in held.values())


@given(st.lists(any_event, max_size=30), days)
def test_the_register_is_what_was_issued_less_what_was_redeemed(wanted, day):
    events = [each for each in accepted(wanted) if each.effective_on <= day]
    issued = sum(each.shares for each in events if each.kind == ShareKind.ISSUE)
    redeemed = sum(each.shares for each in events if each.kind == ShareKind.REDEEM)
    assert sum(register_on(events, day).values()) == issued - redeemed


@given(st.lists(any_event, max_size=20), days, st.randoms(use_true_random=False))
def test_the_order_of_writing_changes_nothing(wanted, day, random):
    events = accepted(wanted)
    shuffled = list(events)
    random.shuffle(shuffled)
    assert register_on(shuffled, day) == register_on(events, day)
