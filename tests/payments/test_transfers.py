"""Transfers of large amounts need two people; a slip proves one payment only. On both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.queries import get_booking
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    NotFound,
    ReferenceDiffers,
    ReferenceUsed,
    SecondPersonNeeded,
    SlipUnreadable,
    StateForbids,
)
from cbt.payments import money_rules, pay, queries, take_in, transfers
from cbt.payments.bank_lines import BankLine
from cbt.payments.models import Capture, MoneyRule, TransferConfirmation, TransferLook
from cbt.payments.money_rules import MoneyRules
from cbt.payments.promptpay import checksum
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.site import NOW

LARGE = {"ADULT": 2}
LATER = NOW + timedelta(minutes=30)


def slip(reference, bank="004"):
    """The text of the code on a slip."""
    inner = f"00060000010103{bank}02{len(reference):02}{reference}"
    body = f"00{len(inner):02}{inner}5102TH9104"
    return f"{body}{checksum(body):04X}"


@pytest.fixture
def village(app):
    found = factories.make_village(capacity=12)
    money_rules.set_money_rules(found.id, MoneyRules(90_000, 90_000), found.person_id, NOW)
    return found


@pytest.fixture
def second(village):
    return factories.make_person()


def attempt_of(village, party=None):
    return factories.start(factories.hold(village, party), "promptpay")


def confirm(village, attempt, reference="", person_id=None, now=NOW):
    person_id = person_id or village.person_id
    is_done = transfers.confirm_transfer(village.id, attempt.id, reference, person_id, now)
    take_in.take_in(attempt.id, PROVIDERS, now)
    return is_done


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def state(attempt):
    db.session.rollback()
    return get_booking(db.session(), attempt.reference).state


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for outcome in outcomes for finding in outcome.findings]


# --- two people ----------------------------------------------------------------------------------


def test_a_small_transfer_needs_one_person(village):
    attempt = attempt_of(village, {"ADULT": 1})
    assert confirm(village, attempt, "R1")
    assert (state(attempt), count(TransferLook)) == ("confirmed", 0)
    [done] = db.session.scalars(select(TransferConfirmation))
    assert (done.seen_by, done.confirmed_by) == (None, village.person_id)


def test_a_large_transfer_is_confirmed_by_the_second_person(village, second):
    attempt = attempt_of(village, LARGE)
    assert not confirm(village, attempt, slip("ABC1"))
    assert (state(attempt), count(TransferConfirmation)) == ("held", 0)
    look = queries.list_looks(db.session(), [attempt.id])[attempt.id]
    assert (look.looked_by, look.bank, look.bank_reference) == (village.person_id, "004", "abc1")
    assert confirm(village, attempt, "", second, NOW + timedelta(minutes=5))
    [done] = db.session.scalars(select(TransferConfirmation))
    assert (done.seen_by, done.confirmed_by) == (village.person_id, second)
    assert (done.bank, done.bank_reference) == ("004", "abc1")
    assert (state(attempt), faults(village)) == ("confirmed", [])


def test_the_same_person_is_not_two(village):
    attempt = attempt_of(village, LARGE)
    confirm(village, attempt)
    with pytest.raises(SecondPersonNeeded):
        confirm(village, attempt)
    assert (state(attempt), count(TransferLook), count(TransferConfirmation)) == ("held", 1, 0)


def test_two_people_must_mean_the_same_transfer(village, second):
    attempt = attempt_of(village, LARGE)
    confirm(village, attempt, slip("ABC1"))
    for other in ("ABC2", slip("ABC1", bank="002")):
        with pytest.raises(ReferenceDiffers) as refused:
            confirm(village, attempt, other, second)
        assert refused.value.facts == {"reference": "abc1"}
    assert count(TransferConfirmation) == 0
    assert confirm(village, attempt, "abc-1", second)
    assert db.session.scalars(select(TransferConfirmation.bank)).one() == "004"


def test_what_was_seen_wrongly_is_set_aside_and_looked_for_again(village, second):
    attempt = attempt_of(village, LARGE)
    confirm(village, attempt, "WRONG")
    look = queries.list_looks(db.session(), [attempt.id])[attempt.id]
    transfers.dismiss_look(village.id, look.id, second, NOW)
    assert queries.list_looks(db.session(), [attempt.id]) == {}
    with pytest.raises(StateForbids):
        transfers.dismiss_look(village.id, look.id, second, NOW)
    assert not confirm(village, attempt, "RIGHT", second)
    assert confirm(village, attempt, "RIGHT")
    [done] = db.session.scalars(select(TransferConfirmation))
    assert (done.seen_by, done.bank_reference) == (second, "right")


def test_what_another_community_saw_is_not_ours_to_set_aside(village, second):
    attempt = attempt_of(village, LARGE)
    confirm(village, attempt)
    look = queries.list_looks(db.session(), [attempt.id])[attempt.id]
    stranger = factories.make_village()
    for look_id in (look.id, look.id + 99):
        with pytest.raises(NotFound):
            transfers.dismiss_look(stranger.id, look_id, second, NOW)
    assert queries.list_looks(db.session(), [attempt.id])[attempt.id] == look


def test_who_raises_the_limit_after_looking_cannot_confirm_alone(village):
    attempt = attempt_of(village, LARGE)
    confirm(village, attempt, "R1")
    money_rules.set_money_rules(village.id, MoneyRules(90_001, 90_000), village.person_id, NOW)
    with pytest.raises(SecondPersonNeeded):
        confirm(village, attempt)
    assert (count(TransferConfirmation), count(Capture)) == (0, 0)


def test_many_people_looking_at_once_note_it_once_and_confirm_it_once(app, village):
    attempt = attempt_of(village, LARGE)
    people = [factories.make_person() for _each in range(4)]
    results = run_together(app, lambda n: confirm(village, attempt, "R1", people[n]), 4)
    names = sorted(type(each).__name__ for each in results)
    assert names == ["StateForbids", "StateForbids", "bool", "bool"]
    assert sorted(each for each in results if isinstance(each, bool)) == [False, True]
    assert (count(TransferLook), count(TransferConfirmation), count(Capture)) == (1, 1, 1)
    assert (state(attempt), faults(village)) == ("confirmed", [])


def test_one_person_pressing_twice_at_once_looks_once(app, village):
    attempt = attempt_of(village, LARGE)
    results = run_together(app, lambda _number: confirm(village, attempt, "R1"), 3)
    names = sorted(type(each).__name__ for each in results)
    assert names == ["SecondPersonNeeded", "SecondPersonNeeded", "bool"]
    assert (count(TransferLook), count(TransferConfirmation), state(attempt)) == (1, 0, "held")


# --- one slip, one payment -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "again"),
    [
        pytest.param(slip("AB12"), slip("AB12"), id="the same slip"),
        pytest.param(slip("AB12"), "ab 12", id="typed, so the bank is unknown"),
        pytest.param("AB-12", slip("AB12"), id="typed first"),
        pytest.param("AB12", "ab12", id="typed twice"),
    ],
)
def test_a_slip_proves_one_payment(village, first, again):
    one, two = (attempt_of(village, {"ADULT": 1}) for _each in range(2))
    confirm(village, one, first)
    with pytest.raises(ReferenceUsed):
        confirm(village, two, again)
    assert (count(TransferConfirmation), state(two)) == (1, "held")


def test_two_banks_may_give_the_same_reference(village):
    one, two = (attempt_of(village, {"ADULT": 1}) for _each in range(2))
    confirm(village, one, slip("AB12", bank="004"))
    assert confirm(village, two, slip("AB12", bank="014"))
    assert (count(Capture), faults(village)) == (2, [])


def test_a_slip_that_names_its_bank_proves_one_payment_in_all_communities(village):
    other = factories.make_village()
    confirm(village, attempt_of(village, {"ADULT": 1}), slip("AB12"))
    theirs = attempt_of(other)
    with pytest.raises(ReferenceUsed):
        confirm(other, theirs, slip("AB12"))
    assert (count(TransferConfirmation), state(theirs)) == (1, "held")
    assert confirm(other, theirs, "AB12")  # of an unknown bank, as two banks may number alike


def test_a_used_slip_is_refused_to_the_first_of_two_people(village):
    confirm(village, attempt_of(village, {"ADULT": 1}), slip("AB12"))
    attempt = attempt_of(village, LARGE)
    with pytest.raises(ReferenceUsed):
        confirm(village, attempt, slip("AB12"))
    assert count(TransferLook) == 0


def test_two_communities_noting_one_slip_at_once_use_it_once(app, village):
    villages = [village, factories.make_village(), factories.make_village()]
    attempts = [attempt_of(each, {"ADULT": 1}) for each in villages]
    results = run_together(app, lambda n: confirm(villages[n], attempts[n], slip("AB12")), 3)
    assert sorted(type(each).__name__ for each in results) == ["ReferenceUsed"] * 2 + ["bool"]
    assert (count(TransferConfirmation), count(Capture)) == (1, 1)


@pytest.mark.parametrize("damaged", [slip("AB12")[:-1] + "G", slip("AB12")[:20]])
def test_a_slip_that_was_read_in_part_is_refused(village, damaged):
    attempt = attempt_of(village, {"ADULT": 1})
    with pytest.raises(SlipUnreadable):
        confirm(village, attempt, damaged)
    assert (count(TransferConfirmation), state(attempt)) == (0, "held")


# --- the limits ----------------------------------------------------------------------------------


def test_without_limits_of_its_own_a_community_has_the_usual_ones(app):
    community_id = factories.make_community()
    found = money_rules.get_money_rules(db.session(), community_id, NOW)
    assert (found.two_people_from_satang, found.approve_from_satang) == (500_000, 200_000)


def test_the_limits_can_be_set_again(village, second):
    money_rules.set_money_rules(village.id, MoneyRules(1, 2), second, NOW)
    db.session.rollback()
    assert money_rules.get_money_rules(db.session(), village.id, NOW) == MoneyRules(1, 2)
    assert db.session.scalars(select(MoneyRule.set_by)).all() == [village.person_id, second]


def test_a_lowered_limit_counts_at_once_and_a_raised_one_a_day_later(village, second):
    def counting(now):
        return money_rules.get_money_rules(db.session(), village.id, now)

    money_rules.set_money_rules(village.id, MoneyRules(10_000, 900_000), second, NOW)
    db.session.rollback()
    assert counting(NOW) == MoneyRules(10_000, 90_000)
    raised_at = NOW + money_rules.RAISED_AFTER
    assert counting(raised_at - timedelta(seconds=1)) == MoneyRules(10_000, 90_000)
    assert counting(raised_at) == MoneyRules(10_000, 900_000)


def test_raising_and_lowering_again_leaves_both_in_sight_and_opens_nothing(village, second):
    for rules in (MoneyRules(10**9, 10**9), MoneyRules(90_000, 90_000)):
        money_rules.set_money_rules(village.id, rules, second, NOW)
    db.session.rollback()
    assert money_rules.get_money_rules(db.session(), village.id, NOW) == MoneyRules(90_000, 90_000)
    assert len(db.session.scalars(select(MoneyRule.id)).all()) == 3


@pytest.mark.parametrize("rules", [(0, 1), (1, 0), (-1, 1)])
def test_a_limit_of_nothing_is_refused(village, rules):
    with pytest.raises(AmountInvalid):
        money_rules.set_money_rules(village.id, MoneyRules(*rules), village.person_id, NOW)
    assert money_rules.get_money_rules(db.session(), village.id, NOW) == MoneyRules(90_000, 90_000)


# --- when it was paid ----------------------------------------------------------------------------


def test_a_transfer_reported_before_the_trip_and_confirmed_after_it_lands_in_its_booking(village):
    """The guest travelled; whoever looks into the account does so two days later."""
    attempt = attempt_of(village, {"ADULT": 1})
    told_at = NOW + timedelta(minutes=10)
    pay.report_transfer(attempt.id, told_at)
    trip = get_booking(db.session(), attempt.reference).trip
    lapse_overdue_holds(trip.begins_at)
    assert state(attempt) == "lapsed"
    assert confirm(village, attempt, "R1", now=trip.ends_at + timedelta(days=2))
    assert state(attempt) == "confirmed"
    [capture] = queries.list_captures(db.session(), [attempt.booking_id])
    assert (capture.paid_at, capture.buys) == (told_at, True)
    assert queries.list_refunds_to_make(db.session(), village.id) == []
    assert faults(village) == []


def test_a_transfer_that_nobody_reported_counts_from_when_it_was_seen(village):
    """So one that is first heard of after the trip buys nothing, and goes back."""
    attempt = attempt_of(village, {"ADULT": 1})
    trip = get_booking(db.session(), attempt.reference).trip
    lapse_overdue_holds(trip.begins_at)
    late = trip.ends_at + timedelta(days=2)
    assert confirm(village, attempt, "R1", now=late)
    [capture] = queries.list_captures(db.session(), [attempt.booking_id])
    assert (state(attempt), capture.paid_at, capture.buys) == ("lapsed", late, False)
    assert len(queries.list_refunds_to_make(db.session(), village.id)) == 1


def a_line(hour=None, on=NOW.date()):
    return BankLine(1, on, 45_000, "", "", "", "k", booked_at=hour)


@pytest.mark.parametrize(
    ("line", "known", "paid_at"),
    [
        pytest.param(a_line(NOW), (LATER, LATER), NOW, id="the-banks-own-hour"),
        pytest.param(a_line(), (LATER, NOW), LATER, id="the-day-of-the-report"),
        pytest.param(a_line(), (None, NOW), NOW, id="the-day-of-the-code"),
        pytest.param(
            a_line(on=NOW.date() + timedelta(days=1)),
            (LATER, NOW),
            datetime(2026, 11, 23, 17, tzinfo=UTC),
            id="another-day-from-its-first-moment",
        ),
    ],
)
def test_a_line_was_paid_when_the_bank_says(line, known, paid_at):
    assert transfers.paid_at(line, known, "Asia/Bangkok") == paid_at
