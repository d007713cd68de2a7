"""The pages of money that goes back, goodwill and disputes, as treasurer and coordinator use them."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from cbt.bookings.models import Booking
from cbt.communities.queries import get_community
from cbt.db import db
from cbt.payments import cash_box, disputes, give_back, goodwill
from cbt.payments.box import get_box
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Attempt, Capture, Refund
from cbt.payments.money_rules import MoneyRules, set_money_rules
from cbt.payments.provider import DisputeState, NormalisedDispute, RefundState
from cbt.payments.reported import Dispute
from cbt.people.queries import find_sign_in
from tests.scripted import Scripted
from tests.site import NOW
from tests.web.forms import post, sign_in, token

AT = "/en/host/buna-dara"
MONEY = f"{AT}/money/refunds"


class Scene:
    """Refunds of every state and two disputes at Buna Dara, made through the use cases."""

    def __init__(self):
        session = db.session()
        self.community = get_community(session, "buna-dara")
        self.host = find_sign_in(session, "host.buna-dara").person_id
        self.treasurer = find_sign_in(session, "treasurer.buna-dara").person_id
        self.bank = Scripted()
        self.confirmed = self._bookings("confirmed")
        self.settled = self._bookings("settled")
        rules = MoneyRules(approve_from_satang=30_000)
        set_money_rules(self.community.id, rules, self.treasurer, NOW)

    def _bookings(self, state):
        return db.session.scalars(
            select(Booking.reference)
            .join(Capture, Capture.booking_id == Booking.id)
            .where(
                Booking.community_id == self.community.id,
                Booking.state == state,
                Capture.provider == "demo",
            )
            .order_by(Booking.id)
        ).all()

    def give(self, reference, satang, person_id=None):
        """Goodwill to a booking's guest; returns the refund's id."""
        wanted = Goodwill(amount_satang=satang)
        quoted = goodwill.quote_goodwill(self.community.id, reference, wanted, NOW)
        person_id = person_id or self.host
        goodwill.ask_goodwill(self.community.id, reference, wanted, quoted, person_id, NOW)
        db.session.rollback()
        return db.session.scalar(select(Refund.id).order_by(Refund.id.desc()).limit(1))

    def send(self, state):
        self.bank.first = state
        give_back.send_refunds(self.bank.among, NOW)

    def dispute(self, reference, number):
        capture, account_id = db.session.execute(
            select(Capture, Attempt.payment_account_id)
            .join(Attempt, Attempt.id == Capture.attempt_id)
            .join(Booking, Booking.id == Capture.booking_id)
            .where(Booking.reference == reference)
        ).first()
        money = (capture.amount_satang, 53_500)
        said = NormalisedDispute(
            f"dp_{number}",
            capture.payment_id,
            *money,
            DisputeState.OPEN,
            "product_not_received",
            NOW,
            NOW + timedelta(days=9),
        )
        return disputes.take_in_dispute(account_id, said, NOW)

    def play(self):
        """All of it, for pictures."""
        first, second, third, fourth = self.confirmed[:4]
        self.give(first, 25_000)
        self.send(RefundState.ACTION_REQUIRED)
        self.give(second, 20_000)
        self.send(RefundState.FAILED)
        self.give(third, 10_000)
        self.send(RefundState.SUCCEEDED)
        self.give(third, 40_000)
        self.give(first, 30_000, self.treasurer)
        self.dispute(fourth, 1)
        self.dispute(self.settled[0], 2)


@pytest.fixture
def scene(sample_app):
    return Scene()


@pytest.fixture
def host(client):
    sign_in(client, "host.buna-dara")
    return client


@pytest.fixture
def treasurer(sample_app):
    client = sample_app.test_client()
    sign_in(client, "treasurer.buna-dara")
    return client


def refund(refund_id):
    db.session.rollback()
    return db.session.get(Refund, refund_id)


def text(answer):
    return unescape(re.sub(r"<[^>]+>", " ", answer.text))


def test_goodwill_is_chosen_looked_at_and_given(host, scene):
    reference = scene.confirmed[0]
    page = host.get(f"{AT}/bookings/{reference}")
    assert "Give back more than the terms ask" in page.text
    quoted = host.get(f"{AT}/bookings/{reference}/goodwill?person-ADULT=1")
    assert quoted.status_code == 200
    assert "The booking keeps then" in quoted.text
    assert db.session.scalars(select(Refund).where(Refund.reason == "goodwill")).all() == []
    fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', quoted.text))
    address = f"{AT}/bookings/{reference}/goodwill"
    answer = host.post(address, data=fields)
    assert (answer.status_code, answer.location) == (303, MONEY)
    again = host.post(address, data=fields)
    assert again.status_code == 409
    assert "Nothing was overwritten" in again.text
    db.session.rollback()
    [given] = db.session.scalars(select(Refund).where(Refund.reason == "goodwill")).all()
    assert (given.amount_satang, given.requested_by) == (int(fields["agreed"]), scene.host)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("amount=much", "Please enter an amount in baht"),
        ("amount=", "Please enter an amount in baht"),
        ("amount=0", "Please enter an amount in baht"),
        ("amount=99999", "would be more than what was paid"),
        ("person-ADULT=0", "Choose at least one person or extra"),
        ("person-ADULT=99", "Choose at least one person or extra"),
        ("person-ADULT=x", "Choose at least one person or extra"),
        ("", "Choose at least one person or extra"),
    ],
)
def test_a_wrong_goodwill_is_answered_on_the_bookings_page(host, scene, asked, words):
    answer = host.get(f"{AT}/bookings/{scene.confirmed[0]}/goodwill?{asked}")
    assert answer.status_code in (409, 422)
    assert words in answer.text


def test_a_settled_booking_says_who_bears_what_is_given_back(host, scene):
    reference = scene.settled[0]
    assert "has been shared out" in host.get(f"{AT}/bookings/{reference}").text
    answer = host.get(f"{AT}/bookings/{reference}/goodwill?amount=1")
    assert answer.status_code == 200
    assert "Who bears it" in answer.text


def test_a_large_goodwill_waits_for_another_person(host, treasurer, scene):
    refund_id = scene.give(scene.confirmed[0], 40_000)
    page = host.get(MONEY)
    assert "You asked for it, so another person has to agree." in text(page)
    refused = host.post(
        f"{MONEY}/{refund_id}/approve", data={"csrf_token": token(host.get(MONEY).text)}
    )
    assert refused.status_code == 409
    assert refund(refund_id).state == RefundState.REQUESTED
    seen = treasurer.get(MONEY)
    assert "Agree: give it back" in seen.text
    form = {"csrf_token": token(seen.text)}
    assert treasurer.post(f"{MONEY}/{refund_id}/approve", data=form).status_code == 303
    assert refund(refund_id).approved_by == scene.treasurer
    assert treasurer.post(f"{MONEY}/{refund_id}/approve", data=form).status_code == 409
    assert treasurer.post(f"{MONEY}/{refund_id}/refuse", data=form).status_code == 409


def test_a_goodwill_is_refused(treasurer, scene):
    refund_id = scene.give(scene.confirmed[0], 40_000)
    assert post(treasurer, f"{MONEY}/{refund_id}/refuse", MONEY).status_code == 303
    assert refund(refund_id).state == RefundState.CANCELLED
    assert "not given back" in treasurer.get(MONEY).text


def test_a_guest_who_must_name_an_account_is_shown_with_the_day(host, scene):
    scene.give(scene.confirmed[0], 25_000)
    scene.send(RefundState.ACTION_REQUIRED)
    page = text(host.get(MONEY))
    assert "The guest has to name a bank account by 3 Dec 2026" in page
    assert "waiting for the guest's bank details" in page


def test_a_failed_refund_is_noted_as_made_by_hand(host, scene):
    refund_id = scene.give(scene.confirmed[0], 25_000)
    scene.send(RefundState.FAILED)
    page = host.get(MONEY)
    assert "Ask the guest where to" in page.text
    assert 'name="paid_from" value="promptpay" checked' in page.text
    address = f"{MONEY}/{refund_id}/made"
    empty = post(host, address, MONEY, paid_from="promptpay", proof=" ")
    assert empty.status_code == 422
    assert "Please fill this in." in empty.text
    holds = get_box(db.session(), scene.community).holds_satang
    cash_box.bank_cash(scene.community.id, holds, "BANKED", scene.host, NOW)
    from_box = post(host, address, MONEY, paid_from="cash", proof="A1")
    assert from_box.status_code == 409
    assert "The box holds only ฿0.00." in from_box.text
    assert post(host, address, MONEY, paid_from="demo", proof="A1").status_code == 409
    assert refund(refund_id).state == RefundState.FAILED
    assert post(host, address, MONEY, paid_from="promptpay", proof="A1").status_code == 303
    assert refund(refund_id).done_by == f"person:{scene.host}"
    done = text(host.get(MONEY))
    assert "Done lately" in done
    assert "A1" in done
    form = {"csrf_token": token(host.get(AT + "/walk-in").text)}
    again = host.post(address, data={**form, "paid_from": "promptpay", "proof": "A2"})
    assert again.status_code == 409
    assert refund(refund_id).proof == "A1"


def test_refunds_of_another_community_cannot_be_touched(sample_app, scene):
    refund_id = scene.give(scene.confirmed[0], 40_000)
    stranger = sample_app.test_client()
    sign_in(stranger, "host.ban-mok-ngam")
    at = "/en/host/ban-mok-ngam/money/refunds"
    form = {"csrf_token": token(stranger.get("/en/host/ban-mok-ngam/walk-in").text)}
    for act in ("approve", "refuse", "made"):
        data = {**form, "paid_from": "promptpay", "proof": "X"}
        assert stranger.post(f"{at}/{refund_id}/{act}", data=data).status_code == 404
    assert refund(refund_id).state == RefundState.REQUESTED


def test_a_dispute_shows_what_the_bank_is_told_and_is_answered(sample_app, host, scene):
    dispute_id = scene.dispute(scene.confirmed[0], 1)
    assert "Answer the bank by" in text(host.get(MONEY))
    address = f"{AT}/money/disputes/{dispute_id}"
    page = host.get(address)
    assert scene.confirmed[0] in page.text
    assert "This payment service takes no answer from here" in page.text
    sample_app.extensions["providers"] = scene.bank.among
    assert "Send it to the bank" in host.get(address).text
    scene.bank.is_down = True
    down = post(host, f"{address}/evidence", address, words="They came.")
    assert down.status_code == 503
    assert "They came." in down.text  # what was typed is not lost
    scene.bank.is_down = False
    assert post(host, f"{address}/evidence", address, words="They came.").status_code == 303
    [(_ref, evidence)] = scene.bank.evidence
    assert "They came." in evidence["uncategorized_text"]
    db.session.rollback()
    assert db.session.get(Dispute, dispute_id).submitted_by == scene.host
    shown = host.get(address)
    assert "Answered" in shown.text
    assert "Send it to the bank" not in shown.text


def test_an_open_dispute_says_on_the_departures_page_why_it_cannot_be_settled(host, scene):
    departure_id = db.session.scalar(
        select(Booking.departure_id).where(Booking.reference == scene.confirmed[0])
    )
    scene.dispute(scene.confirmed[0], 1)
    with db.engine.begin() as connection:  # its work is not what this is about
        household = connection.exec_driver_sql("SELECT MIN(id) FROM household").scalar()
        connection.exec_driver_sql(
            "INSERT INTO service_record (departure_id, line, household_id, task, units, minutes,"
            " recorded_by, recorded_at) VALUES (?, 99, ?, 'boat', 1, 60, ?, ?)",
            (departure_id, household, scene.host, str(NOW)),
        )
    page = text(host.get(f"{AT}/departures/{departure_id}"))
    assert f"disputes the payment for {scene.confirmed[0]}" in page


def test_a_dispute_after_the_split_names_the_shares(host, scene):
    dispute_id = scene.dispute(scene.settled[0], 2)
    page = text(host.get(f"{AT}/money/disputes/{dispute_id}"))
    assert "held back from payouts" in page
    assert "Community welfare fund" in page
    assert "Household" in page


@pytest.mark.parametrize("language", ["th", "en"])
def test_every_turn_can_be_shown_in_both_languages(host, scene, language):
    scene.play()
    for page in ("money/refunds", "transfers", f"bookings/{scene.confirmed[0]}", ""):
        assert host.get(f"/{language}/host/buna-dara/{page}".rstrip("/")).status_code == 200
    assert (
        f"{language}/host/buna-dara/money/refunds"
        in host.get(f"/{language}/host/buna-dara/transfers").text
    )
