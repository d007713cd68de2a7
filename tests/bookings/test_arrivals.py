"""Scans of devices that were without the network: each once, none lost, none of a stranger."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.bookings.arrivals import Scan, Synced, list_arrivals, take_scans
from cbt.bookings.models import CheckIn
from cbt.bookings.queries import get_booking
from cbt.db import db
from tests.concurrency import run_together
from tests.factories import book, hold, make_village
from tests.site import NOW

MORNING = NOW + timedelta(hours=20)


@pytest.fixture
def village(app):
    return make_village()


def scan(reference, key="7K2M-0001", device="7K2M", **changes):
    facts = {"people": 2, "scanned_at": MORNING - timedelta(hours=1), **changes}
    return Scan(key=key, reference=reference, device=device, **facts)


def take(village, *scans, now=MORNING):
    return take_scans(village.id, scans, village.person_id, now)


def kept(reference):
    booking = get_booking(db.session(), reference).id
    return list_arrivals(db.session(), [booking]).get(booking, [])


def count():
    return db.session.scalar(select(func.count()).select_from(CheckIn))


def test_a_scan_is_kept_with_its_own_time_and_the_time_it_came_in(village):
    reference = book(village)
    assert take(village, scan(reference)) == Synced(("7K2M-0001",), ())
    [arrival] = kept(reference)
    assert (arrival.device, arrival.people) == ("7K2M", 2)
    assert arrival.scanned_at == MORNING - timedelta(hours=1)
    assert (arrival.received_at, arrival.scanned_by) == (MORNING, village.person_id)


def test_the_same_scan_sent_twice_is_one(village):
    reference = book(village)
    for _each in range(2):
        assert take(village, scan(reference)).taken == ("7K2M-0001",)
    assert take(village, scan(reference), scan(reference)).taken == ("7K2M-0001",) * 2
    assert len(kept(reference)) == 1


def test_the_same_scan_sent_by_many_at_once_is_one(app, village):
    reference = book(village)
    results = run_together(app, lambda _number: take(village, scan(reference)).taken, 6)
    assert results == [("7K2M-0001",)] * 6
    assert len(kept(reference)) == 1


def test_scans_of_two_phones_are_both_kept_the_earliest_first(village):
    reference = book(village)
    late = scan(reference, "9QRS-0001", "9QRS", scanned_at=MORNING)
    assert take(village, late).taken == ("9QRS-0001",)
    assert take(village, scan(reference)).taken == ("7K2M-0001",)
    assert [arrival.device for arrival in kept(reference)] == ["7K2M", "9QRS"]


def test_scans_of_no_paid_booking_of_the_community_are_refused_one_by_one(village):
    own, unpaid, foreign = book(village), hold(village), book(make_village())
    synced = take(
        village,
        scan(foreign, "key-of-foreign"),
        scan(own, "key-of-own"),
        scan(unpaid, "key-of-unpaid"),
        scan("B-222222", "key-of-nobody"),
    )
    assert synced.taken == ("key-of-own",)
    assert synced.unknown == ("key-of-foreign", "key-of-unpaid", "key-of-nobody")
    assert count() == 1


def test_a_clock_that_is_ahead_counts_as_now(village):
    reference = book(village)
    take(village, scan(reference, scanned_at=MORNING + timedelta(days=400)))
    assert kept(reference)[0].scanned_at == MORNING


@pytest.mark.parametrize(("said", "meant"), [(-3, 1), (0, 1), (1, 1), (2, 2), (999, 2)])
def test_no_fewer_than_one_and_no_more_than_the_party_can_have_come(village, said, meant):
    reference = book(village)
    take(village, scan(reference, people=said))
    assert kept(reference)[0].people == meant


def test_nothing_sent_writes_nothing(village):
    assert take(village) == Synced((), ())
    assert count() == 0
