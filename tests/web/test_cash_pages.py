"""Pages about cash, transfers that two people look for, and the ways to be paid."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.queries import get_booking
from cbt.bookings.references import BookingLinks
from cbt.clock import utc_now
from cbt.db import db
from cbt.ledger.queries import balances
from cbt.payments import account_changes, accounts, cash, cash_box, money_rules, queries
from cbt.payments.models import (
    Attempt,
    CashBanked,
    CashCleared,
    CashCount,
    CashTaken,
    PaymentAccount,
    TransferConfirmation,
    TransferLook,
)
from cbt.payments.money_rules import MoneyRules
from cbt.people.roles import Grant, Role
from tests import factories
from tests.factories import PROVIDERS, hold, make_village, start, text
from tests.site import NOW, SECRET
from tests.web.forms import a_browser, token

PASSWORD = "long enough"


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    return make_village()


@pytest.fixture
def host(village, sqlite_app):
    return a_browser(sqlite_app, "the-host", Grant(Role.COORDINATOR, village.id))


@pytest.fixture
def treasurer(village, sqlite_app):
    return a_browser(sqlite_app, "the-treasurer", Grant(Role.TREASURER, village.id))


@pytest.fixture
def guest(sqlite_app):
    return sqlite_app.test_client()


def link_of(reference, page=""):
    booking = get_booking(db.session(), reference)
    return f"/en/b/{BookingLinks(SECRET).sign(reference, booking.trip.ends_at)}{page}"


def at(village, page=""):
    return f"/en/host/{village.slug}{page}"


def send(client, page, form_at, **fields):
    shown = client.get(form_at, follow_redirects=True).text
    return client.post(page, data={"csrf_token": token(shown), **fields})


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def state(reference):
    db.session.rollback()
    return get_booking(db.session(), reference).state


def box(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)["payment:cash"]


def promise(guest, reference):
    return send(guest, link_of(reference, "/pay"), link_of(reference, "/pay"), method="cash")


# --- the guest's pages ---------------------------------------------------------------------------


def test_a_guest_promises_cash_and_reads_what_to_bring_and_how_to_cancel(village, guest):
    reference = hold(village)
    page = guest.get(link_of(reference, "/pay")).text
    assert 'value="cash"' in page
    assert "You pay when you arrive" in page
    answer = promise(guest, reference)
    assert answer.status_code == 303
    page = guest.get(answer.location).text
    assert "Your places are kept" in page
    assert "฿900.00" in page
    assert link_of(reference, "/cancel") in page
    assert link_of(reference, "/pay") in page
    assert "data-until" not in page
    assert guest.get(link_of(reference)).location.endswith(answer.location.partition("/en/")[2])


def test_who_promised_may_still_pay_another_way(village, guest):
    reference = hold(village)
    promise(guest, reference)
    page = guest.get(link_of(reference, "/pay")).text
    assert "since you promised to pay in cash" in page
    assert "15 minutes more" not in page
    answer = send(guest, link_of(reference, "/pay"), link_of(reference, "/pay"), method="demo")
    send(guest, f"{answer.location}/act", answer.location, act="pay")
    assert state(reference) == "confirmed"
    assert guest.get(link_of(reference, "/pay/1")).location.endswith(link_of(reference))


def test_a_second_promise_is_refused_on_the_page_where_it_was_chosen(village, guest):
    promise(guest, hold(village))
    reference = hold(village)
    answer = promise(guest, reference)
    assert answer.status_code == 409
    assert "You have promised cash for another booking here" in answer.text
    assert 'value="promptpay"' in answer.text
    assert count(Attempt) == 1


@pytest.mark.parametrize("why", ["closed", "not for guests", "deposit"])
def test_cash_is_not_offered_where_guests_may_not_choose_it(sqlite_app, guest, why):
    from tests.payments.test_cash import deposit

    village = make_village(terms=deposit(3000)) if why == "deposit" else make_village()
    if why == "closed":
        accounts.set_open(village.id, "cash", village.person_id, NOW, is_open=False)
    if why == "not for guests":
        cash_account = PROVIDERS["cash"]
        account_changes.change_account(
            village.id,
            cash_account,
            {"guests": "no"},
            text("x"),
            village.person_id,
            NOW,
        )
    reference = hold(village)
    page = guest.get(link_of(reference, "/pay")).text
    assert 'value="cash"' not in page
    assert 'value="promptpay"' in page
    assert promise(guest, reference).status_code == 409
    assert (count(Attempt), state(reference)) == (0, "held")


def test_a_way_that_was_closed_is_not_offered(village, guest):
    accounts.set_open(village.id, "demo", village.person_id, NOW, is_open=False)
    assert 'value="demo"' not in guest.get(link_of(hold(village), "/pay")).text


def test_a_promise_that_nobody_kept_shows_that_the_hold_is_over(village, guest):
    reference = hold(village)
    page = promise(guest, reference).location
    with time_machine.travel(get_booking(db.session(), reference).trip.ends_at):
        shown = guest.get(page).text
    assert "The hold is over" in shown
    assert "in cash when you arrive" not in shown


def test_the_rest_of_a_confirmed_booking_may_be_promised(village, guest):
    reference = factories.book(village, {"ADULT": 1})
    factories.change_booking(reference, party={"ADULT": 2})
    page = guest.get(promise(guest, reference).location).text
    assert "You pay the rest on arrival" in page
    assert "฿450.00" in page
    assert "Give the places back" not in page


# --- taking cash ---------------------------------------------------------------------------------


def take(client, village, reference, **fields):
    page = at(village, f"/bookings/{reference}")
    return send(client, f"{page}/cash", page, **{"amount": 90_000, "shown": 90_000, **fields})


def test_a_host_takes_cash_of_a_walk_in_on_the_bookings_page(village, host):
    reference = hold(village, by_host=True)
    page = host.get(at(village, f"/bookings/{reference}")).text
    assert "Taken in cash: ฿900" in page
    assert take(host, village, reference).location.endswith("#money")
    page = host.get(at(village, f"/bookings/{reference}")).text
    assert "Receipt 1" in page
    assert "Taken in cash" not in page
    assert (state(reference), box(village)) == ("confirmed", 90_000)


def test_sent_twice_the_second_says_that_nothing_is_due(village, host):
    reference = hold(village)
    take(host, village, reference)
    again = take(host, village, reference)
    assert again.status_code == 409
    assert "Nothing is due for this booking any more." in again.text
    assert (count(CashTaken), box(village)) == (1, 90_000)


def test_a_page_that_shows_another_sum_takes_nothing(village, host):
    reference = hold(village)
    for fields in ({"shown": 80_000}, {"amount": 45_000}):
        answer = take(host, village, reference, **fields)
        assert answer.status_code == 409
        assert "Another amount is due by now" in answer.text
    assert (count(CashTaken), state(reference)) == (0, "held")


@pytest.mark.parametrize("fields", [{"amount": ""}, {"shown": "x"}, {"amount": "-1"}])
def test_what_is_no_amount_is_refused(village, host, fields):
    reference = hold(village)
    assert take(host, village, reference, **fields).status_code == 422
    assert count(CashTaken) == 0


def test_a_hold_that_is_over_takes_no_cash(village, host):
    reference = hold(village)
    with time_machine.travel(get_booking(db.session(), reference).held_until):
        answer = take(host, village, reference)
    assert answer.status_code == 409
    assert "The places were given back before" in answer.text
    assert count(CashTaken) == 0


def test_without_a_cash_box_there_is_no_button(village, host):
    db.session.execute(PaymentAccount.__table__.delete().where(PaymentAccount.provider == "cash"))
    db.session.commit()
    reference = hold(village)
    assert "Taken in cash" not in host.get(at(village, f"/bookings/{reference}")).text
    assert take(host, village, reference).status_code == 409
    assert "has no cash box yet" in host.get(at(village, "/money/cash")).text


def test_deposit_and_whole_price_stand_beside_each_other(sqlite_app):
    from tests.payments.test_cash import deposit

    village = make_village(terms=deposit(3000))
    host = a_browser(sqlite_app, "the-host", Grant(Role.COORDINATOR, village.id))
    reference = hold(village)
    page = host.get(at(village, f"/bookings/{reference}")).text
    assert "Deposit taken in cash: ฿270" in page
    assert "Taken in cash: ฿900" in page
    take(host, village, reference, amount=27_000)
    page = host.get(at(village, f"/bookings/{reference}")).text
    assert "Taken in cash: ฿630" in page
    assert "Deposit taken" not in page


def test_who_promised_stands_on_the_days_lists_and_can_be_let_go(village, host):
    reference = hold(village)
    pages = [f"/{name}?on={factories.TOMORROW}" for name in ("check-in", "day-sheet", "day")]
    assert not any("cash" in host.get(at(village, page)).text for page in pages)
    start(reference, "cash")
    for page, words in zip(
        pages, ("They pay in cash", "They pay in cash", "Take the cash"), strict=True
    ):
        assert words in host.get(at(village, page)).text, page
    page = at(village, f"/bookings/{reference}")
    assert "The guest has promised to pay in cash" in host.get(page).text
    assert send(host, f"{page}/release", page).status_code == 303
    assert state(reference) == "cancelled"
    assert send(host, f"{page}/release", at(village, "/money/cash")).status_code == 409


def test_the_rest_is_taken_at_check_in(village, host):
    reference = factories.book(village, {"ADULT": 1})
    factories.change_booking(reference, party={"ADULT": 2})
    page = host.get(at(village, f"/check-in?on={factories.TOMORROW}")).text
    assert f"/bookings/{reference}#collect" in page
    assert take(host, village, reference, amount=45_000, shown=45_000).status_code == 303
    assert box(village) == 45_000


# --- the box -------------------------------------------------------------------------------------


@pytest.fixture
def filled(village):
    """A box with the cash of one booking; its reference."""
    reference = hold(village)
    cash.take_cash(village.id, reference, village.person_id, NOW, PROVIDERS)
    return reference


def test_two_people_count_the_box_and_the_page_tells_each_what_to_do(
    village, host, treasurer, filled
):
    page = at(village, "/money/cash")
    shown = host.get(page).text
    assert "฿900.00" in shown
    assert filled in shown
    answer = send(host, f"{page}/counts", page, counted="890.50", note="coins")
    assert answer.status_code == 303
    own, other = host.get(page).text, treasurer.get(page).text
    for each in (own, other):
        assert "฿890.50" in each
        assert "฿9.50 too little" in each
        assert "coins" in each
    assert "I counted the same" not in own
    assert "A second person counts the box as well" in own
    assert "I counted the same" in other
    assert send(treasurer, f"{page}/counts/1/agree", page).status_code == 303
    assert box(village) == 89_050
    shown = host.get(page).text
    assert "Last counted by" in shown
    assert "No cash was taken since then." in shown


def test_the_same_person_and_an_outdated_count_are_refused_on_the_page(
    village, host, treasurer, filled
):
    page = at(village, "/money/cash")
    send(host, f"{page}/counts", page, counted="800")
    alone = send(host, f"{page}/counts/1/agree", page)
    assert alone.status_code == 409
    assert "A second person must do this" in alone.text
    cash_box.bank_cash(village.id, 10_000, "B1", village.person_id, NOW)
    outdated = send(treasurer, f"{page}/counts/1/agree", page)
    assert outdated.status_code == 409
    assert "Please count again" in outdated.text
    assert box(village) == 80_000
    assert "I counted the same" not in treasurer.get(page).text
    assert send(treasurer, f"{page}/counts/1/dismiss", page).status_code == 303
    assert db.session.scalars(select(CashCount.agreed_at)).one() is None
    assert send(treasurer, f"{page}/counts/1/dismiss", page).status_code == 409
    assert send(treasurer, f"{page}/counts/9/agree", page).status_code == 404


@pytest.mark.parametrize("counted", ["", "abc", "-1", "1.234", "99999999999999"])
def test_what_is_no_amount_is_not_counted_and_stays_in_the_form(village, host, counted):
    page = at(village, "/money/cash")
    answer = send(host, f"{page}/counts", page, counted=counted, note="kept")
    assert answer.status_code == 422
    assert 'value="kept"' in answer.text
    assert f'value="{counted}"' in answer.text
    assert count(CashCount) == 0


def test_an_empty_box_can_be_counted(village, host):
    page = at(village, "/money/cash")
    assert send(host, f"{page}/counts", page, counted="0").status_code == 303
    assert "it fits" in host.get(page).text


def test_cash_on_its_way_is_seen_by_a_second_person(village, host, treasurer, filled):
    page = at(village, "/money/cash")
    send(host, f"{page}/banked", page, amount="600", bank_reference="BR 1")
    own = host.get(page).text
    assert "A second person looks into the bank account" in own
    assert "I saw it in the account" not in own
    seen = f"{page}/banked/1"
    refused = send(host, seen, page, what="seen")
    assert refused.status_code == 409
    assert "A second person must do this" in refused.text
    assert send(treasurer, seen, page, what="lost").status_code == 422
    assert count(CashCleared) == 0
    assert "On its way to the bank" in treasurer.get(page).text
    assert "Cash on its way to the bank" in treasurer.get(at(village, "/money/work")).text
    assert "Cash on its way to the bank" in treasurer.get(at(village, "/money")).text
    assert send(treasurer, seen, page, what="seen").status_code == 303
    assert count(CashCleared) == 1
    shown = host.get(page).text
    assert "Seen in the account by" in shown
    assert "On its way to the bank" not in shown
    assert send(treasurer, seen, page, what="back").status_code == 409
    assert "Nothing is to be looked at." in treasurer.get(at(village, "/money/work")).text


def test_a_promise_is_written_down_after_the_trip_from_the_cash_page(village, guest, host):
    reference = hold(village)
    promise(guest, reference)
    trip = get_booking(db.session(), reference).trip
    db.session.rollback()
    with time_machine.travel(trip.ends_at + timedelta(days=3), tick=True):
        lapse_overdue_holds(utc_now())
        again = a_browser(host.application, "another-host", Grant(Role.COORDINATOR, village.id))
        box_page = again.get(at(village, "/money/cash")).text
        assert "Promised, and not written down yet" in box_page
        page = at(village, f"/bookings/{reference}")
        assert page in box_page
        shown = again.get(page).text
        assert "The trip is over. If they paid, write it down until" in shown
        assert "They did not come, or did not pay" in shown
        done = send(again, f"{page}/cash", page, amount="90000", shown="90000")
        assert done.status_code == 303
        assert state(reference) == "confirmed"
        assert (
            "Promised, and not written down yet" not in again.get(at(village, "/money/cash")).text
        )


def test_cash_is_brought_to_the_bank(village, host, filled):
    page = at(village, "/money/cash")
    answer = send(host, f"{page}/banked", page, amount="900.01", bank_reference="B1")
    assert answer.status_code == 409
    assert "The box holds only ฿900.00." in answer.text
    for fields in ({"amount": "0", "bank_reference": "B1"}, {"amount": "10"}, {}):
        assert send(host, f"{page}/banked", page, **fields).status_code == 422
    assert count(CashBanked) == 0
    sent = send(host, f"{page}/banked", page, amount="900", bank_reference="B 1")
    assert sent.status_code == 303
    assert "B 1" in host.get(page).text
    assert box(village) == 0


# --- transfers -----------------------------------------------------------------------------------


def test_a_large_transfer_asks_for_a_second_person(village, host, treasurer):
    money_rules.set_money_rules(village.id, MoneyRules(90_000, 90_000), village.person_id, NOW)
    attempt = start(hold(village), "promptpay")
    page, address = at(village, "/transfers"), at(village, f"/transfers/{attempt.id}")
    assert "two people look" in host.get(page).text
    assert send(host, address, page, bank_reference="R1").status_code == 303
    own, other = host.get(page).text, treasurer.get(page).text
    for each in (own, other):
        assert "A second person must look too." in each
        assert "r1" in each
    assert address not in own
    assert "I see it in the account too" in other
    alone = send(host, address, page, bank_reference="R1")
    assert alone.status_code == 409
    assert "A second person must do this" in alone.text
    differs = send(treasurer, address, page, bank_reference="R2")
    assert differs.status_code == 409
    assert "noted another bank reference: r1" in differs.text
    assert (count(TransferConfirmation), state(attempt.reference)) == (0, "held")
    assert send(treasurer, address, page).status_code == 303
    assert (count(TransferConfirmation), state(attempt.reference)) == (1, "confirmed")


def test_what_was_another_transfer_is_set_aside(village, host, treasurer):
    money_rules.set_money_rules(village.id, MoneyRules(90_000, 90_000), village.person_id, NOW)
    attempt = start(hold(village), "promptpay")
    page = at(village, "/transfers")
    send(host, at(village, f"/transfers/{attempt.id}"), page)
    db.session.rollback()
    look = queries.list_looks(db.session(), [attempt.id])[attempt.id]
    address = at(village, f"/looks/{look.id}/dismiss")
    assert address in treasurer.get(page).text
    assert send(treasurer, address, page).status_code == 303
    assert "two people look" in host.get(page).text
    assert send(treasurer, address, page).status_code == 409
    assert (count(TransferLook), count(TransferConfirmation)) == (1, 0)


def test_the_text_of_a_slips_code_may_be_pasted(village, host):
    from tests.payments.test_transfers import slip

    attempt = start(hold(village), "promptpay")
    page, address = at(village, "/transfers"), at(village, f"/transfers/{attempt.id}")
    damaged = send(host, address, page, bank_reference=slip("AB12")[:-1] + "G")
    assert damaged.status_code == 422
    assert "This code cannot be used" in damaged.text
    assert count(TransferConfirmation) == 0
    assert send(host, address, page, bank_reference=f" {slip('AB12')} ").status_code == 303
    db.session.rollback()
    [done] = db.session.scalars(select(TransferConfirmation))
    assert (done.bank, done.bank_reference) == ("004", "ab12")


# --- the ways to be paid -------------------------------------------------------------------------

ACCOUNTS = "/money/accounts"


def known(village):
    db.session.rollback()
    return {each.provider: each for each in queries.list_accounts(db.session(), village.id)}


def test_the_coordinator_reads_the_ways_to_be_paid_and_changes_nothing(village, host):
    page = host.get(at(village, ACCOUNTS)).text
    assert "Only the treasurer can change these." in page
    assert "081-234-5678" in page
    forms = re.findall(r'<form[^>]*action="([^"]+)"', page.partition("<h1>")[2])
    assert [each for each in forms if "/money/" in each] == [at(village, "/money/mail")]
    before = known(village)
    for address, fields in (
        (f"{ACCOUNTS}/promptpay", {"kind": "phone", "number": "0899999999", "name_th": "x"}),
        (f"{ACCOUNTS}/promptpay/do", {"do": "close"}),
        ("/money/limits", {"two_people": "1", "approve": "1"}),
    ):
        cash_page = at(village, "/money/cash")
        assert send(host, at(village, address), cash_page, **fields).status_code == 403
    assert known(village) == before
    assert host.get(at(village, f"{ACCOUNTS}/promptpay")).status_code == 403


def test_a_number_that_two_people_changed_is_tried_at_once(village, treasurer, host):
    start(hold(village), "promptpay")
    page = at(village, f"{ACCOUNTS}/promptpay")
    assert "Guests have codes before them" in treasurer.get(page).text
    wrong = send(treasurer, page, page, kind="phone", number="12", name_th="กลุ่ม")
    assert wrong.status_code == 422
    assert "PromptPay does not know this kind of number." in wrong.text
    assert known(village)["promptpay"].receiver["id"] == "081-234-5678"
    fields = {"kind": "phone", "number": "089-999-9999", "name_th": "กลุ่ม", "name_en": "Group"}
    assert send(treasurer, page, page, **fields).status_code == 303
    assert known(village)["promptpay"].receiver["id"] == "081-234-5678"
    address = re.search(r'action="([^"]+/approve)"', host.get(at(village, ACCOUNTS)).text)[1]
    assert send(host, address, at(village, ACCOUNTS)).status_code == 303
    after = known(village)["promptpay"]
    assert after.receiver == {"kind": "phone", "id": "089-999-9999"}
    assert after.receiver_name == {"th": "กลุ่ม", "en": "Group"}
    assert (after.checked_at is not None, after.problem) == (True, "")
    shown = treasurer.get(at(village, ACCOUNTS)).text
    assert "it works" in shown
    assert "qr-code" in shown


def test_a_problem_that_was_found_is_told_in_words(village, treasurer):
    db.session.execute(
        PaymentAccount.__table__.update()
        .where(PaymentAccount.provider == "promptpay")
        .values(receiver={"kind": "phone", "id": "1"})
    )
    db.session.commit()
    page = at(village, ACCOUNTS)
    assert send(treasurer, f"{page}/promptpay/do", page, do="check").status_code == 303
    shown = treasurer.get(page).text
    assert "PromptPay does not know this number" in shown


@pytest.mark.parametrize("do", ["", "burn"])
def test_what_nobody_can_do_with_an_account_is_refused(village, treasurer, do):
    page = at(village, ACCOUNTS)
    assert send(treasurer, f"{page}/demo/do", page, do=do).status_code == 422
    assert send(treasurer, f"{page}/bitcoin/do", page, do="close").status_code == 404
    assert treasurer.get(f"{page}/bitcoin").status_code == 404


def test_ways_to_be_paid_are_closed_opened_and_put_in_order(village, treasurer):
    page = at(village, ACCOUNTS)
    for provider in ("demo", "promptpay", "cash"):
        send(treasurer, f"{page}/{provider}/do", page, do="close")
    assert "no way to pay is open" in treasurer.get(page).text
    send(treasurer, f"{page}/promptpay/do", page, do="open")
    send(treasurer, f"{page}/promptpay/do", page, do="up")
    assert [(each.provider, each.is_open) for each in known(village).values()] == [
        ("promptpay", True),
        ("demo", False),
        ("cash", False),
    ]


def test_only_what_is_offered_here_can_be_added(sqlite_app):
    community_id = factories.make_community(is_sample=False)
    slug = factories.get_community_by_id(db.session(), community_id).slug
    treasurer = a_browser(sqlite_app, "the-treasurer", Grant(Role.TREASURER, community_id))
    page = f"/en/host/{slug}{ACCOUNTS}"
    shown = treasurer.get(page).text
    assert "has no way to be paid yet" in shown
    added = re.findall(rf'href="{page}/(\w+)"', shown)
    assert sorted(added) == ["cash", "promptpay"]
    assert treasurer.get(f"{page}/demo").status_code == 404
    form = f"{page}/cash"
    assert send(treasurer, form, form, guests="y").status_code == 422
    assert send(treasurer, form, form, guests="y", name_th="กลุ่ม").status_code == 303
    [account] = queries.list_accounts(db.session(), community_id)
    assert (account.provider, account.receiver) == ("cash", {"guests": "yes"})


def test_the_limits_are_set_in_baht(village, treasurer):
    page, address = at(village, ACCOUNTS), at(village, "/money/limits")
    assert 'value="5,000.00"' in treasurer.get(page).text
    for fields in ({"two_people": "0", "approve": "1"}, {"two_people": "x", "approve": "1"}, {}):
        assert send(treasurer, address, page, **fields).status_code == 422
    assert money_rules.get_money_rules(db.session(), village.id, NOW) == MoneyRules()
    answer = send(treasurer, address, page, two_people="1,000.50", approve="300")
    assert answer.status_code == 303
    db.session.rollback()
    assert money_rules.get_money_rules(db.session(), village.id, NOW) == MoneyRules(100_050, 30_000)
