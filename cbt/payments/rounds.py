"""One round of asking providers about many things: whom not to ask again, and where to begin. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")


class Round:
    """Remembers which providers did not answer in a round, so that nothing waits for them again."""

    def __init__(self) -> None:
        self._down: set[str] = set()

    def is_down(self, provider: str) -> bool:
        return provider in self._down

    def note_down(self, provider: str) -> None:
        self._down.add(provider)


def in_turn(things: Sequence[T], now: datetime) -> list[T]:
    """The same things, beginning at another one from moment to moment.

    A round leaves a provider alone at the first thing that it does not answer about; if that was
    always the same one, what stands behind it would never have its turn.
    """
    if not things:
        return []
    first = crc32(now.isoformat().encode()) % len(things)  # rounds come in even steps
    return [*things[first:], *things[:first]]
