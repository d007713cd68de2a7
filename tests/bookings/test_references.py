"""References read aloud, and signed links."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from cbt.bookings.references import LINK_LIVES_AFTER_TRIP, BookingLinks, references
from cbt.bookings.vouchers import Voucher, Vouchers, make_key
from cbt.errors import LinkExpired, LinkInvalid

TRIP_ENDS = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
LINKS = BookingLinks("a secret that nobody knows, 32 characters")


def test_a_reference_has_nothing_that_looks_like_something_else():
    for reference in islice(references("a request"), 500):
        assert reference.startswith("B-")
        assert len(reference) == 8
        assert not set(reference[2:]) & set("01OILU")


def test_the_same_request_gets_the_same_references_and_others_get_others():
    assert next(references("one")) == next(references("one"))
    assert len({next(references(f"request {number}")) for number in range(2_000)}) == 2_000


def test_a_link_opens_its_booking_until_some_time_after_the_trip():
    token = LINKS.sign("B-7K2M9Q", TRIP_ENDS)
    assert LINKS.read(token, TRIP_ENDS) == "B-7K2M9Q"
    last = TRIP_ENDS + LINK_LIVES_AFTER_TRIP
    assert LINKS.read(token, last) == "B-7K2M9Q"
    with pytest.raises(LinkExpired):
        LINKS.read(token, last + timedelta(seconds=1))


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1],
        lambda token: token + "x",
        lambda token: "x" + token,
        lambda token: token.replace(".", ""),
        lambda _token: "",
        lambda _token: BookingLinks("another secret, also 32 characters!!").sign(
            "B-7K2M9Q", TRIP_ENDS
        ),
        lambda _token: Vouchers(make_key()).sign(Voucher("B-7K2M9Q", 1, TRIP_ENDS.date(), 2)),
    ],
    ids=["cut", "longer", "changed", "no-signature", "empty", "other-secret", "a-voucher-code"],
)
def test_a_forged_link_opens_nothing(forge):
    with pytest.raises(LinkInvalid):
        LINKS.read(forge(LINKS.sign("B-7K2M9Q", TRIP_ENDS)), TRIP_ENDS)
