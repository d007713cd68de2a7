"""How many more guests a departure can take, by its own places and by the things it shares. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """What one slot leaves to a departure.

    The departure holds `held` units; `spare` are free for anybody (none while the slot is closed or
    blocked). It needs `units` for each begun `per_places` places, or once for all of them (0).
    """

    held: int
    spare: int
    per_places: int
    units: int

    def places(self) -> int | None:
        """How many places the slot bears in all, or None where it does not limit them."""
        reach = (self.held + self.spare) // self.units
        if self.per_places:
            return reach * self.per_places
        return None if reach else 0


def free_places(capacity: int, claimed: int, limits: Iterable[Limit]) -> int:
    """Places that can still be taken: never below zero, even where a slot was cut back since."""
    bearable = [places for limit in limits if (places := limit.places()) is not None]
    return max(0, min([capacity, *bearable]) - claimed)
