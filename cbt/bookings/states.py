"""The life of a booking and of a departure. Pure.

held ──paid──> confirmed ──settled──> settled
 └──time over──> lapsed ──paid late, places free──> confirmed
"""

from enum import StrEnum

from cbt.errors import StateForbids


class BookingState(StrEnum):
    HELD = "held"
    LAPSED = "lapsed"
    CONFIRMED = "confirmed"
    SETTLED = "settled"


class DepartureState(StrEnum):
    OPEN = "open"
    SETTLED = "settled"


STEPS = {
    BookingState.HELD: {BookingState.CONFIRMED, BookingState.LAPSED},
    BookingState.LAPSED: {BookingState.CONFIRMED},
    BookingState.CONFIRMED: {BookingState.SETTLED},
    BookingState.SETTLED: set(),
}

LIVE = (BookingState.HELD, BookingState.CONFIRMED, BookingState.SETTLED)
"""The states in which a booking occupies its places."""

PAID = (BookingState.CONFIRMED, BookingState.SETTLED)


def require_step(state: BookingState, wanted: BookingState) -> None:
    """Raise StateForbids unless a booking may go from one state to the other."""
    if wanted not in STEPS[state]:
        raise StateForbids(thing="booking", state=state, wanted=wanted)
