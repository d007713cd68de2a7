"""Assessing a community against CBT Thailand: scores, means and what is wrong with them. Pure.

The structure is that of the standard: 5 domains, 28 criteria, items under each, indices under each item.
The wording of items is the assessors' own edition's and never ours. An item scores 0 to 4, and never more
than the indices for which there is evidence; a criterion is the mean of its items, a domain the mean of
its criteria. Cut points of the level words are our reading: the standard states none.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from cbt.errors import EditionInvalid, ScoreUnfounded
from cbt.revenue.policy import is_plain
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.rulebook import Answer

STANDARD = "CBT-TH"
MOST_SCORE = 4
MOST_INDICES = 20
MOST_ITEMS = 400
LONGEST_WORDING = 600
_CRITERIA_OF = {1: 9, 2: 4, 3: 3, 4: 5, 5: 7}
DOMAINS = tuple(_CRITERIA_OF)
CRITERIA = tuple(
    f"{domain}.{number}" for domain, most in _CRITERIA_OF.items() for number in range(1, most + 1)
)
MONEY_CRITERIA = ("1.8", "2.1")
"""Accounts and finance, and allocation of income: what the platform is there for."""

HELD_HERE = ("1.8", "2.1", "2.2")
"""The criteria to which the platform's own records are evidence."""

GAP_ASKS = Fraction(1)
LOW = Fraction(2)
DAYS_VALID = 365


class Assessor(StrEnum):
    """Who scores: the community itself, or the mentor for a committee."""

    SELF = "self"
    COMMITTEE = "committee"


class Level(StrEnum):
    """How a mean of 0 to 4 is called."""

    IMPROVE = "improve"
    FAIR = "fair"
    GOOD = "good"
    EXCELLENT = "excellent"


class EditionProblem(StrEnum):
    SHAPE = "shape"
    CRITERION = "criterion"
    NUMBER = "number"
    TWICE = "twice"
    WORDING = "wording"
    INDICES = "indices"
    EMPTY = "empty"
    TOO_MANY = "too_many"


@dataclass(frozen=True)
class Item:
    """One item of an edition: its criterion, its number there, its wording, how many indices it has."""

    criterion: str
    number: int
    wording: str
    indices: int


@dataclass(frozen=True)
class Scored:
    """An item's score (None: not yet), and for how many of its indices there is evidence."""

    criterion: str
    score: int | None
    evidenced: int


def domain_of(criterion: str) -> int:
    return int(criterion.partition(".")[0])


def read_edition(text: str) -> tuple[Item, ...]:
    """Read an edition's items, one a line: criterion, number, wording, number of indices; `|` or tabs between.

    Raises EditionInvalid with the line and what is wrong with it.
    """
    items: dict[tuple[str, int], Item] = {}
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise EditionInvalid(line=1, problem=EditionProblem.EMPTY)
    if len(lines) > MOST_ITEMS:
        raise EditionInvalid(line=MOST_ITEMS + 1, problem=EditionProblem.TOO_MANY)
    for number, line in lines:
        item, problem = _read_item(line)
        if item is not None and (item.criterion, item.number) in items:
            problem = EditionProblem.TWICE
        if item is None or problem:
            raise EditionInvalid(line=number, problem=problem)
        items[item.criterion, item.number] = item
    return tuple(sorted(items.values(), key=lambda each: (_place(each.criterion), each.number)))


def _read_item(line: str) -> tuple[Item | None, EditionProblem | None]:
    cells = [cell.strip() for cell in line.replace("\t", "|").split("|")]
    if len(cells) != 4:
        return None, EditionProblem.SHAPE
    criterion, number, wording, indices = cells
    if criterion not in CRITERIA:
        return None, EditionProblem.CRITERION
    if not _is_count(number, 99):
        return None, EditionProblem.NUMBER
    if not is_plain(wording) or len(wording) > LONGEST_WORDING:
        return None, EditionProblem.WORDING
    if not _is_count(indices, MOST_INDICES):
        return None, EditionProblem.INDICES
    return Item(criterion, int(number), wording, int(indices)), None


