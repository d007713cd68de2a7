"""The outbox: what is queued, what a real mail server receives, what happens when it refuses."""

import smtplib
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from cbt.bookings import hold as bookings
from cbt.db import db
from cbt.notices.models import Notice
from cbt.notices.services import MOST_TRIES, forget_old, send_due, smtp_sender
from cbt.payments import give_back
from cbt.payments.providers.demo import Act
from cbt.worker import letter_facts
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.site import NOW, free_port


class Mailbox:
    """A mail server's handler that keeps what it gets."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def mailbox():
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    box.url = f"smtp://127.0.0.1:{server.port}"
    yield box
    server.stop()


@pytest.fixture
def village(app):
    return factories.make_village()


def send(app, how, now=NOW):
    return send_due(how, letter_facts(app), "village@example.org", now)


def states():
    db.session.rollback()
    return list(db.session.execute(select(Notice.state, Notice.tries).order_by(Notice.id)))


def book(village, language):
    reference = factories.hold(village)
    with bookings.transaction() as session:
        session.execute(bookings.update(bookings.Booking).values(language=language))
    factories.pay_by_demo(reference)
    return reference


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        pytest.param(
            "th", "ยืนยันการจอง {} แล้ว", ["วันอังคารที่ 24 พฤศจิกายน พ.ศ. 2569", "900.00 บาท"], id="thai"
        ),
        pytest.param(
            "en",
            "Your booking {} is confirmed",
            ["Tuesday, 24 November 2026", "฿900.00"],
            id="english",
        ),
    ],
)
def test_the_confirmation_arrives_in_the_guests_language(
    app, village, mailbox, language, subject, words
):
    reference = book(village, language)
    assert send(app, smtp_sender(mailbox.url)) == 1
    [mail] = mailbox.mails
    assert mail["Subject"] == subject.format(reference)
    assert mail["To"] == "guest@example.org"
    assert mail["Content-Language"] == language
    plain = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    for word in [*words, reference]:
        assert word in plain
        assert word in html
    assert f"/{language}/b/" in plain
    [calendar] = list(mail.iter_attachments())
    assert calendar.get_content_type() == "text/calendar"
    assert "TZID=Asia/Bangkok:20261124T083000" in calendar.get_content()


def test_a_mail_is_sent_once(app, village, mailbox):
    factories.book(village)
    assert send(app, smtp_sender(mailbox.url)) == 1
    assert send(app, smtp_sender(mailbox.url), NOW + timedelta(days=1)) == 0
    assert states() == [("sent", 1)]


def test_two_workers_send_a_mail_once(app, village):
    factories.book(village)
    taken = []
    results = run_together(app, lambda _number: send(app, taken.append), 4)
    assert sum(results) == 1
    assert len(taken) == 1


def test_money_coming_back_is_told_in_words(app, village, mailbox):
    reference = factories.hold(village)
    factories.pay_by_demo(reference, what=Act.PAY_TWICE)
    give_back.send_refunds(PROVIDERS, NOW)
    assert send(app, smtp_sender(mailbox.url)) == 3
    texts = [mail.get_body(("plain",)).get_content() for mail in mailbox.mails]
    assert "paid twice" in texts[1]
    assert "will be returned to you in full" in texts[1]
    assert "We returned ฿900.00" in texts[2]


def test_a_mail_server_that_refuses_is_tried_again_ever_later_and_then_given_up(app, village):
    factories.book(village)

    def refuse(_mail):
        raise smtplib.SMTPServerDisconnected("gone")

    now = NOW
    for tries in range(1, MOST_TRIES + 1):
        assert send(app, refuse, now) == 0
        assert send(app, refuse, now) == 0  # not due again yet
        assert states() == [("failed" if tries == MOST_TRIES else "queued", tries)]
        now += timedelta(minutes=2**tries)
    assert db.session.scalar(select(Notice.failure)) == "SMTPServerDisconnected"


def test_without_an_address_nothing_is_queued(village):
    reference = factories.hold(village)
    with bookings.transaction() as session:
        session.execute(bookings.update(bookings.Booking).values(guest_email=None))
    factories.pay_by_demo(reference)
    assert states() == []


def test_sent_mails_are_forgotten_after_a_month(app, village):
    factories.book(village)
    send(app, lambda _mail: None)
    forget_old(NOW + timedelta(days=29))
    assert db.session.scalar(select(Notice.recipient)) == "guest@example.org"
    forget_old(NOW + timedelta(days=31))
    db.session.rollback()
    notice = db.session.scalars(select(Notice)).one()
    assert (notice.recipient, notice.facts) == ("", {})
