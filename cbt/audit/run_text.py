"""An audit run as it is recorded: one canonical text and its digest, and what changed between two. Pure.

    cbt-audit-run/1
    community:buna-dara
    month:2026-10           the closed month that it was made for, or -
    at:2026-11-24T19:00:03Z
    by:7                    a person's number, or - for the worker
    entries:312             the last entry of the books that it looked at
    head:<64 hex digits>
    check:{...}             one line of JSON a check: its name, what it looked at, at least how many
    drift:{...}             what it measured, one a household, behind its check
    finding:{...}           one a finding, behind its check
    risk:{...}              one a number to look at first, of `risks_of`
    risks_of:2026-10        the month that those are of, or -

JSON has its keys sorted and no spaces, so the same run always reads the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any

from cbt.audit.drift import Drift
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.audit.risks import Risk, RiskCode
from cbt.revenue.policy_rules import Verdict

FORM = "cbt-audit-run/1"
_AT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of every check over one community said.

    `least` is how many things a check must have looked at, counted apart from it: one that looked at
    fewer is blind, and a blind check has failed. So has a run that looked at nothing at all.
    """

    community: str
    month: date | None
    at: datetime
    by: int | None
    entries: int
    head: str
    outcomes: tuple[Outcome, ...]
    least: Mapping[Check, int]
    risks: tuple[Risk, ...]
    risks_of: date | None

    @property
    def faults(self) -> int:
        return sum(len(outcome.findings) for outcome in self.outcomes)

    @property
    def looked_at(self) -> int:
        return sum(outcome.looked_at for outcome in self.outcomes)

    @property
    def blind(self) -> tuple[Check, ...]:
        """The checks that saw less than there is; every one where nothing was seen."""
        return tuple(
            outcome.check
            for outcome in self.outcomes
            if not self.looked_at or outcome.looked_at < self.least.get(outcome.check, 0)
        )

    @property
    def is_clean(self) -> bool:
        """Nothing found, and everything seen that was there to be seen."""
        return bool(self.outcomes) and not self.faults and not self.blind

    @property
    def findings(self) -> tuple[tuple[Check, Finding], ...]:
        """Every finding with its check, in the order in which they are written down."""
        return tuple((each.check, found) for each in self.outcomes for found in each.findings)


@dataclass(frozen=True)
class Changes:
    """What a run says that the one before it did not, and the reverse."""

    entries: int
    found: tuple[tuple[Check, Finding], ...]
    gone: tuple[tuple[Check, Finding], ...]


def digest(text: str) -> str:
    """SHA-256 as 64 hex digits."""
    return sha256(text.encode()).hexdigest()


def write(run: Run) -> str:
    """The canonical text of a run."""
    lines = [
        FORM,
        f"community:{run.community}",
        f"month:{_month(run.month)}",
        f"at:{run.at.astimezone(UTC).strftime(_AT)}",
        f"by:{'-' if run.by is None else run.by}",
        f"entries:{run.entries}",
        f"head:{run.head}",
    ]
    for outcome in run.outcomes:
        least = run.least.get(outcome.check, 0)
        lines.append(
            "check:"
            + _json({"check": outcome.check, "least": least, "looked_at": outcome.looked_at})
        )
        lines += [f"drift:{_json(_drift(each))}" for each in outcome.drifts]
        lines += [f"finding:{_json(plain(found))}" for found in outcome.findings]
    lines += [
        f"risk:{_json({'risk': each.code, 'values': dict(each.values), 'verdict': each.verdict})}"
        for each in run.risks
    ]
    lines.append(f"risks_of:{_month(run.risks_of)}")
    return "".join(line + "\n" for line in lines)


def read(text: str) -> Run:
    """A run from its text. Raises ValueError for a text that is none."""
    lines = text.removesuffix("\n").split("\n")
    if lines[0] != FORM:
        raise ValueError("not a recorded run")
    head: dict[str, str] = {}
    outcomes: list[Outcome] = []
    least: dict[Check, int] = {}
    risks: list[Risk] = []
    for line in lines[1:]:
        word, _colon, rest = line.partition(":")
        if word == "check":
            told = json.loads(rest)
            check = Check(told["check"])
            outcomes.append(Outcome(check, told["looked_at"], ()))
            least[check] = told["least"]
        elif word == "drift":
            last = outcomes.pop()
            outcomes.append(replace(last, drifts=(*last.drifts, _read_drift(json.loads(rest)))))
        elif word == "finding":
            last = outcomes.pop()
            found = read_finding(json.loads(rest))
            outcomes.append(replace(last, findings=(*last.findings, found)))
        elif word == "risk":
            told = json.loads(rest)
            risks.append(Risk(RiskCode(told["risk"]), Verdict(told["verdict"]), told["values"]))
        else:
            head[word] = rest
    try:
        return Run(
            community=head["community"],
            month=_read_month(head["month"]),
            at=datetime.strptime(head["at"], _AT).replace(tzinfo=UTC),
            by=None if head["by"] == "-" else int(head["by"]),
            entries=int(head["entries"]),
            head=head["head"],
            outcomes=tuple(outcomes),
            least=least,
            risks=tuple(risks),
            risks_of=_read_month(head["risks_of"]),
        )
    except KeyError as missing:
        raise ValueError(f"without {missing}") from None


def unreadable(at: datetime) -> Run:
    """What stands for a run whose text cannot be read any more: it shows nothing, so it is not clean."""
    return Run(
        community="",
        month=None,
        at=at,
        by=None,
        entries=0,
        head="",
        outcomes=(),
        least={},
        risks=(),
        risks_of=None,
    )


def changes(before: Run, after: Run) -> Changes:
    """What is new and what is gone since the run before, finding by finding."""
    old, new = _by_text(before.findings), _by_text(after.findings)
    return Changes(
        after.entries - before.entries,
        tuple(found for text, found in new.items() if text not in old),
        tuple(found for text, found in old.items() if text not in new),
    )


def _by_text(
    findings: Sequence[tuple[Check, Finding]],
) -> dict[tuple[Check, str], tuple[Check, Finding]]:
    return {(check, _json(plain(found))): (check, found) for check, found in findings}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(found: Finding) -> dict[str, object]:
    """A finding as plain values that JSON can hold; `read_finding` makes it one again."""
    values = {name: _value(value) for name, value in found.values.items()}
    return {"fault": found.fault, "subject": found.subject, "values": values}


def _value(value: object) -> object:
    """Days are written so that they are read as days again; numbers stay numbers."""
    if isinstance(value, date):
        return {"day": value.isoformat()}
    return value if isinstance(value, int) else str(value)


def read_finding(told: Mapping[str, Any]) -> Finding:
    """A finding of its plain values. Raises KeyError or ValueError for what is none."""
    values = {
        name: date.fromisoformat(value["day"]) if isinstance(value, dict) else value
        for name, value in told["values"].items()
    }
    return Finding(Fault(told["fault"]), told["subject"], values)


def _drift(each: Drift) -> dict[str, object]:
    """A fraction is written as one: a decimal would not be what was measured."""
    return {
        "booked_satang": each.booked_satang,
        "exact": f"{each.exact.numerator}/{each.exact.denominator}",
        "household": each.household,
    }


def _read_drift(told: Mapping[str, Any]) -> Drift:
    return Drift(told["household"], Fraction(told["exact"]), told["booked_satang"])


def _month(month: date | None) -> str:
    return f"{month:%Y-%m}" if month else "-"


def _read_month(text: str) -> date | None:
    return None if text == "-" else date.fromisoformat(f"{text}-01")
