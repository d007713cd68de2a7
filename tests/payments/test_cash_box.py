"""The cash box: counted by two people, carried to the bank, and explained to the audit."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cbt.audit.verify import verify
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    BalanceTooLow,
    MethodClosed,
    NotByNote,
    NotFound,
    PreviewOutdated,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances, list_entries_about
from cbt.payments import cash, cash_box
from cbt.payments.models import CashBanked, CashCleared, CashCount
from cbt.payments.work import close_work, list_open_work
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.site import NOW

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def village(app):
    return factories.make_village(capacity=12)


@pytest.fixture
def second(village):
    return factories.make_person()


def take(village, party=None):
    reference = factories.hold(village, party)
    cash.take_cash(village.id, reference, village.person_id, NOW, PROVIDERS)


def books(village):
    db.session.rollback()
    found = balances(db.session(), village.card.book_id)
    return found["payment:cash"], found["cash_difference"], found["cash_on_the_way"]


def bank(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)["payment:promptpay"]


def work(village):
    db.session.rollback()
    return [(str(each.kind), each.key) for each in list_open_work(db.session(), village.id)]


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for outcome in outcomes for finding in outcome.findings]


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def counted(village, satang, note=""):
    return cash_box.count_cash(village.id, satang, note, village.person_id, NOW)


# --- counting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("difference", [-5_000, 2_550])
def test_what_two_people_find_missing_or_too_much_enters_the_books_and_must_be_told(
    village, second, difference
):
    take(village)
    count_id = counted(village, 90_000 + difference, " torn \n note ")
    assert books(village) == (90_000, 0, 0)
    cash_box.agree_count(village.id, count_id, second, LATER)
    assert books(village) == (90_000 + difference, -difference, 0)
    [work] = list_open_work(db.session(), village.id)
    assert (work.kind, work.key) == ("cash_differs", f"cash_count:{count_id}")
    assert work.facts == {
        "expected_satang": 90_000,
        "counted_satang": 90_000 + difference,
        "difference_satang": difference,
        "note": "torn note",
    }
    about = f"cash_count:{count_id}"
    [entry] = list_entries_about(db.session(), village.card.book_id, about)
    assert (entry.draft.key, entry.draft.actor) == (about, f"person:{second}")
    assert faults(village) == []


def test_a_count_that_fits_moves_nothing_and_asks_nobody(village, second):
    take(village)
    entries = count(Entry)
    cash_box.agree_count(village.id, counted(village, 90_000), second, LATER)
    assert (books(village), count(Entry)) == ((90_000, 0, 0), entries)
    assert list_open_work(db.session(), village.id) == []
    agreed = db.session.scalars(select(CashCount)).one()
    assert (agreed.agreed_by, agreed.agreed_at) == (second, LATER)
    assert faults(village) == []


def test_one_person_alone_does_not_count(village):
    take(village)
    count_id = counted(village, 80_000)
    with pytest.raises(SecondPersonNeeded):
        cash_box.agree_count(village.id, count_id, village.person_id, LATER)
    assert books(village) == (90_000, 0, 0)
    assert db.session.scalars(select(CashCount)).one().agreed_at is None


def test_the_database_itself_refuses_one_person_as_two(village):
    count_id = counted(village, 0)
    with pytest.raises(IntegrityError):
        db.session.execute(
            update(CashCount)
            .where(CashCount.id == count_id)
            .values(agreed_by=village.person_id, agreed_at=NOW)
        )
    db.session.rollback()


def test_a_count_is_outdated_once_cash_was_taken_or_banked(village, second):
    take(village)
    count_id = counted(village, 80_000)
    take(village)
    with pytest.raises(PreviewOutdated):
        cash_box.agree_count(village.id, count_id, second, LATER)
    assert books(village) == (180_000, 0, 0)
    assert list_open_work(db.session(), village.id) == []
    cash_box.bank_cash(village.id, 90_000, "B1", second, LATER)
    cash_box.agree_count(village.id, count_id, second, LATER)  # the books say 900 again
    assert books(village) == (80_000, 10_000, 90_000)
    assert faults(village) == []


def test_two_counts_of_one_gap_enter_it_once(village, second):
    take(village)
    counts = [counted(village, 80_000), counted(village, 80_000, "counted once more")]
    cash_box.agree_count(village.id, counts[0], second, LATER)
    with pytest.raises(PreviewOutdated):
        cash_box.agree_count(village.id, counts[1], second, LATER)
    cash_box.dismiss_count(village.id, counts[1], LATER)
    assert books(village) == (80_000, 10_000, 0)


@pytest.mark.parametrize("first", ["agree", "dismiss"])
@pytest.mark.parametrize("then", ["agree", "dismiss"])
def test_a_count_is_decided_once(village, second, first, then):
    take(village)
    count_id = counted(village, 80_000)

    def decide(how):
        if how == "agree":
            cash_box.agree_count(village.id, count_id, second, LATER)
        else:
            cash_box.dismiss_count(village.id, count_id, LATER)

    decide(first)
    before = books(village)
    with pytest.raises(StateForbids):
        decide(then)
    assert books(village) == before
    assert faults(village) == []


def test_counts_of_another_community_are_not_theirs(village, second):
    stranger = factories.make_village()
    count_id = counted(village, 0)
    for decide in (
        lambda: cash_box.agree_count(stranger.id, count_id, second, LATER),
        lambda: cash_box.dismiss_count(stranger.id, count_id, LATER),
    ):
        with pytest.raises(NotFound):
            decide()
    found = db.session.scalars(select(CashCount)).one()
    assert (found.agreed_at, found.dismissed_at) == (None, None)


def test_nobody_counts_less_than_nothing(village):
    with pytest.raises(AmountInvalid):
        counted(village, -1)
    assert count(CashCount) == 0


def test_many_people_agreeing_at_once_enter_the_gap_once(app, village):
    take(village)
    count_id = counted(village, 80_000)
    people = [factories.make_person() for _each in range(4)]
    results = run_together(
        app, lambda n: cash_box.agree_count(village.id, count_id, people[n], LATER), 4
    )
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 3]
    assert books(village) == (80_000, 10_000, 0)
    assert faults(village) == []


def test_cash_that_is_taken_while_a_count_is_agreed_on_is_never_part_of_the_gap(
    app, village, second
):
    take(village)
    for _again in range(3):
        held, gap, _bank = books(village)
        reference = factories.hold(village, {"ADULT": 1})
        count_id = counted(village, held - 1_000)

        def rival(number, reference=reference, count_id=count_id):
            if number:
                cash.take_cash(village.id, reference, village.person_id, NOW, PROVIDERS)
            else:
                cash_box.agree_count(village.id, count_id, second, LATER)

        results = run_together(app, rival, 2)
        assert results[1] is None
        missing = 0 if isinstance(results[0], PreviewOutdated) else 1_000
        assert isinstance(results[0], PreviewOutdated | None)
        assert books(village)[:2] == (held + 45_000 - missing, gap + missing)
    assert faults(village) == []


# --- to the bank ---------------------------------------------------------------------------------


def test_cash_brought_to_the_bank_leaves_the_box(village):
    take(village)
    cash_box.bank_cash(village.id, 60_050, "  BR 1\n2 ", village.person_id, LATER)
    assert (books(village), bank(village)) == ((29_950, 0, 60_050), 0)
    [banked] = db.session.scalars(select(CashBanked))
    assert (banked.bank_reference, banked.banked_by) == ("BR 1 2", village.person_id)
    assert work(village) == [("cash_on_the_way", f"cash:{banked.id}")]
    assert faults(village) == []


def brought(village, satang=60_000):
    take(village)
    cash_box.bank_cash(village.id, satang, "BR1", village.person_id, LATER)
    db.session.rollback()
    return db.session.scalars(select(CashBanked.id)).one()


def test_whoever_brought_it_does_not_say_that_it_arrived(village):
    """One person could take the cash and note it as banked, and nobody would have seen it."""
    banked_id = brought(village)
    for is_back in (False, True):
        with pytest.raises(SecondPersonNeeded):
            cash_box.decide_banked(village.id, banked_id, village.person_id, LATER, is_back=is_back)
    assert (books(village), bank(village), count(CashCleared)) == ((30_000, 0, 60_000), 0, 0)
    assert len(work(village)) == 1


def test_no_note_takes_cash_on_its_way_off_the_list(village):
    brought(village)
    [item] = list_open_work(db.session(), village.id)
    with pytest.raises(NotByNote):
        close_work(village.id, item.id, "it is there", village.person_id, LATER)
    assert len(work(village)) == 1


def test_a_second_person_sees_it_in_the_bank(village, second):
    banked_id = brought(village)
    cash_box.decide_banked(village.id, banked_id, second, LATER, is_back=False)
    assert (books(village), bank(village), work(village)) == ((30_000, 0, 0), 60_000, [])
    [cleared] = db.session.scalars(select(CashCleared))
    assert (cleared.banked_by, cleared.cleared_by) == (village.person_id, second)
    assert (cleared.is_back, cleared.line_id) == (False, None)
    assert faults(village) == []


def test_what_never_went_to_the_bank_is_in_the_box_again(village, second):
    banked_id = brought(village)
    cash_box.decide_banked(village.id, banked_id, second, LATER, is_back=True)
    assert (books(village), bank(village), work(village)) == ((90_000, 0, 0), 0, [])
    assert faults(village) == []


def test_cash_on_its_way_is_decided_once_by_rivals(app, village):
    banked_id = brought(village)
    people = [factories.make_person() for _each in range(4)]
    results = run_together(
        app,
        lambda n: cash_box.decide_banked(
            village.id, banked_id, people[n], LATER, is_back=bool(n % 2)
        ),
        4,
    )
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 3]
    assert count(CashCleared) == 1
    assert faults(village) == []


def test_another_communitys_cash_is_not_theirs_to_see(village, second):
    banked_id = brought(village)
    stranger = factories.make_village()
    with pytest.raises(NotFound):
        cash_box.decide_banked(stranger.id, banked_id, second, LATER, is_back=False)
    assert count(CashCleared) == 0


def test_the_database_itself_refuses_one_person_who_brought_and_saw_it(village):
    banked_id = brought(village)
    with pytest.raises(IntegrityError):
        db.session.execute(
            insert(CashCleared),
            {
                "banked_id": banked_id,
                "is_back": False,
                "banked_by": village.person_id,
                "cleared_by": village.person_id,
                "cleared_at": NOW,
            },
        )
    db.session.rollback()


def test_cash_on_its_way_is_not_in_the_box_and_cannot_be_counted_as_if_it_were(village, second):
    brought(village)
    cash_box.agree_count(village.id, counted(village, 30_000), second, LATER)
    assert books(village) == (30_000, 0, 60_000)
    assert [kind for kind, _key in work(village)] == ["cash_on_the_way"]


def test_more_than_the_box_holds_cannot_be_brought_to_the_bank(village):
    take(village)
    with pytest.raises(BalanceTooLow):
        cash_box.bank_cash(village.id, 90_001, "B1", village.person_id, LATER)
    assert (count(CashBanked), books(village)) == (0, (90_000, 0, 0))


@pytest.mark.parametrize("amount", [0, -100])
def test_nothing_cannot_be_brought_to_the_bank(village, amount):
    with pytest.raises(AmountInvalid):
        cash_box.bank_cash(village.id, amount, "B1", village.person_id, LATER)
    assert count(CashBanked) == 0


def test_two_people_bringing_all_of_it_to_the_bank_bring_it_once(app, village):
    take(village)
    results = run_together(
        app, lambda n: cash_box.bank_cash(village.id, 90_000, f"B{n}", village.person_id, LATER), 4
    )
    assert sorted(type(each).__name__ for each in results) == ["BalanceTooLow"] * 3 + ["NoneType"]
    assert (count(CashBanked), books(village)) == (1, (0, 0, 90_000))
    assert faults(village) == []


def test_a_community_without_a_box_counts_and_banks_nothing(app):
    community_id, person_id = factories.make_community(), factories.make_person()
    with pytest.raises(MethodClosed):
        cash_box.count_cash(community_id, 0, "", person_id, NOW)
    with pytest.raises(MethodClosed):
        cash_box.bank_cash(community_id, 100, "B1", person_id, NOW)
    assert (count(CashCount), count(CashBanked)) == (0, 0)


# --- what the audit sees -------------------------------------------------------------------------


def test_a_count_that_was_changed_after_two_people_agreed_is_found(village, second):
    take(village)
    count_id = counted(village, 80_000)
    cash_box.agree_count(village.id, count_id, second, LATER)
    db.session.execute(
        update(CashCount).where(CashCount.id == count_id).values(counted_satang=85_000)
    )
    db.session.commit()
    found = faults(village)
    assert {(each.fault, each.subject) for each in found} == {
        ("amount_differs", f"cash_count:{count_id}")
    }


def test_a_count_whose_agreement_was_taken_back_leaves_an_entry_that_nothing_explains(
    village, second
):
    take(village)
    count_id = counted(village, 80_000)
    cash_box.agree_count(village.id, count_id, second, LATER)
    db.session.execute(
        update(CashCount).where(CashCount.id == count_id).values(agreed_by=None, agreed_at=None)
    )
    db.session.commit()
    assert [each.fault for each in faults(village)] == ["entry_unexplained"]


def test_a_count_that_was_sent_twice_is_one_count(village, second):
    take(village)
    first = counted(village, 90_000, "evening")
    assert counted(village, 90_000, "evening") == first
    assert counted(village, 90_000, "evening, once more") != first
    assert count(CashCount) == 2
    cash_box.dismiss_count(village.id, first, LATER)
    assert counted(village, 90_000, "evening") != first
