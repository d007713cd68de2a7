"""A household says that a line is wrong: only that amount waits, and somebody answers by a day."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.communities import chart
from cbt.communities.queries import get_household
from cbt.db import db
from cbt.errors import NoteMissing, NotFound, SecondPersonNeeded, StateForbids
from cbt.revenue import line_disputes
from cbt.revenue.close_facts import StepCode
from cbt.revenue.closed import LineDispute
from cbt.revenue.disputed import held_back, list_frozen
from cbt.revenue.line_disputes import (
    LineStage,
    accept_answer,
    answer_line,
    decide_line,
    dispute_line,
    list_lines,
    tell_mentor,
)
from cbt.revenue.statements import get_statement
from tests import factories
from tests.concurrency import run_together
from tests.revenue.closing import AFTER, NOVEMBER, close_month, looked, make_office, worked_month

WEEK = timedelta(days=8)


@pytest.fixture
def office(app):
    office = make_office()
    worked_month(office)
    return office


@pytest.fixture
def member(office):
    return factories.make_person()


def line_of(office, code="H01"):
    household = get_household(db.session(), office.id, code)
    return get_statement(db.session(), office.card, household, NOVEMBER).lines[0]


def ask(office, member, code="H01", what="I drove the boat twice", now=AFTER, **at):
    db.session.rollback()
    item = line_of(office, code).item
    where = {"entry_seq": item.entry_seq, "leg": item.leg, **at}
    return dispute_line(office.id, code, *where.values(), what, member, now)


def only_one(office):
    db.session.rollback()
    [card] = list_lines(db.session(), office.id)
    return card


def test_only_that_lines_amount_is_held_back(office, member):
    amount = line_of(office).amount_satang
    ask(office, member)
    card = only_one(office)
    assert (card.stage, card.amount_satang) == (LineStage.ASKED, amount)
    assert card.answer_by.isoformat() == "2026-12-10"
    assert held_back(db.session(), office.id) == {chart.household("H01"): amount}
    [frozen] = list_frozen(db.session(), office.id)
    assert frozen.dispute == card


def test_an_answer_that_contents_the_household_frees_it(office, member):
    dispute_id = ask(office, member)
    answer_line(office.id, dispute_id, "You did; we correct it.", office.treasurer, AFTER)
    assert only_one(office).stage == LineStage.ANSWERED
    assert held_back(db.session(), office.id)
    accept_answer(office.id, "H01", dispute_id, AFTER)
    assert only_one(office).stage == LineStage.ACCEPTED
    assert held_back(db.session(), office.id) == {}


def test_the_mentor_decides_when_the_answer_does_not_content(office, member):
    dispute_id = ask(office, member)
    answer_line(office.id, dispute_id, "No.", office.treasurer, AFTER)
    tell_mentor(office.id, "H01", dispute_id, AFTER)
    assert only_one(office).stage == LineStage.WITH_MENTOR
    assert held_back(db.session(), office.id)
    decide_line(office.id, dispute_id, "The record of work is right.", office.mentor, AFTER)
    card = only_one(office)
    assert (card.stage, card.decided_by) == (LineStage.DECIDED, office.mentor)
    assert held_back(db.session(), office.id) == {}


def test_silence_of_a_week_goes_to_the_mentor(office, member):
    dispute_id = ask(office, member)
    with pytest.raises(StateForbids):
        tell_mentor(office.id, "H01", dispute_id, AFTER + timedelta(days=7))
    tell_mentor(office.id, "H01", dispute_id, AFTER + WEEK)
    assert only_one(office).stage == LineStage.WITH_MENTOR


@pytest.mark.parametrize("words", ["", "  \n "])
def test_nothing_is_written_without_words(office, member, words):
    with pytest.raises(NoteMissing):
        ask(office, member, what=words)
    assert db.session.scalar(select(func.count(LineDispute.id))) == 0
    dispute_id = ask(office, member)
    with pytest.raises(NoteMissing):
        answer_line(office.id, dispute_id, words, office.treasurer, AFTER)
    assert only_one(office).stage == LineStage.ASKED


def test_a_line_of_another_household_cannot_be_disputed(office, member):
    theirs = line_of(office, "H02").item
    with pytest.raises(NotFound):
        ask(office, member, entry_seq=theirs.entry_seq, leg=theirs.leg)
    for at in ({"entry_seq": 10**6}, {"leg": 99}, {"leg": 0}):
        with pytest.raises(NotFound):
            ask(office, member, **at)
    assert list_lines(db.session(), office.id) == []


def test_a_line_is_disputed_once_also_by_two_at_the_same_moment(app, office, member):
    item = line_of(office).item

    def act(_number):
        return dispute_line(office.id, "H01", item.entry_seq, item.leg, "wrong", member, AFTER)

    outcomes = run_together(app, act, 2)
    assert sorted(type(each).__name__ for each in outcomes) == ["StateForbids", "int"]
    with pytest.raises(StateForbids):
        ask(office, member)
    only_one(office)


def test_whoever_asked_does_not_answer(office):
    dispute_id = ask(office, office.treasurer)
    with pytest.raises(SecondPersonNeeded):
        answer_line(office.id, dispute_id, "I am right", office.treasurer, AFTER)
    answer_line(office.id, dispute_id, "Looked at it", office.coordinator, AFTER)
    assert only_one(office).answered_by == office.coordinator


def test_no_step_out_of_turn(office, member):
    dispute_id = ask(office, member)
    for step in (
        lambda: accept_answer(office.id, "H01", dispute_id, AFTER),
        lambda: decide_line(office.id, dispute_id, "so", office.mentor, AFTER),
    ):
        with pytest.raises(StateForbids):
            step()
    answer_line(office.id, dispute_id, "yes", office.treasurer, AFTER)
    with pytest.raises(StateForbids):
        answer_line(office.id, dispute_id, "no", office.treasurer, AFTER)
    with pytest.raises(NotFound):
        accept_answer(office.id, "H02", dispute_id, AFTER)
    accept_answer(office.id, "H01", dispute_id, AFTER)
    for step in (
        lambda: accept_answer(office.id, "H01", dispute_id, AFTER),
        lambda: tell_mentor(office.id, "H01", dispute_id, AFTER + WEEK),
        lambda: answer_line(office.id, dispute_id, "late", office.coordinator, AFTER),
    ):
        with pytest.raises(StateForbids):
            step()
    assert only_one(office).answer == "yes"


def test_another_community_cannot_answer(office, member):
    dispute_id = ask(office, member)
    other = make_office()
    with pytest.raises(NotFound):
        answer_line(other.id, dispute_id, "yes", other.treasurer, AFTER)
    assert only_one(office).stage == LineStage.ASKED


def test_a_month_waits_for_an_answer_but_not_for_contentment(office, member):
    before_its_end = AFTER - timedelta(days=4)
    dispute_id = ask(office, member, now=before_its_end)
    steps = {step.code: step.is_done for step in looked(office).steps}
    assert not steps[StepCode.DISPUTES_ANSWERED]
    answer_line(office.id, dispute_id, "We look at it in December.", office.treasurer, AFTER)
    assert close_month(office) == NOVEMBER
    assert only_one(office).stage == LineStage.ANSWERED


def test_a_line_of_a_closed_month_can_be_disputed_and_the_month_stays(office, member):
    close_month(office)
    ask(office, member)
    household = get_household(db.session(), office.id, "H01")
    statement = get_statement(db.session(), office.card, household, NOVEMBER)
    assert statement.is_as_sealed
    assert statement.lines[0].dispute.stage == LineStage.ASKED
    assert line_disputes.list_held(db.session(), office.id)
