"""Every mail of the booking engine, as a real mail server receives it, in both languages."""

import re
from datetime import date, timedelta
from html import unescape

import pytest
from icalendar import Calendar

from cbt.audit import case_work
from cbt.audit.case_work import NewCase
from cbt.audit.findings import Check, Fault, Finding
from cbt.bookings import hold as holding
from cbt.bookings import waitlist
from cbt.bookings.change import Wanted
from cbt.bookings.queries import get_booking
from cbt.bookings.states import EndReason
from cbt.bookings.terms import DEFAULT, Deposit, Terms, canonical
from cbt.bookings.waitlist import Joining, offer_places
from cbt.db import db, transaction
from cbt.i18n import format_day, use_language
from cbt.notices.mail import KINDS, moment
from cbt.notices.models import Notice
from cbt.notices.services import send_due, smtp_sender
from cbt.payments import account_changes, cancel, change, give_back, pay, queries, take_in
from cbt.payments.account_rules import ALONE_AFTER
from cbt.payments.balances import remind_of_balances
from cbt.payments.call_off import CHOOSE_WITHIN, call_off
from cbt.payments.provider import RefundState
from cbt.payments.providers.demo import Act, act
from cbt.payments.queries import list_credits_of
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue import follow_ups
from cbt.revenue.policy_rules import Severity
from cbt.worker import letter_facts, policy_for
from tests import factories
from tests.factories import PROVIDERS, RECEIVERS
from tests.mailbox import open_mailbox
from tests.reading import foreign_words
from tests.revenue import visits
from tests.scripted import Scripted
from tests.site import NOW

LATER = date(2026, 12, 24)
LONG_BEFORE = NOW - timedelta(days=60)
_VILLAGES_OWN = re.compile(r"ไทย [a-z_]+")  # what factories.text writes in Thai


@pytest.fixture
def village(app):
    return factories.make_village()


@pytest.fixture
def mailbox():
    with open_mailbox() as box:
        yield box


@pytest.fixture(params=["th", "en"])
def language(request):
    return request.param


class Post:
    """The mails that went out, by kind."""

    def __init__(self, app, mailbox):
        self._app, self._mailbox = app, mailbox

    def kinds(self):
        db.session.rollback()
        rows = db.session.query(Notice).order_by(Notice.id)
        return [notice.kind for notice in rows]

    def get(self, kind):
        """The last mail of a kind, after everything that is queued was sent."""
        kinds = self.kinds()
        facts, send = letter_facts(self._app), smtp_sender(self._mailbox.url)
        while send_due(send, facts, "village@example.org", NOW + timedelta(days=2)):
            pass
        assert len(self._mailbox.mails) == len(kinds)
        return self._mailbox.mails[len(kinds) - 1 - kinds[::-1].index(kind)]


@pytest.fixture
def post(app, mailbox):
    return Post(app, mailbox)


def speak(reference, language):
    with transaction() as session:
        session.execute(
            holding.update(holding.Booking)
            .where(holding.Booking.reference == reference)
            .values(language=language)
        )
    return reference


def booked(village, language, party=None, now=LONG_BEFORE):
    reference = speak(factories.hold(village, party, now), language)
    factories.pay_by_demo(reference, now)
    return reference


def plain(mail):
    return mail.get_body(("plain",)).get_content()


def require_sound(mail, language, *words):
    """Both forms say the words and hold nothing of the other language; the links are ours."""
    text, html = plain(mail), mail.get_body(("html",)).get_content()
    assert mail["Content-Language"] == language
    for word in words:
        assert word in text, word
        assert word in html, word
    assert foreign_words(_VILLAGES_OWN.sub("", html), language) == []
    unlinked = re.sub(r"https?://\S+|C-[2-9A-Z]{4}-[2-9A-Z]{4}", "", text)
    written = f"{mail['Subject']} {_VILLAGES_OWN.sub('', unlinked)}"
    assert foreign_words(written, language) == []
    visible = unescape(re.sub(r"<[^>]+>", "", html.partition("<body")[2]))
    for line in re.sub(r"https?://\S+", "", text).splitlines():
        for part in line.rstrip(":").split(" · "):
            assert part.strip() in visible, part
    links = set(re.findall(r'href="([^"]+)"', html))
    assert links
    assert all(f"/{language}/" in link and link in text for link in links)


