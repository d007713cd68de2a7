"""Policies proposed, decided upon by a members' meeting, and recorded with minutes and votes."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cbt.db import db, transaction
from cbt.errors import (
    NotFound,
    PolicyInvalid,
    PolicyOverlaps,
    PolicyOvertaken,
    PolicyTooEarly,
    ResolutionInvalid,
)
from cbt.revenue import proposals, queries, resolutions
from cbt.revenue.adoption import FileKind, Meeting, Minutes, Signer, UsesNature
from cbt.revenue.models import (
    MinutesFile,
    PolicyDraft,
    PolicyProposal,
    PolicyResolution,
    PolicyVersion,
)
from cbt.revenue.policy import DEFAULT, Bucket, Policy
from cbt.revenue.policy_rules import Verdict
from cbt.revenue.templates import TEMPLATES
from tests import concurrency, factories
from tests.revenue import closing
from tests.site import NOW

TODAY = NOW.date()
WELFARE = TEMPLATES["welfare"]
PDF = Minutes("รายงานการประชุม.pdf", b"%PDF-1.7 signed")
TABLES = (PolicyVersion, PolicyProposal, PolicyResolution, MinutesFile, PolicyDraft)


@pytest.fixture
def village(app):
    return factories.make_village()


def meeting(**changes: object) -> Meeting:
    held = Meeting(
        met_on=TODAY,
        place="ศาลาหมู่บ้าน",
        meeting="ประชุมสมาชิก ครั้งที่ 3",
        present=4,
        voted_for=3,
        voted_against=1,
        abstained=0,
        effective_from=TODAY + timedelta(days=7),
        signers=(Signer("ประธาน หนึ่ง", "ประธาน"), Signer("เลขา สอง", "เลขานุการ")),
    )
    return replace(held, **changes)


def propose(village, policy: Policy = WELFARE, nature=UsesNature.YES, agreement="") -> int:
    draft = proposals.begin_draft(village.id, policy, village.person_id, NOW)
    proposals.change_draft(village.id, draft, policy, nature, agreement)
    return proposals.propose(village.id, draft, village.person_id, NOW)


def adopt(village, proposal, held=None, minutes=PDF, explanations=None, now=NOW) -> int:
    said = {} if explanations is None else explanations
    held = held or meeting()
    return proposals.adopt(village.id, proposal, held, minutes, said, village.person_id, now)


def rows() -> list[int]:
    db.session.rollback()
    return [db.session.scalar(select(func.count()).select_from(table)) for table in TABLES]


def test_a_proposal_that_the_meeting_adopted_is_in_force_from_its_day(village):
    proposal = propose(village)
    assert adopt(village, proposal) == 2
    session = db.session()
    before = queries.get_policy_in_force(session, village.id, TODAY + timedelta(days=6))
    after = queries.get_policy_in_force(session, village.id, TODAY + timedelta(days=7))
    assert (before.number, after.number) == (1, 2)
    assert after.policy == WELFARE
    assert (after.households, after.present, after.voted_for) == (5, 4, 3)
    kept = resolutions.find_resolution(session, after.id)
    assert (kept.place, kept.voted_against, kept.quorum_bp) == ("ศาลาหมู่บ้าน", 1, 5_000)
    assert [signer.position for signer in kept.signers] == ["ประธาน", "เลขานุการ"]
    assert {each.verdict for each in kept.rulings} >= {Verdict.PASS}
    minutes = resolutions.get_minutes(session, after.id)
    assert (minutes.body, minutes.kind, minutes.name) == (PDF.body, FileKind.PDF, PDF.name)
    assert minutes.sha256 == kept.minutes_sha256


def test_what_was_sold_before_stays_under_its_policy(village):
    early = factories.book(village)
    adopt(village, propose(village))
    facts = queries.get_booking_facts(db.session(), village.departure_id, early)
    assert facts.policy == DEFAULT


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"present": 2, "voted_for": 2, "voted_against": 0}, "quorum", id="no-quorum"),
        pytest.param({"present": 6, "voted_for": 5}, "present", id="more-than-there-are"),
        pytest.param({"voted_for": 2, "voted_against": 2}, "voted_for", id="half-is-not-more"),
        pytest.param({"voted_for": 4}, "votes", id="more-votes-than-present"),
        pytest.param({"voted_against": -1, "abstained": 2}, "votes", id="negative"),
        pytest.param({"place": " "}, "place", id="no-place"),
        pytest.param({"meeting": "two\nlines"}, "meeting", id="line-break"),
        pytest.param({"met_on": TODAY + timedelta(days=1)}, "future", id="not-held-yet"),
        pytest.param({"met_on": TODAY - timedelta(days=1)}, "before_proposal", id="held-before"),
        pytest.param({"effective_from": date(2026, 1, 1)}, "effective_from", id="before-adoption"),
        pytest.param({"signers": ()}, "signers", id="nobody-signed"),
        pytest.param({"signers": (Signer("a", "b"), Signer("a", "c"))}, "signers", id="twice"),
        pytest.param({"signers": (Signer("\u202eexe", "b"),)}, "signers", id="turned-round"),
    ],
)
def test_what_no_meeting_can_have_resolved_is_refused_and_writes_nothing(village, changes, problem):
    proposal = propose(village)
    before = rows()
    with pytest.raises(ResolutionInvalid) as refused:
        adopt(village, proposal, meeting(**changes))
    assert refused.value.facts["problem"] == problem
    assert rows() == before


@pytest.mark.parametrize(
    ("minutes", "problem"),
    [
        (Minutes("a.pdf", b""), "minutes"),
        (Minutes("a.pdf", b"%PDF-" + b"x" * 5 * 1024 * 1024), "minutes_large"),
        (Minutes("a.pdf", b"<html><script>"), "minutes_kind"),
        (Minutes("a.exe", b"MZ"), "minutes_kind"),
    ],
    ids=["none", "too-large", "page-named-pdf", "program"],
)
def test_minutes_that_cannot_be_kept_are_refused_and_nothing_is_written(village, minutes, problem):
    proposal = propose(village)
    before = rows()
    with pytest.raises(ResolutionInvalid) as refused:
        adopt(village, proposal, minutes=minutes)
    assert refused.value.facts["problem"] == problem
    assert rows() == before


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ('a"b\r\nSet-Cookie: x.pdf', "a_b__Set-Cookie_ x.pdf"),
        ("", "minutes.pdf"),
        ("ม" * 500 + ".pdf", "ม" * 120 + ".pdf"),
    ],
    ids=["path", "header", "none", "long"],
)
def test_a_files_name_is_made_harmless(village, name, kept):
    number = adopt(village, propose(village), minutes=Minutes(name, PDF.body))
    version = queries.list_policies(db.session(), village.id)[number - 1]
    assert resolutions.get_minutes(db.session(), version.id).name == kept


def test_a_policy_starts_neither_today_nor_in_the_past(village):
    proposal = propose(village)
    before = rows()
    with pytest.raises(PolicyTooEarly):
        adopt(village, proposal, meeting(effective_from=TODAY))
    later = NOW + timedelta(days=30)
    with pytest.raises(PolicyTooEarly):
        adopt(village, proposal, now=later)
    assert rows() == before


def test_two_policies_cannot_start_on_one_day(village):
    adopt(village, propose(village))
    again = propose(village, TEMPLATES["homestay"])
    before = rows()
    for days in (7, 3):
        with pytest.raises(PolicyOverlaps) as refused:
            adopt(village, again, meeting(effective_from=TODAY + timedelta(days=days)))
        assert refused.value.facts == {"earliest": TODAY + timedelta(days=8)}
    assert rows() == before
    adopt(village, again, meeting(effective_from=TODAY + timedelta(days=8)))


def test_of_two_proposals_one_is_adopted_and_the_other_must_be_proposed_again(village):
    first, second = propose(village), propose(village, TEMPLATES["homestay"])
    adopt(village, first)
    before = rows()
    for proposal in (first, second):
        with pytest.raises(PolicyOvertaken):
            adopt(village, proposal, meeting(effective_from=TODAY + timedelta(days=20)))
    assert rows() == before


def test_two_who_adopt_at_once_adopt_one(app, village):
    ids = [propose(village), propose(village, TEMPLATES["homestay"])]
    starts = [TODAY + timedelta(days=7), TODAY + timedelta(days=8)]

    def run(number):
        return adopt(village, ids[number], meeting(effective_from=starts[number]))

    results = concurrency.run_together(app, run, 2)
    assert sorted(type(each).__name__ for each in results) == ["PolicyOvertaken", "int"]
    assert len(queries.list_policies(db.session(), village.id)) == 2


def test_a_draft_may_be_unfinished_but_not_proposed(village):
    draft = proposals.begin_draft(village.id, WELFARE, village.person_id, NOW)
    lacking = replace(WELFARE, shares={**WELFARE.shares, Bucket.PROVIDER: 7_000})
    proposals.change_draft(village.id, draft, lacking, UsesNature.NO, "")
    assert resolutions.get_draft(db.session(), village.id, draft).policy == lacking
    before = rows()
    with pytest.raises(PolicyInvalid) as refused:
        proposals.propose(village.id, draft, village.person_id, NOW)
    assert refused.value.facts["problems"] == (("POL-01", {"sum": 9_600}),)
    assert rows() == before


def test_an_intermediary_needs_a_written_agreement(village):
    policy = replace(WELFARE, intermediary_bp=1_000)
    with pytest.raises(PolicyInvalid):
        propose(village, policy)
    propose(village, policy, agreement="แฟ้มสัญญา เล่ม 2")


def test_a_warning_needs_a_written_explanation_that_is_kept(village):
    policy = replace(TEMPLATES["default"], intermediary_bp=2_000)
    proposal = propose(village, policy, agreement="แฟ้มสัญญา เล่ม 2")
    before = rows()
    for said in ({}, {"POL-07": " "}, {"POL-07": "x" * 201}, {"POL-01": "why not"}):
        with pytest.raises(ResolutionInvalid) as refused:
            adopt(village, proposal, explanations=said)
        assert refused.value.facts["problem"] == "explanation"
    assert rows() == before
    number = adopt(village, proposal, explanations={"POL-07": "ตกลงกันหนึ่งปี", "POL-99": "?"})
    version = queries.list_policies(db.session(), village.id)[number - 1]
    kept = resolutions.find_resolution(db.session(), version.id)
    assert kept.explanations == {"POL-07": "ตกลงกันหนึ่งปี"}


def test_drafts_and_proposals_of_others_are_not_there(village):
    draft = proposals.begin_draft(village.id, WELFARE, village.person_id, NOW)
    proposal = propose(village)
    other = factories.make_village()
    with pytest.raises(NotFound):
        proposals.change_draft(other.id, draft, WELFARE, UsesNature.NO, "")
    with pytest.raises(NotFound):
        proposals.drop_draft(other.id, draft)
    with pytest.raises(NotFound):
        proposals.propose(other.id, draft, other.person_id, NOW)
    with pytest.raises(NotFound):
        adopt(other, proposal)


@pytest.mark.parametrize("table", ["policy_proposal", "policy_resolution", "minutes_file"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_proposals_resolutions_and_minutes_are_never_changed(village, table, verb):
    adopt(village, propose(village))
    column = "proposal_id" if table == "policy_resolution" else "id"
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text(verb.format(table, column, column)))


# --- the month run again --------------------------------------------------------------------------


@pytest.fixture
def settled(village):
    for _number in range(2):
        factories.book(village)
    factories.record_work(village, ("H01", "boat", 2), ("H02", "cook", 3))
    factories.settle(village, NOW + timedelta(days=2))
    return village


def test_a_simulation_of_the_policy_in_force_changes_nothing(settled):
    simulated = resolutions.simulate(db.session(), settled.id, DEFAULT, TODAY.replace(day=1))
    assert (simulated.bookings, simulated.departures) == (2, 1)
    assert simulated.changes
    assert all(each.difference_satang == 0 for each in simulated.changes)


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_a_simulation_moves_money_and_makes_none(settled, name):
    month = TODAY.replace(day=1)
    simulated = resolutions.simulate(db.session(), settled.id, TEMPLATES[name], month)
    assert sum(each.difference_satang for each in simulated.changes) == 0
    assert sum(each.after_satang for each in simulated.changes) == 2 * 90_000
    assert (simulated.waiting, simulated.short) == (0, ())


def test_a_simulation_names_what_a_policy_could_not_pay(settled):
    """Only boats have a rate in the other policy's text, and its intermediary takes its part."""
    no_rate = replace(WELFARE, rates={"craft": 10_000})
    simulated = resolutions.simulate(db.session(), settled.id, no_rate, TODAY.replace(day=1))
    assert simulated.waiting == 1
    assert {each.account for each in simulated.changes if each.after_satang} >= {"pool:provider"}


