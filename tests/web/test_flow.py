"""The picture of where each baht goes: several bookings add up to one row for each part."""

import re

from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue.policy import DEFAULT
from cbt.revenue.split import Cost, Part, PartKind, split
from cbt.web.flow import add_up, draw
from tests import factories
from tests.site import NOW
from tests.web.forms import sign_in

INSURANCE = Cost("insurance", 4_000)


def test_parts_of_the_same_kind_and_code_become_one():
    first = split(90_000, [INSURANCE], 2_000, DEFAULT)
    second = split(45_000, [INSURANCE], 0, DEFAULT)
    summed = add_up([*first, *second])
    assert len(summed) == len({(part.kind, part.code) for part in summed}) == len(first)
    assert sum(part.amount_satang for part in summed) == 135_000
    for one, other, both in zip(first, second, summed, strict=True):
        assert (both.kind, both.code, both.bp) == (one.kind, one.code, one.bp)
        assert both.amount_satang == one.amount_satang + other.amount_satang
        assert both.base_satang == one.base_satang + other.base_satang


def test_a_part_that_only_one_booking_has_stays():
    summed = add_up([*split(45_000, [], 0, DEFAULT), *split(90_000, [INSURANCE], 0, DEFAULT)])
    assert [part for part in summed if part.kind == PartKind.COST] == [
        Part(PartKind.COST, "insurance", 4_000)
    ]


def test_shares_under_different_policies_show_what_they_come_to():
    parts = [Part(PartKind.BUCKET, "mgmt", 700, 700, 10_000)]
    parts.append(Part(PartKind.BUCKET, "mgmt", 3_000, 1_000, 30_000))
    assert add_up(parts) == (Part(PartKind.BUCKET, "mgmt", 3_700, 925, 40_000),)


def test_nothing_adds_up_to_nothing():
    assert add_up([]) == ()
    assert draw(add_up([])).total_satang == 0


def test_the_settlement_page_shows_each_part_once(sqlite_app):
    village = factories.make_village()
    for party in ({"ADULT": 2}, {"ADULT": 3, "CHILD": 1}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1))
    people.grant_role(factories.make_person("host"), Grant(Role.COORDINATOR, village.id), NOW)
    host = sqlite_app.test_client()
    sign_in(host, "host", "long enough")
    page = host.get(f"/en/host/{village.slug}/departures/{village.departure_id}").text
    names = re.findall(r'<span class="flow-name"><i[^>]*></i>([^<]+)', page)
    assert len(names) == len(set(names)) > 5
    assert "฿2,475.50" in page  # 5 x 450 + 225.50
