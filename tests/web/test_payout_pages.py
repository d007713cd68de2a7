"""Paying households on the pages: plan, a second person's word, proof, files, and the household's own page."""

import csv
import io
import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.communities.queries import get_household
from cbt.db import db
from cbt.ledger.queries import balances
from cbt.people.roles import Grant, Role
from cbt.revenue.payout_models import Payee, PayoutBatch, PayoutExport, PayoutStep
from tests import factories
from tests.site import NOW
from tests.web.forms import a_browser, token

PASSWORD = "long enough"
EVENING = NOW + timedelta(days=2)
TODAY = (EVENING + timedelta(days=1)).date().isoformat()
PHONE = "081-234-5678"


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
    own = get_household(db.session(), village.id, "H01").id
    return a_browser(sqlite_app, "the-household", Grant(Role.HOUSEHOLD, village.id, own))


def at(village, page=""):
    return f"/en/host/{village.slug}/money/batches{page}"


def own(village, page=""):
    return f"/en/household/{village.slug}/H01/payouts{page}"


def send(client, form_at, address, **fields):
    page = client.get(form_at).text
    return client.post(address, data={"csrf_token": token(page), **fields})


def plan(client, village, least="100"):
    return send(client, at(village), at(village), least=least)


def name_payee(client, village, **changes):
    fields = {
        "household": "H01",
        "kind": "phone",
        "number": PHONE,
        "bank": "006",
        "holder": "นาง มะลิ",
    }
    page = f"/en/host/{village.slug}/money/payees"
    return send(client, page, page, **(fields | changes))


def agree_payee(client, village):
    page = f"/en/host/{village.slug}/money/payees"
    return send(client, page, f"{page}/1/agree")


def approve(client, village):
    total = re.search(r'name="total_satang" value="(\d+)"', client.get(at(village, "/1")).text)[1]
    return send(client, at(village, "/1"), at(village, "/1/approve"), total_satang=total)


def note_paid(client, village, line=1, **changes):
    fields = {"paid_from": "promptpay", "bank_reference": "KTB-77", "on": TODAY}
    page = at(village, f"/1/lines/{line}")
    return send(client, page, f"{page}/paid", **(fields | changes))


@pytest.fixture
def ordered(village, host, treasurer):
    name_payee(host, village)
    agree_payee(treasurer, village)
    plan(host, village)
    assert approve(treasurer, village).status_code == 303
    return village


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def test_a_batch_goes_from_plan_to_the_households_word(ordered, treasurer, household):
    earned = books(ordered)
    assert earned["household:H01"] == 0
    line = treasurer.get(at(ordered, "/1/lines/1")).text
    assert "qr-code" in line
    assert PHONE.replace("-", "") in line
    assert note_paid(treasurer, ordered).status_code == 303
    assert "paid out" in treasurer.get(at(ordered, "/1")).text
    page = household.get(own(ordered)).text
    assert "It arrived" in page
    answer = household.post(own(ordered, "/1/confirm"), data={"csrf_token": token(page)})
    assert answer.status_code == 303
    assert "arrived" in household.get(own(ordered)).text
    assert "The household confirmed it" in treasurer.get(at(ordered, "/1/lines/1")).text


def test_the_statement_of_a_household_shows_what_was_paid_out(ordered, treasurer, household):
    note_paid(treasurer, ordered)
    paid = re.search(
        r'class="money">([^<]+)<', household.get(own(ordered)).text.split("Batch 1")[1]
    )
    statement = household.get(f"/en/household/{ordered.slug}/H01")
    assert statement.status_code == 200
    assert paid[1] in statement.text


def test_the_preview_says_who_gets_what_and_who_is_left_out(village, host):
    page = host.get(at(village)).text
    assert "2 households" in page
    assert "nobody said yet how it is paid" in page
    much = host.get(at(village, "?least=9,000.00")).text
    assert "Nobody can be paid now." in much
    assert "less than the least amount" in much
    assert count(PayoutBatch) == 0


def test_who_planned_a_batch_cannot_approve_it(village, host):
    plan(host, village)
    page = host.get(at(village, "/1")).text
    assert "another person has to approve it" in page
    assert "Approve" not in page.replace("Approved", "")
    answer = send(host, at(village, "/1"), at(village, "/1/approve"), total_satang="1")
    assert answer.status_code == 409
    assert "A second person must do this" in answer.text
    assert count(PayoutStep) == 0


