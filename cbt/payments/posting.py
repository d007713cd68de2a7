"""From what providers reported to the entries that must stand in the books. Pure.

Taking money in posts what these functions return; the auditor calls them again on the records of
payments and compares.
"""

from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg


@dataclass(frozen=True)
class CaptureFacts:
    """Money that arrived for a booking: the provider's own id for it, in satang, on a village day."""

    reference: str
    provider: str
    payment_id: str
    amount_satang: int
    paid_on: date


@dataclass(frozen=True)
class FeeFacts:
    """What the provider kept of a payment, as it reported on a village day."""

    reference: str
    provider: str
    payment_id: str
    fee_satang: int
    reported_on: date


@dataclass(frozen=True)
class RefundFacts:
    """Money given back, numbered within its payment, and what came back of the provider's fee.

    `paid_from` is another account than the one that took the payment, where a person transferred
    it by hand; `returned` how often it had come back before; `was_split` is True where the booking's
    money had been shared out before.
    """

    reference: str
    provider: str
    payment_id: str
    number: int
    amount_satang: int
    fee_returned_satang: int
    made_on: date
    paid_from: str | None = None
    returned: int | None = None
    was_split: bool | None = None


@dataclass(frozen=True)
class RefundReturnFacts:
    """A refund that came back to the account which it had left, numbered within the refund."""

    reference: str
    provider: str
    payment_id: str
    number: int
    returned: int
    amount_satang: int
    paid_from: str
    returned_on: date
    was_split: bool | None = None


@dataclass(frozen=True)
class DisputeFacts:
    """What a payer's bank took back, until the dispute is decided; `dispute` is the provider's id."""

    reference: str
    provider: str
    dispute: str
    amount_satang: int
    opened_on: date


@dataclass(frozen=True)
class DisputeFeeFacts:
    """What a provider asks for handling a dispute; whether the booking was split before."""

    reference: str
    provider: str
    dispute: str
    fee_satang: int
    was_split: bool
    opened_on: date


@dataclass(frozen=True)
class DisputeEndFacts:
    """How a dispute was decided. `deposit_satang` of it still lay in the booking's deposit, and
    `credit_satang` (None: nothing) in credits that its guest had not used.
    """

    reference: str
    provider: str
    dispute: str
    amount_satang: int
    deposit_satang: int
    closed_on: date
    credit_satang: int | None = None


@dataclass(frozen=True)
class RefundByBankFacts:
    """A refund, numbered within its payment, that the guest has by the bank: by a lost `dispute`."""

    reference: str
    provider: str
    payment_id: str
    number: int
    amount_satang: int
    dispute: str
    noted_on: date


@dataclass(frozen=True)
class DisputeReinstatedFacts:
    """A lost dispute that was won after all. Of what came back `deposit_satang` goes into the booking's
    deposit, `credit_satang` into its guest's credits, `fund_satang` into the management fund.
    """

    reference: str
    provider: str
    dispute: str
    amount_satang: int
    deposit_satang: int
    credit_satang: int
    fund_satang: int
    reinstated_on: date


@dataclass(frozen=True)
class CreditFacts:
    """Money of a booking that its guest leaves with the community for another trip."""

    reference: str
    credit_id: int
    amount_satang: int
    issued_on: date


@dataclass(frozen=True)
class CreditUseFacts:
    """Credit that went into a booking, numbered within credit and booking."""

    reference: str
    credit_id: int
    number: int
    amount_satang: int
    used_on: date


@dataclass(frozen=True)
class CashCountFacts:
    """What two people found in the cash box, and what the books said then."""

    count_id: int
    expected_satang: int
    counted_satang: int
    agreed_on: date


@dataclass(frozen=True)
class CashBankedFacts:
    """Cash that was carried to the bank, with the bank's reference."""

    banked_id: int
    amount_satang: int
    bank_reference: str
    banked_on: date


@dataclass(frozen=True)
class CashClearedFacts:
    """Cash on its way to the bank arrived there, or is back in the box."""

    banked_id: int
    amount_satang: int
    is_back: bool
    cleared_on: date


BookingMoney = (
    CaptureFacts
    | FeeFacts
    | RefundFacts
    | RefundReturnFacts
    | DisputeFacts
    | DisputeFeeFacts
    | DisputeEndFacts
    | RefundByBankFacts
    | DisputeReinstatedFacts
    | CreditFacts
    | CreditUseFacts
)
BoxFacts = CashCountFacts | CashBankedFacts | CashClearedFacts
Facts = BookingMoney | BoxFacts


