"""Closing a month, signing it, and asking about a line, as people do it on their pages."""

import re
from datetime import UTC, date, datetime

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from cbt.communities.queries import get_community
from cbt.db import db
from cbt.demo.load import PASSWORD
from cbt.revenue.closed import CloseDraft, LineDispute, Period, PeriodSignature
from cbt.revenue.period_queries import get_period
from tests.revenue.closing import NOVEMBER, make_office, worked_month
from tests.web.forms import post, sign_in

OCTOBER = date(2026, 10, 1)
CLOSED_AT = "/en/host/buna-dara/money/months/2026-10"
STATEMENT = "/en/household/buna-dara/H03"
WHEN = datetime(2026, 12, 3, 4, tzinfo=UTC)


def visitor(app, name):
    client = app.test_client()
    sign_in(client, name)
    return client


# --- a month from the first page to the last -----------------------------------------------------


@pytest.fixture
def office(sqlite_app: Flask):
    """A village whose November is ready; its people sign in by name."""
    with time_machine.travel(WHEN, tick=True):
        office = make_office()
        worked_month(office)
        yield office


def enter(app, person):
    from cbt.people.models import Person

    name = db.session.scalar(select(Person.sign_in_name).where(Person.id == person))
    client = app.test_client()
    assert sign_in(client, name, "long enough").status_code == 303
    return client


def test_a_month_is_prepared_confirmed_and_signed_on_its_pages(sqlite_app, office):
    slug = office.card.slug
    page = f"/en/host/{slug}/money/close"
    treasurer, coordinator = (
        enter(sqlite_app, each) for each in (office.treasurer, office.coordinator)
    )
    shown = treasurer.get(page).text
    assert "November 2026" in shown
    previewed = re.search(r'name="previewed" value="([0-9a-f]{64})"', shown)[1]
    fields = {"month": "2026-11", "previewed": previewed}
    missing = post(treasurer, page, **fields)  # the exemption's end asks for a word
    assert missing.status_code == 422
    assert "PRD-15" in missing.text
    assert db.session.scalar(select(func.count(CloseDraft.id))) == 0
    assert post(coordinator, page, **fields).status_code == 403  # the treasurer prepares
    told = {"why-PRD-15": "We asked the Revenue Department on 2 December."}
    assert post(treasurer, page, **fields, **told).status_code == 303
    db.session.rollback()
    draft = db.session.scalar(select(CloseDraft.id))
    own = post(treasurer, f"{page}/confirm", form_at=page, draft=draft)
    assert own.status_code == 409
    assert "another person" in own.text
    db.session.rollback()
    assert db.session.scalar(select(func.count(Period.id))) == 0
    closed = post(coordinator, f"{page}/confirm", form_at=page, draft=draft)
    assert closed.location.endswith(f"/en/host/{slug}/money/months/2026-11")
    month = f"/en/host/{slug}/money/months/2026-11"
    assert "We asked the Revenue Department" in treasurer.get(month).text
    wrong = post(treasurer, f"{month}/sign", form_at=month, password="not hers at all")
    assert wrong.status_code == 422
    assert (
        post(treasurer, f"{month}/sign", form_at=month, password="long enough").status_code == 303
    )
    again = post(treasurer, f"{month}/sign", form_at=month, password="long enough")
    assert again.status_code == 409
    mentor = enter(sqlite_app, office.mentor)
    witness = f"/en/mentor/{slug}/months/2026-11"
    looked = {"explanation": "Looked through on paper.", "password": "long enough"}
    assert post(mentor, f"{witness}/sign", form_at=witness, **looked).status_code == 303
    assert mentor.post(f"{page}/confirm").status_code in (400, 403)
    db.session.rollback()
    period = get_period(db.session(), office.id, NOVEMBER)
    signed = db.session.scalar(
        select(func.count())
        .select_from(PeriodSignature)
        .where(PeriodSignature.period_id == period.id)
    )
    assert signed == 3
    assert "December 2026" in treasurer.get(page).text


def test_the_mentor_may_neither_prepare_nor_confirm(sqlite_app, office):
    mentor = enter(sqlite_app, office.mentor)
    sqlite_app.config["WTF_CSRF_ENABLED"] = False
    for part in ("", "/confirm", "/withdraw"):
        answer = mentor.post(f"/en/host/{office.card.slug}/money/close{part}", data={"draft": "1"})
        assert answer.status_code == 403
    assert db.session.scalar(select(func.count(CloseDraft.id))) == 0


# --- the samples ---------------------------------------------------------------------------------


