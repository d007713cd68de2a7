"""Verify an auditor's bundle without network, database or packages.

    python -m cbt.audit.offline BUNDLE.zip [--lang th] [--keys FILE] [--code CODE] [--open]
    python -I -S offline.py BUNDLE.zip          (the files offline*.py in any folder)

Prints a line for every check: its result, what it checked and how many; then what it found. Exit 0 only
where everything was checked and nothing found; 1 with findings; 2 for what is no bundle.

--keys FILE   the platform's public keys as /th/verify offers them: only these are trusted
--code CODE   the code of a month as it hangs on the notice board: it must be among the bundle's
--open        accept months that are not closed: arithmetic alone, signed by nobody

Needs Python 3.9 or newer and nothing else. It is written apart from the program that it checks, and shares
no rule with it; docs/bundle.md describes the format.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

if not __package__:  # run as a file: its sisters lie beside it, whatever the folder is called
    for _name in ("cbt", "cbt.audit"):
        sys.modules[_name] = types.ModuleType(_name)
        sys.modules[_name].__path__ = [str(Path(__file__).resolve().parent)]

from cbt.audit import offline_checks as checks
from cbt.audit import offline_months as months
from cbt.audit.offline_checks import Audit, Finding, Outcome, make_audit
from cbt.audit.offline_words import CHECKS, FAULTS, LANGUAGES, LINES, REFUSALS, say
from cbt.audit.offline_zip import Bundle, Refused, read

ALL = (
    checks.check_manifest,
    checks.check_chain,
    checks.check_legs,
    checks.check_balances,
    checks.check_policies,
    checks.check_prices,
    checks.check_work,
    checks.check_money,
    checks.check_deposits,
    checks.check_splits,
    checks.check_sharing,
    checks.check_losses,
    checks.check_payouts,
    checks.check_funds,
    checks.check_entries,
    checks.check_numbers,
    checks.check_people,
    months.check_periods,
    months.check_statements,
    months.check_signatures,
)
OF_CLOSED = ("periods", "statements", "signatures")
MOST_SHOWN = 20


def verify(bundle: Bundle) -> list[Outcome]:
    """Run every check, in their order; none stops another."""
    audit = make_audit(bundle)
    return [_run(check, audit) for check in ALL]


def _run(check: Callable[[Audit], Outcome], audit: Audit) -> Outcome:
    name = check.__name__.removeprefix("check_")
    try:
        return check(audit)
    except (
        Exception
    ) as error:  # facts so damaged that the check cannot be made are a finding as well
        why = f"{type(error).__name__}: {error}"
        return Outcome(name, 0, [Finding(name, "broke", "book", {"why": why})])


def check_trust(bundle: Bundle, keys: Sequence[str], code: str) -> list[Finding]:
    """What of the bundle is not by a key, or not under a code, that the auditor brought."""
    findings = []
    trusted = {
        words[2]
        for words in (line.split() for line in keys)
        if words[:1] == ["platform"] and len(words) == 3
    }
    if keys:
        findings = [
            Finding("signatures", "key_unknown", f"period:{row['month']}", {})
            for row in bundle.tables["signatures.jsonl"]
            if row["role"] == "platform" and row["key"] not in trusted
        ]
    codes = {months.short_code(row["record"]) for row in bundle.tables["periods.jsonl"]}
    if code and code.strip().upper() not in codes:
        findings.append(Finding("signatures", "code_unknown", "book", {"code": code}))
    return findings


def open_months(bundle: Bundle) -> list[str]:
    """The months of a bundle that nobody has closed: no statement and no signature stands behind them."""
    found: list[str] = []
    month = bundle.manifest["from"][:7]
    closed = {row["month"] for row in bundle.tables["periods.jsonl"]}
    while month <= bundle.manifest["to"][:7] and len(found) < 1000:
        if month not in closed:
            found.append(month)
        month = months.next_month(month)
    return found


# --- saying it -----------------------------------------------------------------------------------


def tell(
    bundle: Bundle, outcomes: Sequence[Outcome], language: str, *, may_be_open: bool
) -> list[str]:
    """The lines that are printed."""
    told = [
        say(LINES, "bundle", language, **bundle.manifest),
        say(LINES, "identity", language, identity=bundle.identity),
    ]
    keys = {
        row["month"]: months.key_id(row["key"])
        for row in bundle.tables["signatures.jsonl"]
        if row["role"] == "platform"
    }
    told += [
        say(
            LINES,
            "board",
            language,
            month=row["month"],
            code=months.short_code(row["record"]),
            key=keys.get(row["month"], "-"),
        )
        for row in bundle.tables["periods.jsonl"]
    ]
    told += [say(LINES, "not_closed", language, month=month) for month in open_months(bundle)]
    for outcome in outcomes:
        result = say(LINES, _result(outcome, may_be_open=may_be_open), language)
        words = say(CHECKS, outcome.check, language)
        told.append(f"{result:8} {outcome.check:10} {outcome.looked_at:7}  {words}")
        for finding in outcome.findings[:MOST_SHOWN]:
            words = say(FAULTS, finding.fault, language, **finding.values)
            told.append(f"    {finding.subject}: {words} [{finding.fault}]")
        if len(outcome.findings) > MOST_SHOWN:
            count = len(outcome.findings) - MOST_SHOWN
            told.append("    " + say(LINES, "more", language, count=count))
        if _result(outcome, may_be_open=may_be_open) == "nothing":
            told.append("    " + say(LINES, "nothing_checked", language))
    return told


def _result(outcome: Outcome, *, may_be_open: bool) -> str:
    if outcome.findings:
        return "fail"
    if outcome.looked_at:
        return "ok"
    if outcome.may_be_none:
        return "none"
    return "open" if may_be_open and outcome.check in OF_CLOSED else "nothing"


def is_clean(outcomes: Sequence[Outcome], *, may_be_open: bool = False) -> bool:
    """Whether everything was looked at and nothing found."""
    return all(
        _result(each, may_be_open=may_be_open) not in ("fail", "nothing") for each in outcomes
    )


def main(arguments: Sequence[str]) -> int:
    given = list(arguments)
    may_be_open = "--open" in given
    if may_be_open:
        given.remove("--open")
    options = {"--lang": "en", "--keys": "", "--code": ""}
    for name in options:
        if name in given[:-1]:
            at = given.index(name)
            options[name] = given[at + 1]
            del given[at : at + 2]
    language = options["--lang"]
    if len(given) != 1 or given[0].startswith("--") or language not in LANGUAGES:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        keys = Path(options["--keys"]).read_text("utf-8").splitlines() if options["--keys"] else []
        bundle = read(given[0])
    except Refused as refused:
        reason = say(REFUSALS, refused.why, language, **refused.values)
        _print([say(LINES, "refused", language, reason=reason)])
        return 2
    except (OSError, UnicodeDecodeError):
        reason = say(REFUSALS, "missing", language, file=options["--keys"])
        _print([say(LINES, "refused", language, reason=reason)])
        return 2
    outcomes = verify(bundle)
    outcomes[-1].findings.extend(check_trust(bundle, keys, options["--code"]))
    if not may_be_open:
        unsigned = [
            Finding("signatures", "not_closed", f"period:{month}", {})
            for month in open_months(bundle)
        ]
        outcomes[-1].findings.extend(unsigned)
    clean = is_clean(outcomes, may_be_open=may_be_open)
    count = sum(len(outcome.findings) for outcome in outcomes)
    end = say(LINES, "well", language) if clean else say(LINES, "ill", language, count=count)
    _print([*tell(bundle, outcomes, language, may_be_open=may_be_open), end])
    return 0 if clean else 1


def _print(lines: Sequence[str]) -> None:
    """UTF-8 whatever the terminal is set to: Thai must arrive."""
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode("utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
