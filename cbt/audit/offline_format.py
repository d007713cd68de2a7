"""The auditor's bundle as a format: its tables, their columns, and its limits. Pure, standard library alone.

`docs/bundle.md` says what each column means. Who writes a bundle and who verifies it both read this page.

A column's type is a letter, with `?` where it may be empty: `n` a number from 0 on, `i` a number below
zero as well, `b` 0 or 1, `d` a day, `m` a month, `t` an instant (UTC), `h` a SHA-256, `w` a word: one line of at most
200 letters that no spreadsheet takes for a formula; `x` (in .jsonl files only) any text.
"""

from __future__ import annotations

import re
from datetime import date

FORMAT = "cbt-bundle/1"
MANIFEST = "manifest.json"
JOURNAL = "journal.hledger"
WORKBOOK = "people.xlsx"

MOST_FILES = 60
MOST_BYTES = 200 * 1024 * 1024
MOST_RATIO = 150
MOST_ROWS = 600_000
MOST_LINE = 400_000

Columns = dict[str, str]

TABLES: dict[str, Columns] = {
    # --- the books ---
    "accounts.csv": {
        "account": "w",
        "side": "w",
        "may_go_negative": "b",
        "opening": "i",
        "closing": "i",
    },
    "entries.csv": {
        "seq": "n",
        "recorded_at": "t",
        "kind": "w",
        "subject": "w",
        "effective_on": "d",
        "policy": "w?",
        "input": "h?",
        "reverses": "n",
        "key": "w",
        "actor": "w?",
        "amount": "n",
        "legs": "n",
        "previous": "h",
        "hash": "h",
    },
    "legs.csv": {
        "entry": "n",
        "line": "n",
        "source": "w",
        "target": "w",
        "amount": "n",
        "rule": "w",
    },
    "deposits.csv": {"booking": "w", "opening": "n"},
    "earlier.csv": {"key": "w", "entry": "n"},
    # --- what was agreed ---
    "policies.jsonl": {
        "number": "n",
        "sha256": "h",
        "text": "x",
        "recorded_at": "t",
        "adopted_on": "d",
        "effective_from": "d",
        "meeting_th": "x",
        "meeting_en": "x",
        "households": "n",
        "present": "n",
        "voted_for": "n",
        "voted_against": "n?",
        "abstained": "n?",
        "quorum_bp": "n?",
        "proposal": "h?",
        "minutes": "h?",
    },
    "households.csv": {"household": "w", "place": "n", "active_from": "d", "active_until": "d?"},
    # --- trips and bookings ---
    "departures.csv": {
        "departure": "n",
        "experience": "n",
        "service_on": "d",
        "settlement": "n?",
        "settled_at": "t?",
        "settled_by": "n?",
    },
    "bookings.csv": {
        "booking": "w",
        "departure": "n",
        "state": "w",
        "sold_at": "t",
        "sold_on": "d",
        "policy": "h",
        "price": "n",
        "discount": "n",
        "bearer": "w?",
    },
    "prices.csv": {"booking": "w", "what": "w", "quantity": "n", "price": "n"},
    "costs.csv": {"booking": "w", "code": "w", "amount": "n"},
    "work.csv": {"departure": "n", "household": "w", "task": "w", "units": "n", "minutes": "n"},
    "preparation.csv": {"departure": "n", "household": "w", "cost": "n"},
    "assets.csv": {"asset": "n", "experience": "n?"},
    "shares.csv": {
        "asset": "n",
        "kind": "w",
        "source": "w?",
        "target": "w?",
        "shares": "n",
        "effective_on": "d",
        "document": "h",
        "recorded_by": "n",
        "decision": "w?",
        "decided_by": "n?",
    },
    "uses.csv": {
        "experience": "n",
        "asset": "n?",
        "effective_on": "d",
        "recorded_by": "n",
        "decision": "w?",
        "decided_by": "n?",
    },
    # --- money ---
    "captures.csv": {
        "booking": "w",
        "provider": "w",
        "payment": "w",
        "receipt": "n",
        "amount": "n",
        "paid_on": "d",
        "buys": "b",
        "fee": "n?",
        "fee_on": "d?",
    },
    "refunds.csv": {
        "provider": "w",
        "payment": "w",
        "number": "n",
        "amount": "n",
        "fee_returned": "n",
        "state": "w",
        "was_split": "b",
        "made_on": "d?",
        "paid_from": "w?",
        "by_dispute": "w?",
        "by_bank_on": "d?",
    },
    "refund_returns.csv": {
        "provider": "w",
        "payment": "w",
        "number": "n",
        "returned": "n",
        "amount": "n",
        "fee_returned": "n",
        "paid_from": "w",
        "made_on": "d",
        "returned_on": "d",
    },
    "disputes.csv": {
        "provider": "w",
        "payment": "w",
        "dispute": "w",
        "amount": "n",
        "fee": "n",
        "reserved": "n",
        "credit": "n",
        "covered": "n",
        "fund": "n",
        "state": "w",
        "was_split": "b",
        "opened_on": "d",
        "closed_on": "d?",
        "reinstated_on": "d?",
    },
    "credits.csv": {"credit": "n", "booking": "w", "amount": "n", "issued_on": "d"},
    "credit_uses.csv": {
        "credit": "n",
        "booking": "w",
        "number": "n",
        "amount": "n",
        "used_on": "d",
    },
    "cash_counts.csv": {
        "count": "n",
        "expected": "n",
        "counted": "n",
        "agreed_on": "d",
        "counted_by": "n",
        "agreed_by": "n",
    },
    "cash_banked.jsonl": {
        "banked": "n",
        "amount": "n",
        "reference": "x",
        "banked_on": "d",
        "is_back": "b?",
        "cleared_on": "d?",
    },
    "provider_payouts.csv": {
        "provider": "w",
        "payout": "w",
        "amount": "n",
        "arrives_on": "d",
        "failed_on": "d?",
    },
    "unexplained.csv": {
        "provider": "w",
        "transaction": "w",
        "amount": "i",
        "moved_on": "d",
        "cleared": "i?",
        "how": "w?",
        "cleared_on": "d?",
    },
    # --- after the sharing-out ---
    "take_backs.csv": {
        "booking": "w",
        "number": "n",
        "lost": "i",
        "cost": "i",
        "found_at": "t",
        "found_on": "d",
    },
    "recoveries.csv": {
        "recovery": "n",
        "household": "w",
        "kind": "w",
        "amount": "n",
        "recovered_on": "d",
    },
    "corrections.csv": {
        "correction": "n",
        "source": "w",
        "target": "w",
        "amount": "n",
        "reason": "h",
        "concerns_on": "d",
        "decided_on": "d",
        "asked_by": "n",
        "decided_by": "n",
    },
    "payouts.csv": {
        "payout": "n",
        "batch": "n",
        "household": "w",
        "amount": "n",
        "recovered": "n",
        "drafted_by": "n",
        "decided_by": "n?",
    },
    "payout_steps.csv": {
        "payout": "n",
        "step": "w",
        "amount": "n",
        "paid_from": "w?",
        "on": "d",
    },
    "fund_events.csv": {
        "event": "w",
        "number": "n",
        "fund": "w",
        "amount": "n",
        "account": "w?",
        "on": "d",
    },
    "fund_requests.csv": {"what": "w", "number": "n", "requested_by": "n", "evidence": "h?"},
    "fund_approvals.csv": {"what": "w", "number": "n", "waives": "b", "person": "n"},
    # --- closed months ---
    "periods.jsonl": {
        "month": "m",
        "number": "n",
        "closing_entry": "n",
        "closed_at": "t",
        "prepared_by": "n",
        "approved_by": "n",
        "record": "x",
        "seal": "x",
    },
    "balances.csv": {
        "month": "m",
        "account": "w",
        "opening": "i",
        "debits": "n",
        "credits": "n",
        "closing": "i",
    },
    "statements.jsonl": {
        "month": "m",
        "place": "n",
        "household": "w",
        "leaf": "h",
        "text": "x",
    },
    "signatures.jsonl": {"month": "m", "role": "w", "key": "x", "signature": "x", "person": "n?"},
    "keys.jsonl": {
        "role": "w",
        "person": "n?",
        "key": "x",
        "follows": "x",
        "endorsement": "x",
        "recorded_at": "t",
    },
}

WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("accounts.csv", "side"): ("debit", "credit"),
    ("bookings.csv", "state"): (
        *("requested", "held", "lapsed", "declined"),
        *("confirmed", "choosing", "cancelled", "settled"),
    ),
    ("disputes.csv", "state"): ("open", "won", "lost"),
    ("shares.csv", "kind"): ("issue", "transfer", "redeem"),
    ("shares.csv", "decision"): ("confirmed", "refused"),
    ("uses.csv", "decision"): ("confirmed", "refused"),
    ("unexplained.csv", "how"): ("returned", "fund"),
    ("fund_requests.csv", "what"): ("claim", "loan"),
    ("fund_approvals.csv", "what"): ("claim", "loan"),
    ("signatures.jsonl", "role"): ("platform", "treasurer", "mentor"),
    ("keys.jsonl", "role"): ("platform", "treasurer", "mentor"),
}
"""The words that a column may hold, where only some make sense."""

EXTRA = (JOURNAL, WORKBOOK)
"""For people and other programs: listed with their SHA-256, not needed for the recomputation."""

_PATTERNS = {
    "n": r"0|[1-9]\d{0,15}",
    "i": r"0|-?[1-9]\d{0,15}",
    "b": r"[01]",
    "d": r"(19|2[0-4])\d\d-\d\d-\d\d",
    "m": r"(19|2[0-4])\d\d-(0[1-9]|1[0-2])",
    "t": r"(19|2[0-4])\d\d-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z",
    "h": r"[0-9a-f]{64}",
    "w": r"[^\s=+@|%'\"\x00-\x20\x7f-\x9f\-][^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,199}",
}
SHAPES = {letter: re.compile(pattern) for letter, pattern in _PATTERNS.items()}
_HASH_LISTS = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64})*")


def is_of(kind: str, text: str) -> bool:
    """Whether a cell is of its column's type."""
    if not text:
        return kind.endswith("?")
    letter = kind[0]
    if letter == "w" and len(text) > 200:
        return bool(_HASH_LISTS.fullmatch(text))
    if SHAPES[letter].fullmatch(text) is None:
        return False
    return letter not in "dt" or _is_day(text[:10])


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
