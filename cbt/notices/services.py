"""Queueing notices (a step of whoever causes them) and sending those that are due."""

import logging
import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from cbt.db import db, table_of, transaction
from cbt.notices.mail import Letter, compose
from cbt.notices.models import Notice

log = logging.getLogger("cbt.notices")

MOST_TRIES = 8
MOST_AT_ONCE = 10  # so that other duties get their turn while a mail server is slow
_SECONDS = 20
FORGET_AFTER = timedelta(days=30)

_INSERT = insert(table_of(Notice))

Send = Callable[[EmailMessage], None]
Complete = Callable[[dict[str, Any]], dict[str, Any]]


def queue(
    session: Session,
    *,
    key: str,
    kind: str,
    language: str,
    recipient: str,
    facts: dict[str, Any],
    now: datetime,
) -> None:
    """Put a notice into the outbox, in the transaction of the fact that it tells. A step."""
    session.execute(
        _INSERT,
        {
            "key": key,
            "kind": kind,
            "language": language,
            "recipient": recipient,
            "facts": facts,
            "state": "queued",
            "tries": 0,
            "queued_at": now,
            "send_after": now,
        },
    )


def send_due(send: Send, complete: Complete, sender: str, now: datetime) -> int:
    """Send what is due, one by one; a failure is tried again later, ever more slowly.

    `complete` adds what only the worker knows (addresses, signed links) to a notice's facts.
    Sends at most MOST_AT_ONCE; returns how many.
    """
    sent = 0
    for _each in range(MOST_AT_ONCE):
        due = _take_next(now)
        if due is None:
            break
        notice_id, letter = due
        try:
            full = Letter(letter.kind, letter.language, letter.recipient, complete(letter.facts))
            mail = compose(full, sender, now)
            db.session.rollback()  # nothing stays open while the mail server is asked
            send(mail)
        except Exception as error:  # whatever is wrong with one mail, the next ones go out
            log.warning("notice %s was not sent: %s", notice_id, type(error).__name__)
            _note_failure(notice_id, type(error).__name__)
        else:
            _note_sent(notice_id, now)
            sent += 1
    return sent


def _take_next(now: datetime) -> tuple[int, Letter] | None:
    """Take the next due notice: it is put off first, so that no other worker sends it as well."""
    with transaction() as session:
        row = session.execute(
            select(Notice)
            .where(Notice.state == "queued", Notice.send_after <= now)
            .order_by(Notice.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar_one_or_none()
        if row is None:
            return None
        row.tries += 1
        row.send_after = now + timedelta(minutes=2**row.tries)
        return row.id, Letter(row.kind, row.language, row.recipient, dict(row.facts))


def _note_sent(notice_id: int, now: datetime) -> None:
    with transaction() as session:
        session.execute(
            update(Notice).where(Notice.id == notice_id).values(state="sent", sent_at=now)
        )


def _note_failure(notice_id: int, failure: str) -> None:
    with transaction() as session:
        notice = session.get_one(Notice, notice_id)
        notice.failure = failure
        if notice.tries >= MOST_TRIES:
            notice.state = "failed"


def forget_old(now: datetime) -> None:
    """Empty the personal data of old notices; one that still waits by then is given up."""
    old = Notice.queued_at < now - FORGET_AFTER
    with transaction() as session:
        session.execute(update(Notice).where(old, Notice.state == "queued").values(state="failed"))
        session.execute(
            update(Notice).where(old, Notice.recipient != "").values(recipient="", facts={})
        )


def smtp_sender(mail_url: str) -> Send:
    """A function that sends one mail by SMTP, as MAIL_URL says."""
    parts = urlsplit(mail_url)
    host = parts.hostname or ""
    context = ssl.create_default_context()

    def send(mail: EmailMessage) -> None:
        with _connect(parts.scheme, host, parts.port, context) as server:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)

    return send


def _connect(scheme: str, host: str, port: int | None, context: ssl.SSLContext) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_SECONDS, context=context)
    server = smtplib.SMTP(host, port or 25, timeout=_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
    return server
