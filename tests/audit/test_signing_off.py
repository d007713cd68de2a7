"""The sample of a month and its sign-off, on both databases: what is refused, and that it leaves no trace."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cbt.audit import case_work, runs, samples, sampling, sign_off
from cbt.audit.models import (
    AuditCase,
    AuditEvidence,
    AuditLook,
    AuditRun,
    AuditSample,
    AuditSampleItem,
    MentorTie,
    SignOff,
)
from cbt.audit.sign_off_rules import Obstacle
from cbt.bookings.models import Booking
from cbt.db import db, transaction
from cbt.errors import (
    EvidenceInvalid,
    KeyLocked,
    NotAllowed,
    NoteMissing,
    NotFound,
    SampleEmpty,
    SignerInside,
    SignOffBlocked,
    StateForbids,
    WordsMissing,
)
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue.closed import PeriodSignature, SigningKey
from cbt.revenue.funds import Evidence
from cbt.revenue.policy_rules import Severity
from tests import factories
from tests.audit.auditing import (
    audited_office,
    look_through,
    period,
    rows,
    sign,
    signers,
    tell,
)
from tests.concurrency import run_together
from tests.revenue.closing import (
    AFTER,
    AFTER_NEXT,
    DECEMBER,
    NOVEMBER,
    PASSWORD,
    close_month,
)
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

LATER = AFTER + timedelta(days=2)
PHOTO = Evidence("receipt.png", b"\x89PNG\r\n\x1a\n rest of a picture")


@pytest.fixture
def office(app):
    return audited_office()


def sample(office, month=NOVEMBER):
    return samples.find_sample(db.session(), office.card, period(office, month))


def draw(office, month=NOVEMBER, person=None):
    return samples.draw_sample(office.id, month, person or office.mentor, AFTER)


def look(office, place=1, note="", file=None, severity=None, person=None):
    person = person or office.mentor
    return samples.look_at(office.id, NOVEMBER, place, note, file, severity, person, LATER)


# --- the sample ----------------------------------------------------------------------------------


def test_a_sample_is_drawn_from_the_months_bookings_by_a_kept_seed(office):
    assert draw(office) == 3  # all of them: there are fewer than ten
    found = sample(office)
    assert (found.population, found.drawn_by, found.drawn_at) == (3, office.mentor, AFTER)
    codes = db.session.scalars(select(Booking.reference)).all()
    assert [each.reference for each in found.items] == list(sampling.draw(found.seed, codes))
    assert found.is_as_drawn
    assert (found.done, found.next_place) == (0, 1)


def test_a_months_sample_is_drawn_once(office):
    draw(office)
    seed = sample(office).seed
    with pytest.raises(StateForbids):
        draw(office)
    assert sample(office).seed == seed
    assert rows(AuditSample) == 1


def test_two_who_draw_at_once_draw_one_sample(postgresql_app):
    office = audited_office()
    told = run_together(postgresql_app, lambda _number: draw(office), 2)
    assert sorted(type(each).__name__ for each in told) == ["StateForbids", "int"]
    assert (rows(AuditSample), rows(AuditSampleItem)) == (1, 3)


def test_each_month_has_a_seed_of_its_own_and_without_bookings_none(office):
    draw(office)
    close_month(office, DECEMBER, AFTER_NEXT)
    with pytest.raises(SampleEmpty):
        draw(office, DECEMBER)
    assert rows(AuditSample) == 1
    seeds = {audited_seed(), audited_seed()}
    assert len(seeds) == 2


def audited_seed():
    office = audited_office()
    draw(office)
    return sample(office).seed


@pytest.mark.parametrize("who", ["treasurer", "coordinator"])
def test_only_a_mentor_draws_and_looks(office, who):
    person = getattr(office, who)
    with pytest.raises(NotAllowed):
        draw(office, person=person)
    assert rows(AuditSample) == 0
    draw(office)
    with pytest.raises(NotAllowed):
        look(office, person=person)
    assert rows(AuditLook) == 0


def test_a_month_that_is_not_closed_has_no_sample(office):
    with pytest.raises(NotFound):
        draw(office, DECEMBER)
    with pytest.raises(NotFound):
        look(office)  # not drawn yet
    draw(office)
    with pytest.raises(NotFound):
        look(office, 4)
    assert rows(AuditLook) == 0


def test_looking_goes_on_booking_by_booking_and_the_last_look_counts(office):
    draw(office)
    look(office, 1)
    look(office, 2, "A receipt was shown.", PHOTO)
    found = sample(office)
    assert (found.done, found.next_place) == (2, 3)
    assert found.items[1].look.note == "A receipt was shown."
    assert found.items[1].look.evidence_id is not None
    number = look(office, 1, "Nobody came, by the list.", None, Severity.ERROR)
    told = case_work.get_case(db.session(), office.id, number)
    assert told.subject == f"booking:{found.items[0].reference}"
    assert (told.month, told.severity) == (NOVEMBER, Severity.ERROR)
    again = sample(office)
    assert (again.done, again.items[0].look.case) == (2, number)
    assert rows(AuditLook) == 3
    counted = samples.count_samples(db.session(), [period(office).id])
    assert counted == {period(office).id: (3, 2)}


def test_a_look_that_cannot_be_kept_leaves_no_trace(office):
    draw(office)
    with pytest.raises(WordsMissing):
        look(office, 1, " ", None, Severity.ERROR)
    with pytest.raises(EvidenceInvalid):
        look(office, 1, "See.", Evidence("x.png", b"GIF89a"), Severity.ERROR)
    assert rows(AuditLook) == rows(AuditCase) == rows(AuditEvidence) == 0


def test_a_list_that_was_changed_is_seen(office):
    draw(office)
    drop_triggers("audit_sample_item")
    tamper("UPDATE audit_sample_item SET reference = 'B-000000' WHERE place = 1")
    assert not sample(office).is_as_drawn


def test_nothing_of_a_sample_can_be_changed(office):
    draw(office)
    for table in ("audit_sample", "audit_sample_item"):
        with pytest.raises(DBAPIError), transaction() as session:
            session.execute(text(f"DELETE FROM {table}"))
    assert rows(AuditSample) == 1


# --- the sign-off --------------------------------------------------------------------------------


def blocked(office, *expected, **changes):
    """The sign-off is refused for exactly these reasons, and nothing is written."""
    before = rows(AuditRun)
    with pytest.raises(SignOffBlocked) as refused:
        sign(office, **{"words": "Explained at length.", **changes})
    assert refused.value.facts["obstacles"] == expected
    assert "mentor" not in signers(office)
    assert rows(SignOff) == 0
    assert rows(AuditRun) == before


def test_a_mentor_from_outside_signs_when_all_was_looked_at(office):
    look_through(office)
    sign(office)
    assert signers(office) == ["platform", "mentor"]
    kept = sign_off.find_sign_off(db.session(), period(office).id)
    assert (kept.warnings, kept.explanation) == ((), "")
    assert (kept.sample_size, kept.looked_at) == (3, 3)
    assert (kept.signed_by, kept.signed_at) == (office.mentor, AFTER)
    run = runs.get_run(db.session(), office.id, kept.run_id).run
    assert run.is_clean
    assert (run.month, run.by) == (NOVEMBER, office.mentor)
    with pytest.raises(StateForbids):
        sign(office)
    assert (rows(SignOff), rows(AuditRun)) == (1, 1)


def test_a_sample_that_is_not_looked_through_must_be_explained(office):
    draw(office)
    look(office, 1)
    with pytest.raises(NoteMissing):
        sign(office)
    assert rows(PeriodSignature) == 1  # the platform's
    assert rows(SignOff) == rows(AuditRun) == 0
    sign(office, words="  The other two were cancelled in my presence. ")
    kept = sign_off.find_sign_off(db.session(), period(office).id)
    assert kept.warnings == (Obstacle.SAMPLE_UNFINISHED,)
    assert kept.explanation == "The other two were cancelled in my presence."
    assert (kept.sample_size, kept.looked_at) == (3, 1)


def test_an_audit_that_finds_a_fault_refuses_whatever_is_explained(office):
    look_through(office)
    tamper("UPDATE service_record SET units = units + 1")
    blocked(office, Obstacle.AUDIT_FAULTS)
    tamper("UPDATE service_record SET units = units - 1")
    sign(office)


def test_an_audit_that_sees_less_than_there_is_refuses(office, monkeypatch):
    look_through(office)
    counted = runs._count

    def more(session, community):
        return {check: least + 1 for check, least in counted(session, community).items()}

    monkeypatch.setattr(runs, "_count", more)
    blocked(office, Obstacle.AUDIT_BLIND)


def test_an_open_error_of_the_month_refuses_until_it_is_ended(office):
    look_through(office)
    number = tell(office)
    blocked(office, Obstacle.ERRORS_OPEN)
    case_work.answer_case(office.id, number, "Here.", None, office.treasurer, AFTER)
    blocked(office, Obstacle.ERRORS_OPEN)  # an answer does not end it
    case_work.close_case(office.id, number, "Seen.", office.mentor, AFTER)
    case_work.reopen_case(office.id, number, "It came back.", office.mentor, AFTER)
    blocked(office, Obstacle.ERRORS_OPEN)
    case_work.close_case(office.id, number, "Seen.", office.mentor, AFTER)
    sign(office)


def test_a_warning_and_an_error_of_another_month_do_not_refuse(office):
    look_through(office)
    tell(office, severity=Severity.WARNING)
    tell(office, subject="book", month=DECEMBER)
    sign(office)


def test_an_answer_that_is_late_must_be_explained(office):
    look_through(office)
    tell(office, severity=Severity.WARNING, days=1)
    with pytest.raises(NoteMissing):
        sign(office, now=LATER)
    sign(office, now=LATER, words="They wait for the bank.")
    kept = sign_off.find_sign_off(db.session(), period(office).id)
    assert kept.warnings == (Obstacle.ANSWERS_LATE,)


# --- independence --------------------------------------------------------------------------------


def test_who_has_another_role_in_the_community_does_not_sign(office):
    look_through(office)
    household = db.session.scalar(text("SELECT min(id) FROM household"))
    grant = Grant(Role.HOUSEHOLD, office.id, household)
    people.grant_role(office.mentor, grant, NOW)
    blocked(office, Obstacle.TIED_ROLE)
    people.end_role(office.mentor, grant, AFTER)
    blocked(office, Obstacle.TIED_ROLE)  # it was held within the month


def test_who_left_before_the_month_began_may_sign(office):
    look_through(office)
    grant = Grant(Role.TREASURER, office.id)
    early = NOW - timedelta(days=60)
    people.grant_role(office.mentor, grant, early)
    people.end_role(office.mentor, grant, early)
    sign(office)


def test_who_closed_the_month_does_not_sign_it_as_mentor(office):
    look_through(office)
    people.grant_role(office.coordinator, Grant(Role.MENTOR, office.id), NOW)
    blocked(office, Obstacle.TIED_ROLE, Obstacle.TIED_PART, person=office.coordinator)


def test_whom_the_community_pays_does_not_sign(office):
    look_through(office)
    mentor = people.add_person("paid", "Somchai Jaidee", PASSWORD, "th", NOW)
    people.grant_role(mentor, Grant(Role.MENTOR, office.id), NOW)
    ask_for(office, "นาย สมชาย ใจดี")
    ask_for(office, "Somchai")  # one word names nobody
    shown = period(office)
    run = runs.look(db.session(), office.card, NOVEMBER, mentor, AFTER)
    facts = sign_off.find_facts(db.session(), office.card, shown, run, mentor, AFTER)
    assert not facts.is_payee
    ask_for(office, "Mr Jaidee  somchai")
    blocked(office, Obstacle.TIED_PAYEE, person=mentor)


def ask_for(office, payee):
    """A request for money out of a fund for somebody of this name; nothing is paid yet."""
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO fund_claim (community_id, fund, purpose, payee, what, amount_satang,"
                " evidence, evidence_sha256, state, requested_by, requested_at) VALUES (:community,"
                " 'develop', 'works', :payee, 'paint', 5000, 'bill', '', 'requested', :by, :at)"
            ),
            {"community": office.id, "payee": payee, "by": office.treasurer, "at": AFTER},
        )


def test_who_is_related_to_a_household_does_not_sign_for_good(office):
    look_through(office)
    sign_off.declare_tie(office.id, "H02", "My sister's house", office.mentor, AFTER)
    blocked(office, Obstacle.TIED_FAMILY)
    with pytest.raises(StateForbids):
        sign_off.declare_tie(office.id, "H02", "Again", office.mentor, AFTER)
    with pytest.raises(DBAPIError), transaction() as session:
        session.execute(text("DELETE FROM mentor_tie"))
    assert rows(MentorTie) == 1
    other = factories.make_person()
    people.grant_role(other, Grant(Role.MENTOR, office.id), NOW)
    sign(office, person=other)


def test_a_tie_that_cannot_be_told_leaves_no_trace(office):
    with pytest.raises(NoteMissing):
        sign_off.declare_tie(office.id, "H02", " ", office.mentor, AFTER)
    with pytest.raises(NotFound):
        sign_off.declare_tie(office.id, "H99", "Mine", office.mentor, AFTER)
    with pytest.raises(NotAllowed):
        sign_off.declare_tie(office.id, "H02", "Theirs", office.treasurer, AFTER)
    assert rows(MentorTie) == 0


def test_a_stranger_and_a_wrong_password_sign_nothing(office):
    look_through(office)
    stranger = factories.make_person()
    with pytest.raises(NotFound):
        sign(office, person=stranger)
    with pytest.raises(KeyLocked):
        sign(office, password="not theirs")
    other = audited_office()
    with pytest.raises((NotFound, SignerInside)):
        sign(office, person=other.mentor)
    assert "mentor" not in signers(office)
    assert rows(SignOff) == rows(AuditRun) == 0
    assert rows(SigningKey) == 1  # the platform's: no key was made on the way
