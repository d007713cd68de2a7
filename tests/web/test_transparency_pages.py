"""Fairness for those who see each household, and where the money went for everybody."""

import json
import re
from datetime import date
from fractions import Fraction

import pytest

from cbt.audit.fair_year import find_year
from cbt.communities.queries import get_community, list_register
from cbt.db import db
from cbt.web.curves import SIDE, draw_line, lorenz_path
from cbt.web.fairness_words import decimal
from tests.reading import foreign_words
from tests.revenue.closing import make_office
from tests.web.forms import sign_in

PUBLIC, OWN = "/en/transparency/buna-dara", "/en/host/buna-dara/fairness"


@pytest.fixture
def treasurer(sample_app):
    client = sample_app.test_client()
    sign_in(client, "treasurer.buna-dara")
    return client


def test_a_community_without_a_closed_month_says_so(sqlite_app):
    office = make_office()
    visitor = sqlite_app.test_client()
    slug = office.card.slug
    assert "No month was closed yet." in visitor.get(f"/en/transparency/{slug}").text
    assert visitor.get(f"/transparency/{slug}.json").json["window"] is None


def test_the_public_page_shows_sums_and_no_household(sample_app):
    community = get_community(db.session(), "buna-dara")
    page = sample_app.test_client().get(PUBLIC).text
    year = find_year(db.session(), community)
    assert decimal(year.fairness.gini) in page
    for household in list_register(db.session(), community.id):
        assert household.name["en"] not in page
        assert household.name["th"] not in page
    assert "The household that earned most" not in page
    assert "Not a certification" in page
    assert "/en/transparency/buna-dara" in sample_app.test_client().get("/en/c/buna-dara").text


def test_machines_read_the_same_figures(sample_app):
    found = sample_app.test_client().get("/transparency/buna-dara.json")
    year = find_year(db.session(), get_community(db.session(), "buna-dara"))
    shown = json.loads(found.text)
    assert found.mimetype == "application/json"
    assert shown["format"] == "cbt-transparency/1"
    assert shown["window"]["net_satang"] == year.net_satang
    assert sum(each["satang"] for each in shown["window"]["parts"]) == year.net_satang
    assert not re.search(r'"H\d\d', found.text)
    signed = [[each["role"] for each in month["signed"]] for month in shown["months"]]
    assert signed[-1] == ["platform", "treasurer", "mentor"]


def test_the_treasurer_sees_each_household_and_the_way_there(treasurer):
    page = treasurer.get(OWN).text
    assert "H03" in page
    assert "Σ(2i − n − 1)" in page
    assert OWN in treasurer.get("/en/host/buna-dara/more").text


@pytest.mark.parametrize("month", ["2020-01", "2026-13", "yesterday"])
def test_a_month_that_was_not_closed_is_not_found(treasurer, month):
    assert treasurer.get(f"{OWN}?month={month}").status_code == 404


# --- the pictures --------------------------------------------------------------------------------


def test_the_curve_begins_at_the_foot_and_ends_at_the_top():
    points = (
        (Fraction(0), Fraction(0)),
        (Fraction(1, 2), Fraction(1, 4)),
        (Fraction(1), Fraction(1)),
    )
    assert lorenz_path(points) == f"M0 {SIDE}L100 150L{SIDE} 0Z"
    assert lorenz_path(()) == ""


def test_a_month_without_a_value_leaves_a_gap_in_the_line():
    months = [date(2026, number, 1) for number in (1, 2, 3)]
    values = list(zip(months, [Fraction(3, 10), None, Fraction(6, 10)], strict=True))
    line = draw_line(values, (Fraction(3, 10),))
    assert line.path == f"M0 100M{SIDE} 0"
    assert line.marks == ((Fraction(3, 10), 100),)
    assert [dot.month for dot in line.dots] == [months[0], months[2]]


def test_one_month_alone_is_a_dot():
    line = draw_line([(date(2026, 1, 1), Fraction(9, 10))])
    assert line.path == "M0 0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(283, 1000), "0.283"),
        (Fraction(1, 3), "0.333"),
        (Fraction(5, 10000), "0.001"),
        (None, ""),
    ],
)
def test_coefficients_have_three_places(value, text):
    assert decimal(value) == text


# --- the language --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["th", "en"])
@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("", "transparency/buna-dara"),
        ("mentor", "host/buna-dara/fairness"),
        ("mentor", "host/buna-dara/assessments"),
        ("mentor", "host/buna-dara/assessments/editions"),
        ("host.buna-dara", "host/buna-dara/assessments/1"),
        ("host.buna-dara", "host/buna-dara/assessments/1/1.8"),
        ("agency", "agency"),
        ("admin", "admin"),
    ],
)
def test_each_page_speaks_one_language(sample_app, language, who, path):
    client = sample_app.test_client()
    if who:
        sign_in(client, who)
    assert foreign_words(client.get(f"/{language}/{path}").text, language) == []
