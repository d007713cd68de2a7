"""Disputes: the guest's bank takes the money back, and perhaps returns it."""

from tests.stripe_double import balance, fees, shapes
from tests.stripe_double.balance import DAY
from tests.stripe_double.state import Account, ApiError, Json, World

_OPEN = ("needs_response", "under_review")
_DAYS_TO_ANSWER = 7


def open_dispute(
    world: World, account: Account, charge: Json, amount: int | None, reason: str
) -> Json:
    """Take `amount` (default: all that is not refunded) and the dispute fee from the balance.

    Raises ValueError for what cannot be disputed: PromptPay, or a charge that is not paid.
    """
    dispute = _make(world, account, charge, amount, reason, "needs_response")
    world.emit(account, "charge.dispute.created", dispute)
    _withdraw(world, account, charge, dispute)
    return dispute


def inquire(world: World, account: Account, charge: Json) -> Json:
    """A mere question of the bank, which takes no money. Raises ValueError as `open_dispute`."""
    dispute = _make(world, account, charge, None, "general", "warning_needs_response")
    world.emit(account, "charge.dispute.created", dispute)
    return dispute


def escalate(world: World, account: Account, dispute: Json) -> None:
    """A question becomes a dispute: the same object, opened when the question was."""
    if dispute["status"] != "warning_needs_response":
        raise ValueError(f"a dispute that is {dispute['status']}")
    dispute["status"] = "needs_response"
    _withdraw(world, account, account.get("charge", dispute["charge"]), dispute)
    world.emit(account, "charge.dispute.updated", dispute, {"status": "warning_needs_response"})


def _withdraw(world: World, account: Account, charge: Json, dispute: Json) -> None:
    charge["disputed"] = True
    _book(world, account, dispute, -dispute["amount"], "dispute")
    world.emit(account, "charge.dispute.funds_withdrawn", dispute)


def _make(
    world: World, account: Account, charge: Json, amount: int | None, reason: str, status: str
) -> Json:
    card = charge["payment_method_details"].get("card")
    if not card or charge["status"] != "succeeded" or charge["disputed"]:
        raise ValueError("only a paid card charge can be disputed, once")
    disputed = amount or charge["amount"] - charge["amount_refunded"]
    dispute = shapes.dispute(
        id=world.new_id("du"),
        amount=disputed,
        charge=charge["id"],
        created=world.now(),
        currency="thb",
        evidence_details={
            "due_by": world.now() + _DAYS_TO_ANSWER * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "card": {
                "brand": card["brand"],
                "case_type": "chargeback",
                "network": card["brand"],
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        reason=reason,
        status=status,
    )
    world.add(account, dispute)
    return dispute


def _book(world: World, account: Account, dispute: Json, amount: int, category: str) -> None:
    is_taken = amount < 0
    told = "withdrawal" if is_taken else "reversal"
    transaction = balance.book(
        world,
        account,
        "adjustment",
        amount,
        dispute["id"],
        description=f"Chargeback {told} for {dispute['charge']}",
        fees=fees.with_tax(fees.DISPUTE, "Dispute fee") if is_taken else (),
        category=category,
        settles=False,
    )
    dispute["balance_transactions"].append(transaction)


def update_dispute(world: World, account: Account, dispute_id: str, params: Json) -> Json:
    """Keep evidence, and unless `submit` is false send it to the bank.

    Raises ApiError for a dispute that is over.
    """
    dispute = account.get("dispute", dispute_id, param="dispute")
    if dispute["status"] not in _OPEN and params.keys() != {"metadata"}:
        raise ApiError("This dispute is already closed and cannot be updated.")
    if isinstance(given := params.get("metadata"), dict):
        merged = {**dispute["metadata"], **given}
        dispute["metadata"] = {key: value for key, value in merged.items() if value}
    if evidence := params.get("evidence"):
        dispute["evidence"].update(evidence)
        dispute["evidence_details"]["has_evidence"] = True
    if dispute["evidence_details"]["has_evidence"] and params.get("submit", "evidence" in params):
        dispute["status"] = "under_review"
        dispute["evidence_details"]["submission_count"] += 1
        dispute["evidence_details"]["submission_method"] = "manual"
    world.emit(account, "charge.dispute.updated", dispute, {})
    return dispute


def accept_dispute(world: World, account: Account, dispute_id: str, _: Json) -> Json:
    """Give up: the dispute is lost."""
    dispute = account.get("dispute", dispute_id, param="dispute")
    if dispute["status"] not in _OPEN:
        raise ApiError("This dispute is already closed.")
    close_dispute(world, account, dispute, won=False)
    return dispute


def close_dispute(world: World, account: Account, dispute: Json, *, won: bool) -> None:
    """The bank decided. A won one brings the money back, but not the dispute fee."""
    if dispute["status"] not in _OPEN:
        raise ValueError(f"a dispute that is {dispute['status']}")
    dispute["status"] = "won" if won else "lost"
    if won:
        _book(world, account, dispute, dispute["amount"], "dispute_reversal")
        world.emit(account, "charge.dispute.funds_reinstated", dispute)
    world.emit(account, "charge.dispute.closed", dispute)


def reinstate(world: World, account: Account, dispute: Json, *, renamed: bool = True) -> None:
    """A lost dispute is won after all. `renamed`: its status says so, beside the money that comes."""
    if dispute["status"] != "lost":
        raise ValueError(f"a dispute that is {dispute['status']}")
    if renamed:
        dispute["status"] = "won"
    _book(world, account, dispute, dispute["amount"], "dispute_reversal")
    world.emit(account, "charge.dispute.funds_reinstated", dispute)
