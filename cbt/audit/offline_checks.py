"""The checks of a bundle's books against its facts. Standard library alone.

A check goes on after its first finding and tells how many things it looked at. What may be zero in an honest
bundle (no payouts, no cash) is zero only where the books, which the chain holds together, agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cbt.audit import offline_books as books
from cbt.audit.offline_books import Expected, Records, Row, digest
from cbt.audit.offline_rules import CannotCompute, Leg
from cbt.audit.offline_zip import Bundle

MONEY = (
    *("capture", "fee", "refund", "refund_return", "refund_by_bank", "credit", "credit_use"),
    *("dispute", "dispute_fee", "dispute_won", "dispute_lost", "dispute_reinstated"),
    *("cash_count", "cash_banked", "cash_cleared"),
    *("payout", "payout_failed", "suspense", "suspense_cleared"),
)
LOSSES = ("take_back", "recovery", "correction")
PAYOUTS = ("payout_ordered", "payout_paid", "payout_stopped", "payout_returned")
FUND_EVENTS = ("contribution", "claim_paid", "loan_paid", "loan_repaid", "loan_waived")
_MAY_GO_BELOW = ("payment:", "given_back", "cash_difference", "suspense")
_STEPS = ({"ordered"}, {"ordered", "stopped"}, {"ordered", "paid"}, {"ordered", "paid", "returned"})


class Finding(NamedTuple):
    """One fault: of which check, what is wrong, with which thing, and the values that show it."""

    check: str
    fault: str
    subject: str
    values: dict[str, object]


class Outcome(NamedTuple):
    """What a check answers. `may_be_none`: nothing in the books called for it either."""

    check: str
    looked_at: int
    findings: list[Finding]
    may_be_none: bool = False

    @property
    def is_clean(self) -> bool:
        return not self.findings and (self.looked_at > 0 or self.may_be_none)


@dataclass
class Audit:
    """A bundle with what checks look up in it."""

    bundle: Bundle
    records: Records
    entries: list[Row]
    legs: dict[int, list[Leg]]
    by_key: dict[str, Row]
    earlier: set[str]
    kinds: Counter[str]
    called_for: set[str] = field(default_factory=set)

    @property
    def tables(self) -> dict[str, list[Row]]:
        return self.bundle.tables

    @property
    def manifest(self) -> Row:
        return self.bundle.manifest

    def is_within(self, key: str) -> bool:
        """Whether the entry of a key must stand in this bundle, and not in an earlier one's."""
        return key not in self.earlier


def make_audit(bundle: Bundle) -> Audit:
    legs: dict[int, list[Leg]] = defaultdict(list)
    for row in sorted(bundle.tables["legs.csv"], key=lambda row: (row["entry"], row["line"])):
        legs[row["entry"]].append((row["source"], row["target"], row["amount"], row["rule"]))
    entries = bundle.tables["entries.csv"]
    return Audit(
        bundle=bundle,
        records=Records(bundle.tables),
        entries=entries,
        legs=legs,
        by_key={row["key"]: row for row in entries},
        earlier={row["key"] for row in bundle.tables["earlier.csv"]},
        kinds=Counter(row["kind"] for row in entries),
    )


# --- the books alone -----------------------------------------------------------------------------


def check_manifest(audit: Audit) -> Outcome:
    """Each file is the one that the manifest names, by its hash, its length and its number of rows."""
    findings = [
        Finding(
            "manifest",
            "file_differs",
            told.file,
            {"what": told.what, "stated": told.stated, "found": told.found},
        )
        for told in audit.bundle.differing
    ]
    return Outcome("manifest", len(audit.manifest["files"]), findings)