@pytest.mark.parametrize("total", ["1", "", "much", "-5", "๑", "9" * 40])
def test_another_total_than_was_seen_is_refused(village, host, treasurer, total):
    plan(host, village)
    answer = send(treasurer, at(village, "/1"), at(village, "/1/approve"), total_satang=total)
    assert answer.status_code == 409
    assert "plan it again" in answer.text
    assert count(PayoutStep) == 0


def test_a_batch_that_waits_stops_a_second_one_until_it_is_given_up(village, host):
    plan(host, village)
    again = plan(host, village)
    assert again.status_code == 409
    assert "Batch 1 waits for a second person" in again.text
    assert send(host, at(village, "/1"), at(village, "/1/withdraw")).status_code == 303
    assert plan(host, village).location.endswith("/batches/2")


@pytest.mark.parametrize("least", ["", "much", "-5", "99999999"])
def test_a_wrong_least_amount_is_kept_and_plans_nothing(village, host, least):
    answer = plan(host, village, least)
    assert answer.status_code in (409, 422)
    assert f'value="{least}"' in answer.text or least == "99999999"
    assert count(PayoutBatch) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bank_reference": ""}, "Please enter the bank&#39;s reference."),
        ({"on": "2031-01-01"}, "until today"),
        ({"on": "someday"}, "year-month-day"),
        ({"paid_from": "pocket"}, "Not a valid choice"),
    ],
)
def test_a_payment_without_proof_is_refused_and_keeps_what_was_typed(
    ordered, treasurer, changes, words
):
    before = count(PayoutStep)
    answer = note_paid(treasurer, ordered, **changes)
    assert answer.status_code in (409, 422)
    assert words in answer.text
    if "bank_reference" not in changes:
        assert "KTB-77" in answer.text
    assert count(PayoutStep) == before


def test_a_bank_reference_pays_one_line_only(ordered, treasurer):
    note_paid(treasurer, ordered)
    answer = note_paid(treasurer, ordered, line=2)
    assert answer.status_code == 409
    assert "already proves another payment" in answer.text


def test_cash_that_is_not_in_the_box_is_refused(ordered, treasurer):
    answer = note_paid(treasurer, ordered, line=2, paid_from="cash", bank_reference="")
    assert answer.status_code == 409
    assert "less money than that" in answer.text


def test_what_came_back_or_was_stopped_is_owed_again(ordered, treasurer):
    note_paid(treasurer, ordered)
    page = at(ordered, "/1/lines/1")
    answer = send(treasurer, page, f"{page}/returned", reason="account closed", back_on=TODAY)
    assert answer.status_code == 303
    page = at(ordered, "/1/lines/2")
    assert send(treasurer, page, f"{page}/stop", reason="").status_code == 422
    assert send(treasurer, page, f"{page}/stop", reason="moved away").status_code == 303
    after = books(ordered)
    assert after["household:H01"] > 0
    assert after["household:H02"] > 0
    assert after["payout_transit"] == 0


def test_a_line_is_found_in_its_own_batch_and_community_only(ordered, treasurer):
    assert treasurer.get(at(ordered, "/2/lines/1")).status_code == 404
    assert treasurer.get(at(ordered, "/1/lines/9")).status_code == 404


# --- files ---------------------------------------------------------------------------------------


def take(client, village, kind, **changes):
    fields = {"pay_on": TODAY, "bank": "006", "account": "983-0-01234-5", "company_id": "42"}
    return send(client, at(village, "/1"), at(village, "/1/files"), kind=kind, **(fields | changes))


def test_a_table_is_taken_and_taken_again_as_a_copy(ordered, treasurer):
    first, second = take(treasurer, ordered, "csv"), take(treasurer, ordered, "csv")
    rows = list(csv.reader(io.StringIO(first.data.decode("utf-8-sig"), newline="")))
    assert [row[1] for row in rows[1:]] == ["H01", "H02"]
    assert [row[11] for row in rows[1:]] == ["", ""]
    assert "-copy-2.csv" in second.headers["Content-Disposition"]
    assert b"COPY 2" in second.data
    assert "copy 2" in treasurer.get(at(ordered, "/1")).text
    assert count(PayoutExport) == 2


