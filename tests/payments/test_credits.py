"""Credit: money that a guest leaves here. It is owed, and nobody's income until it is used."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from cbt.audit.verify import verify
from cbt.bookings.hold import HOLD_FOR, lapse_overdue_holds
from cbt.bookings.queries import get_booking
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db, transaction
from cbt.errors import CreditSpent, DetailsIncomplete, HoldLapsed, NotFound, StateForbids
from cbt.ledger.queries import balances, stream_entries
from cbt.payments import credits as credits_
from cbt.payments import give_back, queries
from cbt.payments.credits import return_stranded_credit, use_credit
from cbt.payments.models import Credit, CreditUse, Refund
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
EVENING = NOW + timedelta(days=2)
ALL_BACK = canonical(Terms("Kind", (Tier(0, 10_000),)))


@pytest.fixture
def village(app):
    return factories.make_village(on=FAR)


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def make_credit(village, party=None):
    """The code of a credit over what a party had paid."""
    reference = factories.book(village, party)
    factories.cancel_booking(reference, as_credit=True)
    return code_of(reference)


def code_of(reference):
    return queries.list_credits_of(db.session(), booking(reference).id)[-1].code


def left(village, code):
    db.session.rollback()
    return queries.find_credit(db.session(), village.id, code).left_satang


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for each in outcomes for finding in each.findings]


def test_a_credit_is_owed_and_is_nobodys_income(village):
    reference = factories.book(village)
    factories.cancel_booking(reference, as_credit=True)
    after = books(village)
    assert (after["guest_deposit"], after["guest_credit"]) == (0, 90_000)
    assert all(after[f"fund:{fund}"] == 0 for fund in ("mgmt", "welfare"))
    kinds = [each.draft.kind for each in stream_entries(db.session(), village.card.book_id)]
    assert kinds == ["capture", "fee", "credit"]
    assert db.session.scalars(select(Refund)).all() == []
    assert faults(village) == []


def test_a_code_is_drawn_and_stands_in_no_entry_of_the_books(village, monkeypatch):
    """Whoever knows a code can spend it: vouchers and books, which others read, must not tell it."""
    code = make_credit(village)
    letters = iter(code.removeprefix("C-").replace("-", "") + "ABCDEFGH")
    monkeypatch.setattr(credits_.secrets, "choice", lambda _alphabet: next(letters))
    assert make_credit(village) == "C-ABCD-EFGH"  # what was drawn once is not drawn again
    entries = list(stream_entries(db.session(), village.card.book_id))
    assert len(entries) >= 4
    assert code not in repr(entries)


def test_a_credit_is_used_partly_and_then_up(village):
    code = make_credit(village)
    first, second = (factories.hold(village, {"ADULT": 1}) for _ in range(2))
    third = factories.hold(village, {"ADULT": 1})
    assert use_credit(first, code, NOW) == 45_000
    assert booking(first).state == "confirmed"
    assert left(village, code) == 45_000
    assert use_credit(second, f" {code.lower()} ", NOW) == 45_000
    with pytest.raises(CreditSpent):
        use_credit(third, code, NOW)
    assert booking(third).state == "held"
    assert (books(village)["guest_credit"], books(village)["guest_deposit"]) == (0, 90_000)
    assert faults(village) == []


def test_a_credit_pays_a_part_and_the_guest_the_rest(village):
    code = make_credit(village, {"ADULT": 1})
    reference = factories.hold(village, {"ADULT": 3})
    assert use_credit(reference, code, NOW) == 45_000
    assert booking(reference).state == "held"
    attempt = factories.start(reference)
    assert attempt.amount_satang == 90_000
    factories.pay_by_demo(reference)
    assert booking(reference).state == "confirmed"
    money = queries.get_money(db.session(), booking(reference).id)
    assert (money.captured_satang, money.from_credit_satang) == (90_000, 45_000)
    with pytest.raises(StateForbids):
        use_credit(reference, code, NOW)
    assert faults(village) == []


def test_no_split_leg_stands_before_a_credit_is_used_and_the_right_ones_after(app):
    village = factories.make_village(terms=ALL_BACK)
    code = make_credit(village, {"ADULT": 1})
    assert splits(village) == {}
    reference = factories.hold(village, {"ADULT": 1})
    use_credit(reference, code, NOW)
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    factories.settle(village, EVENING)
    assert splits(village) == {f"booking:{reference}": 45_000}
    assert (books(village)["guest_deposit"], books(village)["guest_credit"]) == (0, 0)
    assert faults(village) == []


def splits(village):
    """{booking: satang} that the books have split."""
    db.session.rollback()
    return {
        each.draft.subject: sum(leg.amount_satang for leg in each.draft.legs)
        for each in stream_entries(db.session(), village.card.book_id)
        if each.draft.kind == "split"
    }


def test_another_communitys_credit_is_not_known(village):
    stranger = factories.make_village(on=FAR)
    with pytest.raises(CreditSpent):
        use_credit(factories.hold(village), make_credit(stranger), NOW)


def test_rivals_never_use_more_of_a_credit_than_there_is(app, village):
    code = make_credit(village)
    references = [factories.hold(village, {"ADULT": 1}) for _ in range(6)]
    results = run_together(app, lambda number: use_credit(references[number], code, NOW), 6)
    assert sorted(str(each) for each in results if isinstance(each, int)) == ["45000"] * 2
    assert {type(each) for each in results if not isinstance(each, int)} == {CreditSpent}
    assert faults(village) == []


def test_the_database_itself_refuses_more_than_a_credit_holds(village):
    make_credit(village)
    with pytest.raises(Exception, match="never_overused"), transaction() as session:
        session.execute(update(Credit).values(used_satang=Credit.amount_satang + 1))


@pytest.mark.parametrize("code", ["", "C-XXXX-XXXX", "ก"])
def test_a_code_that_nobody_issued_is_refused(village, code):
    reference = factories.hold(village)
    with pytest.raises(CreditSpent):
        use_credit(reference, code, NOW)
    assert booking(reference).state == "held"


def test_where_there_is_nothing_to_pay_no_credit_is_used(village):
    code = make_credit(village)
    lapsed = factories.hold(village, {"ADULT": 1})
    with pytest.raises(HoldLapsed):
        use_credit(lapsed, code, NOW + HOLD_FOR)
    with pytest.raises(NotFound):
        use_credit("B-NONE", code, NOW)
    request = factories.HoldRequest(
        departure_id=village.departure_id,
        party={"ADULT": 1},
        policy_version_id=village.policy_id,
        language="th",
        request_key="nameless",
    )
    nameless = factories.holding.hold(request, NOW)
    with pytest.raises(DetailsIncomplete):
        use_credit(nameless, code, NOW)
    assert left(village, code) == 90_000


def test_what_a_change_added_is_paid_by_credit(village):
    code = make_credit(village)
    reference = factories.book(village)
    factories.change_booking(reference, party={"ADULT": 3})
    assert use_credit(reference, code, NOW) == 45_000
    assert left(village, code) == 45_000
    assert faults(village) == []


def test_a_settled_booking_takes_no_credit(app):
    village = factories.make_village(terms=ALL_BACK)
    code = make_credit(village, {"ADULT": 1})
    other = factories.book(village, {"ADULT": 1})
    factories.change_booking(other, party={"ADULT": 2})
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    factories.settle(village, EVENING)
    with pytest.raises(StateForbids):
        use_credit(other, code, EVENING)
    assert left(village, code) == 45_000
    assert faults(village) == []


def test_money_that_came_out_of_a_credit_goes_back_as_a_credit(village):
    code = make_credit(village, {"ADULT": 1})
    reference = factories.hold(village, {"ADULT": 3})
    use_credit(reference, code, NOW)
    factories.pay_by_demo(reference)
    assert factories.cancel_booking(reference) == 135_000
    assert left(village, code_of(reference)) == 45_000
    refunds = select(Refund.amount_satang).where(Refund.booking_id == booking(reference).id)
    assert list(db.session.scalars(refunds)) == [90_000]
    give_back.send_refunds(PROVIDERS, NOW)
    assert faults(village) == []


def test_a_hold_that_lapsed_gives_its_guest_the_credit_back_once(village):
    code = make_credit(village, {"ADULT": 1})
    reference = factories.hold(village)
    use_credit(reference, code, NOW)
    assert return_stranded_credit(NOW) == 0
    lapse_overdue_holds(NOW + HOLD_FOR)
    assert return_stranded_credit(NOW + HOLD_FOR) == 1
    assert return_stranded_credit(NOW + HOLD_FOR) == 0
    assert left(village, code_of(reference)) == 45_000
    assert faults(village) == []


def test_a_hold_that_is_withdrawn_gives_all_of_the_credit_back_whatever_the_terms(app):
    village = factories.make_village()  # the default terms give nothing on the day before
    early = replace(village, departure_id=factories.make_departure(village.option_id, FAR))
    code = make_credit(early, {"ADULT": 1})
    reference = factories.hold(village)
    use_credit(reference, code, NOW)
    assert factories.cancel_booking(reference) == 45_000
    assert left(village, code_of(reference)) == 45_000


def test_two_credits_pay_one_booking_and_one_credit_pays_it_twice(village):
    first, second = make_credit(village, {"ADULT": 1}), make_credit(village)
    reference = factories.hold(village)
    assert [use_credit(reference, code, NOW) for code in (first, second)] == [45_000, 45_000]
    assert booking(reference).state == "confirmed"
    factories.change_booking(reference, party={"ADULT": 3})
    assert use_credit(reference, second, NOW) == 45_000
    uses = list(db.session.execute(select(CreditUse.number, CreditUse.amount_satang)))
    assert uses == [(1, 45_000), (1, 45_000), (2, 45_000)]
    assert faults(village) == []