def test_the_last_whole_month_is_over_and_has_nothing_that_waits(settled):
    session = db.session()
    month = TODAY.replace(day=1)
    assert resolutions.find_last_whole_month(session, settled.id, TODAY) is None
    later = TODAY + timedelta(days=40)
    assert resolutions.find_last_whole_month(session, settled.id, later) == month
    waiting = factories.make_departure(settled.option_id, TODAY + timedelta(days=2))
    factories.book(replace(settled, departure_id=waiting))
    assert resolutions.find_last_whole_month(db.session(), settled.id, later) is None


def test_a_proposal_is_laid_beside_the_last_closed_month_that_had_trips(app):
    """A later month that is settled but open does not take its place, nor an empty closed one."""
    office = closing.make_office()
    closing.worked_month(office)
    later = closing.AFTER_NEXT.date() + timedelta(days=40)
    open_ = resolutions.find_past_month(db.session(), office.id, later)
    assert open_ == resolutions.PastMonth(closing.NOVEMBER, is_closed=False)
    closing.close_month(office)
    closed = resolutions.PastMonth(closing.NOVEMBER, is_closed=True)
    _december(office)
    assert resolutions.find_past_month(db.session(), office.id, later) == closed
    closing.close_month(office, closing.DECEMBER, closing.AFTER_NEXT)
    december = resolutions.PastMonth(closing.DECEMBER, is_closed=True)
    assert resolutions.find_past_month(db.session(), office.id, later) == december
    month_after = closing.AFTER_NEXT + timedelta(days=31)
    closing.close_month(office, date(2027, 1, 1), month_after)
    assert resolutions.find_past_month(db.session(), office.id, later) == december


def _december(office):
    """Another trip, whose guests came in December."""
    departure = factories.make_departure(office.village.option_id, closing.DECEMBER)
    second = closing.Office(
        replace(office.village, departure_id=departure),
        office.treasurer,
        office.coordinator,
        office.mentor,
    )
    factories.book(second.village)
    factories.record_work(second.village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(second.village, closing.AFTER + timedelta(days=1))
    db.session.rollback()
