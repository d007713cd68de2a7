"""The balance of an account: its transactions, and what is available of them."""

from collections.abc import Iterable, Sequence

from tests.stripe_double.fees import FeeLine
from tests.stripe_double.state import Account, Json, World

DAY = 86_400
_CATEGORIES = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "stripe_fee": "fee",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "adjustment": "other_adjustment",
}


def book(
    world: World,
    account: Account,
    kind: str,
    amount: int,
    source: str | None,
    *,
    description: str,
    fees: Sequence[FeeLine] = (),
    category: str = "",
    settles: bool = True,
) -> Json:
    """Write a balance transaction of `amount` satang, negative for money that leaves.

    `category`: its reporting category where the kind alone does not say it. One that `settles` is
    pending for the settling days, others are available at once.
    """
    fee = sum(line.amount for line in fees)
    now = world.now()
    available_on = now + world.switches.settling_days * DAY * settles
    made = {
        "id": world.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": now,
        "currency": "thb",
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [_fee_line(line) for line in fees],
        "net": amount - fee,
        "reporting_category": category or _CATEGORIES[kind],
        "source": source,
        "status": "pending" if available_on > now else "available",
        "type": kind,
    }
    world.at(available_on, lambda: made.update(status="available"))
    return world.add(account, made)


def _fee_line(line: FeeLine) -> Json:
    is_platforms = line.kind == "application_fee"
    return {
        "amount": line.amount,
        "application": "ca_double" if is_platforms else None,
        "currency": "thb",
        "description": line.description,
        "type": line.kind,
    }


def payout_of(account: Account, transaction: Json) -> str | None:
    """The payout that took a transaction along, the payout's own transaction included."""
    for payout in account.all_of("payout"):
        if transaction["id"] in account.bundles.get(payout["id"], ()):
            return str(payout["id"])
    return None


def unpaid(account: Account) -> list[Json]:
    """Transactions that are available and in no payout yet."""
    taken = {each for bundle in account.bundles.values() for each in bundle}
    transactions = account.all_of("balance_transaction")
    return [t for t in transactions if t["status"] == "available" and t["id"] not in taken]


def retrieve_balance(world: World, account: Account) -> Json:
    transactions = account.all_of("balance_transaction")
    return {
        "object": "balance",
        "available": [_sum(t for t in transactions if t["status"] == "available")],
        "livemode": False,
        "pending": [_sum(t for t in transactions if t["status"] == "pending")],
    }


def _sum(transactions: Iterable[Json]) -> Json:
    amount = sum(t["net"] for t in transactions)
    return {"amount": amount, "currency": "thb", "source_types": {"card": amount}}
