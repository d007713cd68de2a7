"""What mentors and the community's people type about findings, the sample, and a month's sign-off."""

from collections.abc import Sequence
from typing import Any

from flask import request
from flask_wtf.file import FileField
from wtforms import IntegerField, PasswordField, SelectField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from cbt.audit.cases import DAYS_TO_ANSWER, MOST_WORDS, SubjectKind
from cbt.audit.sign_off import MOST_WORDS as MOST_OF_SIGN_OFF
from cbt.i18n import _, _l
from cbt.people.roles import Role
from cbt.revenue.funds import Evidence
from cbt.revenue.policy_rules import Severity
from cbt.web import labels
from cbt.web.forms import REQUIRED, TOO_LONG, Form, text, trim


def _words(label: Any, *, most: int = MOST_WORDS, required: bool = True) -> TextAreaField:
    needed = [DataRequired(message=REQUIRED)] if required else []
    return TextAreaField(label, [*needed, Length(max=most, message=TOO_LONG)], filters=[trim])


def _severities() -> list[tuple[str, str]]:
    return [(str(each), labels.label(each)) for each in Severity]


def handed_in(field: FileField) -> Evidence | None:
    """The file that came with a form, whatever it is; None where none did."""
    sent = request.files.get(field.name)
    return Evidence(sent.filename, sent.read()) if sent and sent.filename else None


class NewCaseForm(Form):
    """A finding as a mentor tells it by hand."""

    kind = SelectField(
        _l("What the finding is about"),
        choices=lambda: [(str(each), labels.label(each)) for each in SubjectKind],
    )
    name = text(_l("Its code or number"), most=40)
    severity = SelectField(_l("How grave it is"), choices=_severities, default="warning")
    words = _words(_l("What you found, and what you ask"))
    days = IntegerField(
        _l("Days for an answer"), [InputRequired(message=REQUIRED)], default=DAYS_TO_ANSWER
    )
    accused = SelectField(
        _l("Whom it names, if anybody"),
        coerce=lambda each: int(each or 0),
        validate_choice=False,
        render_kw={"translate": "no"},
    )

    def offer(self, people: Sequence[tuple[int, str, Role]]) -> None:
        named = [(number, f"{name} ({labels.label(role)})") for number, name, role in people]
        self.accused.choices = [(0, _("Nobody")), *named]

    @property
    def subject(self) -> str:
        name = str(self.name.data or "").strip()
        if self.kind.data == SubjectKind.BOOKING:
            name = name.upper()
        return (
            str(self.kind.data)
            if self.kind.data == SubjectKind.BOOK
            else f"{self.kind.data}:{name}"
        )


class AnswerForm(Form):
    """The community answers a finding."""

    words = _words(_l("What happened, and what you did or will do"))
    file = FileField(_l("A photograph or PDF that shows it"))


class EndForm(Form):
    """A mentor ends a finding, or asks again."""

    words = _words(_l("Your reason"))


class LookForm(Form):
    """What a mentor saw of one booking of the sample."""

    note = _words(_l("What you saw"), required=False)
    file = FileField(_l("Photograph or PDF of the evidence"))
    severity = SelectField(_l("How grave it is"), choices=_severities, default="warning")


class SignOffForm(Form):
    """The mentor's password, and why a month is signed although something is not as it should be."""

    password = PasswordField(_l("Your password"), [DataRequired(message=REQUIRED)])
    explanation = _words(_l("Why you sign all the same"), most=MOST_OF_SIGN_OFF, required=False)


class TieForm(Form):
    """A mentor names a household that they are related to."""

    household = SelectField(_l("Household"), validate_choice=False)
    words = text(_l("How you are related"), most=200, required=True)