def check_chain(audit: Audit) -> Outcome:
    """Every entry follows the one before it, from the opening head to the closing head, and hashes to
    what it says."""
    manifest, findings = audit.manifest, []
    seq, previous = manifest["first_entry"] - 1, manifest["head_before"]
    if seq == 0:
        start = f"cbt-genesis/1\nbook:{manifest['book']}\nfounding:{manifest['founding']}\n"
        if digest(start) != previous:
            findings.append(Finding("chain", "genesis_differs", "book", {}))
    for row in audit.entries:
        subject = f"entry:{row['seq']}"
        if row["seq"] != seq + 1:
            values: dict[str, object] = {"expected": seq + 1}
            findings.append(Finding("chain", "chain_gap", subject, values))
        elif row["previous"] != previous:
            findings.append(Finding("chain", "chain_link", subject, {}))
        if digest(_canonical(manifest["book"], row, audit.legs[row["seq"]])) != row["hash"]:
            findings.append(Finding("chain", "entry_changed", subject, {"key": row["key"]}))
        seq, previous = row["seq"], row["hash"]
    if (seq, previous) != (manifest["last_entry"], manifest["head_after"]):
        values = {"stated": manifest["last_entry"], "found": seq}
        findings.append(Finding("chain", "head_differs", "book", values))
    return Outcome("chain", len(audit.entries), findings)


def _canonical(book: str, row: Row, legs: list[Leg]) -> str:
    """The text that an entry is hashed over: one field a line, one leg a line, the hash before it."""
    lines = ["cbt-entry/1", f"book:{book}", f"seq:{row['seq']}"]
    lines.append(f"recorded_at:{row['recorded_at']}")
    lines += [f"kind:{row['kind']}", f"subject:{row['subject']}"]
    lines += [f"effective_on:{row['effective_on']}", f"policy:{row['policy'] or ''}"]
    lines += [f"input:{row['input'] or ''}", f"reverses:{row['reverses']}"]
    lines += [f"key:{row['key']}", f"actor:{row['actor'] or ''}"]
    for number, (source, target, amount, rule) in enumerate(legs, start=1):
        lines.append(f"leg:{number} {source} {target} {amount} {rule}")
    lines.append(f"previous:{row['previous']}")
    return "".join(line + "\n" for line in lines)


def check_legs(audit: Audit) -> Outcome:
    """Each leg moves a positive amount between two accounts of the chart, and an entry's legs are whole."""
    accounts = {row["account"] for row in audit.tables["accounts.csv"]}
    findings = []
    seen = {row["seq"] for row in audit.entries}
    lines: dict[int, list[int]] = defaultdict(list)
    for row in audit.tables["legs.csv"]:
        subject = f"entry:{row['entry']}"
        lines[row["entry"]].append(row["line"])
        if row["amount"] <= 0 or row["source"] == row["target"]:
            findings.append(Finding("legs", "leg_invalid", subject, {"line": row["line"]}))
        for account in {row["source"], row["target"]} - accounts:
            findings.append(Finding("legs", "account_unknown", subject, {"account": account}))
        if row["entry"] not in seen:
            findings.append(Finding("legs", "leg_stray", subject, {"line": row["line"]}))
    for row in audit.entries:
        own = audit.legs[row["seq"]]
        total = sum(amount for _source, _target, amount, _rule in own)
        if (row["amount"], row["legs"]) != (total, len(own)):
            values = {"stated": row["amount"], "found": total}
            findings.append(Finding("legs", "total_differs", f"entry:{row['seq']}", values))
        if sorted(lines[row["seq"]]) != list(range(1, len(own) + 1)):
            findings.append(Finding("legs", "leg_numbers", f"entry:{row['seq']}", {}))
    return Outcome("legs", len(audit.tables["legs.csv"]), findings)


def check_balances(audit: Audit) -> Outcome:
    """What accounts held, and what moved, is what they hold; what must not is never below zero."""
    rows = {row["account"]: row for row in audit.tables["accounts.csv"]}
    findings = list(_unlike_chart(audit, rows))
    held, below = _run_through(audit, rows)
    for code, row in rows.items():
        subject = f"account:{code}"
        if held[code] != row["closing"]:
            values: dict[str, object] = {"stated": row["closing"], "found": held[code]}
            findings.append(Finding("balances", "balance_differs", subject, values))
        if code in below and not row["may_go_negative"]:
            findings.append(Finding("balances", "below_zero", subject, {"entry": below[code]}))
    return Outcome("balances", len(rows), findings)


