"""What stands between a mentor and their signature of a month. Pure.

Source: rule GOV-05 of the catalogue. An error refuses; a warning passes with a written explanation that
is kept with the signature. The signature itself: docs/decisions/018-periods-and-signatures.md.
"""

from dataclasses import dataclass
from enum import StrEnum

from cbt.revenue.policy_rules import Severity


class Obstacle(StrEnum):
    """In the order in which they are said: who may not sign at all, then what is wrong, then the rest."""

    TIED_ROLE = "tied_role"
    TIED_PART = "tied_part"
    TIED_PAYEE = "tied_payee"
    TIED_FAMILY = "tied_family"
    AUDIT_FAULTS = "audit_faults"
    AUDIT_BLIND = "audit_blind"
    ERRORS_OPEN = "errors_open"
    SAMPLE_UNFINISHED = "sample_unfinished"
    ANSWERS_LATE = "answers_late"


_TIES = (Obstacle.TIED_ROLE, Obstacle.TIED_PART, Obstacle.TIED_PAYEE, Obstacle.TIED_FAMILY)
_WARNINGS = (Obstacle.SAMPLE_UNFINISHED, Obstacle.ANSWERS_LATE)


@dataclass(frozen=True, kw_only=True)
class SignOffFacts:
    """What is known when a mentor wants to sign a month.

    `held_role`: another role in the community since the month began; `took_part`: in this close;
    `is_payee`: paid by the community; `is_related`: to one of its households, as they declared.
    `faults` and `blind` are the audit's, run just before; `open_errors` and `late_answers` count findings
    of the month; `sample_size` is what GOV-05 asks for, `looked_at` what was done of it.
    """

    held_role: bool
    took_part: bool
    is_payee: bool
    is_related: bool
    faults: int
    blind: int
    open_errors: int
    late_answers: int
    sample_size: int
    looked_at: int


def find_obstacles(facts: SignOffFacts) -> tuple[Obstacle, ...]:
    """What stands in the way, in the order of Obstacle; nothing where the month may be signed."""
    holds = {
        Obstacle.TIED_ROLE: facts.held_role,
        Obstacle.TIED_PART: facts.took_part,
        Obstacle.TIED_PAYEE: facts.is_payee,
        Obstacle.TIED_FAMILY: facts.is_related,
        Obstacle.AUDIT_FAULTS: facts.faults > 0,
        Obstacle.AUDIT_BLIND: facts.blind > 0,
        Obstacle.ERRORS_OPEN: facts.open_errors > 0,
        Obstacle.SAMPLE_UNFINISHED: facts.looked_at < facts.sample_size,
        Obstacle.ANSWERS_LATE: facts.late_answers > 0,
    }
    return tuple(each for each in Obstacle if holds[each])


def severity_of(obstacle: Obstacle) -> Severity:
    return Severity.WARNING if obstacle in _WARNINGS else Severity.ERROR


def is_tie(obstacle: Obstacle) -> bool:
    """Whether it is about who signs, so that only another mentor helps."""
    return obstacle in _TIES


def refusing(obstacles: tuple[Obstacle, ...]) -> tuple[Obstacle, ...]:
    return tuple(each for each in obstacles if severity_of(each) == Severity.ERROR)


def to_explain(obstacles: tuple[Obstacle, ...]) -> tuple[Obstacle, ...]:
    return tuple(each for each in obstacles if severity_of(each) == Severity.WARNING)
