"""Rendering a notice as a mail: text and HTML of the same words, in the guest's language."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cbt import i18n
from cbt.clock import to_village

_SUBJECTS = {
    "booking_confirmed": i18n._l("Your booking %(reference)s is confirmed"),
    "balance_due": i18n._l("Still to pay for booking %(reference)s"),
    "balance_paid": i18n._l("We received your payment for booking %(reference)s"),
    "booking_changed": i18n._l("Your booking %(reference)s was changed"),
    "booking_cancelled": i18n._l("Your booking %(reference)s is cancelled"),
    "called_off": i18n._l("Your trip of booking %(reference)s was called off"),
    "credit_issued": i18n._l("Your credit from booking %(reference)s"),
    "request_agreed": i18n._l("The community agreed to your request %(reference)s"),
    "request_declined": i18n._l("The community cannot take your request %(reference)s"),
    "request_lapsed": i18n._l("Your request %(reference)s was not answered in time"),
    "waiting_joined": i18n._l("You wait in line for a trip"),
    "places_offered": i18n._l("Places are free for you: booking %(reference)s"),
    "waiting_over": i18n._l("The trip that you waited for does not run"),
    "cash_promised": i18n._l("Your places for booking %(reference)s are kept"),
    "refund_coming": i18n._l("Your money for booking %(reference)s will be returned"),
    "refund_needs_bank": i18n._l("Your bank account is needed: booking %(reference)s"),
    "refund_delayed": i18n._l("Your money for booking %(reference)s takes a little longer"),
    "refund_done": i18n._l("Your money for booking %(reference)s was returned"),
    "follow_up": i18n._l("What your visit paid for: booking %(reference)s"),
    "account_proposed": i18n._l("A change of where the community's money goes"),
    "account_changed": i18n._l("The community's money goes to another account now"),
    "account_kept": i18n._l("The community's money goes where it went before"),
    "finding_opened": i18n._l("The mentor asks about something they found"),
    "finding_answered": i18n._l("The community answered what you found"),
    "finding_closed": i18n._l("The mentor ended a finding"),
    "finding_reopened": i18n._l("The mentor asks again about a finding"),
}
KINDS = tuple(_SUBJECTS)
_WITH_CALENDAR = {"booking_confirmed", "booking_changed", "booking_cancelled", "called_off"}


def subject_line(kind: str) -> str:
    """What a mail is headed by, in the current language, for letters that say it again."""
    return str(_SUBJECTS[kind])


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cbt", "templates/mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=True
    )
    environment.globals.update(
        pick=i18n.pick,
        format_baht=i18n.format_baht,
        moment=moment,
        language=i18n.language,
    )
    return environment


def moment(instant: datetime, zone: str) -> str:
    """A day in both eras and its hour on the village's clocks, which is said."""
    day = to_village(instant, zone).date()
    hour = i18n.format_hour(instant, zone)
    when = i18n._("%(hour)s (Thailand time)", hour=hour)
    return f"{i18n.format_day(day, 'full')} ({i18n.other_era(day)}) {when}"


@dataclass(frozen=True)
class Letter:
    """What a mail is made from."""

    kind: str
    language: str
    recipient: str
    facts: dict[str, Any]


def compose(letter: Letter, sender: str, now: datetime) -> EmailMessage:
    """A multipart mail, with a calendar file where the trip of the facts is news to a calendar."""
    with i18n.use_language(letter.language):
        mail = EmailMessage()
        mail["Subject"] = str(_SUBJECTS[letter.kind]) % letter.facts
        mail["From"] = sender
        mail["To"] = letter.recipient
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = make_msgid(domain=sender.partition("@")[2] or "localhost")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(_render(f"{letter.kind}.txt", letter.facts))
        mail.add_alternative(_render(f"{letter.kind}.html", letter.facts), subtype="html")
        if letter.kind in _WITH_CALENDAR and "calendar" in letter.facts:
            mail.add_attachment(
                letter.facts["calendar"].encode(),
                maintype="text",
                subtype="calendar",
                filename=f"{letter.facts['reference']}.ics",
            )
        mail["Content-Language"] = letter.language  # last: making it multipart moves such headers
        return mail


def _render(name: str, facts: dict[str, Any]) -> str:
    return _environment().get_template(name).render(**facts)
