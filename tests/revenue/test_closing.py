"""Closing a month: what stops it, what it fixes, and that nothing is half-written."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cbt.communities import chart
from cbt.db import db, transaction
from cbt.errors import (
    CloseBlocked,
    ExplanationMissing,
    NotFound,
    NothingToClose,
    PeriodNotNext,
    PeriodNotOver,
    PreviewOutdated,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.queries import balances, get_book
from cbt.payments import cash_box
from cbt.payments.cash import take_cash
from cbt.payments.reported import WorkKind
from cbt.payments.work import close_work, list_open_work, open_work
from cbt.revenue import close, merkle, period_queries
from cbt.revenue.close_facts import AuditFacts, StepCode, get_figures
from cbt.revenue.closed import (
    CloseDraft,
    HouseholdStatement,
    Period,
    PeriodBalance,
    PeriodRule,
    PeriodSignature,
)
from cbt.revenue.period_queries import closing_of, list_snapshot, list_statements, read_head
from cbt.revenue.signing import is_signed
from cbt.revenue.statement_text import ItemKind, head_text, leaf_of, short_code
from tests import factories
from tests.concurrency import run_together
from tests.revenue.closing import (
    AFTER,
    AFTER_NEXT,
    DECEMBER,
    EVENING,
    KEY,
    NOVEMBER,
    VOUCHED,
    audited,
    close_month,
    confirm,
    looked,
    make_office,
    prepare,
    worked_month,
)
from tests.site import NOW

TAKEN = 90_000
WRITTEN = (Period, PeriodBalance, HouseholdStatement, PeriodRule, PeriodSignature)


@pytest.fixture
def office(app):
    """November worked and settled, nothing open."""
    office = make_office()
    worked_month(office)
    return office


def counted():
    db.session.rollback()
    return [db.session.scalar(select(func.count()).select_from(table)) for table in WRITTEN]


def period_of(office, month=NOVEMBER):
    db.session.rollback()
    return period_queries.get_period(db.session(), office.id, month)


def post(office, effective_on, amount=500, key="late", *, leg=None):
    """A fact that somebody enters: by default more for household H01."""
    leg = leg or Leg(chart.PROVIDER_POOL, chart.household("H01"), amount, "by_work")
    fill = Leg(chart.GUEST_DEPOSIT, chart.PROVIDER_POOL, amount, "bucket:provider")
    into = Leg(chart.payment("demo"), chart.GUEST_DEPOSIT, amount, "captured")
    draft = Draft(
        kind="correction",
        subject=f"departure:{office.village.departure_id}",
        effective_on=effective_on,
        legs=(into, fill, leg),
        key=key,
        actor="test",
    )
    with transaction() as session:
        return ledger.post(session, office.card.book_id, draft, AFTER)


# --- what it fixes -------------------------------------------------------------------------------


def test_a_close_fixes_every_account_and_every_household(office):
    assert close_month(office) == NOVEMBER
    period = period_of(office)
    session = db.session()
    assert (period.number, period.prepared_by, period.approved_by) == (
        *(1, office.treasurer),
        office.coordinator,
    )
    snapshot = list_snapshot(session, period.id)
    held = {each.account: each.closing_satang for each in snapshot}
    assert held == balances(session, office.card.book_id)
    book = get_book(session, office.card.book_id)
    assert (period.closing_seq, period.head_hash) == (book.head_seq, book.head_hash)
    statements = list_statements(session, period.id)
    assert [each.household for each in statements] == list(office.village.households)
    for each in statements:
        head = read_head(each.text)
        assert head.closing_satang == held[chart.household(each.household)]
        assert each.text.startswith(head_text(head))
        assert leaf_of(head).hex() == each.leaf_hash
    leaves = [bytes.fromhex(each.leaf_hash) for each in statements]
    assert merkle.root_of(leaves).hex() == period.statement_root
    assert f"statements:{period.statement_root}\n" in period.record
    assert f"record:{period.record_digest}\n" in period.seal
    assert len(short_code(period.record_digest)) == 19


def test_the_platform_signs_at_the_close(office):
    close_month(office)
    period = period_of(office)
    [signature] = period_queries.list_signatures(db.session(), period.id)
    assert signature.public_key == KEY.public
    assert is_signed(period.seal, signature.signature, KEY.public)
    assert not is_signed(period.seal + " ", signature.signature, KEY.public)


def test_no_name_stands_in_what_is_hashed(office):
    close_month(office)
    period = period_of(office)
    texts = [period.record, period.seal]
    texts += [each.text for each in list_statements(db.session(), period.id)]
    for each in office.village.households:
        for word in factories.text(each).values():
            assert all(word not in text_ for text_ in texts)


def test_the_next_month_opens_with_what_the_last_one_closed_with(office):
    close_month(office)
    close_month(office, DECEMBER, AFTER_NEXT)
    first, second = period_of(office), period_of(office, DECEMBER)
    before = closing_of(list_snapshot(db.session(), first.id))
    after = list_snapshot(db.session(), second.id)
    assert {each.account: each.opening_satang for each in after} == before
    assert second.number == 2
    assert f"previous:{first.record_digest}\n" in second.record
    heads = [read_head(each.text) for each in list_statements(db.session(), second.id)]
    assert all(
        head.line_count == 0 and head.opening_satang == head.closing_satang for head in heads
    )


def test_a_fact_that_comes_late_lands_in_the_open_month_and_says_which_it_concerns(office):
    close_month(office)
    stood = [each.text for each in list_statements(db.session(), period_of(office).id)]
    seq = post(office, date(2026, 11, 24))
    figures = get_figures(db.session(), office.card, DECEMBER)
    [item] = figures.items["H01"]
    assert (item.entry_seq, item.concerns, item.kind) == (seq, NOVEMBER, ItemKind.EARNED)
    closed = get_figures(db.session(), office.card, NOVEMBER)
    assert [len(closed.items[code]) for code in ("H01", "H02", "H03")] == [1, 1, 1]
    assert [each.text for each in list_statements(db.session(), period_of(office).id)] == stood
    assert {each.account: each for each in closed.balances} == {
        each.account: each for each in list_snapshot(db.session(), period_of(office).id)
    }


def test_an_open_month_behind_another_open_one_begins_with_what_that_holds(office):
    figures = get_figures(db.session(), office.card, DECEMBER)
    opening = {each.account: each.opening_satang for each in figures.balances}
    held = get_figures(db.session(), office.card, NOVEMBER)
    assert opening == closing_of(held.balances)
    assert sum(opening.values()) > 0


# --- what stops it -------------------------------------------------------------------------------


def test_a_month_that_is_not_over_is_refused(office):
    with pytest.raises(PeriodNotOver):
        prepare(office, now=datetime(2026, 11, 30, 16, 59, tzinfo=UTC))
    assert prepare(office, now=datetime(2026, 11, 30, 17, tzinfo=UTC))  # midnight in the village


@pytest.mark.parametrize("month", [date(2026, 10, 1), DECEMBER, date(2027, 1, 1)])
def test_another_month_than_the_oldest_open_one_is_refused(office, month):
    with pytest.raises(PeriodNotNext):
        prepare(office, month, datetime(2027, 6, 1, tzinfo=UTC))
    close_month(office)
    with pytest.raises(PeriodNotNext):
        prepare(office, NOVEMBER)
    assert counted()[0] == 1


def test_empty_books_have_nothing_to_close(app):
    office = make_office()
    with pytest.raises(NothingToClose):
        prepare(office)


def blocked(office, month=NOVEMBER, now=AFTER):
    """Every step that is not done."""
    db.session.rollback()
    return {step.code: step.left for step in looked(office, month, now).steps if not step.is_done}


def test_a_trip_that_is_not_settled_stops_the_close(app):
    office = make_office()
    factories.book(office.village)
    factories.record_work(office.village, ("H01", "boat", 1))
    assert blocked(office) == {StepCode.TRIPS_SETTLED: 1}
    with pytest.raises(CloseBlocked) as refused:
        prepare(office)
    assert refused.value.facts == {"step": StepCode.TRIPS_SETTLED}
    assert db.session.scalar(select(func.count(CloseDraft.id))) == 0
    factories.settle(office.village, EVENING)
    assert blocked(office) == {}


def test_a_trip_that_nobody_booked_stops_nothing(office):
    factories.make_departure(office.village.option_id, date(2026, 11, 27))
    assert blocked(office) == {}


def test_open_work_stops_the_close(office):
    with transaction() as session:
        open_work(session, WorkKind.CASH_DIFFERS, "it", office.id, {"difference_satang": 1}, NOW)
    assert blocked(office) == {StepCode.NOTHING_OPEN: 1}
    [item] = list_open_work(db.session(), office.id)
    close_work(office.id, item.id, "looked", office.treasurer, NOW)
    assert blocked(office) == {}


def test_cash_is_counted_after_the_last_day(app):
    office = make_office()
    reference = factories.hold(office.village)
    take_cash(office.id, reference, office.coordinator, NOW, factories.PROVIDERS, None)
    factories.record_work(office.village, ("H01", "boat", 1))
    factories.settle(office.village, EVENING)
    assert StepCode.CASH_COUNTED in blocked(office)
    early = cash_box.count_cash(office.id, TAKEN, "", office.treasurer, EVENING)
    cash_box.agree_count(office.id, early, office.coordinator, EVENING)
    assert StepCode.CASH_COUNTED in blocked(office)
    late = cash_box.count_cash(office.id, TAKEN, "", office.treasurer, AFTER)
    assert StepCode.CASH_COUNTED in blocked(office)  # one person is not two
    cash_box.agree_count(office.id, late, office.coordinator, AFTER)
    assert StepCode.CASH_COUNTED not in blocked(office)


def test_an_unclean_audit_stops_the_close(office):
    seen = looked(office)
    unclean = AuditFacts(is_clean=False, audited_seq=10**6, faults=1)
    with pytest.raises(CloseBlocked) as refused:
        close.prepare_close(
            *(office.id, NOVEMBER, seen.figures.fingerprint, {}, unclean, None),
            *(office.treasurer, AFTER),
        )
    assert refused.value.facts == {"step": StepCode.AUDIT_CLEAN}


def test_an_audit_of_yesterday_does_not_vouch_for_an_entry_of_today(office):
    before = audited(office)
    post(office, date(2026, 11, 24))
    seen = looked(office)
    with pytest.raises(CloseBlocked):
        close.prepare_close(
            *(office.id, NOVEMBER, seen.figures.fingerprint, {}, before, None),
            *(office.treasurer, AFTER),
        )


def test_a_warning_needs_a_word_and_keeps_it(office):
    late = datetime(2026, 12, 20, tzinfo=UTC)  # day 20: PRD-13 warns
    with pytest.raises(ExplanationMissing):
        prepare(office, now=late, words={"PRD-13": "  \n "})
    draft = prepare(office, now=late)
    confirm(office, draft, late)
    kept = {
        answer.rule: words
        for answer, words in period_queries.list_answers(db.session(), period_of(office).id)
    }
    assert kept["PRD-13"] == "we know and talk about it"
    assert kept["PRD-01"] == ""
    assert looked(office, DECEMBER, AFTER_NEXT).explained_before["PRD-13"] == kept["PRD-13"]


def test_what_changed_since_it_was_prepared_is_not_closed(office):
    draft = prepare(office)
    post(office, date(2026, 11, 24))
    with pytest.raises(PreviewOutdated):
        confirm(office, draft, audit=VOUCHED)
    assert counted() == [0] * 5
    assert period_queries.find_draft(db.session(), office.id).id == draft


def test_a_booking_for_next_month_does_not_disturb_a_prepared_close(office):
    draft = prepare(office)
    post(
        office,
        date(2026, 12, 2),
        leg=Leg(chart.PROVIDER_POOL, chart.household("H01"), 500, "by_work"),
    )
    confirm(office, draft, audit=VOUCHED)
    period = period_of(office)
    assert period.closing_seq == get_book(db.session(), office.card.book_id).head_seq
    assert len(get_figures(db.session(), office.card, NOVEMBER).items["H01"]) == 1
    assert len(get_figures(db.session(), office.card, DECEMBER).items["H01"]) == 1


def test_the_same_person_cannot_prepare_and_confirm(office):
    draft = prepare(office)
    with pytest.raises(SecondPersonNeeded):
        confirm(office, draft, person=office.treasurer)
    assert counted() == [0] * 5


@pytest.mark.parametrize("who", ["prepares", "confirms"])
def test_the_auditor_neither_prepares_nor_confirms(office, who):
    if who == "prepares":
        with pytest.raises(CloseBlocked) as refused:
            prepare(office, person=office.mentor)
    else:
        draft = prepare(office)
        with pytest.raises(CloseBlocked) as refused:
            confirm(office, draft, person=office.mentor)
    assert refused.value.facts == {"step": "PRD-13"}
    assert counted() == [0] * 5


def test_a_withdrawn_or_replaced_draft_closes_nothing(office):
    first = prepare(office)
    second = prepare(office)
    with pytest.raises(StateForbids):
        confirm(office, first)
    close.withdraw_close(office.id, AFTER)
    with pytest.raises(StateForbids):
        confirm(office, second)
    with pytest.raises(NotFound):
        close.withdraw_close(office.id, AFTER)
    with pytest.raises(NotFound):
        confirm(office, second + 100)
    assert counted() == [0] * 5


def test_another_community_cannot_use_a_draft(office):
    draft = prepare(office)
    other = make_office()
    with pytest.raises(NotFound):
        confirm(other, draft)
    assert counted() == [0] * 5


# --- races and triggers --------------------------------------------------------------------------


def test_two_closes_at_once_close_once(app, office):
    draft = prepare(office)
    audit = audited(office)
    other = factories.make_person()

    rivals = (office.coordinator, other)

    def confirm_as(number):
        return close.close_period(office.id, draft, audit, None, KEY, rivals[number], AFTER)

    outcomes = run_together(app, confirm_as, 2)
    assert sorted(type(each).__name__ for each in outcomes) == ["StateForbids", "date"]
    assert counted()[0] == 1


def test_an_entry_posted_meanwhile_is_in_one_period_or_the_next_never_in_none(app, office):
    draft = prepare(office)

    def act(number):
        if number:
            return post(office, date(2026, 11, 24))
        return close.close_period(office.id, draft, VOUCHED, None, KEY, office.coordinator, AFTER)

    run_together(app, act, 2)
    db.session.rollback()
    closed = period_queries.find_period(db.session(), office.id, NOVEMBER)
    november = get_figures(db.session(), office.card, NOVEMBER).items["H01"]
    december = get_figures(db.session(), office.card, DECEMBER).items["H01"]
    if closed:  # the close came first: the entry is December's
        assert (len(november), len(december)) == (1, 1)
    else:  # the entry came first: what was prepared is outdated
        assert (len(november), len(december)) == (2, 0)


@pytest.mark.parametrize(
    "table",
    [
        *("period", "period_balance", "household_statement", "period_rule"),
        *("period_signature", "signing_key"),
    ],
)
@pytest.mark.parametrize("verb", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_what_is_closed_cannot_be_changed(office, table, verb):
    close_month(office)
    column = "role" if table in ("signing_key", "period_signature") else "period_id"
    column = "number" if table == "period" else column
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text(verb.format(table, column, column)))
    assert counted()[0] == 1


def test_days_do_not_move_by_themselves(office):
    assert audited(office).is_clean
    assert looked(office).may_close
    assert timedelta(days=7) < AFTER - NOW
