"""The rules POL-01 to POL-09: what a machine can say of a split policy. Pure.

An error keeps a policy from being adopted. A warning passes with a written explanation, which is kept
with the adoption. Advice is shown. Where the data is not there the answer is NO_DATA, never a pass.
Thresholds are planning values unless docs/algorithms/policy.md names a source.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cbt.errors import PolicyInvalid, ResolutionInvalid
from cbt.money import BP_WHOLE
from cbt.revenue.adoption import LONGEST_TEXT, ResolutionProblem, UsesNature
from cbt.revenue.policy import COMMON, Bucket, Policy, find_problems, is_plain
from cbt.revenue.split import split


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  (the word, not a password)
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    NO_DATA = "no_data"


class PolicyRule(StrEnum):
    """The rules by their numbers, and by a word what only the text of a policy can break."""

    POL_01 = "POL-01"
    POL_02 = "POL-02"
    POL_03 = "POL-03"
    POL_04 = "POL-04"
    POL_05 = "POL-05"
    POL_06 = "POL-06"
    POL_07 = "POL-07"
    POL_08 = "POL-08"
    POL_09 = "POL-09"
    NAME = "NAME"
    RATES = "RATES"
    FIXED = "FIXED"
    LIMITS = "LIMITS"
    SURPLUS = "SURPLUS"
    DIVIDEND = "DIVIDEND"


ALIGNED: Mapping[PolicyRule, str] = {
    PolicyRule.POL_01: "CBT-TH 1.8, 2.1; ASEAN 2.2",
    PolicyRule.POL_02: "GSTC-D B1, B3; GSTC-I B4; CBT-TH 2.1; ASEAN 2.2",
    PolicyRule.POL_03: "GSTC-D B4; GSTC-I B1; CBT-TH 2.1, 2.2; ASEAN 2.2",
    PolicyRule.POL_04: "CBT-TH 2.1; ASEAN 2.2",
    PolicyRule.POL_05: "GSTC-D B4, D1-D3; CBT-TH 4.4; ASEAN 3",
    PolicyRule.POL_06: "CBT-TH 1.8, 2.1; ASEAN 1.3",
    PolicyRule.POL_07: "GSTC-D B3; GSTC-I B3; CBT-TH 1.6; ASEAN 8",
    PolicyRule.POL_08: "GSTC-D A5; CBT-TH 1.2, 1.5, 2.1; ASEAN 1.1, 2.2",
    PolicyRule.POL_09: "GSTC-D A2, A3; CBT-TH 1.1, 1.2; ASEAN 1.3",
}
"""What each rule is aligned to: criteria by standard and number, the same in every language."""


@dataclass(frozen=True)
class Situation:
    """What the rules need to know beside the text.

    `smallest_satang` is the least that a party can pay here, None while nothing is listed;
    `agreement` says where the written agreement with the intermediary is kept; `adopted_on` is the
    last adoption of a policy that stands, None for one that is only proposed.
    """

    today: date
    uses_nature: UsesNature
    agreement: str
    smallest_satang: int | None = None
    adopted_on: date | None = None
    has_resolution: bool = False


@dataclass(frozen=True)
class Ruling:
    """What one rule says, with the values that it looked at; a failed one has its severity."""

    rule: PolicyRule
    verdict: Verdict
    values: Mapping[str, int]
    severity: Severity | None = None

    @property
    def is_error(self) -> bool:
        return self.severity == Severity.ERROR

    @property
    def is_warning(self) -> bool:
        return self.severity == Severity.WARNING


def check(policy: Policy, situation: Situation) -> tuple[Ruling, ...]:
    """What every rule says of a policy, in their order, then what else its text breaks."""
    numbered = tuple(rule(policy, situation) for rule in _CHECKS)
    broken = [name for name, _values in find_problems(policy) if not name.startswith("POL-")]
    return numbered + tuple(_fail(PolicyRule(name), Severity.ERROR, {}) for name in broken)


def require_no_error(rulings: Sequence[Ruling]) -> None:
    """Raise PolicyInvalid with every error."""
    errors = tuple((str(each.rule), dict(each.values)) for each in rulings if each.is_error)
    if errors:
        raise PolicyInvalid(problems=errors)


def require_explained(rulings: Sequence[Ruling], explanations: Mapping[str, str]) -> None:
    """Raise ResolutionInvalid unless each warning has a written explanation."""
    for each in rulings:
        text = explanations.get(each.rule, "")
        if each.is_warning and not (is_plain(text) and len(text) <= LONGEST_TEXT):
            raise ResolutionInvalid(problem=ResolutionProblem.EXPLANATION)


# --- the rules -----------------------------------------------------------------------------------


def _fail(rule: PolicyRule, severity: Severity, values: Mapping[str, int]) -> Ruling:
    return Ruling(rule, Verdict.FAIL, values, severity)


def _judge(
    rule: PolicyRule,
    values: Mapping[str, int],
    *,
    error: bool = False,
    warning: bool = False,
    advice: bool = False,
) -> Ruling:
    """A ruling with the gravest severity that holds, or a pass."""
    graded = ((error, Severity.ERROR), (warning, Severity.WARNING), (advice, Severity.ADVICE))
    for holds, severity in graded:
        if holds:
            return _fail(rule, severity, values)
    return Ruling(rule, Verdict.PASS, values)


def _sums_to_the_whole(policy: Policy, _situation: Situation) -> Ruling:
    """POL-01: shares sum to 100 percent and none is below zero."""
    problems = dict(find_problems(policy))
    values = {"sum": sum(policy.shares.values())}
    return _judge(PolicyRule.POL_01, values, error="POL-01" in problems)


def provider_bp_at(policy: Policy, amount_satang: int) -> int:
    """What part of a booking's money without its intermediary the households get, in basis points.

    It differs from their share in the text where fixed amounts, floors and caps decide.
    """
    parts = {(part.kind, part.code): part for part in split(amount_satang, [], 0, policy)}
    pool = next(part for (_kind, code), part in parts.items() if code == Bucket.PROVIDER)
    outside = next(part for (_kind, code), part in parts.items() if code == "intermediary")
    left = amount_satang - outside.amount_satang
    return pool.amount_satang * BP_WHOLE // left if left else 0


def _households_get_most(policy: Policy, situation: Situation) -> Ruling:
    """POL-02: households get at least half, better 70 percent, of the smallest booking as well."""
    share = policy.shares.get(Bucket.PROVIDER, 0)
    values = {"provider": share}
    at_smallest = BP_WHOLE
    if situation.smallest_satang and not find_problems(policy):
        at_smallest = provider_bp_at(policy, situation.smallest_satang)
    if at_smallest < min(share, 7_000):
        values |= {"smallest_bp": at_smallest, "smallest_satang": situation.smallest_satang or 0}
    return _judge(
        PolicyRule.POL_02,
        values,
        error=share < 5_000,
        warning=min(share, at_smallest) < 7_000,
    )


def _common(policy: Policy) -> int:
    return sum(policy.shares.get(bucket, 0) for bucket in COMMON)


def _something_for_all(policy: Policy, _situation: Situation) -> Ruling:
    """POL-03: a part goes to funds for everybody, and not so much that hosts are squeezed."""
    funds = _common(policy)
    return _judge(
        PolicyRule.POL_03,
        {"funds": funds},
        error="POL-03" in dict(find_problems(policy)),
        warning=funds < 500,
        advice=funds > 3_000,
    )


def _revolving_about_five(policy: Policy, _situation: Situation) -> Ruling:
    """POL-04: the revolving fund gets about 5 percent."""
    share = policy.shares.get(Bucket.REVOLVE, 0)
    return _judge(PolicyRule.POL_04, {"revolve": share}, advice=not 300 <= share <= 700)


def _nature_gets_its_part(policy: Policy, situation: Situation) -> Ruling:
    """POL-05: who lives from nature pays into its conservation."""
    share = policy.shares.get(Bucket.CONSERVE, 0)
    if situation.uses_nature == UsesNature.UNKNOWN:
        return Ruling(PolicyRule.POL_05, Verdict.NO_DATA, {"conserve": share})
    if situation.uses_nature == UsesNature.NO:
        return Ruling(PolicyRule.POL_05, Verdict.NOT_APPLICABLE, {"conserve": share})
    is_fixed = Bucket.CONSERVE in policy.fixed
    return _judge(
        PolicyRule.POL_05,
        {"conserve": share},
        warning=share == 0 and not is_fixed,
        advice=share < 200 and not is_fixed,
    )


def _management_is_modest(policy: Policy, _situation: Situation) -> Ruling:
    """POL-06: running the group costs at most 15 percent, never more than 25."""
    share = policy.shares.get(Bucket.MGMT, 0)
    return _judge(PolicyRule.POL_06, {"mgmt": share}, error=share > 2_500, warning=share > 1_500)


def _middleman_is_modest(policy: Policy, situation: Situation) -> Ruling:
    """POL-07: the intermediary's part is agreed in writing and at most 15 percent, never above 30."""
    share = policy.intermediary_bp
    if share == 0:
        return Ruling(PolicyRule.POL_07, Verdict.NOT_APPLICABLE, {"intermediary": share})
    return _judge(
        PolicyRule.POL_07,
        {"intermediary": share},
        error=not 0 <= share <= 3_000 or not situation.agreement.strip(),
        warning=share > 1_500,
    )


def _meeting_resolved(_policy: Policy, situation: Situation) -> Ruling:
    """POL-08: minutes, quorum, votes and first day; known once the meeting was held."""
    verdict = Verdict.PASS if situation.has_resolution else Verdict.NO_DATA
    return Ruling(PolicyRule.POL_08, verdict, {})


def _reviewed_yearly(_policy: Policy, situation: Situation) -> Ruling:
    """POL-09: a policy that stands is looked at again every year."""
    if situation.adopted_on is None:
        return Ruling(PolicyRule.POL_09, Verdict.NOT_APPLICABLE, {})
    days = (situation.today - situation.adopted_on).days
    return _judge(PolicyRule.POL_09, {"days": days}, warning=days > 365)


_CHECKS: tuple[Callable[[Policy, Situation], Ruling], ...] = (
    _sums_to_the_whole,
    _households_get_most,
    _something_for_all,
    _revolving_about_five,
    _nature_gets_its_part,
    _management_is_modest,
    _middleman_is_modest,
    _meeting_resolved,
    _reviewed_yearly,
)
