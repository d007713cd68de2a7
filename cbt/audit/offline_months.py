"""The checks of closed months: balances, records, statements, roots and signatures. Standard library alone.

The month before the bundle's first stands in it as well, as it was signed: from there come the openings.
"""

from __future__ import annotations

from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from datetime import date, timedelta
from hashlib import sha256

from cbt.audit.offline_books import Row, digest
from cbt.audit.offline_checks import Audit, Finding, Outcome
from cbt.audit.offline_sign import is_signed


def last_day(month: str) -> str:
    """The last day of a month, both as text."""
    first = date.fromisoformat(f"{month}-01")
    return ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).isoformat()


def next_month(month: str) -> str:
    return _day_after(last_day(month))[:7]


def _months(audit: Audit) -> list[Row]:
    return sorted(audit.tables["periods.jsonl"], key=lambda row: int(row["number"]))


def _is_anchor(audit: Audit, row: Row) -> bool:
    """Whether a closed month is the one before those of the bundle."""
    return bool(row["month"] < audit.manifest["from"][:7])


def entries_of(audit: Audit, row: Row, before: Row | None) -> list[Row]:
    """The entries that belong to a closed month: by its last day, by its last number, and not yet taken
    in by the month before it."""
    day = last_day(row["month"])
    return [
        each
        for each in audit.entries
        if each["effective_on"] <= day
        and each["seq"] <= row["closing_entry"]
        and not (
            before is not None
            and each["effective_on"] <= last_day(before["month"])
            and each["seq"] <= before["closing_entry"]
        )
    ]


def check_periods(audit: Audit) -> Outcome:
    """Each closed month's accounts are what its entries sum to and begin where the month before ended;
    its record and seal say so."""
    findings: list[Finding] = []
    sides = {row["account"]: row["side"] for row in audit.tables["accounts.csv"]}
    stated: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in audit.tables["balances.csv"]:
        stated[row["month"]][row["account"]] = row
    looked_at = 0
    before: Row | None = None
    heads = {row["seq"]: row["hash"] for row in audit.entries}
    heads[audit.manifest["first_entry"] - 1] = audit.manifest["head_before"]
    for row in _months(audit):
        subject, snapshot = f"period:{row['month']}", stated[row["month"]]
        if not _is_anchor(audit, row):
            held = (
                {code: each["closing"] for code, each in stated[before["month"]].items()}
                if before
                else {}
            )
            findings += _unlike_snapshot(audit, row, before, snapshot, held, sides)
            looked_at += len(snapshot)
            late = [
                each["seq"]
                for each in audit.entries
                if each["seq"] <= row["closing_entry"] and each["recorded_at"] > row["closed_at"]
            ]
            findings += [Finding("periods", "late", subject, {"entry": seq}) for seq in late[:1]]
        if before is not None and not _follows(before, row):
            findings.append(Finding("periods", "period_gap", subject, {}))
        findings += _unlike_record(audit, row, before, snapshot, heads)
        before = row
    closed = [row["month"] for row in _months(audit) if not _is_anchor(audit, row)]
    if closed != audit.manifest["months"]:
        findings.append(Finding("periods", "months_differ", "book", {}))
    findings += _openings(audit, stated)
    return Outcome("periods", looked_at, findings)


def _follows(before: Row, row: Row) -> bool:
    is_next = (
        last_day(before["month"]) < f"{row['month']}-01" <= _day_after(last_day(before["month"]))
    )
    return (
        is_next
        and row["number"] == before["number"] + 1
        and row["closing_entry"] >= before["closing_entry"]
    )


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _unlike_snapshot(
    audit: Audit,
    row: Row,
    before: Row | None,
    snapshot: dict[str, Row],
    held: dict[str, int],
    sides: dict[str, str],
) -> list[Finding]:
    moved: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for entry in entries_of(audit, row, before):
        for source, target, amount, _rule in audit.legs[entry["seq"]]:
            moved[source][0] += amount
            moved[target][1] += amount
    findings = []
    for code in sorted({*snapshot, *moved, *held}):
        debits, credits_ = moved[code]
        gained = credits_ - debits if sides.get(code) == "credit" else debits - credits_
        opening = held.get(code, 0)
        found = (opening, debits, credits_, opening + gained)
        shown = snapshot.get(code)
        names = ("opening", "debits", "credits", "closing")
        told = tuple(shown[name] for name in names) if shown else (0, 0, 0, 0)
        if told != found:
            values: dict[str, object] = {"account": code, "stated": told[3], "found": found[3]}
            findings.append(
                Finding("periods", "snapshot_differs", f"period:{row['month']}", values)
            )
    return findings


