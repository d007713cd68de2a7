"""Stripe: hosted Checkout for cards and PromptPay, on the community's own account there.

A community with an account of its own is paid by direct charge (`receiver["account"]`); one that has
the installation to itself uses the installation's key. Nothing here knows test from live: key, address
and secret are configuration. Stripe's objects become plain values at this edge.

Amounts are satang, as Stripe counts baht. Fees are what its balance transactions report.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import stripe
from stripe import RequestOptions, StripeClient, WebhookSignature
from stripe.params import (
    BalanceTransactionListParams,
    DisputeListParams,
    EventListParams,
    PayoutListParams,
    RefundCreateParams,
    RefundListParams,
)
from stripe.params.checkout import (
    SessionCreateParams,
    SessionListParams,
    SessionRetrieveParams,
)

from cbt.clock import village_day
from cbt.errors import AnswerUnknown, AnswerWrong, EventRefused, ProviderDown
from cbt.money import share_rounded_up_at_half
from cbt.payments.provider import (
    About,
    Asked,
    AskedRefund,
    AttemptState,
    Capabilities,
    DisputeState,
    Event,
    Failure,
    NormalisedDispute,
    NormalisedPayment,
    NormalisedPayout,
    NormalisedRefund,
    PayMethod,
    PayoutState,
    Received,
    RefundState,
    Started,
    Transaction,
)

log = logging.getLogger("cbt.payments.stripe")

API_VERSION = "2026-10-28.endive"
LIVE_KEYS = ("sk_live_", "rk_live_")
SKEW = timedelta(minutes=5)
"""How far a message's stamp may lie from our clock, either way."""

_TIMEOUT_SECONDS = 10
_RETRIES = 2
_OPEN_AT_LEAST = timedelta(minutes=31)  # Stripe refuses less than thirty minutes
_OPEN_AT_MOST = timedelta(hours=23)  # and more than a day
_LEAST_SATANG = 10_00
_PAGE = 100
_ZONE = "Asia/Bangkok"  # Thai accounts are paid out by Thai days

# The estimate that is shown before paying, by Stripe's Thai price list; what is booked is reported.
_CARD, _CARD_FIXED_SATANG = Decimal("0.0365"), 10_00
_PROMPTPAY = Decimal("0.0165")
_VAT = Decimal("0.07")

