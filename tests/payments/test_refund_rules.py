"""The rules of refunds: limits, reminders, states and goodwill, as plain values."""

from datetime import UTC, datetime, timedelta

import pytest

from cbt.errors import AmountInvalid
from cbt.experiences.pricing import AddOnLine, PriceLine, Unit
from cbt.payments.provider import RefundState
from cbt.payments.refund_rules import follow, goodwill_satang, is_reminder_due

ASKED = datetime(2026, 11, 20, tzinfo=UTC)
LINES = [
    PriceLine(Unit.ADULT, 2, 100, 1),
    PriceLine(Unit.ADULT, 1, 40, 1),
    PriceLine(Unit.CHILD, 1, 1, 1),
]
EXTRAS = [AddOnLine("kayak", 2, 30)]


@pytest.mark.parametrize(
    ("known", "told", "state"),
    [
        (RefundState.SENT, RefundState.CANCELLED, RefundState.FAILED),
        (RefundState.CANCELLED, RefundState.CANCELLED, RefundState.CANCELLED),
        (RefundState.SENT, RefundState.SUCCEEDED, RefundState.SUCCEEDED),
        (RefundState.CANCELLED, RefundState.SUCCEEDED, RefundState.SUCCEEDED),
    ],
)
def test_what_a_provider_gave_up_a_person_must_do(known, told, state):
    assert follow(known, told) is state


def test_of_a_short_time_only_its_last_day_reminds():
    """Three days after being asked would lie inside the last day: who was told is not told again."""
    until = ASKED + timedelta(days=3, hours=12)
    told = until - timedelta(days=1)
    assert is_reminder_due(ASKED, until, ASKED, told)
    assert not is_reminder_due(ASKED, until, told, ASKED + timedelta(days=3, hours=6))


@pytest.mark.parametrize(
    ("persons", "extras", "satang"),
    [
        ({"CHILD": 1}, {}, 1),
        ({"ADULT": 0, "CHILD": 1}, {"kayak": 0}, 1),
        ({"ADULT": 1, "INFANT": 0}, {"kayak": 1}, 130),
    ],
)
def test_goodwill_counts_what_was_chosen_and_nothing_for_none(persons, extras, satang):
    assert goodwill_satang(LINES, EXTRAS, 0, persons, extras) == satang


@pytest.mark.parametrize(
    ("persons", "amount"), [({}, 0), ({"ADULT": 0}, 0), ({"ADULT": 4}, 4), ({"CHILD": -1}, -1)]
)
def test_goodwill_for_nothing_or_for_more_than_came_is_refused(persons, amount):
    with pytest.raises(AmountInvalid) as refused:
        goodwill_satang(LINES, EXTRAS, 0, persons, {})
    assert refused.value.facts == {"amount": amount}
