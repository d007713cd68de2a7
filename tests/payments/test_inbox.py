"""What providers tell us: taken once and only from them, worked off until it is done."""

import json
import time
from datetime import timedelta

import pytest
import stripe
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import EventRefused, MethodClosed
from cbt.payments import inbox, take_in
from cbt.payments.inbox import KEEP_BODIES, MOST_TRIES, receive, work_off
from cbt.payments.models import Capture
from cbt.payments.reported import InboxEvent, InboxState, WorkKind
from cbt.payments.work import list_open_work
from tests.concurrency import run_together
from tests.payments.stripe_village import stripe_village
from tests.stripe_double.faults import Fault


@pytest.fixture
def place(app):
    with stripe_village() as found:
        yield found


def paid(place):
    """A booking whose page at Stripe was paid, and the event that says so; we know nothing yet."""
    reference = place.hold()
    place.double.pay_by_card(place.start(reference).provider_ref)
    (event,) = place.double.events("checkout.session.completed")
    return reference, event


def signed(place, body, at=None, secret=None):
    text = body if isinstance(body, str) else json.dumps(body)
    secret = secret or place.double.connect_webhook_secret
    header = stripe.WebhookSignature.generate_signature_header(text, secret, at)
    return text.encode(), {"Stripe-Signature": header}


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def stored():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(InboxEvent))


def events():
    db.session.rollback()
    return db.session.scalars(select(InboxEvent).order_by(InboxEvent.id)).all()


def captures():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Capture))


def refusal(place, body, headers, now=None):
    with pytest.raises(EventRefused) as refused:
        receive("stripe", body, headers, place.providers, now or utc_now())
    assert stored() == 0
    return refused.value.facts["problem"]


# --- letting in ----------------------------------------------------------------------------------


def test_a_message_is_stored_as_it_came_and_nothing_else_happens_yet(place):
    reference, event = paid(place)
    assert place.receive(event)
    (row,) = events()
    assert row.body == place.double.signed(event)[0]
    assert (row.state, row.kind) == (InboxState.RECEIVED, "checkout.session.completed")
    assert booking(reference).state == BookingState.HELD


def test_a_message_that_comes_again_is_stored_once(place):
    _reference, event = paid(place)
    assert [place.receive(event), place.receive(event)] == [True, False]
    assert stored() == 1


def test_a_forged_or_missing_signature_is_refused(place):
    _reference, event = paid(place)
    body, headers = place.double.signed(event)
    assert (
        refusal(place, body, signed(place, body.decode(), secret="whsec_wrong")[1]) == "signature"
    )
    assert refusal(place, body, {}) == "signature"
    assert refusal(place, body, {"Stripe-Signature": "t=1,v1=00"}) == "signature"
    assert refusal(place, b"\xff" + body, headers) == "signature"


def test_a_message_written_anew_no_longer_fits_its_signature(place):
    _reference, event = paid(place)
    body, headers = place.double.signed(event)
    assert refusal(place, json.dumps(json.loads(body)).encode(), headers) == "signature"


def test_old_and_future_stamps_are_refused(place):
    _reference, event = paid(place)
    now = int(time.time())
    assert refusal(place, *signed(place, event.body, at=now - 600)) == "stamp"
    assert refusal(place, *signed(place, event.body, at=now + 600)) == "stamp"


def test_a_message_of_the_other_mode_is_refused(place):
    _reference, event = paid(place)
    assert refusal(place, *signed(place, {**event.body, "livemode": True})) == "mode"


def test_a_message_about_an_account_of_nobody_here_is_refused(place):
    _reference, event = paid(place)
    assert refusal(place, *signed(place, {**event.body, "account": "acct_other"})) == "account"
    own = {key: value for key, value in event.body.items() if key != "account"}
    assert refusal(place, *signed(place, own)) == "account"


@pytest.mark.parametrize("body", ["[]", "{}", "null", '{"id": "evt_1"}', "not json"])
def test_what_is_signed_but_no_event_is_refused(place, body):
    assert refusal(place, *signed(place, body)) == "shape"


def test_either_secret_is_taken_while_one_is_replaced(place):
    _reference, event = paid(place)
    for secret in (place.double.webhook_secret, place.double.connect_webhook_secret):
        body, headers = signed(place, event.body, secret=secret)
        receive("stripe", body, headers, place.providers, utc_now())
    assert stored() == 1


def test_a_provider_that_sends_nothing_has_no_door(place):
    for name in ("demo", "promptpay", "nobody"):
        with pytest.raises(MethodClosed):
            receive(name, b"{}", {}, place.providers, utc_now())


# --- working off ---------------------------------------------------------------------------------