_FAILURES = {
    "insufficient_funds": Failure.NO_FUNDS,
    "expired_card": Failure.CARD_EXPIRED,
    "authentication_required": Failure.NOT_AUTHORISED,
    "payment_intent_authentication_failure": Failure.NOT_AUTHORISED,
    "payment_intent_payment_attempt_expired": Failure.TIMED_OUT,
    "payment_intent_payment_attempt_failed": Failure.OTHER,
    "card_declined": Failure.DECLINED,
    "generic_decline": Failure.DECLINED,
}
_REFUNDS = {
    "pending": RefundState.SENT,
    "requires_action": RefundState.ACTION_REQUIRED,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
_PAYOUTS = {
    "paid": PayoutState.PAID,
    "failed": PayoutState.FAILED,
    "canceled": PayoutState.FAILED,
}
_DISPUTES = {
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
}
_ABOUT = (
    ("checkout.session.", About.ATTEMPT),
    ("payment_intent.", About.PAYMENT),
    ("charge.dispute.", About.DISPUTE),
    ("charge.refund.", About.REFUND),
    ("charge.", About.PAYMENT),
    ("refund.", About.REFUND),
    ("payout.", About.PAYOUT),
)
"""What an event's name says it is about; the first that fits counts."""

Plain = dict[str, Any]
T = TypeVar("T")


class StripeProvider:
    name = "stripe"
    capabilities = Capabilities(
        refunds_itself=True,
        is_pretended=False,
        tells_us=True,
        fixes_amount=True,
        least_satang=_LEAST_SATANG,
    )

    def __init__(
        self, secret_key: str, webhook_secrets: tuple[str, ...] = (), api_base: str = ""
    ) -> None:
        self._is_live = secret_key.startswith(LIVE_KEYS)
        self._webhook_secrets = webhook_secrets
        self._client = StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_SECONDS),
        )

    # --- paying ----------------------------------------------------------------------------------

    def estimate_fee(self, amount_satang: int) -> int:
        """By card, which costs more than PromptPay there."""
        return self.estimates(amount_satang)[PayMethod.CARD]

    def estimates(self, amount_satang: int) -> dict[PayMethod, int]:
        """What each way to pay would cost, with the tax on it."""
        fees = {
            PayMethod.CARD: share_rounded_up_at_half(amount_satang, _CARD) + _CARD_FIXED_SATANG,
            PayMethod.PROMPTPAY: share_rounded_up_at_half(amount_satang, _PROMPTPAY),
        }
        return {way: fee + share_rounded_up_at_half(fee, _VAT) for way, fee in fees.items()}

    def needs_own_amount(self, receiver: Mapping[str, str]) -> bool:
        return False

    def start(self, asked: Asked, now: datetime) -> Started:
        """Open a page at Stripe. The same attempt gets the same page, however often it is asked for."""
        soonest, latest = asked.created_at + _OPEN_AT_LEAST, asked.created_at + _OPEN_AT_MOST
        expires_at = min(max(asked.hold_ends_at, soonest), latest)
        about = {"booking": asked.booking_reference, "attempt": str(asked.number)}
        params: SessionCreateParams = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": "thb",
                        "unit_amount": asked.amount_satang,
                        "product_data": {"name": asked.title or asked.booking_reference},
                    },
                }
            ],
            "allowed_payment_method_types": ["card", "promptpay"],
            "success_url": asked.return_to,
            "cancel_url": asked.return_to,
            "client_reference_id": asked.booking_reference,
            "locale": "th" if asked.language == "th" else "en",
            "expires_at": int(expires_at.timestamp()),
            "metadata": about,
            "payment_intent_data": {"metadata": about},
            "adaptive_pricing": {"enabled": False},
        }
        if asked.guest_email:
            params["customer_email"] = asked.guest_email
        options = _on(asked.receiver)
        options["idempotency_key"] = f"attempt-{asked.booking_reference}-{asked.number}"
        made = self._ask(lambda: self._client.v1.checkout.sessions.create(params, options))
        _require(made, amount_total=asked.amount_satang, currency="thb")
        return Started(made["id"], "", _instant(made["expires_at"]), made["url"] or "")

    def fetch(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedPayment:
        params: SessionRetrieveParams = {
            "expand": ["payment_intent.latest_charge.balance_transaction"]
        }
        session = self._ask(
            lambda: self._client.v1.checkout.sessions.retrieve(provider_ref, params, _on(receiver))
        )
        _require(session, id=provider_ref, currency="thb", livemode=self._is_live)
        payment = session.get("payment_intent") or {}
        failure = _failure(payment.get("last_payment_error"))
        if session["payment_status"] == "paid" and payment.get("status") == "succeeded":
            return NormalisedPayment(AttemptState.PAID, (_received(session, payment),))
        if session["status"] == "expired":
            return NormalisedPayment(AttemptState.EXPIRED, failure=failure)
        if session["status"] == "complete":  # the guest is done there, and the bank may not be
            is_refused = failure is not None and payment.get("status") != "processing"
            state = AttemptState.FAILED if is_refused else AttemptState.REPORTED
            return NormalisedPayment(state, failure=failure if is_refused else None)
        return NormalisedPayment(AttemptState.PENDING, failure=failure)

    def cancel(self, receiver: Mapping[str, str], provider_ref: str, now: datetime) -> None:
        """Close the page. One that is paid or closed already stays so, and is looked up as ever."""
        try:
            self._ask(
                lambda: self._client.v1.checkout.sessions.expire(provider_ref, {}, _on(receiver))
            )
        except (AnswerWrong, ProviderDown):
            log.info("a page at Stripe could not be closed")

    def attempt_ref_of(self, receiver: Mapping[str, str], payment_id: str) -> str | None:
        params: SessionListParams = {"payment_intent": payment_id, "limit": 1}
        found = self._ask(lambda: self._client.v1.checkout.sessions.list(params, _on(receiver)))
        return str(found["data"][0]["id"]) if found["data"] else None

    # --- giving back -----------------------------------------------------------------------------

    def refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund:
        params: RefundCreateParams = {
            "payment_intent": asked.payment_id,
            "amount": asked.amount_satang,
            "reason": "requested_by_customer",
            "metadata": {"refund": asked.key},
        }
        options = _on(asked.receiver)
        options["idempotency_key"] = asked.key
        made = self._ask(lambda: self._client.v1.refunds.create(params, options))
        try:
            _require(made, amount=asked.amount_satang, currency="thb")
        except AnswerWrong as error:  # something was made
            raise AnswerUnknown(**error.facts) from None
        return _refunded(made)

    def find_refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund | None:
        """By our key in its metadata: Stripe forgets the idempotency key after a day."""
        params: RefundListParams = {"payment_intent": asked.payment_id, "limit": _PAGE}
        found = self._pages(lambda: self._client.v1.refunds.list(params, _on(asked.receiver)))
        own = (each for each in found if (each.get("metadata") or {}).get("refund") == asked.key)
        made = next(own, None)
        return None if made is None else _refunded(made)

    def fetch_refund(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedRefund:
        return _refunded(
            self._ask(lambda: self._client.v1.refunds.retrieve(provider_ref, {}, _on(receiver)))
        )

    # --- what it tells and lists -----------------------------------------------------------------

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Event:
        signature = headers.get("Stripe-Signature", "")
        if not any(_is_signed(body, signature, secret) for secret in self._webhook_secrets):
            raise EventRefused(problem="signature")
        if abs(_stamp(signature) - now) > SKEW:
            raise EventRefused(problem="stamp")
        try:
            event = _event(json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EventRefused(problem="shape") from None
        if event.is_live != self._is_live:
            raise EventRefused(problem="mode")
        return event

    def list_undelivered(
        self, receiver: Mapping[str, str], since: datetime
    ) -> list[tuple[Event, bytes]]:
        params: EventListParams = {
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "limit": _PAGE,
        }
        found = self._pages(lambda: self._client.v1.events.list(params, _on(receiver)))
        return [(_event(each), json.dumps(each).encode()) for each in found]

    def list_transactions(
        self, receiver: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Transaction]:
        params: BalanceTransactionListParams = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": _PAGE,
            "expand": ["data.source"],
        }
        return self._transactions(receiver, params)

    def list_transactions_of(
        self, receiver: Mapping[str, str], payout_id: str
    ) -> list[Transaction]:
        params: BalanceTransactionListParams = {
            "payout": payout_id,
            "limit": _PAGE,
            "expand": ["data.source"],
        }
        own = self._transactions(receiver, params)
        return [each for each in own if each.source_id != payout_id]  # the payout itself is one too

    def _transactions(
        self, receiver: Mapping[str, str], params: BalanceTransactionListParams
    ) -> list[Transaction]:
        found = self._pages(
            lambda: self._client.v1.balance_transactions.list(params, _on(receiver))
        )
        return [_transaction(each, params.get("payout")) for each in found]

    def list_payouts(self, receiver: Mapping[str, str], since: datetime) -> list[NormalisedPayout]:
        params: PayoutListParams = {"created": {"gte": int(since.timestamp())}, "limit": _PAGE}
        found = self._pages(lambda: self._client.v1.payouts.list(params, _on(receiver)))
        return [_payout(each) for each in found]

    def fetch_payout(self, receiver: Mapping[str, str], payout_id: str) -> NormalisedPayout:
        return _payout(
            self._ask(lambda: self._client.v1.payouts.retrieve(payout_id, {}, _on(receiver)))
        )

    # --- disputes --------------------------------------------------------------------------------

    def fetch_dispute(
        self, receiver: Mapping[str, str], provider_ref: str
    ) -> NormalisedDispute | None:
        found = self._ask(
            lambda: self._client.v1.disputes.retrieve(provider_ref, {}, _on(receiver))
        )
        return _dispute(found)

    def list_disputes(
        self, receiver: Mapping[str, str], since: datetime
    ) -> list[NormalisedDispute]:
        params: DisputeListParams = {"created": {"gte": int(since.timestamp())}, "limit": _PAGE}
        found = self._pages(lambda: self._client.v1.disputes.list(params, _on(receiver)))
        return [dispute for each in found if (dispute := _dispute(each)) is not None]

    def submit_evidence(
        self, receiver: Mapping[str, str], provider_ref: str, evidence: Mapping[str, str]
    ) -> None:
        params: Any = {"evidence": dict(evidence), "submit": True}
        self._ask(lambda: self._client.v1.disputes.update(provider_ref, params, _on(receiver)))

    # --- the account -----------------------------------------------------------------------------

    def check(self, receiver: Mapping[str, str]) -> str:
        """ "" when the account takes payments; else "unreachable", "unknown" or "closed"."""
        try:
            account = self._ask(
                lambda: self._client.v1.accounts.retrieve_current({}, _on(receiver))
            )
        except ProviderDown:
            return "unreachable"
        except AnswerWrong:
            return "unknown"
        return "" if account.get("charges_enabled") else "closed"

    # --- asking ----------------------------------------------------------------------------------

    def _ask(self, call: Callable[[], Any]) -> Plain:
        """Make a call and give its answer as plain values.

        Raises ProviderDown where trying again may help, AnswerWrong where it will not, AnswerUnknown
        where the key stands for something else, so that it may have been done. What is logged names Stripe's request and code alone, never a guest or a card.
        """
        return _plain(self._try(call))

    def _pages(self, call: Callable[[], Any]) -> Iterator[Plain]:
        """Everything that a list holds, page after page."""
        return iter(self._try(lambda: [_plain(each) for each in call().auto_paging_iter()]))

    def _try(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except stripe.IdempotencyError as error:
            log.warning("Stripe knows the key of %s for something else", error.request_id)
            raise AnswerUnknown(problem="idempotency") from None
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            log.warning("Stripe refused %s: %s", error.request_id, error.code or "no code")
            raise AnswerWrong(problem=error.code or "refused") from None
        except stripe.PermissionError as error:
            log.warning("Stripe does not know the account (%s)", error.request_id)
            raise AnswerWrong(problem="account") from None
        except stripe.StripeError as error:
            log.warning("Stripe does not answer: %s %s", type(error).__name__, error.request_id)
            raise ProviderDown(method=self.name) from None


# --- from Stripe's shapes to ours ----------------------------------------------------------------


def _on(receiver: Mapping[str, str]) -> RequestOptions:
    """The options that send a call to the community's own account, where it has one."""
    return {"stripe_account": receiver["account"]} if receiver.get("account") else {}


def _plain(found: Any) -> Plain:
    """A StripeObject prints itself as JSON."""
    plain: Plain = json.loads(str(found))
    return plain


def _require(found: Plain, **wanted: object) -> None:
    """Raise AnswerWrong unless an answer says what it must."""
    for name, value in wanted.items():
        if found.get(name) != value:
            raise AnswerWrong(problem=name)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _received(session: Plain, payment: Plain) -> Received:
    """The money of a paid page. Its session, payment, charge and transaction must agree."""
    charge = payment.get("latest_charge") or {}
    amount = payment["amount_received"]
    _require(session, amount_total=amount)
    _require(payment, currency="thb")
    if charge:
        _require(charge, amount=amount, currency="thb")
    fee, vat = _fees(charge.get("balance_transaction"), amount)
    return Received(
        payment_id=payment["id"],
        amount_satang=amount,
        fee_satang=fee,
        paid_at=_instant(charge.get("created") or payment["created"]),
        method=_method(charge),
        vat_satang=vat,
    )


def _fees(transaction: Plain | None, amount: int) -> tuple[int | None, int]:
    """(fee with its tax, tax) as Stripe reports them, or (None, 0) while it has not."""
    if not isinstance(transaction, dict):
        return None, 0
    _require(transaction, amount=amount, currency="thb")
    if transaction["amount"] - transaction["fee"] != transaction["net"]:
        raise AnswerWrong(problem="net")
    details = transaction.get("fee_details") or []
    return transaction["fee"], sum(each["amount"] for each in details if each["type"] == "tax")


def _method(charge: Plain) -> PayMethod:
    kind = str((charge.get("payment_method_details") or {}).get("type"))
    return {"card": PayMethod.CARD, "promptpay": PayMethod.PROMPTPAY}.get(kind, PayMethod.UNKNOWN)


def _failure(error: Plain | None) -> Failure | None:
    if not error:
        return None
    codes = (error.get("decline_code"), error.get("code"))
    return next((_FAILURES[code] for code in codes if code in _FAILURES), Failure.OTHER)


def _refunded(refund: Plain) -> NormalisedRefund:
    details = (refund.get("next_action") or {}).get("display_details") or {}
    until = details.get("expires_at")
    return NormalisedRefund(
        state=_REFUNDS.get(refund["status"], RefundState.SENT),
        provider_ref=refund["id"],
        action_until=_instant(until) if until else None,
        failure=refund.get("failure_reason") or "",
    )


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether Stripe signed it. How old it is, the caller asks by its own clock, not the machine's."""
    try:
        return bool(WebhookSignature.verify_header(body.decode(), signature, secret, None))
    except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError):
        return False


def _stamp(signature: str) -> datetime:
    """When a message says it was signed."""
    parts = dict(part.strip().partition("=")[::2] for part in signature.split(","))
    try:
        return _instant(int(parts["t"]))
    except (KeyError, ValueError, OverflowError):
        raise EventRefused(problem="stamp") from None


def _event(found: Plain) -> Event:
    kind, thing = str(found["type"]), found["data"]["object"]
    about = next((about for start, about in _ABOUT if kind.startswith(start)), About.NOTHING)
    object_id = thing.get("id") or ""
    if about == About.PAYMENT and thing.get("object") == "charge":
        object_id = thing.get("payment_intent") or object_id
    return Event(
        id=str(found["id"]),
        account=str(found.get("account") or ""),
        kind=kind,
        about=about,
        object_id=str(object_id),
        api_version=str(found.get("api_version") or ""),
        created_at=_instant(found["created"]),
        is_live=bool(found["livemode"]),
    )


def _transaction(found: Plain, payout_id: str | None) -> Transaction:
    source = found.get("source") or ""
    if isinstance(source, dict):
        is_charge = source.get("object") == "charge"
        source = (is_charge and source.get("payment_intent")) or source["id"]
    return Transaction(
        id=found["id"],
        kind=found.get("reporting_category") or found["type"],
        source_id=source,
        amount_satang=found["amount"],
        fee_satang=found["fee"],
        net_satang=found["net"],
        currency=found["currency"],
        created_at=_instant(found["created"]),
        payout_id=payout_id,
    )


def _payout(found: Plain) -> NormalisedPayout:
    return NormalisedPayout(
        id=found["id"],
        amount_satang=found["amount"],
        currency=found["currency"],
        state=_PAYOUTS.get(found["status"], PayoutState.ON_THE_WAY),
        created_at=_instant(found["created"]),
        arrives_on=village_day(_instant(found["arrival_date"]), _ZONE),
    )


def _dispute(found: Plain) -> NormalisedDispute | None:
    """A dispute, or None for a mere question of the bank (`warning_...`), which takes no money."""
    state = _DISPUTES.get(found["status"])
    if state is None:
        return None
    until = (found.get("evidence_details") or {}).get("due_by")
    moved = found.get("balance_transactions") or []
    if state == DisputeState.LOST and moved and not sum(each["amount"] for each in moved):
        state = DisputeState.WON  # whatever it is called, all of it is back
    return NormalisedDispute(
        provider_ref=found["id"],
        payment_id=found.get("payment_intent") or found["charge"],
        amount_satang=found["amount"],
        fee_satang=sum(each["fee"] for each in moved if each["fee"] > 0),
        state=state,
        reason=found.get("reason") or "",
        opened_at=_instant(found["created"]),
        evidence_until=_instant(until) if until else None,
    )