def _unlike_chart(audit: Audit, rows: dict[str, Row]) -> Iterator[Finding]:
    """Accounts that stand there twice, may go where they must not, or do not even out."""
    if len(rows) != len(audit.tables["accounts.csv"]):
        yield Finding("balances", "account_twice", "book", {})
    for what in ("opening", "closing"):
        left_over = sum(_sign(row) * row[what] for row in rows.values())
        if left_over:
            yield Finding("balances", "not_even", "book", {"found": left_over})
    for code, row in rows.items():
        if row["may_go_negative"] and not code.startswith(_MAY_GO_BELOW):
            yield Finding("balances", "may_not", f"account:{code}", {})


def _sign(account: Row) -> int:
    """Money owed grows by coming in, money owned by going out."""
    return 1 if account["side"] == "credit" else -1


def _run_through(audit: Audit, rows: dict[str, Row]) -> tuple[dict[str, int], dict[str, int]]:
    """(what accounts hold after the last entry, {account: the entry after which it was below zero})."""
    held = {code: int(row["opening"]) for code, row in rows.items()}
    below = {code: 0 for code in rows if held[code] < 0}
    for entry in audit.entries:
        moved: Counter[str] = Counter()
        for source, target, amount, _rule in audit.legs[entry["seq"]]:
            moved[source] -= amount
            moved[target] += amount
        for code, amount in moved.items():
            if code in rows:
                held[code] += _sign(rows[code]) * amount
                if held[code] < 0:
                    below.setdefault(code, entry["seq"])
    return held, below


# --- what was agreed -----------------------------------------------------------------------------


def check_policies(audit: Audit) -> Outcome:
    """Each policy's text is what was adopted, by more votes than not, and each booking was sold under
    the one in force that day: none was adopted after its sale."""
    findings = []
    policies = audit.tables["policies.jsonl"]
    for row in policies:
        subject = f"policy:{row['number']}"
        if digest(row["text"]) != row["sha256"]:
            findings.append(Finding("policies", "policy_changed", subject, {}))
        elif audit.records.policies.get(row["sha256"]) is None:
            findings.append(Finding("policies", "unreadable", subject, {}))
        if row["proposal"] is not None and row["proposal"] != row["sha256"]:
            findings.append(Finding("policies", "proposal_differs", subject, {}))
        if row["effective_from"] < row["adopted_on"]:
            findings.append(Finding("policies", "before_adoption", subject, {}))
        if not 0 < row["present"] < 2 * row["voted_for"] or row["voted_for"] > row["present"]:
            findings.append(
                Finding(
                    "policies",
                    "no_majority",
                    subject,
                    {"for": row["voted_for"], "present": row["present"]},
                )
            )
        elif row["quorum_bp"] and row["present"] * 10_000 < row["quorum_bp"] * row["households"]:
            findings.append(Finding("policies", "no_quorum", subject, {"present": row["present"]}))
    for row in audit.tables["bookings.csv"]:
        known = [
            each
            for each in policies
            if each["recorded_at"] <= row["sold_at"] and each["effective_from"] <= row["sold_on"]
        ]
        known.sort(key=lambda each: (each["effective_from"], each["number"]))
        if not known or known[-1]["sha256"] != row["policy"]:
            subject = f"booking:{row['booking']}"
            findings.append(
                Finding("policies", "not_in_force", subject, {"policy": row["policy"][:12]})
            )
    return Outcome("policies", len(policies) + len(audit.tables["bookings.csv"]), findings)


def check_prices(audit: Audit) -> Outcome:
    """Each booking's price is the sum of what its party pays, less its discount."""
    sums: dict[str, int] = defaultdict(int)
    for row in audit.tables["prices.csv"]:
        sums[row["booking"]] += row["quantity"] * row["price"]
    bookings = audit.tables["bookings.csv"]
    findings = [
        Finding(
            "prices",
            "price_differs",
            f"booking:{row['booking']}",
            {"stated": row["price"], "found": sums[row["booking"]] - row["discount"]},
        )
        for row in bookings
        if row["price"] + row["discount"] != sums[row["booking"]]
    ]
    none = not bookings and not audit.kinds["capture"]
    return Outcome("prices", len(bookings), findings, none)


