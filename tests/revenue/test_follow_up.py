"""One line to a guest who asked for it: what the visit gave, and what a fund was used for since."""

from datetime import date, timedelta

import pytest
import time_machine
from sqlalchemy import select

from cbt.bookings.forget import forget_guests
from cbt.bookings.models import Booking
from cbt.bookings.references import BookingLinks
from cbt.db import db
from cbt.i18n import use_language
from cbt.ledger.entries import Draft, Leg
from cbt.notices.models import Notice
from cbt.revenue import follow_ups
from cbt.revenue.follow_up import Use, gifts_of, use_of
from cbt.revenue.fund_page import Line, Page, Sum
from cbt.revenue.funds import Purpose
from cbt.revenue.policy import Bucket
from cbt.web.follow_words import gifts_words
from tests import factories
from tests.concurrency import run_together
from tests.revenue.visits import EVENING, use_fund, visit
from tests.site import NOW, SECRET
from tests.web.forms import token

ON = date(2026, 11, 24)
ILLNESS, DEATH = Sum(Purpose.ILLNESS, 900, 3), Sum(Purpose.DEATH, 5_000, 4)
OTHER, LOSSES = Sum(Line.OTHER, 9_000, 2), Sum(Line.LOSSES, 9_999, 9)


def draft(kind, *legs):
    return Draft(kind=kind, subject="booking:B-1", effective_on=ON, legs=legs, key=kind, actor="")


def page(*went_out):
    return Page(1, (), went_out, 0)


def test_a_gift_is_what_the_split_gave_less_what_refunds_took_back():
    split = draft(
        "split",
        Leg("guest_deposit", "fund:welfare", 6_172, "bucket:welfare"),
        Leg("guest_deposit", "fund:develop", 9_000, "bucket:develop"),
        Leg("guest_deposit", "fund:conserve", 300, "bucket:conserve"),
        Leg("guest_deposit", "pool:provider", 80_000, "bucket:provider"),
    )
    back = draft(
        "take_back",
        Leg("fund:welfare", "given_back", 172, "taken_back:cost"),
        Leg("fund:conserve", "given_back", 300, "taken_back:cost"),
    )
    assert gifts_of([split]) == (
        (Bucket.DEVELOP, 9_000),
        (Bucket.WELFARE, 6_172),
        (Bucket.CONSERVE, 300),
    )
    assert gifts_of([split, back]) == ((Bucket.DEVELOP, 9_000), (Bucket.WELFARE, 6_000))
    assert gifts_of([]) == ()


@pytest.mark.parametrize(
    ("pages", "used"),
    [
        ({}, None),
        ({Bucket.WELFARE: page()}, None),
        ({Bucket.WELFARE: page(ILLNESS, DEATH, OTHER)}, Use(Bucket.WELFARE, DEATH)),
        (
            {Bucket.WELFARE: page(OTHER), Bucket.DEVELOP: page(ILLNESS)},
            Use(Bucket.DEVELOP, ILLNESS),
        ),
        ({Bucket.WELFARE: page(LOSSES, OTHER)}, Use(Bucket.WELFARE, OTHER)),
        ({Bucket.WELFARE: page(LOSSES)}, None),
        ({Bucket.MGMT: page(DEATH)}, None),
    ],
    ids=["unused", "empty", "largest", "named-first", "only-other", "losses", "gave-nothing"],
)
def test_of_the_uses_one_line_is_told_and_a_named_one_first(pages, used):
    assert use_of([(Bucket.WELFARE, 500), (Bucket.DEVELOP, 300)], pages) == used


# --- the mail ------------------------------------------------------------------------------------


@pytest.fixture
def village(app):
    return factories.make_village()


def tell(now=EVENING):
    db.session.rollback()
    return follow_ups.tell_what_visits_paid_for(now)


def mails():
    db.session.rollback()
    return list(db.session.scalars(select(Notice).where(Notice.kind == "follow_up")))


def wish(reference):
    db.session.rollback()
    return db.session.scalar(
        select(Booking.follow_up_agreed_at).where(Booking.reference == reference)
    )


