"""What everybody may read of a community's money: closed months only, never a single household.

The same figures stand beside the page for machines (docs/transparency.md).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flask import Response, json, render_template
from flask.typing import ResponseReturnValue

from cbt.audit.fair_year import Year, find_year
from cbt.audit.fairness import GOAL, START, lorenz
from cbt.communities import chart
from cbt.communities.queries import get_community
from cbt.communities.records import CommunityCard
from cbt.db import db
from cbt.money import bp_near
from cbt.revenue.period_queries import (
    PeriodCard,
    SignatureCard,
    list_periods,
    list_snapshot,
    signatures_of,
)
from cbt.revenue.statement_text import Balance, short_code
from cbt.web.access import public
from cbt.web.curves import draw_line, lorenz_path
from cbt.web.fairness_words import dasta_words, decimal, list_measures
from cbt.web.flow import draw
from cbt.web.layout import LANG
from cbt.web.public.views import bp

FORMAT = "cbt-transparency/1"
_FIFTHS = 5
LEAST_FOR_CURVE = 10
"""From so many households on the curve is public, by fifths: each step then holds two at least."""
_OPEN_TO_ALL = ("gini", "gini_small", "participation", "bottom_40", "to_households", "retention")
_MONTHS_SHOWN = 12
_AT = f"/{LANG}/transparency/<slug>"


@dataclass(frozen=True)
class SignedMonth:
    """A closed month with the code of its record and who signed it: the role and the day."""

    period: PeriodCard
    signed: tuple[SignatureCard, ...]

    @property
    def code(self) -> str:
        return short_code(self.period.record_digest)


@dataclass(frozen=True)
class Figures:
    """Everything that is open to all of a community: closed months, nothing of a single household."""

    year: Year | None
    months: tuple[SignedMonth, ...]
    funds: tuple[Balance, ...]


def _read(community: CommunityCard) -> Figures:
    session = db.session()
    periods = list_periods(session, community.id)[:_MONTHS_SHOWN]
    last = list_snapshot(session, periods[0].id) if periods else []
    signed = signatures_of(session, [each.id for each in periods])
    held = [chart.fund(code) for code in chart.FUNDS]
    return Figures(
        find_year(session, community),
        tuple(SignedMonth(each, tuple(signed[each.id])) for each in periods),
        tuple(
            sorted(
                (each for each in last if each.account in held),
                key=lambda each: held.index(each.account),
            )
        ),
    )


@bp.get(_AT)
@public
def transparency(slug: str) -> ResponseReturnValue:
    community = get_community(db.session(), slug)
    figures = _read(community)
    year = figures.year
    if year is None:
        return render_template("public/transparency.html", community=community, year=None)
    return render_template(
        "public/transparency.html",
        community=community,
        year=year,
        figures=figures,
        flow=draw(year.parts),
        measures=[each for each in list_measures(year.fairness) if each.code in _OPEN_TO_ALL],
        curve=lorenz_path(_curve(year)),
        line=draw_line(year.trend, (GOAL, START)),
        goal=GOAL,
        start=START,
        dasta=dasta_words(),
        decimal=decimal,
    )


def _curve(year: Year) -> tuple[tuple[Fraction, Fraction], ...]:
    if len(year.earners) < LEAST_FOR_CURVE:
        return ()
    return lorenz([each.income_satang for each in year.earners], _FIFTHS)


# --- for machines --------------------------------------------------------------------------------


@bp.get("/transparency/<slug>.json")
@public
def transparency_figures(slug: str) -> ResponseReturnValue:
    """The page's figures: money in satang, shares in basis points (docs/transparency.md)."""
    community = get_community(db.session(), slug)
    figures = _read(community)
    shown = {
        "format": FORMAT,
        "community": community.slug,
        "is_sample": community.is_sample,
        "window": _window(figures.year) if figures.year else None,
        "funds": [_fund(each) for each in figures.funds],
        "months": [_month(each) for each in figures.months],
    }
    text = json.dumps(shown, ensure_ascii=False, indent=1, sort_keys=False)
    return Response(f"{text}\n", mimetype="application/json")


def _window(year: Year) -> dict[str, Any]:
    fair = year.fairness
    return {
        "months": [f"{each:%Y-%m}" for each in year.months],
        "trips": year.trips,
        "net_satang": year.net_satang,
        "given_back_satang": year.given_back_satang,
        "parts": [
            {"kind": each.kind, "code": each.code, "satang": each.amount_satang}
            for each in year.parts
        ],
        "households": fair.households,
        "enough_to_judge": year.is_enough,
        "gini_bp": _bp(fair.gini),
        "participation_bp": _bp(fair.participation),
        "bottom_40_bp": _bp(fair.bottom_40),
        "to_households_bp": _bp(fair.to_households),
        "retention_bp": _bp(fair.retention),
    }


def _fund(each: Balance) -> dict[str, Any]:
    return {
        "fund": each.account.partition(":")[2],
        "opening_satang": each.opening_satang,
        "in_satang": each.credits_satang,
        "out_satang": each.debits_satang,
        "closing_satang": each.closing_satang,
    }


def _month(each: SignedMonth) -> dict[str, Any]:
    return {
        "month": f"{each.period.month:%Y-%m}",
        "record_sha256": each.period.record_digest,
        "statements_root": each.period.statement_root,
        "closed_at": each.period.closed_at.isoformat(),
        "signed": [
            {
                "role": signature.role,
                "at": signature.signed_at.isoformat(),
                "public_key": signature.public_key,
                "signature": signature.signature,
            }
            for signature in each.signed
        ],
    }


def _bp(value: Fraction | None) -> int | None:
    return None if value is None else bp_near(value.numerator, value.denominator)
