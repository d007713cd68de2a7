"""Cash: promised by guests, taken by people of the community, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from cbt.audit.verify import verify
from cbt.bookings.hold import Details, lapse_overdue_holds, save_details
from cbt.bookings.models import Departure
from cbt.bookings.queries import get_booking, get_departure
from cbt.bookings.states import DepartureState
from cbt.bookings.terms import Deposit, Terms, Tier, canonical
from cbt.db import db, transaction
from cbt.errors import (
    AmountInvalid,
    DepartureFull,
    DetailsIncomplete,
    HoldLapsed,
    MethodClosed,
    NotFound,
    PreviewOutdated,
    PromiseOpen,
    PromiseWaits,
    StateForbids,
)
from cbt.ledger.queries import balances
from cbt.notices.models import Notice
from cbt.payments import account_changes, cash, give_back, queries, take_in
from cbt.payments import credits as credits_
from cbt.payments.box import list_late_promises
from cbt.payments.models import Attempt, Capture, CaptureFee, CashTaken
from cbt.payments.providers.demo import Act, act
from cbt.payments.records import RECORDED_WITHIN
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, start
from tests.site import NOW

LATER = NOW + timedelta(hours=3)


def deposit(bp):
    """Terms that ask for a deposit."""
    return canonical(Terms("D", (Tier(0, 10_000),), Deposit(bp, 7)))


@pytest.fixture
def village(app):
    return factories.make_village(capacity=4)


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def states(reference):
    db.session.rollback()
    found = queries.list_attempts(db.session(), get_booking(db.session(), reference).id)
    return [(each.provider, str(each.state)) for each in found]


def notices():
    db.session.rollback()
    return list(db.session.scalars(select(Notice.kind).order_by(Notice.id)))


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for outcome in outcomes for finding in outcome.findings]


def box(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)["payment:cash"]


def take(village, reference, amount=None, now=NOW, **more):
    cash.take_cash(village.id, reference, village.person_id, now, PROVIDERS, amount, **more)


def with_contact(reference, email="", phone=""):
    about = {"name": "Guest", "food_needs": "", "access_needs": "", "consent": False}
    save_details(reference, Details(email=email, phone=phone, **about), NOW)
    return reference


# --- a promise -----------------------------------------------------------------------------------


def test_a_promise_keeps_the_places_until_the_trip_is_over_and_confirms_nothing(village):
    reference = factories.hold(village, {"ADULT": 4})
    attempt = start(reference, "cash")
    shown = booking(reference)
    assert (shown.state, shown.held_until) == ("held", shown.trip.ends_at)
    assert (attempt.state, attempt.amount_satang) == ("reported", 180_000)
    assert attempt.expires_at == shown.trip.ends_at
    lapse_overdue_holds(shown.trip.ends_at - timedelta(minutes=1))
    assert booking(reference).state == "held"
    assert (count(Capture), box(village), notices()) == (0, 0, ["cash_promised"])
    assert faults(village) == []


def test_a_promise_that_nobody_kept_gives_its_places_back(village):
    reference = factories.hold(village, {"ADULT": 4})
    start(reference, "cash")
    lapse_overdue_holds(booking(reference).trip.ends_at)
    assert booking(reference).state == "lapsed"
    assert get_departure(db.session(), village.departure_id).claimed == 0
    late = booking(reference).trip.ends_at + RECORDED_WITHIN
    with pytest.raises(HoldLapsed):
        take(village, reference, now=late)
    assert (count(CashTaken), booking(reference).state, faults(village)) == (0, "lapsed", [])


# --- written down after the trip -----------------------------------------------------------------


@pytest.fixture
def promised(village):
    """Four people promised cash, and the trip is over; its end."""
    reference = factories.hold(village, {"ADULT": 4})
    start(reference, "cash")
    return reference


def over(reference, *, swept=True):
    ends_at = booking(reference).trip.ends_at
    if swept:
        lapse_overdue_holds(ends_at)
        assert booking(reference).state == "lapsed"
    return ends_at


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("after", [timedelta(0), RECORDED_WITHIN - timedelta(seconds=1)])
def test_cash_that_was_promised_is_written_down_days_after_the_trip(
    village, promised, swept, after
):
    now = over(promised, swept=swept) + after
    take(village, promised, now=now)
    assert (booking(promised).state, states(promised)) == ("confirmed", [("cash", "paid")])
    assert get_departure(db.session(), village.departure_id).claimed == 4
    [capture] = queries.list_captures(db.session(), [booking(promised).id])
    assert (capture.paid_at, capture.buys, box(village)) == (now, True, 180_000)
    assert faults(village) == []


def test_until_it_is_written_down_nothing_of_a_promise_counts_as_paid_or_taken(village, promised):
    ends_at = over(promised)
    assert get_departure(db.session(), village.departure_id).claimed == 0
    [late] = list_late_promises(db.session(), village.id, ends_at)
    assert (late.reference, late.amount_satang) == (promised, 180_000)
    assert late.until == ends_at + RECORDED_WITHIN
    assert list_late_promises(db.session(), village.id, late.until) == []
    assert (count(Capture), box(village), faults(village)) == (0, 0, [])


def test_a_departure_whose_sales_were_closed_takes_its_promised_cash(village, promised):
    now = over(promised)
    with transaction() as session:
        session.execute(update(Departure).values(state=DepartureState.CLOSED))
    take(village, promised, now=now)
    assert (booking(promised).state, faults(village)) == ("confirmed", [])


def test_who_has_its_places_by_now_keeps_them_and_nothing_is_written(village, promised):
    """A host noted others for the same hour when the places came back."""
    now = over(promised)
    with transaction() as session:
        session.execute(update(Departure).values(capacity=3))
    with pytest.raises(DepartureFull):
        take(village, promised, now=now)
    assert (count(CashTaken), booking(promised).state) == (0, "lapsed")
    assert states(promised) == [("cash", "reported")]


def test_a_hold_without_a_promise_is_not_paid_in_cash_after_it_lapsed(village):
    reference = factories.hold(village)
    lapse_overdue_holds(booking(reference).held_until)
    with pytest.raises(HoldLapsed):
        take(village, reference, now=booking(reference).trip.begins_at)
    assert count(CashTaken) == 0


def test_two_hosts_who_write_it_down_late_take_it_once(app, village, promised):
    now = over(promised)
    results = run_together(app, lambda _number: take(village, promised, now=now), 4)
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 3]
    assert (count(CashTaken), count(Capture), box(village)) == (1, 1, 180_000)
    assert get_departure(db.session(), village.departure_id).claimed == 4
    assert faults(village) == []


def test_late_cash_that_was_cut_off_before_the_books_buys_its_booking_all_the_same(
    village, promised
):
    now = over(promised)
    cash._write_down(village.id, promised, village.person_id, now, None, None)
    lapse_overdue_holds(now + timedelta(hours=1))
    assert booking(promised).state == "lapsed"
    take_in.look_up_unpaid_attempts(PROVIDERS, now + timedelta(hours=2))
    assert (booking(promised).state, count(Capture)) == ("confirmed", 1)
    assert queries.list_refunds_to_make(db.session(), village.id) == []
    assert faults(village) == []


def test_a_promise_that_was_not_kept_is_told_after_the_trip_without_a_mail(village, promised):
    now = over(promised)
    cash.release_promise(village.id, promised, now)
    assert (booking(promised).state, states(promised)) == ("lapsed", [("cash", "cancelled")])
    assert notices() == ["cash_promised"]
    assert list_late_promises(db.session(), village.id, now) == []
    with pytest.raises(HoldLapsed):
        take(village, promised, now=now)
    with pytest.raises(StateForbids):
        cash.release_promise(village.id, promised, now)
    assert count(CashTaken) == 0


@pytest.mark.parametrize("what", ["taken", "not kept", "too late"])
def test_a_departure_is_settled_once_it_is_told_whether_promised_cash_came(village, what):
    factories.book(village, {"ADULT": 1})
    promised = factories.hold(village, {"ADULT": 2})
    start(promised, "cash")
    factories.record_work(village, ("H01", "boat", 1))
    now = over(promised) + timedelta(hours=1)
    with pytest.raises(PromiseWaits) as refused:
        factories.settle(village, now)
    assert refused.value.facts == {"reference": promised}
    assert get_departure(db.session(), village.departure_id).state == "open"
    if what == "taken":
        take(village, promised, now=now)
    elif what == "not kept":
        cash.release_promise(village.id, promised, now)
    else:
        now += RECORDED_WITHIN
    factories.settle(village, now)
    assert booking(promised).state == ("settled" if what == "taken" else "lapsed")
    assert faults(village) == []


def test_credit_in_a_promised_booking_waits_with_the_promise(app):
    """The party had paid a part by credit and brought the rest: the due stays what was promised."""
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    first = factories.book(village, {"ADULT": 1})
    factories.cancel_booking(first, as_credit=True)
    [credit] = queries.list_credits_of(db.session(), booking(first).id)
    promised = factories.hold(village, {"ADULT": 2})
    credits_.use_credit(promised, credit.code, NOW)
    start(promised, "cash")
    now = over(promised)
    assert credits_.return_stranded_credit(now) == 0
    take(village, promised, 90_000 - credit.amount_satang, now=now)
    assert (booking(promised).state, faults(village)) == ("confirmed", [])


def test_credit_of_a_promise_that_was_not_kept_comes_back(app):
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    first = factories.book(village, {"ADULT": 1})
    factories.cancel_booking(first, as_credit=True)
    [credit] = queries.list_credits_of(db.session(), booking(first).id)
    promised = factories.hold(village, {"ADULT": 2})
    credits_.use_credit(promised, credit.code, NOW)
    start(promised, "cash")
    now = over(promised)
    assert credits_.return_stranded_credit(now + RECORDED_WITHIN) == 1
    assert faults(village) == []


def test_choosing_cash_again_is_the_same_promise(village):
    reference = factories.hold(village)
    assert start(reference, "cash").id == start(reference, "cash", LATER).id
    assert (count(Attempt), notices()) == (1, ["cash_promised"])


def test_looking_a_promise_up_changes_nothing(village):
    reference = factories.hold(village)
    attempt = start(reference, "cash")
    take_in.look_up_unpaid_attempts(PROVIDERS, LATER)
    take_in.take_in(attempt.id, PROVIDERS, LATER)
    assert states(reference) == [("cash", "reported")]
    assert count(Capture) == 0


def test_guests_cannot_promise_cash_where_the_community_does_not_allow_it(village):
    name = factories.text("receiver")
    account_changes.change_account(
        village.id, PROVIDERS["cash"], {"guests": "no"}, name, village.person_id, NOW
    )
    reference = factories.hold(village)
    held_until = booking(reference).held_until
    with pytest.raises(MethodClosed):
        start(reference, "cash")
    assert (count(Attempt), booking(reference).held_until) == (0, held_until)
    take(village, reference)
    assert booking(reference).state == "confirmed"


def test_a_deposit_cannot_be_promised(app):
    village = factories.make_village(terms=deposit(3000))
    reference = factories.hold(village)
    held_until = booking(reference).held_until
    with pytest.raises(MethodClosed):
        start(reference, "cash")
    assert (count(Attempt), booking(reference).held_until) == (0, held_until)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"email": "a@example.org"}, {"email": " A@Example.org ", "phone": "0811111111"}),
        ({"phone": "081-234 5678"}, {"phone": "+66812345678"}),
        ({"phone": "0812345678", "email": "a@example.org"}, {"phone": "0066 81 234 5678"}),
    ],
)
def test_whoever_has_promised_once_cannot_promise_again(village, first, second):
    start(with_contact(factories.hold(village), **first), "cash")
    again = with_contact(factories.hold(village), **second)
    held_until = booking(again).held_until
    with pytest.raises(PromiseOpen):
        start(again, "cash")
    assert (count(Attempt), booking(again).held_until) == (1, held_until)


def test_others_may_promise_and_so_may_who_kept_the_promise(village):
    first = with_contact(factories.hold(village, {"ADULT": 1}), "a@example.org")
    start(first, "cash")
    start(with_contact(factories.hold(village, {"ADULT": 1}), "b@example.org"), "cash")
    take(village, first)
    start(with_contact(factories.hold(village, {"ADULT": 1}), "a@example.org"), "cash")
    assert count(Attempt) == 3


def test_two_promises_of_one_guest_at_once_are_one(app, village):
    references = [factories.hold(village, {"ADULT": 1}) for _each in range(3)]
    results = run_together(app, lambda number: start(references[number], "cash").number, 3)
    assert sorted(type(each).__name__ for each in results) == ["PromiseOpen", "PromiseOpen", "int"]
    assert notices() == ["cash_promised"]


def test_who_promised_cash_may_pay_another_way_after_all(village):
    reference = factories.hold(village)
    start(reference, "cash")
    factories.pay_by_demo(reference)
    assert booking(reference).state == "confirmed"
    with pytest.raises(StateForbids):
        take(village, reference)
    assert (count(CashTaken), faults(village)) == (0, [])


def test_a_guest_who_promised_cancels_like_any_other(village):
    reference = factories.hold(village, {"ADULT": 4})
    start(reference, "cash")
    factories.cancel_booking(reference)
    assert get_departure(db.session(), village.departure_id).claimed == 0
    with pytest.raises(StateForbids):
        take(village, reference)
    assert count(CashTaken) == 0


def test_the_community_gives_promised_places_back_and_the_guest_is_told(village):
    reference = factories.hold(village, {"ADULT": 4})
    start(reference, "cash")
    cash.release_promise(village.id, reference, LATER)
    assert booking(reference).state == "cancelled"
    assert get_departure(db.session(), village.departure_id).claimed == 0
    assert states(reference) == [("cash", "cancelled")]
    assert notices() == ["cash_promised", "booking_cancelled"]
    with pytest.raises(StateForbids):
        cash.release_promise(village.id, reference, LATER)


@pytest.mark.parametrize("what", ["held", "confirmed", "stranger"])
def test_only_a_promise_of_the_own_community_can_be_given_back(village, what):
    reference = factories.hold(village)
    community_id = village.id
    if what == "confirmed":
        start(reference, "cash")
        take(village, reference)
    if what == "stranger":
        start(reference, "cash")
        community_id = factories.make_community()
    before = booking(reference).state
    with pytest.raises(NotFound if what == "stranger" else StateForbids):
        cash.release_promise(community_id, reference, NOW)
    assert booking(reference).state == before
    assert get_departure(db.session(), village.departure_id).claimed == 2


# --- taking it -----------------------------------------------------------------------------------


def test_cash_that_was_taken_confirms_the_booking_and_stands_in_the_box(village):
    reference = factories.hold(village)
    start(reference, "cash")
    take(village, reference, now=LATER)
    assert booking(reference).state == "confirmed"
    assert states(reference) == [("cash", "paid")]
    assert (box(village), notices()) == (90_000, ["cash_promised", "booking_confirmed"])
    [capture] = queries.list_captures(db.session(), [booking(reference).id])
    assert (capture.method, capture.fee_satang, capture.receipt_number) == ("cash", 0, 1)
    assert capture.paid_at == LATER
    [taken] = db.session.scalars(select(CashTaken))
    assert (taken.taken_by, taken.amount_satang) == (village.person_id, 90_000)
    assert faults(village) == []


def test_a_host_takes_cash_of_a_walk_in_without_any_promise(village):
    reference = factories.hold(village, by_host=True)
    take(village, reference)
    assert booking(reference).state == "confirmed"
    assert (box(village), faults(village)) == (90_000, [])


def test_a_guest_with_an_open_code_may_pay_in_cash_instead(village):
    reference = factories.hold(village)
    start(reference, "promptpay")
    take(village, reference)
    assert booking(reference).state == "confirmed"
    assert states(reference)[0] == ("cash", "paid")
    assert faults(village) == []


def test_the_deposit_and_then_the_rest_are_taken(app):
    village = factories.make_village(terms=deposit(3000))
    reference = factories.hold(village)
    take(village, reference, 27_000)
    assert booking(reference).state == "confirmed"
    take(village, reference, now=LATER)
    assert [each.amount_satang for each in db.session.scalars(select(CashTaken))] == [
        27_000,
        63_000,
    ]
    assert (box(village), count(Capture)) == (90_000, 2)
    with pytest.raises(StateForbids):
        take(village, reference, now=LATER)
    assert (count(CashTaken), faults(village)) == (2, [])


def test_the_rest_of_a_booking_that_grew_is_promised_and_taken_on_arrival(village):
    reference = factories.book(village, {"ADULT": 1})
    factories.change_booking(reference, party={"ADULT": 2})
    attempt = start(reference, "cash")
    assert (attempt.state, attempt.amount_satang) == ("reported", 45_000)
    take(village, reference, now=booking(reference).trip.begins_at)
    assert queries.get_money(db.session(), booking(reference).id).paid_satang == 90_000
    assert (box(village), faults(village)) == (45_000, [])


@pytest.mark.parametrize("amount", [0, -1, 1, 89_999, 90_001])
def test_another_amount_than_is_due_is_not_taken(village, amount):
    reference = factories.hold(village)
    with pytest.raises(AmountInvalid):
        take(village, reference, amount)
    assert (count(CashTaken), count(Attempt), booking(reference).state) == (0, 0, "held")


def test_an_amount_on_an_old_page_is_not_taken(app):
    """A deposit of a half and its rest are the same sum: the page says which of them it showed."""
    village = factories.make_village(terms=deposit(5000))
    reference = factories.hold(village)
    take(village, reference, 45_000, shown_satang=90_000)
    with pytest.raises(PreviewOutdated):
        take(village, reference, 45_000, shown_satang=90_000)
    assert (count(CashTaken), box(village)) == (1, 45_000)


def test_sent_twice_it_is_taken_once(village):
    reference = factories.hold(village)
    take(village, reference, shown_satang=90_000)
    with pytest.raises(StateForbids):
        take(village, reference, shown_satang=90_000)
    assert (count(CashTaken), count(Capture), box(village)) == (1, 1, 90_000)


def test_two_hosts_at_once_take_it_once(app, village):
    reference = factories.hold(village)
    start(reference, "cash")
    results = run_together(app, lambda _number: take(village, reference), 6)
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 5]
    assert (count(CashTaken), count(Capture), box(village)) == (1, 1, 90_000)
    assert faults(village) == []


def test_cash_and_another_payment_at_once_buy_once_and_the_other_goes_back(app, village):
    reference = factories.hold(village)
    attempt = start(reference)
    act(attempt.provider_ref, Act.PAY, 90_000, NOW, NOW)

    def rival(number):
        return take(village, reference) if number else take_in.take_in(attempt.id, PROVIDERS, NOW)

    run_together(app, rival, 2)
    assert booking(reference).state == "confirmed"
    money = queries.get_money(db.session(), booking(reference).id)
    assert money.paid_satang == 90_000
    assert len(queries.list_refunds_to_make(db.session(), village.id)) == count(Capture) - 1
    assert faults(village) == []


def test_cash_that_was_taken_but_never_reached_the_books_is_found_however_late(village):
    """The process died in between; the party had booked long before."""
    reference = factories.hold(village)
    attempt = start(reference, "cash")
    cash._write_down(village.id, reference, village.person_id, NOW, None, None)
    late = NOW + queries.LOOK_UP_FOR + timedelta(days=1)
    assert take_in.look_up_unpaid_attempts(PROVIDERS, late) == 1
    assert (count(Capture), box(village)) == (1, 90_000)
    assert take_in.look_up_unpaid_attempts(PROVIDERS, late) == 0
    assert queries.get_attempt(db.session(), attempt.id).state == "paid"
    assert count(CaptureFee) == 1
    assert faults(village) == []


def test_taking_it_again_finishes_what_was_cut_off(village):
    reference = factories.hold(village)
    cash._write_down(village.id, reference, village.person_id, NOW, None, None)
    with pytest.raises(StateForbids):
        cash.release_promise(village.id, reference, NOW)
    with pytest.raises(StateForbids):
        take(village, reference)
    assert booking(reference).state == "confirmed"
    assert (count(CashTaken), box(village), faults(village)) == (1, 90_000, [])


def test_places_stay_claimed_while_the_money_goes_into_the_books(village):
    reference = factories.hold(village, {"ADULT": 4})
    last = booking(reference).held_until - timedelta(seconds=1)
    cash._write_down(village.id, reference, village.person_id, last, None, None)
    lapse_overdue_holds(last + timedelta(seconds=2))
    assert booking(reference).state == "held"


def test_who_is_of_another_community_takes_nothing(village):
    stranger = factories.make_village()
    reference = factories.hold(village)
    with pytest.raises(NotFound):
        take(stranger, reference)
    with pytest.raises(NotFound):
        take(village, "B-NOWHERE")
    assert (count(CashTaken), booking(reference).state) == (0, "held")


def test_a_community_without_a_cash_box_takes_no_cash(app):
    from cbt.payments.models import PaymentAccount

    village = factories.make_village()
    reference = factories.hold(village)
    db.session.execute(PaymentAccount.__table__.delete().where(PaymentAccount.provider == "cash"))
    db.session.commit()
    with pytest.raises(MethodClosed):
        take(village, reference)
    assert count(CashTaken) == 0


def test_a_request_that_waits_for_its_answer_is_not_paid(app):
    village = factories.make_village(request_hours=24)
    reference = factories.hold(village)
    assert booking(reference).state == "requested"
    with pytest.raises(StateForbids):
        take(village, reference)
    assert count(CashTaken) == 0


def test_without_a_name_no_cash_is_taken(village):
    from cbt.bookings import hold as holding

    request = holding.HoldRequest(
        departure_id=village.departure_id,
        party={"ADULT": 1},
        policy_version_id=village.policy_id,
        language="th",
        request_key="nameless",
    )
    reference = holding.hold(request, NOW)
    with pytest.raises(DetailsIncomplete):
        take(village, reference)
    assert count(CashTaken) == 0


def test_cash_goes_back_by_hand(village):
    reference = factories.hold(village)
    take(village, reference)
    back = factories.cancel_booking(reference)
    assert give_back.send_refunds(PROVIDERS, NOW) == 0
    assert back == 0 or queries.list_refunds_to_make(db.session(), village.id)
    assert faults(village) == []
