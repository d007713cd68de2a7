"""What every payment provider offers, in one vocabulary. Pure.

Money is whole satang. A provider is called outside of transactions: it is asked, and what it
answers is then written by one use case (`take_in`), which is safe to repeat. What a webhook says is
only a hint to ask. `receiver` is the community's own account there, as its payment account keeps it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class AttemptState(StrEnum):
    """Normalised states of one try to pay, in the order in which they may follow each other."""

    PENDING = "pending"
    REPORTED = "reported"  # the guest says that the money is on its way
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PAID = "paid"


_RANK = {
    AttemptState.PENDING: 0,
    AttemptState.REPORTED: 1,
    AttemptState.FAILED: 2,
    AttemptState.EXPIRED: 2,
    AttemptState.CANCELLED: 2,
    AttemptState.PAID: 3,
}


def advance(known: AttemptState, reported: AttemptState) -> AttemptState:
    """The state after a report, which may be late or repeated: it never goes backwards."""
    return reported if _RANK[reported] > _RANK[known] else known


class PayMethod(StrEnum):
    """How money reached a provider, as receipts and the books' readers name it."""

    CARD = "card"
    PROMPTPAY = "promptpay"
    CASH = "cash"
    DEMO = "demo"
    UNKNOWN = "unknown"


class Failure(StrEnum):
    """Why a try to pay came to nothing; a guest reads what to do about it."""

    DECLINED = "declined"
    NO_FUNDS = "no_funds"
    NOT_AUTHORISED = "not_authorised"
    CARD_EXPIRED = "card_expired"
    TIMED_OUT = "timed_out"
    OTHER = "other"


@dataclass(frozen=True)
class Capabilities:
    """What a provider can do by itself; what it cannot, a person does.

    One that starts alone asks nobody outside for it, so an attempt is made and started in one
    change. One that `tells_us` sends events and lists its transactions, so its attempts are looked
    up only when they have grown old. Where a person `confirms`, nobody else tells of the money. One
    that `fixes_amount` takes exactly what it was asked for, so an answer of another amount is wrong.
    It takes nothing below `least_satang`.
    What is started `on_arrival` is a promise: the guests bring the money when they come.
    """

    refunds_itself: bool
    is_pretended: bool
    starts_alone: bool = False
    tells_us: bool = False
    confirms: bool = False
    fixes_amount: bool = False
    least_satang: int = 1
    on_arrival: bool = False


@dataclass(frozen=True)
class Asked:
    """One attempt, as its provider gets it.

    Nothing can be paid for after `trip_begins_at`. `title` is what is bought, in the guest's
    `language`; the provider's page sends the guest back to `return_to`. None of these may differ
    between two calls for one attempt, or a provider that knows the attempt refuses the second.
    """

    attempt_id: int
    booking_reference: str
    number: int
    amount_satang: int
    receiver: Mapping[str, str]
    created_at: datetime
    hold_ends_at: datetime
    trip_begins_at: datetime
    title: str = ""
    language: str = "th"
    guest_email: str = ""
    return_to: str = ""


@dataclass(frozen=True)
class Started:
    """How the guest goes on: by a QR to scan, or on the provider's own page."""

    provider_ref: str
    qr_payload: str
    expires_at: datetime
    page_url: str = ""


@dataclass(frozen=True)
class Received:
    """Money that arrived: the provider's own id for it, and when.

    The fee, with the tax on it, is None until known; `vat_satang` is the tax in it.
    """

    payment_id: str
    amount_satang: int
    fee_satang: int | None
    paid_at: datetime
    method: PayMethod = PayMethod.UNKNOWN
    vat_satang: int = 0


@dataclass(frozen=True)
class NormalisedPayment:
    """A provider's present answer about an attempt. One QR may be paid more than once."""

    state: AttemptState
    received: tuple[Received, ...] = ()
    failure: Failure | None = None


