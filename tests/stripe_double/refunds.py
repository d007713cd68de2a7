"""Refunds: of cards at once, of PromptPay when the guest has said to which bank account."""

from collections.abc import Callable

from tests.stripe_double import balance, cards, fees, shapes
from tests.stripe_double.balance import DAY
from tests.stripe_double.state import PLATFORM, Account, ApiError, Json, World, missing

_LIVE = ("pending", "requires_action", "succeeded")
_DAYS_TO_ANSWER = 45
_SOON = 60  # seconds until a test card's refund goes on


def create_refund(world: World, account: Account, params: Json) -> Json:
    """Raises ApiError for what is not paid, or more than what is left of it."""
    charge = _charge_of(account, params)
    amount = _require_amount(charge, params.get("amount"))
    is_card = charge["payment_method_details"]["type"] == "card"
    email = params.get("instructions_email") or charge["billing_details"]["email"]
    if not is_card and not email:
        raise ApiError("Provide `instructions_email` for this refund.", param="instructions_email")
    refund = shapes.refund(
        id=world.new_id("re" if is_card else "pyr"),
        amount=amount,
        charge=charge["id"],
        created=world.now(),
        currency="thb",
        metadata=params.get("metadata") or {},
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=params.get("reason"),
        status="pending",
    )
    world.add(account, refund)
    _count(charge, amount)
    if params.get("refund_application_fee") and charge["application_fee"]:
        part = _give_platform_fee_back(world, charge, amount)
        account.fee_parts[refund["id"]] = part
    begin = _begin_card if is_card else _begin_promptpay
    begin(world, account, charge, refund, email)
    world.emit(account, "refund.created", refund)
    world.emit(account, "charge.refunded", charge)
    return refund


def _charge_of(account: Account, params: Json) -> Json:
    if charge_id := params.get("charge"):
        charge = account.get("charge", charge_id, param="charge")
    elif intent_id := params.get("payment_intent"):
        intent = account.get("payment_intent", intent_id, param="payment_intent")
        if intent["status"] != "succeeded":
            raise ApiError(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
            )
        charge = account.get("charge", intent["latest_charge"])
    else:
        raise ApiError("One of the following params should be provided: payment_intent or charge.")
    if charge["status"] != "succeeded":
        raise missing("charge", charge["id"], "charge")
    return charge


def _require_amount(charge: Json, asked: int | None) -> int:
    left = charge["amount"] - charge["amount_refunded"]
    if charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise ApiError(message, code="charge_already_refunded")
    amount = left if asked is None else asked
    if amount < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount > left:
        raise ApiError(
            f"Refund amount ({_baht(amount)}) is greater than unrefunded amount on charge "
            f"({_baht(left)})",
            param="amount",
        )
    return amount


def _baht(satang: int) -> str:
    return f"฿{satang // 100:,}.{satang % 100:02}"


