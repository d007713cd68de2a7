"""Checkout Sessions: made by the product, paid on the hosted page, over in time."""

import re

from tests.stripe_double import payments, shapes
from tests.stripe_double.cards import Card
from tests.stripe_double.disputes import open_dispute
from tests.stripe_double.payments import Payer
from tests.stripe_double.state import PLATFORM, Account, ApiError, Json, World

_LEAST_SATANG = 1000
_SOONEST, _LATEST = 30 * 60, 24 * 3600
_METHODS = ("card", "promptpay")


# --- the product's calls -------------------------------------------------------------------------


def create_session(world: World, account: Account, params: Json) -> Json:
    """Raises ApiError for what Stripe would not sell: too little, another currency, bad times."""
    data = params.get("payment_intent_data") or {}
    _require_platform_fee(account, data)
    amount = _total(params)
    now = world.now()
    session_id = world.new_id("cs_test", 58)
    session = shapes.session(
        id=session_id,
        adaptive_pricing=params.get("adaptive_pricing") or {"enabled": True},
        amount_subtotal=amount,
        amount_total=amount,
        cancel_url=_require_url(params, "cancel_url", required=False),
        client_reference_id=params.get("client_reference_id"),
        created=now,
        currency="thb",
        customer_email=_require_email(params.get("customer_email")),
        expires_at=_require_time(params.get("expires_at"), now),
        locale=params.get("locale"),
        metadata=params.get("metadata") or {},
        mode=_require_mode(params.get("mode")),
        payment_method_types=_require_methods(params),
        success_url=_require_url(params, "success_url"),
        url=f"{world.address}/c/pay/{session_id}",
    )
    if asked := params.get("allowed_payment_method_types"):
        session["allowed_payment_method_types"] = asked
    world.add(account, session)
    account.orders[session_id] = params
    world.at(session["expires_at"], lambda: _expire(world, account, session))
    return session


def expire_session(world: World, account: Account, session_id: str, _: Json) -> Json:
    session = account.get("checkout.session", session_id, param="session")
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session['status']}."
        )
    _expire(world, account, session)
    return session


def line_items(account: Account, session: Json) -> Json:
    """What was sold, as `expand` shows it."""
    items = account.orders[session["id"]]["line_items"]
    data = [_line_item(session, number, item) for number, item in enumerate(items, start=1)]
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "data": data, "has_more": False, "url": url}


def _line_item(session: Json, number: int, item: Json) -> Json:
    amount = item["price_data"]["unit_amount"] * item["quantity"]
    return {
        "id": f"li_{number}{session['id'][-20:]}",
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": "thb",
        "description": item["price_data"]["product_data"]["name"],
        "price": None,
        "quantity": item["quantity"],
    }


# --- what may be sold ----------------------------------------------------------------------------


def _require_mode(mode: str | None) -> str:
    if mode != "payment":
        raise ApiError("This double only knows `mode` payment.", param="mode", was_begun=False)
    return mode


def _require_methods(params: Json) -> list[str]:
    asked = params.get("allowed_payment_method_types") or list(_METHODS)
    if kept := [method for method in _METHODS if method in asked]:
        return kept
    raise ApiError(
        "No payment method types are left for this currency and account.",
        param="allowed_payment_method_types",
        was_begun=False,
    )


def _require_platform_fee(account: Account, data: Json) -> None:
    if data.get("application_fee_amount") and account.id == PLATFORM:
        raise ApiError(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a "
            "direct payment (using an OAuth key or Stripe-Account header) or destination payment.",
            param="payment_intent_data[application_fee_amount]",
        )


def _total(params: Json) -> int:
    items = params.get("line_items")
    if not items:
        raise _absent("line_items")
    total = 0
    for number, item in enumerate(items):
        price, where = item.get("price_data"), f"line_items[{number}]"
        if not price or "unit_amount" not in price or "product_data" not in price:
            raise _absent(f"{where}[price_data][unit_amount] and [product_data]")
        if price["currency"] != "thb":
            param = f"{where}[price_data][currency]"
            raise ApiError("This double only knows thb.", param=param, was_begun=False)
        if "quantity" not in item:
            raise _absent(f"{where}[quantity]")
        total += price["unit_amount"] * item["quantity"]
    if total < _LEAST_SATANG:
        message = "The Checkout Session's total amount due must add up to at least ฿10.00 thb"
        raise ApiError(message, code="amount_too_small", was_begun=False)
    return total


def _absent(param: str) -> ApiError:
    message = f"Missing required param: {param}."
    return ApiError(message, code="parameter_missing", param=param, was_begun=False)


def _require_url(params: Json, name: str, *, required: bool = True) -> str | None:
    url: str | None = params.get(name)
    if url is None and not required:
        return None
    if url is None:
        raise _absent(name)
    if not re.match(r"https?://[^\s/]", url):
        raise ApiError("Not a valid URL", code="url_invalid", param=name, was_begun=False)
    return url


