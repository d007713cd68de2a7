"""Measures of fairness in words and figures, alike on every page that shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cbt.audit.fairness import MEASURED_BY_DASTA, Fairness
from cbt.i18n import _, _l, format_baht, format_bp
from cbt.money import BP_WHOLE

PLACES: Mapping[str, Any] = {
    "mai_rut": _l("Mai Rut"),
    "u_thong": _l("U Thong"),
    "koh_chang": _l("Koh Chang"),
}


@dataclass(frozen=True)
class Measure:
    """One row: its name, its value as text ("" for too little data), how it is computed, how to read it."""

    code: str
    name: str
    value: str
    formula: str
    reading: str


def list_measures(fair: Fairness) -> list[Measure]:
    """Every measure, the main one first."""
    return [
        Measure(
            "gini",
            _("Gini coefficient, all member households"),
            decimal(fair.gini),
            "Σ(2i − n − 1)·yᵢ ÷ (n·Y)",
            _("0: all have the same. Near 1: one household has everything."),
        ),
        Measure(
            "gini_small",
            _("The same for a small group"),
            decimal(fair.gini_small),
            "G · n ÷ (n − 1)",
            _(
                "With fewer than twenty households the coefficient looks too mild; this form puts it right."
            ),
        ),
        Measure(
            "gini_earners",
            _("Gini coefficient, only households that earned"),
            decimal(fair.gini_earners),
            "Σ(2i − n − 1)·yᵢ ÷ (n·Y), y > 0",
            _("Differs from the first where households have no part in it at all."),
        ),
        Measure(
            "hoover",
            _("Money that would have to move for all to have the same"),
            percent(fair.hoover),
            "Σ|yᵢ − Y÷n| ÷ 2Y",
            _("Hoover index: the easiest to explain at a meeting."),
        ),
        Measure(
            "jain",
            _("Evenness (Jain index)"),
            decimal(fair.jain),
            "Y² ÷ (n·Σyᵢ²)",
            _("1: all have the same."),
        ),
        Measure(
            "largest",
            _("The household that earned most"),
            percent(fair.largest),
            "max yᵢ ÷ Y",
            _("Its part of all households' income."),
        ),
        Measure(
            "participation",
            _("Households that earned anything"),
            percent(fair.participation),
            "#{y > 0} ÷ n",
            _("Community-based tourism wants to reach many."),
        ),
        Measure(
            "bottom_40",
            _("Income of the lower 40 percent of households"),
            percent(fair.bottom_40),
            "Σ lowest 40 % ÷ Y",
            _("40 percent would be even; below 15 percent, look at who is left out."),
        ),
        Measure(
            "to_households",
            _("Of each 100 baht to households"),
            percent(fair.to_households),
            "Y ÷ net",
            _("What was shared out among them, of what the trips brought in."),
        ),
        Measure(
            "retention",
            _("Of each 100 baht stays in the community"),
            percent(fair.retention),
            _("(households + funds) ÷ net"),
            _("The rest goes to suppliers, insurers, fees and intermediaries outside."),
        ),
    ]


def hourly_words(fair: Fairness) -> str:
    """What an hour of recorded work brought, or ""."""
    if fair.hourly is None:
        return ""
    return _(
        "An hour of recorded work brought between %(least)s and %(most)s, in the middle %(middle)s (%(number)s households).",
        least=format_baht(fair.hourly.least_satang),
        most=format_baht(fair.hourly.most_satang),
        middle=format_baht(fair.hourly.middle_satang),
        number=fair.hourly.households,
    )


def dasta_words() -> list[tuple[str, str]]:
    """[(place, Gini coefficient)] that DASTA published."""
    return [(str(PLACES[code]), decimal(value)) for code, value in MEASURED_BY_DASTA]


def decimal(value: Fraction | None, places: int = 3) -> str:
    """With so many places, rounded half up: "0.283"; "" for no data."""
    if value is None:
        return ""
    unit = 10**places
    rounded = (2 * unit * value.numerator + value.denominator) // (2 * value.denominator)
    return f"{rounded // unit}.{rounded % unit:0{places}}"


def percent(value: Fraction | None) -> str:
    """In percent to a hundredth, rounded half up: "27.5 percent"; "" for no data."""
    if value is None:
        return ""
    bp = (2 * BP_WHOLE * value.numerator + value.denominator) // (2 * value.denominator)
    return _("%(percent)s percent", percent=format_bp(bp))
