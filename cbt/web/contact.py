"""How to reach a guest, as typed."""

from wtforms import EmailField, TelField
from wtforms.validators import Length, Optional, Regexp

from cbt.i18n import _l
from cbt.web.forms import TOO_LONG, trim

_MAIL = Regexp(
    r"[^@\s]+@[^@\s]+\.[^@\s]+$", message=_l("This does not look like an e-mail address.")
)
_PHONE = Regexp(
    r"[+0-9][0-9 ()-]{6,24}$", message=_l("This does not look like a telephone number.")
)


def email() -> EmailField:
    return EmailField(
        _l("E-mail"), [Optional(), Length(max=200, message=TOO_LONG), _MAIL], filters=[trim]
    )


def phone() -> TelField:
    return TelField(_l("Telephone"), [Optional(), _PHONE], filters=[trim])