def _openings(audit: Audit, stated: dict[str, dict[str, Row]]) -> list[Finding]:
    """What accounts held before the first entry leads to what the month before was signed with."""
    anchors = [row for row in _months(audit) if _is_anchor(audit, row)]
    held = {row["account"]: row["opening"] for row in audit.tables["accounts.csv"]}
    signs = {
        row["account"]: 1 if row["side"] == "credit" else -1 for row in audit.tables["accounts.csv"]
    }
    expected: dict[str, int] = {}
    if anchors:
        expected = {code: each["closing"] for code, each in stated[anchors[-1]["month"]].items()}
        for entry in entries_of(audit, anchors[-1], None):
            for source, target, amount, _rule in audit.legs[entry["seq"]]:
                held[source] = held.get(source, 0) - signs.get(source, 1) * amount
                held[target] = held.get(target, 0) + signs.get(target, 1) * amount
    elif audit.manifest["first_entry"] > 1 and audit.manifest["months"]:
        return [Finding("periods", "no_anchor", "book", {})]
    elif audit.manifest["first_entry"] > 1:
        return []
    return [
        Finding(
            "periods",
            "opening_differs",
            f"account:{code}",
            {"stated": held.get(code, 0), "found": expected.get(code, 0)},
        )
        for code in sorted({*held, *expected})
        if held.get(code, 0) != expected.get(code, 0)
    ]


def _unlike_record(
    audit: Audit, row: Row, before: Row | None, snapshot: dict[str, Row], heads: dict[int, str]
) -> list[Finding]:
    """The record and the seal, written anew from everything beside them."""
    subject = f"period:{row['month']}"
    is_anchor = _is_anchor(audit, row)
    said = [line.partition(":") for line in row["record"].split("\n")]
    rules = [value for name, _colon, value in said if name == "rules"]
    root, count = _root(audit, row)
    if is_anchor:
        root = next((value for name, _c, value in said if name == "statements"), "")
        count = int(next((value for name, _c, value in said if name == "households"), "0") or 0)
    policies = {
        each
        for entry in entries_of(audit, row, before)
        for each in (entry["policy"] or "").split(",")
        if each
    }
    if is_anchor:
        policies = {value for name, _colon, value in said if name == "policy"}
    previous = digest(before["record"]) if before else "-"
    if before is None and row["number"] > 1:
        previous = next((value for name, _c, value in said if name == "previous"), "")
    lines = [
        "cbt-period/1",
        f"community:{audit.manifest['community']}",
        f"period:{row['month']}",
        f"number:{row['number']}",
        f"entries:{row['closing_entry']}",
        f"head:{heads.get(row['closing_entry'], '')}",
        f"previous:{previous}",
        *(f"policy:{each}" for each in sorted(policies)),
        *(f"fund:{_line(snapshot[code])}" for code in sorted(snapshot) if code.startswith("fund:")),
        f"balances:{digest(''.join(f'balance:{_line(snapshot[code])}' + chr(10) for code in sorted(snapshot)))}",
        f"statements:{root}",
        f"households:{count}",
        f"rules:{rules[0] if rules else ''}",
        f"prepared_by:person:{row['prepared_by']}",
        f"approved_by:person:{row['approved_by']}",
    ]
    findings = []
    if row["record"] != "".join(line + "\n" for line in lines):
        findings.append(
            Finding("periods", "record_differs", subject, _first_unlike(lines, row["record"]))
        )
    seal = ["cbt-seal/1", f"community:{audit.manifest['community']}", f"period:{row['month']}"]
    seal += [f"record:{digest(row['record'])}", f"statements:{root}", f"households:{count}"]
    if row["seal"] != "".join(line + "\n" for line in seal):
        findings.append(Finding("periods", "seal_differs", subject, {}))
    return findings


