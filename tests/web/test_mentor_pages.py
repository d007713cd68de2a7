"""The mentor's work on its pages, and the community's answer to it: without script, by pressing what is there."""

import io
import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.audit.case_work import get_case
from cbt.audit.models import AuditCase, AuditCaseStep, AuditLook, AuditRun, AuditSample, SignOff
from cbt.audit.risks import RiskCode
from cbt.communities.queries import get_community
from cbt.db import db
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue.closed import PeriodRule
from cbt.revenue.models import Settlement
from tests import factories
from tests.audit.auditing import audited_office, tell
from tests.revenue.closing import AFTER, PASSWORD
from tests.site import NOW
from tests.tamper import drop_triggers, tamper
from tests.web.forms import token
from tests.web.test_budgets import counted, reading
from tests.web.test_month_pages import WHEN, enter, visitor

PHOTO = b"\xff\xd8\xff rest of a picture"


@pytest.fixture
def office(sqlite_app):
    """A village whose November is closed; its people sign in by name."""
    with time_machine.travel(WHEN, tick=True):
        yield audited_office()


@pytest.fixture
def mentor(sqlite_app, office):
    return enter(sqlite_app, office.mentor)


def at(office):
    return f"/en/mentor/{office.card.slug}"


def rows(table):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table))


def press(client, page, action, **fields):
    """Send the form of a page whose address ends so; the form must be there."""
    html = client.get(page).text
    found = re.search(rf'<form[^>]*action="([^"]*{action}[^"]*)"', html)
    assert found, f"{page} has no form to {action}"
    return client.post(found[1].replace("&amp;", "&"), data={"csrf_token": token(html), **fields})


# --- the audit -----------------------------------------------------------------------------------


def test_the_audit_is_kept_on_demand_and_tells_what_came_since(office, mentor):
    page = at(office)
    first = mentor.get(page).text
    assert "No audit was kept yet" in first
    assert "Raise it as a finding" not in first
    assert rows(AuditRun) == 0  # looking keeps nothing
    assert press(mentor, page, "/runs").status_code == 303
    assert "Every check passed." in mentor.get(page).text
    tamper("UPDATE service_record SET units = units + 1")
    assert "Every check passed." in mentor.get(page).text  # as it was then
    assert press(mentor, page, "/runs").status_code == 303
    html = mentor.get(page).text
    assert "Not everything passed" in html
    assert re.search(r"\d+ new faults?", html)
    assert rows(AuditRun) == 2


@pytest.mark.parametrize("change", ["replace(text, 'by:', 'by:1')", "'nothing'"])
def test_a_record_of_an_audit_that_was_changed_is_told(office, mentor, change):
    press(mentor, at(office), "/runs")
    drop_triggers("audit_run")
    tamper(f"UPDATE audit_run SET text = {change}")
    assert "was changed after it was kept" in mentor.get(at(office)).text
    assert "The audit finds 1 fault" in mentor.get("/en/mentor").text


def test_what_a_check_found_becomes_a_finding_with_one_tap(office, mentor):
    tamper("UPDATE service_record SET units = units + 1")
    press(mentor, at(office), "/runs")
    raised = press(mentor, at(office), "/runs/1/findings/0")
    assert raised.location.endswith("/findings/1")
    page = mentor.get(raised.location).text
    assert "Departure" in page
    assert "error" in page
    assert press(mentor, at(office), "/runs/1/findings/0").location == raised.location
    assert rows(AuditCase) == 1
    shown = mentor.get(raised.location.replace("/en/", "/th/")).text
    assert "Departure" not in shown
    html = mentor.get(at(office)).text
    for wrong in ("/runs/1/findings/99", "/runs/99/findings/0", "/runs/1/numbers/nothing"):
        answer = mentor.post(f"{at(office)}{wrong}", data={"csrf_token": token(html)})
        assert answer.status_code == 404
    assert rows(AuditCase) == 1


def test_a_number_beyond_its_line_becomes_a_finding_with_one_tap(office, mentor):
    people.grant_role(office.treasurer, Grant(Role.COORDINATOR, office.id), NOW)
    press(mentor, at(office), "/runs")
    raised = press(mentor, at(office), f"/runs/1/numbers/{RiskCode.DUTIES}")
    assert "Two people for each step of money" in mentor.get(raised.location).text
    db.session.rollback()
    told = get_case(db.session(), office.id, 1)
    assert (told.subject, told.severity) == ("book", "warning")


