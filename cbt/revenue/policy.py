"""A split policy as text that people adopt and programs read alike. Pure.

The canonical text is the policy: its SHA-256 is its identity. Parsing the text and writing it again
gives the same text, so nobody can adopt one thing and have another computed. Two versions of the text
are read: whatever was adopted in the first means the same for ever. docs/algorithms/policy.md has both.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import sha256

from cbt.errors import PolicyInvalid
from cbt.money import BP_WHOLE

VERSION_1 = "cbt-policy/1"
VERSION_2 = "cbt-policy/2"
LONGEST_NAME = 80
MOST_SATANG = 100_000_000
"""The largest fixed amount, limit or rate that a policy may name: a million baht."""


class Bucket(StrEnum):
    """Where distributable income goes. The provider pool belongs to the households that worked."""

    PROVIDER = "provider"
    MGMT = "mgmt"
    WELFARE = "welfare"
    CONSERVE = "conserve"
    DEVELOP = "develop"
    REVOLVE = "revolve"
    DIVIDEND = "dividend"


COMMON = (Bucket.WELFARE, Bucket.CONSERVE, Bucket.DEVELOP, Bucket.REVOLVE)
"""The funds for the whole community."""
ALWAYS = tuple(bucket for bucket in Bucket if bucket != Bucket.DIVIDEND)
"""The buckets that every policy gives a share, be it nothing."""


class Task(StrEnum):
    """Work that the sharing-out knows."""

    BOAT = "boat"
    GUIDE = "guide"
    COOK = "cook"
    HOST = "host"
    CRAFT = "craft"
    CRAB_BANK = "crab_bank"
    PREPARE = "prepare"


class ProviderRule(StrEnum):
    """How the households' pool is shared out among those who worked."""

    BY_WORK = "by_work"
    RATES_FIRST = "rates_first"


class DividendRule(StrEnum):
    """How the dividend is shared out among those who own."""

    BY_SHARES = "by_shares"
    EQUAL = "equal"


@dataclass(frozen=True)
class Limits:
    """The least and the most that a bucket gets of one booking, in satang; None for no such limit."""

    floor_satang: int | None = None
    cap_satang: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Policy:
    """Shares in basis points of distributable income; the intermediary's in those of net sales.

    `rates` says what one unit of each task counts for in the sharing-out by work, in satang. What
    follows `version` is of the second version alone: what the intermediary gets at most; a fixed
    amount of each booking for some funds, in satang; limits of some buckets; where `rates_first`
    leaves a surplus (PROVIDER: back to those who worked); and how a dividend is shared out.
    """

    name: str
    intermediary_bp: int
    shares: Mapping[Bucket, int]
    rates: Mapping[Task, int]
    version: int = 1
    intermediary_cap_satang: int | None = None
    fixed: Mapping[Bucket, int] = field(default_factory=dict)
    limits: Mapping[Bucket, Limits] = field(default_factory=dict)
    provider_rule: ProviderRule = ProviderRule.BY_WORK
    surplus: Bucket = Bucket.PROVIDER
    dividend_rule: DividendRule | None = None

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """The buckets that it gives a share, in their order; the dividend only where it has one."""
        return tuple(bucket for bucket in Bucket if bucket in self.shares)

    @cached_property
    def funds(self) -> tuple[tuple[Bucket, int, Limits], ...]:
        """Its buckets but for the households' pool, each with its basis points and limits."""
        return tuple(
            (bucket, self.shares[bucket], self.limits_of(bucket))
            for bucket in self.buckets
            if bucket != Bucket.PROVIDER
        )

    def limits_of(self, bucket: Bucket) -> Limits:
        return self.limits.get(bucket, NO_LIMITS)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of its text."""
        return identity(canonical(self))


def canonical(policy: Policy) -> str:
    """The text that is adopted, hashed and printed."""
    lines = _lines_1(policy) if policy.version == 1 else _lines_2(policy)
    return "".join(line + "\n" for line in lines)


def _lines_1(policy: Policy) -> Iterator[str]:
    yield VERSION_1
    yield f"name: {policy.name}"
    yield f"intermediary: {policy.intermediary_bp}"
    yield from (f"bucket: {bucket} {policy.shares[bucket]}" for bucket in ALWAYS)
    yield "provider_rule: by_work"
    yield from _rate_lines(policy)


def _lines_2(policy: Policy) -> Iterator[str]:
    yield VERSION_2
    yield f"name: {policy.name}"
    yield f"intermediary: {policy.intermediary_bp}{_word('cap', policy.intermediary_cap_satang)}"
    for bucket in Bucket:
        if bucket in policy.fixed:
            yield f"fixed: {bucket} {policy.fixed[bucket]}"
    for bucket in policy.buckets:
        limits = policy.limits_of(bucket)
        words = _word("floor", limits.floor_satang) + _word("cap", limits.cap_satang)
        yield f"bucket: {bucket} {policy.shares[bucket]}{words}"
    yield f"provider_rule: {policy.provider_rule}"
    if policy.provider_rule == ProviderRule.RATES_FIRST:
        yield f"surplus: {policy.surplus}"
    if policy.dividend_rule:
        yield f"dividend_rule: {policy.dividend_rule}"
    yield from _rate_lines(policy)


def _word(name: str, satang: int | None) -> str:
    return "" if satang is None else f" {name} {satang}"


def _rate_lines(policy: Policy) -> Iterator[str]:
    return (f"rate: {task} {policy.rates[task]}" for task in Task if task in policy.rates)


def identity(text: str) -> str:
    """SHA-256 of a policy's text, as 64 hex digits."""
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def parse(text: str) -> Policy:
    """Read a canonical text. Raises PolicyInvalid if it is not exactly one, or breaks a rule."""
    policy = read(text)
    require_valid(policy)
    return policy


