"""Findings from telling to ending, on both databases: every step kept, every refusal without a trace."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cbt.audit import case_work, run_text
from cbt.audit.cases import CaseState
from cbt.audit.evidence import get_evidence
from cbt.audit.findings import Check, Fault, Finding
from cbt.audit.models import AuditCase, AuditCaseStep, AuditEvidence
from cbt.bookings.models import Booking
from cbt.db import db, transaction
from cbt.errors import (
    AccusedCloses,
    CaseInvalid,
    EvidenceInvalid,
    NotAllowed,
    NotFound,
    StateForbids,
    WordsMissing,
)
from cbt.notices.models import Notice
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue.funds import Evidence, FileKind
from cbt.revenue.policy_rules import Severity
from tests import factories
from tests.audit.auditing import audited_office, case, rows, tell
from tests.concurrency import run_together
from tests.revenue.closing import AFTER, NOVEMBER
from tests.site import NOW

PHOTO = Evidence("receipt.jpg", b"\xff\xd8\xff rest of a picture")
LATER = AFTER + timedelta(days=5)


@pytest.fixture
def office(app):
    return audited_office()


def notices():
    db.session.rollback()
    found = db.session.execute(select(Notice.kind, Notice.recipient).order_by(Notice.id))
    return [(kind, to) for kind, to in found if kind.startswith("finding")]


def test_a_finding_is_told_answered_ended_and_taken_up_again(office):
    number = tell(office)
    told = case(office, number)
    assert (told.state, told.month, told.severity) == (CaseState.ASKED, NOVEMBER, Severity.ERROR)
    assert told.due_on.isoformat() == "2027-01-02"  # thirty days
    case_work.answer_case(office.id, number, "Here it is.", PHOTO, office.treasurer, LATER)
    answered = case(office, number)
    assert answered.state == CaseState.ANSWERED
    kept = get_evidence(db.session(), office.id, answered.steps[1].evidence_id, of_findings=True)
    assert (kept.kind, kept.body) == (FileKind.JPEG, PHOTO.body)
    case_work.reopen_case(office.id, number, "It is another one.", office.mentor, LATER)
    assert case(office, number).state == CaseState.ASKED
    assert case(office, number).due_on.isoformat() == "2027-01-07"
    case_work.answer_case(office.id, number, "This one.", None, office.coordinator, LATER)
    case_work.close_case(office.id, number, "Seen.", office.mentor, LATER)
    ended = case(office, number)
    assert [each.step for each in ended.steps] == [
        *("opened", "answered", "reopened", "answered", "closed")
    ]
    people_of = [office.mentor, office.treasurer, office.mentor, office.coordinator, office.mentor]
    assert [each.done_by for each in ended.steps] == people_of
    assert [each.number for each in ended.steps] == [1, 2, 3, 4, 5]
    case_work.reopen_case(office.id, number, "It came back.", office.mentor, LATER)
    assert case(office, number).state == CaseState.ASKED


def test_numbers_run_from_one_in_each_community(office):
    other = audited_office()
    assert [tell(office), tell(office), tell(other), tell(office)] == [1, 2, 1, 3]


def test_the_month_of_a_booking_is_that_of_its_trip(office):
    reference = db.session.scalar(select(Booking.reference))
    departure = office.village.departure_id
    for subject in (f"booking:{reference}", f"departure:{departure}", "period:2026-11"):
        assert case(office, tell(office, subject=subject)).month == NOVEMBER
    assert case(office, tell(office, subject="book")).month is None
    assert case(office, tell(office, subject="rule:PRD-05")).month is None


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"subject": "booking:B-NOBODY"}, CaseInvalid),
        ({"subject": "departure:99999"}, CaseInvalid),
        ({"subject": "departure:x"}, CaseInvalid),
        ({"subject": "payout:1"}, CaseInvalid),
        ({"subject": "claim:1"}, CaseInvalid),
        ({"subject": "period:2026-12"}, CaseInvalid),
        ({"subject": "period:yes"}, CaseInvalid),
        ({"subject": "rule:"}, CaseInvalid),
        ({"subject": "people:7"}, CaseInvalid),
        ({"subject": "book:7"}, CaseInvalid),
        ({"days": 0}, CaseInvalid),
        ({"days": 91}, CaseInvalid),
        ({"accused": 10**6}, CaseInvalid),
        ({"words": "  "}, WordsMissing),
        ({"words": "x" * 2_001}, WordsMissing),
    ],
    ids=str,
)
def test_a_finding_that_cannot_be_told_leaves_no_trace(office, changes, refusal):
    with pytest.raises(refusal):
        tell(office, **changes)
    assert rows(AuditCase) == rows(AuditCaseStep) == 0
    assert notices() == []


def test_nothing_of_another_community_can_be_named(office):
    other = audited_office()
    reference = db.session.scalar(select(Booking.reference).where(Booking.community_id == other.id))
    for subject in (f"booking:{reference}", f"departure:{other.village.departure_id}"):
        with pytest.raises(CaseInvalid):
            tell(office, subject=subject)
    with pytest.raises(NotAllowed):
        tell(office, person=other.mentor)
    assert rows(AuditCase) == 0
    with pytest.raises(NotFound):
        case(other, tell(office))


@pytest.mark.parametrize("who", ["treasurer", "coordinator"])
def test_only_a_mentor_tells_and_ends(office, who):
    person = getattr(office, who)
    with pytest.raises(NotAllowed):
        tell(office, person=person)
    number = tell(office)
    for step in (case_work.close_case, case_work.reopen_case):
        with pytest.raises(NotAllowed):
            step(office.id, number, "All is well.", person, LATER)
    assert rows(AuditCaseStep) == 1
    assert case(office, number).state == CaseState.ASKED


def test_a_mentor_does_not_answer_and_a_stranger_does_nothing(office):
    number, stranger = tell(office), factories.make_person()
    with pytest.raises(NotAllowed):
        case_work.answer_case(office.id, number, "It is well.", None, office.mentor, LATER)
    for step in (case_work.close_case, case_work.reopen_case):
        with pytest.raises(NotAllowed):
            step(office.id, number, "It is well.", stranger, LATER)
    assert rows(AuditCaseStep) == 1


def test_whom_a_finding_names_does_not_end_it_though_a_mentor_by_now(office):
    """The treasurer becomes mentor: neither with both parts, nor with the name in the finding."""
    number = tell(office, accused=office.treasurer)
    people.grant_role(office.treasurer, Grant(Role.MENTOR, office.id), NOW)
    with pytest.raises(AccusedCloses):
        case_work.close_case(office.id, number, "Nothing here.", office.treasurer, LATER)
    people.end_role(office.treasurer, Grant(Role.TREASURER, office.id), NOW)
    with pytest.raises(AccusedCloses):
        case_work.close_case(office.id, number, "Nothing here.", office.treasurer, LATER)
    assert case(office, number).state == CaseState.ASKED
    other = tell(office)
    case_work.close_case(office.id, other, "Seen.", office.treasurer, LATER)
    assert case(office, other).state == CaseState.CLOSED


def test_a_treasurer_who_audits_as_well_ends_nothing(office):
    number = tell(office)
    people.grant_role(office.coordinator, Grant(Role.MENTOR, office.id), NOW)
    with pytest.raises(AccusedCloses):
        case_work.close_case(office.id, number, "Nothing here.", office.coordinator, LATER)
    assert rows(AuditCaseStep) == 1


def test_an_ended_finding_takes_no_answer_and_none_is_ended_twice(office):
    number = tell(office)
    case_work.close_case(office.id, number, "By mistake.", office.mentor, LATER)
    with pytest.raises(StateForbids):
        case_work.answer_case(office.id, number, "Wait!", PHOTO, office.treasurer, LATER)
    with pytest.raises(StateForbids):
        case_work.close_case(office.id, number, "Again.", office.mentor, LATER)
    assert (rows(AuditCaseStep), rows(AuditEvidence)) == (2, 0)


def test_a_step_without_words_or_with_a_strange_file_leaves_no_trace(office):
    number = tell(office)
    with pytest.raises(WordsMissing):
        case_work.answer_case(office.id, number, " ", None, office.treasurer, LATER)
    with pytest.raises(WordsMissing):
        case_work.close_case(office.id, number, "", office.mentor, LATER)
    program = Evidence("receipt.jpg", b"MZ not a picture")
    with pytest.raises(EvidenceInvalid):
        case_work.answer_case(office.id, number, "Here.", program, office.treasurer, LATER)
    assert (rows(AuditCaseStep), rows(AuditEvidence)) == (1, 0)


def test_no_step_and_no_finding_can_be_changed(office):
    tell(office)
    for statement in (
        "UPDATE audit_case SET severity = 'advice'",
        "DELETE FROM audit_case_step",
        "UPDATE audit_case_step SET words = 'nothing'",
    ):
        with pytest.raises(DBAPIError), transaction() as session:
            session.execute(text(statement))
    assert case(office, 1).severity == Severity.ERROR


def test_two_who_end_a_finding_at_once_end_it_once(postgresql_app):
    office = audited_office()
    number = tell(office)
    other = factories.make_person()
    people.grant_role(other, Grant(Role.MENTOR, office.id), NOW)

    def end(person):
        try:
            case_work.close_case(office.id, number, f"Seen by {person}.", person, LATER)
        except StateForbids:
            return "refused"
        return "ended"

    mentors = (office.mentor, other)
    told = run_together(postgresql_app, lambda number: end(mentors[number]), 2)
    assert sorted(told) == ["ended", "refused"]
    assert rows(AuditCaseStep) == 2


# --- from what the machine said ------------------------------------------------------------------

FOUND = Finding(Fault.DAY_DIFFERS, "book", {"posted": NOVEMBER, "computed": NOVEMBER})


def test_what_a_check_found_is_told_once_while_it_is_open(office):
    new = case_work.of_check(1, 0, Check.SPLITS, FOUND, NOVEMBER)
    first = case_work.open_case(office.id, new, office.mentor, AFTER)
    assert case_work.open_case(office.id, new, office.mentor, LATER) == first
    assert rows(AuditCase) == 1
    told = case(office, first)
    assert (told.severity, told.words) == (Severity.ERROR, "")
    assert case_work.finding_of(told.told) == FOUND
    case_work.close_case(office.id, first, "It was explained.", office.mentor, LATER)
    assert case_work.open_case(office.id, new, office.mentor, LATER) == first + 1


def test_what_the_machine_said_reads_in_plain_values():
    told = case_work.of_check(1, 0, Check.SPLITS, FOUND, NOVEMBER).told
    assert run_text.read_finding(told["finding"]) == FOUND


# --- who is told ---------------------------------------------------------------------------------


def test_each_step_is_told_to_whom_it_concerns_and_to_nobody_else(office):
    for name in ("treasurer", "coordinator", "mentor"):
        people.set_mail(getattr(office, name), f"{name}@village.example")
    number = tell(office)
    to_both = ["coordinator@village.example", "treasurer@village.example"]
    assert sorted(to for _kind, to in notices()) == to_both
    case_work.answer_case(office.id, number, "Here.", None, office.treasurer, LATER)
    assert notices()[2:] == [("finding_answered", "mentor@village.example")]
    case_work.close_case(office.id, number, "Seen.", office.mentor, LATER)
    case_work.reopen_case(office.id, number, "No.", office.mentor, LATER)
    assert [kind for kind, _to in notices()[3:]] == [
        *("finding_closed", "finding_closed", "finding_reopened", "finding_reopened")
    ]


# --- reading -------------------------------------------------------------------------------------


def test_overdue_findings_come_first_and_are_counted(office):
    today = (AFTER + timedelta(days=40)).date()
    late = tell(office, severity=Severity.ADVICE)
    fresh = tell(office, days=90)
    ended = tell(office)
    case_work.close_case(office.id, ended, "Seen.", office.mentor, LATER)
    found = case_work.list_cases(db.session(), office.id, today)
    assert [each.number for each in found] == [late, fresh, ended]
    assert case_work.count_waiting(db.session(), office.id, today) == case_work.Waiting(2, 1)
    case_work.answer_case(office.id, late, "Here.", None, office.treasurer, LATER)
    assert case_work.count_waiting(db.session(), office.id, today) == case_work.Waiting(1, 0)
    still = case_work.list_open_cases(db.session(), [office.id])
    assert {each.number for each in still} == {late, fresh}