def _line(row: Row) -> str:
    return f"{row['account']} {row['opening']} {row['debits']} {row['credits']} {row['closing']}"


def _first_unlike(lines: list[str], record: str) -> dict[str, object]:
    for ours, theirs in zip(lines, record.split("\n")):  # noqa: B905  (older Pythons)
        if ours != theirs:
            return {"stated": theirs[:90], "found": ours[:90]}
    return {}


# --- statements ----------------------------------------------------------------------------------


def check_statements(audit: Audit) -> Outcome:
    """Each statement says what the books say of its household, and all of them are under the root."""
    findings: list[Finding] = []
    looked_at = 0
    before: Row | None = None
    for row in _months(audit):
        if not _is_anchor(audit, row):
            looked_at += sum(
                1 for each in audit.tables["statements.jsonl"] if each["month"] == row["month"]
            )
            findings += _unlike_statements(audit, row, before)
        before = row
    return Outcome("statements", looked_at, findings)


def _unlike_statements(audit: Audit, row: Row, before: Row | None) -> list[Finding]:
    findings = []
    month = row["month"]
    balances = {
        each["account"]: each for each in audit.tables["balances.csv"] if each["month"] == month
    }
    lines = _statement_lines(audit, row, before)
    told = set()
    for each in audit.tables["statements.jsonl"]:
        if each["month"] != month:
            continue
        code = each["household"]
        told.add(code)
        subject = f"statement:{month}/{code}"
        head, text = _statement(audit.manifest["community"], month, code, balances, lines[code])
        if each["text"] != text:
            findings.append(Finding("statements", "statement_differs", subject, {}))
        if each["leaf"] != _leaf(head):
            findings.append(Finding("statements", "leaf_differs", subject, {}))
    for code in sorted(set(lines) - told):
        if lines[code]:
            subject = f"statement:{month}/{code}"
            findings.append(Finding("statements", "statement_missing", subject, {}))
    root, _count = _root(audit, row)
    said = [line[11:] for line in row["seal"].split("\n") if line.startswith("statements:")]
    if said != [root]:
        findings.append(Finding("statements", "root_differs", f"period:{month}", {}))
    return findings


_Item = tuple[str, int, str]
"""What a line of a statement is, its satang, and the line itself."""


def _statement_lines(audit: Audit, row: Row, before: Row | None) -> dict[str, list[_Item]]:
    found: dict[str, list[_Item]] = defaultdict(list)
    for entry in entries_of(audit, row, before):
        day = entry["effective_on"]
        concerns = day[:7] if day[:7] < row["month"] else "-"
        for number, (source, target, amount, rule) in enumerate(audit.legs[entry["seq"]], start=1):
            for account, other, moved in ((target, source, amount), (source, target, -amount)):
                kind, _colon, code = account.partition(":")
                if kind == "household":
                    what = _what(other, moved)
                    line = f"line:{entry['seq']}.{number} {day} {concerns} {what} {moved}"
                    found[code].append((what, moved, f"{line} {entry['subject']} {rule}\n"))
    return found


def _what(other: str, amount: int) -> str:
    """What a leg between a household's account and another is to the household."""
    if other == "payout_transit" or other.startswith("payment:"):
        return "paid_out"
    if amount > 0:
        return "earned" if other.startswith("pool:") else "other"
    return "recovered"


