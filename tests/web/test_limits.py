"""Counting tries; the views that count them are tried in their own files."""

from datetime import UTC, datetime, timedelta

from cbt.web.limits import Counts, Rate

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TWICE = Rate(2, timedelta(minutes=1))


def test_one_try_too_many_is_refused_until_the_span_is_over():
    counts = Counts()
    at = [NOON + timedelta(seconds=seconds) for seconds in (0, 58, 59, 60)]
    assert [counts.allows("ann", TWICE, each) for each in at] == [True, True, False, True]


def test_nobody_pays_for_another():
    counts = Counts()
    assert [counts.allows(who, TWICE, NOON) for who in ("ann", "ann", "bo", "bo")] == [True] * 4
    assert not counts.allows("ann", TWICE, NOON)


def test_spans_that_are_over_are_forgotten():
    counts = Counts()
    for number in range(1_500):
        counts.allows(number, TWICE, NOON + timedelta(seconds=number))
    assert len(counts._until) == len(counts._tries) < 1_100
    assert counts.allows(1_499, TWICE, NOON + timedelta(seconds=1_499))
    assert not counts.allows(1_499, TWICE, NOON + timedelta(seconds=1_499))