@pytest.mark.parametrize(
    ("kind", "start"), [("xlsx", b"PK"), ("pain001", b"<?xml version"), ("csv", b"\xef\xbb\xbf")]
)
def test_each_file_is_what_it_says(ordered, treasurer, kind, start):
    answer = take(treasurer, ordered, kind)
    assert answer.status_code == 200
    assert answer.data.startswith(start)


def test_a_banks_file_holds_only_what_is_still_to_be_paid(ordered, treasurer):
    assert take(treasurer, ordered, "pain001").data.count(b"<EndToEndId>") == 1  # H02 is cash
    note_paid(treasurer, ordered)
    answer = take(treasurer, ordered, "pain001")
    assert answer.status_code == 409
    assert "still to be paid" in answer.text
    assert count(PayoutExport) == 1


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("krungthai", {"company_id": ""}),
        ("krungthai", {"account": "12"}),
        ("pain001", {"account": "letters"}),
        ("pain001", {"pay_on": ""}),
        ("spreadsheet", {}),
    ],
)
def test_a_file_without_what_the_bank_needs_is_not_made(ordered, treasurer, kind, changes):
    assert take(treasurer, ordered, kind, **changes).status_code == 422
    assert count(PayoutExport) == 0


def test_a_batch_that_nobody_approved_gives_no_file(village, host):
    plan(host, village)
    assert take(host, village, "csv").status_code == 409
    assert count(PayoutExport) == 0


def test_the_sheet_has_a_code_for_each_promptpay_and_a_place_to_sign(ordered, treasurer):
    page = treasurer.get(at(ordered, "/1/sheet")).text
    assert page.count("qr-code") == 1
    assert page.count("signature for cash") == 2
    note_paid(treasurer, ordered)
    assert treasurer.get(at(ordered, "/1/sheet")).text.count("signature for cash") == 1


# --- how households are paid ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"number": "12"}, {"holder": ""}, {"kind": "bank", "number": "x"}, {"household": "H99"}],
)
def test_a_number_that_cannot_be_one_is_refused_and_kept(village, host, changes):
    answer = name_payee(host, village, **changes)
    assert answer.status_code in (404, 422)
    if "holder" not in changes:
        assert "นาง มะลิ" in answer.text
    assert count(Payee) == 0


def test_who_wrote_a_number_down_does_not_agree_to_it(village, host):
    name_payee(host, village)
    assert agree_payee(host, village).status_code == 409


def test_the_household_itself_agrees_and_nobody_elses_household_does(
    village, host, household, sqlite_app
):
    name_payee(host, village)
    h02 = get_household(db.session(), village.id, "H02").id
    stranger = a_browser(sqlite_app, "neighbour", Grant(Role.HOUSEHOLD, village.id, h02))
    theirs = f"/en/household/{village.slug}/H02/payouts"
    assert send(stranger, theirs, f"{theirs}/payee/1/agree").status_code == 404
    assert send(household, own(village), own(village, "/payee/1/agree")).status_code == 303
    assert "in use" in household.get(own(village)).text


def test_a_household_names_its_own_number_and_a_host_agrees(village, host, household):
    fields = {"kind": "bank", "number": "983-0-01234-5", "bank": "006", "holder": "Mali"}
    answer = send(household, own(village), own(village, "/payee"), **fields)
    assert answer.status_code == 303
    assert agree_payee(host, village).status_code == 303
    assert "••••••2345" in host.get(f"/en/host/{village.slug}/money/payees").text


def test_a_wrong_number_of_a_household_is_told_and_kept(village, household):
    fields = {"kind": "phone", "number": "99", "bank": "006", "holder": "Mali"}
    answer = send(household, own(village), own(village, "/payee"), **fields)
    assert answer.status_code == 422
    assert 'value="99"' in answer.text
    assert count(Payee) == 0


def test_a_household_confirms_only_its_own_payout(ordered, treasurer, household):
    note_paid(treasurer, ordered, line=2)
    assert send(household, own(ordered), own(ordered, "/2/confirm")).status_code == 404
    assert send(household, own(ordered), own(ordered, "/1/confirm")).status_code == 409


def test_the_money_page_leads_to_payouts_and_the_statement_to_its_own(village, host, household):
    assert at(village) in host.get(f"/en/host/{village.slug}/money").text
    assert own(village) in household.get(f"/en/household/{village.slug}/H01").text
