"""The life of a booking, as a table of every step."""

import pytest

from cbt.bookings.states import BookingState, require_step
from cbt.errors import StateForbids

ALLOWED = {
    ("requested", "held"),
    ("requested", "declined"),
    ("requested", "lapsed"),
    ("requested", "cancelled"),
    ("held", "confirmed"),
    ("held", "lapsed"),
    ("held", "cancelled"),
    ("lapsed", "confirmed"),
    ("lapsed", "held"),
    ("confirmed", "settled"),
    ("confirmed", "cancelled"),
    ("confirmed", "choosing"),
    ("choosing", "confirmed"),
    ("choosing", "cancelled"),
}


@pytest.mark.parametrize("state", list(BookingState))
@pytest.mark.parametrize("wanted", list(BookingState))
def test_every_step_is_allowed_or_refused_as_the_table_says(state, wanted):
    if (state, wanted) in ALLOWED:
        require_step(state, wanted)
    else:
        with pytest.raises(StateForbids):
            require_step(state, wanted)