class RefundState(StrEnum):
    """Where money that goes back is on its way.

    requested ──> approved ──> sent ──> action_required ──> succeeded
        │                       │ └──────────────────────────┤ ^
        └──> cancelled          └──> failed <────────────────┘ │ (a person transfers it)
                                       └───────────────────────┘

    What is requested, approved or failed is `by_bank` once a lost dispute has given it to the guest,
    and cancelled when the bank takes it back again: it is then owed anew, as another refund.
    """

    REQUESTED = "requested"  # a second person must agree
    APPROVED = "approved"
    SENT = "sent"
    ACTION_REQUIRED = "action_required"  # the guest must name a bank account
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # a person must transfer it
    BY_BANK = "by_bank"  # the guest has it by the bank, out of a dispute that was lost
    CANCELLED = "cancelled"


_REFUND_STEPS = {
    RefundState.REQUESTED: {RefundState.APPROVED, RefundState.BY_BANK, RefundState.CANCELLED},
    RefundState.APPROVED: {
        RefundState.BY_BANK,
        RefundState.SENT,
        RefundState.ACTION_REQUIRED,
        RefundState.SUCCEEDED,
        RefundState.FAILED,
    },
    RefundState.SENT: {RefundState.ACTION_REQUIRED, RefundState.SUCCEEDED, RefundState.FAILED},
    RefundState.ACTION_REQUIRED: {RefundState.SUCCEEDED, RefundState.FAILED},
    RefundState.SUCCEEDED: {RefundState.FAILED},  # a bank may send money back days later
    RefundState.FAILED: {RefundState.SUCCEEDED, RefundState.BY_BANK},  # by hand, or so
    RefundState.BY_BANK: {RefundState.CANCELLED},
    RefundState.CANCELLED: set(),
}

UNPAID_REFUNDS = (
    RefundState.REQUESTED,
    RefundState.APPROVED,
    RefundState.SENT,
    RefundState.ACTION_REQUIRED,
    RefundState.FAILED,
)
"""The states in which a guest still waits for the money."""


def can_refund_move(known: RefundState, wanted: RefundState) -> bool:
    """Whether a refund may go from one state to the other; a late report that may not is ignored."""
    return wanted in _REFUND_STEPS[known]


class RefundReason(StrEnum):
    """Why money goes back to the guest."""

    NO_PLACE_LEFT = "no_place_left"
    PAID_TWICE = "paid_twice"
    AMOUNT_DIFFERS = "amount_differs"
    CANCELLED = "cancelled"
    CALLED_OFF = "called_off"
    PRICE_LOWERED = "price_lowered"
    GOODWILL = "goodwill"  # the community gives back more than its terms ask


@dataclass(frozen=True)
class AskedRefund:
    """One refund, as its provider gets it; the same `key` is the same refund."""

    key: str
    payment_id: str
    amount_satang: int
    receiver: Mapping[str, str]
    guest_email: str = ""
    method: PayMethod = PayMethod.UNKNOWN


@dataclass(frozen=True)
class NormalisedRefund:
    """A provider's answer to a refund. `fee_returned_satang`: what it gives back of its fee.

    Where the guest must act, `action_until` says how long (None: not known).
    """

    state: RefundState
    fee_returned_satang: int = 0
    provider_ref: str | None = None
    action_until: datetime | None = None
    failure: str = ""


class DisputeState(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


_DISPUTE_RANK = {DisputeState.OPEN: 0, DisputeState.LOST: 1, DisputeState.WON: 2}


def advance_dispute(known: DisputeState, told: DisputeState) -> DisputeState:
    """The state after a report, which may be late or repeated: a lost one may be won after all."""
    return told if _DISPUTE_RANK[told] > _DISPUTE_RANK[known] else known


@dataclass(frozen=True)
class NormalisedDispute:
    """A payer's bank asks for the money back: the provider's present answer about it."""

    provider_ref: str
    payment_id: str
    amount_satang: int
    fee_satang: int
    state: DisputeState
    reason: str
    opened_at: datetime
    evidence_until: datetime | None


@dataclass(frozen=True)
class Transaction:
    """One movement on the community's account at a provider, in satang: amount - fee = net.

    `source_id` is the payment, refund, dispute or payout it is about ("" where it is none of them).
    """

    id: str
    kind: str
    source_id: str
    amount_satang: int
    fee_satang: int
    net_satang: int
    currency: str
    created_at: datetime
    payout_id: str | None


class PayoutState(StrEnum):
    ON_THE_WAY = "on_the_way"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True)