def read(text: str) -> Policy:
    """Read a canonical text, even of a policy that may not be adopted. Raises PolicyInvalid."""
    readers = {VERSION_1: _read_1, VERSION_2: _read_2}
    first, _newline, rest = text.partition("\n")
    try:
        policy = readers[first]([line.split(": ", 1) for line in rest.splitlines()])
        if canonical(policy) == text:
            return policy
    except (ValueError, KeyError, IndexError):
        pass
    raise PolicyInvalid(problems=(("POL-00", {}),))


def _read_1(fields: list[list[str]]) -> Policy:
    single = {name: value for name, value in fields if name not in ("bucket", "rate")}
    pairs = [(name, *value.split(" ")) for name, value in fields if name in ("bucket", "rate")]
    return Policy(
        name=single["name"],
        intermediary_bp=int(single["intermediary"]),
        shares={Bucket(code): int(bp) for name, code, bp in pairs if name == "bucket"},
        rates={Task(code): int(rate) for name, code, rate in pairs if name == "rate"},
    )


def _read_2(fields: list[list[str]]) -> Policy:
    single = {name: value for name, value in fields if name not in ("fixed", "bucket", "rate")}
    rows = [(name, value.split(" ")) for name, value in fields]
    buckets = [words for name, words in rows if name == "bucket"]
    middleman, *most = single["intermediary"].split(" ")
    limits = {Bucket(code): _limits(words) for code, _bp, *words in buckets if words}
    return Policy(
        name=single["name"],
        intermediary_bp=int(middleman),
        shares={Bucket(code): int(bp) for code, bp, *_words in buckets},
        rates={Task(words[0]): int(words[1]) for name, words in rows if name == "rate"},
        version=2,
        intermediary_cap_satang=_limits(most).cap_satang,
        fixed={Bucket(words[0]): int(words[1]) for name, words in rows if name == "fixed"},
        limits=limits,
        provider_rule=ProviderRule(single["provider_rule"]),
        surplus=Bucket(single.get("surplus", Bucket.PROVIDER)),
        dividend_rule=DividendRule(single["dividend_rule"]) if "dividend_rule" in single else None,
    )


def _limits(words: list[str]) -> Limits:
    found = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    return Limits(found.get("floor"), found.get("cap"))


def require_valid(policy: Policy) -> None:
    """Raise PolicyInvalid with every problem, each a rule id and the values that break it."""
    problems = find_problems(policy)
    if problems:
        raise PolicyInvalid(problems=tuple(problems))