def test_what_a_rule_said_at_the_close_becomes_a_finding_with_one_tap(office, mentor):
    drop_triggers("period_rule")
    tamper("UPDATE period_rule SET verdict = 'fail', severity = 'warning' WHERE rule = 'PRD-06'")
    month = f"{at(office)}/months/2026-11"
    failed = db.session.scalars(select(PeriodRule.rule).where(PeriodRule.verdict == "fail")).all()
    asks = re.findall(r"/rules/(PRD-\d+)", mentor.get(month).text)
    assert sorted(asks) == sorted(failed)  # only what failed asks
    asked = press(mentor, month, "/rules/PRD-06")
    assert "PRD-06" in mentor.get(asked.location).text
    assert "households earned" in mentor.get(asked.location).text
    db.session.rollback()
    told = get_case(db.session(), office.id, 1)
    assert (told.subject, told.severity) == ("period:2026-11", "warning")
    html = mentor.get(month).text
    answer = mentor.post(f"{month}/rules/PRD-99", data={"csrf_token": token(html)})
    assert answer.status_code == 404


def test_a_page_that_only_reads_keeps_no_run(office, mentor):
    for page in ("", "/months/2026-11", "/months/2026-11/sample", "/findings", "/findings/new"):
        assert mentor.get(f"{at(office)}{page}").status_code == 200
    assert rows(AuditRun) == rows(AuditSample) == rows(AuditCase) == 0


# --- findings ------------------------------------------------------------------------------------

NEW = {"kind": "period", "name": "2026-11", "severity": "error", "days": "30", "accused": "0"}