def check_work(audit: Audit) -> Outcome:
    """Who worked was a household of the register that day; nobody gave away more shares than they held."""
    findings = [*_strangers(audit), *_odd_shares(audit)]
    tables = ("work.csv", "preparation.csv", "shares.csv")
    looked_at = sum(len(audit.tables[table]) for table in tables)
    return Outcome("work", looked_at, findings, not audit.kinds["sharing_out"])


def _strangers(audit: Audit) -> Iterator[Finding]:
    homes = {row["household"]: row for row in audit.tables["households.csv"]}
    for row in (*audit.tables["work.csv"], *audit.tables["preparation.csv"]):
        trip, home = audit.records.departure.get(row["departure"]), homes.get(row["household"])
        day = trip["service_on"] if trip else ""
        is_member = home is not None and home["active_from"] <= day
        if not is_member or (home and home["active_until"] and day >= home["active_until"]):
            subject = f"departure:{row['departure']}"
            yield Finding("work", "stranger", subject, {"household": row["household"]})


def _odd_shares(audit: Audit) -> Iterator[Finding]:
    """Shares between nobody and somebody who cannot be, and more passed on than were held."""
    confirmed: dict[int, list[Row]] = defaultdict(list)
    for row in audit.tables["shares.csv"]:
        subject = f"asset:{row['asset']}"
        is_new, is_gone = row["kind"] == "issue", row["kind"] == "redeem"
        if (is_new, is_gone) != (not row["source"], not row["target"]):
            yield Finding("work", "shares_odd", subject, {})
        if row["decision"] == "confirmed":
            confirmed[row["asset"]].append(row)
    for asset, rows in confirmed.items():
        held: Counter[str] = Counter()
        for day in sorted({row["effective_on"] for row in rows}):
            for row in rows:
                if row["effective_on"] == day:
                    held[row["source"] or ""] -= row["shares"]
                    held[row["target"] or ""] += row["shares"]
            if any(number < 0 for code, number in held.items() if code):
                yield Finding("work", "shares_below_zero", f"asset:{asset}", {"day": day})


# --- recomputing ---------------------------------------------------------------------------------


def _compare(audit: Audit, check: str, expected: Iterable[Expected]) -> tuple[int, list[Finding]]:
    """(entries that facts call for, what is unlike them in the books)."""
    findings: list[Finding] = []
    count = 0
    for each in expected:
        audit.called_for.add(each.key)
        if not audit.is_within(each.key):
            continue
        count += 1
        findings += _unlike(audit, check, each)
    return count, findings


def _unlike(audit: Audit, check: str, each: Expected) -> Iterator[Finding]:
    row = audit.by_key.get(each.key)
    if row is None:
        yield Finding(check, "entry_missing", each.subject, {"key": each.key})
        return
    legs = audit.legs[row["seq"]]
    if legs != each.legs:
        differing = _differing(legs, each.legs)
        for account, (stated, found) in differing.items():
            values: dict[str, object] = {"account": account, "stated": stated, "found": found}
            yield Finding(check, "amount_differs", each.subject, values)
        if not differing:
            yield Finding(check, "legs_differ", each.subject, {"entry": row["seq"]})
    if (row["policy"] or "") != each.policy:
        yield Finding(check, "policy_differs", each.subject, {"entry": row["seq"]})
    elif legs == each.legs and (row["input"] or "") != each.input:
        yield Finding(check, "facts_unfit", each.subject, {"entry": row["seq"]})
    about = (row["kind"], row["subject"], row["effective_on"], row["reverses"])
    if about != (each.kind, each.subject, each.on, 0):
        yield Finding(check, "about_differs", each.subject, {"entry": row["seq"]})


