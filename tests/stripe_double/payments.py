"""Payment intents and charges: how money is asked for, arrives, or does not."""

from dataclasses import dataclass

from tests.stripe_double import balance, fees, shapes
from tests.stripe_double.cards import Card
from tests.stripe_double.state import PLATFORM, Account, ApiError, Json, World

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
AWAITED = ("requires_action", "processing")  # a QR that a bank may pay or refuse
_ATTEMPT_EXPIRED = "payment_intent_payment_attempt_expired"


@dataclass(frozen=True)
class Payer:
    """Who pays, as typed into the page."""

    email: str
    name: str | None = None


# --- intents -------------------------------------------------------------------------------------


def make_intent(
    world: World, account: Account, amount: int, methods: list[str], **more: object
) -> Json:
    intent_id = world.new_id("pi")
    intent = shapes.payment_intent(
        id=intent_id,
        amount=amount,
        client_secret=world.new_id(f"{intent_id}_secret"),
        created=world.now(),
        currency="thb",
        payment_method_types=methods,
        **more,
    )
    world.add(account, intent)
    world.emit(account, "payment_intent.created", intent)
    return intent


def create_intent(world: World, account: Account, params: Json) -> Json:
    """A bare payment intent, which nobody can pay here: Checkout is how money comes in."""
    if params["currency"] != "thb":
        raise ApiError("Invalid currency for this double: thb only", param="currency")
    methods = params.get("allowed_payment_method_types") or ["card", "promptpay"]
    kept = {key: params[key] for key in ("description", "receipt_email") if key in params}
    metadata = params.get("metadata") or {}
    return make_intent(world, account, params["amount"], methods, metadata=metadata, **kept)


def cancel_intent(world: World, account: Account, intent_id: str, params: Json) -> Json:
    """Raises ApiError for an intent of Checkout, or one that is paid or cancelled already."""
    intent = account.get("payment_intent", intent_id, param="intent")
    if intent_id in account.checkouts:
        raise ApiError(
            "You cannot cancel this PaymentIntent because it was created by Checkout. "
            "Expire the Checkout Session instead."
        )
    if intent["status"] not in _OPEN:
        raise ApiError(
            "You cannot cancel this PaymentIntent because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
            f"canceled: {', '.join(_OPEN)}.",
            code="payment_intent_unexpected_state",
        )
    close_intent(world, account, intent, params.get("cancellation_reason"))
    return intent


def close_intent(world: World, account: Account, intent: Json, reason: str | None) -> None:
    intent.update(
        status="canceled", canceled_at=world.now(), cancellation_reason=reason, next_action=None
    )
    world.emit(account, "payment_intent.canceled", intent)


# --- cards ---------------------------------------------------------------------------------------


def try_card(world: World, account: Account, intent: Json, card: Card, payer: Payer) -> bool:
    """Charge a card. A decline leaves the intent open for another try."""
    details = {
        "card": shapes.card_details(card.brand, card.country, card.last4),
        "type": "card",
    }
    charge = _make_charge(world, account, intent, details, payer, card.country)
    if card.decline:
        error = {
            "code": card.decline.code,
            "decline_code": card.decline.decline_code,
            "message": card.decline.message,
            "type": "card_error",
        }
        _fail(world, account, intent, charge, error)
        return False
    _succeed(world, account, intent, charge, card.fee_method)
    return True


# --- PromptPay -----------------------------------------------------------------------------------


def show_qr(world: World, account: Account, intent: Json, payer: Payer) -> None:
    """Make the QR to scan; the same while it is open.

    As in Stripe's test mode it holds the address of a page, so that no bank can be made to pay it.
    """
    if intent["status"] == "requires_action":
        return
    details = {"promptpay": {}, "type": "promptpay"}
    method = _make_method(world, account, details, payer, "TH")
    page = f"{world.address}/promptpay/{intent['id']}"
    intent.update(
        status="requires_action",
        payment_method=method["id"],
        last_payment_error=None,
        next_action={
            "type": "promptpay_display_qr_code",
            "promptpay_display_qr_code": {
                "data": page,
                "hosted_instructions_url": page,
                "image_url_png": f"{page}.png",
                "image_url_svg": f"{page}.svg",
            },
        },
    )
    world.emit(account, "payment_intent.requires_action", intent)


def process(world: World, account: Account, intent: Json) -> None:
    """The guest may go; whether the money comes is not known yet."""
    intent.update(status="processing", next_action=None)
    world.emit(account, "payment_intent.processing", intent)


def scan_qr(world: World, account: Account, intent: Json, payer: Payer) -> Json:
    """The guest's bank paid the QR."""
    charge = _promptpay_charge(world, account, intent, payer)
    intent["next_action"] = None
    _succeed(world, account, intent, charge, fees.PROMPTPAY)
    return charge


def refuse_qr(
    world: World, account: Account, intent: Json, payer: Payer, *, expired: bool = False
) -> None:
    """The guest's bank refused, or the QR was left to expire: the guest may try again."""
    charge = _promptpay_charge(world, account, intent, payer)
    expiry = "The payment attempt expired before the guest finished paying."
    error = {
        "code": _ATTEMPT_EXPIRED if expired else "payment_intent_payment_attempt_failed",
        "message": expiry if expired else "The payment attempt failed.",
        "type": "invalid_request_error",
    }
    intent["next_action"] = None
    _fail(world, account, intent, charge, error)