def _count(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


# --- how it goes on ------------------------------------------------------------------------------


def _begin_card(world: World, account: Account, charge: Json, refund: Json, email: str) -> None:
    card = cards.CARDS[_number(charge)]
    refund["destination_details"] = {"card": {"type": "pending"}, "type": "card"}
    _book(world, account, charge, refund)
    if world.switches.card_refunds_wait or card.refund == "waits":
        refund["pending_reason"] = "processing"
        if card.refund == "waits":
            _later(world, _SOON, lambda: succeed_refund(world, account, refund))
        return
    refund["status"] = "succeeded"
    refund["destination_details"]["card"] = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    if card.refund == "fails later":
        _later(world, _SOON, lambda: fail_refund(world, account, refund))


def _number(charge: Json) -> str:
    details = charge["payment_method_details"]["card"]
    return next(
        number
        for number, card in cards.CARDS.items()
        if (card.last4, card.country) == (details["last4"], details["country"])
    )


def _begin_promptpay(
    world: World, account: Account, charge: Json, refund: Json, email: str
) -> None:
    expires_at = world.now() + _DAYS_TO_ANSWER * DAY
    refund.update(
        destination_details={"th_bank_transfer": {}, "type": "th_bank_transfer"},
        instructions_email=email,
        next_action={
            "display_details": {
                "email_sent": {"email_sent_at": world.now(), "email_sent_to": email},
                "expires_at": expires_at,
            },
            "type": "display_details",
        },
        status="requires_action",
    )
    world.at(expires_at, lambda: _expire(world, account, refund))


def _later(world: World, seconds: int, happen: Callable[[], None]) -> None:
    world.at(world.now() + seconds, happen)


def _book(world: World, account: Account, charge: Json, refund: Json) -> None:
    """Take the money out of the balance. Only the platform's part of the fee may come back."""
    is_card = charge["payment_method_details"]["type"] == "card"
    lines = [] if is_card else fees.with_tax(fees.PROMPTPAY_REFUND, "PromptPay refund fee")
    if part := account.fee_parts.get(refund["id"]):
        lines.append(fees.FeeLine("application_fee", -part, "Application fee refund"))
    transaction = balance.book(
        world,
        account,
        "refund" if is_card else "payment_refund",
        -refund["amount"],
        refund["id"],
        description="REFUND FOR CHARGE" if is_card else "REFUND FOR PAYMENT",
        fees=lines,
        settles=False,
    )
    refund["balance_transaction"] = transaction["id"]


def succeed_refund(world: World, account: Account, refund: Json) -> None:
    """The money arrived at the guest. Raises ValueError for a refund that is over."""
    before = _require(refund, "pending", "requires_action")
    charge = account.get("charge", refund["charge"])
    if not refund["balance_transaction"]:
        _book(world, account, charge, refund)
    refund.update(status="succeeded")
    for key in ("next_action", "pending_reason"):
        refund.pop(key, None)
    world.emit(account, "refund.updated", refund, {"status": before})


def fail_refund(world: World, account: Account, refund: Json, reason: str = "declined") -> None:
    """The money came back, even after it had been said to have arrived."""
    before = _require(refund, *_LIVE)
    _undo(world, account, refund, "failed", reason)
    world.emit(account, "refund.updated", refund, {"status": before})
    world.emit(account, "refund.failed", refund)


def cancel_refund(world: World, account: Account, refund_id: str, _: Json) -> Json:
    refund = account.get("refund", refund_id, param="refund")
    if refund["status"] != "requires_action":
        raise ApiError(
            f"Refund {refund_id} has a status of {refund['status']} and cannot be canceled.",
            code="refund_not_cancelable",
        )
    drop_refund(world, account, refund)
    return refund


def drop_refund(world: World, account: Account, refund: Json) -> None:
    """The guest named no bank account in time, or the refund was called off."""
    before = _require(refund, "requires_action")
    _undo(world, account, refund, "canceled", None)
    world.emit(account, "refund.updated", refund, {"status": before})


def _expire(world: World, account: Account, refund: Json) -> None:
    if refund["status"] == "requires_action":
        drop_refund(world, account, refund)


def _require(refund: Json, *states: str) -> str:
    before: str = refund["status"]
    if before not in states:
        raise ValueError(f"a refund that is {before}")
    return before


def _undo(world: World, account: Account, refund: Json, state: str, reason: str | None) -> None:
    refund.update(status=state)
    for key in ("next_action", "pending_reason"):
        refund.pop(key, None)
    if reason:
        refund["failure_reason"] = reason
    if refund["balance_transaction"]:
        transaction = balance.book(
            world,
            account,
            "refund_failure",
            refund["amount"],
            refund["id"],
            description="REFUND FAILURE",
            settles=False,
        )
        refund["failure_balance_transaction"] = transaction["id"]
    charge = account.get("charge", refund["charge"])
    _count(charge, -refund["amount"])


# --- the platform's part -------------------------------------------------------------------------


def _give_platform_fee_back(world: World, charge: Json, amount: int) -> int:
    """Return the application fee in proportion to what is refunded of the charge; how much that is."""
    platform = world.accounts[PLATFORM]
    fee = platform.get("application_fee", charge["application_fee"])
    part: int = fee["amount"] * amount // charge["amount"]
    if charge["refunded"]:
        part = fee["amount"] - fee["amount_refunded"]
    made = {
        "id": world.new_id("fr"),
        "object": "fee_refund",
        "amount": part,
        "created": world.now(),
        "currency": "thb",
        "fee": fee["id"],
        "metadata": {},
    }
    transaction = balance.book(
        world,
        platform,
        "application_fee_refund",
        -part,
        made["id"],
        description="Application fee refund",
        settles=False,
    )
    made["balance_transaction"] = transaction["id"]
    world.add(platform, made)
    fee["amount_refunded"] += part
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    fee["refunds"]["data"].append(made)
    world.emit(platform, "application_fee.refunded", fee)
    return part