def _differing(stated: list[Leg], found: list[Leg]) -> dict[str, tuple[int, int]]:
    """By account, what flowed into it by the books and by the facts, where that is not the same."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for place, legs in enumerate((stated, found)):
        for source, target, amount, _rule in legs:
            sums[target][place] += amount
            sums[source][place] -= amount
    return {code: (one, two) for code, (one, two) in sums.items() if one != two}


def check_money(audit: Audit) -> Outcome:
    """Each payment, fee, refund, dispute, credit and movement of cash is in the books as recorded."""
    count, findings = _compare(audit, "money", books.money_entries(audit.records))
    return Outcome("money", count, findings, not any(audit.kinds[kind] for kind in MONEY))


def check_deposits(audit: Audit) -> Outcome:
    """Per booking: captured and credited = refunded, lost and credited away + still on deposit + split."""
    opening: dict[str, int] = defaultdict(int)
    closing: dict[str, int] = defaultdict(int)
    splits, _findings = _splits(audit)
    for each in (*books.money_entries(audit.records), *splits):
        moved = _of_deposit(each.legs)
        closing[each.subject] += moved
        if not audit.is_within(each.key):
            opening[each.subject] += moved
    stated = {f"booking:{row['booking']}": row["opening"] for row in audit.tables["deposits.csv"]}
    held = defaultdict(int, stated)
    for row in audit.entries:
        held[row["subject"]] += _of_deposit(audit.legs[row["seq"]])
    findings = _unlike_deposits("opening", stated, opening)
    findings += _unlike_deposits("closing", held, closing)
    account = "account:guest_deposit"
    openings = {f"account:{row['account']}": row["opening"] for row in audit.tables["accounts.csv"]}
    whole = {account: openings.get(account, 0)}
    findings += _unlike_deposits("opening", whole, {account: sum(stated.values())})
    bookings = audit.tables["bookings.csv"]
    return Outcome("deposits", len(bookings), findings, not audit.kinds["capture"])


def _unlike_deposits(what: str, stated: dict[str, int], computed: dict[str, int]) -> list[Finding]:
    return [
        Finding(
            "deposits",
            "deposit_differs",
            subject,
            {"what": what, "stated": stated.get(subject, 0), "found": computed.get(subject, 0)},
        )
        for subject in sorted({*stated, *computed})
        if stated.get(subject, 0) != computed.get(subject, 0)
    ]


def _of_deposit(legs: list[Leg]) -> int:
    came = sum(amount for _source, target, amount, _rule in legs if target == "guest_deposit")
    return came - sum(amount for source, _t, amount, _rule in legs if source == "guest_deposit")


def _settled(audit: Audit) -> list[Row]:
    rows = [row for row in audit.tables["departures.csv"] if row["settlement"] is not None]
    return sorted(rows, key=lambda row: int(row["settlement"]))


def _computed(
    check: str, subject: str, compute: Callable[[], list[Expected]], findings: list[Finding]
) -> list[Expected]:
    """What facts call for; where they allow no result, that is the finding."""
    try:
        return compute()
    except (CannotCompute, KeyError, TypeError) as error:
        findings.append(Finding(check, "cannot", subject, {"why": str(error)}))
        return []


def _splits(audit: Audit) -> tuple[list[Expected], list[Finding]]:
    findings: list[Finding] = []
    found = []
    for row in _settled(audit):
        number = row["departure"]

        def compute(number: int = number) -> list[Expected]:
            return [books.split_entry(each) for each in audit.records.bookings_of(number)]

        found += _computed("splits", f"departure:{number}", compute, findings)
    return found, findings


def check_splits(audit: Audit) -> Outcome:
    """Each settled booking's split is what the rule gives for its facts, part by part."""
    expected, findings = _splits(audit)
    count, unlike = _compare(audit, "splits", expected)
    return Outcome("splits", count, findings + unlike, not audit.kinds["split"])


def check_sharing(audit: Audit) -> Outcome:
    """Each departure's sharing-out is what the rule gives for its pools and for who worked and owned."""
    findings: list[Finding] = []
    expected = []
    for row in _settled(audit):
        number = row["departure"]

        def compute(number: int = number) -> list[Expected]:
            bookings = audit.records.bookings_of(number)
            return [books.sharing_entry(audit.records.sharing_of(number, bookings))]

        expected += _computed("sharing", f"departure:{number}", compute, findings)
    count, unlike = _compare(audit, "sharing", expected)
    return Outcome("sharing", count, findings + unlike, not audit.kinds["sharing_out"])


