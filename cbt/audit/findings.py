"""What a check answers. Pure.

A check goes on after the first fault and returns findings; it never raises for what it finds. How
many things it looked at is part of the answer: a check that looked at nothing has proved nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cbt.audit.drift import Drift


class Result(StrEnum):
    PASS = "pass"  # noqa: S105  (the word, not a password)
    FAIL = "fail"
    NO_DATA = "no_data"


class Check(StrEnum):
    """The checks, in the order in which they are run and shown."""

    CHAIN = "chain"
    LEGS = "legs"
    BALANCES = "balances"
    MONEY = "money"
    DEPOSITS = "deposits"
    SPLITS = "splits"
    SHARING = "sharing"
    DRIFT = "drift"
    LOSSES = "losses"
    PAYOUTS = "payouts"
    FUNDS = "funds"
    ENTRIES = "entries"
    POLICIES = "policies"
    PLACES = "places"
    SLOTS = "slots"
    RECEIPTS = "receipts"
    SHARES = "shares"
    WORK = "work"
    PERIODS = "periods"
    STATEMENTS = "statements"


class Fault(StrEnum):
    """What can be wrong. Each has a sentence in both languages."""

    CHAIN_GAP = "chain_gap"
    CHAIN_LINK = "chain_link"
    ENTRY_CHANGED = "entry_changed"
    HEAD_DIFFERS = "head_differs"
    TOTAL_DIFFERS = "total_differs"
    LEG_INVALID = "leg_invalid"
    LEG_ELSEWHERE = "leg_elsewhere"
    BALANCE_DIFFERS = "balance_differs"
    BALANCE_BELOW_ZERO = "balance_below_zero"
    ENTRY_MISSING = "entry_missing"
    ENTRY_UNEXPLAINED = "entry_unexplained"
    ENTRY_DOUBLED = "entry_doubled"
    AMOUNT_DIFFERS = "amount_differs"
    LEGS_DIFFER = "legs_differ"
    DAY_DIFFERS = "day_differs"
    ABOUT_DIFFERS = "about_differs"
    POLICY_DIFFERS = "policy_differs"
    FACTS_CHANGED = "facts_changed"
    FACTS_UNFIT = "facts_unfit"
    DEPOSIT_DIFFERS = "deposit_differs"
    RETURNING_DIFFERS = "returning_differs"
    CREDIT_USE_DIFFERS = "credit_use_differs"
    CREDITS_DIFFER = "credits_differ"
    MOVEMENT_DIFFERS = "movement_differs"
    MOVEMENT_MISSING = "movement_missing"
    CLEARING_DIFFERS = "clearing_differs"
    PAYMENT_MISSING = "payment_missing"
    PAYMENT_UNUSED = "payment_unused"
    PRICE_DIFFERS = "price_differs"
    POLICY_CHANGED = "policy_changed"
    POLICY_NOT_IN_FORCE = "policy_not_in_force"
    PROPOSAL_DIFFERS = "proposal_differs"
    MINUTES_CHANGED = "minutes_changed"
    PLACES_DIFFER = "places_differ"
    OVERSOLD = "oversold"
    SLOT_DIFFERS = "slot_differs"
    SLOT_OVERSOLD = "slot_oversold"
    RECEIPT_GAP = "receipt_gap"
    SETTLEMENT_GAP = "settlement_gap"
    SETTLEMENT_UNCOUNTED = "settlement_uncounted"
    SHARES_ALONE = "shares_alone"
    SHARES_IMPOSSIBLE = "shares_impossible"
    WORK_STRANGER = "work_stranger"
    WORK_TOO_LONG = "work_too_long"
    WORK_ALONE = "work_alone"
    WORK_UNSEEN = "work_unseen"
    WORK_DISPUTED = "work_disputed"
    ANSWER_ALONE = "answer_alone"
    DRIFT_LARGE = "drift_large"
    LOSS_DIFFERS = "loss_differs"
    APPROVALS_MISSING = "approvals_missing"
    LOANS_DIFFER = "loans_differ"
    TRANSIT_DIFFERS = "transit_differs"
    PAYOUT_STATE = "payout_state"
    PAYOUT_ONE_PERSON = "payout_one_person"
    PERIOD_GAP = "period_gap"
    ONE_PERSON = "one_person"
    CLOSING_DIFFERS = "closing_differs"
    LATE_IN_PERIOD = "late_in_period"
    OPENING_DIFFERS = "opening_differs"
    SNAPSHOT_DIFFERS = "snapshot_differs"
    OPEN_DIFFERS = "open_differs"
    RULES_CHANGED = "rules_changed"
    RECORD_DIFFERS = "record_differs"
    SEAL_DIFFERS = "seal_differs"
    STATEMENT_DIFFERS = "statement_differs"
    LEAF_DIFFERS = "leaf_differs"
    ROOT_DIFFERS = "root_differs"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    KEY_NOT_ENDORSED = "key_not_endorsed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Finding:
    """One fault: what is wrong, with which thing, and the values that show it."""

    fault: Fault
    subject: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class Outcome:
    """A check's answer: how many things it looked at, what it found, and what it measured."""

    check: Check
    looked_at: int
    findings: tuple[Finding, ...]
    drifts: tuple[Drift, ...] = ()

    @property
    def result(self) -> Result:
        if self.findings:
            return Result.FAIL
        return Result.PASS if self.looked_at else Result.NO_DATA


def is_clean(outcomes: tuple[Outcome, ...]) -> bool:
    """Whether everything was looked at and nothing found: zero rows checked is not clean."""
    return all(outcome.result == Result.PASS for outcome in outcomes)