def baht(language, number):
    return f"{number} บาท" if language == "th" else f"฿{number}"


def when(language, instant):
    with use_language(language):
        return moment(instant, "Asia/Bangkok")


def event_of(mail):
    [attachment] = list(mail.iter_attachments())
    calendar = Calendar.from_ical(attachment.get_content())
    [event] = calendar.walk("VEVENT")
    return calendar, event


# --- changes -------------------------------------------------------------------------------------


def test_a_changed_booking_is_told_with_what_is_still_to_pay_and_moves_in_the_calendar(
    village, post, language
):
    reference = booked(village, language)
    first = event_of(post.get("booking_confirmed"))[1]
    other = factories.make_departure(village.option_id, LATER)
    wanted = Wanted(departure_id=other, party={"ADULT": 3})
    change.change(reference, wanted, change.quote_change(reference, wanted, LONG_BEFORE), NOW)
    mail = post.get("booking_changed")
    begins_at = get_booking(db.session(), reference).trip.begins_at
    require_sound(
        mail,
        language,
        reference,
        when(language, begins_at),
        baht(language, "1,350.00"),
        baht(language, "900.00"),
        baht(language, "450.00"),
    )
    calendar, event = event_of(mail)
    assert calendar["METHOD"] == "PUBLISH"
    assert event["UID"] == first["UID"]
    assert event["SEQUENCE"] > first["SEQUENCE"]
    assert event["DTSTART"].dt.date() == LATER


def test_a_lower_price_is_told_in_both_mails_to_the_satang(village, post, language):
    reference = booked(village, language, {"ADULT": 2, "CHILD": 1})
    wanted = Wanted(departure_id=village.departure_id, party={"ADULT": 2})
    quote = change.quote_change(reference, wanted, LONG_BEFORE)
    change.change(reference, wanted, quote, LONG_BEFORE)
    assert quote.refund_satang == 22_550
    back = baht(language, "225.50")
    require_sound(post.get("booking_changed"), language, back, baht(language, "1,125.50"))
    mail = post.get("refund_coming")
    require_sound(mail, language, reference, back)
    wrong = "it cannot be used for it" if language == "en" else "ใช้กับการจองนี้ไม่ได้"
    assert wrong not in plain(mail)


def test_money_that_buys_nothing_still_comes_back_in_full(village, post, language):
    reference = speak(factories.hold(village), language)
    factories.pay_by_demo(reference, what=Act.PAY_TWICE)
    give_back.send_refunds(PROVIDERS, NOW)
    require_sound(post.get("refund_coming"), language, reference, baht(language, "900.00"))
    require_sound(post.get("refund_done"), language, reference, baht(language, "900.00"))
    if language == "en":
        assert "cannot be used for it: paid twice" in plain(post.get("refund_coming"))


def test_the_rest_that_was_paid_is_told_with_what_is_left(village, post, language):
    reference = booked(village, language)
    wanted = Wanted(departure_id=village.departure_id, party={"ADULT": 4})
    change.change(reference, wanted, change.quote_change(reference, wanted, NOW), NOW)
    factories.pay_by_demo(reference, NOW)
    mail = post.get("balance_paid")
    paid, total = baht(language, "900.00"), baht(language, "1,800.00")
    require_sound(mail, language, reference, paid, total)
    assert list(mail.iter_attachments()) == []


def test_the_rest_of_a_deposit_is_asked_for_before_it_is_due(app, post, language):
    terms = canonical(Terms("Deposit", DEFAULT.tiers, Deposit(3000, 7)))
    village = factories.make_village(terms=terms, on=NOW.date() + timedelta(days=9))
    reference = factories.hold(village, language=language)
    number = pay.start_attempt(reference, "demo", factories.PROVIDERS, NOW, whole=False)
    attempt = queries.get_attempt_of(db.session(), reference, number)
    act(str(attempt.provider_ref), Act.PAY, attempt.amount_satang, NOW, NOW)
    take_in.take_in(attempt.id, factories.PROVIDERS, NOW)
    assert remind_of_balances(NOW) == 1
    mail = post.get("balance_due")
    require_sound(mail, language, reference, baht(language, "630.00"), baht(language, "900.00"))


# --- a refund that takes its time ----------------------------------------------------------------


