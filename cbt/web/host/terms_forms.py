"""What a host types about cancellation and the deposit."""

from datetime import date
from typing import Any

from wtforms import BooleanField, IntegerField, StringField
from wtforms.validators import Length, NumberRange, Optional

from cbt.bookings.terms import MOST_DAYS, Deposit, Terms, Tier
from cbt.errors import AmountInvalid
from cbt.i18n import _, _l, format_bp
from cbt.money import BP_WHOLE, parse_baht
from cbt.web.forms import TOO_LONG, Form, add_error, trim, typed

STEPS = 4
_DAYS = _l("Please enter a whole number of days from 0 to 730.")


def _days(label: Any) -> IntegerField:
    return IntegerField(label, [Optional(), NumberRange(0, MOST_DAYS, message=_DAYS)])


def _percent(label: Any) -> StringField:
    return StringField(label, [Length(max=8, message=TOO_LONG)], filters=[trim])


class TermsForm(Form):
    """Up to four steps, each "so many days before, so many percent back", and a deposit or none."""

    days_1 = _days(_l("Days before"))
    days_2 = _days(_l("Days before"))
    days_3 = _days(_l("Days before"))
    days_4 = _days(_l("Days before"))
    percent_1 = _percent(_l("Percent back"))
    percent_2 = _percent(_l("Percent back"))
    percent_3 = _percent(_l("Percent back"))
    percent_4 = _percent(_l("Percent back"))
    deposit = _percent(_l("Deposit, in percent of the price"))
    deposit_days = _days(_l("The rest is due so many days before"))
    everywhere = BooleanField(_l("Use the same for everything that we offer"))

    @property
    def steps(self) -> list[tuple[IntegerField, StringField]]:
        names = range(1, STEPS + 1)
        return [(self[f"days_{each}"], self[f"percent_{each}"]) for each in names]

    def fill(self, terms: Terms) -> None:
        """Show what is sold under now."""
        for (days, percent), tier in zip(self.steps, terms.tiers, strict=False):
            days.data, percent.data = tier.days_before, format_bp(tier.refund_bp)
        if terms.deposit:
            self.deposit.data = format_bp(terms.deposit.bp)
            self.deposit_days.data = terms.deposit.days_before

    def read(self, on: date) -> Terms | None:
        """The terms as typed, or None with the fields saying what is wrong. The order is not checked."""
        if not self.validate():
            return None
        tiers = [self._step(*each) for each in self.steps if any(map(_is_given, each))]
        deposit = self._deposit()
        if any(each.errors for each in self):
            return None
        found = tuple(each for each in tiers if each)
        return Terms(f"Own terms {on.isoformat()}", found, deposit)

    def _step(self, days: IntegerField, percent: StringField) -> Tier | None:
        if days.data is None:
            add_error(days, _("Please enter the days as well."))
            return None
        refund_bp = _bp(percent)
        return None if refund_bp is None else Tier(days.data, refund_bp)

    def _deposit(self) -> Deposit | None:
        if not typed(self.deposit):
            return None
        bp = _bp(self.deposit)
        return None if not bp else Deposit(bp, self.deposit_days.data or 0)


def _is_given(field: Any) -> bool:
    return field.data not in (None, "")


def _bp(field: StringField) -> int | None:
    """Basis points of what was typed, or None with the field saying why not; 0 is a share as well."""
    try:
        bp = 0 if typed(field).strip("0.") == "" and typed(field) else parse_baht(typed(field))
    except AmountInvalid:
        bp = -1
    if 0 <= bp <= BP_WHOLE:
        return bp
    add_error(field, _("Please enter a number from 0 to 100, for example 50 or 33.33."))
    return None