def test_a_finding_goes_from_the_mentor_to_the_treasurer_and_back(sqlite_app, office, mentor):
    page = f"{at(office)}/findings"
    raised = press(mentor, f"{page}/new", "/findings", words="Where is the receipt?", **NEW)
    assert raised.location.endswith("/findings/1")
    treasurer = enter(sqlite_app, office.treasurer)
    home = f"/en/host/{office.card.slug}"
    for first in (home, f"{home}/money"):  # one tap to the list, two to the form
        assert f'href="{home}/money/findings"' in treasurer.get(first).text
        assert "1 finding of the mentor waits for your answer" in treasurer.get(first).text
    listed = treasurer.get(f"{home}/money/findings").text
    assert f'href="{home}/money/findings/1"' in listed
    shown = treasurer.get(f"{home}/money/findings/1").text
    assert "Where is the receipt?" in shown
    assert "End the finding" not in shown
    fields = {"words": "It is here.", "file": (io.BytesIO(PHOTO), "receipt.jpg")}
    sent = press(treasurer, f"{home}/money/findings/1", "/findings/1", **fields)
    assert sent.status_code == 303
    assert "waits for your answer" not in treasurer.get(home).text
    read = mentor.get(raised.location).text
    assert "It is here." in read
    file = re.search(r'href="([^"]*/evidence/\d+)"', read)[1]
    opened = mentor.get(file)
    assert (opened.data, opened.mimetype) == (PHOTO, "image/jpeg")
    assert "attachment" in opened.headers["Content-Disposition"]
    assert treasurer.get(f"{home}/money/findings/evidence/1").data == PHOTO
    assert press(mentor, raised.location, "/close", words="").status_code == 422
    assert press(mentor, raised.location, "/close", words="Seen.").status_code == 303
    assert "Send the answer" not in treasurer.get(f"{home}/money/findings/1").text
    assert press(mentor, raised.location, "/reopen", words="It is another one.").status_code == 303
    assert "waits for your answer" in treasurer.get(home).text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": ""}, "Please fill this in."),
        ({"words": "x" * 2_001}, "This is too long."),
        ({"name": "2026-12"}, "has no such thing"),
        ({"kind": "booking", "name": "B-NOBODY"}, "has no such thing"),
        ({"kind": "nonsense"}, "Not a valid choice."),
        ({"days": "0"}, "within 1 to 90 days"),
        ({"days": "soon"}, "Not a valid integer value."),
        ({"days": ""}, "Please fill this in."),
        ({"severity": "fatal"}, "Not a valid choice."),
        ({"accused": "999999"}, "has no office here"),
    ],
    ids=str,
)
def test_a_finding_that_cannot_be_is_explained_and_kept_nowhere(office, mentor, changes, said):
    fields = {**NEW, "words": "Where is it?", **changes}
    answer = press(mentor, f"{at(office)}/findings/new", "/findings", **fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert rows(AuditCase) == 0


def test_whom_a_finding_names_is_told_why_it_stays_open(sqlite_app, office):
    number = tell(office, accused=office.mentor, person=other_mentor(office))
    page = f"{at(office)}/findings/{number}"
    named = enter(sqlite_app, office.mentor)
    answer = press(named, page, "/close", words="Nothing here.")
    assert answer.status_code == 409
    assert "Whom a finding is about" in answer.text
    assert rows(AuditCaseStep) == 1


def other_mentor(office):
    person = factories.make_person()
    people.grant_role(person, Grant(Role.MENTOR, office.id), NOW)
    return person


def test_the_communitys_people_cannot_end_a_finding_by_its_address(sqlite_app, office):
    number = tell(office)
    sqlite_app.config["WTF_CSRF_ENABLED"] = False
    for person in (office.treasurer, office.coordinator):
        client = enter(sqlite_app, person)
        for step in ("close", "reopen"):
            page = f"{at(office)}/findings/{number}/{step}"
            assert client.post(page, data={"words": "It is well."}).status_code == 403
    assert rows(AuditCaseStep) == 1


def test_a_mentors_own_photographs_are_not_the_communitys_to_open(sqlite_app, office, mentor):
    sample = f"{at(office)}/months/2026-11/sample"
    press(mentor, sample, "/sample")
    fields = {"note": "A receipt", "do": "well", "file": (io.BytesIO(PHOTO), "r.jpg")}
    assert press(mentor, f"{sample}/1", "/sample/1", **fields).status_code == 303
    assert mentor.get(f"{at(office)}/evidence/1").data == PHOTO
    treasurer = enter(sqlite_app, office.treasurer)
    home = f"/en/host/{office.card.slug}/money/findings/evidence/1"
    assert treasurer.get(home).status_code == 404


def test_findings_of_another_community_do_not_exist_here(sqlite_app, office, mentor):
    other = audited_office()
    number = tell(other)
    slug = other.card.slug
    assert mentor.get(f"/en/mentor/{slug}/findings/{number}").status_code == 403
    assert mentor.get(f"{at(office)}/findings/{number}").status_code == 404
    treasurer = enter(sqlite_app, office.treasurer)
    assert treasurer.get(f"/en/host/{slug}/money/findings").status_code == 403
    here = f"/en/host/{office.card.slug}/money/findings/{number}"
    assert treasurer.get(here).status_code == 404


# --- the sample and the sign-off -----------------------------------------------------------------


def test_a_month_is_looked_through_and_signed_off(sqlite_app, office, mentor):
    month = f"{at(office)}/months/2026-11"
    refused = press(mentor, month, "/sign", password=PASSWORD)
    assert refused.status_code == 422
    assert "Please explain why you sign all the same" in refused.text
    assert press(mentor, f"{month}/sample", "/sample").status_code == 303
    again = mentor.post(
        f"{month}/sample", data={"csrf_token": token(mentor.get(f"{month}/sample/1").text)}
    )
    assert again.status_code == 409
    for place in (1, 2):
        assert press(mentor, f"{month}/sample/{place}", f"/sample/{place}", do="well").location
    assert "2 of 3 looked at" in mentor.get(f"{month}/sample").text
    empty = press(mentor, f"{month}/sample/3", "/sample/3", do="tell", severity="error", note=" ")
    assert empty.status_code == 422
    fields = {"do": "tell", "severity": "error", "note": "Nobody came."}
    assert press(mentor, f"{month}/sample/3", "/sample/3", **fields).status_code == 303
    assert rows(AuditLook) == 3
    blocked = press(mentor, month, "/sign", password=PASSWORD, explanation="It is well.")
    assert blocked.status_code == 409
    assert "An error of this month is not ended. (1)" in blocked.text
    assert rows(SignOff) == 0
    assert press(mentor, f"{at(office)}/findings/1", "/close", words="They did.").status_code == 303
    assert press(mentor, month, "/sign", password="wrong").status_code == 422
    assert press(mentor, month, "/sign", password=PASSWORD).status_code == 303
    page = mentor.get(month).text
    assert "The sample was looked through: 3 of 3." in page
    assert "Co-sign the month" not in page
    assert rows(SignOff) == 1


def test_a_mentor_of_the_village_is_told_to_let_another_sign(sqlite_app, office, mentor):
    month = f"{at(office)}/months/2026-11"
    assert press(mentor, month, "/tie", household="H02", words="").status_code == 422
    assert press(mentor, month, "/tie", household="H02", words="My sister").status_code == 303
    blocked = press(mentor, month, "/sign", password=PASSWORD, explanation="All is well.")
    assert blocked.status_code == 409
    assert "You said that you are related to a household here." in blocked.text
    assert "assign another mentor" in blocked.text
    assert rows(SignOff) == 0


def test_a_household_sees_which_roles_signed_its_month_and_when(sample_app):
    client = visitor(sample_app, "h03.buna-dara")
    page = client.get("/en/household/buna-dara/H03?month=2026-09").text
    signed = page.partition("Signed by")[2]
    assert "The treasurer" in signed
    assert "A mentor from outside" in signed
    assert "not signed yet" not in signed.partition("</section>")[0]
    last = client.get("/en/household/buna-dara/H03?month=2026-10").text.partition("Signed by")[2]
    assert "not signed yet" in last.partition("</section>")[0]
    assert "Signed by" not in client.get("/en/household/buna-dara/H03?month=2026-11").text


# --- how communities stand -----------------------------------------------------------------------


def test_the_community_that_needs_its_mentor_most_comes_first(sqlite_app):
    with time_machine.travel(WHEN, tick=True):
        calm, worried, broken = (audited_office() for _each in range(3))
        for office in (worried, broken):
            people.grant_role(calm.mentor, Grant(Role.MENTOR, office.id), NOW)
        client = enter(sqlite_app, calm.mentor)
        for office in (calm, worried, broken):
            press(client, at(office), "/runs")
        tell(worried)
        tamper(
            "UPDATE service_record SET units = units + 1 WHERE departure_id = :id",
            id=broken.village.departure_id,
        )
        press(client, at(broken), "/runs")
        page = client.get("/en/mentor").text
        order = re.findall(r'<h2><a href="/en/mentor/([^"]+)"', page)
        assert order == [broken.card.slug, worried.card.slug, calm.card.slug]
        assert re.search(r"The audit finds \d+ faults?", page)
        assert "1 open finding" in page
        assert page.count("waits for your signature") == 3


def test_a_dashboard_costs_the_same_for_one_community_as_for_many(sqlite_app):
    with time_machine.travel(WHEN, tick=True):
        first = audited_office()
        client = enter(sqlite_app, first.mentor)
        press(client, at(first), "/runs")
        tell(first)
        client.get("/en/mentor")
        with counted() as one:
            client.get("/en/mentor")
        for _each in range(4):
            more = audited_office()
            people.grant_role(first.mentor, Grant(Role.MENTOR, more.id), NOW)
            press(client, at(more), "/runs")
            tell(more, person=more.mentor)
        with counted() as many:
            assert client.get("/en/mentor").text.count("<article") == 5
        assert len(reading(one)) == len(reading(many)) <= 10


def test_a_finding_can_be_raised_from_a_booking_and_a_departure(sample_app):
    client = visitor(sample_app, "mentor")
    community = get_community(db.session(), "buna-dara").id
    departure = db.session.scalar(
        select(Settlement.departure_id).where(Settlement.community_id == community)
    )
    page = client.get(f"/en/mentor/buna-dara/departures/{departure}").text
    assert f"/findings/new?about=departure:{departure}" in page
    form = client.get(f"/en/mentor/buna-dara/findings/new?about=departure:{departure}").text
    assert f'value="{departure}"' in form
    assert client.get("/en/mentor/buna-dara/findings/new?about=<script>").status_code == 200


def test_an_overdue_finding_is_first_and_said_on_both_sides(sqlite_app):
    with time_machine.travel(WHEN, tick=True):
        office = audited_office()
        tell(office, days=90)
        tell(office, severity="advice", days=1)
    with time_machine.travel(AFTER + timedelta(days=10), tick=True):
        mentor = enter(sqlite_app, office.mentor)
        listed = mentor.get(f"{at(office)}/findings").text
        assert listed.index("Finding 2") < listed.index("Finding 1")
        assert "An answer is overdue since" in listed
        assert "1 overdue" in mentor.get("/en/mentor").text
        treasurer = enter(sqlite_app, office.treasurer)
        assert "1 overdue" in treasurer.get(f"/en/host/{office.card.slug}").text