def test_a_guest_whose_bank_account_is_needed_reads_where_and_until_when(village, post, language):
    reference = booked(village, language)
    cancel.cancel(reference, cancel.quote_cancellation(reference, LONG_BEFORE), LONG_BEFORE)
    bank = Scripted()
    bank.first = RefundState.ACTION_REQUIRED
    give_back.send_refunds(bank.among, NOW)
    until = NOW + timedelta(days=10)
    with use_language(language):
        when = moment(until, "Asia/Bangkok")
    mail = post.get("refund_needs_bank")
    require_sound(mail, language, reference, baht(language, "900.00"), when)
    bank.tell_all(RefundState.FAILED, NOW)
    give_back.look_up_refunds(bank.among, NOW)
    require_sound(post.get("refund_delayed"), language, reference, baht(language, "900.00"))


# --- cancelling ----------------------------------------------------------------------------------


def test_a_cancellation_is_told_with_the_money_that_comes_back(village, post, language):
    reference = booked(village, language)
    quote = cancel.quote_cancellation(reference, LONG_BEFORE)
    cancel.cancel(reference, quote, LONG_BEFORE)
    mail = post.get("booking_cancelled")
    require_sound(mail, language, reference, baht(language, "900.00"))
    calendar, event = event_of(mail)
    assert calendar["METHOD"] == "CANCEL"
    assert event["STATUS"] == "CANCELLED"
    require_sound(post.get("refund_coming"), language, baht(language, "900.00"))


def test_a_late_cancellation_says_what_the_terms_keep(village, post, language):
    reference = booked(village, language)
    quote = cancel.quote_cancellation(reference, NOW)
    kept = 90_000 - quote.refund.refund_satang
    assert kept > 0
    cancel.cancel(reference, quote, NOW)
    with use_language(language):
        require_sound(post.get("booking_cancelled"), language, f"{kept // 100:,}.{kept % 100:02}")


def test_a_cancellation_for_credit_tells_the_code_and_how_to_use_it(village, post, language):
    reference = booked(village, language)
    quote = cancel.quote_cancellation(reference, LONG_BEFORE)
    cancel.cancel(reference, quote, LONG_BEFORE, as_credit=True)
    booking = get_booking(db.session(), reference)
    [credit] = list_credits_of(db.session(), booking.id)
    amount = baht(language, "900.00")
    require_sound(post.get("credit_issued"), language, reference, credit.code, amount)
    told = post.get("booking_cancelled")
    require_sound(told, language, amount)
    words = "goes back to you" if language == "en" else "จะคืนเงิน"
    assert words not in plain(told)


def test_a_cancelled_hold_says_that_nothing_was_paid(village, post, language):
    reference = speak(factories.hold(village), language)
    cancel.cancel(reference, cancel.quote_cancellation(reference, NOW), NOW)
    mail = post.get("booking_cancelled")
    words = "Nothing was paid" if language == "en" else "ยังไม่มีการชำระเงิน"
    require_sound(mail, language, reference, words)
    assert list(mail.iter_attachments()) == []


# --- called off ----------------------------------------------------------------------------------


def test_a_call_off_tells_who_paid_what_they_can_choose_and_by_when(village, post, language):
    reference = booked(village, language)
    call_off(village.id, village.departure_id, EndReason.WEATHER, NOW)
    mail = post.get("called_off")
    why = "for the weather" if language == "en" else "เพราะสภาพอากาศ"
    until = when(language, NOW + CHOOSE_WITHIN)
    require_sound(mail, language, reference, why, until, baht(language, "900.00"))
    calendar, event = event_of(mail)
    assert calendar["METHOD"] == "CANCEL"
    assert event["STATUS"] == "CANCELLED"


def test_a_call_off_that_was_answered_already_asks_for_nothing(village, post, language):
    reference = booked(village, language)
    call_off(village.id, village.departure_id, EndReason.TOO_FEW, NOW)
    cancel.cancel(reference, cancel.quote_cancellation(reference, NOW), NOW)
    mail = post.get("called_off")
    require_sound(mail, language, reference)
    assert when(language, NOW + CHOOSE_WITHIN) not in plain(mail)


