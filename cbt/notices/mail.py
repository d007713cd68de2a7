"""Rendering a notice as a mail: text and HTML of the same words, in the guest's language."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cbt import i18n

_SUBJECTS = {
    "booking_confirmed": i18n._l("Your booking %(reference)s is confirmed"),
    "refund_coming": i18n._l("Your money for booking %(reference)s will be returned"),
    "refund_done": i18n._l("Your money for booking %(reference)s was returned"),
}
KINDS = tuple(_SUBJECTS)


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
        format_day=i18n.format_day,
        language=i18n.language,
    )
    return environment


@dataclass(frozen=True)
class Letter:
    """What a mail is made from."""

    kind: str
    language: str
    recipient: str
    facts: dict[str, Any]


def compose(letter: Letter, sender: str, now: datetime) -> EmailMessage:
    """A multipart mail, with a calendar file where the facts carry one."""
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
        if "calendar" in letter.facts:
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
