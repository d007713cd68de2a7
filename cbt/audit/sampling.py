"""Which bookings of a closed month a mentor looks at: drawn by a seed that anybody can use again. Pure.

See docs/algorithms/sampling.md. Each booking's reference is written behind the seed and a colon; the
SHA-256 of that is its lot. Those with the smallest lots are looked at, in that order. Nobody can choose
what is drawn: the seed is random, kept before the list is shown, and drawn once for a month.
"""

from collections.abc import Iterable
from hashlib import sha256

LEAST = 10
ONE_IN = 10


def sample_size(population: int) -> int:
    """At least ten, at least one in ten, rounded up; all of them where there are fewer.

    Source: rule GOV-05 of the catalogue; the sizes are planning values.
    """
    return min(population, max(LEAST, -(-population // ONE_IN)))


def lot(seed: str, reference: str) -> str:
    """A booking's lot: 64 hexadecimal digits. As `printf '%s:%s' SEED REFERENCE | sha256sum` gives it."""
    return sha256(f"{seed}:{reference}".encode()).hexdigest()


def draw(seed: str, references: Iterable[str]) -> tuple[str, ...]:
    """The sample of some bookings, in the order of their lots; the order they came in does not matter."""
    all_ = sorted(set(references), key=lambda reference: lot(seed, reference))
    return tuple(all_[: sample_size(len(all_))])