def check_losses(audit: Audit) -> Outcome:
    """Each loss after the sharing-out is borne as the rule says; debts and corrections as recorded."""
    findings: list[Finding] = []
    expected: list[Expected] = []
    for booking, rows in audit.records.take_backs.items():
        numbers = [row["number"] for row in rows]
        if numbers != list(range(1, len(numbers) + 1)):
            findings.append(Finding("losses", "number_gap", f"booking:{booking}", {}))

        def compute(booking: str = booking) -> list[Expected]:
            return [books.loss_entry(each) for each in audit.records.losses_of(booking)]

        expected += _computed("losses", f"booking:{booking}", compute, findings)
    expected += [books.recovery_entry(row) for row in audit.tables["recoveries.csv"]]
    expected += [books.correction_entry(row) for row in audit.tables["corrections.csv"]]
    count, unlike = _compare(audit, "losses", expected)
    none = not any(audit.kinds[kind] for kind in LOSSES)
    return Outcome("losses", count, findings + unlike, none)


def check_payouts(audit: Audit) -> Outcome:
    """Each step of a payout is in the books, in a lawful order, and never more than was payable."""
    findings: list[Finding] = []
    lines = {row["payout"]: row for row in audit.tables["payouts.csv"]}
    steps: dict[int, list[Row]] = defaultdict(list)
    expected: list[Expected] = []
    for row in audit.tables["payout_steps.csv"]:
        subject = f"payout:{row['payout']}"
        line = lines.get(row["payout"])
        if line is None:
            findings.append(Finding("payouts", "payout_unknown", subject, {}))
            continue
        steps[row["payout"]].append(row)

        def compute(row: Row = row, line: Row = line) -> list[Expected]:
            return [books.payout_entry(row, line["household"])]

        expected += _computed("payouts", subject, compute, findings)
    for number, own in steps.items():
        amounts = {row["amount"] for row in own}
        if {row["step"] for row in own} not in _STEPS or amounts != {lines[number]["amount"]}:
            findings.append(Finding("payouts", "payout_steps", f"payout:{number}", {}))
    count, unlike = _compare(audit, "payouts", expected)
    findings += unlike
    findings += _beyond_payable(audit)
    return Outcome("payouts", count, findings, not any(audit.kinds[kind] for kind in PAYOUTS))


def _beyond_payable(audit: Audit) -> Iterator[Finding]:
    """Payouts ordered when less was owed to the household."""
    held = {row["account"]: row["opening"] for row in audit.tables["accounts.csv"]}
    for row in audit.entries:
        for source, target, amount, _rule in audit.legs[row["seq"]]:
            owed = held.get(source, 0)
            if row["kind"] == "payout_ordered" and amount > owed:
                values: dict[str, object] = {"stated": amount, "found": owed}
                yield Finding("payouts", "beyond_payable", row["subject"], values)
            held[source] = held.get(source, 0) - amount
            held[target] = held.get(target, 0) + amount


def check_funds(audit: Audit) -> Outcome:
    """Money into and out of the funds is as recorded, two others stood for what went out, and no fund
    was ever below zero."""
    findings: list[Finding] = []
    expected: list[Expected] = []
    people: dict[tuple[str, int, bool], set[int]] = defaultdict(set)
    for row in audit.tables["fund_approvals.csv"]:
        people[row["what"], row["number"], row["waives"]].add(row["person"])
    asked = {
        (row["what"], row["number"]): row["requested_by"]
        for row in audit.tables["fund_requests.csv"]
    }
    for row in audit.tables["fund_events.csv"]:
        subject = f"fund:{row['fund']}"

        def compute(row: Row = row) -> list[Expected]:
            return [books.fund_entry(row)]

        expected += _computed("funds", subject, compute, findings)
        about = {"claim_paid": ("claim", False), "loan_paid": ("loan", False)}
        about["loan_waived"] = ("loan", True)
        if row["event"] in about:
            what, waives = about[row["event"]]
            others = people[what, row["number"], waives] - {asked.get((what, row["number"]))}
            if (what, row["number"]) not in asked or len(others) < 2:
                findings.append(Finding("funds", "approvals", f"{what}:{row['number']}", {}))
    count, unlike = _compare(audit, "funds", expected)
    funds, below = _funds_below_zero(audit)
    return Outcome("funds", count + funds, findings + unlike + below)