def test_a_closed_month_shows_its_papers_and_code(sample_app):
    client = visitor(sample_app, "treasurer.buna-dara")
    page = client.get(CLOSED_AT).text
    assert re.search(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}", page)
    for address in (f"{CLOSED_AT}/notice.pdf", f"{STATEMENT}/statement.pdf?month=2026-10"):
        paper = client.get(address)
        assert (paper.status_code, paper.mimetype) == (200, "application/pdf")
        assert paper.data.startswith(b"%PDF")
    assert client.get("/en/host/buna-dara/money/months/2026-11").status_code == 404
    assert client.get("/en/host/buna-dara/money/months/no-month").status_code == 404


def test_an_open_month_has_no_paper_and_no_proof(sample_app):
    client = visitor(sample_app, "h03.buna-dara")
    for part in ("proof", "statement.pdf", "statement.txt"):
        for month in ("2026-11", "1999-01", "nothing", ""):
            assert client.get(f"{STATEMENT}/{part}?month={month}").status_code == 404
        assert client.get(f"{STATEMENT}/{part}?month=2026-10").status_code == 200


def test_the_code_on_the_page_opens_the_check_and_holds(sample_app):
    from cbt.audit import verify_statement

    client = visitor(sample_app, "h03.buna-dara")
    page = client.get(f"{STATEMENT}/proof?month=2026-10").text
    code = re.search(r'href="[^"]*/verify/buna-dara#([^"]+)"', page)[1]
    stranger = sample_app.test_client()
    keys = stranger.get("/en/verify/buna-dara/keys.txt").text
    statement = client.get(f"{STATEMENT}/statement.txt?month=2026-10").text
    is_well, told = verify_statement.check(code, keys, statement)
    assert is_well, told
    assert stranger.get("/th/verify/buna-dara").status_code == 200
    assert stranger.get("/th/verify").status_code == 200
    assert b"def climb" in stranger.get("/en/verify/verify_statement.py").data
    assert "PRIVATE" not in keys


def test_a_household_asks_and_the_treasurer_answers(sample_app):
    member = visitor(sample_app, "h03.buna-dara")
    page = member.get(f"{STATEMENT}?month=2026-10").text
    line = re.search(r'href="(/en/household/buna-dara/H03/lines/\d+-\d+)"', page)[1]
    assert post(member, line, what="").status_code == 422
    assert post(member, line, what="I cooked twice\n<b>that day</b>").status_code == 303
    shown = member.get(line).text
    assert "&lt;b&gt;that day&lt;/b&gt;" in shown
    neighbour = visitor(sample_app, "h01.buna-dara")
    assert neighbour.get(line).status_code == 403
    treasurer = visitor(sample_app, "treasurer.buna-dara")
    asked = db.session.scalar(select(LineDispute.id))
    answer = f"/en/host/buna-dara/money/lines/{asked}"
    at = "/en/host/buna-dara/money/lines"
    assert post(treasurer, answer, form_at=at, answer="").status_code == 422
    assert post(treasurer, answer, form_at=at, answer="The record says once.").status_code == 303
    assert "The record says once." in member.get(line).text
    assert post(member, f"{line}/mentor", form_at=line).status_code == 303
    mentor = visitor(sample_app, "mentor")
    told = "/en/mentor/buna-dara/lines"
    assert "I cooked twice" in mentor.get(told).text
    assert post(mentor, f"{told}/{asked}", form_at=told, decision="Once.").status_code == 303
    assert "Once." in member.get(line).text
    assert member.get(line).text.count("held back") == 0


def test_a_household_cannot_ask_about_anothers_line(sample_app):
    member = visitor(sample_app, "h01.buna-dara")
    page = visitor(sample_app, "h03.buna-dara").get(f"{STATEMENT}?month=2026-10").text
    line = re.search(r"/lines/(\d+-\d+)\"", page)[1]
    assert member.get(f"/en/household/buna-dara/H01/lines/{line}").status_code == 404
    assert db.session.scalar(select(func.count(LineDispute.id))) == 0


def test_another_community_sees_nothing_of_a_closed_month(sample_app):
    client = visitor(sample_app, "treasurer.ban-mok-ngam")
    for address in (CLOSED_AT, f"{STATEMENT}?month=2026-10", f"{CLOSED_AT}/notice.pdf"):
        assert client.get(address).status_code == 403


def test_the_sample_months_are_closed_by_two_and_signed(sample_app):
    community = get_community(db.session(), "buna-dara")
    period = get_period(db.session(), community.id, OCTOBER)
    assert period.prepared_by != period.approved_by
    assert PASSWORD not in period.record