def scan_unasked(world: World, account: Account, intent: Json, payer: Payer) -> Json:
    """A QR scanned that was paid already, or is dead: money without an intent.

    Only the balance tells of it.
    """
    details = {"promptpay": {"reference": world.new_id("pp", 12)}, "type": "promptpay"}
    charge = shapes.charge(
        id=world.new_id("py"),
        amount=intent["amount"],
        amount_captured=intent["amount"],
        billing_details=shapes.billing_details(payer.email, payer.name, "TH"),
        captured=True,
        created=world.now(),
        currency="thb",
        metadata={},
        outcome=_outcome("authorized", "Payment complete."),
        paid=True,
        payment_method_details=details,
        status="succeeded",
    )
    world.add(account, charge)
    book_charge(world, account, charge, fees.PROMPTPAY)
    world.emit(account, "charge.succeeded", charge)
    return charge


def _promptpay_charge(world: World, account: Account, intent: Json, payer: Payer) -> Json:
    details = {"promptpay": {"reference": world.new_id("pp", 12)}, "type": "promptpay"}
    return _make_charge(world, account, intent, details, payer, "TH", intent["payment_method"])


# --- charges -------------------------------------------------------------------------------------


def _make_charge(
    world: World,
    account: Account,
    intent: Json,
    details: Json,
    payer: Payer,
    country: str,
    method_id: str | None = None,
) -> Json:
    method_id = method_id or _make_method(world, account, details, payer, country)["id"]
    is_card = details["type"] == "card"
    charge = shapes.charge(
        id=world.new_id("ch" if is_card else "py"),
        amount=intent["amount"],
        application="ca_double" if account.id != PLATFORM else None,
        application_fee_amount=intent["application_fee_amount"],
        billing_details=shapes.billing_details(payer.email, payer.name, country),
        created=world.now(),
        currency="thb",
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method_id,
        payment_method_details=details,
        receipt_email=intent["receipt_email"],
    )
    intent.update(latest_charge=charge["id"], payment_method=method_id)
    return world.add(account, charge)


def _make_method(world: World, account: Account, details: Json, payer: Payer, country: str) -> Json:
    kind = details["type"]
    said = dict(details[kind])
    for key in ("amount_authorized", "mandate", "network", "network_token", "reference"):
        said.pop(key, None)
    said.pop("network_transaction_id", None)
    said.pop("installments", None)
    said.pop("three_d_secure", None)
    method = {
        "id": world.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": shapes.billing_details(payer.email, payer.name, country),
        "created": world.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: said,
    }
    return world.add(account, method)


def _outcome(kind: str, message: str, decline_code: str | None = None) -> Json:
    is_good = kind == "authorized"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if is_good else "declined_by_network",
        "reason": decline_code,
        "seller_message": message,
        "type": kind,
    }


def _fail(world: World, account: Account, intent: Json, charge: Json, error: Json) -> None:
    charge.update(
        amount_captured=0,
        captured=False,
        failure_code=error["code"],
        failure_message=error["message"],
        outcome=_outcome("issuer_declined", error["message"], error.get("decline_code")),
        paid=False,
        status="failed",
    )
    intent.update(
        status="requires_payment_method",
        last_payment_error={**error, "charge": charge["id"]},
        payment_method=None,
    )
    world.emit(account, "charge.failed", charge)
    world.emit(account, "payment_intent.payment_failed", intent)


def _succeed(world: World, account: Account, intent: Json, charge: Json, fee_method: str) -> None:
    charge.update(
        amount_captured=charge["amount"],
        captured=True,
        outcome=_outcome("authorized", "Payment complete."),
        paid=True,
        status="succeeded",
    )
    intent.update(status="succeeded", amount_received=charge["amount"], last_payment_error=None)
    if world.switches.fees_come_late:
        account.late[charge["id"]] = fee_method
    else:
        book_charge(world, account, charge, fee_method)
    world.emit(account, "charge.succeeded", charge)
    world.emit(account, "payment_intent.succeeded", intent)


def book_charge(world: World, account: Account, charge: Json, fee_method: str) -> None:
    """Write the balance transaction of a paid charge, and the platform's fee if it takes one."""
    lines = fees.payment_fee(charge["amount"], fee_method)
    if charge["application_fee_amount"]:
        amount = charge["application_fee_amount"]
        lines.append(fees.FeeLine("application_fee", amount, "Application fee"))
        charge["application_fee"] = _take_platform_fee(world, account, charge)
    kind = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    told = charge["description"] or "Payment"
    transaction = balance.book(
        world, account, kind, charge["amount"], charge["id"], description=told, fees=lines
    )
    charge["balance_transaction"] = transaction["id"]


def _take_platform_fee(world: World, account: Account, charge: Json) -> str:
    platform = world.accounts[PLATFORM]
    fee_id = world.new_id("fee")
    amount = charge["application_fee_amount"]
    transaction = balance.book(
        world, platform, "application_fee", amount, fee_id, description="Application fee"
    )
    fee = {
        "id": fee_id,
        "object": "application_fee",
        "account": account.id,
        "amount": amount,
        "amount_refunded": 0,
        "application": "ca_double",
        "balance_transaction": transaction["id"],
        "charge": charge["id"],
        "created": world.now(),
        "currency": "thb",
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": None,
        "refunded": False,
        "refunds": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/application_fees/{fee_id}/refunds",
        },
    }
    world.add(platform, fee)
    world.emit(platform, "application_fee.created", fee)
    return fee_id


def books_arrive(world: World, account: Account) -> None:
    """Write the balance transactions that came late, and say so."""
    while account.late:
        charge_id, fee_method = account.late.popitem()
        charge = account.get("charge", charge_id)
        book_charge(world, account, charge, fee_method)
        world.emit(account, "charge.updated", charge, {"balance_transaction": None})


def adjust(world: World, account: Account, amount: int, told: str) -> Json:
    """Stripe changes the balance by hand: nothing else stands behind it."""
    return balance.book(world, account, "adjustment", amount, None, description=told, settles=False)
