"""A split policy as text that people adopt and programs read alike. Pure.

The canonical text is the policy: its SHA-256 is its identity. Parsing the text and writing it again
gives the same text, so nobody can adopt one thing and have another computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from cbt.errors import PolicyInvalid
from cbt.money import BP_WHOLE

VERSION = "cbt-policy/1"


class Bucket(StrEnum):
    """Where distributable income goes. The provider pool belongs to the households that worked."""

    PROVIDER = "provider"
    MGMT = "mgmt"
    WELFARE = "welfare"
    CONSERVE = "conserve"
    DEVELOP = "develop"
    REVOLVE = "revolve"


class Task(StrEnum):
    """Work that the sharing-out knows."""

    BOAT = "boat"
    GUIDE = "guide"
    COOK = "cook"
    HOST = "host"
    CRAFT = "craft"
    CRAB_BANK = "crab_bank"
    PREPARE = "prepare"


@dataclass(frozen=True)
class Policy:
    """Shares in basis points of distributable income; the intermediary's in those of net sales.

    `rates` says what one unit of each task counts for in the sharing-out by work, in satang.
    """

    name: str
    intermediary_bp: int
    shares: Mapping[Bucket, int]
    rates: Mapping[Task, int]


def canonical(policy: Policy) -> str:
    """The text that is adopted, hashed and printed."""
    lines = [
        VERSION,
        f"name: {policy.name}",
        f"intermediary: {policy.intermediary_bp}",
        *(f"bucket: {bucket} {policy.shares[bucket]}" for bucket in Bucket),
        "provider_rule: by_work",
        *(f"rate: {task} {policy.rates[task]}" for task in Task if task in policy.rates),
    ]
    return "".join(line + "\n" for line in lines)


def identity(text: str) -> str:
    """SHA-256 of a policy's text, as 64 hex digits."""
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def parse(text: str) -> Policy:
    """Read a canonical text. Raises PolicyInvalid if it is not exactly one, or breaks a rule."""
    try:
        policy = _read(text)
    except (ValueError, KeyError, IndexError):
        raise PolicyInvalid(problems=(("POL-00", {}),)) from None
    require_valid(policy)
    if canonical(policy) != text:
        raise PolicyInvalid(problems=(("POL-00", {}),))
    return policy


def _read(text: str) -> Policy:
    first, *lines = text.splitlines()
    if first != VERSION:
        raise ValueError(first)
    fields = [line.split(": ", 1) for line in lines]
    single = {name: value for name, value in fields if name not in ("bucket", "rate")}
    pairs = [(name, *value.split(" ")) for name, value in fields if name in ("bucket", "rate")]
    return Policy(
        name=single["name"],
        intermediary_bp=int(single["intermediary"]),
        shares={Bucket(code): int(bp) for name, code, bp in pairs if name == "bucket"},
        rates={Task(code): int(rate) for name, code, rate in pairs if name == "rate"},
    )


def require_valid(policy: Policy) -> None:
    """Raise PolicyInvalid with every problem, each a rule id and the values that break it."""
    problems = find_problems(policy)
    if problems:
        raise PolicyInvalid(problems=tuple(problems))


def find_problems(policy: Policy) -> list[tuple[str, dict[str, int]]]:
    """What keeps a policy from being adopted. Source: rules POL-01 to POL-03, 06 and 07 (errors)."""
    shares = [policy.shares.get(bucket, 0) for bucket in Bucket]
    of = dict(zip(Bucket, shares, strict=True))
    funds = of[Bucket.WELFARE] + of[Bucket.CONSERVE] + of[Bucket.DEVELOP] + of[Bucket.REVOLVE]
    problems: list[tuple[str, dict[str, int]]] = []
    if sum(shares) != BP_WHOLE or any(not 0 <= bp <= BP_WHOLE for bp in shares):
        problems.append(("POL-01", {"sum": sum(shares)}))
    if of[Bucket.PROVIDER] < 5_000:
        problems.append(("POL-02", {"provider": of[Bucket.PROVIDER]}))
    if funds <= 0:
        problems.append(("POL-03", {"funds": funds}))
    if of[Bucket.MGMT] > 2_500:
        problems.append(("POL-06", {"mgmt": of[Bucket.MGMT]}))
    if not 0 <= policy.intermediary_bp <= 3_000:
        problems.append(("POL-07", {"intermediary": policy.intermediary_bp}))
    if not policy.rates or any(rate <= 0 for rate in policy.rates.values()):
        problems.append(("RATES", {}))
    return problems


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