def _require_email(email: str | None) -> str | None:
    if email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        message = f"Invalid email address: {email}"
        raise ApiError(message, code="email_invalid", param="customer_email", was_begun=False)
    return email


def _require_time(expires_at: int | None, now: int) -> int:
    if expires_at is None:
        return now + _LATEST
    if expires_at < now + _SOONEST:
        told = "at least 30 minutes from Checkout Session creation"
    elif expires_at > now + _LATEST:
        told = "less than 24 hours from Checkout Session creation"
    else:
        return expires_at
    message = f"The `expires_at` timestamp must be {told}."
    raise ApiError(message, param="expires_at", was_begun=False)


# --- what the guest does on the page -------------------------------------------------------------


def pay_by_card(world: World, account: Account, session: Json, card: Card, payer: Payer) -> bool:
    """Try a card. Raises ApiError for a session that is no longer open."""
    intent = _intent(world, account, session)
    if not payments.try_card(world, account, intent, card, payer):
        return False
    _complete(world, account, session, payer, is_paid=True)
    if card.is_disputed:
        charge = account.get("charge", intent["latest_charge"])
        open_dispute(world, account, charge, None, "fraudulent")
    return True


def choose_promptpay(world: World, account: Account, session: Json, payer: Payer) -> Json:
    """Show the QR; where PromptPay is delayed, the session is complete already, and unpaid."""
    intent = _intent(world, account, session)
    payments.show_qr(world, account, intent, payer)
    session["customer_details"] = _customer(payer)
    if world.switches.promptpay_is_delayed:
        payments.process(world, account, intent)
        _complete(world, account, session, payer, is_paid=False)
    return intent


def scan(world: World, account: Account, session: Json) -> None:
    """The bank pays the QR. Raises ApiError if none is shown."""
    intent, payer = _shown(account, session)
    payments.scan_qr(world, account, intent, payer)
    if session["status"] == "open":
        _complete(world, account, session, payer, is_paid=True)
    else:
        session["payment_status"] = "paid"
        world.emit(account, "checkout.session.async_payment_succeeded", session)


def refuse(world: World, account: Account, session: Json, *, expired: bool = False) -> None:
    """The bank refuses the QR, or it is left to expire. Raises ApiError if none is shown."""
    intent, payer = _shown(account, session)
    payments.refuse_qr(world, account, intent, payer, expired=expired)
    if session["status"] == "complete":
        world.emit(account, "checkout.session.async_payment_failed", session)


def scan_unasked(world: World, account: Account, session: Json) -> Json:
    """A QR that was paid, or that died with its session, is paid. Raises ApiError if none was."""
    intent = account.objects.get(session["payment_intent"] or "")
    customer = session["customer_details"]
    if intent is None or customer is None or intent["status"] not in ("succeeded", "canceled"):
        raise ApiError("No QR of this session was paid or is over.")
    payer = Payer(customer["email"], customer["name"])
    return payments.scan_unasked(world, account, intent, payer)


def _intent(world: World, account: Account, session: Json) -> Json:
    """The session's payment intent, made with the first try to pay."""
    if session["status"] != "open":
        raise ApiError(f"This Checkout Session is {session['status']}.")
    if session["payment_intent"]:
        return account.get("payment_intent", session["payment_intent"])
    data = account.orders[session["id"]].get("payment_intent_data") or {}
    kept = ("application_fee_amount", "description", "receipt_email", "statement_descriptor_suffix")
    intent = payments.make_intent(
        world,
        account,
        session["amount_total"],
        session["payment_method_types"],
        metadata=data.get("metadata") or {},
        **{key: data[key] for key in kept if key in data},
    )
    session["payment_intent"] = intent["id"]
    account.checkouts[intent["id"]] = session["id"]
    return intent


def _shown(account: Account, session: Json) -> tuple[Json, Payer]:
    intent = account.objects.get(session["payment_intent"] or "")
    if intent is None or intent["status"] not in payments.AWAITED:
        raise ApiError("No QR of this session waits to be paid.")
    customer = session["customer_details"]
    return intent, Payer(customer["email"], customer["name"])


def _customer(payer: Payer) -> Json:
    return {
        "address": shapes.address(),
        "business_name": None,
        "email": payer.email or None,
        "individual_name": None,
        "name": payer.name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _complete(
    world: World, account: Account, session: Json, payer: Payer, *, is_paid: bool
) -> None:
    session.update(
        customer_details=_customer(payer),
        payment_status="paid" if is_paid else "unpaid",
        status="complete",
        url=None,
    )
    world.emit(account, "checkout.session.completed", session)


def _expire(world: World, account: Account, session: Json) -> None:
    """Close a session that is still open, and its intent with it: nothing can be paid any more."""
    if session["status"] != "open":
        return
    session.update(status="expired", url=None)
    intent = account.objects.get(session["payment_intent"] or "")
    if intent is not None:
        payments.close_intent(world, account, intent, "expired")
    world.emit(account, "checkout.session.expired", session)