def test_a_message_leads_to_the_money_by_asking_anew(place):
    reference, event = paid(place)
    place.receive(event)
    assert work_off(place.providers, utc_now()) == 1
    assert booking(reference).state == BookingState.CONFIRMED
    assert [row.state for row in events()] == [InboxState.DONE]


def test_what_a_message_says_is_not_believed(place):
    """Signed, but about a page that nobody has paid: asking tells the truth."""
    reference = place.hold()
    session = place.start(reference).provider_ref
    told = {
        **_event("checkout.session.completed", place.account),
        "data": {"object": {"id": session, "object": "checkout.session", "payment_status": "paid"}},
    }
    receive("stripe", *signed(place, told), place.providers, utc_now())
    work_off(place.providers, utc_now())
    assert booking(reference).state == BookingState.HELD
    assert captures() == 0


def _event(kind, account):
    return {
        "id": "evt_told",
        "object": "event",
        "type": kind,
        "account": account,
        "api_version": "2024-01-01",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": {"id": "thing_1", "object": "thing"}},
    }


@pytest.mark.parametrize("kind", ["account.updated", "invoice.paid", "something.new"])
def test_what_concerns_nothing_here_is_kept_and_ignored(place, kind):
    receive("stripe", *signed(place, _event(kind, place.account)), place.providers, utc_now())
    work_off(place.providers, utc_now())
    assert [row.state for row in events()] == [InboxState.IGNORED]
    assert list_open_work(db.session(), place.village.id) == []


def test_a_page_that_is_not_ours_is_ignored(place):
    told = {
        **_event("checkout.session.completed", place.account),
        "data": {"object": {"id": "cs_other", "object": "checkout.session"}},
    }
    receive("stripe", *signed(place, told), place.providers, utc_now())
    work_off(place.providers, utc_now())
    assert [row.state for row in events()] == [InboxState.IGNORED]


def test_two_messages_about_one_payment_are_one_effect(place):
    reference, _event = paid(place)
    place.hear()
    assert {"payment_intent.succeeded", "checkout.session.completed"} <= {
        row.kind for row in events()
    }
    assert booking(reference).state == BookingState.CONFIRMED
    assert captures() == 1


def test_one_message_in_eight_threads_at_once_is_one_effect(app, place):
    reference, event = paid(place)

    def hear(_number):
        new = place.receive(event)
        work_off(place.providers, utc_now())
        return new

    outcomes = run_together(app, hear, 8)
    assert sorted(outcomes) == [False] * 7 + [True]
    work_off(place.providers, utc_now())
    assert booking(reference).state == BookingState.CONFIRMED
    assert (stored(), captures()) == (1, 1)
    assert [row.state for row in events()] == [InboxState.DONE]
    clean(place)


def clean(place):
    db.session.rollback()
    assert not any(each.findings for each in verify(db.session(), place.village.card))


class Killed(BaseException):
    """The process ends here."""


def test_killed_after_storing_the_next_run_goes_on(place):
    reference, event = paid(place)
    place.receive(event)
    db.session.remove()
    work_off(place.providers, utc_now())
    assert booking(reference).state == BookingState.CONFIRMED
    clean(place)


def test_killed_after_asking_the_next_run_goes_on(place, monkeypatch):
    reference, event = paid(place)
    place.receive(event)
    kill_at(monkeypatch, take_in, "_has_news")
    with pytest.raises(Killed):
        work_off(place.providers, utc_now())
    monkeypatch.undo()
    assert captures() == 0
    work_off(place.providers, utc_now())
    assert booking(reference).state == BookingState.CONFIRMED
    assert captures() == 1
    clean(place)


def test_killed_before_the_commit_nothing_is_half_written(place, monkeypatch):
    reference, event = paid(place)
    place.receive(event)
    kill_at(monkeypatch, take_in, "notify_guest")  # the last thing of the transaction
    with pytest.raises(Killed):
        work_off(place.providers, utc_now())
    monkeypatch.undo()
    assert (captures(), booking(reference).state) == (0, BookingState.HELD)
    clean(place)
    work_off(place.providers, utc_now())
    assert (captures(), booking(reference).state) == (1, BookingState.CONFIRMED)
    clean(place)


def test_killed_between_effect_and_mark_the_effect_is_not_repeated(place, monkeypatch):
    reference, event = paid(place)
    place.receive(event)
    kill_at(monkeypatch, inbox, "close_work_about")
    with pytest.raises(Killed):
        work_off(place.providers, utc_now())
    monkeypatch.undo()
    assert [row.state for row in events()] == [InboxState.RECEIVED]
    work_off(place.providers, utc_now())
    assert (captures(), booking(reference).state) == (1, BookingState.CONFIRMED)
    assert [row.state for row in events()] == [InboxState.DONE]


