"""Assessment as hosts and mentors do it on their pages."""

import re
from fractions import Fraction

import pytest

from cbt.audit import assess
from cbt.audit.assessment import DOMAINS, Assessor
from cbt.audit.assessment_queries import list_results
from cbt.db import db
from cbt.people.roles import Grant, Role
from cbt.web.radar import ring, shape, spokes
from tests import factories
from tests.site import NOW
from tests.web.forms import a_browser, post

EDITION = "1.8 | 1 | accounts are kept <b> | 3\n2.1 | 1 | income is shared | 4"


@pytest.fixture
def village(sqlite_app):
    return factories.make_village()


@pytest.fixture
def host(sqlite_app, village):
    return a_browser(sqlite_app, "the-host", Grant(Role.COORDINATOR, village.id))


@pytest.fixture
def mentor(sqlite_app, village):
    return a_browser(sqlite_app, "the-mentor", Grant(Role.MENTOR, village.id))


@pytest.fixture
def page(village):
    return f"/en/host/{village.slug}/assessments"


@pytest.fixture
def edition(village):
    return assess.enter_edition("2567", EDITION, village.person_id, NOW)


def results(village):
    db.session.rollback()
    return list_results(db.session(), village.id)


def fields(client, address, **given):
    """What a criterion's form sends: {name without the item's number: value}."""
    item = re.search(r'name="score-(\d+)"', client.get(address).text)[1]
    return {f"{name}-{item}": value for name, value in given.items()}


def test_before_anything_the_pages_say_what_is_missing(host, mentor, page):
    assert "No edition of the standard was entered yet" in host.get(page).text
    assert "Nothing was assessed yet." in mentor.get(page).text


def test_the_mentor_enters_an_edition(mentor, page):
    sent = post(mentor, f"{page}/editions", name="2567", items=EDITION)
    assert sent.status_code == 303
    assert "2567 (2 items)" in mentor.get(page).text


def test_an_edition_that_cannot_be_keeps_what_was_typed(mentor, page, village):
    sent = post(mentor, f"{page}/editions", name="2567", items="1.8 | 1 | fine | 3\n9.9|1|x|4")
    assert sent.status_code == 422
    assert "Line 2 cannot be read: there is no such criterion" in sent.text
    assert "1.8 | 1 | fine | 3" in sent.text
    assert "2567 (" not in mentor.get(page).text


def test_hosts_assess_themselves_and_the_mentor_for_the_committee(
    host, mentor, page, village, edition
):
    for client, kind in ((host, Assessor.SELF), (mentor, Assessor.COMMITTEE)):
        begun = post(client, page, edition=edition)
        assert begun.status_code == 303
        for criterion in ("1.8", "2.1"):
            address = f"{begun.location}/{criterion}"
            given = fields(client, address, score="2", evidence="folder 1\nfolder 2")
            assert post(client, address, **given).status_code == 303
        finished = post(client, f"{begun.location}/finish", form_at=begun.location)
        assert finished.status_code == 303
        assert results(village)[0].card.assessor == kind
    shown = host.get(page).text
    assert "2.00" in shown
    assert 'class="shape committee"' in shown
    assert "Not a certification" in shown


def test_a_score_above_its_evidence_is_refused_and_kept_on_the_page(host, page, village, edition):
    begun = post(host, page, edition=edition).location
    given = fields(host, f"{begun}/1.8", score="3", evidence="one folder", comment="so far")
    sent = post(host, f"{begun}/1.8", **given)
    assert sent.status_code == 422
    assert "at most as many as there is evidence for: here 1" in sent.text
    assert "one folder</textarea>" in sent.text
    assert results(village)[0].left == 2


def test_a_record_of_the_platform_counts_as_evidence(host, page, village, edition):
    begun = post(host, page, edition=edition).location
    given = fields(host, f"{begun}/1.8", score="1", record="closed_months")
    assert post(host, f"{begun}/1.8", **given).status_code == 303
    assert results(village)[0].scores[0].evidenced == 1
    assert "Closed months with their signatures" in host.get(f"{begun}/1.8").text


def test_a_record_that_is_none_counts_for_nothing(host, page, village, edition):
    begun = post(host, page, edition=edition).location
    given = fields(host, f"{begun}/2.1", score="1", record="funds")
    assert post(host, f"{begun}/2.1", **given).status_code == 422
    assert results(village)[0].left == 2


def test_more_evidence_than_indices_is_refused(host, page, village, edition):
    begun = post(host, page, edition=edition).location
    given = fields(host, f"{begun}/1.8", score="3", evidence="a\nb\nc\nd")
    sent = post(host, f"{begun}/1.8", **given)
    assert sent.status_code == 422
    assert "one line of evidence for each" in sent.text


def test_wording_of_an_edition_is_shown_as_it_is_and_never_as_markup(host, page, edition):
    begun = post(host, page, edition=edition).location
    assert "accounts are kept &lt;b&gt;" in host.get(f"{begun}/1.8").text


def test_the_mentor_does_not_write_in_the_communitys_own(host, mentor, page, village, edition):
    begun = post(host, page, edition=edition).location
    assert "<textarea" not in mentor.get(f"{begun}/1.8").text
    given = fields(host, f"{begun}/1.8", score="0")
    assert post(mentor, f"{begun}/1.8", form_at=page, **given).status_code == 409
    assert results(village)[0].left == 2


def test_nothing_is_finished_with_items_left(host, page, village, edition):
    begun = post(host, page, edition=edition).location
    sent = post(host, f"{begun}/finish", form_at=begun)
    assert sent.status_code == 409
    assert "2 items have no score yet." in sent.text
    assert results(village)[0].card.is_open


def test_a_plan_is_written_down_and_done(host, page):
    sent = post(
        host,
        f"{page}/actions",
        form_at=page,
        criterion="1.8",
        what="teach two",
        who="Mali",
        due_on="2026-12-31",
    )
    assert sent.status_code == 303
    shown = host.get(page).text
    assert "teach two" in shown
    number = re.search(r"actions/(\d+)/done", shown)[1]
    assert post(host, f"{page}/actions/{number}/done", form_at=page).status_code == 303
    assert "done on" in host.get(page).text


def test_a_plan_without_a_day_keeps_the_words(host, page):
    sent = post(
        host,
        f"{page}/actions",
        form_at=page,
        criterion="1.8",
        what="teach two",
        who="Mali",
        due_on="",
    )
    assert sent.status_code == 422
    assert 'value="teach two"' in sent.text
    assert "Nothing is planned yet." in host.get(page).text


@pytest.mark.parametrize("criterion", ["1.1", "9.9", "x"])
def test_a_criterion_without_items_is_not_found(host, page, edition, criterion):
    begun = post(host, page, edition=edition).location
    assert host.get(f"{begun}/{criterion}").status_code == 404


# --- the picture ---------------------------------------------------------------------------------


def test_the_radar_has_an_axis_for_each_domain_and_its_first_upwards():
    found = spokes(DOMAINS)
    assert [each.domain for each in found] == [1, 2, 3, 4, 5]
    assert (found[0].x, found[0].y) == (100, 12)


def test_full_marks_reach_the_outer_ring_and_nothing_draws_nothing():
    full = dict.fromkeys(DOMAINS, Fraction(4))
    assert shape(DOMAINS, full, 4) == ring(DOMAINS, Fraction(1))
    assert shape(DOMAINS, dict.fromkeys(DOMAINS), 4) == ""