class NormalisedPayout:
    """Money that a provider sends on to the community's bank."""

    id: str
    amount_satang: int
    currency: str
    state: PayoutState
    created_at: datetime
    arrives_on: date


class About(StrEnum):
    """What an event is about, and so what its `object_id` names at the provider."""

    ATTEMPT = "attempt"
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    PAYOUT = "payout"
    NOTHING = "nothing"  # nothing that concerns us


@dataclass(frozen=True)
class Event:
    """What a provider told us. Only a hint: what it is about is asked anew.

    `account` is the community's account there, "" for the installation's own.
    """

    id: str
    account: str
    kind: str
    about: About
    object_id: str
    api_version: str
    created_at: datetime
    is_live: bool


class Provider(Protocol):
    """A way to pay. Each call is safe to repeat with the same attempt or reference."""

    name: str
    capabilities: Capabilities

    def estimate_fee(self, amount_satang: int) -> int:
        """What the provider would keep, before it has said so. Shown as an estimate."""

    def needs_own_amount(self, receiver: Mapping[str, str]) -> bool:
        """Whether payments to this receiver can only be told apart by their amounts."""

    def start(self, asked: Asked, now: datetime) -> Started: ...

    def fetch(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedPayment: ...

    def cancel(self, receiver: Mapping[str, str], provider_ref: str, now: datetime) -> None:
        """Ask that an attempt be paid no more. Money may arrive all the same, and is then taken in."""

    def refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund:
        """Ask for money to be given back. Raises AnswerUnknown where it may have been done, or not."""

    def find_refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund | None:
        """The refund that was asked for before, if it was made: the answer to that may have been lost,
        and a provider knows our key for a while only.
        """

    def fetch_refund(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedRefund: ...


class TellingProvider(Provider, Protocol):
    """One that sends events and lists what happened on an account (`tells_us`)."""

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Event:
        """The event of a signed message, once its signature, stamp and mode are proved.

        Raises EventRefused.
        """

    def list_undelivered(
        self, receiver: Mapping[str, str], since: datetime
    ) -> list[tuple[Event, bytes]]:
        """Events that did not reach us, with their text."""

    def list_transactions(
        self, receiver: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Transaction]: ...

    def list_payouts(
        self, receiver: Mapping[str, str], since: datetime
    ) -> list[NormalisedPayout]: ...

    def fetch_payout(self, receiver: Mapping[str, str], payout_id: str) -> NormalisedPayout: ...

    def list_transactions_of(
        self, receiver: Mapping[str, str], payout_id: str
    ) -> list[Transaction]: ...

    def fetch_dispute(
        self, receiver: Mapping[str, str], provider_ref: str
    ) -> NormalisedDispute | None:
        """None for a mere question of the payer's bank, which takes no money."""

    def list_disputes(
        self, receiver: Mapping[str, str], since: datetime
    ) -> list[NormalisedDispute]: ...

    def submit_evidence(
        self, receiver: Mapping[str, str], provider_ref: str, evidence: Mapping[str, str]
    ) -> None: ...

    def attempt_ref_of(self, receiver: Mapping[str, str], payment_id: str) -> str | None:
        """The attempt (its provider_ref) that a payment belongs to, where the provider knows."""

    def check(self, receiver: Mapping[str, str]) -> str:
        """Whether the account can take money now: "" or what is wrong with it, in a word."""


Providers = Mapping[str, Provider]
