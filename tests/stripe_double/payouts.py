"""Payouts: what is available leaves to the merchant's bank, and sometimes comes back."""

from collections.abc import Sequence

from tests.stripe_double import balance, shapes
from tests.stripe_double.state import Account, Json, World


def create_payout(world: World, account: Account, transactions: Sequence[Json]) -> Json:
    """Send the sum of some transactions' nets, by default of all that are available.

    Raises ValueError for nothing to pay, or for a transaction that is pending or paid out.
    """
    free = balance.unpaid(account)
    taken = list(transactions) or free
    amount = sum(each["net"] for each in taken)
    if amount <= 0 or not all(each in free for each in taken):
        raise ValueError(f"nothing to pay out: {amount} of {len(taken)} transactions")
    payout = shapes.payout(
        id=world.new_id("po"),
        amount=amount,
        arrival_date=world.now() + balance.DAY,
        created=world.now(),
        destination=_bank(world, account),
    )
    transaction = balance.book(
        world, account, "payout", -amount, payout["id"], description="STRIPE PAYOUT", settles=False
    )
    payout["balance_transaction"] = transaction["id"]
    account.bundles[payout["id"]] = [transaction["id"], *(each["id"] for each in taken)]
    world.add(account, payout)
    world.emit(account, "payout.created", payout)
    return payout


def arrive(world: World, account: Account, payout: Json) -> None:
    """The bank has the money, and Stripe has worked out what it was made of."""
    payout["status"] = "paid"
    world.emit(account, "payout.paid", payout)
    payout["reconciliation_status"] = "completed"
    world.emit(account, "payout.reconciliation_completed", payout)


def fail(world: World, account: Account, payout: Json) -> None:
    """The bank sent the money back, be it after it was said to be paid."""
    transaction = balance.book(
        world,
        account,
        "payout_failure",
        payout["amount"],
        payout["id"],
        description="PAYOUT FAILURE",
        settles=False,
    )
    payout.update(
        failure_balance_transaction=transaction["id"],
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
        status="failed",
    )
    world.emit(account, "payout.failed", payout)


def _bank(world: World, account: Account) -> str:
    banks = account.all_of("bank_account")
    if not banks:
        bank_id = world.new_id("ba")
        world.add(account, shapes.bank_account(bank_id, account.id))
        return bank_id
    return str(banks[0]["id"])