def test_a_guest_who_asked_gets_one_mail_once_the_fund_is_used_and_never_another(village):
    reference = visit(village)
    assert tell() == 0, "nothing was used yet"
    use_fund(village, 3)
    assert tell() == 1
    use_fund(village, 2, satang=100)
    assert tell() == 0
    [mail] = mails()
    assert (mail.recipient, mail.key) == ("guest@example.org", f"follow_up:{reference}")
    assert mail.facts["use"] == ["welfare", "illness", 3_000, 3]
    assert wish(reference) is None, "what it was agreed for is over"


def test_two_workers_write_one_mail(app, village):
    visit(village)
    use_fund(village, 3)
    told = run_together(app, lambda _n: follow_ups.tell_what_visits_paid_for(EVENING), 2)
    assert sorted(told) == [0, 1]
    assert len(mails()) == 1


def test_who_did_not_ask_or_left_no_address_gets_none(village):
    first = visit(village, follow_up=False)
    assert wish(first) is None
    other = factories.make_village()
    second = visit(other, email="", phone="081-234-5678")
    assert wish(second) is None
    for each in (village, other):
        use_fund(each, 3)
    assert tell() == 0
    assert mails() == []


def test_few_payments_are_told_as_other_so_that_nobody_is_guessed(village):
    visit(village)
    use_fund(village, 2)
    assert tell() == 1
    [mail] = mails()
    assert mail.facts["use"] == ["welfare", "other", 2_000, 2]
    assert "H01" not in str(mail.facts)


def test_what_was_used_on_the_day_of_the_trip_or_before_is_not_what_it_paid_for(village):
    visit(village)
    use_fund(village, 3, on=EVENING - timedelta(days=1))
    assert tell() == 0


def test_a_wish_is_forgotten_with_the_guest(village):
    reference = visit(village)
    assert wish(reference) is not None
    forget_guests(EVENING + timedelta(days=200))
    assert wish(reference) is None


# --- the booking's page --------------------------------------------------------------------------


def test_the_guests_page_says_what_the_visit_gave_and_then_what_it_paid_for(app, village):
    """Everybody with the link reads it, whether they wanted a mail or not."""
    reference = visit(village, follow_up=False)
    link = BookingLinks(SECRET).sign(reference, EVENING)
    guest = app.test_client()
    address = f"/en/b/{link}"
    found = follow_ups.find_follow_up(db.session(), village.card, reference, ON)
    db.session.rollback()
    shown = guest.get(address).text
    assert "What your visit paid for" in shown
    with use_language("en"):
        assert gifts_words(found.gifts) in shown
    assert "Until now the fund" not in shown
    use_fund(village, 3)
    shown = guest.get(address).text
    assert "in 3 payments" in shown
    assert "H01" not in shown
    assert "hill" not in shown
    assert f"/en/funds/{village.slug}/welfare" in shown


def test_before_the_settlement_the_page_says_nothing_of_it(app, village):
    reference = factories.book(village)
    link = BookingLinks(SECRET).sign(reference, EVENING)
    assert "What your visit paid for" not in app.test_client().get(f"/en/b/{link}").text


@time_machine.travel(NOW, tick=False)
def test_the_box_is_empty_until_the_guest_ticks_it_and_can_be_emptied_again(app, village):
    reference = factories.hold(village)
    link = BookingLinks(SECRET).sign(reference, EVENING)
    guest, at = app.test_client(), f"/en/b/{link}"
    page_ = guest.get(f"{at}?change=1").text
    assert 'name="follow_up"' in page_
    assert not any('name="follow_up"' in each for each in page_.split("<") if "checked" in each)
    fields = {"csrf_token": token(page_), "name": "Guest", "email": "guest@example.org"}
    assert guest.post(at, data={**fields, "follow_up": "y"}).status_code == 303
    assert wish(reference) is not None
    again = guest.get(f"{at}?change=1").text
    assert any('name="follow_up"' in each for each in again.split("<") if "checked" in each)
    assert guest.post(at, data=fields).status_code == 303
    assert wish(reference) is None