def capture_draft(facts: CaptureFacts, actor: str) -> Draft:
    """From the payment account to guest deposits: nothing is income yet."""
    account = chart.payment(facts.provider)
    legs = (Leg(account, chart.GUEST_DEPOSIT, facts.amount_satang, "captured"),)
    return _draft("capture", facts, _payment(facts), facts.paid_on, legs, actor)


def fee_draft(facts: FeeFacts, actor: str) -> Draft:
    """The fee leaves the payment account; the booking's split pays it back."""
    legs = (Leg(chart.PAYMENT_FEE, chart.payment(facts.provider), facts.fee_satang, "fee"),)
    return _draft("fee", facts, _payment(facts), facts.reported_on, legs, actor)


def refund_draft(facts: RefundFacts, actor: str) -> Draft:
    """From guest deposits back to where the money came from, or out of another account by hand.

    What was shared out lies in no deposit any more: the shares bear it by an entry of their own.
    """
    account = chart.payment(facts.paid_from or facts.provider)
    source = chart.GIVEN_BACK if facts.was_split else chart.GUEST_DEPOSIT
    legs = [Leg(source, account, facts.amount_satang, "refunded")]
    if facts.fee_returned_satang:
        legs.append(Leg(account, chart.PAYMENT_FEE, facts.fee_returned_satang, "fee_returned"))
    name = f"{_payment(facts)}:{facts.number}"
    name = f"{name}:{facts.returned}" if facts.returned else name
    return _draft("refund", facts, name, facts.made_on, tuple(legs), actor)


def refund_return_draft(facts: RefundReturnFacts, actor: str) -> Draft:
    """Back to where it left from: it is owed again. What came back of a fee stays."""
    account = chart.payment(facts.paid_from)
    target = chart.GIVEN_BACK if facts.was_split else chart.GUEST_DEPOSIT
    legs = (Leg(account, target, facts.amount_satang, "refund_came_back"),)
    name = f"{_payment(facts)}:{facts.number}:{facts.returned}"
    return _draft("refund_return", facts, name, facts.returned_on, legs, actor)


def dispute_draft(facts: DisputeFacts, actor: str) -> Draft:
    """Out of the payment account, until it is decided whose the money is."""
    account = chart.payment(facts.provider)
    legs = (Leg(chart.DISPUTED, account, facts.amount_satang, "disputed"),)
    return _draft("dispute", facts, _dispute(facts), facts.opened_on, legs, actor)


def dispute_fee_draft(facts: DisputeFeeFacts, actor: str) -> Draft:
    """A fee like any other, which the booking's split pays; once that is posted, it is lost."""
    cost = chart.GIVEN_BACK if facts.was_split else chart.PAYMENT_FEE
    legs = (Leg(cost, chart.payment(facts.provider), facts.fee_satang, "dispute_fee"),)
    return _draft("dispute_fee", facts, _dispute(facts), facts.opened_on, legs, actor)


def dispute_won_draft(facts: DisputeEndFacts, actor: str) -> Draft:
    account = chart.payment(facts.provider)
    legs = (Leg(account, chart.DISPUTED, facts.amount_satang, "dispute_won"),)
    return _draft("dispute_won", facts, _dispute(facts), facts.closed_on, legs, actor)


def dispute_lost_draft(facts: DisputeEndFacts, actor: str) -> Draft:
    """What still lay in the booking's deposit or in credits goes with it; the rest is a loss."""
    credit = facts.credit_satang or 0
    parts = (
        (chart.GUEST_DEPOSIT, facts.deposit_satang),
        (chart.GUEST_CREDIT, credit),
        (chart.GIVEN_BACK, facts.amount_satang - facts.deposit_satang - credit),
    )
    legs = tuple(
        Leg(source, chart.DISPUTED, part, "dispute_lost") for source, part in parts if part
    )
    return _draft("dispute_lost", facts, _dispute(facts), facts.closed_on, legs, actor)


def refund_by_bank_draft(facts: RefundByBankFacts, actor: str) -> Draft:
    """What was owed to the guest leaves the deposit and makes good a loss: the bank has paid it."""
    legs = (Leg(chart.GUEST_DEPOSIT, chart.GIVEN_BACK, facts.amount_satang, "refund_by_bank"),)
    name = f"{_payment(facts)}:{facts.number}"
    return _draft("refund_by_bank", facts, name, facts.noted_on, legs, actor)


