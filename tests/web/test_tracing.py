"""From what a household was paid to booking, rule, minutes and work, by links alone and in four taps."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from flask.testing import FlaskClient

from cbt.communities.queries import get_household
from cbt.db import db
from cbt.people.roles import Grant, Role
from cbt.revenue import pay_out, payout_queries, proposals, queries
from cbt.revenue.adoption import Meeting, Minutes, Signer, UsesNature
from cbt.revenue.payout_models import PayoutBatch
from cbt.revenue.payout_trace import trace_payout
from cbt.revenue.templates import TEMPLATES
from tests import factories
from tests.site import NOW
from tests.web.forms import a_browser

TODAY = NOW.date()
EVENING = NOW + timedelta(days=2)
LATER = EVENING + timedelta(days=1)
MOST_TAPS = 4
MINUTES = Minutes("minutes.pdf", b"%PDF-1.7 signed by all")


@pytest.fixture(autouse=True)
def after_the_trip():
    with time_machine.travel(LATER, tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    """Its policy was adopted with minutes; one trip was settled and paid out."""
    village = factories.make_village()
    policy = TEMPLATES["welfare"]
    draft = proposals.begin_draft(village.id, policy, village.person_id, NOW)
    proposals.change_draft(village.id, draft, policy, UsesNature.YES, "")
    proposal = proposals.propose(village.id, draft, village.person_id, NOW)
    held = Meeting(
        met_on=TODAY,
        place="ศาลาหมู่บ้าน",
        meeting="ประชุมสมาชิก ครั้งที่ 3",
        present=4,
        voted_for=3,
        voted_against=1,
        abstained=0,
        effective_from=TODAY + timedelta(days=1),
        signers=(Signer("ประธาน หนึ่ง", "ประธาน"),),
    )
    proposals.adopt(village.id, proposal, held, MINUTES, {}, village.person_id, NOW)
    newest = queries.list_policies(db.session(), village.id)[-1]
    village = replace(village, policy_id=newest.id)
    factories.book(village, {"ADULT": 3})
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(village, EVENING)
    pay_all(village)
    return village


def pay_all(village, at=LATER):
    """A batch that one planned and another approved; its number."""
    other = factories.make_person()
    number = pay_out.draft_batch(village.id, 100, village.person_id, at)
    total = payout_queries.get_batch(db.session(), village.id, number).total_satang
    pay_out.approve_batch(village.id, number, total, other, at)
    return number


def come_back(village, line):
    """A payout was made, and the bank sent it back."""
    by, on = village.person_id, LATER.date()
    pay_out.note_paid(village.id, line.id, "promptpay", "KTB-1", on, by, LATER)
    pay_out.note_returned(village.id, line.id, "closed", on, by, LATER)


def line_of(village, household, number=1):
    lines = payout_queries.list_lines(
        db.session(), PayoutBatch.community_id == village.id, PayoutBatch.number == number
    )
    return next(each for each in lines if each.household == household)


@dataclass
class Reader:
    """Somebody who only touches links, and how often they did."""

    client: FlaskClient
    page: str = ""
    taps: int = 0

    def open(self, address: str) -> None:
        answer = self.client.get(address)
        assert answer.status_code == 200, address
        self.page = answer.text

    def has(self, pattern: str) -> bool:
        return re.search(f'href="({pattern})"', self.page) is not None

    def tap(self, pattern: str):
        """Touch the first link whose address fits."""
        found = re.search(f'href="({pattern})"', self.page)
        assert found is not None, pattern
        self.taps += 1
        answer = self.client.get(unescape(found[1]))
        assert answer.status_code == 200, found[1]
        self.page = answer.text
        return answer


def household_of(app, village, code="H01"):
    own = get_household(db.session(), village.id, code).id
    return a_browser(app, f"of-{code}", Grant(Role.HOUSEHOLD, village.id, own))


WORK = {
    Role.HOUSEHOLD: r"/en/household/[^/]+/H01/work\?[^\"]+",
    Role.TREASURER: r"/en/host/[^/]+/departures/\d+#settle",
    Role.MENTOR: r"/en/mentor/[^/]+/departures/\d+",
}
BOOKING = {
    Role.TREASURER: r"/en/host/[^/]+/bookings/B-\w+",
    Role.MENTOR: r"/en/mentor/[^/]+/bookings/B-\w+",
}


@pytest.mark.parametrize("role", list(WORK))
def test_a_payout_is_traced_to_everything_behind_it(sqlite_app, village, role):
    client = (
        household_of(sqlite_app, village)
        if role == Role.HOUSEHOLD
        else a_browser(sqlite_app, "reader", Grant(role, village.id))
    )
    reader = Reader(client)
    reader.open(f"/en/household/{village.slug}/H01/payouts")
    reader.tap(r"[^\"]+/payouts/\d+")
    reader.tap(r"[^\"]+/departures/\d+")
    why = reader.page
    taps = reader.taps
    reference = re.search(r"B-[2-9A-Z]{6}", why)
    assert reference is not None
    assert "Computed again just now" in why

    reader.tap(r"[^\"]+/policies/[^/]+/2#meeting")
    assert "ประชุมสมาชิก ครั้งที่ 3" in reader.page
    assert reader.tap(r"[^\"]+/minutes").data == MINUTES.body
    assert reader.taps <= MOST_TAPS

    reader.page, reader.taps = why, taps
    reader.tap(WORK[role])
    assert "H01" in reader.page
    assert reader.taps <= MOST_TAPS

    reader.page, reader.taps = why, taps
    if role in BOOKING:
        reader.tap(BOOKING[role])
        assert reference[0] in reader.page
        assert reader.taps <= MOST_TAPS
    else:  # who came is no business of the other households
        assert not reader.has(r"[^\"]+/bookings/[^\"]+")


def test_the_treasurer_begins_at_the_payout_that_is_to_be_paid(sqlite_app, village):
    reader = Reader(a_browser(sqlite_app, "treasurer", Grant(Role.TREASURER, village.id)))
    line = line_of(village, "H01")
    reader.open(f"/en/host/{village.slug}/money/batches/1/lines/{line.id}")
    reader.tap(r"[^\"]+/payouts/\d+")
    reader.tap(r"[^\"]+/departures/\d+")
    reader.tap(r"[^\"]+/policies/[^/]+/2#meeting")
    assert reader.tap(r"[^\"]+/minutes").data == MINUTES.body
    assert reader.taps == MOST_TAPS


def test_each_reader_sees_only_what_is_theirs(sqlite_app, village):
    own, other = line_of(village, "H01"), line_of(village, "H02")
    at = f"/en/household/{village.slug}"
    household = household_of(sqlite_app, village)
    assert household.get(f"{at}/H01/payouts/{own.id}").status_code == 200
    assert household.get(f"{at}/H01/payouts/{other.id}").status_code == 404
    assert household.get(f"{at}/H02/payouts/{other.id}").status_code == 403
    coordinator = a_browser(sqlite_app, "coordinator", Grant(Role.COORDINATOR, village.id))
    assert coordinator.get(f"{at}/H01/payouts/{own.id}").status_code == 403
    page = coordinator.get(f"/en/host/{village.slug}/money/batches/1/lines/{own.id}").text
    assert "/payouts/" not in page  # no link that they may not follow
    elsewhere = factories.make_village()
    stranger = a_browser(sqlite_app, "stranger", Grant(Role.TREASURER, elsewhere.id))
    assert stranger.get(f"{at}/H01/payouts/{own.id}").status_code == 403
    theirs = f"/en/household/{elsewhere.slug}/H01/payouts/{own.id}"
    assert stranger.get(theirs).status_code == 404


def test_a_payout_that_is_only_planned_has_no_page(sqlite_app, village):
    come_back(village, line_of(village, "H01"))
    number = pay_out.draft_batch(village.id, 100, village.person_id, LATER)
    planned = line_of(village, "H01", number)
    household = household_of(sqlite_app, village)
    at = f"/en/household/{village.slug}/H01/payouts"
    assert household.get(f"{at}/{planned.id}").status_code == 404
    assert f"/payouts/{planned.id}" not in household.get(at).text


def test_what_a_payout_paid_adds_up_and_goes_on_where_the_one_before_ended(village):
    first = line_of(village, "H01")
    card = village.card
    household = get_household(db.session(), village.id, "H01")
    come_back(village, first)
    number = pay_all(village)
    db.session.rollback()
    one = trace_payout(db.session(), card, household, first.id)
    two = trace_payout(db.session(), card, household, line_of(village, "H01", number).id)
    assert [each.item.kind for each in one.lines] == ["earned"]
    assert [each.item.kind for each in two.lines] == [
        "paid_out"
    ]  # what came back, and nothing else
    assert two.lines[0].amount_satang == first.amount_satang
    assert two.before_satang == one.left_satang
    for each in (one, two):
        moved = sum(line.amount_satang for line in each.lines)
        assert each.before_satang + moved - each.payout.amount_satang == each.left_satang == 0
