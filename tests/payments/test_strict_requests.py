"""A wrong parameter, a misspelt key or enum cannot be sent to Stripe while requests are checked."""

import asyncio

import pytest
import stripe
from stripe._stripe_service import StripeService

from tests.payments.test_stripe_double import a_client, check_out, order
from tests.stripe_double import StripeDouble
from tests.stripe_double.state import API_VERSION
from tests.stripe_double.strict import WrongRequest, checking_every_request

CREATE = "checkout.SessionService.create"


@pytest.fixture(scope="module")
def double():
    with StripeDouble() as running:
        yield running


@pytest.fixture
def client(double):
    with a_client(double) as made:
        yield made


def test_right_calls_are_sent_and_counted(client):
    with checking_every_request() as checked:
        session = check_out(client, {"idempotency_key": "attempt-1"})
        client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
        client.v1.checkout.sessions.expire(session.id)
    assert (checked.count(), checked.count(CREATE)) == (3, 1)
    assert checked.calls[0] == (CREATE, order())


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        pytest.param({"sucess_url": "https://x.example"}, "sucess_url", id="misspelt-key"),
        pytest.param({"payment_method_types": ["card"]}, "payment_method_types", id="removed"),
        pytest.param({"mode": "payments"}, "mode", id="enum"),
        pytest.param({"ui_mode": "hosted"}, "ui_mode", id="enum-of-before"),
        pytest.param({"locale": "TH"}, "locale", id="enum-in-capitals"),
        pytest.param(
            {"allowed_payment_method_types": ["prompt_pay"]},
            "allowed_payment_method_types.0",
            id="enum-in-a-list",
        ),
        pytest.param(
            {"payment_intent_data": {"metdata": {}}}, "payment_intent_data.metdata", id="deep"
        ),
        pytest.param({"expires_at": "1800000000"}, "expires_at", id="text-for-a-number"),
        pytest.param({"metadata": {"attempt": 1}}, "metadata", id="number-for-a-text"),
        pytest.param(
            {"adaptive_pricing": {"enabled": "false"}}, "adaptive_pricing.enabled", id="bool"
        ),
        pytest.param(
            {"line_items": [{"price_data": {}}]}, "line_items.0.price_data.currency", id="missing"
        ),
        pytest.param({"stripe_account": "acct_1"}, "stripe_account", id="option-among-parameters"),
    ],
)
def test_a_wrong_parameter_is_caught_and_not_sent(client, changes, where):
    with checking_every_request() as checked, pytest.raises(WrongRequest) as caught:
        check_out(client, **changes)
    assert f"{where}" in str(caught.value)
    assert checked.count() == 0


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda v1: v1.refunds.create({"reason": "because"}), id="refund-reason"),
        pytest.param(lambda v1: v1.refunds.create({"amont": 1}), id="refund-key"),
        pytest.param(
            lambda v1: v1.disputes.update("du_1", {"evidence": {"date": "x"}}), id="evidence"
        ),
        pytest.param(lambda v1: v1.events.list({"types": ["charge.refund"]}), id="event-types"),
        pytest.param(lambda v1: v1.events.list({"type": "refund.done"}), id="event-type"),
        pytest.param(lambda v1: v1.events.list({"delivery_success": "false"}), id="no-bool"),
        pytest.param(
            lambda v1: v1.balance_transactions.list({"created": {"since": 1}}), id="window"
        ),
        pytest.param(
            lambda v1: v1.balance.retrieve(None, {"stripe_acount": "acct_1"}), id="option"
        ),
        pytest.param(lambda v1: v1.refunds.create({}, {"idempotency_key": 7}), id="option-type"),
    ],
)
def test_every_service_is_checked(client, call):
    with checking_every_request(), pytest.raises(WrongRequest):
        call(client.v1)


def test_asynchronous_calls_are_checked_too(client):
    with checking_every_request(), pytest.raises(WrongRequest, match="reason"):
        asyncio.run(client.v1.refunds.create_async({"reason": "because"}))


def test_a_call_past_the_services_is_refused(double, client):
    old_style = {"api_key": double.secret_key}
    with checking_every_request():
        with pytest.raises(WrongRequest, match="not sent by a method"):
            client.raw_request("get", "/v1/balance")
        with pytest.raises(WrongRequest, match="not sent by a method"):
            stripe.Balance.retrieve(**old_style)


def test_reading_on_in_a_list_is_allowed(client):
    made = {check_out(client).id for _ in range(3)}
    with checking_every_request() as checked:
        listed = client.v1.checkout.sessions.list({"limit": 1})
        assert made <= {each.id for each in listed.auto_paging_iter()}
    assert checked.count() == 1


def test_afterwards_nothing_is_checked_any_more(client):
    before = StripeService._request
    with checking_every_request():
        assert StripeService._request is not before
    assert StripeService._request is before
    with pytest.raises(stripe.InvalidRequestError):
        check_out(client, mode="payments")


def test_the_library_speaks_the_version_of_the_double(client):
    assert stripe.api_version == API_VERSION