def dispute_reinstated_draft(facts: DisputeReinstatedFacts, actor: str) -> Draft:
    """Back to where it had been taken from; what nothing had covered is no loss any more."""
    account = chart.payment(facts.provider)
    elsewhere = facts.deposit_satang + facts.credit_satang + facts.fund_satang
    parts = (
        (chart.GUEST_DEPOSIT, facts.deposit_satang),
        (chart.GUEST_CREDIT, facts.credit_satang),
        (chart.fund("mgmt"), facts.fund_satang),
        (chart.GIVEN_BACK, facts.amount_satang - elsewhere),
    )
    legs = tuple(Leg(account, target, part, "dispute_reinstated") for target, part in parts if part)
    on = facts.reinstated_on
    return _draft("dispute_reinstated", facts, _dispute(facts), on, legs, actor)


def credit_draft(facts: CreditFacts, actor: str) -> Draft:
    """From a booking's deposit to what is owed as credit: it stays out of everybody's income."""
    legs = (Leg(chart.GUEST_DEPOSIT, chart.GUEST_CREDIT, facts.amount_satang, "credited"),)
    return _draft("credit", facts, str(facts.credit_id), facts.issued_on, legs, actor)


def credit_use_draft(facts: CreditUseFacts, actor: str) -> Draft:
    """From credit to the deposit of the booking that it goes into."""
    legs = (Leg(chart.GUEST_CREDIT, chart.GUEST_DEPOSIT, facts.amount_satang, "credit_used"),)
    name = f"{facts.credit_id}:{facts.reference}:{facts.number}"
    return _draft("credit_use", facts, name, facts.used_on, legs, actor)


def cash_count_draft(facts: CashCountFacts, actor: str) -> Draft:
    """The difference between what the box held and the books; of an even count, no legs."""
    over = facts.counted_satang - facts.expected_satang
    source, target = chart.CASH_BOX, chart.CASH_DIFFERENCE
    if over < 0:
        source, target = target, source
    legs = (Leg(source, target, abs(over), "cash_difference"),) if over else ()
    return _box_draft("cash_count", facts, facts.count_id, facts.agreed_on, legs, actor)


def cash_banked_draft(facts: CashBankedFacts, actor: str) -> Draft:
    """Out of the box, on its way to the community's bank account."""
    legs = (Leg(chart.CASH_ON_THE_WAY, chart.CASH_BOX, facts.amount_satang, "banked"),)
    return _box_draft("cash_banked", facts, facts.banked_id, facts.banked_on, legs, actor)


def cash_cleared_draft(facts: CashClearedFacts, actor: str) -> Draft:
    """Into the bank account, where somebody else saw it; or back into the box."""
    account, rule = (chart.CASH_BOX, "cash_back") if facts.is_back else (chart.BANK, "cash_arrived")
    legs = (Leg(account, chart.CASH_ON_THE_WAY, facts.amount_satang, rule),)
    return _box_draft("cash_cleared", facts, facts.banked_id, facts.cleared_on, legs, actor)


def _box_draft(
    kind: str, facts: BoxFacts, number: int, on: date, legs: tuple[Leg, ...], actor: str
) -> Draft:
    """An entry about the cash box; what it is about is also its key."""
    return Draft(
        kind=kind,
        subject=f"{kind}:{number}",
        effective_on=on,
        legs=legs,
        key=f"{kind}:{number}",
        actor=actor,
        input_hash=sha256(facts_text(kind, facts).encode()).hexdigest(),
    )


def _payment(
    facts: CaptureFacts | FeeFacts | RefundFacts | RefundReturnFacts | RefundByBankFacts,
) -> str:
    return f"{facts.provider}:{facts.payment_id}"


def _dispute(
    facts: DisputeFacts | DisputeFeeFacts | DisputeEndFacts | DisputeReinstatedFacts,
) -> str:
    return f"{facts.provider}:{facts.dispute}"


def _draft(
    kind: str, facts: BookingMoney, name: str, on: date, legs: tuple[Leg, ...], actor: str
) -> Draft:
    """An entry about a booking; `kind` and `name` together are its key."""
    return Draft(
        kind=kind,
        subject=f"booking:{facts.reference}",
        effective_on=on,
        legs=legs,
        key=f"{kind}:{name}",
        actor=actor,
        input_hash=sha256(facts_text(kind, facts).encode()).hexdigest(),
    )


def facts_text(kind: str, facts: Facts) -> str:
    """The facts as the text whose hash the entry carries: one a line, days as YYYY-MM-DD.

    What is None is left out, so that a fact which came into being later changes no older text.
    """
    told = [(name, value) for name, value in asdict(facts).items() if value is not None]
    lines = [f"cbt-{kind}/1", *(f"{name}:{value}" for name, value in told)]
    return "".join(line + "\n" for line in lines)
