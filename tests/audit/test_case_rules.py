"""Who may take which step of a finding, and from where."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit import cases
from cbt.audit.cases import Actor, CaseState, CaseStep, SubjectKind
from cbt.errors import AccusedCloses, CaseInvalid, CbtError, NotAllowed, StateForbids
from cbt.people.roles import MONEY_ROLES, Role
from cbt.revenue.policy_rules import Severity

MENTOR = Actor(1, frozenset({Role.MENTOR}))
TREASURER = Actor(2, frozenset({Role.TREASURER}))
BOTH = Actor(3, frozenset({Role.TREASURER, Role.MENTOR}))
HOUSEHOLD = Actor(4, frozenset({Role.HOUSEHOLD}))
TODAY = date(2026, 12, 3)
ROLES = st.frozensets(st.sampled_from(list(Role)))
STEPS = [CaseStep.ANSWERED, CaseStep.CLOSED, CaseStep.REOPENED]


@pytest.mark.parametrize(
    ("state", "step", "actor", "accused", "refusal"),
    [
        (CaseState.ASKED, CaseStep.ANSWERED, TREASURER, None, None),
        (CaseState.ANSWERED, CaseStep.ANSWERED, TREASURER, None, None),
        (CaseState.CLOSED, CaseStep.ANSWERED, TREASURER, None, StateForbids),
        (CaseState.ASKED, CaseStep.ANSWERED, TREASURER, TREASURER.person_id, None),
        (CaseState.ASKED, CaseStep.ANSWERED, MENTOR, None, NotAllowed),
        (CaseState.ASKED, CaseStep.ANSWERED, HOUSEHOLD, None, NotAllowed),
        (CaseState.ASKED, CaseStep.CLOSED, MENTOR, None, None),
        (CaseState.ANSWERED, CaseStep.CLOSED, MENTOR, None, None),
        (CaseState.CLOSED, CaseStep.CLOSED, MENTOR, None, StateForbids),
        (CaseState.ANSWERED, CaseStep.CLOSED, TREASURER, None, NotAllowed),
        (CaseState.ANSWERED, CaseStep.CLOSED, HOUSEHOLD, None, NotAllowed),
        (CaseState.ANSWERED, CaseStep.CLOSED, BOTH, None, AccusedCloses),
        (CaseState.ANSWERED, CaseStep.CLOSED, MENTOR, MENTOR.person_id, AccusedCloses),
        (CaseState.CLOSED, CaseStep.REOPENED, MENTOR, None, None),
        (CaseState.ANSWERED, CaseStep.REOPENED, MENTOR, None, None),
        (CaseState.ASKED, CaseStep.REOPENED, MENTOR, None, StateForbids),
        (CaseState.CLOSED, CaseStep.REOPENED, TREASURER, None, NotAllowed),
        (CaseState.CLOSED, CaseStep.REOPENED, MENTOR, MENTOR.person_id, AccusedCloses),
    ],
)
def test_who_may_take_which_step(state, step, actor, accused, refusal):
    if refusal is None:
        cases.require_step(state, step, actor, accused)
    else:
        with pytest.raises(refusal):
            cases.require_step(state, step, actor, accused)


@given(st.sampled_from(list(CaseState)), st.sampled_from(STEPS), ROLES, st.booleans())
def test_nobody_of_the_community_and_nobody_named_ever_ends_a_finding(state, step, roles, named):
    actor = Actor(7, roles)
    try:
        cases.require_step(state, step, actor, 7 if named else None)
    except CbtError:
        return
    if step == CaseStep.ANSWERED:
        assert roles & set(MONEY_ROLES)
    else:
        assert roles == {Role.MENTOR}
        assert not named


def test_each_step_leads_to_a_state_from_which_another_goes_on():
    for state, step in product(CaseState, STEPS):
        actor = TREASURER if step == CaseStep.ANSWERED else MENTOR
        try:
            cases.require_step(state, step, actor, None)
        except StateForbids:
            continue
        assert cases.state_after(step) in CaseState
    assert cases.state_after(CaseStep.OPENED) == cases.state_after(CaseStep.REOPENED)


@pytest.mark.parametrize(("days", "fits"), [(0, False), (1, True), (90, True), (91, False)])
def test_an_answer_is_asked_for_within_one_to_ninety_days(days, fits):
    if fits:
        assert cases.answer_by(TODAY, days) == TODAY + timedelta(days=days)
    else:
        with pytest.raises(CaseInvalid):
            cases.answer_by(TODAY, days)


def test_an_answer_is_asked_for_within_thirty_days_unless_said_otherwise():
    assert cases.answer_by(TODAY) == date(2027, 1, 2)


def test_a_finding_is_overdue_from_the_day_after_its_last_one_and_only_while_it_is_asked():
    assert not cases.is_overdue(CaseState.ASKED, TODAY, TODAY)
    assert cases.is_overdue(CaseState.ASKED, TODAY, TODAY + timedelta(days=1))
    for state in (CaseState.ANSWERED, CaseState.CLOSED):
        assert not cases.is_overdue(state, TODAY, TODAY + timedelta(days=1))


def test_overdue_ones_come_first_then_the_grave_and_ended_ones_last():
    late, soon = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    ordered = [
        (CaseState.ASKED, Severity.ERROR, late),
        (CaseState.ASKED, Severity.ADVICE, late),
        (CaseState.ASKED, Severity.ERROR, soon),
        (CaseState.ANSWERED, Severity.WARNING, late),
        (CaseState.ASKED, Severity.WARNING, soon),
        (CaseState.CLOSED, Severity.ERROR, late),
    ]
    keys = [cases.urgency(*each, TODAY) for each in ordered]
    assert keys == sorted(keys)


@pytest.mark.parametrize("text", ["", "booking", "Booking:B", "entry:7", ":7", "people:1"])
def test_a_finding_is_about_something_that_we_know(text):
    if text == "booking":
        assert cases.read_subject(text) == (SubjectKind.BOOKING, "")
        return
    with pytest.raises(CaseInvalid):
        cases.read_subject(text)


@pytest.mark.parametrize(
    ("found", "about"),
    [
        ("booking:B-2C4D6F", "booking:B-2C4D6F"),
        ("departure:7", "departure:7"),
        ("period:2026-11", "period:2026-11"),
        ("entry:12", "book"),
        ("account:pool:provider", "book"),
        ("book", "book"),
        ("slot:boat:2026-11-01:day", "book"),
    ],
)
def test_what_the_machine_found_is_about_a_thing_that_people_know(found, about):
    assert cases.subject_of(found) == about