def test_a_call_off_tells_who_had_not_paid_that_nothing_is_owed(village, post, language):
    reference = speak(factories.hold(village), language)
    call_off(village.id, village.departure_id, EndReason.COMMUNITY, NOW)
    words = "Nothing was paid" if language == "en" else "ยังไม่มีการชำระเงิน"
    require_sound(post.get("called_off"), language, reference, words)


# --- requests ------------------------------------------------------------------------------------


@pytest.fixture
def asked(village, language):
    """A request that waits for the community's answer."""
    option_id = factories.make_option(village.id, code="asked", request_hours=24)
    departure_id = factories.make_departure(option_id, LATER)
    asking = factories.replace(village, option_id=option_id, departure_id=departure_id)
    return speak(factories.hold(asking), language)


def test_an_agreed_request_says_until_when_to_pay(village, asked, post, language):
    holding.agree_to_request(village.id, asked, NOW)
    until = get_booking(db.session(), asked).held_until
    mail = post.get("request_agreed")
    require_sound(mail, language, asked, when(language, until), baht(language, "900.00"))


def test_a_declined_request_shows_the_way_to_another_day(village, asked, post, language):
    holding.decline_request(village.id, asked, NOW)
    require_sound(post.get("request_declined"), language, asked, f"/c/{village.slug}/")


def test_a_request_without_an_answer_is_told(village, asked, post, language):
    assert holding.lapse_overdue_holds(NOW + timedelta(days=2)) == 1
    require_sound(post.get("request_lapsed"), language, asked, f"/c/{village.slug}/")


# --- cash on arrival -----------------------------------------------------------------------------


def test_a_promise_of_cash_says_what_to_bring_and_how_to_cancel(village, post, language):
    reference = factories.hold(village, language=language)
    factories.start(reference, "cash")
    mail = post.get("cash_promised")
    require_sound(mail, language, reference, baht(language, "900.00"), f"/{language}/b/")


# --- the waiting list ----------------------------------------------------------------------------


def wait_in_line(village, language):
    joining = Joining(
        departure_id=village.departure_id,
        party={"ADULT": 2},
        least=2,
        language=language,
        request_key="waiting-1",
        name="Guest",
        email="guest@example.org",
        phone="",
    )
    return waitlist.join(joining, NOW)


def test_who_waits_gets_the_link_to_their_place_in_line(village, post, language):
    wait_in_line(village, language)
    require_sound(post.get("waiting_joined"), language, f"/{language}/w/")


def test_an_offer_says_until_when_the_places_are_held(village, post, language):
    wait_in_line(village, language)
    assert offer_places(policy_for, NOW) == 1
    party = waitlist.get_waiting(db.session(), 1)
    mail = post.get("places_offered")
    until = NOW + waitlist.OFFER_FOR
    assert party.booking_id is not None
    require_sound(mail, language, when(language, until), baht(language, "900.00"))


def test_who_waited_for_a_trip_that_does_not_run_is_told_why(village, post, language):
    wait_in_line(village, language)
    call_off(village.id, village.departure_id, EndReason.WEATHER, NOW)
    why = "for the weather" if language == "en" else "เพราะสภาพอากาศ"
    require_sound(post.get("waiting_over"), language, why, f"/c/{village.slug}/")


# --- to people of the community -----------------------------------------------------------------

OTHER = {"kind": "tax_id", "id": "1101700230708"}


def a_treasurer(village, language):
    person_id = people.add_person("dee", "7-7", "long enough", language, NOW)
    people.grant_role(person_id, Grant(Role.TREASURER, village.id), NOW)
    people.set_mail(person_id, "treasurer@example.org")
    return person_id


def a_change(village, person_id):
    about = (village.id, PROVIDERS["promptpay"], OTHER, {"th": "7-7", "en": "7-7"}, person_id)
    assert not account_changes.change_account(*about, NOW)
    (waiting,) = queries.list_waiting_proposals(db.session(), village.id)
    db.session.rollback()
    return waiting.id