def _funds_below_zero(audit: Audit) -> tuple[int, list[Finding]]:
    held = {
        row["account"]: row["opening"]
        for row in audit.tables["accounts.csv"]
        if row["account"].startswith("fund:")
    }
    findings = []
    for row in audit.entries:
        for source, target, amount, _rule in audit.legs[row["seq"]]:
            if source in held:
                held[source] -= amount
            if target in held:
                held[target] += amount
        for code, amount in held.items():
            if amount < 0:
                values: dict[str, object] = {"entry": row["seq"], "found": amount}
                findings.append(Finding("funds", "below_zero", f"account:{code}", values))
                held[code] = 0
    return len(held), findings


def check_entries(audit: Audit) -> Outcome:
    """Every entry is one that some fact calls for, and stands there once. Runs after all that recompute."""
    findings = []
    times: Counter[str] = Counter()
    for row in audit.entries:
        times[row["key"]] += 1
        values: dict[str, object] = {"key": row["key"]}
        if row["key"] not in audit.called_for:
            findings.append(Finding("entries", "unexplained", f"entry:{row['seq']}", values))
        elif times[row["key"]] > 1:
            findings.append(Finding("entries", "doubled", f"entry:{row['seq']}", values))
    for row in audit.tables["earlier.csv"]:
        if row["entry"] >= audit.manifest["first_entry"] or row["key"] in audit.by_key:
            findings.append(Finding("entries", "not_earlier", f"entry:{row['entry']}", {}))
    return Outcome("entries", len(audit.entries), findings)


def check_numbers(audit: Audit) -> Outcome:
    """Receipts and settlements of these months are numbered without a gap."""
    receipts = [
        row["receipt"]
        for row in audit.tables["captures.csv"]
        if audit.is_within(f"capture:{row['provider']}:{row['payment']}")
    ]
    settlements = [
        row["settlement"]
        for row in _settled(audit)
        if audit.is_within(f"sharing_out:{row['departure']}")
    ]
    findings = []
    for what, numbers in (("receipt", receipts), ("settlement", settlements)):
        expected = range(min(numbers, default=1), max(numbers, default=0) + 1)
        findings += [
            Finding("numbers", "number_gap", f"{what}:{number}", {})
            for number in sorted(set(expected) - set(numbers))
        ]
        findings += [
            Finding("numbers", "number_twice", f"{what}:{number}", {})
            for number, count in Counter(numbers).items()
            if count > 1
        ]
    none = not audit.kinds["capture"] and not audit.kinds["sharing_out"]
    return Outcome("numbers", len(receipts) + len(settlements), findings, none)


def check_people(audit: Audit) -> Outcome:
    """Two different people stand wherever two must; who vouches for a month as mentor is a third."""
    pairs: list[tuple[str, Any, Any]] = []
    for table, name, one, two in (
        ("corrections.csv", "correction", "asked_by", "decided_by"),
        ("cash_counts.csv", "count", "counted_by", "agreed_by"),
        ("payouts.csv", "payout", "drafted_by", "decided_by"),
        ("shares.csv", "asset", "recorded_by", "decided_by"),
        ("uses.csv", "experience", "recorded_by", "decided_by"),
    ):
        pairs += [(f"{name}:{row[name]}", row[one], row[two]) for row in audit.tables[table]]
    for row in audit.tables["periods.jsonl"]:
        subject = f"period:{row['month']}"
        pairs.append((subject, row["prepared_by"], row["approved_by"]))
        for signed in audit.tables["signatures.jsonl"]:
            if signed["month"] == row["month"] and signed["role"] == "mentor":
                pairs.append((subject, signed["person"], row["prepared_by"]))
                pairs.append((subject, signed["person"], row["approved_by"]))
    findings = [
        Finding("people", "one_person", subject, {"person": one})
        for subject, one, two in pairs
        if one is not None and one == two
    ]
    return Outcome("people", len(pairs), findings, not audit.tables["periods.jsonl"])
