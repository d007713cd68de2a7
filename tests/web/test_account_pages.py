"""Changing where the money goes, page by page: what is shown, done and refused."""

import re
from datetime import timedelta

import pytest
import time_machine

from cbt.db import db
from cbt.payments import account_changes, queries
from cbt.payments.account_rules import ALONE_AFTER
from cbt.people import services as people
from cbt.people.queries import get_mail
from cbt.people.roles import Grant, Role
from tests import factories
from tests.factories import PROVIDERS, RECEIVERS
from tests.site import NOW
from tests.web.test_money_pages import a_browser, at, send, words

NEW = {"kind": "tax_id", "number": "1101700230708", "name_th": "กลุ่มใหม่", "name_en": "New group"}
NUMBER = "1101700230708"


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    found = factories.make_village()
    people.end_role(found.person_id, Grant(Role.COORDINATOR, found.id), NOW)
    db.session.rollback()
    return found


@pytest.fixture
def treasurer(village, sqlite_app):
    return a_browser(sqlite_app, "the-treasurer", Grant(Role.TREASURER, village.id))


@pytest.fixture
def coordinator(village, sqlite_app):
    return a_browser(sqlite_app, "the-coordinator", Grant(Role.COORDINATOR, village.id))


def propose(treasurer, village):
    answer = send(treasurer, village, "/accounts/promptpay", **NEW)
    assert answer.status_code == 303
    assert answer.location.endswith("#waiting")
    (waiting,) = queries.list_waiting_proposals(db.session(), village.id)
    db.session.rollback()
    return f"/account-changes/{waiting.id}"


def receiver(village):
    db.session.rollback()
    found = queries.find_method(db.session(), village.id, "promptpay").receiver
    db.session.rollback()
    return found


def decide(client, village, page, **fields):
    return send(client, village, page, form_at="/accounts", **fields)


def test_everybody_with_a_role_sees_who_wants_what_and_one_other_agrees(
    village, treasurer, coordinator
):
    change = propose(treasurer, village)
    for client in (treasurer, coordinator):
        page = words(client.get(at(village, "/accounts")).text)
        for fact in (NUMBER, RECEIVERS["promptpay"]["id"], "New group", "the-treasurer"):
            assert fact in page
    assert "I agree" not in treasurer.get(at(village, "/accounts")).text
    for page in (at(village), f"/en/host/{village.slug}"):
        assert "a change waits for a second person" in coordinator.get(page).text
    assert receiver(village) == RECEIVERS["promptpay"]
    assert decide(coordinator, village, f"{change}/approve").status_code == 303
    assert receiver(village) == {"kind": "tax_id", "id": NUMBER}
    page = words(coordinator.get(at(village, "/accounts")).text)
    assert "agreed to by the-coordinator" in page
    assert "Proposed by the-treasurer . Decided by the-coordinator ." in page
    assert "a change waits" not in coordinator.get(at(village)).text


def test_who_proposed_it_is_told_that_another_must_agree(village, treasurer, coordinator):
    change = propose(treasurer, village)
    answer = decide(treasurer, village, f"{change}/approve")
    assert answer.status_code == 409
    assert "A second person must do this" in answer.text
    assert receiver(village) == RECEIVERS["promptpay"]


def test_a_second_change_waits_for_the_first_ones_answer(village, treasurer, coordinator):
    propose(treasurer, village)
    answer = send(treasurer, village, "/accounts/promptpay", **{**NEW, "number": "0811111111"})
    assert answer.status_code == 409
    assert "waits for a second person already" in answer.text


def test_refusing_needs_a_reason_that_the_others_then_read(village, treasurer, coordinator):
    change = propose(treasurer, village)
    answer = decide(coordinator, village, f"{change}/refuse", reason=" ")
    assert answer.status_code == 422
    assert "Please write why." in answer.text
    assert re.search(r"<details open>\s*<summary>I do not agree", answer.text)
    assert decide(coordinator, village, f"{change}/refuse", reason="never seen").status_code == 303
    assert "never seen" in treasurer.get(at(village, "/accounts")).text
    assert decide(coordinator, village, f"{change}/approve").status_code == 409
    assert receiver(village) == RECEIVERS["promptpay"]


def test_who_proposed_it_withdraws_it_and_nobody_else(village, treasurer, coordinator):
    change = propose(treasurer, village)
    assert decide(coordinator, village, f"{change}/withdraw").status_code == 403
    assert decide(treasurer, village, f"{change}/withdraw", reason="a typo").status_code == 303
    page = words(treasurer.get(at(village, "/accounts")).text)
    assert "withdrawn : a typo" in page.replace("withdrawn:", "withdrawn :")


def test_a_lone_treasurer_is_told_when_it_takes_effect(village, treasurer):
    propose(treasurer, village)
    page = words(treasurer.get(at(village, "/accounts")).text)
    assert "Nobody else of the community could agree" in page
    assert "24 Nov" in page or "24 November" in page
    with time_machine.travel(NOW + ALONE_AFTER + timedelta(minutes=1)):
        account_changes.settle_proposals(PROVIDERS, NOW + ALONE_AFTER + timedelta(minutes=1))
    assert receiver(village) == {"kind": "tax_id", "id": NUMBER}


def test_everybody_sets_where_they_are_told_of_it(village, treasurer, sqlite_app):
    person = people.sign_in("the-treasurer", "long enough")[0]
    answer = send(treasurer, village, "/mail", form_at="/accounts", mail="nobody")
    assert answer.status_code == 422
    assert "does not look like an e-mail address" in answer.text
    assert get_mail(db.session(), person) == ""
    db.session.rollback()
    answer = send(treasurer, village, "/mail", form_at="/accounts", mail="a@example.org")
    assert answer.status_code == 303
    assert get_mail(db.session(), person) == "a@example.org"
    db.session.rollback()
    assert 'value="a@example.org"' in treasurer.get(at(village, "/accounts")).text
