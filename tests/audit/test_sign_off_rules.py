"""What stands between a mentor and their signature, each thing alone and at its border."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit.sign_off_rules import (
    Obstacle,
    SignOffFacts,
    find_obstacles,
    is_tie,
    refusing,
    severity_of,
    to_explain,
)
from cbt.revenue.policy_rules import Severity

FREE = SignOffFacts(
    held_role=False,
    took_part=False,
    is_payee=False,
    is_related=False,
    faults=0,
    blind=0,
    open_errors=0,
    late_answers=0,
    sample_size=10,
    looked_at=10,
)


def test_nothing_stands_before_who_comes_from_outside_and_looked_at_everything():
    assert find_obstacles(FREE) == ()
    assert find_obstacles(replace(FREE, sample_size=0, looked_at=0)) == ()  # nothing to look at


@pytest.mark.parametrize(
    ("changes", "obstacle", "severity", "ties"),
    [
        ({"held_role": True}, Obstacle.TIED_ROLE, Severity.ERROR, True),
        ({"took_part": True}, Obstacle.TIED_PART, Severity.ERROR, True),
        ({"is_payee": True}, Obstacle.TIED_PAYEE, Severity.ERROR, True),
        ({"is_related": True}, Obstacle.TIED_FAMILY, Severity.ERROR, True),
        ({"faults": 1}, Obstacle.AUDIT_FAULTS, Severity.ERROR, False),
        ({"blind": 1}, Obstacle.AUDIT_BLIND, Severity.ERROR, False),
        ({"open_errors": 1}, Obstacle.ERRORS_OPEN, Severity.ERROR, False),
        ({"looked_at": 9}, Obstacle.SAMPLE_UNFINISHED, Severity.WARNING, False),
        ({"late_answers": 1}, Obstacle.ANSWERS_LATE, Severity.WARNING, False),
    ],
    ids=str,
)
def test_each_obstacle_alone(changes, obstacle, severity, ties):
    found = find_obstacles(replace(FREE, **changes))
    assert found == (obstacle,)
    assert severity_of(obstacle) == severity
    assert is_tie(obstacle) == ties
    assert bool(refusing(found)) == (severity == Severity.ERROR)
    assert bool(to_explain(found)) == (severity == Severity.WARNING)


@given(
    st.builds(
        SignOffFacts,
        held_role=st.booleans(),
        took_part=st.booleans(),
        is_payee=st.booleans(),
        is_related=st.booleans(),
        faults=st.integers(0, 3),
        blind=st.integers(0, 3),
        open_errors=st.integers(0, 3),
        late_answers=st.integers(0, 3),
        sample_size=st.integers(0, 20),
        looked_at=st.integers(0, 20),
    )
)
def test_obstacles_refuse_or_are_explained_and_none_is_lost(facts):
    found = find_obstacles(facts)
    assert sorted(found, key=list(Obstacle).index) == list(found)
    assert set(refusing(found)) | set(to_explain(found)) == set(found)
    assert not set(refusing(found)) & set(to_explain(found))
    is_tied = facts.held_role or facts.took_part or facts.is_payee or facts.is_related
    assert any(is_tie(each) for each in found) == is_tied