def kill_at(monkeypatch, module, name):
    def die(*_args, **_values):
        raise Killed

    monkeypatch.setattr(module, name, die)


# --- trouble -------------------------------------------------------------------------------------


def test_trouble_is_tried_again_later_and_at_last_shown_to_a_person(place):
    reference, event = paid(place)
    place.receive(event)
    now = utc_now()
    place.double.fail_next("GET /v1/checkout/sessions/*", Fault.ERROR_BEFORE, times=3 * MOST_TRIES)
    waits = []
    for _ in range(MOST_TRIES):
        assert work_off(place.providers, now) == 0
        (row,) = events()
        waits.append((row.try_at - now).total_seconds())
        assert work_off(place.providers, now) == 0  # not before its time
        assert events()[0].tries == row.tries
        now = row.try_at
    assert waits == [30 * 2**number for number in range(MOST_TRIES)]
    assert events()[0].state == InboxState.FAILED
    (work,) = list_open_work(db.session(), place.village.id)
    assert (work.kind, work.facts["problem"]) == (WorkKind.EVENT_FAILED, "ProviderDown")
    place.double.heal()
    assert inbox.try_again(place.village.id, events()[0].id, place.providers, now)
    assert booking(reference).state == BookingState.CONFIRMED
    assert list_open_work(db.session(), place.village.id) == []


def test_another_community_cannot_try_a_message_again(place):
    _reference, event = paid(place)
    place.receive(event)
    assert not inbox.try_again(place.village.id + 1, events()[0].id, place.providers, utc_now())
    assert events()[0].state == InboxState.RECEIVED


def test_one_bad_message_does_not_hold_up_the_next(place):
    reference, event = paid(place)
    other = {
        **_event("payment_intent.succeeded", place.account),
        "data": {"object": {"id": "pi_unknown", "object": "payment_intent"}},
    }
    place.double.fail_next("GET /v1/checkout/sessions", Fault.ERROR_BEFORE, times=3)
    receive("stripe", *signed(place, other), place.providers, utc_now())
    place.receive(event)
    assert work_off(place.providers, utc_now() + timedelta(seconds=1)) == 1
    assert booking(reference).state == BookingState.CONFIRMED


# --- forgetting ----------------------------------------------------------------------------------


def test_what_came_is_forgotten_a_month_after_it_was_worked_off(place):
    """It names the guest, and the provider lists its own events for as long."""
    _reference, event = paid(place)
    place.receive(event)
    work_off(place.providers, utc_now())
    (row,) = events()
    came, body = row.received_at, row.body
    assert b"guest@example.org" in body
    assert inbox.forget_bodies(came + KEEP_BODIES) == 0
    assert events()[0].body == body
    assert inbox.forget_bodies(came + KEEP_BODIES + timedelta(seconds=1)) == 1
    (row,) = events()
    assert (row.body, row.state, row.event_id) == (b"", InboxState.DONE, event.body["id"])
    assert inbox.forget_bodies(came + 2 * KEEP_BODIES) == 0
    assert not place.receive(event)  # it is known all the same


def test_what_was_not_worked_off_is_kept_for_whoever_looks(place):
    _reference, event = paid(place)
    place.receive(event)
    place.double.fail_next("GET /v1/checkout/sessions/*", Fault.ERROR_BEFORE, times=3 * MOST_TRIES)
    later = utc_now() + 2 * KEEP_BODIES
    assert inbox.forget_bodies(later) == 0  # received
    for _ in range(MOST_TRIES):
        work_off(place.providers, events()[0].try_at)
    assert events()[0].state == InboxState.FAILED
    assert inbox.forget_bodies(later) == 0
    assert events()[0].body


# --- over HTTP -----------------------------------------------------------------------------------


def test_the_webhook_answers_at_once_and_says_nothing(place, app):
    app.extensions["providers"]["stripe"] = place.providers["stripe"]
    client = app.test_client()
    _reference, event = paid(place)
    body, headers = place.double.signed(event)
    for _ in range(2):
        answer = client.post("/webhooks/stripe", data=body, headers=headers)
        assert (answer.status_code, answer.data) == (200, b"")
    forged = client.post("/webhooks/stripe", data=body, headers={"Stripe-Signature": "t=1,v1=0"})
    assert (forged.status_code, forged.data) == (400, b"")
    assert client.post("/webhooks/demo", data=body, headers=headers).status_code == 404
    assert client.get("/webhooks/stripe").status_code == 405
    assert client.post("/webhooks/stripe", data=b"x" * 300_000).status_code == 413
    assert stored() == 1
