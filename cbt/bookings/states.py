"""The life of a booking, of a departure and of an entry in the waiting list. Pure.

requested ──the community agrees──> held ──paid──> confirmed ──settled──> settled
    │                                │                 │
    ├──declined or not answered      ├──time over──> lapsed ──paid late, places free──> confirmed
    │                                │<──promised cash that was taken on the trip──┘
    └──withdrawn──> cancelled        └──withdrawn──> cancelled
                                                       │
confirmed ──called off by the community──> choosing ───┤ (refund or credit; or another day: confirmed)
confirmed ──cancelled by the guest──> cancelled <──────┘
"""

from enum import StrEnum

from cbt.errors import StateForbids


class BookingState(StrEnum):
    REQUESTED = "requested"
    HELD = "held"
    LAPSED = "lapsed"
    DECLINED = "declined"
    CONFIRMED = "confirmed"
    CHOOSING = "choosing"  # called off: the money waits until its guest has chosen
    CANCELLED = "cancelled"
    SETTLED = "settled"


class DepartureState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"  # not sold any more, but it runs for those who have booked
    CALLED_OFF = "called_off"
    SETTLED = "settled"


class EndReason(StrEnum):
    """Why a booking, or a whole departure, was called off."""

    GUEST = "guest"
    WEATHER = "weather"
    TOO_FEW = "too_few"
    COMMUNITY = "community"


class WaitState(StrEnum):
    """Where a party in the waiting list stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    BOOKED = "booked"
    LEFT = "left"
    OVER = "over"  # the departure began or was called off


_S = BookingState
STEPS = {
    _S.REQUESTED: {_S.HELD, _S.DECLINED, _S.LAPSED, _S.CANCELLED},
    _S.HELD: {_S.CONFIRMED, _S.LAPSED, _S.CANCELLED},
    _S.LAPSED: {_S.CONFIRMED, _S.HELD},
    _S.DECLINED: set(),
    _S.CONFIRMED: {_S.SETTLED, _S.CANCELLED, _S.CHOOSING},
    _S.CHOOSING: {_S.CONFIRMED, _S.CANCELLED},
    _S.CANCELLED: set(),
    _S.SETTLED: set(),
}

LIVE = (_S.REQUESTED, _S.HELD, _S.CONFIRMED, _S.SETTLED)
"""The states in which a booking occupies its places."""

WAITING = (_S.REQUESTED, _S.HELD)
"""The states that end by themselves at `held_until`."""

PAID = (_S.CONFIRMED, _S.SETTLED)

BOUGHT = (*PAID, _S.CHOOSING, _S.CANCELLED)
"""The states in which money that was taken for a booking may lie on deposit or be split."""


def require_step(state: BookingState, wanted: BookingState) -> None:
    """Raise StateForbids unless a booking may go from one state to the other."""
    if wanted not in STEPS[state]:
        raise StateForbids(thing="booking", state=state, wanted=wanted)