Problem = tuple[str, dict[str, int]]


def find_problems(policy: Policy) -> list[Problem]:
    """What keeps a policy from being adopted. Source: rules POL-01 to POL-03, 06 and 07 (errors).

    What the rules do not number has a word: NAME, RATES, FIXED, LIMITS, SURPLUS, DIVIDEND.
    """
    of = {bucket: policy.shares.get(bucket, 0) for bucket in Bucket}
    whole = sum(of.values())
    funds = sum(of[bucket] for bucket in COMMON)
    has_fund = funds > 0 or any(policy.fixed.get(bucket, 0) > 0 for bucket in COMMON)
    breaks: list[tuple[bool, str, dict[str, int]]] = [
        (
            whole != BP_WHOLE
            or any(not 0 <= bp <= BP_WHOLE for bp in of.values())
            or not set(ALWAYS) <= policy.shares.keys(),
            "POL-01",
            {"sum": whole},
        ),
        (of[Bucket.PROVIDER] < 5_000, "POL-02", {"provider": of[Bucket.PROVIDER]}),
        (not has_fund, "POL-03", {"funds": funds}),
        (of[Bucket.MGMT] > 2_500, "POL-06", {"mgmt": of[Bucket.MGMT]}),
        (
            not 0 <= policy.intermediary_bp <= 3_000,
            "POL-07",
            {"intermediary": policy.intermediary_bp},
        ),
        (not policy.rates or any(rate <= 0 for rate in policy.rates.values()), "RATES", {}),
    ]
    problems = [(rule, values) for is_broken, rule, values in breaks if is_broken]
    return problems + (_problems_2(policy) if policy.version == 2 else [])


def _problems_2(policy: Policy) -> list[Problem]:
    """What the second version alone can get wrong."""
    has_dividend = Bucket.DIVIDEND in policy.shares
    amounts = (*policy.fixed.values(), *policy.rates.values())
    breaks = {
        "NAME": not is_plain(policy.name) or len(policy.name) > LONGEST_NAME,
        "FIXED": Bucket.PROVIDER in policy.fixed
        or not policy.fixed.keys() <= policy.shares.keys()
        or any(not 0 < amount <= MOST_SATANG for amount in amounts),
        "LIMITS": policy.limits_of(Bucket.PROVIDER).cap_satang is not None
        or not policy.limits.keys() <= policy.shares.keys()
        or not all(map(_is_range, policy.limits.values()))
        or not _is_range(Limits(cap_satang=policy.intermediary_cap_satang)),
        "SURPLUS": policy.surplus == Bucket.DIVIDEND
        or (policy.provider_rule == ProviderRule.BY_WORK and policy.surplus != Bucket.PROVIDER),
        "DIVIDEND": has_dividend != (policy.dividend_rule is not None),
    }
    return [(rule, {}) for rule, is_broken in breaks.items() if is_broken]


def _is_range(limits: Limits) -> bool:
    floor, cap = limits.floor_satang, limits.cap_satang
    return (
        (floor is None or 0 < floor <= MOST_SATANG)
        and (cap is None or 0 < cap <= MOST_SATANG)
        and (floor is None or cap is None or floor <= cap)
    )


def is_plain(text: str) -> bool:
    """Whether a text is one visible line: nothing that breaks it, hides in it or turns it round."""
    hidden = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
    return bool(text) and text == text.strip() and not hidden & set(map(unicodedata.category, text))


DEFAULT = Policy(
    name="CBT-Default-1",
    intermediary_bp=0,
    shares={
        Bucket.PROVIDER: 7_800,
        Bucket.MGMT: 700,
        Bucket.WELFARE: 500,
        Bucket.CONSERVE: 300,
        Bucket.DEVELOP: 200,
        Bucket.REVOLVE: 500,
    },
    rates={
        Task.BOAT: 60_000,
        Task.GUIDE: 40_000,
        Task.COOK: 15_000,
        Task.HOST: 30_000,
        Task.CRAFT: 30_000,
        Task.CRAB_BANK: 20_000,
        Task.PREPARE: 10_000,
    },
)
"""The default that a community starts its own discussion from ("CBT-Default-1")."""