def test_the_people_of_a_community_are_told_where_its_money_shall_go(village, post, language):
    person_id = a_treasurer(village, language)
    proposer = people.add_person("host", "8-8", "long enough", language, NOW)
    proposal = a_change(village, proposer)
    agrees = "another person" if language == "en" else "ผู้อื่น"
    about = (OTHER["id"], RECEIVERS["promptpay"]["id"], f"/host/{village.slug}/money/accounts")
    require_sound(post.get("account_proposed"), language, *about, agrees)
    account_changes.refuse_change(village.id, proposal, "7-7", person_id, NOW)
    require_sound(post.get("account_kept"), language, *about, "7-7")
    account_changes.approve_change(
        village.id, a_change(village, proposer), person_id, PROVIDERS, NOW
    )
    require_sound(post.get("account_changed"), language, *about)


def test_a_lone_treasurer_is_told_when_the_change_takes_effect(village, post, language):
    person_id = a_treasurer(village, language)
    people.end_role(village.person_id, Grant(Role.COORDINATOR, village.id), NOW)
    about = (village.id, PROVIDERS["promptpay"], OTHER, {"th": "7-7", "en": "7-7"}, person_id)
    assert not account_changes.change_account(*about, NOW)
    until = when(language, NOW + ALONE_AFTER)
    require_sound(post.get("account_proposed"), language, until)
    assert account_changes.settle_proposals(PROVIDERS, NOW + ALONE_AFTER) == 1
    require_sound(post.get("account_changed"), language, "24")


# --- to the community's people and its mentor ----------------------------------------------------


def test_each_step_of_a_finding_is_told_in_the_readers_language(village, post, language):
    treasurer = a_treasurer(village, language)
    mentor = people.add_person("mentor", "5-5", "long enough", language, NOW)
    people.grant_role(mentor, Grant(Role.MENTOR, village.id), NOW)
    people.set_mail(mentor, "mentor@example.org")
    asks = NewCase(subject="book", severity=Severity.WARNING, words="9-9")
    number = case_work.open_case(village.id, asks, mentor, NOW)
    grave = "warning" if language == "en" else "คำเตือน"
    own = f"/host/{village.slug}/money/findings/{number}"
    require_sound(post.get("finding_opened"), language, own, grave, "9-9", "5-5", "23")
    case_work.answer_case(village.id, number, "8-8", None, treasurer, NOW)
    theirs = f"/mentor/{village.slug}/findings/{number}"
    require_sound(post.get("finding_answered"), language, theirs, "8-8", "7-7")
    case_work.reopen_case(village.id, number, "6-6", mentor, NOW)
    require_sound(post.get("finding_reopened"), language, own, "6-6")
    case_work.close_case(village.id, number, "4-4", mentor, NOW)
    require_sound(post.get("finding_closed"), language, own, "4-4")


def test_what_the_machine_found_is_told_in_the_readers_language(village, post, language):
    a_treasurer(village, language)
    mentor = people.add_person("mentor", "5-5", "long enough", language, NOW)
    people.grant_role(mentor, Grant(Role.MENTOR, village.id), NOW)
    found = Finding(Fault.DAY_DIFFERS, "book", {"posted": LATER, "computed": LATER})
    asks = case_work.of_check(1, 0, Check.SPLITS, found, None)
    case_work.open_case(village.id, asks, mentor, NOW)
    day = format_in(language, LATER)
    require_sound(post.get("finding_opened"), language, day)


def format_in(language, day):
    with use_language(language):
        return format_day(day)


def test_a_guest_who_asked_is_told_what_the_visit_paid_for(village, post, language):
    reference = visits.visit(village, language)
    visits.use_fund(village, 3)
    assert follow_ups.tell_what_visits_paid_for(visits.EVENING) == 1
    mail = post.get("follow_up")
    require_sound(mail, language, baht(language, "30.00"))
    assert reference in mail["Subject"]
    assert "H01" not in plain(mail)
    assert "/funds/" in plain(mail)


def test_every_kind_of_mail_is_made_by_the_tests_of_this_folder():
    assert set(KINDS) == {
        "account_proposed",
        "account_changed",
        "account_kept",
        "booking_confirmed",
        "balance_due",
        "balance_paid",
        "booking_changed",
        "booking_cancelled",
        "called_off",
        "credit_issued",
        "follow_up",
        "cash_promised",
        "refund_coming",
        "refund_needs_bank",
        "refund_delayed",
        "refund_done",
        "request_agreed",
        "request_declined",
        "request_lapsed",
        "places_offered",
        "waiting_joined",
        "waiting_over",
        "finding_opened",
        "finding_answered",
        "finding_closed",
        "finding_reopened",
    }
