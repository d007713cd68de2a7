"""Claiming and releasing places: the one door through which seats are sold, on every channel."""

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from cbt.bookings.models import Departure
from cbt.bookings.states import DepartureState
from cbt.errors import DepartureFull


def claim_places(session: Session, departure_id: int, wanted: int) -> None:
    """Take places on an open departure. Raises DepartureFull, and then has taken none.

    One guarded statement decides, so two buyers never both see the last place free; the CHECK
    constraint `never_oversold` stands behind it.
    """
    taken = session.execute(
        update(Departure)
        .where(
            Departure.id == departure_id,
            Departure.state == DepartureState.OPEN,
            Departure.claimed + wanted <= Departure.capacity,
        )
        .values(claimed=Departure.claimed + wanted)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount == 0:
        raise DepartureFull(left=count_free(session, departure_id), wanted=wanted)


def release_places(session: Session, departure_id: int, places: int) -> None:
    """Give places back, in the same transaction that ends the booking's hold on them."""
    session.execute(
        update(Departure)
        .where(Departure.id == departure_id)
        .values(claimed=Departure.claimed - places)
    )


def count_free(session: Session, departure_id: int) -> int:
    return (
        session.scalar(
            select(Departure.capacity - Departure.claimed).where(Departure.id == departure_id)
        )
        or 0
    )
