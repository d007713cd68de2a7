"""The chart of accounts: how the accounts of a community's books are named. Pure.

Owed by the community (credit side): guests' deposits and credits, the pools of provider
money and of dividends that wait for their sharing-out, the funds, what each household has earned, what outside suppliers are due.
Owned (debit side): the money at each payment provider and in the cash box, fees paid in advance for
bookings, cash on its way to the bank, what a payer's bank has taken back until a dispute is decided, what
went back to guests after it was shared out until its shares bear it, and what households were paid beyond
what stayed theirs. `suspense` holds money that
nothing explains yet, on either side.
"""

GUEST_DEPOSIT = "guest_deposit"
GUEST_CREDIT = "guest_credit"
PAYMENT_FEE = "payment_fee"
PROVIDER_POOL = "pool:provider"
DIVIDEND_POOL = "pool:dividend"
DISPUTED = "disputed"
GIVEN_BACK = "given_back"
CASH_DIFFERENCE = "cash_difference"
CASH_ON_THE_WAY = "cash_on_the_way"
SUSPENSE = "suspense"
PAYOUT_TRANSIT = "payout_transit"
LOANS = "loans"

FUNDS = ("mgmt", "welfare", "conserve", "develop", "revolve")


def payment(provider: str) -> str:
    """Money held for the community at a payment provider, or in its own bank."""
    return f"payment:{provider}"


BANK = payment("promptpay")
"""The community's own bank account, into which PromptPay pays: payouts and cash are brought there."""

CASH_BOX = payment("cash")


def fund(bucket: str) -> str:
    return f"fund:{bucket}"


def household(code: str) -> str:
    """What a household has earned and has not been paid yet."""
    return f"household:{code}"


def household_of(account: str) -> str | None:
    """The household whose earnings an account holds, or None for any other account."""
    kind, _, code = account.partition(":")
    return code if kind == "household" else None


def receivable(code: str) -> str:
    """What a household owes: it was paid out, and then a guest got some of that back."""
    return f"receivable:{code}"


def outside(payee: str) -> str:
    """What is due to a supplier or intermediary outside the community."""
    return f"outside:{payee}"


INTERMEDIARY = outside("intermediary")


def bucket(code: str) -> str:
    """The account that a bucket of the split policy flows into."""
    return {"provider": PROVIDER_POOL, "dividend": DIVIDEND_POOL}.get(code) or fund(code)
