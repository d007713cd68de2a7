"""The calls of Stripe's API that the double knows: path, described parameters, what it does."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.stripe_double import (
    accounts,
    balance,
    checkout,
    disputes,
    events,
    listing,
    payments,
    refunds,
)
from tests.stripe_double.state import Account, Json, World

Work = Callable[..., Json]  # (world, account, *ids of the path, params)
_PAGING = ("limit", "starting_after", "ending_before")
_LISTED = (*_PAGING, "created", "created.gt", "created.gte", "created.lt", "created.lte")


@dataclass(frozen=True)
class Route:
    """`described`: the library's TypedDict. `acted_on`: the parameters that have an effect here."""

    method: str
    path: str
    described: str
    acted_on: Sequence[str]
    work: Work

    def match(self, method: str, path: str) -> list[str] | None:
        """The ids in a path, or None if it is not this route's."""
        pattern = re.sub(r"\{\}", r"([^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return list(found.groups()) if found else None


def _retrieve(kind: str, param: str = "id") -> Work:
    def work(world: World, account: Account, object_id: str, params: Json) -> Json:
        return account.get(kind, object_id, param=param)

    return work


def _list(kind: str, url: str, *filters: str) -> Work:
    """A list of one kind; a filter compares a field of the same name."""

    def work(world: World, account: Account, params: Json) -> Json:
        asked = {name: params[name] for name in filters if name in params}
        found = [each for each in account.all_of(kind) if _has(each, asked)]
        return listing.page(found, params, url)

    return work


def _has(each: Json, asked: Json) -> bool:
    return all(each[name] == value for name, value in asked.items())


def _list_transactions(world: World, account: Account, params: Json) -> Json:
    """With `payout`, what is in it: its own transaction too, so that all of them add up to zero."""
    asked: Json = {key: params[key] for key in ("source", "type", "currency") if key in params}
    found = [each for each in account.all_of("balance_transaction") if _has(each, asked)]
    if payout := params.get("payout"):
        account.get("payout", payout, param="payout")
        found = [each for each in found if balance.payout_of(account, each) == payout]
    return listing.page(found, params, "/v1/balance_transactions")


def _retrieve_balance(world: World, account: Account, params: Json) -> Json:
    return balance.retrieve_balance(world, account)


def _retrieve_own(world: World, account: Account, params: Json) -> Json:
    return accounts.retrieve_account(world, account, account.id, params)


def _update_refund(world: World, account: Account, refund_id: str, params: Json) -> Json:
    refund = account.get("refund", refund_id, param="refund")
    metadata = params.get("metadata") or {}
    refund["metadata"] = {k: v for k, v in {**refund["metadata"], **metadata}.items() if v}
    world.emit(account, "refund.updated", refund, {})
    return refund


_SESSION = (
    "adaptive_pricing.enabled allowed_payment_method_types cancel_url client_reference_id "
    "customer_email expires_at line_items.price_data.currency line_items.price_data.unit_amount "
    "line_items.price_data.product_data.name line_items.quantity locale metadata mode "
    "payment_intent_data.application_fee_amount payment_intent_data.description "
    "payment_intent_data.metadata payment_intent_data.receipt_email "
    "payment_intent_data.statement_descriptor_suffix success_url"
)
_REFUND = "amount charge instructions_email metadata payment_intent reason refund_application_fee"
_INTENT = "amount currency allowed_payment_method_types description metadata receipt_email"

_SESSIONS, _INTENTS = "/v1/checkout/sessions", "/v1/payment_intents"
_CHARGES, _REFUNDS, _DISPUTES = "/v1/charges", "/v1/refunds", "/v1/disputes"
_TRANSACTIONS, _PAYOUTS = "/v1/balance_transactions", "/v1/payouts"

ROUTES = [
    Route(
        "POST", _SESSIONS, "checkout.SessionCreateParams", _SESSION.split(), checkout.create_session
    ),
    Route(
        "GET",
        _SESSIONS,
        "checkout.SessionListParams",
        (*_LISTED, "payment_intent", "status"),
        _list("checkout.session", _SESSIONS, "payment_intent", "status"),
    ),
    Route(
        "GET",
        _SESSIONS + "/{}",
        "checkout.SessionRetrieveParams",
        (),
        _retrieve("checkout.session", "session"),
    ),
    Route(
        "POST",
        _SESSIONS + "/{}/expire",
        "checkout.SessionExpireParams",
        (),
        checkout.expire_session,
    ),
    Route("POST", _INTENTS, "PaymentIntentCreateParams", _INTENT.split(), payments.create_intent),
    Route("GET", _INTENTS, "PaymentIntentListParams", _LISTED, _list("payment_intent", _INTENTS)),
    Route(
        "GET",
        _INTENTS + "/{}",
        "PaymentIntentRetrieveParams",
        (),
        _retrieve("payment_intent", "intent"),
    ),
    Route(
        "POST",
        _INTENTS + "/{}/cancel",
        "PaymentIntentCancelParams",
        ("cancellation_reason",),
        payments.cancel_intent,
    ),
    Route(
        "GET",
        _CHARGES,
        "ChargeListParams",
        (*_LISTED, "payment_intent"),
        _list("charge", _CHARGES, "payment_intent"),
    ),
    Route("GET", _CHARGES + "/{}", "ChargeRetrieveParams", (), _retrieve("charge")),
    Route("POST", _REFUNDS, "RefundCreateParams", _REFUND.split(), refunds.create_refund),
    Route(
        "GET",
        _REFUNDS,
        "RefundListParams",
        (*_LISTED, "charge", "payment_intent"),
        _list("refund", _REFUNDS, "charge", "payment_intent"),
    ),
    Route("GET", _REFUNDS + "/{}", "RefundRetrieveParams", (), _retrieve("refund")),
    Route("POST", _REFUNDS + "/{}", "RefundUpdateParams", ("metadata",), _update_refund),
    Route("POST", _REFUNDS + "/{}/cancel", "RefundCancelParams", (), refunds.cancel_refund),
    Route(
        "GET",
        _TRANSACTIONS,
        "BalanceTransactionListParams",
        (*_LISTED, "payout", "source", "type", "currency"),
        _list_transactions,
    ),
    Route(
        "GET",
        _TRANSACTIONS + "/{}",
        "BalanceTransactionRetrieveParams",
        (),
        _retrieve("balance_transaction"),
    ),
    Route("GET", "/v1/balance", "BalanceRetrieveParams", (), _retrieve_balance),
    Route(
        "GET",
        _DISPUTES,
        "DisputeListParams",
        (*_LISTED, "charge", "payment_intent"),
        _list("dispute", _DISPUTES, "charge", "payment_intent"),
    ),
    Route("GET", _DISPUTES + "/{}", "DisputeRetrieveParams", (), _retrieve("dispute")),
    Route(
        "POST",
        _DISPUTES + "/{}",
        "DisputeUpdateParams",
        ("evidence", "metadata", "submit"),
        disputes.update_dispute,
    ),
    Route("POST", _DISPUTES + "/{}/close", "DisputeCloseParams", (), disputes.accept_dispute),
    Route(
        "GET",
        _PAYOUTS,
        "PayoutListParams",
        (*_LISTED, "status"),
        _list("payout", _PAYOUTS, "status"),
    ),
    Route("GET", _PAYOUTS + "/{}", "PayoutRetrieveParams", (), _retrieve("payout")),
    Route(
        "GET",
        "/v1/events",
        "EventListParams",
        (*_LISTED, "delivery_success", "type", "types"),
        events.list_events,
    ),
    Route("GET", "/v1/events/{}", "EventRetrieveParams", (), _retrieve("event")),
    Route("GET", "/v1/account", "AccountRetrieveCurrentParams", (), _retrieve_own),
    Route("GET", "/v1/accounts/{}", "AccountRetrieveParams", (), accounts.retrieve_account),
]


def find(method: str, path: str) -> tuple[Route, list[str]] | None:
    """The route of a call, and the ids in its path."""
    for route in ROUTES:
        if (ids := route.match(method, path)) is not None:
            return route, ids
    return None