def _is_count(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= most


def _place(criterion: str) -> int:
    return CRITERIA.index(criterion)


# --- scores --------------------------------------------------------------------------------------


def require_founded(score: int, indices: int, evidenced: int) -> None:
    """Raise ScoreUnfounded for a score beyond 0 to 4, or above the indices that have evidence."""
    if not 0 <= score <= MOST_SCORE or evidenced > indices or score > evidenced:
        raise ScoreUnfounded(score=score, evidenced=min(evidenced, indices))


def criterion_means(scores: Sequence[Scored]) -> dict[str, Fraction | None]:
    """{criterion: mean of its items}, in the standard's order; None while an item has no score."""
    grouped: dict[str, list[int | None]] = defaultdict(list)
    for each in scores:
        grouped[each.criterion].append(each.score)
    means: dict[str, Fraction | None] = {}
    for criterion in CRITERIA:
        given = grouped.get(criterion, [])
        known = [score for score in given if score is not None]
        if given:
            means[criterion] = (
                Fraction(sum(known), len(known)) if len(known) == len(given) else None
            )
    return means


def domain_means(means: Mapping[str, Fraction | None]) -> dict[int, Fraction | None]:
    """{domain: mean of its criteria}; None while one of them has none."""
    found: dict[int, Fraction | None] = {}
    for domain in DOMAINS:
        given = [mean for criterion, mean in means.items() if domain_of(criterion) == domain]
        known = [mean for mean in given if mean is not None]
        if given:
            found[domain] = (
                sum(known, Fraction(0)) * Fraction(1, len(known))
                if len(known) == len(given)
                else None
            )
    return found


def level(mean: Fraction) -> Level:
    """How a mean is called: up to 1, 2, 3 and 4."""
    for most, name in ((1, Level.IMPROVE), (2, Level.FAIR), (3, Level.GOOD)):
        if mean <= most:
            return name
    return Level.EXCELLENT


# --- GOV-04 --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assessed:
    """A finished assessment as the rule looks at it."""

    scores: tuple[Scored, ...]
    finished_on: date


def gov_04(own: Assessed | None, committee: Assessed | None, today: date) -> Answer:
    """Scores are founded on evidence, self and committee agree about, money is well kept, and it is recent."""
    threshold = "score <= evidence; gap < 1.0; 1.8 and 2.1 >= 2.0; 365 days"
    given = [each for each in (own, committee) if each is not None]
    if not given:
        return Answer("GOV-04", Verdict.NO_DATA, Severity.WARNING, threshold, {})
    unfounded = sum(
        each.score is not None and each.score > each.evidenced
        for one in given
        for each in one.scores
    )
    means = [domain_means(criterion_means(each.scores)) for each in given]
    gap = _widest(means[0], means[1]) if len(means) == 2 else None
    latest = committee or own
    assert latest is not None
    money = [criterion_means(latest.scores).get(each) for each in MONEY_CRITERIA]
    low = sum(mean is not None and mean < LOW for mean in money)
    days = (today - max(each.finished_on for each in given)).days
    values = {"unfounded": unfounded, "low": low, "days": days}
    if gap is not None:
        values["gap_hundredths"] = int(gap * 100)
    if unfounded:
        return Answer("GOV-04", Verdict.FAIL, Severity.ERROR, threshold, values)
    asks = low or days > DAYS_VALID or (gap is not None and gap >= GAP_ASKS)
    verdict = Verdict.FAIL if asks else Verdict.PASS
    return Answer("GOV-04", verdict, Severity.WARNING, threshold, values)


def _widest(
    one: Mapping[int, Fraction | None], other: Mapping[int, Fraction | None]
) -> Fraction | None:
    gaps = [
        abs(mine - theirs)
        for domain, mine in one.items()
        if mine is not None and (theirs := other.get(domain)) is not None
    ]
    return max(gaps, default=None)
