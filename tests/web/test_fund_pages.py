"""Funds on the pages: money put in, requests with evidence, loans, the household's and everybody's page."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.communities.queries import get_household
from cbt.db import db
from cbt.ledger.queries import balances
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue import fund_use
from cbt.revenue.fund_models import Contribution, FundCeiling, FundClaim, FundEvidence, Loan
from cbt.revenue.funds import MOST_BYTES
from tests import factories
from tests.site import NOW
from tests.web.forms import a_browser, sign_in, token

PASSWORD = "long enough"
EVENING = NOW + timedelta(days=2)
DAY = (EVENING + timedelta(days=1)).date()
TODAY = DAY.isoformat()
PAPER = b"%PDF-1.7 a certificate"


@pytest.fixture(autouse=True)
def after_the_trip():
    with time_machine.travel(EVENING + timedelta(days=1), tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    village = factories.make_village()
    factories.book(village, {"ADULT": 3})
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(village, EVENING)
    return village


@pytest.fixture
def host(village, sqlite_app):
    return a_browser(sqlite_app, "the-host", Grant(Role.COORDINATOR, village.id))


@pytest.fixture
def treasurer(village, sqlite_app):
    return a_browser(sqlite_app, "the-treasurer", Grant(Role.TREASURER, village.id))


@pytest.fixture
def household(village, sqlite_app):
    own_id = get_household(db.session(), village.id, "H01").id
    return a_browser(sqlite_app, "the-household", Grant(Role.HOUSEHOLD, village.id, own_id))


def at(village, page=""):
    return f"/en/host/{village.slug}/money/{page}"


def own(village, page=""):
    return f"/en/household/{village.slug}/H01/funds{page}"


def send(client, form_at, address, **fields):
    page = client.get(form_at).text
    return client.post(address, data={"csrf_token": token(page), **fields})


def give(client, village, fund="welfare", **changes):
    fields = {
        "giver": "local_government",
        "household": "",
        "amount": "5,000",
        "account": "promptpay",
        "bank_reference": "GOV-1",
        "given_on": TODAY,
        "note": "yearly grant",
    }
    page = at(village, f"funds/{fund}")
    return send(client, page, f"{page}/contributions", **(fields | changes))


def ask(client, village, page=None, body=PAPER, **changes):
    """A request as its bytes: the test client would leave a large file open."""
    page = page or at(village, "funds/welfare")
    fields = {
        "csrf_token": token(client.get(page).text),
        "purpose": "illness",
        "household": "H01",
        "amount": "100",
        "what": "three nights in hospital",
        "payee": "Ms H01",
        "evidence": "certificate of the hospital",
    }
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (fields | changes).items()
    )
    parts += '--x\r\nContent-Disposition: form-data; name="file"; filename="ใบรับรอง.pdf"\r\n\r\n'
    data = parts.encode() + body + b"\r\n--x--\r\n"
    address = page if page.startswith("/en/household") else f"{page}/requests"
    return client.post(address, data=data, content_type="multipart/form-data; boundary=x")


def act(client, village, page, what, **fields):
    return send(client, at(village, page), at(village, f"{page}/{what}"), **fields)


def paid(**changes):
    return {"paid_from": "promptpay", "bank_reference": "KTB-5", "on": TODAY} | changes


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


# --- requests ------------------------------------------------------------------------------------


def test_a_household_asks_two_approve_it_is_paid_and_arrives(village, host, treasurer, household):
    give(host, village)
    before = books(village)["fund:welfare"]
    assert ask(household, village, own(village)).status_code == 303
    assert "waits for two people" in household.get(own(village)).text
    assert act(host, village, "requests/1", "approve").status_code == 303
    assert "Approve it" not in host.get(at(village, "requests/1")).text
    assert act(treasurer, village, "requests/1", "approve").status_code == 303
    assert act(treasurer, village, "requests/1", "pay", **paid()).status_code == 303
    assert before - books(village)["fund:welfare"] == 10_000
    answer = send(household, own(village), own(village, "/1/confirm"))
    assert answer.status_code == 303
    assert "The household confirmed it" in host.get(at(village, "requests/1")).text
    db.session.rollback()
    assert [f for each in verify(db.session(), village.card) for f in each.findings] == []


def test_the_evidence_is_kept_byte_for_byte_for_those_who_may_see_it(
    village, host, household, sqlite_app
):
    give(host, village)
    ask(household, village, own(village))
    for client, address in (
        (host, at(village, "requests/1/evidence")),
        (household, own(village, "/1/evidence")),
    ):
        answer = client.get(address)
        assert answer.data == PAPER
        assert answer.headers["Content-Disposition"] == 'attachment; filename="evidence-1.pdf"'
    h02 = get_household(db.session(), village.id, "H02").id
    stranger = a_browser(sqlite_app, "neighbour", Grant(Role.HOUSEHOLD, village.id, h02))
    assert stranger.get(own(village, "/1/evidence")).status_code == 403
    theirs = f"/en/household/{village.slug}/H02/funds/1/evidence"
    assert stranger.get(theirs).status_code == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "much"}, "Please enter an amount in baht"),
        ({"amount": "900000"}, "that is free now"),
        ({"what": ""}, "Please fill this in."),
        ({"household": ""}, "not for that"),
        ({"purpose": "works"}, "Not a valid choice"),
        ({"body": b""}, "Please add the evidence"),
        ({"body": b"<html>"}, "must be a PDF or a picture"),
        ({"body": b"%PDF-" + b"x" * MOST_BYTES}, "must be a PDF or a picture"),
    ],
)
def test_a_request_that_cannot_be_is_told_keeps_what_was_typed_and_writes_nothing(
    village, host, changes, words
):
    answer = ask(host, village, **changes)
    assert answer.status_code in (409, 422)
    assert words in answer.text
    assert "certificate of the hospital" in answer.text
    assert count(FundClaim) == count(FundEvidence) == 0


def test_a_file_that_is_larger_than_any_evidence_is_not_taken_in(village, host):
    answer = ask(host, village, body=b"%PDF-" + b"x" * (MOST_BYTES + 200_000))
    assert answer.status_code == 413
    assert count(FundClaim) == 0


def test_who_asked_is_told_that_others_must_approve(village, host):
    give(host, village)
    ask(host, village)
    assert "You stand for it already" in host.get(at(village, "requests/1")).text
    assert act(host, village, "requests/1", "refuse", refused_for="").status_code == 422
    answer = act(host, village, "requests/1", "approve")
    assert answer.status_code == 409
    assert "A second person must do this" in answer.text


def test_a_refusal_is_read_by_its_household(village, host, household):
    give(host, village)
    ask(household, village, own(village))
    answer = act(host, village, "requests/1", "refuse", refused_for="the paper is of last year")
    assert answer.status_code == 303
    assert "the paper is of last year" in household.get(own(village)).text
    assert act(host, village, "requests/1", "approve").status_code == 409


def test_a_ceiling_is_set_with_its_meeting_and_stops_what_is_above(village, host):
    page = at(village, "funds/welfare")
    fields = {"for_purpose": "illness", "once": "50", "yearly": "40", "reason": "meeting 3/2569"}
    answer = send(host, page, f"{page}/ceilings", **fields)
    assert answer.status_code == 422
    assert "meeting 3/2569" in answer.text
    assert count(FundCeiling) == 0
    assert send(host, page, f"{page}/ceilings", **{**fields, "yearly": "60"}).status_code == 303
    answer = ask(host, village)
    assert answer.status_code == 409
    assert "At most ฿50.00" in answer.text or "50.00" in answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "0"},
        {"bank_reference": ""},
        {"given_on": "2031-01-01"},
        {"giver": "nobody"},
    ],
)
def test_a_contribution_that_cannot_be_is_kept_in_the_form_alone(village, host, changes):
    answer = give(host, village, **changes)
    assert answer.status_code == 422
    assert "yearly grant" in answer.text
    assert count(Contribution) == 0


def test_a_fund_that_is_not_there_is_not_found(village, host):
    assert host.get(at(village, "funds/treasure")).status_code == 404
    assert give(host, village).status_code == 303
    page = host.get(at(village, "funds/welfare")).text
    assert (
        host.post(
            at(village, "funds/treasure/requests"), data={"csrf_token": token(page)}
        ).status_code
        == 404
    )


# --- loans ---------------------------------------------------------------------------------------


def ask_loan(client, village, **changes):
    fields = {
        "household": "H01",
        "borrower": "Ms H01",
        "what": "a new net",
        "amount": "900",
        "instalments": "3",
        "first_due_on": (DAY + timedelta(days=10)).isoformat(),
    }
    return send(client, at(village, "loans"), at(village, "loans"), **(fields | changes))


def test_a_loan_is_lent_paid_back_and_its_rest_waived_by_two(village, host, treasurer, household):
    give(host, village, "revolve")
    people.grant_role(village.person_id, Grant(Role.TREASURER, village.id), NOW)
    assert ask_loan(host, village).status_code == 303
    assert act(host, village, "loans/1", "approve").status_code == 409
    assert act(treasurer, village, "loans/1", "approve").status_code == 303
    db.session.rollback()
    approve_as_third(village)
    assert act(treasurer, village, "loans/1", "pay", **paid()).status_code == 303
    back = {"amount": "400", "account": "promptpay", "bank_reference": "B-1", "repaid_on": TODAY}
    more = act(host, village, "loans/1", "repay", **{**back, "amount": "901"})
    assert more.status_code == 422
    assert "at most what is left" in more.text
    assert act(host, village, "loans/1", "repay", **back).status_code == 303
    assert "500.00" in household.get(own(village)).text
    assert act(host, village, "loans/1", "waive").status_code == 409  # who asked for it
    assert act(treasurer, village, "loans/1", "waive").status_code == 303
    assert "You agreed already" in treasurer.get(at(village, "loans/1")).text
    third = (village.person_id, EVENING + timedelta(days=1))
    assert fund_use.waive_loan(village.id, 1, *third)
    assert "rest waived" in household.get(own(village)).text
    assert books(village)["loans"] == 0


def approve_as_third(village):
    fund_use.approve_loan(village.id, 1, village.person_id, EVENING + timedelta(days=1))


def test_arrears_are_shown_from_the_day_after(village, host, treasurer):
    give(host, village, "revolve")
    ask_loan(host, village)
    act(treasurer, village, "loans/1", "approve")
    approve_as_third(village)
    act(treasurer, village, "loans/1", "pay", **paid())
    assert "Loans in arrears" not in host.get(at(village, "funds")).text
    with time_machine.travel(EVENING + timedelta(days=12), tick=True):
        sign_in(host, "the-host", PASSWORD)
        assert "Loans in arrears" in host.get(at(village, "funds")).text
        assert "300.00" in host.get(at(village, "loans")).text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instalments": "0"}, "1 to 60"),
        ({"instalments": "many"}, "Not a valid integer value."),
        ({"first_due_on": TODAY}, "still to come"),
        ({"amount": "90000"}, "that is free now"),
        ({"borrower": ""}, "Please fill this in."),
    ],
)
def test_a_loan_that_cannot_be_is_told_and_kept(village, host, changes, words):
    give(host, village, "revolve")
    answer = ask_loan(host, village, **changes)
    assert answer.status_code in (409, 422)
    assert words in answer.text
    assert "a new net" in answer.text
    assert count(Loan) == 0


# --- everybody -----------------------------------------------------------------------------------


def shown(client, village, fund="welfare"):
    return client.get(f"/en/funds/{village.slug}/{fund}").text


def pay_claims(village, host, treasurer, household, number, purpose="illness"):
    for _each in range(number):
        ask(household, village, own(village), purpose=purpose)
        claim_id = count(FundClaim)
        for client in (host, treasurer):
            act(client, village, f"requests/{claim_id}", "approve")
        fields = paid(bank_reference=f"KTB-{claim_id}")
        assert act(host, village, f"requests/{claim_id}", "pay", **fields).status_code == 303


def test_everybody_reads_a_fund_by_kind_and_nobodys_household(
    village, host, treasurer, household, sqlite_app
):
    visitor = sqlite_app.test_client()
    assert "Nothing was taken out yet." in shown(visitor, village)
    give(host, village)
    pay_claims(village, host, treasurer, household, 3)
    pay_claims(village, host, treasurer, household, 2, "birth")
    page = shown(visitor, village)
    assert "of 1 trip" in page
    assert "Illness" in page
    assert "300.00" in page
    assert "Local government" in page
    assert "Childbirth" not in page  # two payments would tell whose
    assert re.search(r"Other.{0,80}2 entries", page, re.S)
    assert "Ms H01" not in page
    assert "English H01" not in page
    balance = books(village)["fund:welfare"]
    assert f"{balance / 100:,.2f}" in page


def test_the_public_pages_are_linked_and_know_no_other_fund(village, sqlite_app):
    visitor = sqlite_app.test_client()
    assert f"/en/funds/{village.slug}" in visitor.get(f"/en/c/{village.slug}").text
    assert f"/en/funds/{village.slug}/welfare" in visitor.get(f"/en/funds/{village.slug}").text
    assert visitor.get(f"/en/funds/{village.slug}/treasure").status_code == 404
    assert visitor.get("/en/funds/nowhere").status_code == 404
