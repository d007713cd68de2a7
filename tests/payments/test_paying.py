"""From attempt to capture, on both databases: every way that money arrives, and when it does not."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.hold import HOLD_FOR, lapse_overdue_holds
from cbt.bookings.queries import get_booking
from cbt.db import db
from cbt.errors import (
    CommunityNotSample,
    DetailsIncomplete,
    HoldLapsed,
    MethodClosed,
    NotFound,
    PromptPayIdInvalid,
    ReferenceUsed,
    StateForbids,
)
from cbt.ledger.queries import balances, list_entries_about
from cbt.notices.models import Notice
from cbt.payments import accounts, give_back, pay, queries, take_in, transfers
from cbt.payments.models import Attempt, Capture, Refund, TransferConfirmation
from cbt.payments.provider import AttemptState, advance
from cbt.payments.providers.demo import LATE_BY, Act, act
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.site import NOW

AFTER_HOLD = NOW + HOLD_FOR + LATE_BY


@pytest.fixture
def village(app):
    return factories.make_village(capacity=4)


def state(reference):
    db.session.rollback()
    return get_booking(db.session(), reference).state


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def notices():
    db.session.rollback()
    return list(db.session.scalars(select(Notice.kind).order_by(Notice.id)))


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for outcome in outcomes for finding in outcome.findings]


def bank(attempt, what, now=NOW):
    booking = get_booking(db.session(), attempt.reference)
    act(attempt.provider_ref, what, attempt.amount_satang, booking.held_until, now)


# --- the pretended provider ----------------------------------------------------------------------


def test_a_payment_confirms_the_booking_posts_the_ledger_and_queues_one_mail(village):
    reference = factories.book(village)
    assert state(reference) == "confirmed"
    books = balances(db.session(), village.card.book_id)
    fee = PROVIDERS["demo"].estimate_fee(90_000)
    assert books["guest_deposit"] == 90_000
    assert books["payment:demo"] == 90_000 - fee
    assert books["payment_fee"] == fee
    assert notices() == ["booking_confirmed"]
    assert faults(village) == []


def test_the_fee_is_the_price_list_with_vat():
    assert PROVIDERS["demo"].estimate_fee(300_000) == 4_950 + 347  # 49.50 + 7 % of it, 3.465


def test_asking_again_and_again_changes_nothing(village):
    reference = factories.book(village)
    attempt = queries.get_attempt_of(db.session(), reference, 1)
    for _again in range(3):
        take_in.take_in(attempt.id, PROVIDERS, NOW)
        take_in.look_up_unpaid_attempts(PROVIDERS, NOW)
    assert count(Capture) == 1
    assert notices() == ["booking_confirmed"]


def test_the_same_payment_learned_of_by_rivals_is_captured_once(app, village):
    attempt = factories.start(factories.hold(village))
    bank(attempt, Act.PAY)
    results = run_together(app, lambda _n: take_in.take_in(attempt.id, PROVIDERS, NOW), 6)
    assert results == [None] * 6
    assert count(Capture) == 1
    assert notices() == ["booking_confirmed"]
    assert faults(village) == []


def test_a_declined_try_leaves_the_hold_and_another_try_may_follow(village):
    reference = factories.hold(village)
    first = factories.start(reference)
    bank(first, Act.DECLINE)
    take_in.take_in(first.id, PROVIDERS, NOW)
    assert state(reference) == "held"
    second = factories.start(reference)
    assert second.number == 2
    bank(second, Act.PAY)
    take_in.take_in(second.id, PROVIDERS, NOW)
    assert state(reference) == "confirmed"
    states = [each.state for each in queries.list_attempts(db.session(), second.booking_id)]
    assert states == ["paid", "failed"]


def test_starting_twice_uses_the_open_attempt_again(village):
    reference = factories.hold(village)
    assert factories.start(reference).id == factories.start(reference).id
    assert count(Attempt) == 1


def test_choosing_another_way_gives_up_the_first_and_its_money_still_counts(village):
    """The guest opened the pretended bank, then a PromptPay code, and paid at the bank after all."""
    reference = factories.hold(village)
    first = factories.start(reference)
    second = factories.start(reference, "promptpay")
    states = [each.state for each in queries.list_attempts(db.session(), first.booking_id)]
    assert states == ["pending", "cancelled"]
    confirm(village, second, "REF1")
    bank(first, Act.PAY)  # called off, so the pretended bank does not take it any more
    take_in.look_up_unpaid_attempts(PROVIDERS, NOW)
    assert (count(Capture), state(reference)) == (1, "confirmed")
    assert faults(village) == []


def test_late_money_takes_the_places_again_while_there_are_some(village):
    reference = factories.hold(village)
    attempt = factories.start(reference)
    bank(attempt, Act.PAY_LATE)
    take_in.take_in(attempt.id, PROVIDERS, NOW)
    assert state(reference) == "held"
    lapse_overdue_holds(AFTER_HOLD)
    assert state(reference) == "lapsed"
    take_in.look_up_unpaid_attempts(PROVIDERS, AFTER_HOLD)
    assert state(reference) == "confirmed"
    assert faults(village) == []


def test_late_money_for_a_full_departure_is_kept_on_deposit_told_and_given_back(village):
    reference = factories.hold(village)
    attempt = factories.start(reference)
    bank(attempt, Act.PAY_LATE)
    lapse_overdue_holds(AFTER_HOLD)
    factories.hold(village, {"ADULT": 4}, AFTER_HOLD)
    take_in.look_up_unpaid_attempts(PROVIDERS, AFTER_HOLD)
    assert state(reference) == "lapsed"
    [refund] = queries.list_refunds_to_make(db.session(), village.id)
    assert (refund.amount_satang, refund.reason) == (90_000, "no_place_left")
    assert balances(db.session(), village.card.book_id)["guest_deposit"] == 90_000
    assert notices() == ["refund_coming"]
    assert faults(village) == []
    assert give_back.send_refunds(PROVIDERS, AFTER_HOLD) == 1
    assert give_back.send_refunds(PROVIDERS, AFTER_HOLD) == 0
    assert notices() == ["refund_coming", "refund_done"]
    books = balances(db.session(), village.card.book_id)
    assert (books["guest_deposit"], books["payment:demo"], books["payment_fee"]) == (0, 0, 0)
    assert faults(village) == []


def test_money_paid_twice_buys_once_and_goes_back_once(village):
    reference = factories.hold(village)
    factories.pay_by_demo(reference, what=Act.PAY_TWICE)
    assert state(reference) == "confirmed"
    [refund] = queries.list_refunds_to_make(db.session(), village.id)
    assert refund.reason == "paid_twice"
    give_back.send_refunds(PROVIDERS, NOW)
    assert balances(db.session(), village.card.book_id)["guest_deposit"] == 90_000
    assert notices() == ["booking_confirmed", "refund_coming", "refund_done"]
    assert faults(village) == []


def test_another_amount_than_asked_for_does_not_buy(village):
    attempt = factories.start(factories.hold(village))
    act(attempt.provider_ref, Act.PAY, attempt.amount_satang - 1, NOW, NOW)
    take_in.take_in(attempt.id, PROVIDERS, NOW)
    assert state(attempt.reference) == "held"
    [refund] = queries.list_refunds_to_make(db.session(), village.id)
    assert (refund.amount_satang, refund.reason) == (89_999, "amount_differs")
    assert faults(village) == []


def test_a_paid_booking_cannot_be_paid_again(village):
    reference = factories.book(village)
    with pytest.raises(StateForbids):
        factories.start(reference)


def test_a_lapsed_hold_cannot_be_paid(village):
    reference = factories.hold(village)
    with pytest.raises(HoldLapsed):
        factories.start(reference, now=NOW + HOLD_FOR)
    assert count(Attempt) == 0


def test_without_a_name_nothing_can_be_paid(village):
    from cbt.bookings import hold as services

    request = services.HoldRequest(
        departure_id=village.departure_id,
        party={"ADULT": 1},
        policy_version_id=village.policy_id,
        language="th",
        request_key="nameless",
    )
    reference = services.hold(request, NOW)
    with pytest.raises(DetailsIncomplete):
        factories.start(reference)


@pytest.mark.parametrize("method", ["bitcoin", "", "stripe"])
def test_a_method_that_is_not_offered_is_refused(village, method):
    reference = factories.hold(village)
    with pytest.raises(MethodClosed):
        pay.start_attempt(reference, method, PROVIDERS, NOW)


def test_receipts_are_numbered_without_a_gap(village):
    for _each in range(2):
        factories.book(village)
    numbers = list(db.session.scalars(select(Capture.receipt_number).order_by(Capture.id)))
    assert numbers == [1, 2]


def test_fifty_payments_at_once_number_receipts_without_a_gap(app):
    """Of two communities, and every fifth of them paid twice: surplus is numbered too."""
    villages = [factories.make_village(capacity=30) for _each in range(2)]
    attempts = []
    for number in range(50):
        attempt = factories.start(factories.hold(villages[number % 2], {"ADULT": 1}))
        bank(attempt, Act.PAY_TWICE if number % 5 == 0 else Act.PAY)
        attempts.append(attempt)
    results = run_together(
        app, lambda number: take_in.take_in(attempts[number].id, PROVIDERS, NOW), 50
    )
    assert results == [None] * 50
    db.session.rollback()
    for village in villages:
        numbers = db.session.scalars(
            select(Capture.receipt_number).where(Capture.community_id == village.id)
        )
        assert sorted(numbers) == list(range(1, 31))
        assert faults(village) == []


# --- PromptPay -----------------------------------------------------------------------------------


def test_two_open_transfers_of_the_same_price_ask_for_different_satang(village):
    first = factories.start(factories.hold(village), "promptpay")
    second = factories.start(factories.hold(village), "promptpay")
    assert (first.amount_satang, second.amount_satang) == (90_000, 90_001)


def test_rivals_starting_transfers_at_once_get_different_amounts(app, village):
    references = [factories.hold(village, {"ADULT": 1}) for _each in range(4)]
    run_together(app, lambda n: pay.start_attempt(references[n], "promptpay", PROVIDERS, NOW), 4)
    amounts = list(db.session.scalars(select(Attempt.amount_satang)))
    assert sorted(amounts) == [45_000, 45_001, 45_002, 45_003]


def test_an_open_code_keeps_the_hold_and_a_reported_transfer_keeps_it_longer(village):
    reference = factories.hold(village)
    attempt = factories.start(reference, "promptpay")
    assert get_booking(db.session(), reference).held_until == NOW + timedelta(minutes=60)
    pay.report_transfer(attempt.id, NOW + timedelta(minutes=50))
    begins_at = get_booking(db.session(), reference).trip.begins_at
    assert get_booking(db.session(), reference).held_until == begins_at  # sooner than a day
    assert queries.get_attempt(db.session(), attempt.id).state == "reported"


def test_reporting_again_does_not_keep_the_places_longer(app):
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=30))
    reference = factories.hold(village)
    attempt = factories.start(reference, "promptpay")
    pay.report_transfer(attempt.id, NOW)
    for hours in (1, 20):
        pay.report_transfer(attempt.id, NOW + timedelta(hours=hours))
    assert get_booking(db.session(), reference).held_until == NOW + pay.REVIEW_FOR
    assert queries.get_attempt(db.session(), attempt.id).reported_at == NOW


def test_reporting_another_code_does_not_keep_the_places_longer(app):
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=30))
    reference = factories.hold(village)
    pay.report_transfer(factories.start(reference, "promptpay").id, NOW)
    later = NOW + timedelta(hours=20)
    second = factories.start(reference, "promptpay", later)
    assert second.number == 2
    pay.report_transfer(second.id, later)
    assert queries.get_attempt(db.session(), second.id).state == "reported"
    assert get_booking(db.session(), reference).held_until == NOW + pay.REVIEW_FOR


def test_a_pretended_payment_cannot_be_reported(village):
    reference = factories.hold(village)
    attempt = factories.start(reference)
    held_until = get_booking(db.session(), reference).held_until
    with pytest.raises(MethodClosed):
        pay.report_transfer(attempt.id, NOW)
    assert queries.get_attempt(db.session(), attempt.id).state == "pending"
    assert get_booking(db.session(), reference).held_until == held_until


def test_reporting_a_code_that_was_given_up_changes_nothing(village):
    reference = factories.hold(village)
    attempt = factories.start(reference, "promptpay")
    factories.start(reference)
    held_until = get_booking(db.session(), reference).held_until
    pay.report_transfer(attempt.id, NOW + timedelta(minutes=10))
    given_up = queries.get_attempt(db.session(), attempt.id)
    assert (given_up.state, given_up.reported_at) == ("cancelled", None)
    assert get_booking(db.session(), reference).held_until == held_until


def confirm(village, attempt, bank_reference="", now=NOW):
    transfers.confirm_transfer(village.id, attempt.id, bank_reference, village.person_id, now)
    take_in.take_in(attempt.id, PROVIDERS, now)


def test_the_hosts_confirmation_confirms_the_booking_without_fee(village):
    attempt = factories.start(factories.hold(village), "promptpay")
    take_in.take_in(attempt.id, PROVIDERS, NOW)
    assert state(attempt.reference) == "held"
    confirm(village, attempt, "REF1")
    assert state(attempt.reference) == "confirmed"
    books = balances(db.session(), village.card.book_id)
    assert (books["payment:promptpay"], books["payment_fee"]) == (90_000, 0)
    assert faults(village) == []


def test_confirming_twice_is_refused_and_posts_nothing(village):
    attempt = factories.start(factories.hold(village), "promptpay")
    confirm(village, attempt)
    with pytest.raises(StateForbids):
        confirm(village, attempt)
    assert count(Capture) == 1


def test_two_people_confirming_at_once_capture_once(app, village):
    attempt = factories.start(factories.hold(village), "promptpay")
    results = run_together(app, lambda _number: confirm(village, attempt), 4)
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 3]
    assert count(Capture) == 1


def test_a_bank_reference_proves_one_payment_only(village):
    first = factories.start(factories.hold(village), "promptpay")
    second = factories.start(factories.hold(village), "promptpay")
    confirm(village, first, "SAME")
    with pytest.raises(ReferenceUsed):
        confirm(village, second, "SAME")
    assert state(second.reference) == "held"
    assert count(Capture) == 1


@pytest.mark.parametrize(
    "again", ["same", " SAME ", "S-A-M-E", "s a m e", "\uff33\uff21\uff2d\uff25"]
)
def test_a_bank_reference_written_another_way_is_the_same_reference(village, again):
    first = factories.start(factories.hold(village), "promptpay")
    second = factories.start(factories.hold(village), "promptpay")
    confirm(village, first, "SAME")
    with pytest.raises(ReferenceUsed) as refused:
        confirm(village, second, again)
    assert refused.value.facts == {"reference": again}
    assert count(TransferConfirmation) == 1


def test_thai_digits_are_digits_and_marks_alone_are_no_reference(village):
    attempts = [factories.start(factories.hold(village), "promptpay") for _each in range(2)]
    with pytest.raises(ReferenceUsed):
        for attempt, reference in zip(attempts, ("12", "\u0e51\u0e52"), strict=True):
            confirm(village, attempt, reference)
    confirm(village, attempts[1], " - ")
    assert set(db.session.scalars(select(TransferConfirmation.bank_reference))) == {"12", None}


def test_a_confirmed_transfer_that_never_reached_the_books_is_found_however_old(village):
    """The process died between the confirmation and the books, and the attempt is old."""
    late = NOW + queries.LOOK_UP_FOR + timedelta(days=1)
    attempt = factories.start(factories.hold(village), "promptpay")
    transfers.confirm_transfer(village.id, attempt.id, "REF1", village.person_id, late)
    assert take_in.look_up_unpaid_attempts(PROVIDERS, late) == 1
    assert count(Capture) == 1
    assert take_in.look_up_unpaid_attempts(PROVIDERS, late) == 0
    assert faults(village) == []


def test_another_community_cannot_confirm(village):
    stranger = factories.make_village()
    attempt = factories.start(factories.hold(village), "promptpay")
    with pytest.raises(NotFound):
        transfers.confirm_transfer(stranger.id, attempt.id, "", stranger.person_id, NOW)
    assert state(attempt.reference) == "held"


def test_a_late_transfer_without_places_is_given_back_by_a_person_with_proof(village):
    reference = factories.hold(village)
    attempt = factories.start(reference, "promptpay")
    late = NOW + timedelta(hours=2)
    lapse_overdue_holds(late)
    factories.hold(village, {"ADULT": 4}, late)
    confirm(village, attempt, "REF1", late)
    assert give_back.send_refunds(PROVIDERS, late) == 0
    [refund] = queries.list_refunds_to_make(db.session(), village.id)
    give_back.note_refund_made(village.id, refund.id, "BACK1", village.person_id, PROVIDERS, late)
    assert queries.list_refunds_to_make(db.session(), village.id) == []
    books = balances(db.session(), village.card.book_id)
    assert (books["guest_deposit"], books["payment:promptpay"]) == (0, 0)
    with pytest.raises(StateForbids):
        give_back.note_refund_made(
            village.id, refund.id, "BACK2", village.person_id, PROVIDERS, late
        )
    with pytest.raises(NotFound):
        stranger = factories.make_village()
        give_back.note_refund_made(stranger.id, refund.id, "X", stranger.person_id, PROVIDERS, late)
    assert count(Refund) == 1
    assert faults(village) == []


def test_each_capture_stands_in_the_books_as_its_own_entry(village):
    reference = factories.book(village)
    entries = list_entries_about(db.session(), village.card.book_id, f"booking:{reference}")
    assert [(entry.draft.kind, entry.draft.key) for entry in entries] == [
        ("capture", f"capture:demo:{count_ref(reference)}-1"),
        ("fee", f"fee:demo:{count_ref(reference)}-1"),
    ]


def count_ref(reference):
    return queries.get_attempt_of(db.session(), reference, 1).provider_ref


# --- accounts and states -------------------------------------------------------------------------


def test_a_real_community_cannot_take_pretended_payments(app):
    community_id = factories.make_community(is_sample=False)
    with pytest.raises(CommunityNotSample):
        accounts.open_payment_account(community_id, PROVIDERS["demo"], {}, factories.text("x"))
    accounts.open_payment_account(
        community_id, PROVIDERS["promptpay"], {"kind": "phone", "id": "0812345678"}, {"th": "x"}
    )
    assert [m.provider for m in queries.list_methods(db.session(), community_id)] == ["promptpay"]


def test_an_account_with_a_wrong_promptpay_id_is_refused(app):
    community_id = factories.make_community()
    receiver = {"kind": "phone", "id": "123"}
    with pytest.raises(PromptPayIdInvalid):
        accounts.open_payment_account(community_id, PROVIDERS["promptpay"], receiver, {"th": "x"})
    assert queries.list_methods(db.session(), community_id) == []


@pytest.mark.parametrize("known", list(AttemptState))
@pytest.mark.parametrize("reported", list(AttemptState))
def test_an_attempt_never_goes_backwards(known, reported):
    ranks = [{"pending"}, {"reported"}, {"failed", "expired", "cancelled"}, {"paid"}]
    rank = {word: place for place, words in enumerate(ranks) for word in words}
    after = advance(known, reported)
    assert after == (reported if rank[reported] > rank[known] else known)
    if known == AttemptState.PAID:
        assert after == AttemptState.PAID


def test_one_code_after_another_does_not_keep_places_for_ever(village):
    reference = factories.hold(village, {"ADULT": 1})
    now = NOW
    for _again in range(3):
        attempt = factories.start(reference, "promptpay", now)
        now = attempt.expires_at - timedelta(minutes=1)
        pay.start_attempt(reference, "demo", PROVIDERS, now)  # gives the code up
    held_until = get_booking(db.session(), reference).held_until
    assert held_until == NOW + pay.CODES_KEEP_FOR