def _statement(
    community: str, month: str, code: str, balances: dict[str, Row], items: list[_Item]
) -> tuple[str, str]:
    """(the head, the whole text) of a household's statement."""
    own, debt = balances.get(f"household:{code}"), balances.get(f"receivable:{code}")
    opening = own["opening"] if own else 0
    sums = {
        what: sum(amount for kind, amount, _line in items if kind == what)
        for what in ("earned", "recovered", "paid_out", "other")
    }
    lines = "".join(line for _kind, _amount, line in items)
    fields = {
        "community": community,
        "period": month,
        "household": code,
        "opening": opening,
        **sums,
        "closing": opening + sum(sums.values()),
        "owed": debt["closing"] if debt else 0,
        "lines": len(items),
        "digest": digest(lines),
    }
    head = "cbt-statement/1\n" + "".join(f"{name}:{value}\n" for name, value in fields.items())
    return head, head + lines


def _leaf(head: str) -> str:
    return sha256(b"\x00" + head.encode()).hexdigest()


def _root(audit: Audit, row: Row) -> tuple[str, int]:
    """(the root over a month's leaves in their order, how many they are)."""
    rows = [each for each in audit.tables["statements.jsonl"] if each["month"] == row["month"]]
    leaves = [
        bytes.fromhex(each["leaf"]) for each in sorted(rows, key=lambda each: int(each["place"]))
    ]
    return merkle_root(leaves).hex(), len(leaves)


def merkle_root(leaves: list[bytes]) -> bytes:
    """The tree of RFC 6962: a left part as large as a power of two can be, and the rest."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    return sha256(b"\x01" + merkle_root(leaves[:cut]) + merkle_root(leaves[cut:])).digest()


# --- signatures ----------------------------------------------------------------------------------


def _bytes(text: str) -> bytes:
    """What base64url text stands for; nothing where it is none, or is not spelled the one way."""
    try:
        value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    return value if urlsafe_b64encode(value).rstrip(b"=").decode() == text else b""


def _holds(text: str, signature: str, key: str) -> bool:
    return is_signed(text.encode(), _bytes(signature), _bytes(key))


def check_signatures(audit: Audit) -> Outcome:
    """The platform signed each closed month, every signature is its key's, and the platform took each
    key in."""
    findings = []
    keys = {row["key"]: row for row in audit.tables["keys.jsonl"]}
    platform = [row["key"] for row in audit.tables["keys.jsonl"] if row["role"] == "platform"]
    for row in audit.tables["keys.jsonl"]:
        if row["role"] == "platform":
            text, trusted = row["key"], [row["key"]]
        else:
            lines = ["cbt-key/1", f"community:{audit.manifest['community']}", f"role:{row['role']}"]
            lines += [f"person:{row['person'] or 0}", f"key:{row['key']}"]
            lines += [f"follows:{row['follows'] or '-'}", f"at:{row['recorded_at'][:19]}Z"]
            text, trusted = "".join(line + "\n" for line in lines), platform
        if not any(_holds(text, row["endorsement"], key) for key in trusted):
            findings.append(
                Finding("signatures", "key_not_endorsed", f"key:{key_id(row['key'])}", {})
            )
    signed = audit.tables["signatures.jsonl"]
    looked_at = 0
    for row in _months(audit):
        subject = f"period:{row['month']}"
        own = [each for each in signed if each["month"] == row["month"]]
        if "platform" not in {each["role"] for each in own}:
            findings.append(Finding("signatures", "signature_missing", subject, {}))
        for each in own:
            looked_at += 1
            key = keys.get(each["key"])
            of_role = (
                key is not None and key["role"] == each["role"] and key["person"] == each["person"]
            )
            if not of_role or not _holds(row["seal"], each["signature"], each["key"]):
                values: dict[str, object] = {"role": each["role"]}
                findings.append(Finding("signatures", "signature_invalid", subject, values))
    return Outcome("signatures", looked_at, findings)


def key_id(public: str) -> str:
    """A key's short name, as the page /th/verify shows it."""
    return sha256(_bytes(public)).hexdigest()[:12]


def short_code(record: str) -> str:
    """The code of a month on the notice board: the first 80 bits of its record's hash, in letters."""
    letters = b32encode(sha256(record.encode()).digest()[:10]).decode()
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))
