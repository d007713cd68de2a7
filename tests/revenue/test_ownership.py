"""Share registers in the records: two people, documents, and what was shared out stays."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from cbt.communities.models import AssetUse, OwnershipDecision, ShareChange
from cbt.communities.queries import list_share_lines
from cbt.communities.records import NewAsset
from cbt.communities.shares import AssetKind, AssetProblem, Decision, ShareProblem
from cbt.db import db
from cbt.errors import (
    AssetInvalid,
    NotFound,
    SecondPersonNeeded,
    ShareInvalid,
    StateForbids,
)
from cbt.revenue import ownership
from tests import factories
from tests.revenue.closing import close_month, make_office, worked_month
from tests.revenue.coop import PAPER, Coop
from tests.site import NOW

DAY = factories.TOMORROW
EVENING = NOW + timedelta(days=2)


@pytest.fixture
def coop(app):
    return Coop()


def count(table):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table))


def test_the_register_of_a_day_follows_the_confirmed_events(coop):
    coop.use(coop.boat)
    coop.change("issue", None, "H02", 60)
    coop.change("issue", None, "H01", 40)
    coop.change("transfer", "H02", "H03", 25, on=DAY)
    coop.change("redeem", "H01", None, 40, on=DAY + timedelta(days=1))
    assert coop.register(DAY - timedelta(days=1)) == (("H01", 40), ("H02", 60))
    assert coop.register(DAY) == (("H01", 40), ("H02", 35), ("H03", 25))
    assert coop.register(DAY + timedelta(days=1)) == (("H02", 35), ("H03", 25))


def test_an_event_counts_once_a_second_person_confirmed_it(coop):
    coop.use(coop.boat)
    event = coop.record("issue", None, "H01", 10)
    assert coop.register() == ()
    with pytest.raises(SecondPersonNeeded):
        coop.confirm(event, coop.first)
    assert coop.register() == ()
    coop.confirm(event)
    assert coop.register() == (("H01", 10),)
    with pytest.raises(StateForbids):
        coop.confirm(event)
    assert count(OwnershipDecision) == 2


def test_a_refused_event_never_counts_and_stays_readable(coop):
    event = coop.record("issue", None, "H01", 10)
    coop.confirm(event, decision=Decision.REFUSED)
    with pytest.raises(StateForbids):
        coop.confirm(event)
    [line] = list_share_lines(db.session(), coop.boat)
    assert (line.decision, line.decided_by, line.document_sha256) == (
        Decision.REFUSED,
        coop.second,
        PAPER,
    )


def test_what_an_experience_earns_by_needs_a_second_person_too(coop):
    coop.change("issue", None, "H01", 10)
    use_id = coop.use(coop.boat, confirm=False)
    assert coop.register() == ()
    with pytest.raises(SecondPersonNeeded):
        ownership.decide_use(coop.id, use_id, Decision.CONFIRMED, coop.first, NOW)
    ownership.decide_use(coop.id, use_id, Decision.CONFIRMED, coop.second, NOW)
    assert coop.register() == (("H01", 10),)
    coop.use(None, DAY)
    assert coop.register(DAY - timedelta(days=1)) == (("H01", 10),)
    assert coop.register(DAY) == ()


def test_an_experiences_own_register_comes_before_its_assets(coop):
    coop.use(coop.boat)
    coop.change("issue", None, "H01", 10)
    own = ownership.add_asset(
        coop.id,
        NewAsset(
            kind=AssetKind.EXPERIENCE,
            title=factories.text("trip"),
            begins_on=factories.SPRING,
            experience_id=coop.experience_id,
        ),
        coop.first,
        NOW,
    )
    assert coop.register() == (("H01", 10),)
    coop.change("issue", None, "H03", 7, on=DAY, asset_id=own)
    assert coop.register(DAY - timedelta(days=1)) == (("H01", 10),)
    assert coop.register(DAY) == (("H03", 7),)


@pytest.mark.parametrize(
    ("about", "changes", "problem"),
    [
        pytest.param(("redeem", "H01", None, 11), {}, ShareProblem.HELD, id="more-than-held"),
        pytest.param(("issue", None, "H09", 1), {}, ShareProblem.INACTIVE, id="stranger"),
        pytest.param(("issue", None, "H02", 0), {}, ShareProblem.SHARES, id="nothing"),
        pytest.param(
            ("issue", None, "H02", 1),
            {"on": factories.SPRING - timedelta(days=1)},
            ShareProblem.BEFORE,
            id="before",
        ),
        pytest.param(
            ("issue", None, "H02", 1), {"document": " "}, ShareProblem.DOCUMENT, id="no-document"
        ),
        pytest.param(
            ("issue", None, "H02", 1),
            {"document_sha256": "A" * 64},
            ShareProblem.DOCUMENT,
            id="no-hash",
        ),
    ],
)
def test_a_refused_change_writes_nothing(coop, about, changes, problem):
    coop.change("issue", None, "H01", 10)
    with pytest.raises(ShareInvalid) as refused:
        coop.record(*about, **changes)
    assert refused.value.facts["problem"] == problem
    assert count(ShareChange) == 1


def test_two_changes_that_fit_alone_are_not_both_confirmed(coop):
    coop.change("issue", None, "H01", 10)
    first, second = coop.record("redeem", "H01", None, 6), coop.record("redeem", "H01", None, 6)
    coop.confirm(first)
    with pytest.raises(ShareInvalid):
        coop.confirm(second)
    assert count(OwnershipDecision) == 2


def test_nothing_changes_at_or_before_a_day_that_was_shared_out(coop):
    coop.use(coop.boat)
    coop.change("issue", None, "H01", 10)
    waiting = coop.record("issue", None, "H02", 5, on=DAY)
    factories.book(coop.village)
    factories.record_work(coop.village, ("H01", "boat", 1))
    factories.settle(coop.village, EVENING)
    for refused in (
        lambda: coop.record("issue", None, "H02", 5, on=DAY),
        lambda: coop.confirm(waiting),
    ):
        with pytest.raises(ShareInvalid) as error:
            refused()
        assert error.value.facts == {"problem": ShareProblem.CLOSED, "on": DAY}
    with pytest.raises(AssetInvalid) as error:
        coop.use(None, DAY)
    assert error.value.facts == {"problem": AssetProblem.CLOSED}
    assert (count(ShareChange), count(AssetUse)) == (2, 1)
    coop.change("issue", None, "H02", 5, on=DAY + timedelta(days=1))
    assert coop.register(DAY) == (("H01", 10),)


def test_nothing_changes_in_a_closed_month(app):
    coop = Coop()
    office = make_office(coop.village)
    worked_month(office)
    close_month(office)
    for day in (DAY, date(2026, 11, 30)):
        with pytest.raises(ShareInvalid) as error:
            coop.record("issue", None, "H01", 10, on=day)
        assert error.value.facts == {"problem": ShareProblem.CLOSED, "on": date(2026, 11, 30)}
    assert count(ShareChange) == 0
    coop.change("issue", None, "H01", 10, on=date(2026, 12, 1))


def test_another_communitys_things_are_not_found(coop):
    other = Coop()
    event = coop.record("issue", None, "H01", 10)
    for refused in (
        lambda: other.confirm(event),
        lambda: other.record("issue", None, "H01", 1, asset_id=coop.boat),
        lambda: ownership.record_use(
            other.id, coop.experience_id, other.boat, DAY, other.first, NOW
        ),
        lambda: other.use(coop.boat),
    ):
        with pytest.raises(NotFound):
            refused()
    assert (count(ShareChange), count(AssetUse)) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"title": {"th": "  "}}, AssetProblem.NAME),
        ({"title": factories.text("boat")}, AssetProblem.TAKEN),
        ({"kind": AssetKind.EXPERIENCE}, AssetProblem.KIND),
    ],
)
def test_an_asset_that_cannot_be(coop, changes, problem):
    new = NewAsset(kind=AssetKind.LAND, title=factories.text("land"), begins_on=factories.SPRING)
    with pytest.raises(AssetInvalid) as refused:
        ownership.add_asset(coop.id, replace(new, **changes), coop.first, NOW)
    assert refused.value.facts == {"problem": problem}


def test_an_experience_cannot_earn_by_an_asset_before_it_began(coop):
    with pytest.raises(AssetInvalid) as refused:
        coop.use(coop.boat, factories.SPRING - timedelta(days=1))
    assert refused.value.facts == {"problem": AssetProblem.DAY}
