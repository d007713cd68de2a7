"""What an agency reads: totals as a table, a map and files, and nothing of a person."""

import csv
import io
import re
import zipfile

import pytest
import time_machine
from openpyxl import load_workbook

from cbt.communities.queries import get_community, list_register
from cbt.db import db
from cbt.people.queries import list_holders
from cbt.people.roles import Grant, Role
from cbt.web.thailand import PLACES, draw
from tests.site import NOW
from tests.web.forms import a_browser, post, sign_in

AT = "/en/agency"


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def viewer(sample_app):
    client = sample_app.test_client()
    sign_in(client, "agency")
    return client


def personal(session):
    """Every name of a household, and every code of one, of every sample community."""
    found = set()
    for slug in ("buna-dara", "ban-thep-fai", "ban-mok-ngam"):
        for household in list_register(session, get_community(session, slug).id):
            found |= {household.name["th"], household.name["en"]}
    return found


def test_whoever_signs_in_for_an_agency_lands_on_the_totals(viewer):
    assert viewer.get("/en/places").location.endswith(AT)
    page = viewer.get(AT).text
    assert "Buna Dara" in page
    assert "Not a certification" in page


def test_no_export_holds_a_person_or_a_household(viewer):
    names = personal(db.session())
    sheet = viewer.get(f"{AT}/totals.xlsx").data
    with zipfile.ZipFile(io.BytesIO(sheet)) as book:
        texts = b"".join(book.read(each) for each in book.namelist()).decode(errors="replace")
    for text in (viewer.get(AT).text, viewer.get(f"{AT}/totals.csv").text, texts):
        assert not {name for name in names if name in text}
        assert not re.search(r"\bH\d\d\b|@", re.sub(r"@media|@font", "", text))


def test_page_csv_and_workbook_say_the_same(viewer):
    rows = list(csv.reader(io.StringIO(viewer.get(f"{AT}/totals.csv").text.lstrip("\ufeff"))))
    sheet = load_workbook(io.BytesIO(viewer.get(f"{AT}/totals.xlsx").data)).active
    assert len(rows) == 4
    for row, cells in zip(rows[1:], sheet.iter_rows(min_row=2, values_only=True), strict=True):
        for text, cell in zip(row, cells, strict=True):
            if isinstance(cell, int | float):
                assert float(text) == float(cell)
            else:
                assert text == (cell or "")
    place = rows[0].index("Households' income (baht)")
    named = {row[2]: row for row in rows}
    income = f"{float(named['Buna Dara'][place]):,.2f}"
    assert income in viewer.get(AT).text


@pytest.mark.parametrize("until", ["2026-11", "2027-01", "soon", "2026-13"])
def test_a_window_that_is_not_over_is_not_found(viewer, until):
    assert viewer.get(f"{AT}?until={until}").status_code == 404


def test_an_earlier_window_is_empty_and_says_so(viewer):
    page = viewer.get(f"{AT}?until=2025-12").text
    assert "hidden" in page


def test_the_caretaker_lets_somebody_read_totals_and_ends_it(sqlite_app):
    admin = a_browser(sqlite_app, "caretaker", Grant(Role.ADMIN, None))
    reader = a_browser(sqlite_app, "reader", Grant(Role.ADMIN, None))
    assert (
        post(admin, "/en/admin/viewers", form_at="/en/admin", sign_in_name="nobody").status_code
        == 422
    )
    assert list_holders(db.session(), Role.VIEWER) == []
    assert (
        post(admin, "/en/admin/viewers", form_at="/en/admin", sign_in_name="reader").status_code
        == 303
    )
    db.session.rollback()
    [(person_id, _name, community)] = list_holders(db.session(), Role.VIEWER)
    assert community is None
    assert reader.get(AT).status_code == 200
    assert post(admin, f"/en/admin/viewers/{person_id}/end", form_at="/en/admin").status_code == 303
    db.session.rollback()
    assert list_holders(db.session(), Role.VIEWER) == []


def test_the_map_has_every_province_and_sizes_by_figure():
    spots = draw({"94": 400, "10": 100})
    assert len(spots) == len(PLACES) == 77
    by_code = {spot.code: spot for spot in spots}
    assert by_code["94"].radius > by_code["10"].radius > by_code["50"].radius
    assert [spot.code for spot in spots[-2:]] == ["94", "10"], (
        "small ones are drawn over large ones"
    )


def test_a_map_of_nothing_has_no_circle():
    assert not any(spot.is_known for spot in draw({}))
    assert {spot.radius for spot in draw({"94": 0}) if spot.is_known} == {2.2}
